//! Printing that survives a reader who leaves, colours only where someone looks, and lets nobody else steer a terminal.
//!
//! The one way to stdout and stderr: clippy refuses others (`clippy.toml`). Texts of components and tenants become part of
//! a line by [`line()`], so that they do not make up lines of their own.
#![expect(clippy::disallowed_methods, reason = "what is written here is escaped here")]

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
};

use auth0_host::{Json, printable};

use super::{Failure, pretty};

pub(crate) use auth0_host::printable::line;

/// Escapes a text for people; its lines and this program's own styles stay.
pub(crate) fn escaped(text: &str) -> String {
    printable::lines(text, &[BOLD, DIM, RESET])
}

/// Prints a text for people to stdout.
pub(crate) fn stdout(text: &str) -> Result<(), Failure> {
    bytes(escaped(text).as_bytes())
}

/// Prints what this program made for another one, such as a script for a shell, to stdout as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritten)
}

/// Prints lines for people to stderr. Whoever closed it does not want to know.
pub(crate) fn stderr(lines: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{}", escaped(&lines.to_string()));
}

/// Overwrites the line that a terminal is at: with a text, or with nothing.
pub(crate) fn overwrite(text: &str) {
    let mut stderr = io::stderr().lock();
    // Whoever closed it does not want to know.
    let _ = write!(stderr, "\r\x1b[K{}", line(text)).and_then(|()| stderr.flush());
}

/// Gives a terminal back after questions: pastes are no longer bracketed, and the cursor is seen again.
pub(crate) fn restore_terminal() {
    let _ = io::stderr().lock().write_all(b"\x1b[?2004l\x1b[?25h");
}

/// Whether somebody looks at stderr.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Stderr for a log, which writes each event at once.
#[derive(Debug)]
pub(crate) struct Log;

impl io::Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        writeln!(io::stderr().lock(), "{}", line(text.strip_suffix('\n').unwrap_or(&text)))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Prints the result of an action to stdout, indented and with its digits.
pub(crate) fn result(result: &Json) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written =
        pretty::write(result, &mut out).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(unwritten)
}

fn unwritten(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
        _ => Failure::Afterwards(anyhow::Error::new(error).context("stdout could not be written")),
    }
}

/// Prints a value to stdout as one line of JSON.
pub(crate) fn json_line(value: &serde_json::Value) -> Result<(), Failure> {
    bytes(format!("{}\n", printable::json(&value.to_string())).as_bytes())
}

/// Prints a value to stdout as JSON, indented: people read it as it is, programs do not mind.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Host(error.into()))?;
    bytes(format!("{}\n", printable::json(&text)).as_bytes())
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Styles for stdout; empty where it is no terminal or `NO_COLOR` is set (<https://no-color.org>).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Styles {
    bold: &'static str,
    dim: &'static str,
    reset: &'static str,
}

impl Styles {
    /// Looks at stdout and the environment.
    pub(crate) fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if wanted && !dumb && io::stdout().is_terminal() {
            Self { bold: BOLD, dim: DIM, reset: RESET }
        } else {
            Self::default()
        }
    }

    /// Makes a heading or a name stand out.
    pub(crate) fn bold(self, text: &str) -> String {
        format!("{}{text}{}", self.bold, self.reset)
    }

    /// Makes a remark step back.
    pub(crate) fn dim(self, text: &str) -> String {
        format!("{}{text}{}", self.dim, self.reset)
    }
}
