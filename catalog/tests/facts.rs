//! The table against the facts it was made from: Auth0's API description of the summer of 2026 and recorded traffic, as
//! gathered before the project began (`facts.json`, one operation per line).
//!
//! A table that is compared with itself proves nothing. Where it says something else than the facts on purpose, the
//! difference stands here with its reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics is a test that failed"
)]

use std::collections::{BTreeMap, BTreeSet};

use auth0_catalog::{Answer, Body, BodyForm, Kind, Known, Operation, Paging, Stage};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fact {
    name: Option<String>,
    request: String,
    stage: String,
    scopes: BTreeSet<String>,
    #[serde(default)]
    success: Vec<u16>,
    #[serde(default)]
    paging: String,
    #[serde(default)]
    path: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    body: Option<BTreeMap<String, String>>,
    #[serde(default)]
    answers: Vec<String>,
}

fn pairs() -> Vec<(Operation, Fact)> {
    let facts: Vec<Fact> = serde_json::from_str(include_str!("facts.json")).unwrap();
    let mut table: BTreeMap<String, Operation> = auth0_catalog::read()
        .unwrap()
        .into_iter()
        .map(|operation| (format!("{} {}", operation.method, operation.path), operation))
        .collect();
    let pairs =
        facts.into_iter().map(|fact| (table.remove(&fact.request).expect(&fact.request), fact)).collect();
    assert!(table.is_empty(), "{:?} is no fact", table.keys());
    pairs
}

/// Paging that the table leaves to `limit` and `cursor`.
const PAGING: [&str; 5] = ["page", "per_page", "include_totals", "from", "take"];

#[test]
fn names_stages_statuses_and_paging_are_those_of_the_facts() {
    for (operation, fact) in pairs() {
        let name = &operation.name;
        assert!(fact.name.is_none_or(|fact| fact == *name), "{name}");
        let stage = match operation.stage {
            Stage::Ga => "GA",
            Stage::Ea => "EA",
            Stage::Beta => "beta",
            Stage::Unstated => "unstated",
        };
        assert_eq!(stage, fact.stage, "{name}");
        assert_eq!(operation.success, fact.success, "{name}");
        if fact.success.is_empty() {
            continue;
        }
        let paging = match operation.paging {
            Paging::None => "none",
            Paging::Offset => "offset",
            Paging::Checkpoint => "checkpoint",
            Paging::Both => "offset+checkpoint",
        };
        // The log's checkpoint ignores every filter; list-logs has it.
        let expected = if name == "logs.list" { "offset" } else { &fact.paging };
        assert_eq!(paging, expected, "{name}");
    }
}

#[test]
fn members_and_their_types_are_those_of_the_facts() {
    for (operation, fact) in pairs().into_iter().filter(|(operation, _)| operation.known == Known::Whole) {
        let name = &operation.name;
        if fact.success.is_empty() {
            continue;
        }
        let path: BTreeMap<_, _> =
            operation.path_members.iter().map(|member| (&member.name, member)).collect();
        assert!(path.keys().copied().eq(fact.path.keys()), "{name}: {:?}", fact.path.keys());
        let paged = operation.paging != Paging::None;
        let stream = operation.answer == Answer::Events;
        let query = fact.query.iter().filter(|(member, _)| {
            !(paged && PAGING.contains(&member.as_str()) || stream && member.as_str() == "from")
        });
        for (member, kind) in query.chain(fact.body.iter().flatten()).chain(&fact.path) {
            let all = operation
                .path_members
                .iter()
                .chain(&operation.query)
                .chain(operation.body.iter().flat_map(|body| &body.members));
            let found =
                all.clone().find(|found| found.name == *member).unwrap_or_else(|| panic!("{name}: {member}"));
            let required = kind.starts_with("required ") || fact.path.contains_key(member);
            assert_eq!(found.required, required, "{name}: {member}");
            let kind = kind.trim_start_matches("required ");
            assert_eq!(found.kind.null, kind.ends_with("|null"), "{name}: {member}");
            let bare = kind.trim_end_matches("|null");
            assert!(fits(&found.kind.kind, bare), "{name}: {member}: {bare} became {:?}", found.kind.kind);
        }
    }
}

/// Whether a type of the table is one of the facts, or a nearer one on purpose.
fn fits(kind: &Kind, fact: &str) -> bool {
    match (kind, fact) {
        // One value of several: the first of the kinds that the body may have.
        (Kind::Text { .. }, fact) if fact.starts_with("enum(") && !fact.contains('|') => true,
        // JSON's `true`, as the facts print it.
        (Kind::Flag, "enum(True)" | "boolean") => true,
        (Kind::OneOf(values), fact) if fact.starts_with("enum(") => {
            format!("enum({})", values.join("|")) == fact
        }
        // A pattern of a few values, spelled out.
        (Kind::OneOf(values), "string") => values.iter().all(|value| value.contains(':')),
        (Kind::OneOfMany(count), fact) => fact == format!("enum({count} values)"),
        (Kind::Text { .. }, fact) => fact.starts_with("string") || fact.ends_with(")|string"),
        (Kind::Names { .. } | Kind::File, "string") => true,
        (Kind::Integer { .. }, "integer") | (Kind::Number, "number") | (Kind::Object, "object") => true,
        (Kind::TextOrInteger, "string|integer") => true,
        (Kind::Any, "any") => true,
        (Kind::List(of), fact) => fact
            .strip_prefix("array<")
            .and_then(|rest| rest.strip_suffix('>'))
            .is_some_and(|fact| fits(of, fact)),
        _ => false,
    }
}

#[test]
fn bodies_and_answers_have_the_form_of_the_facts() {
    for (operation, fact) in pairs() {
        let name = &operation.name;
        assert_eq!(operation.body.is_some(), fact.body.is_some(), "{name}");
        let has = |start: &str| fact.answers.iter().any(|answer| answer.starts_with(start));
        let members: BTreeSet<&str> = fact
            .answers
            .iter()
            .filter_map(|answer| answer.strip_prefix("object{")?.strip_suffix('}'))
            .flat_map(|members| members.split(','))
            .collect();
        match &operation.answer {
            Answer::Rows(Some(member)) if fact.answers.is_empty() => assert_eq!(member, "members", "{name}"),
            Answer::Rows(Some(member)) => assert!(members.contains(member.as_str()), "{name}: {member}"),
            Answer::Rows(None) => assert!(has("array<"), "{name}"),
            Answer::Array => assert!(has("array<"), "{name}"),
            Answer::Number => assert!(has("number"), "{name}"),
            Answer::Object(found) => {
                let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
                let known =
                    members.into_iter().filter(|member| !member.is_empty() && *member != "…").collect();
                assert_eq!(found, known, "{name}");
            }
            Answer::Unknown => assert!(fact.answers.is_empty(), "{name}: {:?}", fact.answers),
            Answer::Events => assert!(has("text/event-stream"), "{name}"),
        }
    }
}

#[test]
fn scopes_are_those_of_the_facts_but_those_of_users_themselves() {
    for (operation, fact) in pairs() {
        let parts = operation.scopes_for.iter().map(|(scope, _)| scope);
        for scope in operation.scopes.iter().flatten().chain(parts) {
            assert!(fact.scopes.contains(scope), "{}: {scope} is no fact", operation.name);
        }
        let found: BTreeSet<&String> = operation
            .scopes
            .iter()
            .flatten()
            .chain(operation.scopes_for.iter().map(|(scope, _)| scope))
            .collect();
        assert!(!found.is_empty(), "{}", operation.name);
    }
}

#[test]
fn a_body_is_closed_where_the_tenant_refuses_what_it_does_not_know() {
    let open = |operation: &Operation| {
        operation.body.as_ref().is_some_and(|body: &Body| body.form == BodyForm::Open)
    };
    let named: Vec<String> =
        auth0_catalog::read().unwrap().into_iter().filter(open).map(|operation| operation.name).collect();
    // Bodies of several kinds, of which the first alone is known, and names that the caller chooses.
    assert_eq!(
        named,
        [
            "branding.phone.templates.reset",
            "branding.templates.updateUniversalLogin",
            "eventStreams.create",
            "flows.vault.connections.create",
            "hooks.secrets.create",
            "hooks.secrets.update",
            "logStreams.create",
            "prompts.customText.set",
            "prompts.partials.set",
            "selfServiceProfiles.customText.set",
        ]
    );
}
