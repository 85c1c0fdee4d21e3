//! Results that are too long for one answer, and what is left of them.
//!
//! A client cuts what is too long for its model, or refuses it, and either way the model does not learn what it missed.
//! So the server cuts first, says that it did, and keeps the rest for the session: lists between items, anything else
//! anywhere in its JSON text. A piece can be asked for again, since clients repeat what timed out.

use std::{collections::VecDeque, num::ParseIntError, str::FromStr};

use serde_json::{Map, Value, json};

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
    List { items: Vec<Box<str>>, head: Map<String, Value>, next: Option<Value>, beside: usize, room: usize },
    /// Anything else.
    Text { json: Box<str>, room: usize },
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
    pub(super) fn put(&mut self, value: Value) -> Value {
        let json = value.to_string();
        if json.len() <= self.most {
            return value;
        }
        let whole = Whole::new(value, json, self.most);
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
        piece.unwrap_or_default()
    }

    /// Returns the piece that a cursor names.
    pub(super) fn go_on(&self, cursor: &str) -> Result<Value, CursorError> {
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
    fn new(value: Value, json: String, most: usize) -> Self {
        let text = |json: String| Self::Text { json: json.into(), room: most.saturating_sub(ENVELOPE) };
        let Value::Object(mut head) = value else { return text(json) };
        let Some(Value::Array(items)) = head.get_mut("items").map(Value::take) else { return text(json) };
        head.shift_remove("items");
        let next = head.shift_remove("next");
        let beside = Value::Object(head.clone()).to_string().len()
            + next.as_ref().map_or(0, |next| next.to_string().len());
        let room = most.saturating_sub(ENVELOPE + beside);
        let items: Vec<Box<str>> = items.iter().map(|item| item.to_string().into()).collect();
        if items.is_empty() || items.iter().any(|item| item.len() >= room) {
            return text(json);
        }
        Self::List { items, head, next, beside, room }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::List { items, beside, .. } => {
                beside + items.iter().map(|item| item.len() + size_of::<Box<str>>()).sum::<usize>()
            }
            Self::Text { json, .. } => json.len(),
        }
    }

    /// Returns what begins at a cursor, and nothing where it is outside.
    fn piece(&self, Cursor { number, from }: Cursor) -> Option<Value> {
        match self {
            Self::List { items, head, next, room, .. } => {
                let rest = items.get(from..).filter(|rest| !rest.is_empty())?;
                let mut size = 0;
                let mut fits = |item: &str| {
                    size += item.len() + 1;
                    size <= *room
                };
                let shown: Vec<Value> = rest
                    .iter()
                    .take_while(|item| fits(item))
                    .filter_map(|item| serde_json::from_str(item).ok())
                    .collect();
                let left = rest.len() - shown.len();
                let cursor = Cursor { number, from: from + shown.len() };
                let mut piece = Map::from_iter([("items".to_owned(), Value::Array(shown))]);
                if from == 0 {
                    piece.extend(head.clone());
                }
                if left > 0 {
                    piece.insert(
                        "truncated".to_owned(),
                        json!({
                            "cursor": cursor.to_string(),
                            "items_left": left,
                            "how": "The list goes on: call read-more with this cursor before anything else of it, the next page too",
                        }),
                    );
                } else if let Some(next) = next {
                    piece.insert("next".to_owned(), next.clone());
                }
                Some(Value::Object(piece))
            }
            Self::Text { json, room } => {
                let rest = json.get(from..).filter(|rest| !rest.is_empty())?;
                let mut size = 0;
                let end = rest.char_indices().find(|(_, letter)| {
                    size += escaped(*letter);
                    size > *room
                });
                let shown = end.and_then(|(end, _)| rest.get(..end)).unwrap_or(rest);
                let left = rest.len() - shown.len();
                let cursor = Cursor { number, from: from + shown.len() };
                Some(match left {
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
                })
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
    use super::*;

    /// Reads a result to its end, and tells into how many pieces it was cut.
    fn read(value: &Value, most: usize) -> (Value, usize) {
        let mut result_buffer = ResultBuffer::new(ResultBytes(most));
        let mut piece = result_buffer.put(value.clone());
        let mut pieces = vec![];
        loop {
            assert!(piece.to_string().len() <= most, "{} bytes of {most}", piece.to_string().len());
            let cursor = piece.pointer("/truncated/cursor").map(|cursor| cursor.as_str().unwrap().to_owned());
            pieces.push(piece);
            match cursor {
                None => break,
                Some(cursor) => {
                    piece = result_buffer.go_on(&cursor).unwrap();
                    assert_eq!(result_buffer.go_on(&cursor), Ok(piece.clone()), "a piece can be read again");
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
    fn a_cursor_is_taken_as_it_was_given_or_not_at_all() {
        let mut result_buffer = ResultBuffer::new(ResultBytes(4000));
        result_buffer.put(json!({"items": vec!["x".repeat(100); 100]}));
        result_buffer.put(json!("ü".repeat(4000)));
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
        let large = json!("x".repeat(MOST_KEPT / 2));
        let cursors: Vec<String> = (0..3)
            .map(|_| result_buffer.put(large.clone())["truncated"]["cursor"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(result_buffer.go_on(&cursors[0]), Err(CursorError::Gone));
        assert!(result_buffer.go_on(&cursors[2]).is_ok());
        // One that is larger than all room is kept alone.
        let cursor = result_buffer.put(json!("x".repeat(MOST_KEPT + 1)))["truncated"]["cursor"]
            .as_str()
            .unwrap()
            .to_owned();
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
