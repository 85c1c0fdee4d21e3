//! Which members of an input are secrets.
//!
//! A form must not echo them, a command line that is printed must not hold them, a question must not show them, and whoever
//! lists a plugin wants to know of them. What the catalogue knows to be a secret of the thing that is written is one. JSON
//! Schema has no word for it that Auth0's schemas use; so for the rest the name decides, as it does for a reader.

use serde_json::{Map, Value};

use crate::{
    action::{ActionDescription, CUSTOM_REQUEST},
    egress::{Progress, secrets_brought_in_by, secrets_in_inputs_of},
};

/// Stands for a secret in an input that is shown.
const COVERED: &str = "(not shown)";

/// How names of secrets end, without their `_` and in small letters: `client_secret`, `secretAccessKey`, `smtp_pass`. One
/// `s` more makes them many.
const ENDINGS: [&str; 19] = [
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
    "assertion",
    "passwd",
];

/// Names that are too short to be endings: a passkey is no key of Duo, and much ends in `pin`.
const WHOLE: [&str; 3] = ["skey", "otp", "pin"];

/// Schemas may refer to themselves.
const DEPTH: usize = 6;

/// Returns whether a member of this name holds a secret, by the names that Auth0's API gives them. What a text is about
/// and does not hold, such as `token_endpoint_auth_method`, is none.
pub fn is_secret_name(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let one = name.strip_suffix('s').unwrap_or(&name);
    WHOLE.contains(&name.as_str())
        || ENDINGS.iter().any(|ending| name.ends_with(ending) || one.ends_with(ending))
}

impl ActionDescription {
    /// Lists the members of the input that are secrets: `password`, `changes.password`, `credentials[].pem`. Texts and
    /// what is not typed count; a number or an object of that name is a setting. Where a schema leaves members open, those
    /// that the catalogue knows are named without what is above them.
    pub fn secret_inputs(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&mut found, "", &self.input_schema, &self.input_schema, 0);
        let none = Map::new();
        let declared = self.input_schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let closed = self.input_schema.get("additionalProperties") == Some(&Value::Bool(false));
        let open = !closed || declared.values().any(|member| may_hold_any(member, &self.input_schema, 0));
        for secret in secrets_brought_in_by(&self.requests) {
            let fits = match secret.first() {
                Some(name) => declared.contains_key(name) || (open && secret.is_one_name()),
                None => open,
            };
            let name = secret.name();
            let known = |found: &String| *found == name || found.ends_with(&format!(".{name}"));
            if fits && !found.iter().any(known) {
                found.push(name);
            }
        }
        found
    }

    /// Returns whether a member of the input is a parameter of a request's path: it names the thing that is acted on.
    pub fn is_in_path(&self, name: &str) -> bool {
        let parameter = format!("{{{name}}}");
        self.requests.iter().any(|request| request.path.split('/').any(|segment| segment == parameter))
    }

    /// Covers the secrets of an input with "(not shown)", so that the rest can be. What names the thing that is acted on, in
    /// the path, is not covered.
    pub fn cover_secrets(&self, input: &Map<String, Value>) -> Map<String, Value> {
        // What a custom request writes is the thing that its path names.
        let own = input.get("path").and_then(Value::as_str).filter(|_| self.id == CUSTOM_REQUEST);
        let secrets = secrets_in_inputs_of(&self.requests, own.unwrap_or_default());
        let everywhere = secrets_in_inputs_of(&[], "");
        let cover = |(name, value): (&String, &Value)| {
            let value = match value {
                value if self.is_in_path(name) => value.clone(),
                // Where a body's names are the caller's choice, it stands in a member of its own.
                Value::Object(_) | Value::Array(_) if name == "body" => within(value, &secrets),
                value if own.is_some() => covered(name, value, &everywhere),
                value => covered(name, value, &secrets),
            };
            (name.clone(), value)
        };
        input.iter().map(cover).collect()
    }
}

/// Covers a member, or what is a secret in it. Goes no deeper than the parser, which stops at 128 levels.
fn covered(name: &str, value: &Value, secrets: &Progress) -> Value {
    let is_text = |value: &Value| value.is_string() || value.is_number();
    let is_plain = is_text(value) || value.as_array().is_some_and(|items| items.iter().all(is_text));
    // A switch tells nothing.
    let is_switch = value.is_boolean() || value.is_null();
    if !is_switch && (secrets.ends_in(name, value) || (is_plain && is_secret_name(name))) {
        return COVERED.into();
    }
    within(value, &secrets.below(name))
}

fn within(value: &Value, secrets: &Progress) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, value)| (name.clone(), covered(name, value, secrets))).collect(),
        ),
        Value::Array(items) => items.iter().map(|item| within(item, secrets)).collect(),
        value => value.clone(),
    }
}

/// Whether an object can stand there that may have any member, or a list with one.
fn may_hold_any(schema: &Value, root: &Value, depth: usize) -> bool {
    if depth > DEPTH {
        return false;
    }
    let schema = resolved(schema, root);
    let ways = ["anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    let types = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().collect(),
        Some(name) => vec![name],
        None => Vec::new(),
    };
    (types.iter().any(|name| *name == "object") && schema.get("properties").is_none())
        || schema.get("items").is_some_and(|items| may_hold_any(items, root, depth + 1))
        || ways.into_iter().any(|way| may_hold_any(way, root, depth + 1))
}

/// Follows a reference, where the schema is one.
pub(crate) fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn collect(found: &mut Vec<String>, prefix: &str, schema: &Value, root: &Value, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let schema = resolved(schema, root);
    for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if is_secret_name(name) && may_be_text(member, root) && !found.contains(&path) {
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
    let schema = resolved(schema, root);
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
            ("recovery_codes", true),
            ("pin", true),
            ("mapping", false),
            ("client_assertion", true),
            ("client_id", false),
        ] {
            assert_eq!(is_secret_name(name), expected, "{name}");
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

    /// Guards the host's stack against a component that describes itself in circles.
    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        for member in [
            json!({"items": {"$ref": "#/properties/a"}}),
            json!({"anyOf": [{"$ref": "#/properties/a"}]}),
            json!({"properties": {"b": {"$ref": "#/properties/a"}}}),
        ] {
            let schema = json!({"additionalProperties": false, "properties": {"a": member}});
            assert!(!may_hold_any(&schema["properties"]["a"], &schema, 0));
            let mut found = Vec::new();
            collect(&mut found, "", &schema, &schema, 0);
            assert!(found.is_empty());
        }
    }

    #[tokio::test]
    async fn what_the_catalogue_knows_is_listed_where_a_schema_says_no_more_than_object() {
        let host = crate::Host::with_trusted_component(auth0_embedded_component::COMPONENT).build().unwrap();
        for (action, expected) in [
            ("users.update", &["password"][..]),
            ("create-user", &["password"]),
            ("clients.rotateSecret", &[]),
            ("roles.create", &[]),
            ("connections.delete", &[]),
            ("logStreams.get", &[]),
            ("guardian.factors.pushNotification.setApnsProvider", &["p12"]),
            ("rulesConfigs.set", &["value"]),
            ("hooks.secrets.create", &["*"]),
            ("branding.phone.providers.create", &["credentials.*"]),
            ("actions.create", &["secrets.value"]),
        ] {
            assert_eq!(host.describe(action).await.unwrap().secret_inputs(), expected, "{action}");
        }
        for (action, expected) in [
            ("connections.create", "options.client_secret"),
            ("clients.update", "addons.secret"),
            ("clients.update", "client_secret"),
            ("emails.provider.update", "smtp_pass"),
            ("logStreams.update", "httpAuthorization"),
            ("eventStreams.create", "destination.webhook_authorization.token"),
            ("attackProtection.captcha.update", "api_key"),
            ("flows.vault.connections.create", "setup"),
        ] {
            let found = host.describe(action).await.unwrap().secret_inputs();
            assert_eq!(found.iter().filter(|name| *name == expected).count(), 1, "{action}: {found:?}");
        }
    }
}
