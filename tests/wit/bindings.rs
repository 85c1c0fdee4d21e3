//! Bindings of other languages, made from the package that is published and compiled with code that uses them.

mod c;
mod python;
mod typescript;

use std::process::{Command, Stdio};

use xtask::contract::{CONNECTOR, PLUGIN};

/// The worlds that others bind.
const WORLDS: [&str; 2] = [PLUGIN, CONNECTOR];

/// Reports that a test cannot be done on this machine. In CI nothing is left out unnoticed.
fn skip(what: &str, why: &str) {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    assert!(!ci, "{what} must be tested in CI: {why}");
    eprintln!("SKIPPED: {what}: {why}");
}

/// Runs a compiler, which must find nothing to complain of.
fn compile(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, said.join("\n"));
}
