//! Sessions and refresh tokens.

use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, encoded, items, text};
use serde_json::json;

const NOBODY: &str = "auth0|000000000000000000000000";
const LENA: &str = "lena.fischer@acme.example";

#[tokio::test]
async fn list_user_sessions_follows_the_cursor_to_the_last_session() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user(LENA);
    let first = tenant.run("list-user-sessions", json!({"user_id": id, "limit": 1})).await;
    assert_eq!(items(&first).len(), 1);
    let next = text(&first, "next");
    let second = tenant.run("list-user-sessions", json!({"user_id": id, "limit": 1, "cursor": next})).await;
    assert_eq!(items(&second).len(), 1);
    assert_ne!(items(&first)[0]["id"], items(&second)[0]["id"]);
    assert_eq!(second.get("next"), None);
    let path = format!("GET /api/v2/users/{}/sessions", encoded(&id));
    assert!(tenant.lines().iter().all(|line| line.starts_with(&format!("{path}?"))), "{:?}", tenant.lines());
}

#[tokio::test]
async fn sessions_and_refresh_tokens_end_apart_or_together() {
    for (action, path, method, left) in [
        ("delete-user-sessions", "sessions", "DELETE", (0, 2)),
        ("delete-user-refresh-tokens", "refresh-tokens", "DELETE", (2, 0)),
        ("revoke-user-access", "revoke-access", "POST", (0, 0)),
    ] {
        let tenant = OfflineTenant::start().await;
        let id = tenant.user(LENA);
        assert_eq!(tenant.control.live_logins(&id), (2, 2));
        assert_eq!(tenant.run(action, json!({"user_id": id})).await, json!({}), "{action}");
        assert_eq!(tenant.lines(), [format!("{method} /api/v2/users/{}/{path}", encoded(&id))]);
        assert_eq!(tenant.control.live_logins(&id), left, "{action}");
    }
}

#[tokio::test]
async fn revoke_user_access_can_be_narrowed_to_a_session_and_spare_refresh_tokens() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user(LENA);
    let session = tenant.control.log_in(&id, None).unwrap();
    tenant.run("revoke-user-access", json!({"user_id": id, "session_id": session.session_id})).await;
    assert_eq!(tenant.only().body, Some(json!({"session_id": session.session_id})));
    assert_eq!(tenant.control.live_logins(&id), (2, 2));
    tenant.run("revoke-user-access", json!({"user_id": id, "preserve_refresh_tokens": true})).await;
    assert_eq!(tenant.control.live_logins(&id), (0, 2));
}

#[tokio::test]
async fn sessions_of_a_user_who_does_not_exist_are_missing() {
    let tenant = OfflineTenant::start().await;
    for action in
        ["list-user-sessions", "delete-user-sessions", "delete-user-refresh-tokens", "revoke-user-access"]
    {
        let error = tenant.refused(action, json!({"user_id": NOBODY})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)), "{action}: {error}");
    }
}

#[tokio::test]
async fn a_page_size_that_auth0_does_not_serve_is_refused_before_any_request() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user(LENA);
    for take in [0, 101] {
        let error = tenant.refused("list-user-sessions", json!({"user_id": id, "take": take})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{take}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}
