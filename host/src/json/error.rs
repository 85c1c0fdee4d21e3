//! Why a text is not JSON, or a document was not read.
//!
//! An error is logged, and what an action answers is about persons. So an error says where something is wrong and what
//! kind of thing it is, and repeats nothing of the document.

use std::fmt;

use serde_json::error::Category;

use super::elements::MOST_ELEMENTS;

/// Why a text is not JSON, or a document was not read. Repeats nothing of the document.
pub struct JsonError(pub(super) Problem);

/// What is wrong.
#[derive(Debug)]
pub(super) enum Problem {
    /// The text is not JSON, or has a number or a depth that no reader takes. The parser's words, which are fixed ones.
    Syntax(serde_json::Error),
    /// The document has another shape than the type that is asked for. Without the parser's words, which repeat values.
    Shape { line: usize, column: usize },
    /// What is to be written is not JSON. The words of the type that is written.
    Unwritable(serde_json::Error),
    /// A tree of it would take too much memory.
    TooManyElements { elements: usize },
}

impl JsonError {
    /// Takes what the parser says, but for values.
    pub(super) fn reading(error: serde_json::Error) -> Self {
        Self(match error.classify() {
            Category::Data => Problem::Shape { line: error.line(), column: error.column() },
            Category::Io | Category::Syntax | Category::Eof => Problem::Syntax(error),
        })
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::Syntax(error) | Problem::Unwritable(error) => error.fmt(f),
            Problem::Shape { line, column } => {
                write!(f, "it has another shape than was asked for at line {line} column {column}")
            }
            Problem::TooManyElements { elements } => {
                write!(f, "it has {elements} elements, and at most {MOST_ELEMENTS} are read")
            }
        }
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonError").field(&self.0).finish()
    }
}

impl std::error::Error for JsonError {}
