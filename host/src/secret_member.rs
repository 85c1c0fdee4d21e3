//! Which members of an input are secrets.
//!
//! A form must not echo them, a command line that is printed must not hold them, and whoever lists a plugin wants to
//! know of them. JSON Schema has no word for it that Auth0's schemas use, so the name decides, as it does for a reader.

use serde_json::Value;

use crate::action::ActionDescription;

/// How names of secrets end, without their `_` and in small letters: `client_secret`, `secretAccessKey`, `smtp_pass`.
const ENDINGS: [&str; 17] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretaccesskey",
    "smtppass",
    "connectionstring",
    "signingkey",
    "recoverycode",
    "httpauthorization",
    "authorization",
    "masterkey",
    "encryptionkey",
    "credentials",
    "bearer",
];

/// Schemas may refer to themselves.
const DEPTH: usize = 6;

/// Tells whether a member of this name holds a secret, by the names that Auth0's API gives them. What a text is about
/// and does not hold, such as `token_endpoint_auth_method`, is none.
pub fn names_a_secret(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    // The one of Duo is called so, and a passkey is none.
    name == "skey" || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

impl ActionDescription {
    /// Lists the members of the input that are secrets: `password`, `changes.password`, `credentials[].pem`. Texts and
    /// what is not typed count; a number or an object of that name is a setting.
    pub fn secret_inputs(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&mut found, "", &self.input_schema, &self.input_schema, 0);
        found
    }
}

fn collect(found: &mut Vec<String>, prefix: &str, schema: &Value, root: &Value, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    let schema = target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema);
    for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if names_a_secret(name) && may_be_text(member, root) && !found.contains(&path) {
            found.push(path.clone());
        }
        collect(found, &path, member, root, depth + 1);
    }
    if let Some(items) = schema.get("items") {
        collect(found, &format!("{prefix}[]"), items, root, depth + 1);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for way in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            collect(found, prefix, way, root, depth + 1);
        }
    }
}

/// Whether a text can stand there that is not one of a known few.
fn may_be_text(schema: &Value, root: &Value) -> bool {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    let schema = target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema);
    if schema.get("enum").is_some() || schema.get("const").is_some() {
        return false;
    }
    let ways = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
    match (schema.get("type"), ways("anyOf").or_else(|| ways("oneOf"))) {
        (Some(Value::String(name)), _) => name == "string",
        (Some(Value::Array(names)), _) => names.iter().any(|name| name == "string"),
        // One level: Auth0's schemas have no choice within a choice.
        (_, Some(ways)) => ways.iter().any(|way| way.get("type").is_some_and(|name| name == "string")),
        _ => schema.as_object().is_none_or(|object| !object.contains_key("properties")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_tell_what_holds_a_secret_from_what_is_about_one() {
        for (name, expected) in [
            ("password", true),
            ("client_secret", true),
            ("clientSecret", true),
            ("twilio_auth_token", true),
            ("api_key", true),
            ("smtp_pass", true),
            ("secretAccessKey", true),
            ("connectionString", true),
            ("httpAuthorization", true),
            ("token_endpoint_auth_method", false),
            ("password_policy", false),
            ("secret_questions", false),
            ("key", false),
            ("passkey", false),
            ("client_id", false),
        ] {
            assert_eq!(names_a_secret(name), expected, "{name}");
        }
    }

    #[test]
    fn secrets_of_an_input_are_found_at_any_depth_and_settings_of_that_name_are_none() {
        let schema = json!({
            "properties": {
                "password": {"type": "string"},
                "refresh_token": {"type": "object", "properties": {"leeway": {"type": "integer"}}},
                "include_token": {"type": "boolean"},
                "kind_of_secret": {"enum": ["a"]},
                "changes": {"$ref": "#/$defs/Changes"},
                "list": {"type": "array", "items": {"properties": {"api_key": {"type": ["string", "null"]}}}},
            },
            "$defs": {"Changes": {"properties": {
                "password": {"anyOf": [{"type": "string"}, {"const": null}]},
                "again": {"$ref": "#/$defs/Changes"},
            }}},
        });
        let mut found = Vec::new();
        collect(&mut found, "", &schema, &schema, 0);
        assert_eq!(found[..2], ["password", "changes.password"]);
        assert!(found.contains(&"list[].api_key".to_owned()), "{found:?}");
        assert!(!found.iter().any(|path| path.contains("include") || path.contains("kind")), "{found:?}");
        assert!(!found.contains(&"refresh_token".to_owned()), "{found:?}");
    }
}
