//! How old the secrets are, and on what evidence.

use std::collections::BTreeMap;

use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, items, text};
use serde_json::{Value, json};

fn verdicts(list: &Value) -> BTreeMap<String, (String, String)> {
    items(list)
        .iter()
        .map(|item| {
            let verdict = (text(item, "state").to_owned(), text(&item["evidence"], "source").to_owned());
            (text(item, "name").to_owned(), verdict)
        })
        .collect()
}

#[tokio::test]
async fn each_secret_is_judged_by_stamp_credential_or_log() {
    let tenant = OfflineTenant::start().await;
    let list = tenant.run("find-stale-secrets", json!({})).await;
    assert_eq!(list["older_than_days"], 90);
    let verdicts = verdicts(&list);
    for (name, state, source) in [
        ("Acme Portal", "stale", "stamp"),
        ("Acme Billing", "stale", "stamp"),
        // Stamp and log tell of the same rotation; the log, written last, is the newer evidence.
        ("Acme Support Desk", "fresh", "log"),
        ("Acme Reports", "fresh", "log"),
        ("Acme Ledger", "stale", "credential"),
        ("Workflow Connector", "fresh", "stamp"),
    ] {
        assert_eq!(verdicts.get(name), Some(&(state.to_owned(), source.to_owned())), "{name}");
    }
    assert!(!verdicts.contains_key("Acme App"), "a public application uses no secret");
    assert!(!verdicts.contains_key("All Applications"));
    let billing = items(&list).iter().find(|item| item["name"] == "Acme Billing").unwrap();
    assert_eq!(billing["age_days"], 200);
    assert!(tenant.seen().iter().all(|request| request.method == "GET"), "judging changes nothing");
}

#[tokio::test]
async fn the_age_from_which_a_secret_is_stale_can_be_chosen() {
    let tenant = OfflineTenant::start().await;
    let list = tenant.run("find-stale-secrets", json!({"older_than_days": 150})).await;
    assert_eq!(verdicts(&list)["Acme Portal"].0, "fresh");
    assert_eq!(verdicts(&list)["Acme Billing"].0, "stale");
    let list = tenant.run("find-stale-secrets", json!({"include_public": true})).await;
    assert_eq!(verdicts(&list)["Acme App"], ("unknown".to_owned(), "nothing".to_owned()));
    for bad in [json!(0), json!(-1), json!("90"), json!(1.5)] {
        let error = tenant.refused("find-stale-secrets", json!({"older_than_days": bad})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{bad}");
    }
}

#[tokio::test]
async fn a_rotation_makes_a_stale_secret_fresh() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application("Acme Billing");
    tenant.run("rotate-client-secret", json!({"client_id": id})).await;
    let list = tenant.run("find-stale-secrets", json!({})).await;
    assert_eq!(verdicts(&list)["Acme Billing"].0, "fresh", "{list}");
}

#[tokio::test]
async fn a_rotation_without_a_stamp_is_found_in_the_log() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application("Acme Reports");
    tenant.run("rotate-client-secret", json!({"client_id": id, "stamp": false})).await;
    let list = tenant.run("find-stale-secrets", json!({"older_than_days": 1})).await;
    assert_eq!(verdicts(&list)["Acme Reports"], ("fresh".to_owned(), "log".to_owned()));
}

#[tokio::test]
async fn evidence_that_may_not_be_read_makes_a_secret_unknown_and_is_said() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:clients"]);
    let list = tenant.run("find-stale-secrets", json!({})).await;
    let verdicts = verdicts(&list);
    assert_eq!(verdicts["Acme Reports"].0, "unknown");
    assert_eq!(verdicts["Acme Portal"].0, "stale", "the stamp needs no other scope");
    assert!(text(&list, "log_note").contains("read:logs"), "{list}");
}

#[tokio::test]
async fn without_the_right_to_read_applications_it_is_an_insufficient_scope() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:logs"]);
    let error = tenant.refused("find-stale-secrets", json!({})).await;
    assert_eq!(error.code, ErrorCode::InsufficientScope);
    assert!(error.scopes.iter().any(|scope| scope == "read:clients"), "{error:?}");
}
