//! Looks for the host's credentials in all that a guest ever had in its memory.
//!
//! The engine of this test hands out memories of its own and keeps them, so what an action has freed or overwritten with
//! less is found too.

mod memory;

use std::sync::Arc;

use auth0_egress::needles::Needles;
use auth0_embedded_component::COMPONENT;
use auth0_emulator::{Emulator, Fault, FaultKind, Seed};
use rustls::RootCertStore;
use serde_json::{Value, json};
use wasmtime::{Config, Engine, InstanceAllocationStrategy};

use self::memory::Keeper;
use crate::{
    code_cache::{CodeCache, Compile},
    credentials::{Credential, CredentialFuture, CredentialSource, Credentials},
    json::Json,
    mail_credentials::ApiKeyProvider,
    policy::{PermittedActions, Policy},
    private_key::PrivateKey,
    runtime::{Runtime, SharedRuntime},
    secret::Secret,
    secrets::FileSink,
    settings::Settings,
    tenant::Tenant,
};

/// A name of the application that the guest does get: what the control run looks for.
const HARMLESS: &str = "harmless-canary-in-the-environment";

/// A fresh key as PEM, so that none lies in the repository.
fn fresh_pem() -> Secret {
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    Secret::new(pair.unwrap().serialize_pem())
}

struct Laboratory {
    runtime: SharedRuntime,
    component: crate::component::ComponentInfo,
    memories: Keeper,
    emulator: Emulator,
    needles: Needles,
}

impl Laboratory {
    async fn new() -> Self {
        let memories = Keeper::default();
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        // Every access is checked, since these memories have no guard pages.
        config.memory_reservation(0).memory_guard_size(0).memory_may_move(true);
        // Memories that the host hands out are written to, not mapped.
        config.memory_init_cow(false);
        config.with_host_memory(Arc::new(memories.clone()));
        let engine = Engine::new(&config).unwrap();
        let (runtime, component, _) =
            Runtime::with_engine(engine, COMPONENT, 8, &CodeCache::Off, Compile::Here).unwrap();
        let emulator = Emulator::builder().seed(Seed::demo()).start().await.unwrap();
        let mut needles = Needles::default();
        needles.add("the client secret", emulator.client_secret().as_bytes());
        needles.add("the mail key", emulator.mail_api_key().as_bytes());
        // What the tenant's tokens and our assertions begin with.
        needles.add("a token of the tenant", br#"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIs"#);
        needles.add("an assertion", b"eyJ0eXAiOiJKV1QiLCJhbGciOiJS");
        Self { runtime: Arc::new(runtime), component, memories, emulator, needles }
    }

    fn tenant(&self, tune: impl FnOnce(Settings) -> Settings) -> Tenant {
        let settings = Settings::new(self.emulator.domain().parse().unwrap())
            .base_url(self.emulator.base_url().parse().unwrap())
            .audience(self.emulator.audience())
            .credentials(Credentials::client_secret(self.emulator.client_id(), self.emulator.client_secret()))
            // What makes secrets is looked at too.
            .policy(Policy::unrestricted())
            .email_base_url(self.emulator.mail_base_url().parse().unwrap())
            .email_api_key(ApiKeyProvider::SendGrid, self.emulator.mail_api_key());
        let roots = RootCertStore::empty();
        Tenant::open(Arc::clone(&self.runtime), roots, &self.component, PermittedActions::All, tune(settings))
            .unwrap()
    }

    /// Runs an action, and names what its instances had in their memories that they must not have.
    async fn leaks(&self, tenant: &Tenant, action: &str, input: &Value) -> Vec<String> {
        let outcome = tenant.call(action, input.clone()).await;
        let memories = self.memories.take();
        assert!(
            memories.iter().any(|memory| memory.len() > 1 << 16),
            "{action}: the guest ran in our memory"
        );
        let mut found: Vec<String> = memories
            .iter()
            .flat_map(|memory| self.needles.found_in(memory))
            .map(|name| format!("{action}: {name} (memory)"))
            .collect();
        // An answer does not print, so it is searched for itself.
        let answer = outcome.result.as_ref().ok();
        let told = format!("{outcome:?} {tenant:?} {}", answer.map_or("", Json::as_str));
        found.extend(
            self.needles.found_in(told.as_bytes()).iter().map(|name| format!("{action}: {name} (outcome)")),
        );
        found
    }

    /// All that an action may do to credentials: using them, asking for them, being shown them.
    fn actions(&self) -> Vec<(&'static str, Value)> {
        let own = self.emulator.client_id();
        let clients = self.emulator.control().clients();
        let billing =
            clients.iter().find(|client| client["name"] == "Acme Billing").unwrap()["client_id"].clone();
        let token = json!({"grant_type": "client_credentials"});
        vec![
            ("test-connection", json!({})),
            ("list-users", json!({"limit": 5})),
            ("get-application", json!({"client_id": own})),
            ("list-applications", json!({})),
            ("custom-request", json!({"method": "GET", "path": format!("/api/v2/clients/{own}")})),
            ("custom-request", json!({"method": "POST", "path": "/api/v2/clients", "body": {"name": "New"}})),
            ("custom-request", json!({"method": "POST", "path": "/oauth/token", "body": token})),
            ("find-stale-secrets", json!({})),
            ("rotate-client-secret", json!({"client_id": billing})),
            ("send-email", json!({"to": "ana@acme.example", "subject": "s", "body": "b"})),
            ("get-user", json!({"user_id": "auth0|000000000000000000000000"})),
            ("create-user", json!({"nonsense": true})),
        ]
    }

    /// Adds the secrets that the tenant has made since.
    fn learn(&mut self) {
        for client in self.emulator.control().clients() {
            if let Some(secret) = client["client_secret"].as_str() {
                self.needles.add("a secret of the tenant", secret.as_bytes());
            }
        }
    }
}

struct Vault(Secret, String);

impl CredentialSource for Vault {
    fn credential(&self) -> CredentialFuture<'_> {
        let credential =
            Credential::ClientSecret { client_id: self.1.clone(), client_secret: self.0.clone() };
        Box::pin(std::future::ready(Ok(credential)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guest_never_has_a_credential_in_its_memory() {
    let mut laboratory = Laboratory::new().await;
    let pem = fresh_pem();
    let folder = std::env::temp_dir().join(format!("auth0-canary-{}", std::process::id()));
    let token = "eyJhbGciOiJSUzI1NiJ9.canary-of-a-token.from-elsewhere";
    laboratory.needles.add("the static token", token.as_bytes());
    for line in pem.expose().lines().filter(|line| line.len() == 64) {
        laboratory.needles.add("the private key", line.as_bytes());
    }
    laboratory.learn();
    let id = laboratory.emulator.client_id().to_owned();
    let vault = Vault(laboratory.emulator.client_secret().into(), id.clone());
    let sources = [
        Credentials::client_secret(&id, laboratory.emulator.client_secret()),
        Credentials::source(vault),
        // These two are refused by the tenant: what is looked for are the paths of errors.
        Credentials::private_key(&id, PrivateKey::from_pem(&pem).unwrap()),
        Credentials::token(token),
    ];
    let mut found = Vec::new();
    for source in sources {
        let sink = FileSink::new(&folder);
        let tenant = laboratory.tenant(|settings| settings.credentials(source).secret_sink(sink));
        for (action, input) in laboratory.actions() {
            found.extend(laboratory.leaks(&tenant, action, &input).await);
        }
    }
    let made = std::fs::read_dir(&folder).unwrap().count();
    let _ = std::fs::remove_dir_all(&folder);
    assert!(made > 0, "secrets were made, and are in the sink");
    assert_eq!(found, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_has_it_one_when_the_tenant_fails_or_echoes() {
    let laboratory = Laboratory::new().await;
    let echo = format!("{{\"error\": \"{}\"}}", laboratory.emulator.client_secret());
    let mut found = Vec::new();
    for (kind, path) in [
        (FaultKind::ExpiredToken, "/api/v2/"),
        (FaultKind::RevokedToken, "/api/v2/"),
        (FaultKind::ResetAfterRead, "/api/v2/"),
        (FaultKind::Malformed, "/api/v2/"),
        (FaultKind::Truncate, "/api/v2/"),
        (FaultKind::ResetAfterRead, "/oauth/token"),
        (FaultKind::Malformed, "/oauth/token"),
        (
            FaultKind::Status { status: 403, body: Some(echo), retry_after: None, after_processing: false },
            "/oauth/token",
        ),
    ] {
        laboratory.emulator.control().clear_faults();
        laboratory.emulator.control().inject(Fault::new(kind).at(path));
        let tenant = laboratory.tenant(|settings| settings.max_retries(0));
        for (action, input) in laboratory.actions() {
            found.extend(laboratory.leaks(&tenant, action, &input).await);
        }
    }
    assert_eq!(found, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_guest_does_get_is_found_so_the_search_can_fail() {
    let mut laboratory = Laboratory::new().await;
    laboratory.needles.add("the control", HARMLESS.as_bytes());
    let tenant = laboratory.tenant(|settings| settings.client_id(HARMLESS));
    let found = laboratory.leaks(&tenant, "test-connection", &json!({})).await;
    assert!(found.iter().any(|found| found.contains("the control as it is (memory)")), "{found:?}");
    let secret = laboratory.emulator.client_secret().to_owned();
    let options = crate::call::CallOptions::new().reveal_secrets();
    let input = json!({"client_id": laboratory.emulator.client_id()});
    let outcome = tenant.call_with("get-application", input, options).await;
    assert_eq!(outcome.result.unwrap().get("/client_secret").unwrap(), json!(secret));
    let memories = laboratory.memories.take();
    assert!(memories.iter().any(|memory| !laboratory.needles.found_in(memory).is_empty()), "it was revealed");
}
