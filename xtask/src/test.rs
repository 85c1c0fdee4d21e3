//! The whole test suite.

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{component, process, wasmtime};

/// Where the tests find the wasmtime command line.
const WASMTIME: &str = "AUTH0_WASMTIME";

/// Build what the tests need, then become `cargo test ARGS`, over the whole workspace unless ARGS name packages.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    component::build(workspace)?;
    let program = wasmtime::install(workspace)?;
    process::say("running the tests");
    let mut cargo = workspace.cargo();
    cargo.arg("test");
    if !names_packages(args) {
        cargo.arg("--workspace");
    }
    cargo.args(args).env(WASMTIME, program);
    process::become_command(&mut cargo)
}

fn names_packages(args: &[String]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| {
        arg == "--workspace"
            || arg == "--package"
            || arg.starts_with("--package=")
            || (arg.starts_with("-p") && !arg.starts_with("--"))
    })
}

#[cfg(test)]
mod tests {
    use super::names_packages;

    #[test]
    fn packages_named_by_the_caller_replace_the_whole_workspace() {
        let named = |line: &str| names_packages(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(named("-p auth0-tests --test errors"));
        assert!(named("-pauth0-tests"));
        assert!(named("--package=auth0-tests"));
        assert!(named("--workspace --lib"));
        assert!(!named("--test errors"));
        assert!(!named("a_test_name -- -p"));
    }
}
