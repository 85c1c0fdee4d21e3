//! Applications and the rotation of their secrets.

use auth0_emulator::{Fault, FaultKind};
use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, items, line, text};
use serde_json::{Value, json};

const NONE: &str = "00000000000000000000000000000000";

#[tokio::test]
async fn list_applications_leaves_the_global_one_out_and_filters_by_kind() {
    let tenant = OfflineTenant::start().await;
    let list = tenant
        .run(
            "list-applications",
            json!({"app_type": ["regular_web", "spa"], "is_first_party": true, "fields": ["name"], "include_totals": true}),
        )
        .await;
    let names: Vec<_> = items(&list).iter().map(|client| text(client, "name")).collect();
    assert_eq!(names, ["Acme Portal", "Acme Support Desk", "Acme Reports", "Acme App"]);
    assert_eq!(list["total"], 4);
    let query = tenant.only().query.unwrap();
    for part in ["app_type=regular_web%2Cspa", "is_first_party=true", "is_global=false", "fields=name"] {
        assert!(query.split('&').any(|found| found == part), "{part} in {query}");
    }
    let all = tenant.run("list-applications", json!({})).await;
    assert_eq!(items(&all).len(), 7, "{all}");
    assert!(items(&all).iter().all(|client| client["global"] == false));
    let global = tenant.run("list-applications", json!({"is_global": true})).await;
    assert_eq!(items(&global).len(), 1);
}

#[tokio::test]
async fn list_applications_shows_no_secret_to_a_token_that_may_not_read_it() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:clients"]);
    let all = tenant.run("list-applications", json!({})).await;
    assert_eq!(items(&all).len(), 7, "{all}");
    assert!(items(&all).iter().all(|client| client.get("client_secret").is_none()));
    let error = tenant.refused("list-applications", json!({"fields": ["client_secret"]})).await;
    assert_eq!(
        (&error.code, error.scopes),
        (&ErrorCode::InsufficientScope, vec!["read:client_keys".to_owned()])
    );
}

#[tokio::test]
async fn get_application_asks_by_id() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application("Acme Portal");
    let application =
        tenant.run("get-application", json!({"client_id": id, "fields": "name,app_type"})).await;
    assert_eq!((text(&application, "name"), text(&application, "app_type")), ("Acme Portal", "regular_web"));
    assert_eq!(line(&tenant.only()), format!("GET /api/v2/clients/{id}?fields=name%2Capp_type"));
    let error = tenant.refused("get-application", json!({"client_id": NONE})).await;
    assert_eq!((&error.code, error.error_code.as_deref()), (&ErrorCode::NotFound, Some("inexistent_client")));
    for bad in ["", ".", "..", "a\u{0}b"] {
        let error = tenant.refused("get-application", json!({"client_id": bad})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{bad:?}");
    }
    assert_eq!(tenant.seen().len(), 2);
}

/// The secret whose handle an application shows.
fn kept(tenant: &OfflineTenant, application: &Value) -> Value {
    tenant.secret_sink.get(text(application, "client_secret")).into()
}

#[tokio::test]
async fn rotate_client_secret_answers_the_handle_of_the_new_one_and_stamps_the_time() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application("Acme Billing");
    let before = tenant.control.client(&id).unwrap();
    let rotated = tenant.run("rotate-client-secret", json!({"client_id": id})).await;
    let after = tenant.control.client(&id).unwrap();
    assert_ne!(before["client_secret"], after["client_secret"]);
    assert_eq!(kept(&tenant, &rotated), after["client_secret"]);
    let stamp = text(&after["client_metadata"], "secret_rotated_at");
    assert!(stamp > text(&before["client_metadata"], "secret_rotated_at") && stamp.ends_with('Z'), "{stamp}");
    assert_eq!(rotated["client_metadata"], after["client_metadata"]);
    let seen = tenant.seen();
    assert_eq!(line(&seen[0]), format!("POST /api/v2/clients/{id}/rotate-secret"));
    assert_eq!(line(&seen[1]), format!("PATCH /api/v2/clients/{id}"));
    assert_eq!(seen[1].body, Some(json!({"client_metadata": {"secret_rotated_at": stamp}})));
}

#[tokio::test]
async fn rotate_client_secret_leaves_no_stamp_where_told_so() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application("Acme Reports");
    tenant.run("rotate-client-secret", json!({"client_id": id, "stamp": false})).await;
    assert_eq!(tenant.lines(), [format!("POST /api/v2/clients/{id}/rotate-secret")]);
    assert_eq!(tenant.control.client(&id).unwrap().get("client_metadata"), None);
}

#[tokio::test]
async fn a_new_secret_is_not_lost_where_the_stamp_fails() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application("Acme Billing");
    tenant.control.set_scopes(&["update:client_keys"]);
    let rotated = tenant.run("rotate-client-secret", json!({"client_id": id})).await;
    assert_eq!(kept(&tenant, &rotated), tenant.control.client(&id).unwrap()["client_secret"]);
    assert!(
        rotated.get("stamp_error").is_none(),
        "update:client_keys may patch an application too: {rotated}"
    );
    tenant.control.inject(
        Fault::new(FaultKind::Status { status: 503, body: None, retry_after: None, after_processing: false })
            .on("PATCH", "/api/v2/clients/"),
    );
    let rotated = tenant.run("rotate-client-secret", json!({"client_id": id})).await;
    assert_eq!(kept(&tenant, &rotated), tenant.control.client(&id).unwrap()["client_secret"]);
    assert_eq!(rotated["stamp_error"]["code"], "unavailable");
}

#[tokio::test]
async fn rotate_client_secret_reports_what_cannot_be_rotated() {
    let tenant = OfflineTenant::start().await;
    let error = tenant.refused("rotate-client-secret", json!({"client_id": NONE})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)));
    let keyed = tenant.application("Acme Ledger");
    let error = tenant.refused("rotate-client-secret", json!({"client_id": keyed})).await;
    assert_eq!(error.status, Some(400), "an application that signs with its own key: {error}");
}

#[tokio::test]
async fn a_rotation_whose_answer_is_lost_is_unknown_and_not_repeated() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application("Acme Billing");
    let before = tenant.control.client(&id).unwrap();
    tenant.control.inject(Fault::new(FaultKind::Truncate).on("POST", "/api/v2/clients/").times(1));
    let error = tenant.refused("rotate-client-secret", json!({"client_id": id})).await;
    assert_eq!(error.code, ErrorCode::OutcomeUnknown, "{error}");
    assert_eq!(tenant.seen().len(), 1);
    assert_ne!(
        before["client_secret"],
        tenant.control.client(&id).unwrap()["client_secret"],
        "it had happened"
    );
}
