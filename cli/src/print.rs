//! Printing that survives a reader who leaves, colours only where someone looks, and lets nobody else steer a terminal.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
};

use auth0_host::{Json, printable};

use super::{Failure, pretty};

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
