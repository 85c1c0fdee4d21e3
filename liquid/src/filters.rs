//! The filters that Auth0 lists, by name.

use super::UnixSeconds;
use super::budget::{Budget, Draft};
use super::error::Fault;
use super::value::{List, Text, Value};
use super::{arithmetic, date, html, lists, text};

/// A filter of the dialect.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: &'static str,
    /// Values without which the filter means nothing.
    pub(super) least_arguments: usize,
    pub(super) apply: for<'a> fn(&Call<'a, '_>) -> Result<Value<'a>, Fault>,
}

/// A filter at work.
#[derive(Debug)]
pub(super) struct Call<'a, 'b> {
    pub(super) name: &'static str,
    pub(super) input: Value<'a>,
    pub(super) arguments: Vec<Value<'a>>,
    /// `allow_false: true`, which `default` takes.
    pub(super) allow_false: bool,
    pub(super) now: UnixSeconds,
    pub(super) budget: &'b Budget,
}

impl<'a, 'b> Call<'a, 'b> {
    /// Returns a value given to the filter, `nil` if there is none.
    pub(super) fn argument(&self, index: usize) -> Value<'a> {
        self.given(index).cloned().unwrap_or(Value::Nil)
    }

    /// Returns a value given to the filter, unless it is missing or `nil`.
    pub(super) fn given(&self, index: usize) -> Option<&Value<'a>> {
        self.arguments.get(index).filter(|value| !matches!(value, Value::Nil))
    }

    pub(super) fn number(&self, index: usize) -> Result<f64, Fault> {
        self.given(index).map_or(Ok(0.0), |given| given.to_number_or_zero(self.budget))
    }

    pub(super) fn input_number(&self) -> Result<f64, Fault> {
        self.input.to_number_or_zero(self.budget)
    }

    pub(super) fn text(&self) -> Result<Text<'a>, Fault> {
        self.input.to_text(self.budget)
    }

    pub(super) fn text_argument(&self, index: usize) -> Result<Text<'a>, Fault> {
        self.argument(index).to_text(self.budget)
    }

    pub(super) fn list(&self) -> Result<List<'a>, Fault> {
        self.input.to_list(self.budget)
    }

    pub(super) fn draft(&self) -> Draft<'b> {
        Draft::new(self.budget)
    }

    pub(super) fn refuse(&self, rule: &'static str) -> Fault {
        Fault::Filter { filter: self.name, rule }
    }
}

/// Finds a filter by its name.
pub(super) fn find(name: &str) -> Option<&'static Filter> {
    FILTERS.iter().find(|filter| filter.name == name)
}

/// Returns all names, for an error that teaches.
pub(super) fn names() -> String {
    FILTERS.iter().map(|filter| filter.name).collect::<Vec<_>>().join(", ")
}

macro_rules! filters {
    ($($name:literal $least:literal $apply:path,)*) => {
        &[$(Filter { name: $name, least_arguments: $least, apply: $apply }),*]
    };
}

/// In the order of Auth0's documentation.
pub(super) const FILTERS: &[Filter] = filters![
    "plus" 1 arithmetic::plus,
    "minus" 1 arithmetic::minus,
    "modulo" 1 arithmetic::modulo,
    "times" 1 arithmetic::times,
    "floor" 0 arithmetic::floor,
    "ceil" 0 arithmetic::ceil,
    "round" 0 arithmetic::round,
    "divided_by" 1 arithmetic::divided_by,
    "abs" 0 arithmetic::abs,
    "at_least" 1 arithmetic::at_least,
    "at_most" 1 arithmetic::at_most,
    "append" 1 text::append,
    "prepend" 1 text::prepend,
    "capitalize" 0 text::capitalize,
    "upcase" 0 text::upcase,
    "downcase" 0 text::downcase,
    "strip" 0 text::strip,
    "lstrip" 0 text::lstrip,
    "rstrip" 0 text::rstrip,
    "strip_newlines" 0 text::strip_newlines,
    "split" 0 text::split,
    "replace" 1 text::replace,
    "replace_first" 1 text::replace_first,
    "remove" 1 text::remove,
    "remove_first" 1 text::remove_first,
    "truncate" 0 text::truncate,
    "truncatewords" 0 text::truncatewords,
    "escape" 0 html::escape,
    "escape_once" 0 html::escape_once,
    "url_encode" 0 html::url_encode,
    "url_decode" 0 html::url_decode,
    "strip_html" 0 html::strip_html,
    "newline_to_br" 0 html::newline_to_br,
    "slice" 1 lists::slice,
    "map" 1 lists::map,
    "sort" 0 lists::sort,
    "sort_natural" 0 lists::sort_natural,
    "first" 0 lists::first,
    "last" 0 lists::last,
    "join" 0 lists::join,
    "reverse" 0 lists::reverse,
    "size" 0 lists::size,
    "date" 0 date::date,
    "default" 0 lists::default,
];
