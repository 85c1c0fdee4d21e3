//! An answer with secrets, on its way to the component.
//!
//! One byte chooses the request, one the size of the pieces that the answer comes in; then the answer comes. However it is
//! cut, what comes out is the same: JSON of the same shape, in which nothing but secrets has changed, and no text that
//! stands under the name of a secret.
#![no_main]

use auth0_egress::fuzzing::mask;
use http::Method;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const REQUESTS: [&str; 8] = [
    "/api/v2/clients",
    "/api/v2/clients/abc",
    "/api/v2/users",
    "/api/v2/connections",
    "/api/v2/hooks/h/secrets",
    "/api/v2/log-streams",
    "/api/v2/something/new",
    "/api/v2/clients/a%2Fb",
];
/// A name that is a secret in all of them.
const SECRET: &str = "client_secret";

fuzz_target!(|data: &[u8]| {
    let Some(([request, size], body)) = data.split_first_chunk::<2>() else { return };
    let path = REQUESTS[usize::from(*request) % REQUESTS.len()];
    let whole = mask(&Method::GET, path, body, body.len());
    assert_eq!(mask(&Method::GET, path, body, usize::from(*size) + 1), whole, "{path}");
    let before = serde_json::from_slice::<Value>(body).ok();
    let Some(clean) = whole else { return };
    // Half of a pair of escapes is a letter to one and none to the other.
    let (Some(before), Ok(after)) = (before, serde_json::from_slice::<Value>(&clean)) else {
        assert!(body.windows(2).any(|pair| pair == br"\u"), "{path}");
        return;
    };
    compare(&before, &after, path, path.contains("/users"));
});

fn compare(before: &Value, after: &Value, path: &str, metadata: bool) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                let after = after.get(name).unwrap_or_else(|| panic!("{path}: {name} is gone"));
                if name == SECRET && !metadata {
                    let empty = [Value::Null, Value::Bool(true), Value::Bool(false), "".into()];
                    let nothing = empty.contains(after)
                        || after == &serde_json::json!({})
                        || after == &serde_json::json!([]);
                    let handle = after.as_str().is_some_and(|text| text.starts_with("auth0-secret://"));
                    assert!(nothing || handle, "{path}: {after}");
                }
                compare(value, after, path, metadata);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            before.iter().zip(after).for_each(|(before, after)| compare(before, after, path, metadata));
        }
        _ => {
            let handle = after.as_str().is_some_and(|text| text.starts_with("auth0-secret://"));
            assert!(before == after || handle, "{path}: {before} became {after}");
        }
    }
}
