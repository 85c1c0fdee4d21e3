//! Connections: sources of users.

use auth0_host::ErrorCode;
use auth0_tests::{DATABASE, OfflineTenant, items, line, text};
use serde_json::json;

#[tokio::test]
async fn list_connections_filters_by_strategy_and_name() {
    let tenant = OfflineTenant::start().await;
    let list = tenant
        .run(
            "list-connections",
            json!({"strategy": ["google-oauth2", "samlp"], "fields": ["id", "name"], "include_totals": true}),
        )
        .await;
    assert_eq!((items(&list).len(), &list["total"]), (1, &json!(1)));
    let query = tenant.only().query.unwrap();
    assert!(query.contains("strategy=google-oauth2&strategy=samlp"), "{query}");
    let list = tenant.run("list-connections", json!({"name": DATABASE})).await;
    assert_eq!(text(&items(&list)[0], "strategy"), "auth0");
    let none = tenant.run("list-connections", json!({"name": "no-such"})).await;
    assert_eq!(none, json!({"items": []}));
}

#[tokio::test]
async fn list_connections_follows_the_cursor() {
    let tenant = OfflineTenant::start().await;
    let first = tenant.run("list-connections", json!({"limit": 1})).await;
    let second = tenant.run("list-connections", json!({"limit": 1, "cursor": first["next"]})).await;
    assert_ne!(items(&first)[0]["id"], items(&second)[0]["id"]);
    assert_eq!(second.get("next"), None);
    let error = tenant.refused("list-connections", json!({"take": 1, "page": 0})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None));
}

#[tokio::test]
async fn get_connection_shows_options_to_those_who_may_read_them() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:connections", "read:connections_options"]);
    let id = tenant.connection_id(DATABASE);
    let connection = tenant.run("get-connection", json!({"connection_id": id})).await;
    assert_eq!(connection["options"]["passwordPolicy"], "good");
    assert_eq!(line(&tenant.only()), format!("GET /api/v2/connections/{id}"));
    tenant.control.set_scopes(&["read:connections"]);
    tenant.control.expire_tokens();
    let connection = tenant.run("get-connection", json!({"connection_id": id})).await;
    assert_eq!(connection.get("options"), None);
}

#[tokio::test]
async fn a_connection_that_does_not_exist_is_missing() {
    let tenant = OfflineTenant::start().await;
    let error = tenant.refused("get-connection", json!({"connection_id": "con_0000000000000000"})).await;
    assert_eq!(
        (&error.code, error.error_code.as_deref()),
        (&ErrorCode::NotFound, Some("inexistent_connection"))
    );
    for bad in ["", "..", "../users", "a\tb"] {
        let error = tenant.refused("get-connection", json!({"connection_id": bad})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{bad:?}: {error}");
    }
    assert_eq!(tenant.seen().len(), 1);
}
