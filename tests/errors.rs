//! Each error of the contract, as an engine meets it, with what the tenant saw of it.

use std::time::Duration;

use auth0_emulator::{Fault, FaultKind, Seed};
use auth0_host::{ApiKeyProvider, CallOptions, Credentials, Error, ErrorCode, Host, Settings};
use auth0_tests::{OfflineTenant, at_its_deadline, encoded, line, newcomer, refused};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const NEW: &str = "new@acme.example";

fn status(status: u16) -> FaultKind {
    FaultKind::Status { status, body: None, retry_after: None, after_processing: false }
}

fn throttle(retry_after: Option<u32>, reset_in: Option<u32>) -> FaultKind {
    FaultKind::TooManyRequests { retry_after, reset_in }
}

#[tokio::test]
async fn a_wrong_secret_is_unauthenticated_and_no_request_is_made() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.emulator.client_id().to_owned();
    let wrong = tenant
        .connect(|settings| settings.credentials(Credentials::client_secret(id, "canary-secret")))
        .await;
    let error = refused(&wrong, "get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Unauthenticated, Some(401)));
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn an_application_without_a_grant_is_told_apart_from_a_wrong_secret() {
    let tenant = OfflineTenant::start().await;
    let client = tenant.control.client(&tenant.application("Acme Portal")).unwrap();
    let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
    let ungranted =
        tenant.connect(|settings| settings.credentials(Credentials::client_secret(id, secret))).await;
    let error = refused(&ungranted, "get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!(error.code, ErrorCode::Unauthenticated, "{error}");
    assert!(error.message.contains("(403)"), "the tenant's own status is told: {error}");
    assert!(error.message.contains("client-grant"), "the tenant says what to do: {error}");
}

#[tokio::test]
async fn an_expired_token_that_cannot_be_renewed_is_unauthenticated() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::ExpiredToken));
    let fixed = tenant.connect(|settings| settings.credentials(Credentials::token("a.b.c"))).await;
    let error = refused(&fixed, "get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Unauthenticated, Some(401)));
    assert_eq!(tenant.seen().len(), 1);
}

#[tokio::test]
async fn a_missing_credential_is_unauthenticated() {
    let tenant = OfflineTenant::start().await;
    let bare = tenant.connect(|settings| settings.credentials(Credentials::none())).await;
    let error = refused(&bare, "get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Unauthenticated, Some(401)));
}

#[tokio::test]
async fn a_lack_of_scopes_names_the_scopes_that_would_do() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:clients"]);
    let id = tenant.user("mira.olsen@acme.example");
    for (action, input, scopes) in [
        ("get-user", json!({"user_id": id}), &["read:users"][..]),
        ("create-user", newcomer(NEW), &["create:users"]),
        ("delete-user", json!({"user_id": id}), &["delete:users"]),
        ("list-roles", json!({}), &["read:roles"]),
        ("delete-user-sessions", json!({"user_id": id}), &["delete:sessions"]),
        ("create-password-change-ticket", json!({"user_id": id}), &["create:user_tickets"]),
    ] {
        let error = tenant.refused(action, input).await;
        assert_eq!(
            (&error.code, error.status),
            (&ErrorCode::InsufficientScope, Some(403)),
            "{action}: {error}"
        );
        assert_eq!(error.error_code.as_deref(), Some("insufficient_scope"));
        for scope in scopes {
            assert!(error.scopes.iter().any(|found| found == scope), "{action}: {:?}", error.scopes);
        }
    }
    assert!(tenant.control.user(&id).is_some());
}

#[tokio::test]
async fn a_plan_that_lacks_the_feature_is_forbidden_without_scopes() {
    let tenant = OfflineTenant::start().await;
    let body = r#"{"statusCode":403,"error":"Forbidden","message":"Please upgrade your subscription","errorCode":"insufficient_entitlement"}"#;
    tenant.control.inject(
        Fault::new(FaultKind::Status {
            status: 403,
            body: Some(body.to_owned()),
            retry_after: None,
            after_processing: false,
        })
        .at("/api/v2/users"),
    );
    let error = tenant.refused("list-user-sessions", json!({"user_id": "auth0|x"})).await;
    assert_eq!((&error.code, error.scopes.len()), (&ErrorCode::Forbidden, 0));
    assert_eq!(error.error_code.as_deref(), Some("insufficient_entitlement"));
}

#[tokio::test]
async fn a_429_is_waited_for_whatever_the_method() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(throttle(Some(1), None)).on("POST", "/api/v2/users").times(1));
    tenant.run("create-user", newcomer(NEW)).await;
    let statuses: Vec<_> = tenant.seen().into_iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(429), Some(201)]);
}

#[tokio::test]
async fn a_429_beyond_the_deadline_is_throttled_with_the_time_to_wait() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(throttle(Some(3600), None)).at("/api/v2/"));
    let error = tenant.refused("get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::RateLimited, Some(429)));
    assert_eq!(error.retry_after_ms, Some(3_600_000));
    assert_eq!(tenant.seen().len(), 1, "waiting for longer than the deadline is the engine's to do");
    tenant.control.clear_faults();
    tenant.control.reset_counters();
    let error = tenant.refused("get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!(error.code, ErrorCode::RateLimited);
    assert_eq!(tenant.seen().len(), 0, "the connection has been told: nobody asks again before that");
    let another = tenant.connect(|settings| settings).await;
    tenant.control.inject(Fault::new(throttle(None, Some(600))).at("/api/v2/"));
    let error = refused(&another, "get-user", json!({"user_id": "auth0|x"})).await;
    let wait = error.retry_after_ms.unwrap();
    assert!((590_000..=600_000).contains(&wait), "x-ratelimit-reset where there is no Retry-After: {wait}");
}

#[tokio::test]
async fn a_tenant_that_stays_throttled_is_asked_three_times() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(throttle(Some(0), None)).at("/api/v2/"));
    let error = tenant.refused("get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!(error.code, ErrorCode::RateLimited);
    assert_eq!(tenant.seen().len(), 3);
    let once = tenant.connect(|settings| settings.max_retries(0)).await;
    tenant.control.reset_counters();
    refused(&once, "get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!(tenant.seen().len(), 1);
}

#[tokio::test]
async fn a_throttled_token_endpoint_is_throttled_and_nothing_was_changed() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(throttle(Some(3600), None)).at("/oauth/token"));
    let error = tenant.refused("create-user", newcomer(NEW)).await;
    assert_eq!((&error.code, error.retry_after_ms), (&ErrorCode::RateLimited, Some(3_600_000)), "{error}");
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn a_5xx_is_repeated_for_reads_and_deletes_and_never_for_post_and_patch() {
    let id = "auth0|x";
    for (action, input, requests) in [
        ("get-user", json!({"user_id": id}), 2),
        ("delete-user", json!({"user_id": id}), 2),
        ("create-user", newcomer(NEW), 1),
        ("block-user", json!({"user_id": id}), 1),
    ] {
        let tenant = OfflineTenant::tuned(Seed::demo(), |settings| settings.max_retries(1)).await;
        tenant.control.inject(Fault::new(status(503)).at("/api/v2/"));
        let error = tenant.refused(action, input).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::Unavailable, Some(503)), "{action}: {error}");
        assert_eq!(tenant.seen().len(), requests, "{action}");
    }
}

#[tokio::test]
async fn a_read_outlives_a_short_outage() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    tenant.control.inject(Fault::new(status(502)).on("GET", "/api/v2/users").times(1));
    let user = tenant.run("get-user", json!({"user_id": id})).await;
    assert_eq!(user["name"], "Mira Olsen");
    assert_eq!(tenant.seen().len(), 2);
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_unknown_and_not_repeated() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::ResetAfterRead).on("POST", "/api/v2/users"));
    let error = tenant.refused("create-user", newcomer(NEW)).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::OutcomeUnknown, None), "{error}");
    assert_eq!(line(&tenant.only()), "POST /api/v2/users");
    assert!(tenant.control.user_by_email(NEW).is_some(), "it had happened, which nobody could know");
}

#[tokio::test]
async fn a_write_behind_a_gateway_that_gave_up_is_unknown() {
    for code in [502, 504] {
        let tenant = OfflineTenant::start().await;
        tenant.control.inject(
            Fault::new(FaultKind::Status {
                status: code,
                body: None,
                retry_after: None,
                after_processing: true,
            })
            .on("POST", "/api/v2/users"),
        );
        let error = tenant.refused("create-user", newcomer(NEW)).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::OutcomeUnknown, Some(code)), "{error}");
        assert_eq!(tenant.seen().len(), 1);
        assert!(tenant.control.user_by_email(NEW).is_some());
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_cut_or_no_json_is_unknown() {
    for kind in [FaultKind::Truncate, FaultKind::Malformed] {
        let tenant = OfflineTenant::start().await;
        tenant.control.inject(Fault::new(kind.clone()).on("POST", "/api/v2/users"));
        let error = tenant.refused("create-user", newcomer(NEW)).await;
        assert_eq!(error.code, ErrorCode::OutcomeUnknown, "{kind:?}: {error}");
        assert_eq!(tenant.seen().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_patch_whose_answer_is_lost_is_unknown() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    tenant.control.inject(Fault::new(FaultKind::ResetAfterReadUnprocessed).on("PATCH", "/api/v2/users"));
    let error = tenant.refused("block-user", json!({"user_id": id})).await;
    assert_eq!(error.code, ErrorCode::OutcomeUnknown, "{error}");
    assert_eq!(tenant.lines(), [format!("PATCH /api/v2/users/{}", encoded(&id))]);
    assert_eq!(tenant.stored(&id).get("blocked"), None, "it had not happened, which nobody could know");
}

#[tokio::test]
async fn a_lost_connection_is_repeated_for_reads_and_deletes() {
    for kind in [FaultKind::ResetBeforeRead, FaultKind::ResetAfterRead, FaultKind::Truncate] {
        let tenant = OfflineTenant::start().await;
        let id = tenant.user("mira.olsen@acme.example");
        tenant.control.inject(Fault::new(kind.clone()).on("GET", "/api/v2/users").times(1));
        tenant.run("get-user", json!({"user_id": id})).await;
        assert_eq!(tenant.seen().len(), 2, "{kind:?}");
    }
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    tenant.control.inject(Fault::new(FaultKind::ResetAfterRead).on("DELETE", "/api/v2/users").times(1));
    tenant.run("delete-user", json!({"user_id": id})).await;
    assert_eq!(tenant.control.user(&id), None);
    assert_eq!(tenant.seen().len(), 2);
}

#[tokio::test]
async fn a_read_that_is_lost_each_time_is_unreachable() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::ResetAfterRead).on("GET", "/api/v2/users"));
    let error = tenant.refused("get-user", json!({"user_id": "auth0|x"})).await;
    assert_eq!(error.code, ErrorCode::Unreachable, "{error}");
    assert_eq!(tenant.seen().len(), 3);
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_unreachable_for_writes_too() {
    let tenant = OfflineTenant::start().await;
    let nowhere = tenant
        .connect(|settings| settings.base_url("http://127.0.0.1:1".parse().unwrap()).max_retries(0))
        .await;
    for (action, input) in [("get-user", json!({"user_id": "auth0|x"})), ("create-user", newcomer(NEW))] {
        let error = refused(&nowhere, action, input).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::Unreachable, None), "{action}: {error}");
    }
    let token = tenant
        .connect(|settings| {
            settings
                .base_url("http://127.0.0.1:1".parse().unwrap())
                .credentials(Credentials::token("a.b.c"))
                .max_retries(0)
        })
        .await;
    let error = refused(&token, "create-user", newcomer(NEW)).await;
    assert_eq!(error.code, ErrorCode::Unreachable, "nothing was sent: {error}");
}

#[tokio::test]
async fn a_tenant_that_does_not_answer_in_time_ends_at_the_deadline() {
    let id = "auth0|507f1f77bcf86cd799439011";
    for (action, input, kind) in [
        ("get-user", json!({"user_id": id}), ErrorCode::Unreachable),
        ("create-user", newcomer(NEW), ErrorCode::OutcomeUnknown),
    ] {
        let (tenant, outcome) = at_its_deadline(|| async {
            let tenant = OfflineTenant::start().await;
            tenant.control.inject(Fault::new(FaultKind::Delay { ms: 60_000 }).at("/api/v2/"));
            let options = CallOptions::new().deadline(Duration::from_secs(5));
            let outcome = tenant.connection.call_with(action, input.clone(), options).await;
            (tenant, outcome)
        })
        .await;
        let Err(Error::Action(error)) = outcome.result else { panic!("{action}: {:?}", outcome.result) };
        assert_eq!(error.code, kind, "{action}: {error}");
        assert_eq!(tenant.seen().len(), 1, "{action}: past its deadline nothing is repeated");
    }
}

#[tokio::test]
async fn a_slow_body_is_read_to_its_end() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    tenant.control.inject(Fault::new(FaultKind::SlowBody { ms_per_chunk: 5 }).at("/api/v2/"));
    assert_eq!(tenant.run("get-user", json!({"user_id": id})).await, tenant.stored(&id));
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_other_for_a_read() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::Malformed).at("/api/v2/"));
    let id = tenant.user("mira.olsen@acme.example");
    let error = tenant.refused("get-user", json!({"user_id": id})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::UnexpectedAnswer, Some(200)), "{error}");
}

#[tokio::test]
async fn an_error_page_of_a_proxy_is_told_by_its_status() {
    let tenant = OfflineTenant::start().await;
    for (code, kind) in [
        (400, ErrorCode::Rejected),
        (404, ErrorCode::NotFound),
        (409, ErrorCode::Conflict),
        (413, ErrorCode::InvalidInput),
        (414, ErrorCode::InvalidInput),
        (418, ErrorCode::Rejected),
        (302, ErrorCode::UnexpectedAnswer),
        (500, ErrorCode::OutcomeUnknown),
        (503, ErrorCode::Unavailable),
    ] {
        tenant.control.clear_faults();
        let body = Some("<html>nope</html>".to_owned());
        tenant.control.inject(
            Fault::new(FaultKind::Status { status: code, body, retry_after: None, after_processing: false })
                .on("POST", "/api/v2/users"),
        );
        let error = tenant.refused("create-user", newcomer(NEW)).await;
        assert_eq!((&error.code, error.status), (&kind, Some(code)), "{error}");
    }
}

/// Answers everything with a redirect to another host.
async fn redirector(to: String) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 8192];
                let _ = stream.read(&mut buffer).await;
                let answer = format!(
                    "HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let tenant = OfflineTenant::start().await;
    let elsewhere = redirector(format!("{}/api/v2/users", tenant.emulator.base_url())).await;
    let through = tenant
        .connect(|settings| {
            settings
                .base_url(format!("http://{elsewhere}").parse().unwrap())
                .credentials(Credentials::token("a.b.c"))
        })
        .await;
    let error = refused(&through, "list-users", json!({})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::UnexpectedAnswer, Some(307)), "{error}");
    assert_eq!(tenant.lines(), [""; 0], "the token did not go where a redirect pointed");
}

/// The built component, except that it takes another host for Resend's: what a component does that was tampered with.
fn tampered() -> Host {
    let (from, to) = (b"https://api.resend.com", b"https://api.resent.com");
    let mut bytes = auth0_embedded_component::COMPONENT.to_vec();
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .expect("Resend's address is in the component");
    bytes[at..at + to.len()].copy_from_slice(to);
    Host::with_trusted_component(bytes).build().expect("it is a component still")
}

#[tokio::test]
async fn a_destination_that_policy_does_not_allow_is_denied_and_nothing_leaves() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_email_provider(json!({
        "name": "resend", "enabled": true, "default_from_address": "people@acme.example", "credentials": {"api_key": "k"},
    }));
    // No stand-in for mail: the component chooses the address, and the host whether it may go there.
    let settings = Settings::new(tenant.emulator.domain().parse().unwrap())
        .base_url(tenant.emulator.base_url().parse().unwrap())
        .credentials(Credentials::client_secret(tenant.emulator.client_id(), tenant.emulator.client_secret()))
        .email_api_key(ApiKeyProvider::Resend, "canary-key");
    let connection = tampered().tenant(settings).await.unwrap();
    let input = json!({"to": "a@acme.example", "subject": "s", "body": "b"});
    let outcome = connection.call("send-email", input).await;
    let error = outcome.result.unwrap_err();
    let Error::Action(error) = error else { panic!("not the action's error: {error:?}") };
    assert_eq!((&error.code, error.status), (&ErrorCode::PolicyDenied, None), "{error}");
    let record = outcome.requests.last().unwrap();
    assert!(record.authority.starts_with("api.resent.com") && record.status.is_none(), "{record:?}");
    assert!(record.error.as_ref().unwrap().contains("denied"), "{record:?}");
    assert_eq!(connection.stats().requests, 1, "only the read of the provider left the host");
    assert!(!format!("{:?} {error:?}", outcome.requests).contains("canary"));
}
