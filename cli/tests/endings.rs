//! What becomes of secrets and records when a process ends, or would not have the room that it needs.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that failed")]

mod program;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::{self, JoinHandle},
};

use serde_json::Value;

use self::program::{Scratch, Server};

impl Scratch {
    /// Makes a pipe with a name: whoever opens one end waits for the other.
    fn pipe(&self, name: &str) -> String {
        let path = self.0.join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path.to_str().unwrap().to_owned()
    }
}

fn signal(name: &str, process: u32) {
    assert!(
        Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap().success()
    );
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// An application that has a secret and is not the one that acts.
fn application(server: &Server) -> String {
    let output = server.client(&["run", "list-applications"]).output().unwrap();
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    let own = &server.ready["client_id"];
    let is_other = |item: &&Value| item["client_id"] != *own && item["app_type"] == "regular_web";
    let found = page["items"].as_array().unwrap().iter().find(is_other);
    found.unwrap()["client_id"].as_str().unwrap().to_owned()
}

/// A rotation whose sink has been given the secret, and waits until `go` is opened.
struct Rotation {
    process: u32,
    output: JoinHandle<Output>,
    state: PathBuf,
    go: String,
}

impl Rotation {
    fn begin(server: &Server, scratch: &Scratch) -> Self {
        let (asked, go) = (scratch.pipe("asked"), scratch.pipe("go"));
        let script = "cat > /dev/null; echo asked > \"$0\"; cat \"$1\"";
        let sink = serde_json::json!(["/bin/sh", "-c", script, asked, go]).to_string();
        let state = scratch.0.join("state");
        let id = format!("client_id={}", application(server));
        // Both ends, so that opening waits for nobody.
        let mut heard = fs::File::options().read(true).write(true).open(&asked).unwrap();
        let mut command = server.client(&[
            "--policy",
            "unrestricted",
            "--secret-command",
            &sink,
            "run",
            "rotate-client-secret",
            &id,
        ]);
        let child = command
            .env("XDG_STATE_HOME", &state)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (process, mut ended) = (child.id(), heard.try_clone().unwrap());
        let output = thread::spawn(move || {
            let output = child.wait_with_output().unwrap();
            // What never asked must not be waited for.
            ended.write_all(b"ended\n").unwrap();
            output
        });
        let mut word = [0; 6];
        heard.read_exact(&mut word).unwrap();
        let asked = word == *b"asked\n";
        assert!(asked, "{}", String::from_utf8_lossy(&output.join().unwrap().stderr));
        Self { process, output, state, go }
    }
}

/// Guards against what no handler sees: the power button, the memory killer, an orchestrator that lost its patience.
#[test]
fn a_process_that_is_killed_while_the_sink_is_asked_leaves_the_new_secret_on_the_disk() {
    let (server, scratch) = (Server::start(), Scratch::new("killed"));
    let Rotation { process, output, state, go } = Rotation::begin(&server, &scratch);
    signal("KILL", process);
    output.join().unwrap();
    let left = files(&state);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].ends_with("client_secret") && fs::read_to_string(&left[0]).unwrap().len() >= 48);
    // Lets the sink's process end.
    fs::write(go, "").unwrap();
}

#[test]
fn a_terminal_that_is_closed_ends_a_rotation_as_a_request_to_terminate_does() {
    for name in ["HUP", "TERM"] {
        let (server, scratch) = (Server::start(), Scratch::new(&format!("closed-{name}")));
        let Rotation { process, output, state, go } = Rotation::begin(&server, &scratch);
        assert_eq!(files(&state).len(), 1, "until the sink has it");
        signal(name, process);
        fs::write(go, "").unwrap();
        let Output { status, stderr, .. } = output.join().unwrap();
        let error: Value = serde_json::from_slice(&stderr).unwrap();
        assert_eq!((status.code(), &error["error"]["code"]), (Some(130), &"interrupted".into()), "{error}");
        assert_eq!(files(&state), [] as [PathBuf; 0], "the sink has it");
    }
}

#[test]
fn without_a_last_resort_no_secret_is_made() {
    let (server, scratch) = (Server::start(), Scratch::new("no-resort"));
    fs::write(scratch.0.join("state"), "a file").unwrap();
    let (id, folder) = (format!("client_id={}", application(&server)), scratch.0.join("secrets"));
    let folder = folder.to_str().unwrap();
    let mut command = server.client(&[
        "--policy",
        "unrestricted",
        "--secret-dir",
        folder,
        "run",
        "rotate-client-secret",
        &id,
    ]);
    let output = command.env("XDG_STATE_HOME", scratch.0.join("state")).output().unwrap();
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), &error["error"]["code"]),
        (Some(1), &"policy-denied".into()),
        "{error}"
    );
    assert!(error["error"]["message"].as_str().unwrap().contains("state/auth0-host/secrets"), "{error}");
    assert!(!requests(&server).contains("rotate-secret"));
}

/// The routes that the tenant has seen.
fn requests(server: &Server) -> String {
    let authority = server.ready["base_url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let request =
        format!("GET /__emulator/counters HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn with_audit_nothing_is_sent_whose_record_has_no_room() {
    let (server, scratch) = (Server::start(), Scratch::new("no-room"));
    // What wasmtime keeps in files that are memory counts, too, so the limit is one of megabytes.
    const LIMIT: &str = "16384";
    let file = scratch.0.join("audit.ndjson");
    // How long a file may be by it: the shell counts in blocks of its own.
    let probe = format!("ulimit -f {LIMIT}; exec head -c 100000000 /dev/zero > {}", file.display());
    let _ = Command::new("/bin/sh").args(["-c", &probe]).status().unwrap();
    let longest = fs::metadata(&file).unwrap().len();
    // Room for the record of a call that is refused, and for none that might make a hundred requests.
    let line = format!("{}\n", " ".repeat(1023));
    fs::write(&file, line.repeat(usize::try_from(longest / 1024).unwrap() - 8)).unwrap();
    let limited = |limit: &str| {
        let client = server.client(&[]);
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            &format!("ulimit -f {limit}; exec \"$0\" \"$@\""),
            env!("CARGO_BIN_EXE_auth0-host"),
        ]);
        for (name, value) in client.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let arguments =
            ["--no-cache", "--audit", file.to_str().unwrap(), "run", "create-role", "name=auditor"];
        command.args(arguments).stdin(Stdio::null()).output().unwrap()
    };
    let Output { status, stderr, .. } = limited(LIMIT);
    let error: Value = serde_json::from_slice(&stderr).unwrap();
    assert_eq!((status.code(), &error["error"]["code"]), (Some(1), &"policy-denied".into()), "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("no room for the record") && message.contains("ulimit -f"), "{message}");
    assert!(!requests(&server).contains("/api/v2/roles"));
    let records = || {
        let text = fs::read_to_string(&file).unwrap();
        text.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(records().len() == 1 && records()[0].contains("\"denied\""), "{:?}", records());
    let Output { status, stderr, .. } = limited("1000000");
    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&stderr));
    assert!(requests(&server).contains("/api/v2/roles"));
    assert_eq!(records().len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_leaves_no_core_dump() {
    let server = Server::start();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_was_started_to_outlive_its_terminal_goes_on_without_it() {
    use std::io::BufRead as _;
    /// Signal 1 in a mask of `/proc/PID/status`.
    fn hangup(process: u32, mask: &str) -> bool {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix(mask)).unwrap().trim_start_matches(':');
        u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1
    }
    for (first, ignored) in [("trap '' HUP", true), (":", false)] {
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("{first}; exec \"$0\" emulator --json"), env!("CARGO_BIN_EXE_auth0-host")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let found = (hangup(child.id(), "SigIgn"), hangup(child.id(), "SigCgt"));
        signal("TERM", child.id());
        assert_eq!(child.wait().unwrap().code(), Some(0), "it ends in its own way");
        assert_eq!(found, (ignored, !ignored), "{first}");
    }
}
