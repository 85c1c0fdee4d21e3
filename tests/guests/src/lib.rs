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
        wit_bindgen::generate!({
            path: "../../wit",
            inline: "
                package auth0:hostile;
                world hostile {
                    export auth0:management/types@0.1.0;
                    export auth0:management/actions@0.1.0;
                }
            ",
            world: "auth0:hostile/hostile",
        });

        use super::Hostile;

        export!(Hostile);
    }

    use bindings::exports::auth0::management::{actions as wit, types};

    struct Hostile;

    fn no_such_action(id: &str) -> types::Error {
        types::Error::Missing(types::Problem {
            message: format!("there is no attack `{id}`"),
            status: None,
            error_code: None,
            request_id: None,
        })
    }

    impl wit::Guest for Hostile {
        fn list_actions(_: Option<wit::ActionFilter>) -> Vec<wit::ActionSummary> {
            crate::ATTACKS
                .iter()
                .map(|id| wit::ActionSummary {
                    id: (*id).to_owned(),
                    title: (*id).to_owned(),
                    group: "attacks".to_owned(),
                    effect: wit::Effect::Read,
                    stage: wit::Stage::Unstated,
                    scopes: Vec::new(),
                })
                .collect()
        }

        fn describe_action(id: String) -> Result<wit::ActionDescription, types::Error> {
            if !crate::ATTACKS.contains(&id.as_str()) {
                return Err(no_such_action(&id));
            }
            Ok(wit::ActionDescription {
                title: id.clone(),
                description: "An attack.".to_owned(),
                group: "attacks".to_owned(),
                effect: wit::Effect::Read,
                idempotent: true,
                requests: Vec::new(),
                stage: wit::Stage::Unstated,
                scopes: Vec::new(),
                pagination: wit::Pagination::Whole,
                personal: false,
                input_schema: "{}".to_owned(),
                output_schema: "{}".to_owned(),
                id,
            })
        }

        fn run_action(id: String, input: String) -> Result<String, types::Error> {
            let input = serde_json::from_str(&input).unwrap_or_default();
            crate::attacks::run(&id, &input).ok_or_else(|| no_such_action(&id))
        }
    }
}
