//! Components of others: what compiling them may cost, and where it is done.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that failed")]

mod program;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use self::program::Scratch;

/// The build that the library carries, as a file that nobody vouches for.
const CONNECTOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../embedded-component/auth0.wasm");

impl Scratch {
    fn component(&self, text: &str) -> String {
        let path = self.0.join("component.wasm");
        fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn entries(&self, folder: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.0.join(folder)).into_iter().flatten();
        files.map(|file| file.unwrap().path()).collect()
    }
}

/// Runs the command at a shell, after another one of the shell.
fn run(first: &str, scratch: &Scratch, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{first}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_auth0-host")]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AUTH0_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).env("AUTH0_CACHE", scratch.0.join("code"));
    let temporary = scratch.0.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let output = command.env("TMPDIR", temporary).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn message(stderr: &str) -> String {
    let error: Value = serde_json::from_str(stderr).unwrap();
    error["error"]["message"].as_str().unwrap().to_owned()
}

/// A component that passes for the connector by its exports, around core modules.
fn connector(modules: &str) -> String {
    format!("(component {modules} (instance $i) (export \"connector:auth0/actions@0.2.0\" (instance $i)))")
}

#[test]
fn a_component_that_nobody_vouches_for_is_compiled_once_and_its_code_kept() {
    let scratch = Scratch::new("compile-kept");
    let list = |arguments: &[&str]| run(":", &scratch, arguments);
    let built_in = list(&["actions", "roles"]);
    assert_eq!(scratch.entries("code").len(), 1);
    fs::remove_dir_all(scratch.0.join("code")).unwrap();
    assert_eq!(list(&["--component", CONNECTOR, "actions", "roles"]), built_in);
    let kept = scratch.entries("code");
    assert_eq!(kept.len(), 1, "the built-in one's code is the same");
    let made = fs::metadata(&kept[0]).unwrap().modified().unwrap();
    assert_eq!(list(&["--component", CONNECTOR, "actions", "roles"]), built_in);
    assert_eq!(fs::metadata(&kept[0]).unwrap().modified().unwrap(), made);
}

#[test]
fn without_a_cache_nothing_is_left_of_a_component() {
    let scratch = Scratch::new("compile-uncached");
    for options in [&["--no-cache"][..], &[]] {
        // A cache that cannot be used costs time and nothing else.
        fs::write(scratch.0.join("code"), "a file").unwrap();
        let (code, stdout, stderr) =
            run(":", &scratch, &[options, &["--component", CONNECTOR, "actions", "roles"]].concat());
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert!(stdout.contains("create-role"), "{stdout}");
        assert_eq!(scratch.entries("tmp"), [] as [PathBuf; 0]);
    }
}

/// Guards the program against components that were written for the compiler, and stay below what is refused at once.
#[test]
fn a_component_that_takes_a_compiler_long_is_stopped_and_the_program_says_so() {
    let scratch = Scratch::new("compile-long");
    let body = "local.get 0 i64.const 3 i64.mul local.set 0 ".repeat(20_000);
    let function = format!("(func (param i64) {body})");
    let file = scratch.component(&connector(&format!("(core module {})", function.repeat(30))));
    let arguments = ["--component", &file, "--emulator", "run", "list-users"];
    let (code, stdout, stderr) = run("ulimit -t 2", &scratch, &arguments);
    assert_eq!((code, stdout.as_str()), (Some(3), ""), "{stderr}");
    let message = message(&stderr);
    assert!(message.contains("compiling it took more than 2 s of processor time"), "{message}");
    assert_eq!(scratch.entries("code").len() + scratch.entries("tmp").len(), 0, "nothing is left of it");
}

#[test]
fn what_would_take_a_compiler_long_is_refused_before_a_compiler_sees_it() {
    let scratch = Scratch::new("compile-refused");
    // A tenth of a megabyte that occupies cranelift for minutes: each local is a value of each of the loops around its use.
    let (locals, deep) = ("i64 ".repeat(3_000), 900);
    let mut uses = String::new();
    for local in 0..3_000 {
        uses += &format!("local.get {local} i64.const 1 i64.add local.set {local} ");
    }
    let loops = format!("{}{uses}br 0 {}", "loop ".repeat(deep), "end ".repeat(deep));
    let file = scratch.component(&connector(&format!("(core module (func (local {locals}) {loops}))")));
    for arguments in [
        &["--component", &file, "--emulator", "run", "list-users"][..],
        &["--component", &file, "--emulator", "--no-cache", "run", "list-users"],
    ] {
        // A child would be heard of by its own end.
        let (code, _, stderr) = run("ulimit -t 2", &scratch, arguments);
        assert_eq!(code, Some(3), "{stderr}");
        assert!(message(&stderr).contains("4000000 locals times blocks of a function"), "{stderr}");
    }
    for command in [&["manifest"][..], &["doctor"]] {
        let (code, stdout, stderr) =
            run(":", &scratch, &[&["--emulator", "--component", &file], command].concat());
        assert!(matches!(code, Some(1 | 3)), "{command:?}: {stderr}");
        assert!(format!("{stdout}{stderr}").contains("locals times blocks"), "{command:?}: {stdout}{stderr}");
    }
}

#[test]
fn what_a_component_is_called_cannot_steer_a_terminal() {
    let scratch = Scratch::new("compile-terminal");
    // The format knows names of other letters only; a custom section has any.
    let hostile = "(@custom \"version\" \"1\\1b[2J\\nsize 0\\e2\\80\\ae\")";
    let text = connector(&format!("{hostile} (core module)"));
    let (_, stdout, stderr) = run(":", &scratch, &["--component", &scratch.component(&text), "manifest"]);
    let shown = format!("{stdout}{stderr}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}']) && !shown.contains("\nsize 0"), "{shown}");
}
