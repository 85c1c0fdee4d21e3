//! Server-sent events (WHATWG HTML, section 9.2), as far as Auth0's stream has them.

use serde_json::{Map, Value};

use super::json;

/// Counts the events of a stream that are there whole.
pub fn count(stream: &[u8]) -> usize {
    whole(stream).filter(|event| event.data.is_some()).count()
}

/// Reads the events of a stream that are there whole: `{id?, type?, data}`, with data that is JSON as JSON.
pub fn read(stream: &[u8]) -> Vec<Value> {
    let events = whole(stream).filter_map(|event| {
        let data = event.data?;
        let mut object = Map::new();
        object.extend(event.id.map(|id| ("id".to_owned(), Value::from(id))));
        object.extend(event.kind.map(|kind| ("type".to_owned(), Value::from(kind))));
        object.insert("data".to_owned(), json::parse(data.as_bytes()).unwrap_or(Value::String(data)));
        Some(Value::Object(object))
    });
    events.collect()
}

#[derive(Default)]
struct Event {
    id: Option<String>,
    kind: Option<String>,
    data: Option<String>,
}

/// Splits at empty lines; what comes after the last one is not whole yet.
fn whole(stream: &[u8]) -> impl Iterator<Item = Event> {
    let mut event = Event::default();
    stream.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).filter_map(
        move |line| {
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                return Some(std::mem::take(&mut event));
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => event.id = Some(value.to_owned()),
                "event" => event.kind = Some(value.to_owned()),
                "data" => match &mut event.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => event.data = Some(value.to_owned()),
                },
                // A comment (":") keeps the line open; `retry` is for those who reconnect by themselves.
                _ => {}
            }
            None
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_where_they_are_whole() {
        let stream = b": hello\n\nid: 7\nevent: user.created\ndata: {\"a\": 1}\n\ndata: x\r\ndata: y\r\n\r\nid: 9\ndata: cut";
        assert_eq!(count(stream), 2);
        let expected =
            vec![json!({"id": "7", "type": "user.created", "data": {"a": 1}}), json!({"data": "x\ny"})];
        assert_eq!(read(stream), expected);
        assert_eq!(count(b""), 0);
        assert_eq!(count(b"\xff\n\n:\n\nid: 3\n\n"), 0);
    }
}
