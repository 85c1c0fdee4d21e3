//! `run --interactive` on a real pseudo-terminal, as a person uses it.
//!
//! The terminal is made by `script` of util-linux, which every Linux distribution has; its flags differ elsewhere.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use auth0_tests::program::{auth0_host, root, run};
use auth0_tests::{DATABASE, OfflineTenant, PASSWORD};
use serde_json::{Value, json};

/// How long to wait for a word on the screen before the test is given up. Nothing is measured by it.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

const BACKSPACE: &str = "\x7f";
const CTRL_C: &str = "\x03";
const ESC: &str = "\x1b";

/// A command on a terminal of its own; its standard output goes into a file, as in a shell's `>`.
struct Session {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
    /// How much of the screen has been looked at.
    read: usize,
    out: PathBuf,
}

impl Session {
    fn start(tenant: &OfflineTenant, name: &str, arguments: &[&str]) -> Self {
        let out = std::env::temp_dir().join(format!("auth0-tests-{}-interactive-{name}", std::process::id()));
        let host = auth0_host();
        let mut words = vec![host.get_program().to_string_lossy().into_owned()];
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        // The size that a terminal of a person has; a new pseudo-terminal has none.
        let line = format!("stty cols 120 rows 50 && exec {} > '{}'", line.join(" "), out.display());
        let mut command = Command::new("script");
        // As `auth0_host` has it.
        command.current_dir(root());
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        for (name, value) in host.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let emulator = &tenant.emulator;
        command
            .env("TERM", "xterm")
            .env("AUTH0_DOMAIN", emulator.domain())
            .env("AUTH0_BASE_URL", emulator.base_url())
            .env("AUTH0_CLIENT_ID", emulator.client_id())
            .env("AUTH0_CLIENT_SECRET", emulator.client_secret())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("`script` of util-linux is installed");
        let keys = child.stdin.take().expect("it is piped");
        let mut output = child.stdout.take().expect("it is piped");
        let screen = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&screen);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { child, keys, screen, reader, read: 0, out }
    }

    /// Waits until the screen shows this after what was waited for before.
    fn sees(&mut self, wanted: &str) -> &mut Self {
        let begun = Instant::now();
        loop {
            // The reader is done where nothing more can come; whoever asks after looking would miss the last words.
            let ended = self.reader.is_finished();
            let screen = self.screen.lock().unwrap().clone();
            if let Some(found) = screen.get(self.read..).and_then(|news| news.find(wanted)) {
                self.read += found + wanted.len();
                return self;
            }
            assert!(
                !ended && begun.elapsed() < SESSION_TIMEOUT,
                "no `{wanted}` after the first {} bytes of {screen}",
                self.read
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn types(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self
    }

    fn answers(&mut self, question: &str, answer: &str) -> &mut Self {
        self.sees(question).types(answer).types("\r")
    }

    /// Waits for the end: exit code, everything that was on the screen, and standard output.
    fn end(mut self) -> (Option<i32>, String, String) {
        let code = self.child.wait().unwrap().code();
        drop(self.keys);
        self.reader.join().unwrap();
        let out = fs::read_to_string(&self.out).unwrap_or_default();
        let _ = fs::remove_file(&self.out);
        (code, self.screen.lock().unwrap().clone(), out)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_again_after_a_wrong_value_completes_by_tab_and_creates_a_user() {
    let tenant = OfflineTenant::start().await;
    let mut session = Session::start(&tenant, "create", &["run", "create-user", "--interactive"]);
    session.answers("connection:", DATABASE);
    session.sees("another field?").types("bl\t").sees("blocked").types("\r");
    session.answers("blocked:", "maybe").sees("one of true, false");
    session.types(&BACKSPACE.repeat(5)).types("f\t").sees("false").types("\r");
    session.answers("another field?", "colour").sees("no such field");
    session.types(&BACKSPACE.repeat(6)).types("email\r");
    session.answers("email:", "ana.interactive@acme.example");
    session.answers("another field?", "user_metadata").answers("user_metadata:", r#"{"plan": "pro"}"#);
    session.answers("another field?", "password").answers("password:", PASSWORD);
    session.answers("another field?", "");
    session.sees("auth0-host run create-user").sees("do it?").types("y\r");
    let (code, screen, out) = session.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains(PASSWORD), "a password is not echoed: {screen}");
    assert!(screen.contains("--input @FILE"), "nor is it in the command: {screen}");
    let user: Value = serde_json::from_str(&out).expect("the result is alone on stdout");
    assert_eq!(user["email"], "ana.interactive@acme.example");
    assert_eq!(tenant.lines(), ["POST /api/v2/users"]);
    let body = tenant.only().body.unwrap();
    assert_eq!(body["blocked"], json!(false));
    assert!(body.get("password").is_some(), "the tenant got one, and masks it: {body}");
    assert_eq!(body["user_metadata"], json!({"plan": "pro"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_has_sent_nothing() {
    let tenant = OfflineTenant::start().await;
    let given = &["run", "delete-user", "user_id=auth0|507f1f77bcf86cd799439011", "--interactive"];
    let missing = &["run", "delete-user", "--interactive"];
    for (name, arguments, question, keys) in [
        ("no", &given[..], "do it?", "n\r"),
        ("enter", given, "do it?", "\r"),
        ("interrupt", given, "do it?", CTRL_C),
        ("escape", missing, "user_id:", ESC),
        ("early", missing, "user_id:", CTRL_C),
    ] {
        let mut session = Session::start(&tenant, name, arguments);
        session.sees(question).types(keys);
        let (code, screen, out) = session.end();
        assert_eq!((code, out.as_str()), (Some(130), ""), "{name}: {screen}");
        assert!(screen.contains("nothing was sent"), "{name}: {screen}");
    }
    assert!(tenant.control.requests().is_empty(), "not even a token was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_is_not_asked_for_and_a_read_needs_no_confirmation() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let pair = format!("user_id={id}");
    let mut session = Session::start(&tenant, "read", &["-v", "run", "get-user", &pair, "--interactive"]);
    session
        .answers("another field?", "fields")
        .answers("fields:", "email,name")
        .answers("another field?", "");
    let (code, screen, out) = session.end();
    assert_eq!(code, Some(0), "{screen}");
    let command = format!("auth0-host -v run get-user user_id='{id}' fields=email,name");
    assert!(screen.contains(&command), "{command} in {screen}");
    assert!(!screen.contains("user_id:") && !screen.contains("do it?"), "{screen}");
    let user: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(user["email"], "mira.olsen@acme.example");
    assert!(tenant.only().query.unwrap().contains("fields=email"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_refuses_is_not_asked_for() {
    let tenant = OfflineTenant::start().await;
    // The example lets nobody be deleted.
    let arguments = ["--policy", "examples/policy.toml", "run", "delete-user", "--interactive"];
    let (code, screen, _) = Session::start(&tenant, "denied", &arguments).end();
    assert_eq!(code, Some(1), "{screen}");
    assert!(screen.contains(r#""code":"policy-denied""#) && !screen.contains("user_id:"), "{screen}");
    assert!(tenant.control.requests().is_empty());
}

#[test]
fn without_a_terminal_it_is_refused_with_what_to_do() {
    for (arguments, hint) in [
        (&["--emulator", "run", "get-user", "--interactive"][..], "KEY=VALUE"),
        (&["--emulator", "run", "get-user", "--interactive", "--input", "-"], "stdin"),
    ] {
        let said = run(auth0_host().args(arguments));
        assert_eq!((said.code, &said.error()["code"]), (Some(2), &json!("usage")), "{said:#?}");
        assert!(said.err.contains(hint), "{said:#?}");
    }
}
