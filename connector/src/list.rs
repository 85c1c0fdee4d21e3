//! `limit` and `cursor`: one way to read every list, whatever the API's own paging is.
//!
//! A cursor is the tenant's own where the list has checkpoints, else the number of records that came before. Two failures
//! are prevented here: a list that ends silently at the API's wall of 1000 records, and one that skips or repeats
//! records since a later call asks for pages of another size.

mod part;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::paging::{WALL, cursor_of_link, items, listed};
use crate::core::request::Request;
use crate::core::response::Response;
use crate::operations::{Paging, found};
pub(crate) use part::{CheckpointPart, OffsetPart, Part};

/// Rows that are read where nothing is said: Auth0's own page size.
pub(crate) const DEFAULT_LIMIT: usize = 50;

/// Most rows of one call: Auth0's largest page (facts, section 9).
pub(crate) const MOST: usize = 100;

/// A list of the API.
pub(crate) struct List<'a> {
    /// Action that reads it, for messages.
    pub(crate) action: &'static str,
    /// Member of the answer that holds the rows; none where the answer is the rows.
    pub(crate) key: Option<&'static str>,
    /// How the API pages it.
    pub(crate) paging: Paging,
    /// Largest page of it.
    pub(crate) page_size: usize,
    /// Whether it tells how many records there are, where asked.
    pub(crate) totals: bool,
    /// Returns how to go on beyond the 1000th record.
    pub(crate) beyond: &'a dyn Fn() -> String,
}

/// How a part of a list is read.
pub(crate) enum Way {
    /// By the tenant's cursor.
    Checkpoint {
        /// Where to begin.
        from: Option<String>,
        /// Most rows.
        take: usize,
    },
    /// From the n-th record on.
    Offset {
        /// Records before the first one.
        first: usize,
        /// Most rows.
        limit: usize,
        /// Whether to ask for the total.
        totals: bool,
    },
    /// A page of Auth0's own numbering, as it is asked for and as it comes.
    Page {
        /// Page, from 0.
        page: usize,
        /// Page size; Auth0's own where it is absent.
        per_page: Option<usize>,
        /// Whether to ask for the total.
        totals: bool,
    },
    /// Whole, and cut here.
    Whole {
        /// Records before the first one.
        first: usize,
        /// Most rows.
        limit: usize,
    },
}

/// What the cursor of a page by number begins with, in a list that the tenant has cursors of its own for.
const OFFSET: &str = "offset:";

impl List<'_> {
    /// Returns the most rows of one call.
    pub(crate) fn most(&self) -> usize {
        // A list that comes whole is cut here; its parts need not be pages of the tenant.
        if self.paging == Paging::None { MOST } else { self.page_size.min(MOST) }
    }

    /// Chooses how to read what `limit` and `cursor` name. Where a list has both ways, the checkpoint, which has no wall.
    ///
    /// # Errors
    /// `invalid-input` for a cursor that is none of this list.
    pub(crate) fn way(&self, limit: Option<usize>, cursor: Option<String>) -> Result<Way, Error> {
        let limit = limit.unwrap_or_else(|| DEFAULT_LIMIT.min(self.most()));
        let numbered = match (self.paging, &cursor) {
            (Paging::Checkpoint, _) => None,
            (Paging::Either, cursor) => {
                match cursor.as_deref().and_then(|cursor| cursor.strip_prefix(OFFSET)) {
                    Some(number) => Some(self.first(number)?),
                    None => None,
                }
            }
            (Paging::Offset | Paging::None, cursor) => {
                Some(cursor.as_deref().map_or(Ok(0), |text| self.first(text))?)
            }
        };
        Ok(match numbered {
            None => Way::Checkpoint { from: cursor, take: limit },
            Some(first) if self.paging == Paging::None => Way::Whole { first, limit },
            Some(first) => Way::Offset { first, limit, totals: self.totals },
        })
    }

    fn first(&self, number: &str) -> Result<usize, Error> {
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse().ok().filter(|_| digits).ok_or_else(|| {
            Error::refused(format!(
                "`cursor`: not a cursor of {}; give the `next` of the previous page",
                self.action
            ))
        })
    }

    /// Returns whether a cursor is one of a page by number.
    pub(crate) fn is_numbered(&self, cursor: &str) -> bool {
        self.paging != Paging::Either || cursor.starts_with(OFFSET)
    }

    /// Returns the cursor of the record behind so many.
    fn numbered(&self, first: usize) -> String {
        if self.paging == Paging::Either { format!("{OFFSET}{first}") } else { first.to_string() }
    }

    /// Reads a part of the list as `{items, total?, next?}`.
    ///
    /// # Errors
    /// As the request ends; `invalid-input` beyond the 1000th record, with how to go on; `unexpected-answer` for an answer
    /// that is no list.
    pub(crate) fn read(&self, client: &mut Client<'_>, request: &Request, way: Way) -> Result<Value, Error> {
        let key = self.key.unwrap_or("items");
        match way {
            Way::Checkpoint { from, take } => {
                let request = request.clone().maybe("from", from.as_deref()).query("take", &take.to_string());
                let (response, mut answer) = fetch(client, &request)?;
                let next = answer.get_mut("next").map_or(Ok(None), |next| cursor(next.take()))?;
                // An array has no place for a cursor: a header says it.
                let link = response.header("link").filter(|_| answer.is_array());
                let next = next.or_else(|| link.and_then(cursor_of_link));
                let total = answer.get("total").and_then(Value::as_u64);
                let rows = items(answer, key)?;
                // The link of an end leads to where it was found. With rows, whoever followed it would never end.
                let moves = next.is_none() || next != from;
                if !moves && !rows.is_empty() {
                    return Err(Error::new(Code::UnexpectedAnswer, "the tenant's cursor does not move"));
                }
                let next = next.filter(|_| moves);
                Ok(listed(rows, total, next.map(Value::from)))
            }
            Way::Whole { first, limit } => {
                let rows = items(fetch(client, request)?.1, key)?;
                let total = rows.len();
                let next = (first.saturating_add(limit) < total).then(|| (first + limit).to_string().into());
                let rows = rows.into_iter().skip(first).take(limit).collect();
                Ok(listed(rows, u64::try_from(total).ok(), next))
            }
            Way::Offset { first, limit, totals } => self.read_offset(client, request, first, limit, totals),
            Way::Page { page, per_page, totals } => self.read_page(client, request, page, per_page, totals),
        }
    }

    fn read_page(
        &self,
        client: &mut Client<'_>,
        request: &Request,
        page: usize,
        per_page: Option<usize>,
        totals: bool,
    ) -> Result<Value, Error> {
        let asked = per_page.unwrap_or(DEFAULT_LIMIT);
        let first = page.saturating_mul(asked);
        self.check_wall("page", first)?;
        self.check_wall("page", first.saturating_add(asked).saturating_sub(1))?;
        let mut request = request.clone().maybe("page", Some(page)).maybe("per_page", per_page);
        if totals {
            request = request.query("include_totals", "true");
        }
        let (_, answer) = fetch(client, &request)?;
        let size = if page > 0 { served(&answer).unwrap_or(asked).min(asked) } else { asked };
        let total = answer.get("total").and_then(Value::as_u64).filter(|_| totals);
        let rows = items(answer, self.key.unwrap_or("items"))?;
        let end = page.saturating_mul(size) + rows.len();
        let whole = rows.len() >= asked.min(DEFAULT_LIMIT);
        let more =
            !rows.is_empty() && total.map_or(whole, |total| u64::try_from(end).is_ok_and(|end| end < total));
        Ok(listed(rows, total, more.then(|| self.numbered(end).into())))
    }

    /// Refuses a record beyond those that paging by number reaches.
    fn check_wall(&self, member: &str, first: usize) -> Result<(), Error> {
        if first < usize::try_from(WALL).unwrap_or(usize::MAX) {
            return Ok(());
        }
        let (record, way) = (first.saturating_add(1), (self.beyond)());
        Err(Error::refused(format!(
            "`{member}`: record {record} refused: Auth0 pages through the first {WALL} records only; {way}"
        )))
    }

    fn read_offset(
        &self,
        client: &mut Client<'_>,
        request: &Request,
        first: usize,
        limit: usize,
        totals: bool,
    ) -> Result<Value, Error> {
        let key = self.key.unwrap_or("items");
        let wall = usize::try_from(WALL).unwrap_or(usize::MAX);
        self.check_wall("cursor", first)?;
        // Up to the wall, and no record beyond it.
        let limit = limit.min(wall - first);
        let mut most = self.most();
        loop {
            let mut page = Page::of(first, limit.min(most), most);
            if page.end() > wall {
                page = Page::of(first, limit.min(most), limit.min(most));
            }
            let mut asked =
                request.clone().maybe("page", Some(page.number)).maybe("per_page", Some(page.size));
            if totals {
                asked = asked.query("include_totals", "true");
            }
            let (_, answer) = fetch(client, &asked)?;
            // A tenant may serve smaller pages than asked for: the records are others then.
            if let Some(served) =
                served(&answer).filter(|served| (1..page.size).contains(served) && page.number > 0)
            {
                most = served;
                continue;
            }
            let total = answer.get("total").and_then(Value::as_u64).filter(|_| totals);
            let rows = items(answer, key)?;
            let whole = rows.len() >= page.size.min(DEFAULT_LIMIT);
            let left = rows.len().saturating_sub(page.skip);
            let rows: Vec<_> = rows.into_iter().skip(page.skip).take(limit).collect();
            let end = first + rows.len();
            let more = match total {
                Some(total) => !rows.is_empty() && u64::try_from(end).is_ok_and(|end| end < total),
                None => left > rows.len() || (whole && !rows.is_empty()),
            };
            return Ok(listed(rows, total, more.then(|| self.numbered(end).into())));
        }
    }
}

/// Reads the tenant's cursor. One that is not understood is no end: a list would be cut short silently.
fn cursor(next: Value) -> Result<Option<String>, Error> {
    match next {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => {
            let found = found(&other);
            Err(Error::new(
                Code::UnexpectedAnswer,
                format!("the tenant's `next` is {found}, which is no cursor"),
            ))
        }
    }
}

/// Fetches a list. 204 says that there is nothing in it (facts, section 4: the errors of a job).
fn fetch(client: &mut Client<'_>, request: &Request) -> Result<(Response, Value), Error> {
    let response = client.send(request)?;
    let answer =
        if response.status == 204 { Value::Array(Vec::new()) } else { client.read(request, &response)? };
    Ok((response, answer))
}

/// A page of the API that holds the records which are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    number: usize,
    size: usize,
    /// Records of the page that come before the first one asked for.
    skip: usize,
}

impl Page {
    /// Finds the page of at most `most` records that holds all of those asked for, or, where there is none, the largest
    /// that begins with the first of them.
    fn of(first: usize, limit: usize, most: usize) -> Self {
        let holding = (limit..=most).find(|size| first / size == (first + limit - 1) / size);
        let size =
            holding.or_else(|| (1..=limit).rev().find(|size| first.is_multiple_of(*size))).unwrap_or(1);
        Self { number: first / size, size, skip: first % size }
    }

    fn end(self) -> usize {
        (self.number + 1) * self.size
    }
}

/// Returns the page size that the tenant served. A bare array says it by having more rows than the smallest ceiling a tenant
/// has been said to have; with fewer, behind the first page, only a page of no more than that is surely where it was asked
/// for.
fn served(answer: &Value) -> Option<usize> {
    if let Some(rows) = answer.as_array() {
        return (rows.len() <= DEFAULT_LIMIT).then_some(DEFAULT_LIMIT);
    }
    let size = answer.get("limit").or_else(|| answer.get("per_page"))?.as_u64()?;
    usize::try_from(size).ok()
}

#[cfg(test)]
mod page_tests {
    use super::*;

    #[test]
    fn every_record_is_on_the_page_that_is_asked_for() {
        for first in 0..1000 {
            for limit in 1..=100 {
                let page = Page::of(first, limit, 100);
                assert!((1..=100).contains(&page.size), "{first} {limit}: {page:?}");
                assert_eq!(page.number * page.size + page.skip, first, "{first} {limit}: {page:?}");
                let holds = page.end() >= first + limit;
                assert!(holds || (page.skip == 0 && page.size <= limit), "{first} {limit}: {page:?}");
            }
        }
        assert_eq!(Page::of(100, 50, 100), Page { number: 2, size: 50, skip: 0 });
    }
}
