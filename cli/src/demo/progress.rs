//! What somebody who waits gets to see, on standard error.

use std::cell::Cell;

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
        Self { terminal: print::stderr_is_terminal(), open: Cell::new(false) }
    }

    /// Shows a step that begins.
    pub(crate) fn running(&self, step: &str) {
        if self.terminal {
            // Longer lines would wrap, and only their last part would be overwritten.
            let step: String = print::line(step).chars().take(70).collect();
            print::overwrite(&format!("  … {step}"));
            self.open.set(true);
        }
    }

    /// Prints what is finished.
    pub(crate) fn done(&self, line: &str) {
        self.clear();
        print::stderr(format_args!("{line}"));
    }

    /// Takes the running step away.
    pub(crate) fn clear(&self) {
        if self.open.replace(false) {
            print::overwrite("");
        }
    }
}
