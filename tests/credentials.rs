//! Who holds the credentials: the host. The guest has none, and nobody else gets to see one.

use auth0_emulator::{Fault, FaultKind, Seed};
use auth0_host::{ApiKeyProvider, Credentials, Tenant};
use auth0_tests::{OfflineTenant, host, newcomer, settings, told};
use serde_json::json;
use tokio::task::JoinSet;

async fn many(connection: &Tenant, calls: usize) {
    let mut set = JoinSet::new();
    for number in 0..calls {
        let connection = connection.clone();
        set.spawn(async move {
            connection.run("list-users", json!({"per_page": 1, "page": number % 3})).await.unwrap();
        });
    }
    while let Some(result) = set.join_next().await {
        result.unwrap();
    }
}

#[tokio::test]
async fn the_guest_sends_no_credential_and_the_host_adds_one() {
    let tenant = OfflineTenant::start().await;
    // Without credentials the host adds none: what arrives is what the guest sent.
    let bare = tenant.connect(|settings| settings.credentials(Credentials::none())).await;
    bare.run("list-roles", json!({})).await.unwrap_err();
    let request = tenant.only();
    assert_eq!(request.header("authorization"), None);
    tenant.control.reset_counters();
    tenant.run("list-roles", json!({})).await;
    let request = tenant.only();
    assert_eq!(request.header("authorization"), Some("[masked]"));
    assert!(request.authorized);
}

#[tokio::test]
async fn many_calls_at_once_share_one_token_and_few_connections() {
    let tenant = OfflineTenant::start().await;
    many(&tenant.connection, 64).await;
    let counters = tenant.control.counters();
    assert_eq!((tenant.token_requests(), counters.tokens_issued), (1, 1));
    assert_eq!(tenant.seen().len(), 64);
    let stats = tenant.connection.stats();
    assert_eq!((stats.calls, stats.requests, stats.tokens_fetched), (64, 64, 1));
    assert!(counters.connections <= 64, "{counters:?}");
}

#[tokio::test]
async fn calls_one_after_the_other_use_one_connection() {
    let tenant = OfflineTenant::start().await;
    for _ in 0..20 {
        tenant.run("list-roles", json!({})).await;
    }
    assert!(tenant.control.counters().connections <= 2, "{:?}", tenant.control.counters());
    assert!(tenant.connection.stats().connections_opened <= 2, "{:?}", tenant.connection.stats());
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_and_the_request_repeated_whatever_its_method() {
    let tenant = OfflineTenant::start().await;
    tenant.run("list-roles", json!({})).await;
    tenant.control.expire_tokens();
    tenant.run("create-user", newcomer("new@acme.example")).await;
    assert_eq!(tenant.token_requests(), 2);
    let statuses: Vec<_> = tenant.seen().into_iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200), Some(401), Some(201)]);
}

#[tokio::test]
async fn many_calls_that_meet_an_expired_token_fetch_one_new_one() {
    let tenant = OfflineTenant::start().await;
    tenant.run("list-roles", json!({})).await;
    tenant.control.expire_tokens();
    many(&tenant.connection, 32).await;
    assert_eq!(tenant.token_requests(), 2);
}

#[tokio::test]
async fn a_tenant_that_refuses_every_token_is_not_asked_for_ever() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::RevokedToken).at("/api/v2/"));
    let error = tenant.refused("list-roles", json!({})).await;
    assert_eq!(error.status, Some(401));
    assert_eq!((tenant.seen().len(), tenant.token_requests()), (2, 2));
}

#[tokio::test]
async fn a_token_request_that_is_lost_leaves_a_write_unsent_and_says_so() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::ResetAfterRead).at("/oauth/token"));
    let error = tenant.refused("create-user", newcomer("new@acme.example")).await;
    assert_eq!(error.code, auth0_host::ErrorCode::Unreachable, "{error}");
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn two_connections_share_neither_token_nor_socket() {
    let tenant = OfflineTenant::start().await;
    let other = tenant.connect(|settings| settings).await;
    tenant.run("list-roles", json!({})).await;
    other.run("list-roles", json!({})).await.unwrap();
    assert_eq!(tenant.token_requests(), 2);
    let sockets: Vec<u64> = tenant.seen().iter().map(|request| request.connection).collect();
    assert_ne!(sockets[0], sockets[1]);
}

#[tokio::test]
async fn no_secret_is_in_an_outcome_an_error_or_a_debug_text() {
    let tenant = OfflineTenant::start().await;
    let secrets = [tenant.emulator.client_secret().to_owned(), tenant.emulator.mail_api_key().to_owned()];
    let mail = json!({"to": "a@acme.example", "subject": "s", "body": "b"});
    let mut said = format!("{:?} {:?} {:?}", tenant.connection, host(), settings(&tenant.emulator));
    tenant.control.inject(Fault::new(FaultKind::Malformed).on("GET", "/api/v2/roles"));
    tenant.control.inject(
        Fault::new(FaultKind::Status { status: 500, body: None, retry_after: None, after_processing: false })
            .on("POST", "/api/v2/users"),
    );
    for (action, input) in [
        ("test-connection", json!({})),
        ("list-users", json!({})),
        ("list-roles", json!({})),
        ("send-email", mail),
        ("create-user", newcomer("new@acme.example")),
    ] {
        let outcome = tenant.connection.call(action, input).await;
        said += &told(&outcome);
        said += &serde_json::to_string(&outcome.requests).unwrap();
        if let Err(error) = &outcome.result {
            said += &format!("{error} {error:?}");
        }
    }
    for secret in secrets {
        assert!(!said.contains(&secret));
    }
    assert!(!said.contains("eyJ"), "nor a token");
    assert!(!said.contains(auth0_tests::PASSWORD), "nor a password");
}

#[tokio::test]
async fn a_token_is_never_sent_to_the_mail_provider() {
    let tenant = OfflineTenant::start().await;
    let bare_mail =
        tenant.connect(|settings| settings.email_api_key(ApiKeyProvider::SendGrid, "another-key")).await;
    let input = json!({"to": "a@acme.example", "subject": "s", "body": "b"});
    bare_mail.run("send-email", input).await.unwrap_err();
    let requests = tenant.mail_requests();
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].authorized, "the stand-in takes the mail key only, and got another one");
}

#[tokio::test]
async fn over_tls_the_certificate_is_checked_and_the_given_authority_trusted() {
    let emulator = auth0_emulator::Emulator::builder().tls(true).seed(Seed::demo()).start().await.unwrap();
    let trusting = settings(&emulator).ca_pem(emulator.ca_pem().unwrap());
    let connection = host().tenant(trusting).await.unwrap();
    connection.run("list-roles", json!({})).await.unwrap();
    let versions: Vec<_> = emulator.control().requests().into_iter().map(|request| request.version).collect();
    assert!(versions.iter().all(|version| version == "HTTP/2.0"), "{versions:?}");
    let doubting = host().tenant(settings(&emulator).max_retries(0)).await.unwrap();
    let error = auth0_tests::refused(&doubting, "create-user", newcomer("new@acme.example")).await;
    assert_eq!(error.code, auth0_host::ErrorCode::Unreachable, "{error}");
    assert_eq!(emulator.control().user_by_email("new@acme.example"), None);
}
