//! A whole engine: two tenants on one host, sinks of its own, limits, a policy, progress, a cancelled call, a secret that
//! its sink did not take. It runs on two offline tenants: nothing leaves this machine, and no account is needed.
use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use auth0_emulator::{Emulator, Fault, FaultKind, Seed};
use auth0_host::{
    AuditRecord, AuditSink, CallOptions, Credentials, Host, Limits, Policy, Priority, Remedy,
    RequestObserver, RequestRecord, Secret, SecretName, SecretSink, Settings, SinkError, SinkFuture,
};
use serde_json::json;
use tokio::sync::{Mutex, mpsc};

/// Reads everything, and rotates secrets of applications. Everything else is refused before it leaves.
const POLICY: &str = r#"
# A rotation gives an application another secret. What else would escalate is in no rule below.
deny_reach = ["runs-code", "exfiltrates", "weakens"]

[actions]
allow = ["get-*", "list-*", "rotate-client-secret"]

[requests]
allow = ["GET /api/v2/**", "POST /api/v2/clients/{id}/rotate-secret", "PATCH /api/v2/clients/{id}"]

[fields]
"PATCH /api/v2/clients/{id}" = ["client_metadata"]
"#;

/// What the engine shows. Sinks and observers are called on a call's thread: they hand a line on, and a task prints it.
#[derive(Debug)]
struct Feed(mpsc::Sender<String>);

impl Feed {
    fn show(&self, line: String) {
        // A feed that is full loses lines. An audit trail must not: it counts what it loses, or writes to a file.
        let _ = self.0.try_send(line);
    }
}

impl AuditSink for Feed {
    fn record(&self, record: &AuditRecord) {
        let caller = record.caller.as_deref().unwrap_or("nobody");
        self.show(format!("audit: {} by {caller} on {}: {:?}", record.action, record.domain, record.outcome));
    }
}

impl RequestObserver for Feed {
    fn begun(&self, request: &RequestRecord) {
        self.show(format!("  {} {} …", request.method, request.path));
    }

    fn ended(&self, request: &RequestRecord) {
        let end = request.status.map_or_else(|| format!("{:?}", request.error), |status| status.to_string());
        self.show(format!("  {} {} {end}", request.method, request.path));
    }
}

/// The engine's vault. A sealed one takes nothing.
#[derive(Default)]
struct Vault {
    sealed: AtomicBool,
    secrets: Mutex<HashMap<String, Secret>>,
}

impl SecretSink for Vault {
    fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
        Box::pin(async move {
            if self.sealed.load(Ordering::Relaxed) {
                return Err(SinkError::engine("the vault is sealed"));
            }
            self.secrets.lock().await.insert(name.to_string(), secret.clone());
            Ok(())
        })
    }
}

/// Words an error for the engine's own users.
fn explain(error: &auth0_host::Error) -> String {
    let Some(denial) = error.denial() else {
        return error.to_string();
    };
    match denial.remedy() {
        Some(Remedy::AllowAction { action }) => {
            format!("{}. An administrator can allow `{action}` under Settings → Auth0.", denial.rule())
        }
        _ => denial.to_string(),
    }
}

async fn offline_tenant(name: &str) -> Result<Emulator, auth0_emulator::Error> {
    let seed = Seed { domain: Some(format!("{name}.eu.auth0.localhost")), ..Seed::demo() };
    Emulator::builder().seed(seed).start().await
}

fn settings(server: &Emulator, feed: &Arc<Feed>) -> Result<Settings, Box<dyn Error>> {
    Ok(Settings::new(server.domain().parse()?)
        .base_url(server.base_url().parse()?)
        .credentials(Credentials::client_secret(server.client_id(), server.client_secret()))
        .policy(Policy::from_toml(POLICY)?)
        .limits(Limits::new().cpu(Duration::from_secs(1)).requests(50).concurrent_calls(8))
        .deadline(Duration::from_secs(20))
        .audit(feed.clone()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (lines, mut shown) = mpsc::channel(1000);
    let printer = tokio::spawn(async move {
        while let Some(line) = shown.recv().await {
            println!("{line}");
        }
    });
    let (feed, vault) = (Arc::new(Feed(lines)), Arc::new(Vault::default()));

    // One host for the process, one tenant for each customer: two tenants share nothing but the compiled component.
    let (acme_server, globex_server) = (offline_tenant("acme").await?, offline_tenant("globex").await?);
    let host = Host::builder().concurrent_calls(16).build_async().await?;
    let acme = host.tenant(settings(&acme_server, &feed)?.name("acme").secret_sink(vault.clone())).await?;
    let globex = host.tenant(settings(&globex_server, &feed)?.name("globex")).await?;

    // A step of a workflow: on whose behalf, how urgent, for how long, and who watches its requests.
    let options = CallOptions::new()
        .caller("workflow-7/run-12")
        .priority(Priority::Background)
        .deadline(Duration::from_secs(10))
        .observer(feed.clone());
    let input = json!({"limit": 2, "fields": ["email"]});
    let outcome = acme.call_with("list-users", input, options).await;
    feed.show(format!("acme: {} request(s), {}", outcome.requests.len(), outcome.result?));

    // What the policy refuses is not sent. The refusal is data: the engine words it.
    if let Err(error) = acme.run("delete-user", json!({"user_id": "auth0|1"})).await {
        feed.show(format!("acme: {}", explain(&error)));
    }

    // Nobody waits for this answer any longer: dropping the future cancels the call.
    globex_server.control().inject(Fault::new(FaultKind::Delay { ms: 60_000 }).on("GET", "/api/v2/users"));
    let slow = globex.call_with("list-users", json!({}), CallOptions::new().observer(feed.clone()));
    if tokio::time::timeout(Duration::from_millis(500), slow).await.is_err() {
        feed.show("globex: cancelled".to_owned());
    }

    // The vault is sealed: the secret is rotated all the same, and waits in memory until a sink takes it.
    vault.sealed.store(true, Ordering::Relaxed);
    let clients = acme_server.control().clients();
    let billing = clients.iter().find(|client| client["name"] == "Acme Billing").ok_or("no application")?;
    let outcome = acme.call("rotate-client-secret", json!({"client_id": billing["client_id"]})).await;
    outcome.result?;
    if let Some(undelivered) = outcome.undelivered {
        feed.show(format!("acme: {undelivered}"));
        let spare = Vault::default();
        acme.retry_secrets_with(&spare).await?;
        let (pending, taken) = (acme.pending_secrets().len(), spare.secrets.lock().await.len());
        feed.show(format!("acme: {pending} pending, {taken} in the spare vault"));
    }

    // Before the process ends: no secret is under way, calls are stopped, each has its audit record.
    acme.flush_secrets().await;
    tokio::join!(acme.close(), globex.close());
    drop((acme, globex, feed));
    Ok(printer.await?)
}
