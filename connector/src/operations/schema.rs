//! JSON Schemas (2020-12) of an operation, made from the table. `check.rs` refuses what they do not allow.

use serde_json::{Map, Value, json};

use super::input::ParamLocation;
use super::operation::{Answer, Body, BodyForm, Format, Kind, Member, Operation};
use crate::core::schema::page_properties;
use crate::list::DEFAULT_LIMIT;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Makes the schema of the input.
pub fn input(operation: &Operation) -> Value {
    let places = ParamLocation::all(operation);
    let properties: Map<_, _> =
        places.iter().map(|(name, place)| ((*name).to_owned(), property(operation, *place))).collect();
    let required: Vec<_> =
        places.iter().filter(|(_, place)| place.is_required()).map(|(name, _)| *name).collect();
    let open = operation.body.as_ref().is_some_and(|body| body.form == BodyForm::Open && !body.is_apart());
    let mut schema = json!({ "$schema": DIALECT, "type": "object", "properties": properties });
    if !required.is_empty() {
        put(&mut schema, "required", json!(required));
    }
    if let Some(body) = operation.body.as_ref().filter(|body| body.at_least > 0 && !body.is_apart()) {
        let any: Vec<_> = body.members.iter().map(|member| json!({ "required": [member.name] })).collect();
        put(&mut schema, "anyOf", any.into());
    }
    if !open {
        put(&mut schema, "additionalProperties", false.into());
    }
    schema
}

fn property(operation: &Operation, place: ParamLocation<'_>) -> Value {
    match place {
        ParamLocation::Path(member) => described(member, filled(kind(&member.kind))),
        ParamLocation::Query(member) => described(member, filled(kind(&member.kind))),
        ParamLocation::Body(member) => described(member, kind(&member.kind)),
        ParamLocation::Whole(body) => whole(body),
        ParamLocation::AnyBody => {
            json!({ "description": "Body of the request, as Auth0's documentation says" })
        }
        ParamLocation::AnyQuery => json!({
            "type": "object",
            "additionalProperties": {
                "type": ["string", "number", "boolean", "array"],
                "minLength": 1,
                "minItems": 1,
                "items": { "type": ["string", "number", "boolean"], "minLength": 1 },
            },
            "description": "Query parameters by name; a list repeats the name",
        }),
        ParamLocation::Limit => {
            let most = operation.most();
            json!({
                "type": "integer", "minimum": 1, "maximum": most, "default": DEFAULT_LIMIT.min(most),
                "description": "Most items to answer",
            })
        }
        ParamLocation::Cursor => json!({
            "type": "string", "minLength": 1, "description": "The `next` of the previous page; left out for the first one",
        }),
    }
}

fn whole(body: &Body) -> Value {
    if body.form == BodyForm::List {
        let mut schema = json!({ "type": "array", "description": "The whole list" });
        if !body.members.is_empty() {
            let properties: Map<_, _> = body
                .members
                .iter()
                .map(|member| (member.name.to_owned(), described(member, kind(&member.kind))))
                .collect();
            let required: Vec<_> =
                body.members.iter().filter(|member| member.required).map(|member| member.name).collect();
            put(
                &mut schema,
                "items",
                json!({ "type": "object", "properties": properties, "required": required }),
            );
        }
        return schema;
    }
    let mut schema = json!({ "type": "object", "description": "Names and values" });
    if body.at_least > 0 {
        put(&mut schema, "minProperties", body.at_least.into());
    }
    schema
}

fn described(member: &Member, mut schema: Value) -> Value {
    if member.null
        && let Some(kinds) = schema.get_mut("type")
    {
        *kinds = match kinds.take() {
            Value::Array(mut kinds) => {
                kinds.push("null".into());
                kinds.into()
            }
            one => json!([one, "null"]),
        };
        // Else null would be of the right type and still none of the values.
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    let meaning = match &member.kind {
        Kind::OneOfMany(count) => {
            format!("{}; one of {count} values that Auth0's documentation lists", member.meaning)
        }
        _ => member.meaning.to_owned(),
    };
    put(&mut schema, "description", meaning.into());
    schema
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Any => json!({}),
        Kind::Text(format, longest) => {
            let mut schema = json!({ "type": "string" });
            match format {
                Format::Any => {}
                Format::Email => put(&mut schema, "format", "email".into()),
                Format::DateTime => put(&mut schema, "format", "date-time".into()),
                Format::Uuid => put(&mut schema, "format", "uuid".into()),
                Format::Sort => put(&mut schema, "pattern", "^[a-zA-Z0-9_.]+:(1|-1)$".into()),
                Format::Day => {
                    put(&mut schema, "pattern", "^2[0-9]{3}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$".into());
                }
                Format::Ascii => put(&mut schema, "pattern", "^[ -~]+$".into()),
            }
            bounded(schema, *longest)
        }
        Kind::OneOf(texts) => json!({ "type": "string", "enum": texts }),
        Kind::OneOfMany(_) => json!({ "type": "string" }),
        Kind::Names(names, longest) => {
            // A dot in a pattern is any letter.
            let one = format!("({})", names.join("|").replace('.', "\\."));
            let text = bounded(json!({ "type": "string", "pattern": format!("^{one}(,{one})*$") }), *longest);
            let list =
                json!({ "type": "array", "items": { "type": "string", "enum": names }, "minItems": 1 });
            json!({ "anyOf": [list, text] })
        }
        Kind::Integer(least, most) => {
            let mut schema = json!({ "type": "integer" });
            if let Some(least) = least {
                put(&mut schema, "minimum", (*least).into());
            }
            if let Some(most) = most {
                put(&mut schema, "maximum", (*most).into());
            }
            schema
        }
        Kind::Number => json!({ "type": "number" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Object => json!({ "type": "object" }),
        Kind::TextOrInteger => json!({ "type": ["string", "integer"] }),
        Kind::List(of) => json!({ "type": "array", "items": self::kind(of) }),
        Kind::File => json!({ "type": ["array", "string"] }),
    }
}

fn bounded(mut schema: Value, longest: Option<usize>) -> Value {
    if let Some(longest) = longest {
        put(&mut schema, "maxLength", longest.into());
    }
    schema
}

/// What goes into a path or query is not empty.
fn filled(mut schema: Value) -> Value {
    if let Some(Value::Object(items)) = schema.get_mut("items")
        && items.get("type").and_then(Value::as_str) == Some("string")
    {
        items.insert("minLength".to_owned(), 1.into());
    }
    if schema.get("type").and_then(Value::as_str) == Some("array") {
        put(&mut schema, "minItems", 1.into());
    }
    if schema.get("type").and_then(Value::as_str) == Some("string") && schema.get("enum").is_none() {
        put(&mut schema, "minLength", 1.into());
    }
    schema
}

/// Makes the schema of the output.
pub fn output(operation: &Operation) -> Value {
    let object =
        |properties: Value| json!({ "$schema": DIALECT, "type": "object", "properties": properties });
    match &operation.answer {
        Answer::Unknown => object(json!({})),
        Answer::Object(members) => {
            let properties: Map<_, _> =
                members.iter().map(|member| ((*member).to_owned(), json!({}))).collect();
            object(properties.into())
        }
        Answer::Array => {
            object(json!({ "items": { "type": "array", "description": "What the tenant answered" } }))
        }
        Answer::Number => {
            object(json!({ "value": { "type": "number", "description": "What the tenant answered" } }))
        }
        Answer::Rows(_) | Answer::Events => {
            let mut properties = Map::from_iter([("items".to_owned(), json!({ "type": "array" }))]);
            properties.extend(page_properties());
            let mut schema = object(properties.into());
            put(&mut schema, "required", json!(["items"]));
            schema
        }
    }
}

fn put(schema: &mut Value, key: &str, value: Value) {
    crate::core::paging::set(schema, key, value);
}
