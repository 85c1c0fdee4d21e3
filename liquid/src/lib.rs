//! Liquid as Auth0 runs it.
//!
//! Auth0 renders emails with LiquidJS, restricted to a list of tags and filters
//! (<https://auth0.com/docs/customize/email/email-templates/use-liquid-syntax-in-email-templates>), plus a tag
//! `debug`. An email sent by an action is to look as one that Auth0 sends, so the semantics here are JavaScript's:
//! undefined variables are empty, numbers are doubles, nothing is escaped unless the template says so. The tests
//! compare with LiquidJS 10 itself (`golden.json`).
//!
//! Own interpreter rather than `liquid-core` 0.26, which was weighed first, because that crate
//! - parses blocks and renders them with no hook to count steps or depth: templates nested deeply enough overflow the
//!   stack, and text and outputs cannot be paid for, so a bound could only be put on our own tags and filters;
//! - gives run-time errors no line;
//! - answers undefined variables with an error, keeps integers and floats apart, and prints neither as JavaScript;
//! - brings `pest` with `stacker` (a C compiler for the guest's target) and `time`, whose clock traps in the guest.
//!
//! What differs from LiquidJS on purpose: unknown filters and misplaced tags are errors, where LiquidJS passes values
//! through or drops text in silence; a missing value of a filter is an error rather than `NaN` or an empty text; zone
//! names are not known to `date`; `null` compares as `nil` does.
//!
//! Trust: the template comes from the author of a workflow and the values from end users. Neither can make the
//! rendering panic, loop for ever, overflow the stack or take more memory than the budget says; see
//! [`Bound`].

#![deny(missing_docs)]

mod arithmetic;
mod budget;
pub mod calendar;
mod date;
mod error;
mod expression;
mod filters;
mod html;
mod inspect;
mod lists;
mod names;
mod number;
mod render;
mod scan;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod value;

use serde_json::{Map, Value};

pub use budget::Bound;
pub use error::{Fault, TemplateError};

/// A point in time in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub i64);

/// A template that was read: it is Auth0's Liquid, and may be rendered.
#[derive(Debug)]
pub struct Template<'t> {
    nodes: Vec<tags::Node<'t>>,
}

impl<'t> Template<'t> {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// Answers a [`TemplateError`] with the line where the text is not Auth0's Liquid, or is longer or nested deeper
    /// than the bounds allow.
    pub fn parse(text: &'t str) -> Result<Self, TemplateError> {
        if text.len() > budget::MAX_TEMPLATE_BYTES {
            return Err(TemplateError::new(1, "", Fault::Bound(Bound::Template)));
        }
        Ok(Self { nodes: tags::parse(scan::scan(text)?)? })
    }

    /// Returns whether the template names one of these variables, in branches too that may not be rendered.
    pub fn names(&self, variables: &[&str]) -> bool {
        self.read_names().roots.iter().any(|root| variables.contains(root))
    }

    /// Returns whether the template may show variables that it does not name: by the tag `debug`, or by a name that is
    /// computed, as in `{{ [custom_vars.which] }}`.
    pub fn may_show_any(&self) -> bool {
        self.read_names().any
    }

    fn read_names(&self) -> names::Names<'_> {
        let mut names = names::Names::default();
        names.nodes(&self.nodes);
        names
    }

    /// Renders the template with variables; `now` is what `'now' | date` shows.
    ///
    /// # Errors
    ///
    /// Answers a [`TemplateError`] with the line where a filter cannot work with its values, or where rendering takes
    /// more than the bounds of one rendering.
    pub fn render(&self, variables: &Map<String, Value>, now: UnixSeconds) -> Result<String, TemplateError> {
        let budget = budget::Budget::new();
        let mut renderer = render::Renderer::new(variables, now, &budget);
        renderer.nodes(&self.nodes)?;
        Ok(renderer.finish())
    }
}
