//! What the person who started the server gets to read: on stderr, since stdout is the client's.

use std::{
    fmt,
    io::{self, Write as _},
};

use auth0_host::printable;

/// Prints a line. Whoever closed stderr does not want to know.
#[expect(clippy::disallowed_methods, reason = "the one place; what is written here is escaped here")]
pub(super) fn notice(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{}", printable::line(&text.to_string()));
}
