//! The tenant's log, by search and by id. Following the checkpoint is in `paging.rs`.

use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, items, line, text};
use serde_json::json;

#[tokio::test]
async fn list_logs_searches_newest_first() {
    let tenant = OfflineTenant::start().await;
    let list = tenant
        .run(
            "list-logs",
            json!({"q": "type:s", "sort": "date:-1", "fields": ["type", "date"], "per_page": 2, "page": 0}),
        )
        .await;
    assert_eq!(items(&list).len(), 2);
    assert!(items(&list).iter().all(|row| row["type"] == "s"));
    assert!(list["next"].is_string(), "{list}");
    assert_eq!(list.get("total"), None, "Auth0's total of a log page is the page's length and says nothing");
    let request = tenant.only();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/api/v2/logs"));
    let query = request.query.unwrap();
    for part in ["q=type%3As", "sort=date%3A-1", "per_page=2", "page=0", "fields=type%2Cdate"] {
        assert!(query.split('&').any(|found| found == part), "{part} in {query}");
    }
}

#[tokio::test]
async fn list_logs_shows_what_was_just_done() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("rita.gomez@acme.example");
    tenant.run("delete-user", json!({"user_id": id})).await;
    let list = tenant.run("list-logs", json!({"q": format!("type:sdu AND user_id:\"{id}\"")})).await;
    assert_eq!(items(&list).len(), 1, "{list}");
}

#[tokio::test]
async fn get_log_answers_one_row() {
    let tenant = OfflineTenant::start().await;
    let row = tenant.control.logs().remove(0);
    let id = text(&row, "log_id");
    assert_eq!(tenant.run("get-log", json!({"log_id": id})).await, row);
    assert_eq!(line(&tenant.only()), format!("GET /api/v2/logs/{id}"));
    let error = tenant.refused("get-log", json!({"log_id": "90020200101000000000"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)));
}

#[tokio::test]
async fn a_search_beside_a_checkpoint_is_refused_since_auth0_would_ignore_it() {
    let tenant = OfflineTenant::start().await;
    for input in [
        json!({"from": "900", "q": "type:s"}),
        json!({"take": 5, "sort": "date:1"}),
        json!({"take": 5, "page": 1}),
        json!({"from": "900", "per_page": 5}),
        json!({"from": "900", "fields": "type"}),
        json!({"from": ""}),
        json!({"take": 0}),
        json!({"take": 101}),
        json!({"per_page": 101}),
    ] {
        let error = tenant.refused("list-logs", input.clone()).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{input}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn a_query_that_the_tenant_does_not_understand_is_an_input_error() {
    let tenant = OfflineTenant::start().await;
    let error = tenant.refused("list-logs", json!({"q": "type:("})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, Some(400)));
}
