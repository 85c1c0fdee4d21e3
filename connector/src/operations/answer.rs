//! An action answers an object, whatever the API does.

use serde_json::{Value, json};

/// Makes an object of an answer: nothing becomes `{}`, an array `{"items": …}`, anything else `{"value": …}`.
pub(crate) fn object(answer: Value) -> Value {
    match answer {
        Value::Object(_) => answer,
        Value::Null => json!({}),
        Value::Array(items) => json!({ "items": items }),
        value => json!({ "value": value }),
    }
}
