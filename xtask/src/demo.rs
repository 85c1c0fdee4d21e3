//! The demo: the main job, on the offline tenant.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{host, process};

/// What it runs of the host's command line, as its help says.
pub(crate) const COMMAND: &str = "--emulator demo";

/// Build the program, with the component that the repository carries, then become `auth0-host --emulator demo ARGS`.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let mut demo = Command::new(host::build(workspace)?);
    demo.args(COMMAND.split(' ')).args(args);
    process::become_command(&mut demo)
}

#[cfg(test)]
mod tests {
    use super::COMMAND;
    use crate::COMMANDS;

    #[test]
    fn the_help_says_what_the_demo_runs() {
        assert!(COMMANDS.contains(&format!("`auth0-host {COMMAND}`")), "{COMMANDS}");
    }
}
