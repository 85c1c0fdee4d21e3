//! The demo: the main job, on the offline tenant.

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{component, process};

/// Build the component, then become `auth0-host --emulator demo ARGS`.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    component::build(workspace)?;
    process::say("building the host and running the demo");
    let mut cargo = workspace.cargo_here("run");
    cargo.args(["--quiet", "--package", "auth0-host", "--", "--emulator", "demo"]).args(args);
    process::become_command(&mut cargo)
}
