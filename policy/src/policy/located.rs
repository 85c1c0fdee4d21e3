//! Where in a file something stands, so that errors and refusals can point at it.

use std::fmt;

/// A position in a policy file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    /// Finds the position of a byte in a text.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Something, and where it was written; nowhere where code wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) at: Option<Position>,
}

impl<T> Located<T> {
    /// Wraps a value that code wrote.
    pub(super) fn in_code(value: T) -> Self {
        Self { value, at: None }
    }

    /// Converts the value; the position stays.
    pub(super) fn try_map<U, E: fmt::Display>(
        self,
        make: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Located<U>, PolicyError> {
        let at = self.at;
        let value = make(self.value).map_err(|error| PolicyError { at, problem: error.to_string() })?;
        Ok(Located { value, at })
    }

    /// Makes an error that points here.
    pub(super) fn error(&self, problem: impl Into<String>) -> PolicyError {
        PolicyError { at: self.at, problem: problem.into() }
    }
}

/// Writes `text` (line 7), or only the text.
impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(Position { line, .. }) => write!(f, "`{}` (line {line})", self.value),
            None => write!(f, "`{}`", self.value),
        }
    }
}

/// Why a policy was refused. Nothing in a policy is ignored: what cannot be enforced is an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", .at.map_or_else(String::new, |at| format!("{at}: ")))]
pub struct PolicyError {
    pub(super) at: Option<Position>,
    pub(super) problem: String,
}

impl PolicyError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { at: None, problem: problem.into() }
    }

    /// Returns line and column, counted from 1, where the policy came from a file.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.at.map(|at| (at.line, at.column))
    }
}
