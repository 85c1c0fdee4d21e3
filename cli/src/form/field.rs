//! One field of a form, and what a person types into it.

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::schema::{self, Notation};

/// A member of an action's input.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) required: bool,
    /// What it means.
    pub(crate) doc: Option<String>,
    /// Its type in words: `array of string`.
    pub(crate) type_name: String,
    /// What else a value must keep to, and what it is where none is given.
    pub(crate) bounds: Vec<String>,
    /// All values there are, where they are known; where it is a list, of one item of it.
    pub(crate) choices: Vec<String>,
    /// Whether it must not be shown.
    pub(crate) secret: bool,
    /// Members that an object of it is known to have.
    pub(crate) members: Vec<String>,
    kinds: Kinds,
    validator: Validator,
}

/// What a text can be read as.
#[derive(Clone, Copy, Debug)]
struct Kinds {
    text: bool,
    list: bool,
    object: bool,
    other: bool,
}

impl Field {
    /// Reads a member's schema. `secret` says whether a text there is one.
    pub(crate) fn new(name: &str, schema: &Value, root: &Value, secret: bool) -> Result<Self, String> {
        let ways = schema::ways(schema, root);
        let has = |wanted: &str| ways.iter().any(|way| schema::types(way).contains(&wanted));
        let untyped = ways.iter().any(|way| schema::types(way).is_empty() && way.get("enum").is_none());
        let mut choices = schema::choices(schema, root).unwrap_or_default();
        let text_choice = choices.iter().any(Value::is_string);
        let kinds = Kinds {
            text: has("string") || text_choice || (untyped && choices.is_empty()),
            list: has("array"),
            object: has("object"),
            other: untyped || ["integer", "number", "boolean"].into_iter().any(has),
        };
        if let Some(items) = ways.iter().find_map(|way| way.get("items"))
            && choices.is_empty()
        {
            choices = schema::choices(items, root).unwrap_or_default();
        }
        let members =
            ways.iter().find_map(|way| schema::properties(way)).map(|all| all.keys().cloned().collect());
        Ok(Self {
            name: name.to_owned(),
            required: schema::requires(root, name),
            doc: schema.get("description").and_then(Value::as_str).map(str::to_owned),
            type_name: schema::type_name(schema, root, Notation::Plain),
            bounds: schema::bounds(schema, root, Notation::Plain),
            secret: secret && kinds.text && choices.is_empty(),
            choices: choices.iter().map(schema::plain).collect(),
            members: members.unwrap_or_default(),
            kinds,
            validator: validator(schema, root)
                .map_err(|problem| format!("the schema of `{name}`: {problem}"))?,
        })
    }

    /// Whether several values can be typed, between commas.
    pub(crate) fn is_list(&self) -> bool {
        self.kinds.list
    }

    /// Returns in a line what may be typed.
    pub(crate) fn hint(&self) -> String {
        let mut parts = vec![self.type_name.clone()];
        parts.extend(self.bounds.iter().cloned());
        if self.kinds.list {
            parts.push("items between commas, or JSON".to_owned());
        } else if self.kinds.object {
            let members = if self.members.is_empty() { "…".to_owned() } else { self.members.join(", ") };
            parts.push(format!("as JSON, with {members}"));
        }
        parts.join("; ")
    }

    /// Reads what was typed.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without the value itself: it may be a password.
    pub(crate) fn read(&self, typed: &str) -> Result<Value, String> {
        let mut problem = None;
        for value in self.readings(typed)? {
            match self.check(&value) {
                Ok(()) => return Ok(value),
                Err(found) => problem = problem.or(Some(found)),
            }
        }
        Err(problem
            .unwrap_or_else(|| self.none_of_choices().unwrap_or_else(|| format!("wanted: {}", self.hint()))))
    }

    /// Checks whether a value is one that the schema allows.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without the value itself.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.validator.validate(value).map_err(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() {
                "it".to_owned()
            } else {
                format!("`{}`", place.trim_start_matches('/'))
            };
            self.none_of_choices()
                .unwrap_or_else(|| format!("{}; wanted: {}", error.masked_with(place), self.hint()))
        })
    }

    fn none_of_choices(&self) -> Option<String> {
        (!self.choices.is_empty()).then(|| format!("it must be one of {}", self.choices.join(", ")))
    }

    /// Returns what a text may mean, the likeliest first.
    fn readings(&self, typed: &str) -> Result<Vec<Value>, String> {
        let Kinds { text, list, object, other } = self.kinds;
        let trimmed = typed.trim_start();
        let mut readings = Vec::new();
        if (list && trimmed.starts_with('[')) || (object && trimmed.starts_with('{')) {
            match serde_json::from_str(typed) {
                Ok(value) => return Ok(vec![value]),
                // A text may begin so, too.
                Err(_) if text => {}
                Err(error) => return Err(format!("this is no JSON: {}", place_of(&error))),
            }
        }
        // A text is never taken for JSON where it can be a text: `12345678` is a password.
        if text && !other {
            readings.push(Value::from(typed));
        }
        if (other || object)
            && let Ok(value) = serde_json::from_str(typed.trim())
        {
            readings.push(value);
        }
        if list {
            let pieces = || typed.split(',').map(str::trim).filter(|piece| !piece.is_empty());
            readings.push(pieces().map(Value::from).collect());
            let read = |piece: &str| serde_json::from_str(piece).unwrap_or_else(|_| Value::from(piece));
            readings.push(pieces().map(read).collect());
        }
        if text && other {
            readings.push(Value::from(typed));
        }
        if readings.is_empty() && object {
            return Err("write a JSON object: {\"name\": value}".to_owned());
        }
        Ok(readings)
    }
}

/// Returns where JSON breaks off, without repeating what was typed.
fn place_of(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "it ends too early" } else { "it cannot be read" };
    format!("{what} at column {}", error.column())
}

/// Compiles a member's own schema, with the definitions that it refers to.
fn validator(schema: &Value, root: &Value) -> Result<Validator, String> {
    let mut own = match schema {
        Value::Object(members) => members.clone(),
        other => Map::from_iter([("allOf".to_owned(), Value::Array(vec![other.clone()]))]),
    };
    if let Some(definitions) = root.get("$defs") {
        own.insert("$defs".to_owned(), definitions.clone());
    }
    jsonschema::draft202012::new(&Value::Object(own)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(name: &str, schema: Value) -> Field {
        let root = json!({"properties": {}, "$defs": {"Method": {"enum": ["GET", "POST"]}}});
        Field::new(name, &schema, &root, name == "token").unwrap()
    }

    #[test]
    fn what_is_typed_becomes_a_value_that_the_schema_allows() {
        let fields_or_names =
            json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]});
        for (schema, typed, expected) in [
            (json!({"type": "string"}), "12345678", json!("12345678")),
            (json!({"type": "string"}), "{not json", json!("{not json")),
            (json!({"type": "string"}), " true", json!(" true")),
            (json!({"type": "integer"}), " 5 ", json!(5)),
            (json!({"type": "number"}), "1.5", json!(1.5)),
            (json!({"type": "boolean"}), "true", json!(true)),
            (json!({"type": ["integer", "null"]}), "null", json!(null)),
            (json!({"$ref": "#/$defs/Method"}), "GET", json!("GET")),
            (json!({"oneOf": [{"const": "a"}, {"const": 1}]}), "1", json!(1)),
            (json!({"type": "array", "items": {"type": "string"}}), "a, b", json!(["a", "b"])),
            (json!({"type": "array", "items": {"type": "string"}}), "5", json!(["5"])),
            (json!({"type": "array", "items": {"type": "string"}}), r#"["a, b"]"#, json!(["a, b"])),
            (json!({"type": "array", "items": {"type": "integer"}}), "1,2", json!([1, 2])),
            (json!({"type": "array", "items": {"type": "string"}}), "", json!([])),
            (json!({"type": "object"}), r#"{"a": 1}"#, json!({"a": 1})),
            (json!({}), "plain", json!("plain")),
            (json!({}), "[1]", json!([1])),
            (json!({"type": ["string", "integer"]}), "5", json!(5)),
            (fields_or_names, "email,name", json!("email,name")),
        ] {
            assert_eq!(field("x", schema.clone()).read(typed), Ok(expected), "{schema} {typed}");
        }
    }

    #[test]
    fn what_the_schema_does_not_allow_is_refused_without_repeating_it() {
        for (schema, hint) in [
            (json!({"type": "integer", "minimum": 0, "maximum": 100}), "0 to 100"),
            (json!({"type": "boolean"}), "one of true, false"),
            (json!({"enum": ["a", "b"]}), "one of a, b"),
            (json!({"type": "array", "items": {"enum": ["a"]}}), "one of a"),
            (json!({"type": "string", "maxLength": 3}), "at most 3 characters"),
            (json!({"type": "object"}), "JSON object"),
            (json!({"type": "string", "pattern": "^[0-9]+$"}), "pattern"),
        ] {
            let error = field("x", schema.clone()).read("canary").unwrap_err();
            assert!(error.contains(hint) && !error.contains("canary"), "{schema}: {error}");
        }
        let broken = field("x", json!({"type": "array"})).read("[\"canary\", ").unwrap_err();
        assert!(broken.contains("ends too early") && !broken.contains("canary"), "{broken}");
        let nested = field("x", json!({"properties": {"n": {"type": "integer"}}})).read(r#"{"n": "canary"}"#);
        let nested = nested.unwrap_err();
        assert!(nested.contains("`n`") && !nested.contains("canary"), "{nested}");
    }

    #[test]
    fn a_switch_and_a_choice_are_no_secrets() {
        assert!(field("token", json!({"type": "string"})).secret);
        for settings in [json!({"type": "boolean"}), json!({"enum": ["a"]})] {
            assert!(!field("token", settings).secret);
        }
    }
}
