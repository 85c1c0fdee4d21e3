//! The demo: the main job, on the offline tenant.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{component, host, process};

/// Build the component, then become `auth0-host --emulator demo ARGS`.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    component::build(workspace)?;
    let mut demo = Command::new(host::build(workspace)?);
    demo.args(["--emulator", "demo"]).args(args);
    process::become_command(&mut demo)
}
