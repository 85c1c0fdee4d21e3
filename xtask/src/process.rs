//! Child processes: run them, say what failed, and get out of their way.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

/// Tell the reader, in one line, what happens next.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Run a command whose output the reader sees: on standard error, since a step on the way to `bench --json` must not
/// print into its object.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", name(command));
    }
    Ok(())
}

/// Run a command and take what it prints; its standard error goes into the error, unless the reader sees it.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", name(command)))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", name(command), output.status, reason.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed something not UTF-8", name(command)))
}

/// Become the command, so that Ctrl-C and the exit code are its own.
#[cfg(unix)]
pub(crate) fn become_command(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", name(command)))
}

/// Run the command as the last thing this process does, and pass its exit code on.
#[cfg(not(unix))]
pub(crate) fn become_command(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot start {}", name(command)))?;
    Ok(match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => ExitCode::from(code),
        None => ExitCode::FAILURE,
    })
}

fn name(command: &Command) -> String {
    let mut name = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        name.push(' ');
        name.push_str(&arg.to_string_lossy());
    }
    format!("`{name}`")
}
