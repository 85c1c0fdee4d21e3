//! Glue of `actions`.

use super::bindings::exports::auth0::management::actions as wit;
use super::{Connector, error};
use crate::catalog::{self, Action, Effect};

fn effect(effect: Effect) -> wit::Effect {
    match effect {
        Effect::Read => wit::Effect::Read,
        Effect::Create => wit::Effect::Create,
        Effect::Update => wit::Effect::Update,
        Effect::Delete => wit::Effect::Delete,
        Effect::Send => wit::Effect::Send,
    }
}

impl wit::Guest for Connector {
    fn list_actions() -> Vec<wit::ActionSummary> {
        let summary = |action: &Action| wit::ActionSummary {
            id: action.id.to_owned(),
            title: action.title.to_owned(),
            group: action.group.to_owned(),
            effect: effect(action.effect),
        };
        catalog::all().map(summary).collect()
    }

    fn describe_action(id: String) -> Result<wit::ActionDescription, wit::Error> {
        let action = catalog::find(&id).map_err(error)?;
        Ok(wit::ActionDescription {
            id,
            title: action.title.to_owned(),
            description: action.description.to_owned(),
            group: action.group.to_owned(),
            effect: effect(action.effect),
            idempotent: action.idempotent,
            scopes: action.scopes.iter().map(|&scope| scope.to_owned()).collect(),
            input_schema: (action.input)().to_string(),
            output_schema: action.output.schema().to_string(),
        })
    }

    fn run_action(id: String, input: String) -> Result<String, wit::Error> {
        // An unknown action is told before missing settings are.
        catalog::find(&id).map_err(error)?;
        crate::wasi::call(&mut |client| catalog::run(client, &id, &input))
            .map(|output| output.to_string())
            .map_err(error)
    }
}
