//! The process as its client sees it: what it prints, and how it ends. The client is the test itself, since those from npm
//! hide both.
//!
//! It waits for lines without giving its thread back, so the tenant needs another one.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use auth0_emulator::{Fault, FaultKind};
use auth0_tests::program::run;
use auth0_tests::{OfflineTenant, eventually, text};
use serde_json::{Value, json};

use super::clients::{Folder, Server, records};

/// A server with the pipes of its client. Killed with the test.
struct Pipes {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
}

/// How long to wait for a message before the test is given up. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads lines until the process closes the pipe.
fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (read, lines) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| read.send(line))
    });
    lines
}

impl Pipes {
    /// Starts it and begins a session.
    fn begin(server: &Server) -> Self {
        Self::begin_with(server, json!({}))
    }

    fn begin_with(server: &Server, capabilities: Value) -> Self {
        let mut command = server.process();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let stdin = process.stdin.take();
        let stdout = lines(process.stdout.take().unwrap());
        let mut pipes = Self { process, stdin, stdout };
        let client = json!({"name": "auth0-tests", "version": "1"});
        let hello =
            json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": client});
        pipes.send(json!({"id": 0, "method": "initialize", "params": hello}));
        assert_eq!(pipes.receive()["result"]["protocolVersion"], "2025-11-25");
        pipes.send(json!({"method": "notifications/initialized"}));
        pipes
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn call(&mut self, id: u32, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments});
        self.send(json!({"id": id, "method": "tools/call", "params": params}));
    }

    fn receive(&mut self) -> Value {
        let line = self.stdout.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no message: {error}"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Waits for its end: the exit code, the messages that were left, and stderr.
    fn end(mut self) -> (Option<i32>, Vec<Value>, String) {
        let mut messages = Vec::new();
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) => messages.push(serde_json::from_str(&line).unwrap()),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end after {messages:?}"),
            }
        }
        let mut errors = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.process.wait().unwrap().code(), messages, errors)
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until the tenant has a request of this method.
async fn has_arrived(tenant: &OfflineTenant, method: &str) {
    eventually("the request arrives", || tenant.seen().iter().any(|request| request.method == method)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_closes_stdin_still_gets_the_answers_and_the_process_ends_well() {
    let tenant = OfflineTenant::start().await;
    let server = Server::of(&tenant, &[]);
    let mut pipes = Pipes::begin(&server);
    pipes.call(1, "list-roles", json!({}));
    pipes.call(2, "list-users", json!({"limit": 1}));
    pipes.stdin = None;
    let (code, mut messages, errors) = tokio::task::spawn_blocking(move || pipes.end()).await.unwrap();
    messages.sort_by_key(|message| message["id"].as_u64());
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let [roles, users] = messages.as_slice() else { panic!("{messages:?}") };
    for answer in [roles, users] {
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }

    let mut process = server.process();
    let said = tokio::task::spawn_blocking(move || run(&mut process)).await.unwrap();
    assert_eq!((said.code, said.all().trim()), (Some(0), ""), "a client that says nothing is no failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_one_question_open_and_sixteen_calls() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user("tom.becker@acme.example");
    let mut pipes =
        Pipes::begin_with(&Server::of(&tenant, &["--write"]), json!({"elicitation": {"form": {}}}));
    for id in 1..=17 {
        pipes.call(id, "delete-user", json!({"user_id": user}));
    }
    let (asked, answered): (Vec<Value>, Vec<Value>) = [pipes.receive(), pipes.receive()]
        .into_iter()
        .partition(|message| message["method"] == "elicitation/create");
    assert_eq!((asked.len(), answered.len()), (1, 1));
    let error = &answered[0]["result"]["structuredContent"]["error"];
    assert_eq!(error["code"], "rate-limited", "{answered:?}");
    // The next question is put when this one is answered.
    pipes.send(json!({"id": asked[0]["id"], "result": {"action": "decline"}}));
    let next = [pipes.receive(), pipes.receive()];
    assert_eq!(
        next.iter().filter(|message| message["method"] == "elicitation/create").count(),
        1,
        "{next:?}"
    );
    assert!(tenant.seen().is_empty(), "{:?}", tenant.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_cancelled_while_it_is_under_way_stops_and_gets_no_answer() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("mcp-cancelled"));
    tenant.control.inject(Fault::new(FaultKind::Delay { ms: 600_000 }).on("GET", "/api/v2/users"));
    let audit = folder.path("audit.jsonl");
    let mut pipes = Pipes::begin(&Server::of(&tenant, &["--audit", &audit]));
    pipes.call(1, "list-users", json!({}));
    has_arrived(&tenant, "GET").await;
    pipes.send(json!({"method": "notifications/cancelled", "params": {"requestId": 1}}));
    pipes.call(2, "list-roles", json!({}));
    let answer = pipes.receive();
    assert_eq!(answer["id"], 2, "the one that was cancelled is not answered");
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    pipes.stdin = None;
    let (code, messages, _) = tokio::task::spawn_blocking(move || pipes.end()).await.unwrap();
    assert_eq!((code, messages), (Some(0), vec![]));
    let stopped = records(&audit).into_iter().find(|record| record["action"] == "list-users").unwrap();
    assert!(stopped["stopped"].is_string(), "{stopped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_it_well_and_a_secret_that_is_being_made_is_put_away_first() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("mcp-signal"));
    let id = tenant.application("Acme Billing");
    tenant
        .control
        .inject(Fault::new(FaultKind::Delay { ms: 10_000 }).on("POST", "/api/v2/clients/").times(1));
    let secrets = folder.path("secrets");
    let policy = folder.rotation_policy();
    let options = ["--policy", &policy, "--write", "--confirm", "never", "--secret-dir", &secrets];
    let mut pipes = Pipes::begin(&Server::of(&tenant, &options));
    pipes.call(1, "rotate-client-secret", json!({"client_id": id}));
    has_arrived(&tenant, "POST").await;
    let process = pipes.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    let (code, messages, errors) = tokio::task::spawn_blocking(move || pipes.end()).await.unwrap();
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    // It was stopped, and says so.
    assert_eq!(messages[0]["result"]["structuredContent"]["error"]["code"], "host", "{messages:?}");
    let file = format!("{secrets}/{}/clients/{id}/client_secret", tenant.emulator.domain());
    assert_eq!(
        fs::read_to_string(file).unwrap(),
        text(&tenant.control.client(&id).unwrap(), "client_secret")
    );
}

#[tokio::test]
async fn a_secret_that_the_sink_does_not_take_is_not_lost_and_the_agent_does_not_see_it() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("mcp-sink"));
    let id = tenant.application("Acme Billing");
    let policy = folder.rotation_policy();
    let options = ["--policy", &policy, "--write", "--confirm", "never", "--secret-command", "false"];
    let server = Server::of(&tenant, &options).env("XDG_STATE_HOME", &folder.path("state"));
    let session =
        server.calls(None, json!([{"tool": "rotate-client-secret", "arguments": {"client_id": id}}])).await;
    let secret = text(&tenant.control.client(&id).unwrap(), "client_secret").to_owned();
    // The call went well, and says so: whoever takes it for failed makes one more secret.
    let result = session.content(0);
    let handle = text(result, "client_secret");
    assert!(handle.starts_with("auth0-secret://"), "{result}");
    assert_eq!(
        (text(&result["warning"], "code"), &result["warning"]["secrets"]),
        ("done-do-not-repeat", &json!([handle]))
    );
    let told = session.0["stderr"].as_str().unwrap();
    let file = told
        .split("it is in ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap_or_else(|| panic!("{told}"));
    assert_eq!(fs::read_to_string(file).unwrap(), secret);
    assert!(!session.0.to_string().contains(&secret));
    assert!(
        !session.result(0).to_string().contains(&folder.path("state")),
        "the place is for the person only"
    );
}
