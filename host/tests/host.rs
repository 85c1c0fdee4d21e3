//! The built component in this host, against the offline tenant.
#![cfg(feature = "embedded-component")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics is a test that failed"
)]

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use auth0_emulator::{Emulator, Fault, FaultKind, Seed};
use auth0_host::{
    CallOptions, CodeCache, CodeOrigin, Credentials, Error, ErrorCode, Host, InstancePolicy, Limits, Policy,
    Settings, Tenant,
};
use serde_json::{Value, json};

/// Compiled once for all tests of this file.
fn host() -> Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::new().unwrap()).clone()
}

async fn emulator() -> Emulator {
    Emulator::builder().seed(Seed::demo()).start().await.unwrap()
}

fn settings(emulator: &Emulator) -> Settings {
    Settings::new(emulator.domain().parse().unwrap())
        .base_url(emulator.base_url().parse().unwrap())
        .audience(emulator.audience())
        .credentials(Credentials::client_secret(emulator.client_id(), emulator.client_secret()))
}

async fn open(emulator: &Emulator) -> Tenant {
    host().tenant(settings(emulator)).await.unwrap()
}

async fn first_user(tenant: &Tenant) -> Value {
    tenant.run("list-users", json!({"limit": 1})).await.unwrap().get("/items/0").unwrap().to_value().unwrap()
}

fn kind(error: &Error) -> ErrorCode {
    match error {
        Error::Action(error) => error.code.clone(),
        other => panic!("the host failed: {other:?}"),
    }
}

#[tokio::test]
async fn an_action_answers_auth0_s_object_and_the_requests_it_took() {
    let emulator = emulator().await;
    let tenant = open(&emulator).await;
    let user = first_user(&tenant).await;
    let outcome = tenant.call("get-user", json!({"user_id": user["user_id"]})).await;
    assert_eq!(outcome.result.unwrap().get("/email").unwrap(), user["email"]);
    assert_eq!(outcome.requests.len(), 1);
    assert_eq!(outcome.requests[0].status, Some(200));
    assert!(outcome.requests[0].bytes_received > 0);
    let stats = tenant.stats();
    assert_eq!((stats.calls, stats.requests, stats.tokens_fetched, stats.connections_opened), (2, 2, 1, 1));
    assert!(
        emulator
            .control()
            .requests()
            .iter()
            .all(|request| request.authorized || request.path == "/oauth/token")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_share_one_token() {
    let emulator = emulator().await;
    let tenant = open(&emulator).await;
    let calls = (0..20).map(|_| {
        let tenant = tenant.clone();
        tokio::spawn(async move { tenant.run("list-roles", json!({})).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(emulator.control().counters().tokens_issued, 1);
}

#[tokio::test]
async fn an_expired_token_is_replaced_without_the_caller_noticing() {
    let emulator = emulator().await;
    let tenant = open(&emulator).await;
    first_user(&tenant).await;
    emulator.control().expire_tokens();
    let outcome = tenant.call("list-roles", json!({})).await;
    outcome.result.unwrap();
    let statuses: Vec<_> = outcome.requests.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(401), Some(200)]);
    let stats = tenant.stats();
    assert_eq!((stats.tokens_fetched, stats.connections_opened), (2, 1));
}

#[tokio::test]
async fn wrong_credentials_are_unauthenticated_with_the_endpoint_s_own_words() {
    let emulator = emulator().await;
    let wrong = Credentials::client_secret(emulator.client_id(), "canary-secret");
    let tenant = host().tenant(settings(&emulator).credentials(wrong)).await.unwrap();
    for action in ["list-users", "test-connection"] {
        let error = tenant.run(action, json!({})).await.unwrap_err();
        assert_eq!(kind(&error), ErrorCode::Unauthenticated, "{action}: {error}");
        assert!(error.to_string().contains("access_denied"), "{action}: {error}");
        assert!(!format!("{error:?} {tenant:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_reported_with_what_it_had_sent() {
    let emulator = emulator().await;
    let tenant = open(&emulator).await;
    // The token is there, and the time is the create's alone: enough to be sent on a machine that stands still meanwhile.
    first_user(&tenant).await;
    emulator.control().inject(Fault::new(FaultKind::Delay { ms: 60_000 }));
    let create = async || {
        let options = CallOptions::new().deadline(Duration::from_secs(5));
        tenant.call_with("create-role", json!({"name": "auditor"}), options).await
    };
    let mut outcome = create().await;
    // Where it stands still at the deadline, for longer than the host waits for a component, nothing is shown.
    for _ in 0..2 {
        if matches!(outcome.result, Err(Error::Timeout { .. })) {
            outcome = create().await;
        }
    }
    assert_eq!(kind(&outcome.result.unwrap_err()), ErrorCode::OutcomeUnknown);
    assert_eq!(outcome.requests.len(), 1);
    assert!(
        outcome.requests[0].status.is_none() && outcome.requests[0].error.is_some(),
        "{:?}",
        outcome.requests
    );
}

/// Guards against instances that are thrown away after each call: wasmtime leaves an entry of each request in the
/// instance's table, which is not the guest's doing.
#[tokio::test]
async fn a_warm_instance_serves_more_calls_than_its_table_has_entries() {
    let emulator = emulator().await;
    let host = Host::new().unwrap();
    let limits = Limits::new().handles(64).requests(2);
    let tenant =
        host.tenant(settings(&emulator).instances(InstancePolicy::warm()).limits(limits)).await.unwrap();
    for _ in 0..100 {
        first_user(&tenant).await;
    }
    let stats = host.stats();
    assert_eq!((stats.instances, stats.instances_idle), (1, 1));
}

#[tokio::test]
async fn the_component_s_own_schemas_describe_every_action() {
    let host = host();
    let actions = host.actions().await.unwrap();
    assert!(actions.len() > 40);
    for action in actions {
        let description = host.describe(&action.id).await.unwrap();
        assert_eq!(description.input_schema["type"], "object", "{}", action.id);
    }
    assert_eq!(kind(&host.describe("nonsense").await.unwrap_err()), ErrorCode::NotFound);
}

/// Opens a tenant whose policy is about actions, so that the component is asked for them, beside a task that counts how
/// often it is its turn.
async fn open_beside_another_task() {
    let turns = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let emulator = emulator().await;
    let policy = Policy::builder().allow_action("list-users").build().unwrap();
    let before = turns.load(Ordering::Relaxed);
    // A host of its own: nobody has asked it for anything yet.
    let tenant = Host::new().unwrap().tenant(settings(&emulator).policy(policy)).await.unwrap();
    assert!(turns.load(Ordering::Relaxed) > before, "the thread was blocked while the tenant was opened");
    other.abort();
    tenant.permits("list-users").unwrap();
    tenant.permits("delete-user").unwrap_err();
    assert!(first_user(&tenant).await["user_id"].is_string());
}

#[tokio::test]
async fn opening_a_tenant_leaves_the_only_thread_of_a_runtime_to_other_tasks() {
    open_beside_another_task().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn opening_a_tenant_leaves_a_worker_of_a_runtime_to_other_tasks() {
    tokio::spawn(open_beside_another_task()).await.unwrap();
}

#[test]
fn a_component_that_wants_more_than_is_offered_is_refused_by_the_name_of_it() {
    for import in ["wasi:filesystem/types@0.2.0", "wasi:cli/stdout@0.2.0", "evil:exfiltrate/now@1.0.0"] {
        let bytes = wat::parse_str(format!("(component (import \"{import}\" (instance)))")).unwrap();
        let error = Host::with_trusted_component(bytes).build().unwrap_err();
        assert!(
            matches!(&error, Error::InvalidComponent { .. }) && error.to_string().contains(import),
            "{error}"
        );
    }
    let empty = wat::parse_str("(component)").unwrap();
    let error = Host::with_trusted_component(empty).build().unwrap_err();
    assert!(error.to_string().contains("connector:auth0/actions@0.2.0"), "{error}");
    let error = Host::with_trusted_component_file("/no/such/file").build().unwrap_err();
    assert!(matches!(error, Error::ComponentFile { .. }));
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_start_loads_the_connector_and_does_not_compile_it() {
    let folder = std::path::PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/second-start"));
    let _ = std::fs::remove_dir_all(&folder);
    let start = || Host::builder().code_cache(CodeCache::Folder(folder.clone())).build_async();
    let (first, second) = (start().await.unwrap(), start().await.unwrap());
    assert_eq!((first.code().origin, &first.code().problem), (CodeOrigin::Compiled, &None));
    assert_eq!((second.code().origin, &second.code().problem), (CodeOrigin::Cached, &None));
    assert_eq!(first.component(), second.component());
    let emulator = emulator().await;
    first_user(&second.tenant(settings(&emulator)).await.unwrap()).await;
    assert_eq!(host().code().origin, CodeOrigin::Compiled, "an embedder that does not ask gets no files");
    assert_eq!(host().code().folder, None);
}

#[test]
fn the_component_imports_nothing_but_what_the_design_lists() {
    let host = host();
    let info = host.component();
    assert!(info.digest.starts_with("sha256:") && info.size > 0);
    assert!(info.exports.iter().any(|export| export == "connector:auth0/actions@0.2.0"));
    assert!(info.imports.iter().all(|import| import.starts_with("wasi:")), "{:?}", info.imports);
}
