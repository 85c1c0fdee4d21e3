//! Glue of `actions`.

use super::bindings::exports::auth0::management::actions as wit;
use super::{Connector, error};
use auth0_connector::catalog::{self, Effect, Entry, Filter};
use auth0_connector::operations::{Paging, Stage};

fn effect(effect: Effect) -> wit::Effect {
    match effect {
        Effect::Read => wit::Effect::Read,
        Effect::Create => wit::Effect::Create,
        Effect::Update => wit::Effect::Update,
        Effect::Delete => wit::Effect::Delete,
        Effect::Send => wit::Effect::Send,
    }
}

fn effect_of(effect: wit::Effect) -> Effect {
    match effect {
        wit::Effect::Read => Effect::Read,
        wit::Effect::Create => Effect::Create,
        wit::Effect::Update => Effect::Update,
        wit::Effect::Delete => Effect::Delete,
        wit::Effect::Send => Effect::Send,
    }
}

fn stage(stage: Stage) -> wit::Stage {
    match stage {
        Stage::Ga => wit::Stage::Ga,
        Stage::Ea => wit::Stage::Ea,
        Stage::Beta => wit::Stage::Beta,
        Stage::Unstated => wit::Stage::Unstated,
    }
}

fn stage_of(stage: wit::Stage) -> Stage {
    match stage {
        wit::Stage::Ga => Stage::Ga,
        wit::Stage::Ea => Stage::Ea,
        wit::Stage::Beta => Stage::Beta,
        wit::Stage::Unstated => Stage::Unstated,
    }
}

fn pagination(paging: Paging) -> wit::Pagination {
    match paging {
        Paging::Whole => wit::Pagination::Whole,
        Paging::Offset => wit::Pagination::Offset,
        Paging::Checkpoint => wit::Pagination::Checkpoint,
        Paging::Either => wit::Pagination::OffsetOrCheckpoint,
    }
}

fn scopes(entry: &Entry) -> Vec<wit::ScopeNeed> {
    let owned = |text: &str| text.to_owned();
    let need = |(any_of, only_for): (Vec<&str>, Option<&str>)| wit::ScopeNeed {
        any_of: any_of.into_iter().map(owned).collect(),
        only_for: only_for.map(owned),
    };
    entry.scopes().into_iter().map(need).collect()
}

impl wit::Guest for Connector {
    fn list_actions(filter: Option<wit::ActionFilter>) -> Vec<wit::ActionSummary> {
        let filter = filter.map(|filter| Filter {
            text: filter.text,
            group: filter.group,
            effect: filter.effect.map(effect_of),
            stage: filter.stage.map(stage_of),
            scope: filter.scope,
        });
        let summary = |entry: Entry| wit::ActionSummary {
            id: entry.id().to_owned(),
            title: entry.title().to_owned(),
            group: entry.group().to_owned(),
            effect: effect(entry.effect()),
            stage: stage(entry.stage()),
            scopes: scopes(&entry),
        };
        catalog::list(&filter.unwrap_or_default()).map(summary).collect()
    }

    fn describe_action(id: String) -> Result<wit::ActionDescription, wit::Error> {
        let entry = catalog::find(&id).map_err(error)?;
        let requests = entry.requests().into_iter();
        Ok(wit::ActionDescription {
            id,
            title: entry.title().to_owned(),
            description: entry.description(),
            group: entry.group().to_owned(),
            effect: effect(entry.effect()),
            idempotent: entry.idempotent(),
            requests: requests
                .map(|(method, path)| wit::ApiRequest { method: method.to_owned(), path })
                .collect(),
            stage: stage(entry.stage()),
            scopes: scopes(&entry),
            pagination: pagination(entry.paging()),
            personal: entry.personal(),
            input_schema: entry.input_schema().to_string(),
            output_schema: entry.output_schema().to_string(),
        })
    }

    fn run_action(id: String, input: String) -> Result<String, wit::Error> {
        // An unknown action is told before missing settings are.
        let entry = catalog::find(&id).map_err(error)?;
        crate::wasi::call(&mut |client| catalog::run(client, &entry, &input))
            .map(|output| output.to_string())
            .map_err(error)
    }
}
