//! An input that would be taken: what `describe` shows as the example.
//!
//! It is made from the schema, tried against the schema, and widened by optional members until the schema allows it. So
//! an example is never one that the action refuses for its form; whether the tenant has such a user is another matter.

use auth0_host::{ActionDescription, Effect, is_secret_name};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::{field::Field, schema};

/// Schemas may refer to themselves.
const DEPTH: usize = 5;

/// Texts by the end of the member's name. Ids have the shapes that tenants give them (facts, section 9).
const BY_NAME: [(&str, &str); 30] = [
    ("user_id", "auth0|507f1f77bcf86cd799439011"),
    ("role_id", "rol_V1StGXR8Z5jdHi6B"),
    ("client_id", "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPp"),
    ("connection_id", "con_V1StGXR8Z5jdHi6B"),
    ("organization_id", "org_V1StGXR8Z5jdHi6B"),
    ("log_id", "90020260101120000000000000000000000001"),
    ("connection", "Username-Password-Authentication"),
    ("email", "ana@acme.example"),
    ("to", "ana@acme.example"),
    ("phone_number", "+4915112345678"),
    ("provider", "auth0"),
    ("resource_server_identifier", "https://api.acme.example/"),
    ("identifier", "https://api.acme.example/"),
    ("audience", "https://api.acme.example/"),
    ("permission_name", "read:reports"),
    ("scope", "read:users"),
    ("path", "/api/v2/users"),
    ("subject", "Welcome"),
    ("body", "<p>Hello</p>"),
    ("template", "verify_email"),
    ("language", "en"),
    ("locale", "en"),
    ("domain", "login.acme.example"),
    ("url", "https://acme.example/"),
    ("uri", "https://acme.example/"),
    ("from", "20260101"),
    ("ip", "203.0.113.7"),
    ("date", "2030-01-01"),
    ("name", "example"),
    ("color", "#0059d6"),
];

/// Ids by the group of the action that calls its own just `id`.
const BY_GROUP: [(&str, &str); 9] = [
    ("users", "auth0|507f1f77bcf86cd799439011"),
    ("roles", "rol_V1StGXR8Z5jdHi6B"),
    ("clients", "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPp"),
    ("organizations", "org_V1StGXR8Z5jdHi6B"),
    ("connections", "con_V1StGXR8Z5jdHi6B"),
    ("logStreams", "lst_0000000000000001"),
    ("clientGrants", "cgr_V1StGXR8Z5jdHi6B"),
    ("jobs", "job_V1StGXR8Z5jdHi6B"),
    ("logs", "90020260101120000000000000000000000001"),
];

/// Tried where the name tells nothing, until the schema allows one.
const ANY: [&str; 11] = [
    "example",
    "a",
    "1",
    "20260101",
    "2030-01-01T00:00:00.000Z",
    "#0059d6",
    "https://acme.example/",
    "acme.example",
    "ana@acme.example",
    "read:users",
    "00000000-0000-4000-8000-000000000000",
];

/// Makes an input.
pub(super) fn example(action: &ActionDescription, fields: &[Field], whole: &Validator) -> Map<String, Value> {
    let root = &action.input_schema;
    let maker = Maker { group: &action.group, root };
    let make = |field: &Field| {
        let schema = schema::properties(root).and_then(|all| all.get(&field.name)).unwrap_or(&Value::Null);
        let value = maker.value(&field.name, schema, 0);
        (field.name.clone(), maker.fitted(field, value))
    };
    let mut input: Map<String, Value> = fields.iter().filter(|field| field.required).map(make).collect();
    // Where Auth0 asks for one of several members and its schema does not say so, an address is one of them.
    let is_contact = |field: &&Field| field.name == "email" && action.effect == Effect::Create;
    let contact = fields.iter().find(is_contact).filter(|_| root.get("anyOf").is_none());
    input.extend(contact.map(make));
    for field in fields.iter().filter(|field| !field.secret) {
        if whole.is_valid(&Value::Object(input.clone())) {
            break;
        }
        if !input.contains_key(&field.name) {
            let (name, value) = make(field);
            input.insert(name, value);
        }
    }
    input
}

struct Maker<'a> {
    group: &'a str,
    root: &'a Value,
}

impl Maker<'_> {
    /// Takes a value where the schema allows it, else the first text or number that it does.
    fn fitted(&self, field: &Field, value: Value) -> Value {
        if field.check(&value).is_ok() {
            return value;
        }
        let texts = ANY.iter().map(|text| Value::from(*text));
        let long = [8, 16, 22, 24, 32, 40, 64].into_iter().map(|length| Value::from("a".repeat(length)));
        let others = [json!([]), json!({}), json!(0), json!(1), json!(true)];
        texts.chain(long).chain(others).find(|value| field.check(value).is_ok()).unwrap_or(value)
    }

    fn value(&self, name: &str, schema: &Value, depth: usize) -> Value {
        let ways = schema::ways(schema, self.root);
        let way = ways.first().copied().unwrap_or(schema);
        let named = |keyword: &str| way.get(keyword).and_then(|values| values.get(0)).cloned();
        let said = named("examples").or_else(|| way.get("default").filter(|value| !value.is_null()).cloned());
        if let Some(value) = said.or_else(|| way.get("const").cloned()).or_else(|| named("enum")) {
            return value;
        }
        match schema::types(way).first().copied() {
            Some("integer" | "number") => number(way),
            Some("boolean") => Value::from(true),
            Some("array") => {
                let count = way.get("minItems").and_then(Value::as_u64).unwrap_or(1).max(1);
                let items = way.get("items").unwrap_or(&Value::Null);
                let item =
                    if depth < DEPTH { self.value(singular(name), items, depth + 1) } else { Value::Null };
                Value::Array(vec![item; usize::try_from(count).unwrap_or(1)])
            }
            Some("object") => self.object(way, depth),
            _ => Value::from(self.text(name, way)),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let none = Map::new();
        let members = schema::properties(schema).unwrap_or(&none);
        if depth >= DEPTH {
            return json!({});
        }
        let mut wanted: Vec<_> = members.iter().filter(|(name, _)| schema::requires(schema, name)).collect();
        if wanted.is_empty() {
            // An object that says nothing is a poor example, and often one that is refused.
            wanted.extend(members.iter().find(|(name, _)| !is_secret_name(name)));
        }
        if wanted.is_empty() && schema.get("minProperties").is_some() {
            let any = schema.get("additionalProperties").unwrap_or(&Value::Null);
            return json!({"example": self.value("example", any, depth + 1)});
        }
        wanted.into_iter().map(|(name, member)| (name.clone(), self.value(name, member, depth + 1))).collect()
    }

    fn text(&self, name: &str, schema: &Value) -> String {
        let bound = |keyword: &str| {
            schema.get(keyword).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
        };
        let own_id = BY_GROUP.iter().find(|(group, _)| name == "id" && *group == self.group);
        let by_name = || {
            BY_NAME.iter().find(|(end, _)| {
                name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with(['_', '-', '.']))
            })
        };
        let mut text = match own_id.or_else(by_name) {
            Some((_, text)) => (*text).to_owned(),
            None => match schema.get("format").and_then(Value::as_str) {
                Some("email") => "ana@acme.example".to_owned(),
                Some("uri" | "url" | "absolute-uri-or-empty") => "https://acme.example/".to_owned(),
                Some("date-time") => "2030-01-01T00:00:00.000Z".to_owned(),
                Some("date") => "2030-01-01".to_owned(),
                _ => "example".to_owned(),
            },
        };
        while text.chars().count() < bound("minLength").unwrap_or(0) {
            text.push('a');
        }
        text.chars().take(bound("maxLength").unwrap_or(usize::MAX)).collect()
    }
}

fn number(schema: &Value) -> Value {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 1));
    Value::from(1.clamp(least.unwrap_or(1), bound("maximum").unwrap_or(i64::MAX).max(least.unwrap_or(1))))
}

/// `roles` holds a role.
fn singular(name: &str) -> &str {
    name.strip_suffix('s').unwrap_or(name)
}
