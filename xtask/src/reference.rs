//! The reference of the actions, `docs/actions.md`, written from what the component says of itself.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// Write the file.
pub(crate) fn write(workspace: &Workspace) -> Result<ExitCode> {
    bail!("not there yet in {}", workspace.root().display())
}

/// Compare the file with what would be written.
pub(crate) fn check(workspace: &Workspace) -> Result<ExitCode> {
    write(workspace)
}
