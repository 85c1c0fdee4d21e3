//! Results that are too long for one answer, and what is left of them.
//!
//! A client cuts what is too long for its model, or refuses it, and either way the model does not learn what it missed.
//! So the server cuts first, says that it did, and keeps the rest for the session: lists between items, anything else
//! anywhere in its JSON text. A piece can be asked for again, since clients repeat what timed out.

use std::{collections::VecDeque, num::ParseIntError, str::FromStr};

use auth0_host::Json;
use serde_json::json;

/// Bytes of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultBytes(usize);

impl ResultBytes {
    /// Claude Code puts what has more than 50,000 characters into a file, and refuses more than 25,000 tokens; other
    /// clients give a model less room. JSON with ids has about three bytes to a token.
    pub const DEFAULT: Self = Self(40_000);
    /// A tenth of it is what a piece says of itself.
    const LEAST: usize = 4_000;
    /// More than any model takes at once, and little enough for the transport to keep what it sent for a moment.
    const MOST: usize = 1_000_000;
}

impl std::fmt::Display for ResultBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ResultBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.parse().map_err(|error: ParseIntError| error.to_string())?;
        if !(Self::LEAST..=Self::MOST).contains(&bytes) {
            return Err(format!("give {} to {} bytes", Self::LEAST, Self::MOST));
        }
        Ok(Self(bytes))
    }
}

/// What a piece says of itself, and the brackets around it; the longest has 324 bytes.
const ENVELOPE: usize = 400;

/// Bytes that a session keeps, so that sixteen sessions keep at most half a gigabyte even of the largest results. The
/// newest result is kept whatever its size: the host takes 32 MiB of an instance at most.
const MOST_KEPT: usize = 16 * 1024 * 1024;

/// What an item takes besides its text: a pointer with a length, and two counters.
const ITEM_OVERHEAD: usize = size_of::<Json>() + 2 * size_of::<usize>();

/// The results that one session has not read to their ends.
#[derive(Debug)]
pub(super) struct ResultBuffer {
    most: usize,
    kept: VecDeque<Kept>,
    last: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    whole: Whole,
}

/// A result, as text: a tree of values takes several times as much memory.
#[derive(Debug)]
enum Whole {
    /// A list, to be cut between its items. What else it says comes with the first piece, but for the tenant's `next`,
    /// which comes with the last: whoever follows it early misses the rest of this page.
    List { items: Vec<Json>, head: Vec<(String, Json)>, next: Option<Json>, beside: usize, room: usize },
    /// Anything else.
    Text { json: Json, room: usize },
}

/// Where a result goes on: its number, and how much of it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    number: u64,
    from: usize,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.number, self.from)
    }
}

/// Why there is nothing to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CursorError {
    #[error("this is no cursor of a result that was cut: give the `cursor` of its `truncated` as it is")]
    Unknown,
    #[error(
        "this result is no longer kept: run the action again, and ask for less of it (fewer items per page, fewer fields)"
    )]
    Gone,
}

impl ResultBuffer {
    pub(super) fn new(most: ResultBytes) -> Self {
        Self { most: most.0, kept: VecDeque::new(), last: 0 }
    }

    /// Returns a result, or the first piece of one that is too long.
    pub(super) fn put(&mut self, result: Json) -> Json {
        if result.as_str().len() <= self.most {
            return result;
        }
        let whole = Whole::new(result, self.most);
        self.last += 1;
        let cursor = Cursor { number: self.last, from: 0 };
        let piece = whole.piece(cursor);
        self.kept.push_back(Kept { number: self.last, whole });
        while self.kept.len() > 1
            && self.kept.iter().map(|kept| kept.whole.bytes()).sum::<usize>() > MOST_KEPT
        {
            self.kept.pop_front();
        }
        // It has pieces: it was too long for one.
        piece.unwrap_or_else(Json::null)
    }

    /// Returns the piece that a cursor names.
    pub(super) fn go_on(&self, cursor: &str) -> Result<Json, CursorError> {
        let (number, from) = cursor.split_once('.').ok_or(CursorError::Unknown)?;
        let (Ok(number), Ok(from)) = (number.parse(), from.parse()) else { return Err(CursorError::Unknown) };
        match self.kept.iter().find(|kept| kept.number == number) {
            Some(kept) => kept.whole.piece(Cursor { number, from }).ok_or(CursorError::Unknown),
            None if (1..=self.last).contains(&number) => Err(CursorError::Gone),
            None => Err(CursorError::Unknown),
        }
    }
}

impl Whole {
    fn new(result: Json, most: usize) -> Self {
        let list = Self::list(&result, most);
        list.unwrap_or_else(|| Self::Text { json: result, room: most.saturating_sub(ENVELOPE) })
    }

    /// Takes a list apart, unless an item of it is too long for a piece.
    fn list(result: &Json, most: usize) -> Option<Self> {
        let items = result.get("/items")?.items().ok()?;
        let members = result.members().ok()?;
        let next = result.get("/next").map(Json::from);
        let head: Vec<(String, Json)> = members
            .into_iter()
            .filter(|(name, _)| name != "items" && name != "next")
            .map(|(name, value)| (name, value.into()))
            .collect();
        let beside =
            Json::object(head.clone()).as_str().len() + next.as_ref().map_or(0, |next| next.as_str().len());
        let room = most.saturating_sub(ENVELOPE + beside);
        if items.is_empty() || items.iter().any(|item| item.as_str().len() >= room) {
            return None;
        }
        Some(Self::List { items: items.into_iter().map(Json::from).collect(), head, next, beside, room })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::List { items, beside, .. } => {
                beside + items.iter().map(|item| item.as_str().len() + ITEM_OVERHEAD).sum::<usize>()
            }
            Self::Text { json, .. } => json.as_str().len(),
        }
    }

    /// Returns what begins at a cursor, and nothing where it is outside.
    fn piece(&self, Cursor { number, from }: Cursor) -> Option<Json> {
        match self {
            Self::List { items, head, next, room, .. } => {
                let rest = items.get(from..).filter(|rest| !rest.is_empty())?;
                let mut size = 0;
                let mut fits = |item: &Json| {
                    size += item.as_str().len() + 1;
                    size <= *room
                };
                let shown: Vec<&Json> = rest.iter().take_while(|item| fits(item)).collect();
                let left = rest.len() - shown.len();
                let cursor = Cursor { number, from: from + shown.len() };
                let mut piece = vec![("items".to_owned(), Json::array(shown))];
                if from == 0 {
                    piece.extend(head.iter().cloned());
                }
                if left > 0 {
                    piece.push((
                        "truncated".to_owned(),
                        json!({
                            "cursor": cursor.to_string(),
                            "items_left": left,
                            "how": "The list goes on: call read-more with this cursor before anything else of it, the next page too",
                        })
                        .into(),
                    ));
                } else if let Some(next) = next {
                    piece.push(("next".to_owned(), next.clone()));
                }
                Some(Json::object(piece))
            }
            Self::Text { json, room } => {
                let rest = json.as_str().get(from..).filter(|rest| !rest.is_empty())?;
                let mut size = 0;
                let end = rest.char_indices().find(|(_, letter)| {
                    size += escaped(*letter);
                    size > *room
                });
                let shown = end.and_then(|(end, _)| rest.get(..end)).unwrap_or(rest);
                let left = rest.len() - shown.len();
                let cursor = Cursor { number, from: from + shown.len() };
                let piece = match left {
                    0 => json!({ "text": shown }),
                    left => json!({
                        "text": shown,
                        "truncated": {
                            "cursor": cursor.to_string(),
                            "bytes_left": left,
                            "how": "`text` is the beginning of the result's JSON, or goes on with it: call read-more with this \
                                    cursor, and put the texts together",
                        },
                    }),
                };
                Some(piece.into())
            }
        }
    }
}

/// Bytes of a letter in a JSON string.
fn escaped(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        letter if letter.is_ascii_control() => 6,
        letter => letter.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    /// Reads a result to its end, and tells into how many pieces it was cut.
    fn read(value: &Value, most: usize) -> (Value, usize) {
        let mut result_buffer = ResultBuffer::new(ResultBytes(most));
        let mut piece = result_buffer.put(value.clone().into());
        let mut pieces = vec![];
        loop {
            assert!(piece.as_str().len() <= most, "{} bytes of {most}", piece.as_str().len());
            let cursor = piece.get("/truncated/cursor").map(|cursor| cursor.deserialize::<String>().unwrap());
            pieces.push(piece.to_value().unwrap());
            match cursor {
                None => break,
                Some(cursor) => {
                    piece = result_buffer.go_on(&cursor).unwrap();
                    assert_eq!(
                        result_buffer.go_on(&cursor).as_ref(),
                        Ok(&piece),
                        "a piece can be read again"
                    );
                }
            }
        }
        let count = pieces.len();
        if count > 1 && pieces[0].get("text").is_some() {
            let text: String = pieces.iter().map(|piece| piece["text"].as_str().unwrap()).collect();
            return (serde_json::from_str(&text).unwrap(), count);
        }
        let mut whole = Map::new();
        for (index, piece) in pieces.into_iter().enumerate() {
            for (name, value) in piece.as_object().unwrap().clone() {
                match (whole.get_mut(&name), value) {
                    (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
                    (_, value) if name != "truncated" => {
                        assert!(name != "next" || index + 1 == count, "`next` came before the end");
                        whole.insert(name, value);
                    }
                    _ => {}
                }
            }
        }
        (Value::Object(whole), count)
    }

    #[test]
    fn what_was_cut_and_read_on_to_its_end_is_the_whole() {
        let users: Vec<Value> =
            (0..500).map(|n| json!({"user_id": format!("auth0|{n}"), "name": "Zoë \"Z\"\n\\"})).collect();
        for (what, value, pieces) in [
            ("a short list", json!({"items": users[..3], "total": 3}), 1..=1),
            ("a list", json!({"items": users, "total": 9000, "next": 2}), 5..=20),
            ("a list with one long item", json!({"items": [users, 1], "next": "x"}), 5..=20),
            ("a list with much beside it", json!({"items": users[..9], "beside": "x".repeat(9000)}), 2..=5),
            ("an object", json!({"log": users}), 5..=20),
            ("a text of quotes", json!({"log": "\"\u{1}\u{7f}".repeat(3000)}), 5..=20),
            ("letters of several bytes", json!("ü€😀".repeat(1000)), 2..=5),
            ("no items", json!({"items": [], "beside": "x".repeat(9000)}), 2..=5),
        ] {
            let (whole, count) = read(&value, 4000);
            assert_eq!(whole, value, "{what}");
            assert!(pieces.contains(&count), "{what}: {count} pieces");
        }
    }

    #[test]
    fn pieces_of_a_list_have_every_digit() {
        let item = format!(r#"{{"n":12345678901234567890123.10,"x":"{}"}}"#, "x".repeat(900));
        let list = format!(r#"{{"items":[{}],"exp":1e400}}"#, [item.as_str(); 9].join(","));
        let piece = ResultBuffer::new(ResultBytes(4000)).put(Json::parse(list).unwrap());
        assert_eq!(piece.get("/items/1").unwrap().as_str(), item);
        assert_eq!(piece.get("/exp").unwrap().as_str(), "1e400");
        assert!(piece.get("/truncated").is_some());
    }

    #[test]
    fn a_cursor_is_taken_as_it_was_given_or_not_at_all() {
        let mut result_buffer = ResultBuffer::new(ResultBytes(4000));
        result_buffer.put(json!({"items": vec!["x".repeat(100); 100]}).into());
        result_buffer.put(json!("ü".repeat(4000)).into());
        for cursor in [
            "",
            "1",
            "1.",
            "1.x",
            "-1.0",
            "1.100",
            "1.101",
            "0.0",
            "3.0",
            "2.2",
            "2.9999",
            "1.18446744073709551615",
        ] {
            assert_eq!(result_buffer.go_on(cursor), Err(CursorError::Unknown), "{cursor}");
        }
    }

    #[test]
    fn the_oldest_results_make_room_and_their_cursors_say_so() {
        let mut result_buffer = ResultBuffer::new(ResultBytes(4000));
        let cursor = |piece: Json| piece.get("/truncated/cursor").unwrap().deserialize::<String>().unwrap();
        let large = Json::from(json!("x".repeat(MOST_KEPT / 2)));
        let cursors: Vec<String> = (0..3).map(|_| cursor(result_buffer.put(large.clone()))).collect();
        assert_eq!(result_buffer.go_on(&cursors[0]), Err(CursorError::Gone));
        assert!(result_buffer.go_on(&cursors[2]).is_ok());
        // One that is larger than all room is kept alone.
        let cursor = cursor(result_buffer.put(json!("x".repeat(MOST_KEPT + 1)).into()));
        assert!(result_buffer.go_on(&cursor).is_ok());
        assert_eq!(result_buffer.go_on(&cursors[2]), Err(CursorError::Gone));
    }

    #[test]
    fn sizes_are_numbers_within_bounds() {
        for (text, expected) in [
            ("4000", true),
            ("40000", true),
            ("3999", false),
            ("10000001", false),
            ("4k", false),
            ("-1", false),
        ] {
            assert_eq!(text.parse::<ResultBytes>().is_ok(), expected, "{text}");
        }
    }
}
