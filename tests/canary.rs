//! The host's credentials are in nothing that leaves it: results, errors, records, logs, audit. What the guest has in its
//! memory is looked through by a unit test of the host.

use std::error::Error as _;
use std::fs;
use std::sync::{Arc, Mutex};

use auth0_egress::needles::Needles;
use auth0_emulator::{Emulator, Fault, FaultKind, Seed};
use auth0_host::{AuditRecord, AuditSink, CallOptions, Credentials, PrivateKey, RatePlan, Tenant};
use auth0_tests::keys::Pair;
use auth0_tests::program::{auth0_host, run};
use auth0_tests::{OfflineTenant, host, newcomer, settings, told};
use serde_json::{Value, json};

/// What every token of the offline tenant, and every assertion of the host, begins with.
const JWTS: [&[u8]; 2] = [b"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIs", b"eyJ0eXAiOiJKV1QiLCJhbGciOiJS"];

fn needles(emulator: &Emulator) -> Needles {
    let mut needles = Needles::default();
    needles.add("the mail key", emulator.mail_api_key().as_bytes());
    for jwt in JWTS {
        needles.add("a token", jwt);
    }
    learn(&mut needles, emulator);
    needles
}

/// Adds the secrets that the tenant has by now.
fn learn(needles: &mut Needles, emulator: &Emulator) {
    for client in emulator.control().clients() {
        if let Some(secret) = client["client_secret"].as_str() {
            needles.add("a client secret", secret.as_bytes());
        }
    }
}

/// Actions that use, ask for, show and make secrets, and that fail.
fn actions(tenant: &OfflineTenant) -> Vec<(&'static str, Value)> {
    let own = tenant.emulator.client_id();
    vec![
        ("test-connection", json!({})),
        ("list-users", json!({"limit": 2})),
        ("list-applications", json!({})),
        ("get-application", json!({"client_id": own})),
        ("rotate-client-secret", json!({"client_id": tenant.application("Acme Billing")})),
        ("rotate-client-secret", json!({"client_id": "none"})),
        ("custom-request", json!({"method": "POST", "path": "/api/v2/clients", "body": {"name": "New"}})),
        ("custom-request", json!({"method": "GET", "path": "//evil.example/api/v2/users"})),
        ("send-email", json!({"to": "ana@acme.example", "subject": "s", "body": "b"})),
        ("create-user", newcomer("new@acme.example")),
        ("get-user", json!({"user_id": "auth0|000000000000000000000000"})),
        ("get-user", json!({})),
        ("no-such-action", json!({})),
    ]
}

/// Everything that one call tells.
async fn told_by(connection: &Tenant, action: &str, input: &Value) -> String {
    let options = CallOptions::new().caller("a workflow");
    let outcome = connection.call_with(action, input.clone(), options).await;
    let mut said = format!("{} {connection:?} {:?}", told(&outcome), connection.pending_secrets());
    said += &serde_json::to_string(&outcome.requests).unwrap();
    if let Err(error) = &outcome.result {
        said += &error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            said += &format!("{error} {error:?}");
            cause = error.source();
        }
    }
    said
}

/// Keeps the audit records as text.
#[derive(Debug, Default)]
struct Trail(Mutex<String>);

impl AuditSink for Trail {
    fn record(&self, record: &AuditRecord) {
        *self.0.lock().unwrap() += &format!("{} {record:?}", record.to_json());
    }
}

#[tokio::test]
async fn no_credential_is_in_what_a_call_tells_whatever_the_source_and_the_fault() {
    let pair = Pair::generate();
    let token = "canary-of-a-token.that-someone.else-fetched";
    for fault in [
        None,
        Some(Fault::new(FaultKind::RevokedToken).at("/api/v2/")),
        Some(Fault::new(FaultKind::ResetAfterRead).at("/oauth/token")),
        Some(Fault::new(FaultKind::ResetAfterRead).at("/api/v2/")),
        Some(Fault::new(FaultKind::Malformed).at("/api/v2/clients")),
    ] {
        let tenant = OfflineTenant::start().await;
        let trail = Arc::new(Trail::default());
        let id = tenant.emulator.client_id();
        let wrong = "canary-of-a-secret/that+is wrong";
        let mut told_by_all = String::new();
        if let Some(fault) = &fault {
            tenant.control.inject(fault.clone());
        }
        for credentials in [
            Credentials::client_secret(id, tenant.emulator.client_secret()),
            Credentials::client_secret(id, wrong),
            Credentials::private_key(id, PrivateKey::from_pem(&pair.private_pem().into()).unwrap()),
            Credentials::token(token),
        ] {
            let tune = |settings: auth0_host::Settings| {
                settings
                    .credentials(credentials)
                    .audit(Arc::clone(&trail) as Arc<dyn AuditSink>)
                    // Where every request fails, no answer tells the governor that it may go faster than 2 per second.
                    .rate_plan(RatePlan::Unlimited)
                    .max_retries(0)
            };
            let connection = tenant.connect(tune).await;
            for (action, input) in actions(&tenant) {
                told_by_all += &told_by(&connection, action, &input).await;
            }
            tenant.secret_sink.set_broken(true);
            let input = json!({"client_id": tenant.application("Acme Portal")});
            told_by_all += &told_by(&connection, "rotate-client-secret", &input).await;
            told_by_all += &format!("{:?}", connection.retry_secrets().await);
            tenant.secret_sink.set_broken(false);
            connection.close().await;
        }
        told_by_all += &trail.0.lock().unwrap();
        told_by_all += &format!("{:?} {:?}", host(), settings(&tenant.emulator));
        let mut needles = needles(&tenant.emulator);
        needles.add("the static token", token.as_bytes());
        needles.add("the wrong secret", wrong.as_bytes());
        for line in pair.private_pem().lines().filter(|line| line.len() == 64) {
            needles.add("the private key", line.as_bytes());
        }
        for secret in tenant.secret_sink.all() {
            needles.add("a rotated secret", secret.as_bytes());
        }
        assert!(told_by_all.len() > 10_000, "there was something to look through");
        assert_eq!(needles.found_in(told_by_all.as_bytes()), [""; 0], "{fault:?}");
    }
}

#[tokio::test]
async fn no_credential_is_in_what_the_program_prints_at_its_loudest_nor_in_its_audit_file() {
    let emulator = Emulator::builder().tls(true).seed(Seed::demo()).start().await.unwrap();
    let mut needles = needles(&emulator);
    let folder = std::env::temp_dir().join(format!("auth0-tests-{}-canary", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    fs::write(path("ca.pem"), emulator.ca_pem().unwrap()).unwrap();
    let billing =
        emulator.control().clients().into_iter().find(|client| client["name"] == "Acme Billing").unwrap();
    let rotation = format!("client_id={}", billing["client_id"].as_str().unwrap());
    let mail = r#"{"to": "ana@acme.example", "subject": "s", "body": "b"}"#;
    let mut said = String::new();
    for (arguments, secret) in [
        (&["run", "test-connection"][..], emulator.client_secret()),
        (&["run", "list-applications"], emulator.client_secret()),
        (&["run", "rotate-client-secret", &rotation], emulator.client_secret()),
        (&["run", "send-email", "--input", mail], emulator.client_secret()),
        (&["run", "get-user", "user_id=auth0|none"], emulator.client_secret()),
        (&["run", "list-users"], "canary-of-a-wrong-secret"),
    ] {
        let mut command = auth0_host();
        command.args([
            "-v",
            "--ca-cert",
            &path("ca.pem"),
            "--secret-dir",
            &path("sink"),
            "--audit",
            &path("audit"),
        ]);
        command.args(arguments);
        command.env("AUTH0_POLICY", "unrestricted");
        command.env("RUST_LOG", "trace").env("AUTH0_DOMAIN", emulator.domain());
        command.env("AUTH0_BASE_URL", emulator.base_url()).env("AUTH0_AUDIENCE", emulator.audience());
        command.env("AUTH0_CLIENT_ID", emulator.client_id()).env("AUTH0_CLIENT_SECRET", secret);
        command.env("AUTH0_EMAIL_API_KEY", emulator.mail_api_key()).env("AUTH0_EMAIL_PROVIDER", "sendgrid");
        command.env("AUTH0_EMAIL_BASE_URL", emulator.mail_base_url());
        said += &tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap().all();
    }
    said += &fs::read_to_string(path("audit")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    learn(&mut needles, &emulator);
    needles.add("the wrong secret", b"canary-of-a-wrong-secret");
    assert!(said.contains("DEBUG auth0_host") && said.contains("auth0-secret://"), "it was loud: {said}");
    assert_eq!(needles.found_in(said.as_bytes()), [""; 0]);
}

#[tokio::test]
async fn the_search_finds_what_is_there() {
    let tenant = OfflineTenant::start().await;
    let own = json!({"client_id": tenant.emulator.client_id()});
    let options = CallOptions::new().reveal_secrets();
    let outcome = tenant.connection.call_with("get-application", own, options).await;
    let found = needles(&tenant.emulator);
    assert!(!found.found_in(told(&outcome).as_bytes()).is_empty());
}
