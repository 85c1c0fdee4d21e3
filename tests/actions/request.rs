//! Custom requests: everything within the tenant's Management API, nothing outside of it.

use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, encoded, line, text};
use serde_json::json;

#[tokio::test]
async fn each_method_reaches_the_tenant_with_headers_and_body() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.role("Sales");
    let role = format!("/api/v2/roles/{id}");
    for (method, path, body) in [
        ("GET", "/api/v2/organizations", None),
        ("POST", "/api/v2/roles", Some(json!({"name": "Auditor"}))),
        ("PATCH", role.as_str(), Some(json!({"description": "Sells"}))),
        ("DELETE", role.as_str(), None),
    ] {
        let mut input = json!({"method": method, "path": path, "headers": {"X-Correlation-ID": "job-7"}});
        if let Some(body) = &body {
            input["body"] = body.clone();
        }
        let answer = tenant.run("custom-request", input).await;
        assert_eq!(answer["status"], 200, "{method}: {answer}");
        assert!(text(&answer["headers"], "content-type").starts_with("application/json"));
        let request = tenant.seen().pop().unwrap();
        assert_eq!(line(&request), format!("{method} {path}"));
        assert_eq!(request.header("x-correlation-id"), Some("job-7"));
        assert_eq!(request.body, body);
        assert!(request.authorized);
    }
    let names: Vec<_> = tenant.control.roles().iter().map(|role| text(role, "name").to_owned()).collect();
    assert!(names.contains(&"Auditor".to_owned()) && !names.contains(&"Sales".to_owned()));
}

#[tokio::test]
async fn put_reaches_the_tenant_too() {
    let tenant = OfflineTenant::start().await;
    let body = json!({"display_name": "x"});
    let error = tenant
        .refused("custom-request", json!({"method": "PUT", "path": "/api/v2/no-such-thing", "body": body}))
        .await;
    assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)));
    let request = tenant.only();
    assert_eq!((line(&request), request.body), ("PUT /api/v2/no-such-thing".to_owned(), Some(body)));
}

#[tokio::test]
async fn query_parameters_are_encoded_and_repeated_where_a_list_is_given() {
    let tenant = OfflineTenant::start().await;
    let query = json!({"q x": "a&b=c#d/ü+%41", "n": [1, true], "nothing": null});
    tenant.refused("custom-request", json!({"method": "GET", "path": "/api/v2/users", "query": query})).await;
    let query = tenant.only().query.unwrap().replace('+', "%20");
    assert_eq!(query, "q%20x=a%26b%3Dc%23d%2F%C3%BC%2B%2541&n=1&n=true");
}

#[tokio::test]
async fn an_answer_without_a_body_has_null_for_it() {
    let tenant = OfflineTenant::start().await;
    let path = format!("/api/v2/users/{}", encoded(&tenant.user("rita.gomez@acme.example")));
    let answer = tenant.run("custom-request", json!({"method": "delete", "path": path})).await;
    assert_eq!((&answer["status"], &answer["body"]), (&json!(204), &json!(null)));
}

#[tokio::test]
async fn a_query_given_as_pairs_keeps_its_order() {
    let tenant = OfflineTenant::start().await;
    tenant
        .run(
            "custom-request",
            json!({"method": "GET", "path": "/api/v2/connections", "query": [["strategy", "samlp"], ["name", "ü"], ["strategy", "auth0"]]}),
        )
        .await;
    assert_eq!(tenant.only().query.unwrap(), "strategy=samlp&name=%C3%BC&strategy=auth0");
}

#[tokio::test]
async fn an_encoded_id_arrives_as_it_was_given() {
    let tenant = OfflineTenant::start().await;
    let path = format!("/api/v2/users/{}/roles", encoded(&tenant.user("mira.olsen@acme.example")));
    let answer = tenant.run("custom-request", json!({"method": "GET", "path": path})).await;
    assert_eq!(answer["body"].as_array().unwrap().len(), 2);
    assert_eq!(line(&tenant.only()), format!("GET {path}"));
}

#[tokio::test]
async fn no_path_leaves_the_management_api() {
    let tenant = OfflineTenant::start().await;
    for path in [
        "",
        "/",
        "api/v2/users",
        "/api/v2",
        "/api/v1/users",
        "/API/V2/users",
        "/oauth/token",
        "/userinfo",
        "//evil.example/api/v2/users",
        "///api/v2/users",
        "https://evil.example/api/v2/users",
        "http:evil.example/api/v2/users",
        "/\\evil.example/api/v2/users",
        "\\\\evil.example\\api\\v2",
        "/api/v2\\..\\..\\oauth\\token",
        "/api/v2/../../oauth/token",
        "/api/v2/..;/..;/oauth/token",
        "/api/v2/%2e%2e/%2E%2e/oauth/token",
        "/api/v2/.%2e/oauth/token",
        "/api/v2/%252e%252e/oauth/token",
        "/api/v2/%25252e%25252e/oauth/token",
        "/api/v2/users/..%2f..%2f..%2foauth%2ftoken",
        "/api/v2/users/..%5c..%5coauth",
        "/api/v2/./users",
        "/api/v2//users",
        "/api/v2/users/",
        "/api/v2/users?q=x",
        "/api/v2/users#x",
        "/api/v2/users%00",
        "/api/v2/users\r\nx: y",
        "/api/v2/users%0d%0ax:%20y",
        "/api/v2/users/%zz",
        "@evil.example/api/v2/users",
        "/api/v2@evil.example/users",
    ] {
        let error = tenant.refused("custom-request", json!({"method": "GET", "path": path})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{path:?}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
    // Unusual letters of an id are encoded, and the tenant's to judge.
    for (path, line) in [
        ("/api/v2/users/a b", "GET /api/v2/users/a%20b"),
        ("/api/v2/users/\u{202e}", "GET /api/v2/users/%E2%80%AE"),
    ] {
        tenant.control.reset_counters();
        let error = tenant.refused("custom-request", json!({"method": "GET", "path": path})).await;
        assert_eq!((error.status, tenant.lines()), (Some(400), vec![line.to_owned()]), "{path:?}: {error}");
    }
}

#[tokio::test]
async fn one_of_the_five_methods_in_small_letters_leaves_in_capitals() {
    let tenant = OfflineTenant::start().await;
    tenant.run("custom-request", json!({"method": "get", "path": "/api/v2/roles"})).await;
    assert_eq!(tenant.lines(), ["GET /api/v2/roles"]);
}

#[tokio::test]
async fn headers_of_the_connection_and_its_credential_are_refused() {
    let tenant = OfflineTenant::start().await;
    for name in [
        "Authorization",
        "authorization",
        "HOST",
        "Cookie",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Proxy-Authorization",
        "Upgrade",
        "TE",
        "Expect",
        "Accept-Encoding",
        "x y",
        "x:y",
        "",
        "x\r\nauthorization",
    ] {
        let input = json!({"method": "GET", "path": "/api/v2/roles", "headers": {name: "x"}});
        let error = tenant.refused("custom-request", input).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{name:?}: {error}");
    }
    for value in ["a\r\nauthorization: Bearer x", "a\nb", "a\u{0}b"] {
        let input = json!({"method": "GET", "path": "/api/v2/roles", "headers": {"x-a": value}});
        let error = tenant.refused("custom-request", input).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{value:?}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn what_has_no_meaning_is_refused_before_any_request() {
    let tenant = OfflineTenant::start().await;
    let path = "/api/v2/roles";
    for input in [
        json!({"method": "GET", "path": path, "body": {"a": 1}}),
        json!({"method": "TRACE", "path": path}),
        json!({"method": "CONNECT", "path": path}),
        json!({"method": "OPTIONS", "path": path}),
        json!({"method": "HEAD", "path": path}),
        json!({"method": "PROPFIND", "path": path}),
        json!({"method": "M-SEARCH", "path": path}),
        json!({"method": "Get", "path": path}),
        json!({"method": "Post", "path": path}),
        json!({"method": "head", "path": path}),
        json!({"method": "G ET", "path": path}),
        json!({"method": "", "path": path}),
        json!({"path": path}),
        json!({"method": "GET"}),
        json!({"method": "GET", "path": path, "query": {"a": {"b": 1}}}),
        json!({"method": "GET", "path": path, "query": "a=b"}),
        json!({"method": "GET", "path": path, "host": "evil.example"}),
    ] {
        let error = tenant.refused("custom-request", input.clone()).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{input}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn an_answer_other_than_2xx_is_an_error_as_everywhere() {
    let tenant = OfflineTenant::start().await;
    let get = |path: &str| json!({"method": "GET", "path": path});
    let error = tenant.refused("custom-request", get("/api/v2/roles/rol_0000000000000000")).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)));
    let error = tenant.refused("custom-request", get("/api/v2/no-such-thing")).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)));
    tenant.control.set_scopes(&["read:users"]);
    tenant.control.expire_tokens();
    let error = tenant.refused("custom-request", get("/api/v2/roles")).await;
    assert_eq!((&error.code, error.scopes), (&ErrorCode::InsufficientScope, vec!["read:roles".to_owned()]));
}

#[tokio::test]
async fn a_body_larger_than_auth0_takes_is_refused_before_it_is_sent() {
    let tenant = OfflineTenant::start().await;
    let body = json!({"name": "x".repeat(1_100_000)});
    let error = tenant
        .refused("custom-request", json!({"method": "POST", "path": "/api/v2/roles", "body": body}))
        .await;
    assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None));
    assert_eq!(tenant.lines(), [""; 0]);
}
