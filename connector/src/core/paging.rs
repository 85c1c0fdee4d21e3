//! Pages and cursors: which page to ask for, how to read a list in each of Auth0's forms, where to go on.
//!
//! Auth0 has three forms (a bare array, an object with totals, an object or header with a cursor) and one wall: the
//! first 1000 records. Two failures are prevented here: a list that ends early because a tenant serves smaller pages
//! than asked for, and a list that ends silently at the wall.

use serde_json::Value;

use super::error::{Code, Error};
use super::json::object;

/// Records that offset paging reaches (facts, section 4: `invalid_paging` beyond).
pub(crate) const WALL: u64 = 1000;

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
    Err(Error::new(Code::UnexpectedAnswer, format!("the tenant's answer is no list and has no `{key}`")))
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

    #[test]
    fn an_answer_that_is_no_list_is_not_an_empty_one() {
        for answer in [json!({"unexpected": []}), json!(null), json!("x"), json!({"users": {}})] {
            assert_eq!(items(answer, "users").unwrap_err().code, Code::UnexpectedAnswer);
        }
    }

    #[test]
    fn the_link_header_holds_the_cursor() {
        let link = "<https://t.example/api/v2/logs?from=9002%7C1&take=50>; rel=\"next\"";
        assert_eq!(cursor_of_link(link), Some("9002|1".to_owned()));
        assert_eq!(cursor_of_link("<https://t.example/>; rel=\"prev\""), None);
    }
}
