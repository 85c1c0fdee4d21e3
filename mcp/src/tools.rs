//! Actions as tools: names, schemas and hints, from what the component says of itself.

use std::sync::Arc;

use auth0_host::{ActionDescription, ActionKind, ActionSummary, Effect};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::Value;

/// Whether an action is a tool of its own. Of the API's operations there are some 470, whose schemas alone would fill the
/// context of an agent; and of a kind that is not known it is not known how many there are.
pub(super) fn is_curated(action: &ActionSummary) -> bool {
    action.kind == ActionKind::Curated
}

/// Makes the tool of an action.
pub(super) fn of_action(action: ActionDescription) -> Tool {
    let mut hints = annotations(action.effect, action.idempotent).destructive(is_destructive(&action));
    hints.title = Some(action.title.clone());
    // No output schema: it would oblige clients to throw an answer away that differs from it, and what objects of a tenant
    // look like is not ours to promise. `describe-action` tells what to expect.
    let mut schema = action.input_schema;
    if let Some(schema) = schema.as_object_mut() {
        // Which members are needed one for another is in their descriptions; model providers refuse a tool that says it so.
        schema.retain(|keyword, _| !["anyOf", "oneOf", "allOf"].contains(&keyword.as_str()));
    }
    Tool::new(action.id, action.description, object(schema)).with_title(action.title).with_annotations(hints)
}

/// Whether it leaves less than there was, does what does not come back, or can do more than it says whatever its input.
pub(super) fn is_destructive(action: &ActionDescription) -> bool {
    let reaches_far = || !action.reach_of(&JsonObject::new()).is_empty();
    !matches!(action.effect, Effect::Read | Effect::Create) || deletes(action) || reaches_far()
}

/// Whether it may send a request that deletes or takes away.
pub(super) fn deletes(action: &ActionDescription) -> bool {
    action.requests.iter().any(|request| request.method == "DELETE")
}

/// Returns the hints of an effect. Only what adds and does nothing else is called not destructive: a message that was sent
/// and a value that was replaced do not come back. The world is open: a tenant holds texts that strangers wrote.
pub(super) fn annotations(effect: Effect, idempotent: bool) -> ToolAnnotations {
    let hints = ToolAnnotations::new().read_only(effect == Effect::Read).open_world(true);
    match effect {
        Effect::Read => hints.destructive(false).idempotent(true),
        Effect::Create => hints.destructive(false).idempotent(idempotent),
        _ => hints.destructive(true).idempotent(idempotent),
    }
}

/// Returns a schema as `rmcp` takes it.
pub(super) fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(schema) => Arc::new(schema),
        // A component that says nothing usable takes no arguments.
        _ => Arc::new(JsonObject::from_iter([("type".to_owned(), Value::from("object"))])),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn summary(id: &str, effect: Effect) -> ActionSummary {
        serde_json::from_value(json!({
            "id": id, "title": "Title", "kind": "curated", "group": "users", "effect": effect, "stage": "ga", "scopes": [],
        }))
        .unwrap()
    }

    pub(crate) fn description(id: &str, effect: Effect, idempotent: bool) -> ActionDescription {
        serde_json::from_value(json!({
            "id": id, "title": "Title", "description": "What it does.", "kind": "curated", "group": "users", "effect": effect,
            "idempotent": idempotent, "scopes": [], "requests": [], "stage": "ga", "pagination": "none",
            "handles_personal_data": false,
            "input_schema": {"type": "object"}, "output_schema": {"type": "object"},
        }))
        .unwrap()
    }

    #[test]
    fn hints_promise_no_more_than_is_true() {
        for (effect, idempotent, [read_only, destructive, repeatable]) in [
            (Effect::Read, true, [true, false, true]),
            (Effect::Create, false, [false, false, false]),
            (Effect::Update, true, [false, true, true]),
            (Effect::Update, false, [false, true, false]),
            (Effect::Delete, true, [false, true, true]),
            (Effect::Send, false, [false, true, false]),
        ] {
            let hints = of_action(description("get-user", effect, idempotent)).annotations.unwrap();
            let told = [hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint];
            assert_eq!(told, [read_only, destructive, repeatable].map(Some), "{effect} {idempotent}");
        }
    }

    #[test]
    fn only_curated_actions_are_tools_of_their_own_whatever_their_ids_look_like() {
        for (kind, curated) in
            [(ActionKind::Curated, true), (ActionKind::Operation, false), (ActionKind::Unknown, false)]
        {
            for id in ["get-user", "organizations.members.list"] {
                let mut action = summary(id, Effect::Read);
                action.kind = kind;
                assert_eq!(is_curated(&action), curated, "{id} {kind}");
            }
        }
    }
}
