//! Whether domain and credentials are right.

use auth0_host::{Credentials, ErrorCode};
use auth0_tests::{OfflineTenant, line, refused, text};
use serde_json::json;

#[tokio::test]
async fn test_connection_answers_scopes_and_expiry_by_one_read() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:users", "read:roles"]);
    let answer = tenant.run("test-connection", json!({})).await;
    assert_eq!(answer["domain"], "acme.eu.auth0.localhost");
    assert_eq!(answer["scopes"], json!(["read:users", "read:roles"]));
    assert!(text(&answer, "expires_at").ends_with('Z'), "{answer}");
    let request = tenant.only();
    assert_eq!(line(&request), "GET /api/v2/users?per_page=1&fields=user_id&include_fields=true");
    assert_eq!(tenant.token_requests(), 1, "the scopes come with the token that the read uses");
}

#[tokio::test]
async fn test_connection_reads_what_the_scopes_allow_and_never_writes() {
    for (scope, path) in [
        ("read:clients", "/api/v2/clients"),
        ("read:roles", "/api/v2/roles"),
        ("read:connections", "/api/v2/connections"),
        ("read:logs", "/api/v2/logs"),
        ("create:users", "/api/v2/users"),
    ] {
        let tenant = OfflineTenant::start().await;
        tenant.control.set_scopes(&[scope]);
        let answer = tenant.run("test-connection", json!({})).await;
        assert_eq!(answer["scopes"], json!([scope]));
        let request = tenant.only();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", path), "{scope}");
    }
}

#[tokio::test]
async fn test_connection_tells_wrong_credentials_from_a_wrong_address() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.emulator.client_id().to_owned();
    let wrong =
        tenant.connect(|settings| settings.credentials(Credentials::client_secret(id, "canary"))).await;
    let error = refused(&wrong, "test-connection", json!({})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Unauthenticated, Some(401)));
    assert!(!format!("{error:?}").contains("canary"));
    let nowhere = tenant
        .connect(|settings| settings.base_url("http://127.0.0.1:1".parse().unwrap()).max_retries(0))
        .await;
    let error = refused(&nowhere, "test-connection", json!({})).await;
    assert_eq!(error.code, ErrorCode::Unreachable, "{error}");
}

#[tokio::test]
async fn test_connection_with_a_token_of_its_own_reads_what_is_in_it() {
    let tenant = OfflineTenant::start().await;
    let error = refused(
        &tenant.connect(|settings| settings.credentials(Credentials::token("no.real.token"))).await,
        "test-connection",
        json!({}),
    )
    .await;
    assert_eq!(error.code, ErrorCode::Unauthenticated);
    assert!(!error.to_string().contains("no.real.token"));
}
