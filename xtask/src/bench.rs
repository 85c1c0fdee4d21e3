//! The benchmark.

use std::env::consts::EXE_SUFFIX;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{component, host, process};

/// Build component, host and benchmark, then become `auth0-bench ARGS`.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    component::build(workspace)?;
    let packages = ["--package", "auth0-host-cli", "--package", "auth0-bench"];
    let program = host::build_with(workspace, &[&packages[..], &["--bins"]].concat())?;
    let mut bench = Command::new(program.with_file_name(format!("auth0-bench{EXE_SUFFIX}")));
    bench.args(args).arg("--program").arg(program);
    process::become_command(&mut bench)
}
