//! A stream of events, read like a list: as many as asked for, or as many as come before it falls silent.

use serde_json::Value;

use crate::client::Client;
use crate::core::error::Error;
use crate::core::events;
use crate::core::paging::listed;
use crate::core::request::Request;
use crate::list::DEFAULT_LIMIT;

/// Reads a part of a stream. `next` is there also when nothing came: a reader that keeps it misses nothing.
///
/// # Errors
/// As the request ends.
pub(super) fn read(
    client: &mut Client<'_>,
    request: Request,
    limit: Option<usize>,
    cursor: Option<String>,
) -> Result<Value, Error> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let request = request.maybe("from", cursor.as_deref()).events(limit);
    let response = client.send(&request)?;
    let mut items = events::read(&response.body);
    items.truncate(limit);
    let last = items.iter().rev().find_map(offset);
    Ok(listed(items, None, last.or(cursor).map(Value::from)))
}

/// Where to go on behind an event: its id, else the offset in its data.
fn offset(event: &Value) -> Option<String> {
    let offset = event.get("id").or_else(|| event.get("data")?.get("offset"))?;
    offset.as_str().map(str::to_owned)
}
