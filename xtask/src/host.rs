//! The host's command line, built where cargo puts it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

const PROGRAM: &str = "auth0-host";

/// The feature that only the tests ask for: what a collector gets.
pub(crate) const FOR_TESTS: [&str; 2] = ["--features", "auth0-host-cli/otlp"];

/// Build `auth0-host` as it ships, and answer where it is.
///
/// Cargo gives a dependency the features that all it builds together asks for. So the program is built alone: with the
/// whole workspace it would have what only tests and tools need.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    build_with(workspace, &["--package", "auth0-host-cli", "--bin", PROGRAM])
}

/// Build `auth0-host` for the tests. With the whole workspace, and one test so that the tests' dependencies count too,
/// these are the features that `cargo test` gives: else all that is built of wasmtime would be built once more.
pub(crate) fn build_for_tests(workspace: &Workspace, options: &[String]) -> Result<PathBuf> {
    let mut all = vec!["--workspace", "--bin", PROGRAM, "--test", "host"];
    all.extend(FOR_TESTS);
    all.extend(options.iter().map(String::as_str));
    build_with(workspace, &all)
}

/// Build it with these options of cargo.
pub(crate) fn build_with(workspace: &Workspace, options: &[&str]) -> Result<PathBuf> {
    process::say("building the host: from nothing it takes some minutes, of which cargo tells as it goes");
    let mut cargo = workspace.cargo("build");
    cargo.arg("--message-format=json-render-diagnostics").args(options).stderr(Stdio::inherit());
    executable(&process::output(&mut cargo)?).context("cargo built no auth0-host")
}

/// Find the program in what cargo says: a folder that is put together by rules would miss some of cargo's settings.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message.pointer("/target/name")?.as_str()?;
        let path = message.get("executable")?.as_str()?;
        (name == PROGRAM).then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"auth0_host"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/debug/other"}
not json
{"reason":"compiler-artifact","target":{"name":"auth0-host"},"executable":"/t/release/auth0-host"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/release/auth0-host")));
        assert_eq!(executable(r#"{"reason":"build-finished","success":false}"#), None);
    }
}
