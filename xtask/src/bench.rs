//! The benchmark.

use std::env::consts::EXE_SUFFIX;
use std::process::{Command, ExitCode};

use anyhow::Result;
use xtask::peers;

use crate::workspace::Workspace;
use crate::{host, process};

/// Asks for a comparison with Auth0's SDKs.
const PEERS: &str = "--peers";

/// Build host and benchmark as they ship, with the component that the repository carries, then become `auth0-bench ARGS`.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let packages = ["--package", "auth0-host-cli", "--package", "auth0-bench", "--bins", "--release"];
    let program = host::build_with(workspace, &packages)?;
    let mut bench = Command::new(program.with_file_name(format!("auth0-bench{EXE_SUFFIX}")));
    bench.args(args.iter().filter(|word| *word != PEERS)).arg("--program").arg(program);
    if args.iter().any(|word| word == PEERS) {
        process::say("installing Auth0's SDKs for Node.js and Python, once");
        bench.arg("--node").arg(peers::node(workspace.root(), peers::SDKS)?);
        bench.arg("--python").arg(peers::python(workspace.root(), peers::SDKS)?);
    }
    process::become_command(&mut bench)
}
