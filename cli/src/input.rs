//! The input of an action, from the command line.

use auth0_host::Json;
use serde_json::{Map, Value};

use super::{Failure, file};

/// The members of an input, each as it was typed: numbers keep their digits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(Vec<(String, Json)>);

impl Members {
    fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn insert(&mut self, name: String, value: Json) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Reads the members into values, for a form.
    ///
    /// # Errors
    ///
    /// Where a member has no value, such as a number that is too large for one.
    pub(crate) fn to_values(&self) -> Result<Map<String, Value>, Failure> {
        let read = |(name, value): &(String, Json)| match value.to_value() {
            Ok(value) => Ok((name.clone(), value)),
            Err(error) => Err(usage(format!("`{name}` cannot be shown in a form: {error}"))),
        };
        self.0.iter().map(read).collect()
    }

    /// Takes what a form made of the members. What it left as it was keeps its digits.
    pub(crate) fn filled_in(&self, form: Map<String, Value>) -> Self {
        let member = |(name, value): (String, Value)| {
            let typed = self.get(&name).filter(|typed| **typed == value).cloned();
            (name, typed.unwrap_or_else(|| value.into()))
        };
        Self(form.into_iter().map(member).collect())
    }
}

impl From<Members> for Json {
    fn from(members: Members) -> Self {
        Self::object(members.0)
    }
}

/// Puts the input together: `--input` first, then each `key=value` over it.
pub(crate) async fn gather(input: Option<&str>, pairs: &[String]) -> Result<Members, Failure> {
    let mut object = match input {
        None => Members::default(),
        Some("-") => object(&stdin().await?, "stdin")?,
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let read = file::text(path.as_ref(), file::INPUT);
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
    Ok(object)
}

/// Returns whether a value may have been meant as text: `cursor=1`, `password=12345678`.
pub(crate) fn may_be_meant_as_text(input: &Members, pairs: &[String]) -> bool {
    let keys = pairs.iter().filter_map(|text| text.split_once('='));
    keys.filter_map(|(key, _)| input.get(key)).any(is_number_or_switch)
}

/// Takes numbers and switches as the text that was typed where the action takes nothing but text.
pub(crate) fn keep_texts(input: &mut Members, pairs: &[String], schema: &Value) {
    for (key, typed) in pairs.iter().filter_map(|text| text.split_once('=')) {
        let is_text =
            schema.get("properties").and_then(|all| all.get(key)?.get("type")) == Some(&"string".into());
        if is_text && input.get(key).is_some_and(is_number_or_switch) {
            input.insert(key.to_owned(), Value::from(typed).into());
        }
    }
}

fn is_number_or_switch(value: &Json) -> bool {
    value.as_str().starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | 't' | 'f'))
}

/// Splits `key=value`. A value that is JSON is taken as JSON, anything else as a string: `limit=5` is a number,
/// `q=email:*` is text, and `name='"5"'` is the text `5`. Where an action takes text alone, `name=5` is text as well.
fn pair(text: &str) -> Result<(String, Json), Failure> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        let hint = if text.trim_start().starts_with('{') {
            "a whole object goes behind --input".to_owned()
        } else {
            format!("write {text}=VALUE, or give the whole input behind --input")
        };
        return Err(usage(format!("`{text}` is not of the form key=value: {hint}")));
    };
    let value = Json::parse(value).unwrap_or_else(|_| Value::from(value).into());
    Ok((key.to_owned(), value))
}

fn object(text: &str, origin: &str) -> Result<Members, Failure> {
    let document = Json::parse(text).map_err(|error| match origin {
        "--input" => usage(format!(
            "the text behind --input is not JSON ({error}); a file is named by @FILE, stdin by -"
        )),
        origin => usage(format!("the input in {origin} is not JSON: {error}")),
    })?;
    if !document.as_str().starts_with('{') {
        return Err(usage(format!("the input in {origin} is JSON but not an object: write {{\"key\": …}}")));
    }
    let members = document.members().map_err(|error| usage(format!("the input in {origin}: {error}")))?;
    Ok(Members(members.into_iter().map(|(name, value)| (name, value.into())).collect()))
}

/// Reads stdin beside the runtime, so that Ctrl-C still ends the command.
async fn stdin() -> Result<String, Failure> {
    let read = || file::all(std::io::stdin().lock(), file::INPUT).and_then(file::utf8);
    let read = tokio::task::spawn_blocking(read);
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
            ("limit=5", "limit", json!(5)),
            ("include_totals=true", "include_totals", json!(true)),
            ("x=null", "x", json!(null)),
            ("q=email:*@acme.com", "q", json!("email:*@acme.com")),
            ("user_id=auth0|5", "user_id", json!("auth0|5")),
            ("id=\"5\"", "id", json!("5")),
            ("roles=[\"a\",\"b\"]", "roles", json!(["a", "b"])),
            ("changes={\"blocked\":true}", "changes", json!({"blocked": true})),
            ("q=a=b", "q", json!("a=b")),
            ("q=", "q", json!("")),
            ("broken={\"a\":", "broken", json!("{\"a\":")),
        ] {
            let (found, typed) = pair(text).unwrap();
            assert!(found == key && typed == value, "{text}: {typed}");
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
        let typed = |pairs: &[String]| Members(pairs.iter().map(|text| pair(text).unwrap()).collect());
        let mut input = typed(&pairs);
        assert!(may_be_meant_as_text(&input, &pairs));
        keep_texts(&mut input, &pairs, &schema);
        assert_eq!(
            Json::from(input),
            json!({"cursor": "1e2", "page": 1, "any": 1, "either": 1, "unknown": 1})
        );
        let texts = ["q=a".to_owned()];
        assert!(!may_be_meant_as_text(&typed(&texts), &texts));
    }

    #[tokio::test]
    async fn numbers_keep_their_digits_as_pairs_in_the_input_and_through_a_form() {
        let digits = r#"{"big":12345678901234567890123,"dec":0.10,"exp":1e400}"#;
        let pairs = [format!("own={digits}"), "dec=1.50".to_owned(), "huge=1e999".to_owned()];
        let input = format!(r#"{{"given":{digits},"dec":0.10}}"#);
        let members = gather(Some(&input), &pairs).await.unwrap();
        let expected = format!(r#"{{"given":{digits},"dec":1.50,"own":{digits},"huge":1e999}}"#);
        assert_eq!(Json::from(members.clone()).as_str(), expected);
        assert!(members.to_values().is_err(), "a float holds neither 1e400 nor 1e999");

        let members = gather(Some(r#"{"a":12345678901234567890123,"b":0.10}"#), &[]).await.unwrap();
        let mut form = members.to_values().unwrap();
        form.insert("b".to_owned(), json!(2));
        form.insert("c".to_owned(), json!("new"));
        let filled = Json::from(members.filled_in(form));
        assert_eq!(filled.as_str(), r#"{"a":12345678901234567890123,"b":2,"c":"new"}"#);
    }

    #[tokio::test]
    async fn pairs_go_over_the_input_and_no_pair_over_another() {
        let pairs = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let value = gather(Some(r#"{"a": 1, "b": 2}"#), &pairs(&["b=3", "c=x"])).await.unwrap();
        assert_eq!(Json::from(value), json!({"a": 1, "b": 3, "c": "x"}));
        assert_eq!(Json::from(gather(None, &[]).await.unwrap()), json!({}));
        assert!(gather(None, &pairs(&["a=1", "a=2"])).await.is_err());
        for input in ["[1]", "nonsense", "@/no/such/file", ""] {
            let failure = gather(Some(input), &[]).await.unwrap_err();
            assert_eq!(failure.exit(), super::super::Exit::Usage, "{input}");
        }
    }
}
