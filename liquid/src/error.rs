//! Why a template was refused: the line, the tag or output, and what to write instead.

use super::budget::Bound;
use super::{filters, tags};

/// A template that cannot be rendered: where it went wrong and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {fault}", near_text(.near, .fault))]
pub struct TemplateError {
    line: u32,
    near: String,
    fault: Fault,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The tag is Liquid, or looks like it, but Auth0 does not run it.
    #[error("tag `{tag}` is not part of Auth0's Liquid; allowed tags: {}", tags::NAMES.join(", "))]
    UnknownTag {
        /// The name as written.
        tag: String,
    },
    /// The filter is not one that Auth0 lists.
    #[error("filter `{filter}` is not part of Auth0's Liquid; allowed filters: {}", filters::names())]
    UnknownFilter {
        /// The name as written.
        filter: String,
    },
    /// `include` or `layout`: an ad-hoc email has no other files.
    #[error(
        "tag `{tag}` reads another template, and an email sent by an action has none; put the text into the body itself"
    )]
    NoFiles {
        /// `include` or `layout`.
        tag: String,
    },
    /// A block without its end.
    #[error("tag `{tag}` is never closed; end it with `{{% {closer} %}}`")]
    Unclosed {
        /// The tag that opens the block.
        tag: String,
        /// The tag that would close it.
        closer: String,
    },
    /// A middle or closing tag outside its block.
    #[error("tag `{tag}` stands outside its block; {rule}")]
    Misplaced {
        /// The name as written.
        tag: String,
        /// Where the tag may stand.
        rule: &'static str,
    },
    /// Something else stands where the grammar wants something.
    #[error("expected {expected}{}", instead(.found))]
    Syntax {
        /// What the grammar wants here.
        expected: &'static str,
        /// The text found instead, cut to a readable length.
        found: String,
    },
    /// A filter was given values it cannot work with.
    #[error("filter `{filter}` {rule}")]
    Filter {
        /// The filter.
        filter: &'static str,
        /// What it needs.
        rule: &'static str,
    },
    /// Rendering would take more than one email may take.
    #[error("{0}")]
    Bound(Bound),
}

/// Longest piece of a template that an error repeats: enough to find it, short enough for a log line.
const SNIPPET_CHARS: usize = 48;

impl TemplateError {
    pub(super) fn new(line: u32, near: &str, fault: Fault) -> Self {
        Self { line, near: snippet(near), fault }
    }

    /// Returns the line of the tag or output concerned, counted from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Returns the beginning of the tag or output concerned, as written; empty where the whole template is meant.
    pub fn near(&self) -> &str {
        &self.near
    }

    /// Returns what is wrong.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// Cuts a piece of a template to the length that errors repeat, on one line.
pub(super) fn snippet(text: &str) -> String {
    let mut cut: String =
        text.chars().take(SNIPPET_CHARS).map(|each| if each.is_control() { ' ' } else { each }).collect();
    if text.chars().nth(SNIPPET_CHARS).is_some() {
        cut.push('…');
    }
    cut
}

/// Repeats the text only where the fault does not name it already.
fn near_text(near: &str, fault: &Fault) -> String {
    match fault {
        Fault::Syntax { .. } | Fault::Filter { .. } | Fault::Bound(_) if !near.is_empty() => {
            format!(", at `{near}`")
        }
        _ => String::new(),
    }
}

fn instead(found: &str) -> String {
    if found.is_empty() { String::new() } else { format!(", found `{found}`") }
}
