//! Shapes of Auth0's objects, for the output schemas.
//!
//! Inputs are structs, which derive their schema. Outputs are passed on as they came, so no struct exists for them:
//! a table per object says what a reader can expect, and the schema stays open for what a tenant adds.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::operations::Paging;

/// What a member of an object is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// An ISO 8601 time in UTC.
    Time,
    /// True or false.
    Flag,
    /// A whole number.
    Number,
    /// An object of the tenant's own shape.
    Bag,
    /// A list of texts.
    Texts,
    /// A list of objects.
    List(&'static Shape),
    /// An object.
    Object(&'static Shape),
}

/// The members of an object that are known: name, kind, meaning. None is required, since callers leave out fields and
/// tenants do too.
#[derive(Clone, Copy, Debug)]
pub struct Shape(pub &'static [(&'static str, Kind, &'static str)]);

/// What an action answers.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// One object.
    One(&'static Shape),
    /// `{items, total?, next?}`: a part of a list that the API pages so.
    Page(&'static Shape, Paging),
    /// `{items, total}`: all there are, in one page.
    All(&'static Shape),
    /// `{}`: done.
    Done,
}

impl Output {
    /// Makes the JSON Schema (2020-12).
    pub fn schema(self) -> Value {
        let mut schema = match self {
            Self::One(shape) => shape.schema(),
            Self::Done => json!({ "type": "object", "description": "Empty: the action was done" }),
            Self::Page(shape, _) => list(shape, true),
            Self::All(shape) => list(shape, false),
        };
        if let Some(map) = schema.as_object_mut() {
            map.shift_insert(0, "$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        }
        schema
    }
}

fn list(shape: &Shape, paged: bool) -> Value {
    let mut properties = Map::new();
    properties.insert("items".to_owned(), json!({ "type": "array", "items": shape.schema() }));
    let [total, next] = page_properties();
    properties.extend([total]);
    properties.extend(paged.then_some(next));
    json!({ "type": "object", "properties": properties, "required": ["items"] })
}

/// Returns what a page has beside its items.
pub(crate) fn page_properties() -> [(String, Value); 2] {
    let total = json!({ "type": "integer", "minimum": 0, "description": "How many there are, where the tenant says" });
    let next =
        json!({ "type": "string", "description": "The `cursor` to go on with; absent on the last page" });
    [("total".to_owned(), total), ("next".to_owned(), next)]
}

impl Shape {
    fn schema(&self) -> Value {
        let properties: Map<_, _> = self
            .0
            .iter()
            .map(|(name, kind, meaning)| {
                // Auth0 writes null for what an object does not have, mostly in the log.
                let mut schema = match kind {
                    Kind::Text => json!({ "type": ["string", "null"] }),
                    Kind::Time => json!({ "type": ["string", "null"], "format": "date-time" }),
                    Kind::Flag => json!({ "type": ["boolean", "null"] }),
                    Kind::Number => json!({ "type": ["integer", "null"] }),
                    Kind::Bag => json!({ "type": ["object", "null"] }),
                    Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
                    Kind::List(shape) => json!({ "type": "array", "items": shape.schema() }),
                    Kind::Object(shape) => shape.schema(),
                };
                super::paging::set(&mut schema, "description", (*meaning).into());
                ((*name).to_owned(), schema)
            })
            .collect();
        json!({ "type": "object", "properties": properties })
    }
}

/// Makes the JSON Schema (2020-12) of an input struct, self-contained and without Rust's own formats.
pub(crate) fn input<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(map) = schema.as_object_mut() {
        map.remove("title");
        map.remove("description");
        map.entry("properties").or_insert_with(|| json!({}));
    }
    tidy(&mut schema);
    schema
}

/// Takes out what means something only to Rust or says nothing: `uint32` formats, `null` beside an optional type.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                map.remove("format");
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    map.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(any)) = map.get_mut("anyOf") {
                any.retain(|option| option.get("type").and_then(Value::as_str) != Some("null"));
                if let [one] = any.as_mut_slice()
                    && let Value::Object(one) = one.take()
                {
                    map.remove("anyOf");
                    for (key, value) in one {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
