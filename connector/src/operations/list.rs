//! An operation's list, as the table describes it.

use serde_json::Value;

use super::check;
use super::operation::{Answer, Kind, Operation};
use crate::list::List;

/// Query parameters that make no list shorter.
const NO_FILTERS: [&str; 6] =
    ["fields", "include_fields", "sort", "search_engine", "primary_order", "hydrate"];

impl Operation {
    /// Returns its list; `beyond` is asked for the way on beyond the 1000th record.
    pub(super) fn list<'a>(&self, beyond: &'a dyn Fn() -> String) -> List<'a> {
        let key = match &self.answer {
            Answer::Rows(key) => *key,
            _ => None,
        };
        List {
            action: self.name,
            key,
            paging: self.paging,
            page_size: self.page_size,
            totals: self.totals,
            beyond,
        }
    }

    /// Reads `limit`.
    ///
    /// # Errors
    /// What was expected.
    pub(super) fn limit(&self, value: &Value) -> Result<usize, String> {
        let most = self.most();
        check::kind(&Kind::Integer(Some(1), i64::try_from(most).ok()), value)?;
        Ok(check::integer(value).and_then(|number| usize::try_from(number).ok()).unwrap_or(most))
    }

    /// Returns the most rows of one call.
    pub(super) fn most(&self) -> usize {
        self.list(&String::new).most()
    }

    /// Returns how to go on beyond the 1000th record.
    pub(super) fn way_beyond(&self) -> String {
        let names = self.query.iter().map(|member| member.name);
        let filters: Vec<_> = names.filter(|name| !NO_FILTERS.contains(name)).collect();
        if !self.beyond.is_empty() {
            self.beyond.to_owned()
        } else if filters.contains(&"q") {
            "divide the list by `q`, by ranges of created_at for one, and read each part".to_owned()
        } else if filters.is_empty() {
            "this list has no filter and no other way".to_owned()
        } else {
            format!("narrow it by {}, and read each part", filters.join(", "))
        }
    }
}
