//! The terminal that questions are asked on.

use std::io::{IsTerminal as _, stdin};

use crate::print;

/// Whether a person can be asked: answers come from stdin, and questions go to stderr, so that stdout is free for the
/// result.
pub(super) fn can_ask() -> bool {
    stdin().is_terminal() && print::stderr_is_terminal()
}

/// Gives the terminal back as it was. A prompt does so by itself, but not where the command is told to end meanwhile: the
/// shell would be left without an echo.
#[derive(Debug)]
pub(super) struct Restored {
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
}

impl Restored {
    /// Remembers how the terminal is now.
    pub(super) fn at_the_end() -> Self {
        Self {
            #[cfg(unix)]
            modes: rustix::termios::tcgetattr(stdin()).ok(),
        }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            use rustix::termios::{OptionalActions, tcsetattr};
            // Where the terminal is gone there is nothing to restore.
            let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
            print::restore_terminal();
        }
    }
}
