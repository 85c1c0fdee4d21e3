//! What hangs on an account: log, identities, brute-force blocks.

use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, encoded, items, line, text};
use serde_json::json;

const GUEST: &str = "google-oauth2|108251222085688410000";

#[tokio::test]
async fn list_user_logs_answers_rows_of_that_user_only() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("ines.costa@acme.example");
    let list = tenant.run("list-user-logs", json!({"user_id": id, "sort": "date:-1", "limit": 2})).await;
    assert_eq!(items(&list).len(), 2);
    let next = text(&list, "next");
    for row in items(&list) {
        assert_eq!(row["user_id"], json!(id));
    }
    let request = tenant.only();
    assert_eq!(request.path, format!("/api/v2/users/{}/logs", encoded(&id)));
    assert!(request.query.unwrap().contains("sort=date%3A-1"));
    let follow = json!({"user_id": id, "sort": "date:-1", "limit": 2, "cursor": next});
    let rest = tenant.run("list-user-logs", follow).await;
    let paged = json!({"user_id": id, "sort": "date:-1", "page": 1, "per_page": 2});
    assert_eq!(
        items(&rest),
        items(&tenant.run("list-user-logs", paged).await),
        "Auth0's own paging is taken too"
    );
    assert!(items(&rest).iter().any(|row| row["type"] == "fp"), "{rest}");
}

#[tokio::test]
async fn link_user_moves_the_other_account_into_the_first() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let identity = json!({"provider": "google-oauth2", "user_id": "108251222085688410000"});
    let linked = tenant.run("link-user", json!({"user_id": id, "identity": identity})).await;
    assert_eq!(items(&linked).len(), 2);
    assert_eq!(items(&linked)[1]["provider"], "google-oauth2");
    let request = tenant.only();
    assert_eq!(line(&request), format!("POST /api/v2/users/{}/identities", encoded(&id)));
    assert_eq!(request.body, Some(identity));
    assert_eq!(tenant.control.user(GUEST), None);
    assert_eq!(tenant.stored(&id)["identities"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn link_user_takes_the_provider_from_the_id_and_keeps_the_connection() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    tenant.run("link-user", json!({"user_id": id, "identity": {"user_id": GUEST}})).await;
    assert_eq!(tenant.only().body, Some(json!({"provider": "google-oauth2", "user_id": GUEST})));
}

#[tokio::test]
async fn link_user_reports_an_account_that_is_linked_already_or_unknown() {
    let tenant = OfflineTenant::start().await;
    let (mira, tom) = (tenant.user("mira.olsen@acme.example"), tenant.user("tom.becker@acme.example"));
    tenant.run("link-user", json!({"user_id": mira, "identity": {"user_id": GUEST}})).await;
    for (user_id, identity, kind) in [
        (&tom, json!({"user_id": GUEST}), ErrorCode::Conflict),
        (&mira, json!({"user_id": GUEST}), ErrorCode::Conflict),
        (&mira, json!({"user_id": "google-oauth2|1"}), ErrorCode::Rejected),
    ] {
        let error = tenant.refused("link-user", json!({"user_id": user_id, "identity": identity})).await;
        assert_eq!(error.code, kind, "{identity}: {error}");
    }
}

#[tokio::test]
async fn link_user_wants_one_account_and_one_proof() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    for input in [
        json!({"user_id": id}),
        json!({"user_id": id, "identity": {"user_id": GUEST}, "link_with": "eyJ"}),
        json!({"user_id": id, "identity": {"user_id": "108251222085688410000"}}),
        json!({"user_id": id, "identity": {"user_id": GUEST, "colour": "red"}}),
    ] {
        let error = tenant.refused("link-user", input.clone()).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{input}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
    let error =
        tenant.refused("link-user", json!({"user_id": id, "link_with": "eyJhbGciOiJub25lIn0.e30."})).await;
    assert_eq!(error.code, ErrorCode::Unauthenticated, "a token that proves nothing: {error}");
    assert!(!error.to_string().contains("eyJhbGciOiJub25lIn0"), "{error}");
}

#[tokio::test]
async fn unlink_identity_makes_it_a_user_of_its_own_again() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    tenant.run("link-user", json!({"user_id": id, "identity": {"user_id": GUEST}})).await;
    let rest = tenant
        .run(
            "unlink-identity",
            json!({"user_id": id, "provider": "google-oauth2", "identity_user_id": "108251222085688410000"}),
        )
        .await;
    assert_eq!(items(&rest).len(), 1);
    let path = format!("/api/v2/users/{}/identities/google-oauth2/108251222085688410000", encoded(&id));
    assert_eq!(tenant.lines()[1], format!("DELETE {path}"));
    assert!(tenant.control.user(GUEST).is_some());
}

#[tokio::test]
async fn the_main_identity_cannot_be_unlinked() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let bare = id.split_once('|').unwrap().1;
    let error = tenant
        .refused("unlink-identity", json!({"user_id": id, "provider": "auth0", "identity_user_id": bare}))
        .await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Rejected, Some(400)));
    for (provider, identity) in [("..", "x"), ("auth0", ".."), ("", "x"), ("auth0", "")] {
        let error = tenant
            .refused(
                "unlink-identity",
                json!({"user_id": id, "provider": provider, "identity_user_id": identity}),
            )
            .await;
        assert_eq!(
            (&error.code, error.status),
            (&ErrorCode::InvalidInput, None),
            "{provider}/{identity}: {error}"
        );
    }
    assert_eq!(tenant.seen().len(), 1);
}

#[tokio::test]
async fn blocks_are_read_and_lifted_by_user_or_by_identifier() {
    let email = "ines.costa@acme.example";
    for by_id in [true, false] {
        let tenant = OfflineTenant::start().await;
        let id = tenant.user(email);
        for _ in 0..10 {
            tenant.control.fail_log_in(email, "203.0.113.9").unwrap();
        }
        let target = if by_id { json!({"user_id": id}) } else { json!({"identifier": email}) };
        let blocks = tenant.run("get-user-blocks", target.clone()).await;
        let block = &blocks["blocked_for"][0];
        assert_eq!((text(block, "identifier"), text(block, "ip")), (email, "203.0.113.9"));
        assert_eq!(tenant.run("clear-user-blocks", target.clone()).await, json!({}));
        assert_eq!(tenant.run("get-user-blocks", target).await, json!({"blocked_for": []}));
        let path = if by_id {
            format!("/api/v2/user-blocks/{}", encoded(&id))
        } else {
            "/api/v2/user-blocks?identifier=ines.costa%40acme.example".to_owned()
        };
        assert_eq!(tenant.lines(), [format!("GET {path}"), format!("DELETE {path}"), format!("GET {path}")]);
    }
}

#[tokio::test]
async fn blocks_want_to_know_whose_they_are() {
    let tenant = OfflineTenant::start().await;
    for action in ["get-user-blocks", "clear-user-blocks"] {
        for input in [json!({}), json!({"identifier": " "}), json!({"user_id": GUEST, "identifier": "x@y.z"})]
        {
            let error = tenant.refused(action, input.clone()).await;
            assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{action} {input}");
        }
        let error = tenant.refused(action, json!({"identifier": "nobody@acme.example"})).await;
        assert_eq!(error.code, ErrorCode::NotFound, "{action}: {error}");
    }
    assert_eq!(tenant.seen().len(), 2);
}
