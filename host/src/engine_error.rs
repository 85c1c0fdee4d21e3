//! What the WebAssembly engine says when something of its own goes wrong.
//!
//! A type of this library around the engine's: an embedder that handles errors would otherwise depend on the very version
//! of wasmtime that runs the component, and each update of it would break that code.

use std::{error::Error, fmt};

/// An error of the WebAssembly engine, for an operator to read: its text and its causes.
///
/// ```
/// use std::error::Error as _;
///
/// let error = auth0_host::Host::with_trusted_component(b"\0asm is no component".as_slice()).build().unwrap_err();
/// let mut text = error.to_string();
/// let mut cause = error.source();
/// while let Some(error) = cause {
///     text = format!("{text}: {error}");
///     cause = error.source();
/// }
/// assert!(text.starts_with("not a usable component: "));
/// ```
pub struct EngineError(wasmtime::Error);

impl EngineError {
    /// Wraps an error of the engine, or of what it stands on.
    pub(crate) fn new(error: impl Into<wasmtime::Error>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error for EngineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_and_every_cause_of_an_engine_s_error_can_be_read() {
        let cause = wasmtime::Error::new(std::io::Error::other("the disk")).context("the file");
        let error = EngineError::new(cause.context("the engine"));
        assert_eq!(error.to_string(), "the engine");
        let (mut causes, mut cause) = (Vec::new(), error.source());
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        assert_eq!(causes, ["the file", "the disk"]);
    }
}
