//! The host's command line, built where cargo puts it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

const PROGRAM: &str = "auth0-host";

/// Build `auth0-host` and answer where it is. Options of cargo choose the profile, the target and what is built with it.
pub(crate) fn build(workspace: &Workspace, options: &[String]) -> Result<PathBuf> {
    process::say("building the host");
    let mut cargo = workspace.cargo("build");
    cargo
        // Cargo gives a dependency the features that all it builds asks for. With the whole workspace, and one test so
        // that the tests' dependencies count too, these are the features that `cargo test` gives: else wasmtime would
        // be built twice.
        .args(["--quiet", "--workspace", "--bin", PROGRAM, "--test", "host"])
        .arg("--message-format=json-render-diagnostics")
        .args(options)
        .stderr(Stdio::inherit());
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
