//! Pages and cursors: which page to ask for, how to read a list in each of Auth0's forms, where to go on.
//!
//! Auth0 has three forms (a bare array, an object with totals, an object or header with a cursor) and one wall: the
//! first 1000 records. Two failures are prevented here: a list that ends early because a tenant serves smaller pages
//! than asked for, and a list that ends silently at the wall.

use serde_json::Value;

use super::error::{Error, Problem};
use super::json::object;
use super::request::Request;

/// Records that offset paging reaches (facts, section 4: `invalid_paging` beyond).
pub(crate) const WALL: u64 = 1000;

/// Auth0's page size where none is asked for, and the smallest ceiling that a tenant has been said to have
/// (docs say 50 on public cloud, recordings show 100).
const DEFAULT_PAGE: u32 = 50;

/// Largest page of every list (facts, section 9).
const LARGEST_PAGE: u32 = 100;

/// A part of a list, asked for by page number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offset {
    page: Option<u32>,
    per_page: Option<u32>,
    include_totals: Option<bool>,
}

/// What lies behind the first 1000 records of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wall {
    /// Auth0 serves no more; the phrase says how to go on.
    At1000(&'static str),
    /// The list cannot be that long, or has no such limit.
    None,
}

impl Wall {
    /// The wall of a list that has a checkpoint too.
    pub(crate) const CHECKPOINT: Self =
        Self::At1000("give `take` (and then `from`) instead of `page`: the checkpoint has no such limit");
}

impl Offset {
    /// Checks a page.
    ///
    /// # Errors
    /// `invalid-input` for a page size above 100 and for records beyond the wall, with the way to go on.
    pub(crate) fn new(
        page: Option<u32>,
        per_page: Option<u32>,
        include_totals: Option<bool>,
        wall: Wall,
    ) -> Result<Self, Error> {
        let size = per_page.unwrap_or(DEFAULT_PAGE);
        if size > LARGEST_PAGE {
            return Err(Error::invalid(format!(
                "per_page {size} refused: Auth0's pages hold at most {LARGEST_PAGE}"
            )));
        }
        let last = (u64::from(page.unwrap_or(0)) + 1) * u64::from(size);
        if let Wall::At1000(way) = wall
            && last > WALL
        {
            let page = page.unwrap_or(0);
            return Err(Error::invalid(format!(
                "page {page} of {size} refused: Auth0 pages through the first {WALL} records only; {way}"
            )));
        }
        Ok(Self { page, per_page, include_totals })
    }

    /// Adds the parameters to a request.
    pub(crate) fn apply(self, request: Request) -> Request {
        request
            .maybe("page", self.page)
            .maybe("per_page", self.per_page)
            .maybe("include_totals", self.include_totals)
    }

    /// `limit` is the page size that the tenant says it serves, which may be smaller than asked for.
    fn next(self, length: usize, total: Option<u64>, limit: Option<u64>) -> Option<u32> {
        let page = self.page.unwrap_or(0);
        let asked = self.per_page.unwrap_or(DEFAULT_PAGE);
        let served = limit.filter(|limit| *limit > 0).unwrap_or(u64::from(asked));
        // A page as long as a tenant's possible ceiling may be a whole one, whatever was asked for.
        let full = length > 0 && length >= asked.min(DEFAULT_PAGE) as usize;
        let more = match total {
            Some(total) => length > 0 && u64::from(page) * served + (length as u64) < total,
            None => full,
        };
        more.then(|| page.saturating_add(1))
    }
}

/// A part of a list, asked for by cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    from: Option<String>,
    take: u32,
}

impl Checkpoint {
    /// Checks a cursor page.
    ///
    /// # Errors
    /// `invalid-input` for a page size of 0 or above 100, or an empty cursor.
    pub(crate) fn new(from: Option<String>, take: Option<u32>) -> Result<Self, Error> {
        let take = take.unwrap_or(DEFAULT_PAGE);
        if !(1..=LARGEST_PAGE).contains(&take) {
            return Err(Error::invalid(format!("take {take} refused: it must be from 1 to {LARGEST_PAGE}")));
        }
        if from.as_deref() == Some("") {
            return Err(Error::invalid("an empty `from` refused: leave it out to begin at the start"));
        }
        Ok(Self { from, take })
    }

    /// Adds the parameters to a request.
    pub(crate) fn apply(&self, request: Request) -> Request {
        request.maybe("from", self.from.as_deref()).query("take", &self.take.to_string())
    }

    /// Returns the cursor that was asked for.
    pub(crate) fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }
}

/// Either way to ask for a part of a list that offers both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// By page number.
    Offset(Offset),
    /// By cursor.
    Checkpoint(Checkpoint),
}

impl Part {
    /// Returns which way is meant; `from` and `take` exclude the others, since Auth0 would ignore them silently.
    ///
    /// # Errors
    /// `invalid-input` for a mixture and for what [`Offset::new`] and [`Checkpoint::new`] refuse.
    pub(crate) fn new(
        page: Option<u32>,
        per_page: Option<u32>,
        include_totals: Option<bool>,
        from: Option<String>,
        take: Option<u32>,
        wall: Wall,
    ) -> Result<Self, Error> {
        if from.is_none() && take.is_none() {
            return Offset::new(page, per_page, include_totals, wall).map(Self::Offset);
        }
        if page.is_some() || per_page.is_some() || include_totals == Some(true) {
            return Err(Error::invalid(
                "a mixture of two paging styles refused: give either `page`, `per_page`, `include_totals` or `from`, `take`",
            ));
        }
        Checkpoint::new(from, take).map(Self::Checkpoint)
    }

    /// Adds the parameters to a request.
    pub(crate) fn apply(&self, request: Request) -> Request {
        match self {
            Self::Offset(offset) => offset.apply(request),
            Self::Checkpoint(checkpoint) => checkpoint.apply(request),
        }
    }

    /// Reads the answer as `{items, total?, next?}`.
    ///
    /// # Errors
    /// `other` for an answer that is no list.
    pub(crate) fn read(&self, answer: Value, key: &str) -> Result<Value, Error> {
        match self {
            Self::Offset(offset) => read_page(answer, key, *offset),
            Self::Checkpoint(_) => read_cursor_page(answer, key),
        }
    }
}

/// Reads an offset page, a bare array or an object with totals, as `{items, total?, next?}`. `next` is the page to ask
/// for; it is there also where that page is beyond the wall, so that asking for it tells how to go on instead of the
/// list ending early.
///
/// # Errors
/// `other` for an answer that is no list.
pub(crate) fn read_page(answer: Value, key: &str, offset: Offset) -> Result<Value, Error> {
    let total = answer.get("total").and_then(Value::as_u64);
    let limit = answer.get("limit").and_then(Value::as_u64);
    // `total` of the log's search is the page's own length (facts, section 7), which says nothing.
    let total = if key == "logs" { None } else { total };
    let items = items(answer, key)?;
    let next = offset.next(items.len(), total, limit);
    Ok(listed(items, total, next.map(Value::from)))
}

/// Reads a cursor page as `{items, total?, next?}`. `next` is the cursor for `from`.
///
/// # Errors
/// `other` for an answer that is no list.
pub(crate) fn read_cursor_page(mut answer: Value, key: &str) -> Result<Value, Error> {
    let take = |answer: &mut Value, name: &str| {
        answer.get_mut(name).map(Value::take).filter(|value| !value.is_null())
    };
    let next = take(&mut answer, "next").filter(|next| next.as_str() != Some(""));
    let total = take(&mut answer, "total").and_then(|total| total.as_u64());
    Ok(listed(items(answer, key)?, total, next))
}

/// Makes `{items, total?, next?}`.
pub(crate) fn listed(items: Vec<Value>, total: Option<u64>, next: Option<Value>) -> Value {
    object([("items", Some(items.into())), ("total", total.map(Value::from)), ("next", next)])
}

/// Takes the rows out of a list in either form. Anything else is not an empty list: a poller would take it for silence.
pub(crate) fn items(answer: Value, key: &str) -> Result<Vec<Value>, Error> {
    match answer {
        Value::Array(items) => return Ok(items),
        Value::Object(mut object) => {
            if let Some(Value::Array(items)) = object.remove(key) {
                return Ok(items);
            }
        }
        _ => {}
    }
    Err(Error::Other(Problem::new(format!("the tenant's answer is no list and has no `{key}`"))))
}

/// Sets a member of a JSON object.
pub(crate) fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// Reads the cursor out of a `Link` header: `<https://…/logs?from=ID&take=50>; rel="next"`.
pub(crate) fn cursor_of_link(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\"") || part.contains("rel=next"))?;
    let url = next.split_once('<')?.1.split_once('>')?.0;
    let query = url.split_once('?')?.1;
    let from = query.split('&').find_map(|pair| pair.strip_prefix("from="))?;
    let from = percent_encoding::percent_decode_str(from).decode_utf8().ok()?;
    (!from.is_empty()).then(|| from.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use proptest::prelude::*;

    const WAY: Wall = Wall::At1000("narrow it");

    fn offset(page: u32, per_page: u32) -> Offset {
        Offset::new(Some(page), Some(per_page), None, WAY).unwrap()
    }

    fn rows(count: usize) -> Value {
        Value::Array(vec![json!({}); count])
    }

    #[test]
    fn the_wall_is_a_typed_error_that_says_how_to_go_on() {
        assert!(Offset::new(Some(9), Some(100), None, WAY).is_ok());
        let error = Offset::new(Some(10), Some(100), None, WAY).unwrap_err();
        assert_eq!(error.kind(), "invalid-input");
        assert!(error.to_string().contains("narrow it"), "{error}");
        assert!(Offset::new(Some(20), None, None, WAY).is_err());
        assert!(Offset::new(Some(u32::MAX), Some(100), None, WAY).is_err());
        assert!(Offset::new(Some(10), Some(100), None, Wall::None).is_ok());
        assert!(Offset::new(None, Some(101), None, Wall::None).is_err());
    }

    #[test]
    fn a_full_last_page_before_the_wall_still_names_the_next() {
        let list = read_page(rows(100), "users", offset(9, 100)).unwrap();
        assert_eq!(list["next"], 10);
    }

    #[test]
    fn a_tenant_with_smaller_pages_does_not_end_the_list() {
        assert_eq!(read_page(rows(50), "users", offset(0, 100)).unwrap()["next"], 1);
        assert_eq!(read_page(rows(49), "users", offset(0, 100)).unwrap().get("next"), None);
        assert_eq!(read_page(rows(0), "users", offset(3, 100)).unwrap().get("next"), None);
    }

    #[test]
    fn totals_decide_where_there_are_any() {
        let with =
            |total: u64| json!({"start": 0, "limit": 2, "length": 2, "total": total, "users": [{}, {}]});
        assert_eq!(
            read_page(with(3), "users", offset(0, 2)).unwrap(),
            json!({"items": [{}, {}], "total": 3, "next": 1})
        );
        assert_eq!(
            read_page(with(2), "users", offset(0, 2)).unwrap(),
            json!({"items": [{}, {}], "total": 2})
        );
    }

    #[test]
    fn totals_count_by_the_page_size_that_is_served() {
        let answer = json!({"start": 50, "limit": 50, "total": 120, "users": vec![json!({}); 50]});
        assert_eq!(read_page(answer, "users", offset(1, 100)).unwrap()["next"], 2);
    }

    #[test]
    fn an_answer_that_is_no_list_is_not_an_empty_one() {
        for answer in [json!({"unexpected": []}), json!(null), json!("x"), json!({"users": {}})] {
            assert_eq!(read_page(answer, "users", offset(0, 50)).unwrap_err().kind(), "other");
        }
    }

    #[test]
    fn a_cursor_page_ends_where_no_next_is() {
        let page = json!({"sessions": [{"id": "s"}], "next": "abc"});
        assert_eq!(
            read_cursor_page(page, "sessions").unwrap(),
            json!({"items": [{"id": "s"}], "next": "abc"})
        );
        assert_eq!(read_cursor_page(json!({"sessions": []}), "sessions").unwrap(), json!({"items": []}));
    }

    #[test]
    fn the_link_header_holds_the_cursor() {
        let link = "<https://t.example/api/v2/logs?from=9002%7C1&take=50>; rel=\"next\"";
        assert_eq!(cursor_of_link(link), Some("9002|1".to_owned()));
        assert_eq!(cursor_of_link("<https://t.example/>; rel=\"prev\""), None);
    }

    #[test]
    fn paging_styles_do_not_mix() {
        assert!(Part::new(Some(0), None, None, Some("x".into()), None, Wall::None).is_err());
        assert!(Part::new(None, None, Some(true), None, Some(5), Wall::None).is_err());
        assert!(matches!(Part::new(None, None, None, None, Some(5), Wall::None), Ok(Part::Checkpoint(_))));
        assert!(Part::new(None, None, None, Some(String::new()), None, Wall::None).is_err());
    }

    proptest! {
        #[test]
        fn following_next_visits_every_record_once(
            total in 0_u32..1000, per_page in 1_u32..=100, ceiling in proptest::sample::select(vec![50_u32, 100]), totals: bool,
        ) {
            let mut seen = 0;
            let mut page = Some(0);
            let mut rounds = 0;
            while let Some(number) = page {
                let offset = Offset::new(Some(number), Some(per_page), Some(totals), WAY);
                prop_assume!(offset.is_ok());
                let served = per_page.min(ceiling);
                let here = served.min(total.saturating_sub(number * served)) as usize;
                let answer = if totals {
                    json!({"limit": served, "total": total, "users": vec![json!({}); here]})
                } else {
                    rows(here)
                };
                let list = read_page(answer, "users", offset.unwrap()).unwrap();
                seen += list["items"].as_array().unwrap().len();
                page = list.get("next").and_then(Value::as_u64).map(|next| u32::try_from(next).unwrap());
                rounds += 1;
                prop_assert!(rounds <= 1002);
            }
            prop_assert_eq!(seen, total as usize);
        }
    }
}
