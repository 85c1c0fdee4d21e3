//! The two paging styles: offset with totals, and checkpoint with an opaque cursor.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Query, Refusal};

/// Nobody pages past this many records by offset.
pub(crate) const WALL: usize = 1000;

/// An offset page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) start: usize,
    pub(crate) limit: usize,
}

impl Page {
    /// Reads `page` and `per_page` (default 50).
    pub(crate) fn of(query: &Query) -> Self {
        let limit = query.number("per_page").unwrap_or(50);
        Self { start: query.number("page").unwrap_or(0).saturating_mul(limit), limit }
    }

    /// Returns whether the page reaches past the 1000-record wall.
    pub(crate) fn past_wall(self) -> bool {
        self.start.saturating_add(self.limit) > WALL
    }
}

/// The items of a page.
pub(crate) fn slice<T: Clone>(items: &[T], page: Page) -> Vec<T> {
    items.iter().skip(page.start).take(page.limit).cloned().collect()
}

/// Answers a list by offset: a bare array, or with `include_totals` an object with the plural key.
pub(crate) fn offset(call: &Call, key: &str, items: &[Value]) -> Answer {
    let page = Page::of(&call.query);
    let shown = Value::Array(slice(items, page));
    if call.query.flag("include_totals") == Some(true) {
        return Answer::ok(
            json!({"start": page.start, "limit": page.limit, "total": items.len(), key: shown}),
        );
    }
    Answer::ok(shown)
}

/// Answers a list by checkpoint: `{key: […], "next": …}`, `next` absent on the last page.
///
/// The cursor holds the id of the last item shown, so that items which come or go between two calls neither repeat nor
/// hide others.
pub(crate) fn checkpoint(
    call: &Call,
    key: &str,
    items: &[Value],
    id_of: impl Fn(&Value) -> String,
) -> Result<Answer, Refusal> {
    let take = call.query.number("take").unwrap_or(50);
    let start = match call.query.get("from") {
        None => 0,
        Some(cursor) => {
            let (position, id) = open_cursor(cursor).ok_or_else(bad_cursor)?;
            items.iter().position(|item| id_of(item) == id).map_or(position, |at| at + 1)
        }
    };
    let shown: Vec<Value> = items.iter().skip(start).take(take).cloned().collect();
    let mut body = json!({key: shown});
    if start + shown.len() < items.len()
        && let (Some(last), Some(object)) = (shown.last(), body.as_object_mut())
    {
        object.insert("next".into(), seal_cursor(start + shown.len(), &id_of(last)).into());
    }
    Ok(Answer::ok(body))
}

/// Offset or checkpoint, whichever the request asks for; `take` and `from` win.
pub(crate) fn either(
    call: &Call,
    key: &str,
    items: &[Value],
    id_of: impl Fn(&Value) -> String,
) -> Result<Answer, Refusal> {
    if call.query.get("take").is_some() || call.query.get("from").is_some() {
        return checkpoint(call, key, items, id_of);
    }
    let page = Page::of(&call.query);
    if page.past_wall() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_paging",
            format!(
                "Requesting page {} exceeds the allowed maximum of 1000 records. To fetch results beyond 1000, use the checkpoint pagination method",
                call.query.number("page").unwrap_or(0)
            ),
        ));
    }
    Ok(offset(call, key, items))
}

fn bad_cursor() -> Refusal {
    // [?] The sheet gives the status of an expired cursor, not its code.
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_paging", "The specified cursor is invalid or has expired.")
}

fn seal_cursor(position: usize, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{position},{id}"))
}

fn open_cursor(cursor: &str) -> Option<(usize, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (position, id) = text.split_once(',')?;
    Some((position.parse().ok()?, id.to_owned()))
}

/// Keeps or drops root members as `fields` and `include_fields` say.
pub(crate) fn project(item: Value, query: &Query, always: &[&str]) -> Value {
    let Some(fields) = query.get("fields").filter(|fields| !fields.is_empty()) else { return item };
    let include = query.flag("include_fields").unwrap_or(true);
    let named: Vec<&str> = fields.split(',').map(str::trim).collect();
    match item {
        Value::Object(mut object) => {
            object
                .retain(|key, _| named.contains(&key.as_str()) == include || always.contains(&key.as_str()));
            Value::Object(object)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_stands_at_1000_records() {
        let page = |raw: &str| Page::of(&Query::parse(Some(raw)));
        assert!(!page("page=9&per_page=100").past_wall());
        assert!(page("page=10&per_page=100").past_wall());
        assert!(!page("page=19").past_wall());
        assert!(page("page=20").past_wall());
        assert!(page("page=18446744073709551615").past_wall());
    }

    #[test]
    fn cursors_are_opaque_and_round_trip() {
        assert_eq!(open_cursor(&seal_cursor(7, "a,b")), Some((7, "a,b".to_owned())));
        assert_eq!(open_cursor("not a cursor"), None);
    }

    #[test]
    fn fields_keep_or_drop() {
        let item = json!({"a": 1, "b": 2, "tenant": "t"});
        assert_eq!(
            project(item.clone(), &Query::parse(Some("fields=a")), &["tenant"]),
            json!({"a": 1, "tenant": "t"})
        );
        assert_eq!(
            project(item, &Query::parse(Some("fields=a&include_fields=false")), &[]),
            json!({"b": 2, "tenant": "t"})
        );
    }
}
