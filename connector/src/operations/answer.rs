//! An action answers an object, whatever the API does.

use serde_json::Value;

use crate::core::json;

/// Makes an object of an answer: nothing becomes `{}`, an array `{"items": …}`, anything else `{"value": …}`.
pub(crate) fn object(answer: Value) -> Value {
    match answer {
        Value::Object(_) => answer,
        Value::Null => json::object([]),
        Value::Array(_) => json::object([("items", Some(answer))]),
        value => json::object([("value", Some(value))]),
    }
}
