//! What somebody who waits gets to see, on standard error.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};

use auth0_host::printable;

use crate::print;

/// Shows what runs. On a terminal the running step is shown in one line that the next one overwrites; elsewhere only
/// what is finished is told, line by line.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    /// Whether the last line on the terminal is a running step.
    open: Cell<bool>,
}

impl Progress {
    /// Looks where standard error goes.
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), open: Cell::new(false) }
    }

    /// Shows a step that begins.
    pub(crate) fn running(&self, step: &str) {
        if self.terminal {
            // Longer lines would wrap, and only their last part would be overwritten.
            let step: String = printable::line(step).chars().take(70).collect();
            self.write(&format!("\r\x1b[K  … {step}"));
            self.open.set(true);
        }
    }

    /// Prints what is finished.
    pub(crate) fn done(&self, line: &str) {
        self.clear();
        self.write(&format!("{}\n", print::escaped(line)));
    }

    /// Takes the running step away.
    pub(crate) fn clear(&self) {
        if self.open.replace(false) {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // Whoever closed standard error does not want to know.
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }
}
