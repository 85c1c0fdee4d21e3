//! The table against the facts it was made from: Auth0's API description of the summer of 2026 and recorded traffic, as
//! gathered before the project began (`facts.json`, one operation per line).
//!
//! A table that is compared with itself proves nothing. Where it says something else than the facts on purpose, the
//! difference stands here with its reason, and a difference that is none any more fails too.
//!
//! `facts.json` writes types as the table does, ` ~ ` before a pattern; `unknown` is a type that nobody has seen. A body
//! is `closed` where the description allows no other members, and has `variants` where it describes several kinds, of
//! which the first was kept. `recorded` are parameters that were seen and are not described, `scopes` those that the
//! operation names, and `refusal` those that its 403 names, of which a token needs `any` or `all`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics is a test that failed"
)]

use std::collections::{BTreeMap, BTreeSet};

use auth0_catalog::{Answer, BodyForm, Member, Operation, Paging, Stage, Type};
use serde::Deserialize;

/// Types by name.
type Members = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    name: Option<String>,
    request: String,
    stage: String,
    #[serde(default)]
    success: Vec<u16>,
    paging: Option<String>,
    #[serde(default)]
    totals: bool,
    #[serde(default)]
    path: Members,
    #[serde(default)]
    query: Members,
    #[serde(default)]
    recorded: Members,
    #[serde(default)]
    headers: Members,
    body: Option<BodyFact>,
    #[serde(default)]
    answers: Vec<String>,
    scopes: BTreeSet<String>,
    refusal: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyFact {
    is: String,
    #[serde(default)]
    closed: bool,
    #[serde(default)]
    at_least: u8,
    variants: Option<u8>,
    #[serde(default)]
    members: Members,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    mode: String,
    scopes: BTreeSet<String>,
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

/// Says that all of the named differences were met.
fn all_met<'a>(what: &str, named: impl IntoIterator<Item = &'a str>, met: &BTreeSet<String>) {
    let named: BTreeSet<String> = named.into_iter().map(str::to_owned).collect();
    assert_eq!(&named, met, "{what}");
}

#[test]
fn names_stages_statuses_and_paging_are_those_of_the_facts() {
    for (operation, fact) in pairs() {
        let name = &operation.name;
        assert!(fact.name.is_none_or(|fact| fact == *name), "{name}");
        let stage = match operation.stage {
            Stage::Ga => "GA",
            Stage::Ea => "EA",
            Stage::Beta => "beta",
            Stage::Unknown => "unstated",
        };
        assert_eq!(stage, fact.stage, "{name}");
        assert_eq!(operation.success, fact.success, "{name}");
        let Some(fact) = fact.paging else { continue };
        let paging = match operation.paging {
            Paging::None => "none",
            Paging::Offset => "offset",
            Paging::Checkpoint => "checkpoint",
            Paging::Both => "offset+checkpoint",
        };
        // The log's checkpoint ignores every filter; list-logs has it.
        let expected = if name == "logs.list" { "offset" } else { &fact };
        assert_eq!(paging, expected, "{name}");
    }
}

/// Paging that the table leaves to `limit` and `cursor`.
const PAGING: [&str; 5] = ["page", "per_page", "include_totals", "from", "take"];

#[test]
fn a_page_is_as_large_as_the_facts_allow_and_a_hundred_at_most() {
    for (operation, fact) in pairs() {
        let parameter = match operation.paging {
            Paging::None => continue,
            Paging::Offset => "per_page",
            Paging::Checkpoint | Paging::Both => "take",
        };
        let most = fact.query[parameter].split_once("..").map_or("", |(_, most)| most);
        let most: Option<u16> = (!most.is_empty()).then(|| most.parse().unwrap());
        let expected = most.map_or(100, |most| most.min(100));
        assert_eq!(u16::from(operation.page_size.unwrap_or(100)), expected, "{}", operation.name);
    }
}

#[test]
fn totals_are_asked_for_where_the_facts_have_them() {
    let mut met = BTreeSet::new();
    for (operation, fact) in pairs() {
        if operation.totals != fact.totals {
            met.insert(operation.name);
        }
    }
    // The log's `total` is that of the page: a list that believed it would end there.
    all_met("totals", ["logs.list", "users.logs.list"], &met);
}

#[test]
fn the_header_for_a_custom_domain_goes_where_the_facts_have_it() {
    for (operation, fact) in pairs() {
        let headers: Vec<&str> = fact.headers.keys().map(String::as_str).collect();
        let expected: &[&str] = if operation.custom_domain { &["auth0-custom-domain"] } else { &[] };
        assert_eq!(headers, expected, "{}", operation.name);
    }
}

/// Members of which the table says something else than the facts: operation, place, name, type, why.
const OTHERWISE: [(&str, &str, &str, &str, &str); 13] = [
    ("clientGrants.list", "query", "allow_any_organization", "boolean", "False is the tenant's to refuse"),
    ("flows.vault.connections.create", "body", "app_id", "required string", "The first of 21 kinds"),
    ("jobs.usersImports.create", "body", "users", "required file", "A list of users becomes the file's text"),
    ("logStreams.create", "body", "type", "required string", "The first of 8 kinds"),
    ("logs.list", "query", "q", "string", "Recorded, and on a page of Auth0's documentation"),
    ("logs.list", "query", "sort", "string(sort)", "The description lists fields and forgets the direction"),
    ("prompts.rendering.list", "query", "prompt", "string", "The description lists 11 of 37 prompts"),
    ("prompts.rendering.list", "query", "screen", "string", "The description lists 5 of 90 screens"),
    (
        "prompts.rendering.update",
        "body",
        "context_configuration",
        "array<string>|null",
        "One of 18 texts, or any other text, is any text",
    ),
    ("roles.list", "query", "owner_id", "string", "Recorded with Terraform's provider"),
    ("roles.list", "query", "type", "string", "Recorded with Terraform's provider"),
    (
        "users.logs.list",
        "query",
        "sort",
        "string(sort)",
        "The description lists fields and forgets the direction",
    ),
    (
        "users.list",
        "query",
        "sort",
        "string(sort)",
        "The pattern's backslash is an escape that was escaped: no field has one in its name",
    ),
];

/// Patterns of the facts, and the types of the table that say the same.
const PATTERNS: [(&str, &str); 5] = [
    ("^domain:1$", "enum(domain:1)"),
    ("^[\\x20-\\x7E]+$", "string(ascii)"),
    (
        "^((display_name)|(created_at)|(name))\\:(1|-1)$",
        "enum(display_name:1|display_name:-1|created_at:1|created_at:-1|name:1|name:-1)",
    ),
    ("^((created_at))\\:(1|-1)$", "enum(created_at:1|created_at:-1)"),
    ("^2[0-9]{3}((0[1-9])|(1[0-2]))((0[1-9])|([12][0-9])|(3[01]))$", "string(yyyymmdd)"),
];

/// Reads a type of the facts: whether it is required, and what it is in the table's words, where that is known.
fn type_of(fact: &str) -> (bool, Option<Type>) {
    let (required, text) = fact.strip_prefix("required ").map_or((false, fact), |rest| (true, rest));
    if text == "unknown" {
        return (required, None);
    }
    let Some((kind, pattern)) = text.split_once(" ~ ") else {
        return (required, Some(text.parse().unwrap()));
    };
    let (_, ours) = PATTERNS.iter().find(|(known, _)| *known == pattern).expect(pattern);
    // A text of a few values is no longer than they are.
    let kind = if ours.starts_with("enum(") { (*ours).to_owned() } else { kind.replacen("string", ours, 1) };
    (required, Some(kind.parse().unwrap()))
}

#[test]
fn each_place_has_the_members_of_the_facts_with_their_types_and_no_other() {
    let mut met = BTreeSet::new();
    for (operation, fact) in pairs() {
        let name = &operation.name;
        let (paged, stream) = (operation.paging != Paging::None, operation.answer == Answer::Events);
        let left_to_the_connector =
            |member: &str| paged && PAGING.contains(&member) || stream && member == "from";
        let query = fact.query.into_iter().filter(|(member, _)| !left_to_the_connector(member)).collect();
        let body = fact.body.map(|body| body.members).unwrap_or_default();
        let members_of_body = operation.body.map(|body| body.members).unwrap_or_default();
        for (place, mut facts, members) in [
            ("path", fact.path, operation.path_members),
            ("query", query, operation.query),
            ("body", body, members_of_body),
        ] {
            for (_, _, member, ours, _) in OTHERWISE.iter().filter(|it| (it.0, it.1) == (name, place)) {
                let theirs = facts.insert((*member).to_owned(), (*ours).to_owned());
                assert_ne!(theirs.as_deref(), Some(*ours), "{name}: {place}: {member}: no difference");
                let recorded = fact.recorded.get(*member).is_some_and(|recorded| recorded == ours);
                assert!(theirs.is_some() || recorded, "{name}: {place}: {member}: invented");
                met.insert(format!("{name} {place} {member}"));
            }
            let named: BTreeSet<&String> = members.iter().map(|member| &member.name).collect();
            assert_eq!(named, facts.keys().collect(), "{name}: {place}");
            assert_eq!(named.len(), members.len(), "{name}: {place}: a name twice");
            for Member { name: member, required, kind, .. } in &members {
                let (wanted, expected) = type_of(&facts[member]);
                assert_eq!(*required, wanted || place == "path", "{name}: {place}: {member}");
                assert!(
                    expected.is_none_or(|expected| expected == *kind),
                    "{name}: {place}: {member}: {} became {kind:?}",
                    facts[member]
                );
            }
        }
        for member in fact.recorded.keys() {
            assert!(met.contains(&format!("{name} query {member}")), "{name}: {member} was recorded");
        }
    }
    let named: Vec<_> =
        OTHERWISE.iter().map(|(name, place, member, ..)| format!("{name} {place} {member}")).collect();
    all_met("members", named.iter().map(String::as_str), &met);
}

/// Bodies that the table closes although the description does not say so: the tenant refuses a member that it does not
/// know in the bodies of its own kind, and a misspelled member must not be lost silently.
const CLOSED: [&str; 8] = [
    "branding.phone.providers.create",
    "branding.phone.templates.test",
    "deviceCredentials.createPublicKey",
    "keys.encryption.create",
    "keys.encryption.import",
    "organizations.members.create",
    "organizations.members.delete",
    "users.update",
];

#[test]
fn bodies_are_closed_and_filled_as_the_facts_say() {
    let mut met = BTreeSet::new();
    for (operation, fact) in pairs() {
        let name = operation.name;
        let (Some(body), Some(fact)) = (&operation.body, &fact.body) else { continue };
        assert_eq!(body.at_least, fact.at_least, "{name}");
        // Of a body of several kinds the first alone is known, and names that the caller chooses are not known.
        assert!(fact.variants.is_none() || body.form == BodyForm::Open, "{name}");
        let expected = match fact.is.as_str() {
            "multipart" => BodyForm::Multipart,
            "list" => BodyForm::List,
            _ if fact.closed => BodyForm::Closed,
            _ => BodyForm::Open,
        };
        if body.form != expected {
            assert_eq!((body.form, expected), (BodyForm::Closed, BodyForm::Open), "{name}");
            met.insert(name);
        }
    }
    all_met("closed bodies", CLOSED, &met);
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

/// Operations whose scopes are not what the rule makes of the facts: groups, scopes of parts, why.
type Scopes =
    (&'static str, &'static [&'static [&'static str]], &'static [(&'static str, &'static str)], &'static str);

const SCOPES: [Scopes; 10] = [
    (
        "clients.connections.get",
        &[&["read:connections"], &["read:clients", "read:client_summary"]],
        &[],
        "The refusal's mode is mixed: connections, and either of the others",
    ),
    (
        "clients.list",
        &[&["read:clients", "read:client_keys", "read:client_summary"]],
        &[("read:client_credentials", "credentials of applications")],
        "The refusal does not name read:client_credentials: it adds members to the answer",
    ),
    (
        "clients.previewCimdMetadata",
        &[&["create:clients", "update:clients", "read:clients"]],
        &[],
        "The operation names one scope, its refusal two others: whichever a token has, it is tried",
    ),
    (
        "clients.update",
        &[&["update:clients", "update:client_keys"]],
        &[
            ("update:client_credentials", "client_authentication_methods"),
            ("update:client_token_vault_privileged_access", "token_vault_privileged_access"),
        ],
        "The refusal does not name the others: they are for these members",
    ),
    (
        "organizations.create",
        &[&["create:organizations"]],
        &[("create:organization_connections", "enabled_connections")],
        "The refusal does not name the other: it is for this member",
    ),
    (
        "roles.users.list",
        &[&["read:users"], &["read:roles"]],
        &[],
        "The refusal wants all of two, and does not name read:role_members",
    ),
    (
        "sessions.revoke",
        &[&["delete:sessions"]],
        &[("delete:refresh_tokens", "refresh tokens")],
        "The refusal does not name the other: it is for the session's refresh tokens",
    ),
    (
        "users.get",
        &[&["read:users"]],
        &[("read:user_idp_tokens", "the tokens of identities")],
        "The other adds members to the answer",
    ),
    (
        "users.list",
        &[&["read:users"]],
        &[("read:user_idp_tokens", "the tokens of identities")],
        "The other adds members to the answer",
    ),
    (
        "users.revokeAccess",
        &[&["delete:sessions"]],
        &[("delete:refresh_tokens", "refresh tokens")],
        "The refusal does not name the other: it is for the user's refresh tokens",
    ),
];

/// The groups of scopes that follow from the facts: one of all, or all of them, as the refusal says. Scopes of users
/// themselves are left out where there is another: no application is granted them.
fn groups(fact: &Fact) -> BTreeSet<BTreeSet<String>> {
    let mut scopes = fact.scopes.clone();
    let of_users = |scope: &String| scope.contains("current_user");
    if !scopes.iter().all(of_users) {
        scopes.retain(|scope| !of_users(scope));
    }
    match fact.refusal.as_ref().map(|refusal| refusal.mode.as_str()) {
        Some("all") => scopes.into_iter().map(|scope| BTreeSet::from([scope])).collect(),
        None | Some("any" | "unstated" | "mixed") => BTreeSet::from([scopes]),
        Some(mode) => panic!("{}: {mode}", fact.request),
    }
}

#[test]
fn scopes_are_those_of_the_facts_any_or_all_of_them() {
    let owned = |groups: &[&[&str]]| -> BTreeSet<BTreeSet<String>> {
        groups.iter().map(|group| group.iter().map(|scope| (*scope).to_owned()).collect()).collect()
    };
    let mut met = BTreeSet::new();
    for (operation, fact) in pairs() {
        let name = &operation.name;
        let mut expected = (groups(&fact), Vec::new());
        if let Some((_, groups, parts, _)) = SCOPES.iter().find(|(other, ..)| other == name) {
            let parts = parts.iter().map(|(scope, part)| ((*scope).to_owned(), (*part).to_owned())).collect();
            let ours = (owned(groups), parts);
            assert_ne!(ours, expected, "{name}: no difference");
            let known = |scope: &String| {
                fact.scopes.contains(scope)
                    || fact.refusal.as_ref().is_some_and(|refusal| refusal.scopes.contains(scope))
            };
            assert!(
                ours.0.iter().flatten().chain(ours.1.iter().map(|(scope, _)| scope)).all(known),
                "{name}"
            );
            expected = ours;
            met.insert(name.clone());
        }
        let found: BTreeSet<BTreeSet<String>> =
            operation.scopes.iter().map(|group| group.iter().cloned().collect()).collect();
        assert_eq!(found.len(), operation.scopes.len(), "{name}: a group twice");
        assert_eq!((found, operation.scopes_for), expected, "{name}");
    }
    all_met("scopes", SCOPES.map(|(name, ..)| name), &met);
}
