//! The tag `debug`: what a template can use, as JSON, one variable a line.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::budget::Sink;
use super::error::Fault;
use super::value::Value;

/// Writes the variables by name.
pub(super) fn write(scope: &BTreeMap<&str, Value<'_>>, sink: &mut dyn Sink) -> Result<(), Fault> {
    sink.put("{")?;
    for (index, (name, value)) in scope.iter().enumerate() {
        sink.put(if index == 0 { "\n  " } else { ",\n  " })?;
        quoted(name, sink)?;
        sink.put(": ")?;
        json(value, sink)?;
    }
    sink.put("\n}")
}

fn json(value: &Value<'_>, sink: &mut dyn Sink) -> Result<(), Fault> {
    match value {
        Value::Nil => sink.put("null"),
        Value::Text(text) => quoted(text, sink),
        Value::Empty | Value::Blank => sink.put("\"\""),
        Value::Number(number) if !number.is_finite() => sink.put("null"),
        Value::Bool(_) | Value::Number(_) | Value::Loop(_) => value.write(sink),
        Value::List(list) => {
            sink.put("[")?;
            for (index, item) in list.iter().enumerate() {
                sink.put(if index == 0 { "" } else { "," })?;
                json(&item, sink)?;
            }
            sink.put("]")
        }
        Value::Object(map) => {
            sink.put("{")?;
            for (index, (name, value)) in map.iter().enumerate() {
                sink.put(if index == 0 { "" } else { "," })?;
                quoted(name, sink)?;
                sink.put(":")?;
                json(&Value::from(value), sink)?;
            }
            sink.put("}")
        }
    }
}

fn quoted(text: &str, sink: &mut dyn Sink) -> Result<(), Fault> {
    sink.put(&Json::from(text).to_string())
}
