//! The command line as a shell sees it: what is on which stream, and how it ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that failed")]

mod program;

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use self::program::{Server, auth0_host, run};

#[test]
fn a_result_is_json_on_stdout_and_nothing_is_on_stderr() {
    let (code, stdout, stderr) = run(&["--emulator", "run", "list-users", "limit=1"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["items"].as_array().unwrap().len(), 1);
}

/// That the second start loads and does not compile is shown in `host.rs`; here, that the command asks for it.
#[cfg(unix)]
#[test]
fn compiled_code_is_kept_for_the_next_start_unless_that_is_switched_off() {
    let scratch = std::path::PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/own-code"));
    let _ = std::fs::remove_dir_all(&scratch);
    let entries = || -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
        let Ok(files) = std::fs::read_dir(&scratch) else { return Vec::new() };
        files
            .map(|file| file.unwrap().path())
            .map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap()))
            .collect()
    };
    let list = |options: &[&str], cache: &std::path::Path| {
        let mut command = auth0_host(options);
        let output = command.args(["actions", "roles"]).env("AUTH0_CACHE", cache).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let compiled = list(&["--no-cache"], &scratch);
    assert_eq!(list(&[], std::path::Path::new("off")), compiled);
    assert_eq!(entries(), [], "nothing is kept where that is switched off");
    assert_eq!(list(&[], &scratch), compiled);
    let kept = entries();
    assert_eq!(kept.len(), 1);
    assert_eq!(list(&[], &scratch), compiled);
    assert_eq!(entries(), kept, "the second start wrote nothing");
    std::fs::write(&kept[0].0, "damaged").unwrap();
    assert_eq!(list(&[], &scratch), compiled, "a damaged entry is no error");
    assert!(entries()[0].0.metadata().unwrap().len() > 1000, "it was replaced");
}

#[test]
fn an_error_is_one_line_of_json_on_stderr_and_the_code_says_whose_it_is() {
    for (arguments, code, kind) in [
        (&["--emulator", "run", "get-user", "user_id=auth0|nobody"][..], 1, "not-found"),
        (&["--emulator", "run", "get-user"], 2, "invalid-input"),
        (&["--emulator", "run", "get-usr"], 2, "usage"),
        (&["--emulator", "run", "get-user", "user_id"], 2, "usage"),
        (&["--emulator", "run", "list-users", "--domain", "acme.auth0.com"], 2, "usage"),
        (&["run"], 2, "usage"),
        (&["run", "get-user", "--token", "hunter2"], 2, "usage"),
        (&["--nonsense", "run", "get-user"], 2, "usage"),
        (&["run", "get-user", "user_id=auth0|1"], 2, "usage"),
        (&["--domain", "https://acme.auth0.com", "run", "get-user"], 2, "usage"),
        (&["--component", "/dev/null", "run", "get-user"], 3, "host"),
        (&["--component", "/no/such/file", "run", "get-user"], 3, "host"),
    ] {
        let (found, stdout, stderr) = run(arguments);
        assert_eq!((found, stdout.as_str()), (Some(code), ""), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(serde_json::from_str::<Value>(&stderr).unwrap()["error"]["code"], kind, "{stderr}");
    }
}

#[test]
fn verbose_tells_each_request_and_no_secret() {
    let server = Server::start();
    let mut command = server.client(&["-v", "run", "list-users", "q=email:jane@acme.example"]);
    let Output { stdout, stderr, .. } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(
        stderr.starts_with("GET ")
            && stderr.contains("/api/v2/users?q&search_engine&page&per_page&include_totals → 200"),
        "{stderr}"
    );
    let secret = server.ready["client_secret"].as_str().unwrap();
    assert!(!format!("{stdout}{stderr}").contains(secret));
    assert!(!stderr.contains("jane"), "values of a query may be about persons: {stderr}");
}

#[test]
fn an_input_can_come_from_stdin() {
    use std::io::Write as _;
    let mut command = auth0_host(&["--emulator", "run", "list-users", "--input", "-", "limit=1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"limit\": 3, \"include_totals\": true}").unwrap();
    let output = child.wait_with_output().unwrap();
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "a pair goes over the input");
    assert!(page["total"].is_u64());
}

#[test]
fn a_reader_who_leaves_early_causes_no_panic() {
    let mut child = auth0_host(&["actions"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn actions_and_descriptions_are_there_for_programs_too() {
    let (code, stdout, _) = run(&["actions", "--json", "roles"]);
    let actions: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &actions[0]["group"]), (Some(0), &json!("roles")));
    let (_, stdout, _) = run(&["describe", "create-user", "--json"]);
    let description: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&description["effect"], &description["input_schema"]["type"]),
        (&json!("create"), &json!("object"))
    );
    let (_, text, _) = run(&["describe", "create-user"]);
    assert!(text.contains("create:users") && !text.contains('\x1b'), "{text}");
}

#[test]
fn several_actions_are_described_by_one_process() {
    let (code, stdout, _) = run(&["describe", "get-user", "create-user", "--json"]);
    let described: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, described.as_array().unwrap().len()), (Some(0), 2));
    assert_eq!((&described[0]["id"], &described[1]["id"]), (&json!("get-user"), &json!("create-user")));
    let (_, listed, _) = run(&["actions", "--json"]);
    let (_, all, _) = run(&["describe", "--all", "--json"]);
    let ids = |text: &str| -> Vec<Value> {
        let all: Vec<Value> = serde_json::from_str(text).unwrap();
        all.iter().map(|action| action["id"].clone()).collect()
    };
    assert_eq!(ids(&all), ids(&listed), "in the order of the list");
    let (code, stdout, stderr) = run(&["describe", "get-user", "get-usr"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "nothing is told by halves");
    assert!(stderr.contains("get-usr"), "{stderr}");
}

#[test]
fn help_and_the_version_are_text_on_stdout_and_misuse_of_others_is_text_on_stderr() {
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(stdout.starts_with("Run") || stdout.starts_with("auth0-host "), "{stdout}");
    }
    for arguments in [&[][..], &["describe"], &["--emulator", "actions", "--domain", "acme.auth0.com"]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains("Usage:") && !stderr.starts_with('{'), "{stderr}");
    }
}

#[test]
fn the_version_names_the_features_that_are_in() {
    let (_, stdout, _) = run(&["--version"]);
    let named = stdout.trim_end().split_once(" (").map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let features =
        [("smtp", cfg!(feature = "smtp")), ("ses", cfg!(feature = "ses")), ("otlp", cfg!(feature = "otlp"))];
    let expected: Vec<_> = features.into_iter().filter(|(_, is_in)| *is_in).map(|(name, _)| name).collect();
    assert_eq!(named, expected.join(", "), "{stdout}");
    assert!(stdout.starts_with(&format!("auth0-host {}", env!("CARGO_PKG_VERSION"))), "{stdout}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_with_130_and_says_that_its_outcome_is_unknown() {
    // Accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command =
        auth0_host(&["--domain", "acme.auth0.com", "--base-url", &url, "run", "create-role", "name=x"]);
    let child =
        command.env("AUTH0_TOKEN", "t").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let connection = silent.accept().unwrap();
    interrupt(child.id());
    let output = child.wait_with_output().unwrap();
    drop(connection);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &error["error"]["code"]), (Some(130), &json!("interrupted")));
    assert!(error["error"]["message"].as_str().unwrap().contains("create-role"));
}

#[cfg(unix)]
fn interrupt(process: u32) {
    assert!(Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap().success());
}
