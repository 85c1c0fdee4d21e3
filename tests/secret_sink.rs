//! Secrets that the tenant makes: in the sink, and nowhere else.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use auth0_emulator::{Fault, FaultKind};
use auth0_host::{
    CallOptions, Error, ErrorCode, FileSink, Outcome, Secret, SecretName, SecretSink, SinkError, SinkFuture,
};
use auth0_tests::program::{Said, auth0_host, run};
use auth0_tests::{OfflineTenant, Tree as _, at_its_deadline, eventually, items, text, told};
use serde_json::json;

/// The application whose secret is rotated.
const APPLICATION: &str = "Acme Billing";

/// A folder of this test's own that is not there yet, and is gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("auth0-tests-{}-sink-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// What lies below `folder` under the name of an application's secret.
    fn secret(&self, folder: &str, tenant: &OfflineTenant, id: &str) -> Option<String> {
        let path = self.0.join(folder).join(tenant.emulator.domain()).join("clients").join(id);
        fs::read_to_string(path.join("client_secret")).ok()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn in_force(tenant: &OfflineTenant, id: &str) -> String {
    text(&tenant.control.client(id).unwrap(), "client_secret").to_owned()
}

/// `auth0-host run rotate-client-secret`, with the tenant's credentials in the environment.
async fn rotate(tenant: &OfflineTenant, id: &str, options: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = auth0_host();
    command.args(["-v", "run", "rotate-client-secret", &format!("client_id={id}")]).args(options);
    command
        .env("AUTH0_POLICY", "unrestricted")
        .env("AUTH0_DOMAIN", tenant.emulator.domain())
        .env("AUTH0_BASE_URL", tenant.emulator.base_url());
    command.env("AUTH0_CLIENT_ID", tenant.emulator.client_id());
    command.env("AUTH0_CLIENT_SECRET", tenant.emulator.client_secret());
    command.envs(environment.iter().copied());
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

#[tokio::test]
async fn a_rotated_secret_is_in_the_sink_and_nowhere_in_the_outcome() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("file"));
    let id = tenant.application(APPLICATION);
    let connection = tenant.connect(|settings| settings.secret_sink(FileSink::new(&folder.0))).await;
    let outcome = connection.call("rotate-client-secret", json!({"client_id": id})).await;
    let secret = in_force(&tenant, &id);
    assert_eq!(folder.secret("", &tenant, &id), Some(secret.clone()));
    assert!(!format!("{} {connection:?}", told(&outcome)).contains(&secret));
    let result = outcome.result.unwrap().tree();
    let handle = format!("auth0-secret://{}/clients/{id}/client_secret", tenant.emulator.domain());
    assert_eq!(result["client_secret"], handle);
    assert!(result["client_metadata"]["secret_rotated_at"].is_string(), "the rest is as it was: {result}");
}

#[tokio::test]
async fn what_the_tenant_shows_of_secrets_is_a_handle_too_unless_it_is_to_be_revealed() {
    let tenant = OfflineTenant::start().await;
    let own = tenant.emulator.client_id();
    let list = tenant.run("list-applications", json!({})).await;
    let shown = tenant.run("get-application", json!({"client_id": own})).await;
    let custom = json!({"method": "GET", "path": format!("/api/v2/clients/{own}")});
    let custom = tenant.run("custom-request", custom).await;
    for answer in [&list, &shown, &custom] {
        assert!(!answer.to_string().contains(tenant.emulator.client_secret()), "{answer}");
    }
    assert!(text(&shown, "client_secret").starts_with("auth0-secret://"));
    assert!(
        items(&list)
            .iter()
            .all(|client| client["client_secret"].as_str().is_none_or(|s| s.starts_with("auth0-secret://")))
    );
    let options = CallOptions::new().reveal_secrets();
    let revealed = tenant.connection.call_with("get-application", json!({"client_id": own}), options).await;
    assert_eq!(revealed.result.unwrap().tree()["client_secret"], tenant.emulator.client_secret());
    assert_eq!(tenant.secret_sink.all(), [""; 0], "what is only shown goes nowhere");
}

#[tokio::test]
async fn a_handle_cannot_be_written_back_as_a_secret() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application(APPLICATION);
    let before = in_force(&tenant, &id);
    let shown = tenant.run("get-application", json!({"client_id": id})).await;
    let body = json!({"client_secret": shown["client_secret"]});
    let path = format!("/api/v2/clients/{id}");
    let error =
        tenant.refused("custom-request", json!({"method": "PATCH", "path": path, "body": body})).await;
    assert_eq!((&error.code, in_force(&tenant, &id)), (&ErrorCode::PolicyDenied, before), "{error}");
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_call_and_gets_the_secret_later() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application(APPLICATION);
    tenant.secret_sink.set_broken(true);
    let outcome = tenant.connection.call("rotate-client-secret", json!({"client_id": id})).await;
    let secret = in_force(&tenant, &id);
    assert!(!format!("{} {:?}", told(&outcome), tenant.connection).contains(&secret));
    let handle = outcome.undelivered.unwrap().names[0].to_string();
    assert_eq!(outcome.result.unwrap().tree()["client_secret"], handle, "the action itself was done");
    assert_eq!(tenant.connection.pending_secrets()[0].problem, "the sink is broken");
    assert!(matches!(tenant.connection.retry_secrets().await, Err(Error::SecretUndelivered(_))));
    tenant.secret_sink.set_broken(false);
    tenant.connection.retry_secrets().await.unwrap();
    assert_eq!(
        (tenant.secret_sink.get(&handle), tenant.connection.pending_secrets().len()),
        (Some(secret), 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_of_one_application_at_once_leave_the_secret_that_is_in_force() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application(APPLICATION);
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (connection, input) = (tenant.connection.clone(), json!({"client_id": id, "stamp": false}));
        set.spawn(async move { connection.run("rotate-client-secret", input).await.unwrap().tree() });
    }
    let results = set.join_all().await;
    let handle = text(&results[0], "client_secret");
    assert_eq!(tenant.secret_sink.get(handle), Some(in_force(&tenant, &id)));
}

#[tokio::test]
async fn a_rotation_whose_answer_comes_too_late_is_unknown_and_its_secret_safe() {
    let (tenant, outcome) = at_its_deadline(|| async {
        let tenant = OfflineTenant::start().await;
        let late = Fault::new(FaultKind::Delay { ms: 10_000 });
        tenant.control.inject(late.on("POST", "/api/v2/clients/").times(1));
        let options = CallOptions::new().deadline(Duration::from_secs(4));
        let input = json!({"client_id": tenant.application(APPLICATION)});
        let outcome = tenant.connection.call_with("rotate-client-secret", input, options).await;
        (tenant, outcome)
    })
    .await;
    let Err(Error::Action(error)) = outcome.result else { panic!("{outcome:?}") };
    assert_eq!(error.code, ErrorCode::OutcomeUnknown, "{error}");
    tenant.connection.flush_secrets().await;
    assert_eq!(tenant.secret_sink.all(), [in_force(&tenant, &tenant.application(APPLICATION))]);
}

#[tokio::test]
async fn a_decoy_in_the_metadata_does_not_take_the_place_of_the_new_secret() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application(APPLICATION);
    let path = format!("/api/v2/clients/{id}");
    let body = json!({"client_metadata": {"client_secret": "known-to-attacker", "client_id": id}});
    tenant.run("custom-request", json!({"method": "PATCH", "path": path, "body": body})).await;
    let rotation = json!({"method": "POST", "path": format!("{path}/rotate-secret")});
    for (action, input) in [("rotate-client-secret", json!({"client_id": id})), ("custom-request", rotation)]
    {
        let result = tenant.run(action, input).await;
        assert_eq!(tenant.secret_sink.all(), [in_force(&tenant, &id)], "{action}");
        assert!(!result.to_string().contains("attacker"), "{action}: {result}");
    }
}

/// Takes its time, and then takes nothing.
struct Slow(Duration);

impl SecretSink for Slow {
    fn put<'a>(&'a self, _: &'a SecretName, _: &'a Secret) -> SinkFuture<'a> {
        Box::pin(async {
            tokio::time::sleep(self.0).await;
            Err(SinkError::engine("it was slow for nothing"))
        })
    }
}

#[tokio::test]
async fn a_call_that_ends_before_its_sink_names_the_secret() {
    let ((tenant, connection), outcome) = at_its_deadline(|| async {
        let tenant = OfflineTenant::start().await;
        let deadline = Duration::from_secs(4);
        let connection = tenant.connect(|settings| settings.secret_sink(Slow(3 * deadline))).await;
        let options = CallOptions::new().deadline(deadline);
        let input = json!({"client_id": tenant.application(APPLICATION)});
        let outcome = connection.call_with("rotate-client-secret", input, options).await;
        ((tenant, connection), outcome)
    })
    .await;
    let id = tenant.application(APPLICATION);
    let undelivered = outcome.undelivered.unwrap();
    assert_eq!(undelivered.names[0].id(), id);
    assert!(matches!(*undelivered.source, SinkError::UnderWay), "{undelivered}");
    let result = outcome.result;
    assert!(
        matches!(&result, Err(Error::Action(error)) if error.code == ErrorCode::OutcomeUnknown),
        "{result:?}"
    );
    connection.flush_secrets().await;
    assert_eq!(connection.pending_secrets()[0].problem, "it was slow for nothing");
    connection.retry_secrets_with(&tenant.secret_sink).await.unwrap();
    assert_eq!(tenant.secret_sink.all(), [in_force(&tenant, &id)]);
}

/// What becomes of a rotation that meets a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// The new secret gets to the sink.
    Delivered,
    /// There is a new secret, nobody has it, and the error says that this may be.
    Missed,
    /// There is no new secret.
    Unchanged,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_force_is_in_the_sink_or_waits_for_it_or_is_said_to_be_unknown_whatever_the_fault() {
    let status = |status, after_processing| FaultKind::Status {
        status,
        body: None,
        retry_after: None,
        after_processing,
    };
    let faults = [
        (FaultKind::Delay { ms: 100 }, Ends::Delivered),
        (FaultKind::SlowBody { ms_per_chunk: 20 }, Ends::Delivered),
        (FaultKind::ExpiredToken, Ends::Delivered),
        (FaultKind::RevokedToken, Ends::Delivered),
        (FaultKind::TooManyRequests { retry_after: Some(1), reset_in: None }, Ends::Delivered),
        (FaultKind::Truncate, Ends::Missed),
        (FaultKind::Malformed, Ends::Missed),
        (FaultKind::ResetAfterRead, Ends::Missed),
        (FaultKind::SlowBody { ms_per_chunk: 600_000 }, Ends::Missed),
        (FaultKind::Delay { ms: 600_000 }, Ends::Missed),
        (status(500, true), Ends::Missed),
        (status(502, true), Ends::Missed),
        (FaultKind::ResetBeforeRead, Ends::Unchanged),
        (FaultKind::ResetAfterReadUnprocessed, Ends::Unchanged),
        (status(500, false), Ends::Unchanged),
        (status(503, false), Ends::Unchanged),
    ];
    let mut cells = tokio::task::JoinSet::new();
    for (kind, ends) in faults {
        for broken in [false, true] {
            cells.spawn(met_by(kind.clone(), ends, broken));
        }
    }
    let wrong: Vec<String> = cells.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rotates a secret by way of a fault, into a sink that works or does not. With the outcome come the tenant, the application
/// and the secret that it had before.
async fn rotate_by_way_of(
    kind: &FaultKind,
    broken: bool,
    options: CallOptions,
) -> ((OfflineTenant, String, String), Outcome) {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application(APPLICATION);
    let before = in_force(&tenant, &id);
    tenant.secret_sink.set_broken(broken);
    tenant.control.inject(Fault::new(kind.clone()).on("POST", "/api/v2/clients/").times(1));
    let input = json!({"client_id": id, "stamp": false});
    let outcome = tenant.connection.call_with("rotate-client-secret", input, options).await;
    ((tenant, id, before), outcome)
}

/// Rotates a secret so, and says what was not as it should be.
async fn met_by(kind: FaultKind, ends: Ends, broken: bool) -> Option<String> {
    let outlasts =
        matches!(kind, FaultKind::Delay { ms: 600_000 } | FaultKind::SlowBody { ms_per_chunk: 600_000 });
    let ((tenant, id, before), outcome) = match outlasts {
        true => {
            let options = || CallOptions::new().deadline(Duration::from_secs(8));
            at_its_deadline(|| rotate_by_way_of(&kind, broken, options())).await
        }
        false => rotate_by_way_of(&kind, broken, CallOptions::new()).await,
    };
    let secret = in_force(&tenant, &id);
    let shelved = tenant.secret_sink.all() == [secret.clone()];
    let pending = tenant.connection.pending_secrets().len() == 1;
    let is_unknown = |result: &Result<_, Error>| matches!(result, Err(Error::Action(error)) if error.code == ErrorCode::OutcomeUnknown);
    let good = match (ends, &outcome.result) {
        (Ends::Delivered, Ok(_)) => {
            let waits = outcome.undelivered.is_some();
            [shelved, pending, waits] == [!broken, broken, broken] && secret != before
        }
        (Ends::Missed, result) => is_unknown(result) && !shelved && !pending && secret != before,
        (Ends::Unchanged, Err(Error::Action(_))) => !shelved && !pending && secret == before,
        _ => false,
    };
    let leaked = told(&outcome).contains(&secret);
    (!good || leaked).then(|| format!("{kind:?}, broken sink: {broken}: not {ends:?}: {outcome:?}"))
}

#[tokio::test]
async fn without_a_sink_a_rotation_is_denied_and_the_old_secret_stays() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.application(APPLICATION);
    let before = in_force(&tenant, &id);
    let said = rotate(&tenant, &id, &[], &[]).await;
    assert_eq!((said.code, &said.error()["code"]), (Some(1), &json!("policy-denied")), "{said:#?}");
    assert!(said.err.contains("--secret-dir") && said.err.contains("--reveal"), "{said:#?}");
    assert_eq!(in_force(&tenant, &id), before);
    let said = rotate(&tenant, &id, &["--reveal"], &[]).await;
    assert_eq!(said.json()["client_secret"], in_force(&tenant, &id), "{said:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn at_a_shell_a_secret_goes_into_a_folder_or_to_a_command_and_is_not_printed() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("shell"));
    let id = tenant.application(APPLICATION);
    let said = rotate(&tenant, &id, &["--secret-dir", folder.text()], &[("RUST_LOG", "trace")]).await;
    let secret = in_force(&tenant, &id);
    assert_eq!((said.code, folder.secret("", &tenant, &id)), (Some(0), Some(secret.clone())), "{said:#?}");
    assert!(!said.all().contains(&secret), "{said:#?}");

    let script = format!(
        "cat > {}/by-command; echo \"$AUTH0_SECRET_NAME\" >> {0}/by-command; cat {0}/by-command",
        folder.text()
    );
    let command = json!(["/bin/sh", "-c", script]).to_string();
    let said = rotate(&tenant, &id, &[], &[("AUTH0_SECRET_COMMAND", &command)]).await;
    let secret = in_force(&tenant, &id);
    let handle = text(&said.json(), "client_secret").to_owned();
    assert_eq!(fs::read_to_string(folder.0.join("by-command")).unwrap(), format!("{secret}{handle}\n"));
    assert!(!said.all().contains(&secret), "not even what the command prints: {said:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn at_a_shell_a_secret_that_the_sink_refuses_is_in_the_state_folder_and_the_error_says_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("state"));
    let id = tenant.application(APPLICATION);
    let environment = [("XDG_STATE_HOME", folder.text()), ("AUTH0_SECRET_COMMAND", "false")];
    let said = rotate(&tenant, &id, &[], &environment).await;
    let secret = in_force(&tenant, &id);
    assert_eq!(
        (said.code, said.out.as_str(), &said.error()["code"]),
        (Some(3), "", &json!("host")),
        "{said:#?}"
    );
    assert_eq!(folder.secret("auth0-host/secrets", &tenant, &id), Some(secret.clone()), "{said:#?}");
    assert!(said.err.contains(folder.text()) && !said.all().contains(&secret), "{said:#?}");
    let mode = fs::metadata(folder.0.join("auth0-host/secrets")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_during_a_rotation_waits_for_the_secret() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("interrupt"));
    let id = tenant.application(APPLICATION);
    tenant
        .control
        .inject(Fault::new(FaultKind::Delay { ms: 10_000 }).on("POST", "/api/v2/clients/").times(1));
    let mut command = auth0_host();
    command.args(["run", "rotate-client-secret", &format!("client_id={id}"), "--secret-dir", folder.text()]);
    command
        .env("AUTH0_POLICY", "unrestricted")
        .env("AUTH0_DOMAIN", tenant.emulator.domain())
        .env("AUTH0_BASE_URL", tenant.emulator.base_url());
    command.env("AUTH0_CLIENT_ID", tenant.emulator.client_id());
    command.env("AUTH0_CLIENT_SECRET", tenant.emulator.client_secret());
    let child =
        command.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let arrived = || tenant.seen().iter().any(|request| request.path.ends_with("/rotate-secret"));
    eventually("the rotation arrives", arrived).await;
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let said: Said = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap().into();
    assert_eq!((said.code, &said.error()["code"]), (Some(130), &json!("interrupted")), "{said:#?}");
    assert_eq!(folder.secret("", &tenant, &id), Some(in_force(&tenant, &id)), "{said:#?}");
}

#[test]
fn the_demo_puts_secrets_into_a_folder_where_it_is_given_one() {
    let folder = Folder::new("demo");
    let said = run(auth0_host().args(["demo", "--emulator", "--secret-dir", folder.text()]));
    assert_eq!(said.code, Some(0), "{said:#?}");
    let handles: Vec<&str> =
        said.out.split_whitespace().filter_map(|word| word.strip_prefix("auth0-secret://")).collect();
    assert!(!handles.is_empty(), "{said:#?}");
    for handle in handles {
        let secret = fs::read_to_string(folder.0.join(handle)).unwrap();
        assert!(secret.len() == 64 && !said.all().contains(&secret), "{handle}");
    }
}
