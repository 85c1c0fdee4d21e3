//! The input of an action, from the command line.

use std::{
    fs,
    io::{self, Read},
};

use serde_json::{Map, Value};

use super::Failure;

/// Puts the input together: `--input` first, then each `key=value` over it.
pub(crate) async fn gather(input: Option<&str>, pairs: &[String]) -> Result<Value, Failure> {
    let mut object = match input {
        None => Map::new(),
        Some("-") => object(&stdin().await?, "stdin")?,
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let read = fs::File::open(path).and_then(bounded);
                object(&read.map_err(|error| usage(format!("{path} could not be read: {error}")))?, path)?
            }
            None => object(text, "--input")?,
        },
    };
    let mut seen = Vec::new();
    for text in pairs {
        let (key, value) = pair(text)?;
        if seen.contains(&key) {
            return Err(usage(format!("`{key}` is given twice; for a list write {key}='[\"a\", \"b\"]'")));
        }
        object.insert(key.clone(), value);
        seen.push(key);
    }
    Ok(Value::Object(object))
}

/// Largest input that is read; the component takes no larger one.
const LARGEST: u64 = 4_000_000;

/// Reads all there is, unless it is more than any input.
fn bounded(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let length = from.take(LARGEST + 1).read_to_string(&mut text)?;
    if length as u64 > LARGEST {
        let problem = format!("it has more than {LARGEST} bytes, and Auth0 takes bodies of at most 1 MB");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(text)
}

/// Tells whether a value may have been meant as text: `cursor=1`, `password=12345678`.
pub(crate) fn may_be_meant_as_text(input: &Map<String, Value>, pairs: &[String]) -> bool {
    let keys = pairs.iter().filter_map(|text| text.split_once('='));
    keys.filter_map(|(key, _)| input.get(key)).any(|value| value.is_number() || value.is_boolean())
}

/// Takes numbers and switches as the text that was typed where the action takes nothing but text.
pub(crate) fn keep_texts(input: &mut Map<String, Value>, pairs: &[String], schema: &Value) {
    for (key, typed) in pairs.iter().filter_map(|text| text.split_once('=')) {
        let is_text =
            schema.get("properties").and_then(|all| all.get(key)?.get("type")) == Some(&"string".into());
        if let Some(value) =
            input.get_mut(key).filter(|value| is_text && (value.is_number() || value.is_boolean()))
        {
            *value = typed.into();
        }
    }
}

/// Splits `key=value`. A value that is JSON is taken as JSON, anything else as a string: `per_page=5` is a number,
/// `q=email:*` is text, and `name='"5"'` is the text `5`. Where an action takes text alone, `name=5` is text as well.
fn pair(text: &str) -> Result<(String, Value), Failure> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        let hint = if text.trim_start().starts_with('{') {
            "a whole object goes behind --input".to_owned()
        } else {
            format!("write {text}=VALUE, or give the whole input behind --input")
        };
        return Err(usage(format!("`{text}` is not of the form key=value: {hint}")));
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((key.to_owned(), value))
}

fn object(text: &str, origin: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(usage(format!("the input in {origin} is JSON but not an object: write {{\"key\": …}}"))),
        Err(error) if origin == "--input" => Err(usage(format!(
            "the text behind --input is not JSON ({error}); a file is named by @FILE, stdin by -"
        ))),
        Err(error) => Err(usage(format!("the input in {origin} is not JSON: {error}"))),
    }
}

/// Reads stdin beside the runtime, so that Ctrl-C still ends the command.
async fn stdin() -> Result<String, Failure> {
    let read = tokio::task::spawn_blocking(|| bounded(std::io::stdin().lock()));
    match read.await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(usage(format!("stdin could not be read: {error}"))),
        Err(error) => Err(Failure::Host(error.into())),
    }
}

fn usage(message: String) -> Failure {
    Failure::Usage(message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_json_where_it_can_be_and_text_otherwise() {
        for (text, key, value) in [
            ("per_page=5", "per_page", json!(5)),
            ("include_totals=true", "include_totals", json!(true)),
            ("x=null", "x", json!(null)),
            ("q=email:*@acme.com", "q", json!("email:*@acme.com")),
            ("user_id=auth0|5", "user_id", json!("auth0|5")),
            ("id=\"5\"", "id", json!("5")),
            ("roles=[\"a\",\"b\"]", "roles", json!(["a", "b"])),
            ("changes={\"blocked\":true}", "changes", json!({"blocked": true})),
            ("q=a=b", "q", json!("a=b")),
            ("q=", "q", json!("")),
            ("big=1e999", "big", json!("1e999")),
            ("broken={\"a\":", "broken", json!("{\"a\":")),
        ] {
            assert_eq!(pair(text).unwrap(), (key.to_owned(), value), "{text}");
        }
        for text in ["", "=", "=x", "user_id", "{\"user_id\": 1}"] {
            assert!(pair(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_an_action_takes_as_text_alone_stays_as_it_was_typed() {
        let schema = json!({"properties": {
            "cursor": {"type": "string"}, "page": {"type": "integer"}, "any": {}, "either": {"type": ["string", "null"]},
        }});
        let pairs = ["cursor=1e2", "page=1", "any=1", "either=1", "unknown=1"].map(str::to_owned);
        let mut input: Map<_, _> = pairs.iter().map(|text| pair(text).unwrap()).collect();
        assert!(may_be_meant_as_text(&input, &pairs));
        keep_texts(&mut input, &pairs, &schema);
        assert_eq!(
            Value::Object(input),
            json!({"cursor": "1e2", "page": 1, "any": 1, "either": 1, "unknown": 1})
        );
        let texts = ["q=a".to_owned()];
        assert!(!may_be_meant_as_text(&texts.iter().map(|text| pair(text).unwrap()).collect(), &texts));
    }

    #[test]
    fn no_more_is_read_than_an_input_can_have() {
        let error = bounded(io::repeat(b'x')).unwrap_err().to_string();
        assert!(error.contains("more than 4000000 bytes"), "{error}");
        assert_eq!(bounded(&b"{}"[..]).unwrap(), "{}");
    }

    #[tokio::test]
    async fn pairs_go_over_the_input_and_no_pair_over_another() {
        let pairs = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let value = gather(Some(r#"{"a": 1, "b": 2}"#), &pairs(&["b=3", "c=x"])).await.unwrap();
        assert_eq!(value, json!({"a": 1, "b": 3, "c": "x"}));
        assert_eq!(gather(None, &[]).await.unwrap(), json!({}));
        assert!(gather(None, &pairs(&["a=1", "a=2"])).await.is_err());
        for input in ["[1]", "nonsense", "@/no/such/file", ""] {
            let failure = gather(Some(input), &[]).await.unwrap_err();
            assert_eq!(failure.exit(), super::super::Exit::Usage, "{input}");
        }
    }
}
