//! A component with the connector's interface that misbehaves: each of its actions is an attack on the host that runs
//! it. `cargo xtask component` builds it to `target/component/hostile.wasm`; nothing but the tests loads it.

#[cfg(target_arch = "wasm32")]
mod attacks;
#[cfg(target_arch = "wasm32")]
mod http;

/// The attacks, by the ids that they are run with.
pub const ATTACKS: [&str; 21] = [
    "allocate",
    "begin-bodies",
    "environment",
    "flood",
    "hoard",
    "hold-handles",
    "lie",
    "long-result",
    "panic",
    "poll-for-ever",
    "random",
    "recall",
    "recurse",
    "recurse-in-memory",
    "remember",
    "send",
    "spin",
    "spin-in-host",
    "wait",
    "walk-away",
    "wide-result",
];

#[cfg(target_arch = "wasm32")]
mod export {
    #[allow(unsafe_code, clippy::all, reason = "generated: the canonical ABI is raw memory")]
    mod bindings {
        wit_bindgen::generate!({ path: "../../wit", world: "plugin" });

        use super::Hostile;

        export!(Hostile);
    }

    use bindings::exports::connector::auth0::{actions, types};
    use serde_json::{Value, json};

    struct Hostile;

    fn no_such_action(id: &str) -> types::Error {
        types::Error {
            disposition: types::Disposition::FixInput,
            code: "not-found".to_owned(),
            message: format!("there is no attack `{id}`"),
            status: None,
            error_code: None,
            request_id: None,
            retry_after_ms: None,
            scopes: Vec::new(),
            details: None,
        }
    }

    fn summary(id: &str) -> Value {
        json!({
            "id": id, "title": id, "kind": "curated", "group": "attacks", "effect": "read", "stage": "unknown", "scopes": [],
        })
    }

    impl actions::Guest for Hostile {
        fn list_actions(_: String) -> Result<String, types::Error> {
            let items: Vec<Value> = crate::ATTACKS.iter().map(|id| summary(id)).collect();
            Ok(json!({ "items": items }).to_string())
        }

        fn describe_action(id: String) -> Result<String, types::Error> {
            if !crate::ATTACKS.contains(&id.as_str()) {
                return Err(no_such_action(&id));
            }
            let mut action = summary(&id);
            if let Some(action) = action.as_object_mut() {
                let rest = json!({
                    "description": "An attack.", "idempotent": true, "requests": [], "pagination": "none",
                    "handles_personal_data": false, "input_schema": {}, "output_schema": {},
                });
                action.extend(rest.as_object().cloned().unwrap_or_default());
            }
            Ok(action.to_string())
        }

        fn run_action(id: String, input: String) -> Result<String, types::Error> {
            let input = serde_json::from_str(&input).unwrap_or_default();
            crate::attacks::run(&id, &input).ok_or_else(|| no_such_action(&id))
        }
    }
}
