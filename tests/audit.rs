//! What an operator can show afterwards: one record per call, however the call ended, and nobody's data in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth0_emulator::{Fault, FaultKind, Seed};
use auth0_host::{
    AuditFile, AuditRecord, AuditSink, AuditUnavailable, CallOptions, Credentials, Error, Host, Limits,
    Tenant,
};
use auth0_tests::program::{Said, auth0_host, run};
use auth0_tests::{OfflineTenant, PASSWORD, eventually, newcomer};
use serde_json::{Value, json};

/// Keeps records in memory.
#[derive(Debug, Default)]
struct Memory(Mutex<Vec<Value>>);

impl AuditSink for Memory {
    fn record(&self, record: &AuditRecord) {
        self.0.lock().unwrap().push(serde_json::from_str(&record.to_json()).unwrap());
    }
}

impl Memory {
    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    fn only(&self) -> Value {
        let all = self.all();
        assert_eq!(all.len(), 1, "{all:#?}");
        all[0].clone()
    }
}

async fn audited() -> (OfflineTenant, Tenant, Arc<Memory>) {
    let tenant = OfflineTenant::start().await;
    let memory = Arc::new(Memory::default());
    let sink = Arc::clone(&memory) as Arc<dyn AuditSink>;
    let connection = tenant.connect(|settings| settings.audit(sink).name("production").max_retries(0)).await;
    (tenant, connection, memory)
}

/// Member, whether it can be null, and the test of its value.
type Shape = (&'static str, bool, fn(&Value) -> bool);

const CALL: &[Shape] = &[
    ("event", false, |value| value == "call"),
    ("time", false, is_time),
    ("call", false, |value| value.as_str().is_some_and(|id| id.len() >= 18 && id.contains('-'))),
    ("caller", true, Value::is_string),
    ("domain", false, |value| value.as_str().is_some_and(|domain| domain.contains('.'))),
    ("tenant", true, Value::is_string),
    ("component", false, |value| value.as_str().is_some_and(|digest| digest.len() == "sha256:".len() + 64)),
    ("action", false, Value::is_string),
    ("decision", false, |value| value == "allowed" || value == "denied"),
    ("rule", true, Value::is_string),
    ("outcome", false, |value| value == "done" || value == "error" || value == "stopped"),
    ("elapsed_ms", false, |value| value.as_f64().is_some_and(|elapsed| elapsed > 0.0)),
    ("requests", false, Value::is_array),
    ("requests_omitted", false, Value::is_u64),
    ("secrets_undelivered", false, Value::is_u64),
];
const OF_AN_ERROR: &[Shape] = &[
    ("code", false, Value::is_string),
    ("status", true, Value::is_u64),
    ("error_code", true, Value::is_string),
    ("request_id", true, Value::is_string),
];
const OF_A_STOP: &[Shape] = &[("stopped", false, Value::is_string), ("limit", true, Value::is_string)];
const REQUEST: &[Shape] = &[
    ("method", false, Value::is_string),
    ("authority", false, Value::is_string),
    ("path", false, |value| value.as_str().is_some_and(|path| path.starts_with('/'))),
    ("status", true, Value::is_u64),
    ("sent", false, Value::is_boolean),
    ("start_ms", false, Value::is_number),
    ("elapsed_ms", false, Value::is_number),
    ("bytes_sent", false, Value::is_u64),
    ("bytes_received", false, Value::is_u64),
    ("error", true, Value::is_string),
];

fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    form == "0000-00-00T00:00:00.000Z"
}

fn check(object: &Value, shapes: &[&[Shape]]) {
    let object = object.as_object().unwrap();
    let shapes: Vec<&Shape> = shapes.iter().copied().flatten().collect();
    for (name, can_be_null, is_right) in &shapes {
        let value = object.get(*name).unwrap_or_else(|| panic!("`{name}` is in {object:#?}"));
        assert!((*can_be_null && value.is_null()) || is_right(value), "`{name}` of {object:#?}");
    }
    let unknown: Vec<&String> =
        object.keys().filter(|key| !shapes.iter().any(|(name, ..)| name == key)).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {object:#?}");
}

fn check_record(record: &Value) {
    let rest: &[Shape] = match record["outcome"].as_str().unwrap() {
        "error" => OF_AN_ERROR,
        "stopped" => OF_A_STOP,
        _ => &[],
    };
    check(record, &[CALL, rest]);
    record["requests"].as_array().unwrap().iter().for_each(|request| check(request, &[REQUEST]));
}

#[tokio::test]
async fn a_record_says_who_did_what_and_how_it_came_out_and_nothing_of_input_or_output() {
    let (tenant, connection, memory) = audited().await;
    let options = || CallOptions::new().caller("workflow-7/run-12");
    connection.call_with("create-user", newcomer("canary@acme.example"), options()).await.result.unwrap();
    let canary = tenant.user("canary@acme.example");
    let changes = json!({"user_id": canary, "changes": {"nickname": "canary-nick"}});
    connection.call_with("update-user", changes, options()).await.result.unwrap();
    let search = json!({"q": "email:canary@acme.example"});
    connection.call_with("list-users", search, options()).await.result.unwrap();
    let missing = json!({"user_id": "samlp|acme|canary@acme.example"});
    connection.call_with("get-user", missing, options()).await.result.unwrap_err();
    let custom = json!({"method": "GET", "path": "/users/canary", "query": {"canary@acme.example": "1"}});
    let _ = connection.call_with("custom-request", custom, options()).await;
    let input = json!({"user_id": "canary/../x"});
    connection.call_with("get-user", input, options()).await.result.unwrap_err();
    connection.call_with("canary Action", json!({}), options()).await.result.unwrap_err();
    let records = memory.all();
    records.iter().for_each(check_record);
    let outcomes: Vec<(&Value, &Value, Option<&Value>)> =
        records.iter().map(|record| (&record["action"], &record["outcome"], record.get("code"))).collect();
    assert_eq!(outcomes[..3].iter().map(|(_, outcome, _)| *outcome).collect::<Vec<_>>(), ["done"; 3]);
    assert_eq!(outcomes[3], (&json!("get-user"), &json!("error"), Some(&json!("not-found"))));
    assert_eq!(outcomes[5].2, Some(&json!("invalid-input")));
    assert_eq!(outcomes[6].0, "(invalid)");
    assert_eq!(records.len(), 7);
    let text = serde_json::to_string(&records).unwrap();
    assert!(!text.contains("canary") && !text.contains(PASSWORD) && !text.contains("eyJ"), "{text}");
    let first = &records[0];
    assert_eq!((&first["caller"], &first["tenant"]), (&json!("workflow-7/run-12"), &json!("production")));
    assert_eq!(first["component"], json!(auth0_tests::host().component().digest));
    let request = &first["requests"][0];
    assert_eq!(
        (&request["method"], &request["path"], &request["status"]),
        (&json!("POST"), &json!("/api/v2/users"), &json!(201))
    );
    assert!(request["sent"] == true && request["bytes_sent"].as_u64() > Some(20), "{request}");
    let changed = &records[1]["requests"][0];
    assert_eq!(
        changed["path"],
        json!(format!("/api/v2/users/{}", auth0_tests::encoded(&canary))),
        "ids stay"
    );
    let calls: std::collections::BTreeSet<&str> =
        records.iter().map(|record| record["call"].as_str().unwrap()).collect();
    assert_eq!(calls.len(), 7, "each call has an id of its own");
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_has_a_record_with_what_it_had_sent() {
    let (tenant, connection, memory) = audited().await;
    connection.run("list-roles", json!({})).await.unwrap();
    tenant.control.inject(Fault::new(FaultKind::Delay { ms: 60_000 }).on("POST", "/api/v2/users"));
    let call = tokio::spawn({
        let connection = connection.clone();
        async move { connection.run("create-user", newcomer("slow@acme.example")).await }
    });
    eventually("the user is there", || tenant.control.user_by_email("slow@acme.example").is_some()).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let record = memory.all().pop().unwrap();
    check_record(&record);
    assert_eq!((&record["outcome"], &record["stopped"]), (&json!("stopped"), &json!("dropped")));
    let request = &record["requests"][0];
    assert_eq!(
        (&request["sent"], &request["status"], &request["error"]),
        (&json!(true), &Value::Null, &json!("broken-off"))
    );
}

#[tokio::test]
async fn closing_a_connection_stops_its_calls_and_each_has_its_record_by_then() {
    let (tenant, connection, memory) = audited().await;
    tenant.control.inject(Fault::new(FaultKind::Delay { ms: 60_000 }).on("GET", "/api/v2/roles"));
    let calls: Vec<_> = (0..2)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.run("list-roles", json!({})).await })
        })
        .collect();
    eventually("both are under way", || connection.stats().requests == 2).await;
    connection.close().await;
    let records = memory.all();
    assert_eq!(records.len(), 2);
    for record in &records {
        check_record(record);
        assert_eq!((&record["stopped"], &record["requests"][0]["sent"]), (&json!("closed"), &json!(true)));
    }
    for call in calls {
        assert!(matches!(call.await.unwrap(), Err(Error::Closed)));
    }
    assert!(matches!(connection.run("list-roles", json!({})).await, Err(Error::Closed)));
    assert_eq!(memory.all().len(), 3, "a call that comes too late has a record, and one only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_had_to_be_stopped_has_a_record_that_says_by_what() {
    let tenant = OfflineTenant::start().await;
    let memory = Arc::new(Memory::default());
    let host = Host::with_trusted_component_file(auth0_tests::program::hostile()).build().unwrap();
    let sink = Arc::clone(&memory) as Arc<dyn AuditSink>;
    // `spin` uses all of it up, and nothing else comes near.
    let limits = Limits::new().cpu(Duration::from_secs(2));
    let hostile =
        host.tenant(auth0_tests::settings(&tenant.emulator).audit(sink).limits(limits)).await.unwrap();
    let path = "/api/v2/users?q=canary&canary@acme.example";
    let authority = tenant.emulator.base_url().split_once("://").unwrap().1;
    let elsewhere = json!({"scheme": "https", "authority": "canary-acme.example:1985", "path": "/canary"});
    let send = json!({"scheme": "http", "authority": authority, "path": path});
    for (attack, input) in [("panic", json!({})), ("spin", json!({})), ("send", elsewhere), ("send", send)] {
        let _ = hostile.run(attack, input).await;
    }
    let wait = CallOptions::new().deadline(Duration::from_millis(1));
    let _ = hostile.call_with("wait", json!({}), wait).await;
    let records = memory.all();
    records.iter().for_each(check_record);
    let ends: Vec<&Value> =
        records.iter().map(|record| record.get("stopped").unwrap_or(&Value::Null)).collect();
    assert_eq!(ends, [&json!("trap"), &json!("limit"), &Value::Null, &Value::Null, &json!("timeout")]);
    assert!(records[1]["limit"].as_str().unwrap().contains("cpu"), "{:#?}", records[1]);
    let denied = &records[2];
    assert_eq!(
        (&denied["decision"], &denied["requests"][0]["error"]),
        (&json!("denied"), &json!("policy-denied"))
    );
    let rule = "denied: * is neither the tenant nor its email provider";
    assert_eq!((&denied["rule"], &denied["requests"][0]["authority"]), (&json!(rule), &json!("*")));
    assert_eq!(records[3]["requests"][0]["authority"], authority);
    assert_eq!(records[3]["requests"][0]["path"], "/api/v2/users?q&*");
    assert!(!format!("{records:?}").contains("canary"), "{records:#?}");
}

#[tokio::test]
async fn requests_that_had_no_token_or_no_connection_are_in_the_record_as_not_sent() {
    let memory = Arc::new(Memory::default());
    let tenant = OfflineTenant::start().await;
    let sink = Arc::clone(&memory) as Arc<dyn AuditSink>;
    let wrong = Credentials::client_secret(tenant.emulator.client_id(), "wrong");
    let connection = tenant.connect(|settings| settings.audit(sink).credentials(wrong).max_retries(0)).await;
    connection.run("list-roles", json!({})).await.unwrap_err();
    let record = memory.only();
    check_record(&record);
    let request = &record["requests"][0];
    assert_eq!((&request["sent"], &request["error"]), (&json!(false), &json!("no-token")));
    assert_eq!(record["code"], "unauthenticated");
}

#[derive(Debug)]
struct Full;

impl AuditSink for Full {
    fn record(&self, _: &AuditRecord) {}

    fn ready(&self) -> Result<(), AuditUnavailable> {
        Err(AuditUnavailable { reason: "no space left".to_owned() })
    }
}

#[tokio::test]
async fn a_sink_that_cannot_keep_a_record_lets_nothing_be_done() {
    let tenant = OfflineTenant::start().await;
    let connection = tenant.connect(|settings| settings.audit(Arc::new(Full))).await;
    let error = auth0_tests::refused(&connection, "create-user", newcomer("new@acme.example")).await;
    assert!(
        error.code == auth0_host::ErrorCode::PolicyDenied && error.message.contains("no space left"),
        "{error}"
    );
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn connections_of_one_engine_share_a_file() {
    let folder = Folder::new("shared");
    let file: Arc<dyn AuditSink> = Arc::new(AuditFile::open(folder.file()).unwrap());
    let tenant = OfflineTenant::with(Seed::demo()).await;
    for name in ["a", "b"] {
        let connection = tenant.connect(|settings| settings.audit(Arc::clone(&file)).name(name)).await;
        connection.run("list-roles", json!({})).await.unwrap();
        connection.close().await;
    }
    // Closing waits for two seconds and no longer.
    eventually("both have their record", || fs::read_to_string(folder.file()).unwrap().lines().count() == 2)
        .await;
    let names: Vec<Value> = folder.records().iter().map(|record| record["tenant"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
}

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("auth0-audit-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("audit.ndjson")
    }

    fn records(&self) -> Vec<Value> {
        read(&self.file())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn on(tenant: &OfflineTenant, arguments: &[&str]) -> Command {
    let mut command = auth0_host();
    let emulator = &tenant.emulator;
    command.args(arguments).env("AUTH0_DOMAIN", emulator.domain()).env("AUTH0_BASE_URL", emulator.base_url());
    command.env("AUTH0_CLIENT_ID", emulator.client_id()).env("AUTH0_CLIENT_SECRET", emulator.client_secret());
    command
}

async fn say(mut command: Command) -> Said {
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn the_command_line_appends_to_a_file_that_only_its_owner_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let tenant = OfflineTenant::start().await;
    let folder = Folder::new("cli");
    let file = folder.file().display().to_string();
    let said = say(on(&tenant, &["--audit", &file, "run", "list-roles"])).await;
    assert_eq!(said.code, Some(0), "{said:#?}");
    let mut command = on(&tenant, &["run", "get-user", "user_id=auth0|000000000000000000000000"]);
    command.env("AUTH0_AUDIT", &file);
    assert_eq!(say(command).await.code, Some(1));
    let records = folder.records();
    records.iter().for_each(check_record);
    let outcomes: Vec<&Value> = records.iter().map(|record| &record["outcome"]).collect();
    assert_eq!(outcomes, ["done", "error"]);
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_is_interrupted_leaves_its_record() {
    for signal in ["-INT", "-TERM"] {
        let tenant = OfflineTenant::start().await;
        tenant.control.inject(Fault::new(FaultKind::Delay { ms: 60_000 }).on("GET", "/api/v2/roles"));
        let folder = Folder::new(signal);
        let mut command = on(&tenant, &["--audit", folder.file().to_str().unwrap(), "run", "list-roles"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("the request arrives", || !tenant.seen().is_empty()).await;
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let said: Said =
            tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap().into();
        assert_eq!((said.code, &said.error()["code"]), (Some(130), &json!("interrupted")), "{said:#?}");
        let records = folder.records();
        records.iter().for_each(check_record);
        assert_eq!((records.len(), &records[0]["stopped"]), (1, &json!("closed")), "{signal}: {records:#?}");
    }
}

#[tokio::test]
async fn an_audit_file_that_cannot_be_written_stops_a_command_before_it_does_anything() {
    let tenant = OfflineTenant::start().await;
    let said = say(on(&tenant, &["--audit", "/no/such/folder/audit", "run", "list-roles"])).await;
    assert_eq!((said.code, &said.error()["code"]), (Some(2), &json!("usage")), "{said:#?}");
    assert!(said.err.contains("/no/such/folder/audit"), "{said:#?}");
    assert_eq!(tenant.lines(), [""; 0]);
}
