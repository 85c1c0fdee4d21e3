//! The table of operations: path, scopes, parameters and body schema, checked in the order that Auth0 checks them.
//!
//! The table is data (`operations.json`), because the same four checks apply to every operation and a hand-written
//! check per handler would drift. Handlers only see requests that the table let through.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::call::{Caller, Query, Refusal, joined};

/// One operation of the Management API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    pub(crate) method: String,
    /// The template below `/api/v2`, e.g. `/users/{id}`.
    pub(crate) path: String,
    /// The description of its `sapi` log row; reads write none.
    pub(crate) title: Option<String>,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    all: Vec<String>,
    #[serde(default)]
    query: BTreeMap<String, Parameter>,
    body: Option<Schema>,
    #[serde(default)]
    array_body: bool,
    /// `METHOD /path`, built once.
    #[serde(skip)]
    pub(crate) key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameter {
    r#type: String,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(rename = "maxLength")]
    max_length: Option<usize>,
    csv_of: Option<Vec<String>>,
    #[serde(default)]
    required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    closed: bool,
    #[serde(default)]
    min: usize,
    required: Vec<String>,
    properties: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct Table {
    scopes: Vec<String>,
    operations: Vec<Operation>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    // A test pins that the embedded table parses.
    let mut table: Table = serde_json::from_str(include_str!("operations.json")).unwrap_or_default();
    for operation in &mut table.operations {
        operation.key = format!("{} {}", operation.method, operation.path);
    }
    table
});

/// Every scope of the Management API that an application can be granted.
pub(crate) fn all_scopes() -> &'static [String] {
    &TABLE.scopes
}

/// Finds the operation for a method and a raw path below `/api/v2`, with its decoded path parameters.
pub(crate) fn find(method: &str, path: &str) -> Option<(&'static Operation, BTreeMap<&'static str, String>)> {
    let mut found: Option<(&'static Operation, BTreeMap<&'static str, String>)> = None;
    for operation in TABLE.operations.iter().filter(|operation| operation.method == method) {
        if let Some(params) = matched(&operation.path, path) {
            // A literal segment beats a parameter: `/clients/search` over `/clients/{id}`.
            if found.as_ref().is_none_or(|(_, best)| params.len() < best.len()) {
                found = Some((operation, params));
            }
        }
    }
    found
}

fn matched(template: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let mut params = BTreeMap::new();
    let mut have = path.split('/');
    for want in template.split('/') {
        let segment = have.next()?;
        match want.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => {
                params.insert(name, percent_decode_str(segment).decode_utf8_lossy().into_owned());
            }
            None if want == segment => {}
            None => return None,
        }
    }
    have.next().is_none().then_some(params)
}

impl Operation {
    /// Checks that the caller holds the scopes.
    pub(crate) fn check_scopes(&self, caller: &Caller) -> Result<(), Refusal> {
        if !self.all.iter().all(|scope| caller.may(scope)) {
            return Err(Refusal::insufficient_scope(format!(
                "Insufficient scope, expected all of: {}",
                joined(&self.all)
            )));
        }
        if !self.any.is_empty() && !self.any.iter().any(|scope| caller.may(scope)) {
            return Err(Refusal::insufficient_scope(format!(
                "Insufficient scope, expected any of: {}",
                joined(&self.any)
            )));
        }
        Ok(())
    }

    /// Checks the shape of path parameters, where one is known.
    pub(crate) fn check_path(&self, params: &BTreeMap<&'static str, String>) -> Result<(), Refusal> {
        for (name, value) in params {
            let user = matches!(*name, "id" | "user_id")
                && (self.path.starts_with("/users/{") || self.path.starts_with("/user-blocks/{"))
                && !(*name == "user_id" && self.path.contains("{provider}"));
            if user && !is_user_id(value) {
                return Err(Refusal::new(
                    http::StatusCode::BAD_REQUEST,
                    "invalid_uri",
                    format!("Object didn't pass validation for format user-id: {value}"),
                ));
            }
            if self.path.starts_with("/jobs/{")
                && !value
                    .strip_prefix("job_")
                    .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
            {
                return Err(Refusal::path(format_args!(
                    "'String does not match pattern ^job_[A-Za-z0-9]{{16}}$: {value}' on property id (Id of the job)"
                )));
            }
        }
        Ok(())
    }

    /// Checks names, types and ranges of the query parameters.
    pub(crate) fn check_query(&self, query: &Query) -> Result<(), Refusal> {
        for (name, value) in &query.0 {
            let Some(parameter) = self.query.get(name.strip_suffix("[]").unwrap_or(name)) else {
                // [?] The sheet is silent on unknown parameters; schemas of the API are closed, so the likeliest is this.
                return Err(Refusal::query(format_args!("'Additional properties not allowed: {name}'")));
            };
            parameter.check(name, value)?;
        }
        for (name, parameter) in &self.query {
            if parameter.required && query.get(name).is_none() {
                return Err(Refusal::query(format_args!("'Missing required property: {name}'")));
            }
        }
        Ok(())
    }

    /// Checks the body against the schema.
    pub(crate) fn check_body(&self, body: &Value) -> Result<(), Refusal> {
        if self.array_body {
            return match body {
                Value::Array(items) if !items.is_empty() => Ok(()),
                Value::Array(_) => Err(Refusal::body("'Array is too short (0), minimum 1'")),
                other => {
                    Err(Refusal::body(format_args!("'Expected type array but found type {}'", kind(other))))
                }
            };
        }
        let Some(schema) = &self.body else { return Ok(()) };
        let object = match body {
            Value::Object(object) => object,
            // An absent body is fine where nothing is required.
            Value::Null if schema.required.is_empty() && schema.min == 0 => return Ok(()),
            other => {
                return Err(Refusal::body(format_args!(
                    "'Expected type object but found type {}'",
                    kind(other)
                )));
            }
        };
        for name in &schema.required {
            if !object.contains_key(name) {
                return Err(Refusal::body(format_args!("'Missing required property: {name}'")));
            }
        }
        for (name, value) in object {
            match schema.properties.get(name) {
                Some(expected) => check_type(name, expected, value)?,
                None if schema.closed => {
                    return Err(Refusal::body(format_args!("'Additional properties not allowed: {name}'")));
                }
                None => {}
            }
        }
        if object.len() < schema.min {
            return Err(Refusal::body(format_args!(
                "'Too few properties defined ({}), minimum {}'",
                object.len(),
                schema.min
            )));
        }
        Ok(())
    }

    /// Turns the strings of a form-encoded body into what the schema wants.
    pub(crate) fn coerce(&self, name: &str, value: String) -> Value {
        let expected =
            self.body.as_ref().and_then(|schema| schema.properties.get(name)).map_or("", String::as_str);
        if expected.starts_with("boolean") && (value == "true" || value == "false") {
            return Value::Bool(value == "true");
        }
        if (expected.starts_with("integer") || expected.starts_with("number"))
            && let Ok(number) = value.parse::<i64>()
        {
            return number.into();
        }
        Value::String(value)
    }
}

impl Parameter {
    fn check(&self, name: &str, value: &str) -> Result<(), Refusal> {
        match self.r#type.as_str() {
            "integer" => {
                let Ok(number) = value.parse::<i64>() else {
                    return Err(Refusal::query(format_args!(
                        "'Expected type integer but found type string' on property {name}"
                    )));
                };
                if let Some(min) = self.min.filter(|min| number < *min) {
                    return Err(Refusal::query(format_args!(
                        "'Value {number} is less than minimum {min}' on property {name}"
                    )));
                }
                if let Some(max) = self.max.filter(|max| number > *max) {
                    return Err(Refusal::query(format_args!(
                        "'Value {number} is greater than maximum {max}' on property {name}"
                    )));
                }
            }
            "boolean" if value != "true" && value != "false" => {
                return Err(Refusal::query(format_args!(
                    "'Expected type boolean but found type string' on property {name}"
                )));
            }
            other => {
                if let Some(choices) = choices(other)
                    && !choices.split('|').any(|choice| choice.eq_ignore_ascii_case(value))
                {
                    return Err(Refusal::query(format_args!(
                        "'No enum match for: {value}' on property {name}"
                    )));
                }
            }
        }
        if let Some(max) = self.max_length.filter(|max| value.chars().count() > *max) {
            return Err(Refusal::query(format_args!(
                "'String is too long ({} chars), maximum {max}' on property {name}",
                value.chars().count()
            )));
        }
        if let Some(known) = &self.csv_of {
            for item in value.split(',').filter(|item| !item.is_empty()) {
                // `sort` of the logs names its field with a direction.
                let item = item.trim().trim_end_matches(":-1").trim_end_matches(":1");
                let root = item.split('.').next().unwrap_or(item);
                // Log ids and dotted parts of a known root were seen to be accepted.
                let fits = known.iter().any(|field| field == item || field == root);
                if !fits && !matches!(item, "log_id" | "_id") {
                    return Err(Refusal::query(format_args!(
                        "'String does not match pattern: {item}' on property {name}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The choices inside `enum(a|b)`; none for other types and for `enum(55 values)`, whose values the catalogue leaves
/// out.
fn choices(expected: &str) -> Option<&str> {
    let inside = expected.strip_prefix("enum(")?.strip_suffix(')')?;
    (!inside.ends_with(" values")).then_some(inside)
}

fn check_type(name: &str, expected: &str, value: &Value) -> Result<(), Refusal> {
    let (expected, nullable) = match expected.strip_suffix("|null") {
        Some(rest) => (rest, true),
        None => (expected, false),
    };
    if nullable && value.is_null() {
        return Ok(());
    }
    let wrong = |wanted: &str| {
        Refusal::body(format_args!(
            "'Expected type {wanted} but found type {}' on property {name}",
            kind(value)
        ))
    };
    match expected {
        "boolean" if !value.is_boolean() => Err(wrong("boolean")),
        "integer" if !(value.is_i64() || value.is_u64()) => Err(wrong("integer")),
        "number" if !value.is_number() => Err(wrong("number")),
        "object" if !value.is_object() => Err(wrong("object")),
        "string|integer" if !(value.is_string() || value.is_i64() || value.is_u64()) => Err(wrong("string")),
        "string(email)" => {
            let text = value.as_str().ok_or_else(|| wrong("string"))?;
            if is_email(text) {
                return Ok(());
            }
            Err(Refusal::body(format_args!(
                "'Object didn't pass validation for format email: {text}' on property {name}"
            )))
        }
        "string" | "string(date-time)" if !value.is_string() => Err(wrong("string")),
        "array<string>" | "array<object>" => {
            let items = value.as_array().ok_or_else(|| wrong("array"))?;
            let wanted = expected.trim_start_matches("array<").trim_end_matches('>');
            for item in items {
                let fits = if wanted == "string" { item.is_string() } else { item.is_object() };
                if !fits {
                    return Err(Refusal::body(format_args!(
                        "'Expected type {wanted} but found type {}' on property {name}",
                        kind(item)
                    )));
                }
            }
            Ok(())
        }
        other if other.starts_with("array<") && !value.is_array() => Err(wrong("array")),
        other if other.starts_with("enum(") => {
            let text = value.as_str().ok_or_else(|| wrong("string"))?;
            match choices(other) {
                Some(choices) if !choices.split('|').any(|choice| choice == text) => {
                    Err(Refusal::body(format_args!("'No enum match for: {text}' on property {name}")))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// The JSON type's name, as validation messages write it.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Returns whether a text has the shape `provider|id`.
pub(crate) fn is_user_id(text: &str) -> bool {
    text.split_once('|').is_some_and(|(provider, id)| {
        !id.is_empty()
            && !provider.is_empty()
            && provider.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

/// Returns whether a text could be an address: one `@`, local part up to 64, 254 in all, a dotted or single-label
/// domain.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && local.len() <= 64
        && text.len() <= 254
        && !local.contains('@')
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c))
        && domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_parses() {
        let table: Result<Table, _> = serde_json::from_str(include_str!("operations.json"));
        assert!(table.is_ok(), "{:?}", table.err());
        assert!(TABLE.operations.len() > 90);
        assert!(all_scopes().iter().any(|scope| scope == "update:client_keys"));
    }

    #[test]
    fn an_encoded_slash_stays_inside_its_segment() {
        let (operation, params) = find("GET", "/users/auth0%7Ca%2Fb").unwrap();
        assert_eq!(operation.path, "/users/{id}");
        assert_eq!(params["id"], "auth0|a/b");
        assert!(find("GET", "/users/a/b").is_none());
        assert!(find("GET", "/users/").is_none());
    }

    #[test]
    fn bodies_are_checked_as_the_schema_says() {
        let (operation, _) = find("POST", "/users").unwrap();
        let table = [
            (r#"{"email":"a@b.co"}"#, "'Missing required property: connection'"),
            (r#"{"connection":"x","wat":1}"#, "'Additional properties not allowed: wat'"),
            (r#"{"connection":{}}"#, "'Expected type string but found type object' on property connection"),
            (r#"{"connection":"x","email":"y"}"#, "format email: y"),
            ("null", "'Expected type object but found type null'"),
        ];
        for (body, message) in table {
            let refusal = operation.check_body(&serde_json::from_str(body).unwrap()).unwrap_err();
            assert!(refusal.message.contains(message), "{body}: {}", refusal.message);
            assert_eq!(refusal.code, Some("invalid_body"));
        }
    }

    #[test]
    fn user_ids_need_a_provider() {
        for (id, fine) in [
            ("auth0|x", true),
            ("samlp|corp|a@b", true),
            ("abc", false),
            ("|abc", false),
            ("auth0|", false),
            ("a b|c", false),
        ] {
            assert_eq!(is_user_id(id), fine, "{id}");
        }
    }
}
