//! `limit` and `cursor`: one way to read every list, whatever the API's own paging is.
//!
//! A cursor is the tenant's own where the list has checkpoints, else the number of records that came before. Two failures
//! are prevented here: a list that ends silently at the API's wall of 1000 records, and one that skips or repeats
//! records since a later call asks for pages of another size.

use serde_json::Value;

use super::check;
use super::operation::{Answer, Kind, Operation, Paging};
use crate::client::Client;
use crate::core::error::{Error, Problem};
use crate::core::paging::{WALL, cursor_of_link, items, listed};
use crate::core::request::Request;
use crate::core::response::Response;

/// Rows that are read where nothing is said: Auth0's own page size.
pub(super) const DEFAULT_LIMIT: usize = 50;

/// Most rows of one call: Auth0's largest page.
pub(super) const MOST: usize = 100;

/// Reads `limit`.
///
/// # Errors
/// What was expected.
pub(super) fn limit(operation: &Operation, value: &Value) -> Result<usize, String> {
    let most = most(operation);
    check::kind(&Kind::Integer(Some(1), i64::try_from(most).ok()), value)?;
    Ok(check::integer(value).and_then(|number| usize::try_from(number).ok()).unwrap_or(most))
}

/// Returns the most rows of one call.
pub(super) fn most(operation: &Operation) -> usize {
    // A list that comes whole is cut here; its parts need not be pages of the tenant.
    if operation.paging == Paging::Whole { MOST } else { operation.page_size.min(MOST) }
}

/// How a list is read.
pub(super) enum Way {
    /// By the tenant's cursor.
    Checkpoint { from: Option<String>, take: usize },
    /// From the n-th record on.
    Offset { first: usize, limit: usize },
    /// Whole, and cut here.
    Whole { first: usize, limit: usize },
}

impl Way {
    /// Chooses the way for an operation. Where a list has both, the checkpoint, which has no wall.
    ///
    /// # Errors
    /// `invalid-input` for a cursor that is none of this list.
    pub(super) fn choose(
        operation: &Operation,
        limit: Option<usize>,
        cursor: Option<String>,
    ) -> Result<Self, Error> {
        let limit = limit.unwrap_or_else(|| DEFAULT_LIMIT.min(most(operation)));
        if matches!(operation.paging, Paging::Checkpoint | Paging::Either) {
            return Ok(Self::Checkpoint { from: cursor, take: limit });
        }
        let number = |cursor: &str| {
            let digits = cursor.bytes().all(|byte| byte.is_ascii_digit());
            cursor.parse().ok().filter(|_| digits).ok_or_else(|| {
                Error::refused(format!(
                    "`cursor`: not a cursor of {}; give the `next` of the previous page",
                    operation.name
                ))
            })
        };
        let first = cursor.as_deref().map_or(Ok(0), number)?;
        Ok(match operation.paging {
            Paging::Whole => Self::Whole { first, limit },
            _ => Self::Offset { first, limit },
        })
    }

    /// Reads a part of the list.
    ///
    /// # Errors
    /// As the request ends; `invalid-input` beyond the 1000th record, with the way round; `other` for an answer that
    /// is no list.
    pub(super) fn read(
        self,
        client: &mut Client<'_>,
        operation: &Operation,
        request: &Request,
    ) -> Result<Value, Error> {
        let key = match &operation.answer {
            Answer::Rows(Some(key)) => key,
            _ => "items",
        };
        match self {
            Self::Checkpoint { from, take } => {
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
                    return Err(Error::Other(Problem::new("the tenant's cursor does not move")));
                }
                let next = next.filter(|_| moves);
                Ok(listed(rows, total, next.map(Value::from)))
            }
            Self::Whole { first, limit } => {
                let rows = items(fetch(client, request)?.1, key)?;
                let total = rows.len();
                let next = (first.saturating_add(limit) < total).then(|| (first + limit).to_string().into());
                let rows = rows.into_iter().skip(first).take(limit).collect();
                Ok(listed(rows, u64::try_from(total).ok(), next))
            }
            Self::Offset { first, limit } => read_offset(client, operation, request, key, first, limit),
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
            let found = check::found(&other);
            Err(Error::Other(Problem::new(format!("the tenant's `next` is {found}, which is no cursor"))))
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

fn read_offset(
    client: &mut Client<'_>,
    operation: &Operation,
    request: &Request,
    key: &str,
    first: usize,
    limit: usize,
) -> Result<Value, Error> {
    let wall = usize::try_from(WALL).unwrap_or(usize::MAX);
    if first >= wall {
        return Err(beyond(operation, first));
    }
    // Up to the wall, and no record beyond it.
    let limit = limit.min(wall - first);
    let mut most = most(operation);
    loop {
        let mut page = Page::of(first, limit.min(most), most);
        if page.end() > wall {
            page = Page::of(first, limit.min(most), limit.min(most));
        }
        let mut asked = request.clone().maybe("page", Some(page.number)).maybe("per_page", Some(page.size));
        if operation.totals {
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
        let total = answer.get("total").and_then(Value::as_u64);
        let rows = items(answer, key)?;
        let whole = rows.len() >= page.size.min(DEFAULT_LIMIT);
        let left = rows.len().saturating_sub(page.skip);
        let rows: Vec<_> = rows.into_iter().skip(page.skip).take(limit).collect();
        let end = first + rows.len();
        let more = match total {
            Some(total) => !rows.is_empty() && u64::try_from(end).is_ok_and(|end| end < total),
            None => left > rows.len() || (whole && !rows.is_empty()),
        };
        return Ok(listed(rows, total, more.then(|| end.to_string().into())));
    }
}

/// Returns the page size that the tenant served. A bare array says nothing: behind the first page, only one that is no larger
/// than the smallest ceiling a tenant has been said to have is surely where it was asked for.
fn served(answer: &Value) -> Option<usize> {
    if answer.is_array() {
        return Some(DEFAULT_LIMIT);
    }
    let size = answer.get("limit").or_else(|| answer.get("per_page"))?.as_u64()?;
    usize::try_from(size).ok()
}

/// Query parameters that make no list shorter.
const NO_FILTERS: [&str; 6] =
    ["fields", "include_fields", "sort", "search_engine", "primary_order", "hydrate"];

fn beyond(operation: &Operation, first: usize) -> Error {
    let names = operation.query.iter().map(|member| member.name);
    let filters: Vec<_> = names.filter(|name| !NO_FILTERS.contains(name)).collect();
    let way = if !operation.beyond.is_empty() {
        operation.beyond.to_owned()
    } else if filters.contains(&"q") {
        "divide the list by `q`, by ranges of created_at for one, and read each part".to_owned()
    } else if filters.is_empty() {
        "this list has no filter and no other way".to_owned()
    } else {
        format!("narrow it by {}, and read each part", filters.join(", "))
    };
    Error::refused(format!(
        "`cursor`: record {} refused: Auth0 pages through the first {WALL} records only; {way}",
        first.saturating_add(1)
    ))
}

#[cfg(test)]
mod tests {
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
