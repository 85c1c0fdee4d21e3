//! A JSON Schema in the words of a person: type, bounds, choices.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// How deep members of members are told: `items[].identities[].provider`. Schemas may refer to themselves.
const DEPTH: usize = 4;

/// How names of types and values are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notation {
    /// `GET | POST`.
    Plain,
    /// `` `GET` or `POST` ``, for a cell of a Markdown table, which ends at a bar.
    Markdown,
}

impl Notation {
    fn joined(self, names: &[String]) -> String {
        names.join(match self {
            Self::Plain => " | ",
            Self::Markdown => " or ",
        })
    }

    /// Writes a name or a value so that nobody takes it for a word of the sentence.
    pub(crate) fn value(self, value: &Value) -> String {
        match self {
            Self::Plain => plain(value),
            Self::Markdown => format!("`{}`", plain(value)),
        }
    }
}

/// Writes a value as it is typed.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list<'a>(schema: &'a Value, keyword: &str) -> &'a [Value] {
    schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(schema: &'a Value, keyword: &str) -> Option<&'a str> {
    schema.get(keyword).and_then(Value::as_str)
}

/// Follows a reference within the same document.
pub(crate) fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let target = text(schema, "$ref").and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// Whether it allows nothing but null.
fn is_null(schema: &Value) -> bool {
    text(schema, "type") == Some("null") || schema.get("const").is_some_and(Value::is_null)
}

/// Returns the ways that a schema leaves open, null not among them: one for most.
pub(crate) fn ways<'a>(schema: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    let schema = resolve(schema, root);
    for keyword in ["anyOf", "oneOf"] {
        let choices = list(schema, keyword);
        // Beside properties the keyword says which of them go together.
        if !choices.is_empty() && schema.get("properties").is_none() {
            return choices.iter().map(|choice| resolve(choice, root)).filter(|way| !is_null(way)).collect();
        }
    }
    vec![schema]
}

/// Returns the types that a schema names, null not among them.
pub(crate) fn types(schema: &Value) -> Vec<&str> {
    let names = match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ => Vec::new(),
    };
    names.into_iter().filter(|name| *name != "null").collect()
}

/// Returns the only values that there are to choose from, where a schema names them.
pub(crate) fn choices(schema: &Value, root: &Value) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    for way in ways(schema, root) {
        match (way.get("const"), list(way, "enum")) {
            (Some(value), _) => values.push(value.clone()),
            (None, []) if types(way) == ["boolean"] => values.extend([Value::from(true), Value::from(false)]),
            (None, []) => return None,
            (None, named) => values.extend(named.iter().filter(|value| !value.is_null()).cloned()),
        }
    }
    Some(values).filter(|values| !values.is_empty())
}

/// Names the type of a schema as a person would.
pub(crate) fn type_name(schema: &Value, root: &Value, notation: Notation) -> String {
    name_of(schema, root, notation, 0)
}

fn name_of(schema: &Value, root: &Value, notation: Notation, depth: usize) -> String {
    if depth > DEPTH {
        return "…".to_owned();
    }
    let mut names = Vec::new();
    for way in ways(schema, root) {
        if let Some(value) = way.get("const") {
            names.push(notation.value(value));
            continue;
        }
        let named = list(way, "enum");
        if !named.is_empty() {
            names.extend(named.iter().filter(|value| !value.is_null()).map(|value| notation.value(value)));
            continue;
        }
        let types = types(way);
        if types.is_empty() {
            let unresolved = way.get("$ref").is_some();
            names.push(if unresolved { "object" } else { "any" }.to_owned());
        }
        names.extend(types.into_iter().map(|name| match way.get("items") {
            Some(items) if name == "array" => {
                format!("array of {}", name_of(items, root, notation, depth + 1))
            }
            _ => name.to_owned(),
        }));
    }
    names.dedup();
    notation.joined(&names)
}

/// Returns what a value must keep to beside its type, in a few words each.
pub(crate) fn bounds(schema: &Value, root: &Value, notation: Notation) -> Vec<String> {
    let ways = ways(schema, root);
    let [way] = ways.as_slice() else { return default(resolve(schema, root), notation) };
    let mut bounds: Vec<String> = [
        ("minLength", "maxLength", "character"),
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", "item"),
        ("minProperties", "maxProperties", "member"),
    ]
    .into_iter()
    .filter_map(|(least, most, unit)| range(way.get(least), way.get(most), unit))
    .collect();
    if way.get("uniqueItems") == Some(&Value::Bool(true)) {
        bounds.push("no item twice".to_owned());
    }
    bounds.extend(text(way, "format").map(|format| format!("format {format}")));
    bounds.extend(way.get("pattern").map(|pattern| format!("pattern {}", notation.value(pattern))));
    bounds.extend(default(way, notation));
    bounds
}

fn default(schema: &Value, notation: Notation) -> Vec<String> {
    let default = schema.get("default").filter(|default| !default.is_null());
    default.map(|value| format!("default {}", notation.value(value))).into_iter().collect()
}

fn range(least: Option<&Value>, most: Option<&Value>, unit: &str) -> Option<String> {
    let is = |value: Option<&Value>, wanted: u64| value.and_then(Value::as_u64) == Some(wanted);
    let units = |count: &Value| match unit {
        "" => String::new(),
        _ if count.as_u64() == Some(1) => format!(" {unit}"),
        _ => format!(" {unit}s"),
    };
    Some(match (least, most) {
        (Some(least), None) if unit == "character" && is(Some(least), 1) => "not empty".to_owned(),
        (least, Some(most)) if !unit.is_empty() && (least.is_none() || is(least, 0)) => {
            format!("at most {most}{}", units(most))
        }
        (Some(least), Some(most)) if least == most => format!("{most}{}", units(most)),
        (Some(least), Some(most)) => format!("{least} to {most}{}", units(most)),
        (Some(least), None) if !unit.is_empty() && is(Some(least), 0) => return None,
        (Some(least), None) => format!("at least {least}{}", units(least)),
        (None, Some(most)) => format!("at most {most}{}", units(most)),
        (None, None) => return None,
    })
}

/// Whether an object's schema requires a member.
pub(crate) fn requires(schema: &Value, name: &str) -> bool {
    list(schema, "required").iter().any(|required| required == name)
}

/// Returns the members that an object's schema knows.
pub(crate) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// Follows references, and takes the one way that is left.
fn object_of<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match ways(schema, root).as_slice() {
        [only] => only,
        _ => resolve(schema, root),
    }
}

/// A member at any depth: `items[].identities[].provider`.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) path: Cow<'a, str>,
    pub(crate) schema: &'a Value,
    pub(crate) required: bool,
}

/// Lists the members of an object, those of its members included.
pub(crate) fn members(root: &Value) -> Vec<Member<'_>> {
    let mut members = Vec::new();
    collect(&mut members, "", root, root, 0);
    members
}

fn collect<'a>(
    members: &mut Vec<Member<'a>>,
    prefix: &str,
    schema: &'a Value,
    root: &'a Value,
    depth: usize,
) {
    let schema = resolve(schema, root);
    for (name, member) in properties(schema).into_iter().flatten() {
        let path: Cow<'a, str> =
            if prefix.is_empty() { name.into() } else { format!("{prefix}{name}").into() };
        let (below, items) = (format!("{path}."), format!("{path}[]."));
        members.push(Member { path, schema: member, required: requires(schema, name) });
        if depth < DEPTH {
            let member = object_of(member, root);
            collect(members, &below, member, root, depth + 1);
            if let Some(item) = member.get("items") {
                collect(members, &items, object_of(item, root), root, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_named_as_a_person_would() {
        let root = json!({"$defs": {
            "Method": {"enum": ["GET", "POST"]},
            "Loop": {"items": {"$ref": "#/$defs/Loop"}, "type": "array"},
        }});
        for (schema, expected) in [
            (json!({"type": "string"}), "string"),
            (json!({"type": ["integer", "null"]}), "integer"),
            (json!({"type": "array", "items": {"type": "string"}}), "array of string"),
            (json!({"$ref": "#/$defs/Method"}), "GET | POST"),
            (json!({"anyOf": [{"$ref": "#/$defs/Method"}, {"type": "null"}]}), "GET | POST"),
            (json!({"anyOf": [{"type": "string"}, {"const": null}]}), "string"),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), "a | b"),
            (
                json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
                "array of string | string",
            ),
            (json!({"properties": {}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}), "object"),
            (json!({"$ref": "#/$defs/Nowhere"}), "object"),
            (json!(true), "any"),
            (json!({"const": 5}), "5"),
        ] {
            assert_eq!(type_name(&schema, &root, Notation::Plain), expected, "{schema}");
        }
        assert!(type_name(&json!({"$ref": "#/$defs/Loop"}), &root, Notation::Plain).ends_with('…'));
        let method = json!({"$ref": "#/$defs/Method"});
        assert_eq!(type_name(&method, &root, Notation::Markdown), "`GET` or `POST`");
    }

    #[test]
    fn bounds_are_told_in_words() {
        for (schema, expected) in [
            (json!({"minLength": 1}), "not empty"),
            (json!({"minLength": 1, "maxLength": 255}), "1 to 255 characters"),
            (json!({"minLength": 0, "maxLength": 1}), "at most 1 character"),
            (json!({"minLength": 32, "maxLength": 32}), "32 characters"),
            (json!({"minimum": 0, "maximum": 100}), "0 to 100"),
            (json!({"minimum": 0}), "at least 0"),
            (json!({"maximum": -1}), "at most -1"),
            (json!({"minItems": 1}), "at least 1 item"),
            (json!({"minItems": 0}), ""),
            (json!({"maxItems": 2, "uniqueItems": true}), "at most 2 items, no item twice"),
            (json!({"minProperties": 1}), "at least 1 member"),
            (
                json!({"format": "email", "pattern": "^a", "default": "x"}),
                "format email, pattern ^a, default x",
            ),
            (
                json!({"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}], "default": null}),
                "at least 3",
            ),
            (json!({"default": false}), "default false"),
        ] {
            assert_eq!(bounds(&schema, &Value::Null, Notation::Plain).join(", "), expected, "{schema}");
        }
    }

    #[test]
    fn choices_are_all_there_are_or_none() {
        for (schema, expected) in [
            (json!({"enum": ["a", "b", null]}), Some(json!(["a", "b"]))),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), Some(json!(["a", "b"]))),
            (json!({"type": "boolean"}), Some(json!([true, false]))),
            (json!({"type": ["boolean", "null"]}), Some(json!([true, false]))),
            (json!({"anyOf": [{"const": "a"}, {"type": "string"}]}), None),
            (json!({"type": "string"}), None),
            (json!({}), None),
        ] {
            let expected = expected.map(|values| values.as_array().unwrap().clone());
            assert_eq!(choices(&schema, &Value::Null), expected, "{schema}");
        }
    }

    #[test]
    fn members_of_members_are_told_and_a_schema_that_refers_to_itself_ends() {
        let schema = json!({
            "required": ["items"],
            "properties": {"items": {"type": "array", "items": {"properties": {"id": {"type": "string"}}}}},
        });
        let paths = |schema| -> Vec<String> {
            members(schema).into_iter().map(|member| format!("{} {}", member.path, member.required)).collect()
        };
        assert_eq!(paths(&schema), ["items true", "items[].id false"]);
        let endless = json!({
            "properties": {"next": {"$ref": "#/$defs/Node"}},
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        });
        assert_eq!(members(&endless).len(), DEPTH + 1);
    }
}
