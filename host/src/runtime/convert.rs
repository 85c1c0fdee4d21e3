//! What the component says of its actions, in the words of this library.

use serde_json::Value;

use crate::{
    action::{
        ActionDescription, ActionFilter, ActionSummary, ApiRequest, Effect, Pagination, ScopeRequirement,
        Stage,
    },
    bindings::contract,
    error::Error,
    json::Json,
};

/// Takes what the component says as JSON, or says what is wrong with it.
pub(super) fn json(text: String, what: &str) -> Result<Json, Error> {
    Json::parse(text)
        .map_err(|source| Error::Contract { problem: format!("{what} is not JSON"), source: Some(source) })
}

fn schema(text: String, what: &str) -> Result<Value, Error> {
    json(text, what)?
        .to_value()
        .map_err(|source| Error::Contract { problem: format!("{what} cannot be read"), source: Some(source) })
}

pub(super) fn filter(filter: &ActionFilter) -> contract::ActionFilter {
    contract::ActionFilter {
        text: filter.text.clone(),
        group: filter.group.clone(),
        effect: filter.effect.map(|effect| match effect {
            Effect::Read => contract::Effect::Read,
            Effect::Create => contract::Effect::Create,
            Effect::Update => contract::Effect::Update,
            Effect::Delete => contract::Effect::Delete,
            Effect::Send => contract::Effect::Send,
        }),
        stage: filter.stage.map(|stage| match stage {
            Stage::Ga => contract::Stage::Ga,
            Stage::Ea => contract::Stage::Ea,
            Stage::Beta => contract::Stage::Beta,
            Stage::Unknown => contract::Stage::Unstated,
        }),
        scope: filter.scope.clone(),
    }
}

pub(super) fn summary(action: contract::ActionSummary) -> ActionSummary {
    let mut summary = ActionSummary::new(action.id);
    (summary.title, summary.group) = (action.title, action.group);
    (summary.effect, summary.stage) = (effect(action.effect), stage(action.stage));
    summary.scopes = action.scopes.into_iter().map(need).collect();
    summary
}

pub(super) fn description(action: contract::ActionDescription) -> Result<ActionDescription, Error> {
    let request = |contract::ApiRequest { method, path }| ApiRequest::new(method, path);
    Ok(ActionDescription {
        id: action.id,
        title: action.title,
        description: action.description,
        group: action.group,
        effect: effect(action.effect),
        idempotent: action.idempotent,
        requests: action.requests.into_iter().map(request).collect(),
        stage: stage(action.stage),
        scopes: action.scopes.into_iter().map(need).collect(),
        pagination: match action.pagination {
            contract::Pagination::Whole => Pagination::None,
            contract::Pagination::Offset => Pagination::Offset,
            contract::Pagination::Checkpoint => Pagination::Checkpoint,
            contract::Pagination::OffsetOrCheckpoint => Pagination::OffsetOrCheckpoint,
        },
        handles_personal_data: action.personal,
        input_schema: schema(action.input_schema, "the schema of the input")?,
        output_schema: schema(action.output_schema, "the schema of the output")?,
    })
}

fn need(need: contract::ScopeNeed) -> ScopeRequirement {
    ScopeRequirement::new(need.any_of, need.only_for)
}

fn effect(effect: contract::Effect) -> Effect {
    match effect {
        contract::Effect::Read => Effect::Read,
        contract::Effect::Create => Effect::Create,
        contract::Effect::Update => Effect::Update,
        contract::Effect::Delete => Effect::Delete,
        contract::Effect::Send => Effect::Send,
    }
}

fn stage(stage: contract::Stage) -> Stage {
    match stage {
        contract::Stage::Ga => Stage::Ga,
        contract::Stage::Ea => Stage::Ea,
        contract::Stage::Beta => Stage::Beta,
        contract::Stage::Unstated => Stage::Unknown,
    }
}
