//! The JSON interface as an engine calls it: any action, any input, any answer; and what it says of itself.
//!
//! Two bytes choose the action, so that a mutant stays a call; with the highest bit of them the actions are listed too,
//! once by a filter made of the input's words and once by the input as an engine's filter, and with all bits the input is
//! an id. One byte chooses the status (its low half),
//! whether the answer is a stream of events (its highest bit), and whether the action is described too (the next one).
//! Two say how long the answer is; then it comes, then the input.
#![no_main]

use std::sync::LazyLock;

use auth0_connector::catalog::{self, Effect, Filter, Kind};
use auth0_connector::core::error::Code;
use auth0_connector::core::json;
use auth0_connector::core::response::Response;
use auth0_connector::describe;
use auth0_connector::operations::{self, Stage};
use auth0_fuzz::Tenant;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static IDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| catalog::curated().map(|action| action.about.id).chain(operations::names()).collect());

const STATUSES: [u16; 16] = [200, 201, 202, 204, 205, 299, 302, 400, 401, 403, 404, 409, 413, 429, 500, 503];

fuzz_target!(|data: &[u8]| {
    let Some(([high, low, kind, long, short], rest)) = data.split_first_chunk::<5>() else { return };
    let (length, number) = (u16::from_be_bytes([*long, *short]), u16::from_be_bytes([*high, *low]));
    let (answer, input) = rest.split_at(rest.len().min(length.into()));
    let Ok(input) = std::str::from_utf8(input) else { return };
    if number == u16::MAX {
        if let Err(error) = catalog::find(input) {
            assert_eq!(error.code, Code::NotFound, "{input:?}");
            // An id is as long as its writer likes; what is said of it is not.
            assert!(error.to_string().len() < 1000, "{error}");
        }
        return;
    }
    let id = IDS[usize::from(number & 0x7fff) % IDS.len()];
    if number & 0x8000 != 0 {
        list(*kind, input);
        list_by_json(input);
    }
    if kind & 0x40 != 0 {
        description(id);
    }
    let content_type = if kind & 0x80 == 0 { "application/json" } else { "text/event-stream" };
    let answer = Response {
        status: STATUSES[usize::from(kind & 0xf)],
        headers: vec![("content-type".to_owned(), content_type.to_owned())],
        body: answer.to_vec(),
    };
    match Tenant::answering([answer]).run(id, input) {
        Ok(output) => {
            assert!(output.is_object(), "{id}: {output}");
            // An engine gets it as text. What was as deep as is read may lie one level deeper now.
            if let Ok(again) = json::parse(output.to_string().as_bytes()) {
                assert_eq!(again, output, "{id}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{id}"),
    }
});

/// Describes an action, as a form and a planner would read it.
fn description(id: &str) {
    let entry = catalog::find(id).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(entry.id(), id);
    assert!(entry.description().ends_with('.'), "{id}");
    let described = describe::describe(id).unwrap_or_else(|error| panic!("{error}"));
    for (member, schema) in [("input_schema", entry.input_schema()), ("output_schema", entry.output_schema())]
    {
        assert_eq!(schema["type"], "object", "{id}");
        assert_eq!(described[member], schema, "{id}");
    }
    // An engine gets it as text.
    assert_eq!(serde_json::from_str::<Value>(&described.to_string()).ok(), Some(described), "{id}");
}

/// Lists what passes a filter: all that the filter says holds of each.
fn list(kind: u8, words: &str) {
    // One of the choices, or none.
    let at = |choices: usize| usize::from(kind) % (choices + 1);
    let mut parts = words.splitn(3, ' ');
    let mut part = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
    let (group, scope, text) = (part(), part(), part());
    let filter = Filter {
        text,
        kind: Kind::ALL.get(at(Kind::ALL.len())).copied(),
        group: group.filter(|group| group != "*"),
        effect: Effect::ALL.get(at(Effect::ALL.len())).copied(),
        stage: Stage::ALL.get(at(Stage::ALL.len())).copied(),
        scope: scope.filter(|scope| scope != "*"),
    };
    for entry in catalog::list(&filter) {
        let id = entry.id();
        assert!(filter.kind.is_none_or(|kind| kind == entry.kind()), "{id}: {filter:?}");
        assert!(filter.group.as_deref().is_none_or(|group| group == entry.group()), "{id}: {filter:?}");
        assert!(filter.effect.is_none_or(|effect| effect == entry.effect()), "{id}: {filter:?}");
        assert!(filter.stage.is_none_or(|stage| stage == entry.stage()), "{id}: {filter:?}");
        let scopes = entry.scopes();
        let has = |scope: &str| scopes.iter().any(|(any_of, _)| any_of.contains(&scope));
        assert!(filter.scope.as_deref().is_none_or(has), "{id}: {filter:?}");
    }
}

/// Lists by a filter as an engine writes it: it is refused as an input, or each action is what it says.
fn list_by_json(filter: &str) {
    let listed = match describe::list(filter) {
        Ok(listed) => listed,
        Err(error) => return assert_eq!(error.code, Code::InvalidInput, "{filter:?}: {error}"),
    };
    // What is left blank asks for all.
    let filter = json::parse(filter.as_bytes()).unwrap_or_default();
    let items = listed["items"].as_array().unwrap_or_else(|| panic!("a list has items: {listed}"));
    for member in ["kind", "group", "effect", "stage"] {
        if let Some(wanted) = filter.get(member).filter(|wanted| !wanted.is_null()) {
            assert!(items.iter().all(|item| item[member] == *wanted), "{filter}");
        }
    }
}
