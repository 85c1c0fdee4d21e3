//! The policy's file: TOML, read strictly.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;
use toml::Spanned;

use super::{
    Policy, PolicyBuilder, PolicyError,
    builder::List,
    located::{Located, Position},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    deny_reach: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    read_only: bool,
    mail_provider: Option<Spanned<String>>,
    #[serde(default)]
    allow_loopback: bool,
    #[serde(default)]
    allowed_networks: Vec<Spanned<String>>,
    #[serde(default)]
    actions: Lists,
    #[serde(default)]
    requests: Lists,
    #[serde(default)]
    fields: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    allow: Option<Spanned<Vec<Spanned<String>>>>,
    deny: Option<Spanned<Vec<Spanned<String>>>>,
}

/// Reads a file's text.
pub(super) fn read(text: &str) -> Result<Policy, PolicyError> {
    let file: File = toml::from_str(text).map_err(|error| PolicyError {
        at: error.span().map(|span| Position::of(text, span.start)),
        problem: error.message().trim().replace('\n', ", "),
    })?;
    let at = |span: Range<usize>| Some(Position::of(text, span.start));
    let located = |entry: Spanned<String>| Located { at: at(entry.span()), value: entry.into_inner() };
    let all = |entries: Vec<Spanned<String>>| entries.into_iter().map(located).collect::<Vec<_>>();
    let list = |list: Option<Spanned<Vec<Spanned<String>>>>| {
        list.map(|list| List { at: at(list.span()), entries: all(list.into_inner()) })
    };
    let policy = PolicyBuilder {
        allow_actions: list(file.actions.allow),
        deny_actions: list(file.actions.deny),
        allow_requests: list(file.requests.allow),
        deny_requests: list(file.requests.deny),
        fields: file.fields.into_iter().map(|(rule, fields)| (located(rule), all(fields))).collect(),
        deny_reach: list(file.deny_reach),
        read_only: file.read_only,
        mail_provider: file.mail_provider.map(located),
        allow_loopback: file.allow_loopback,
        allowed_networks: all(file.allowed_networks),
    }
    .build()?;
    // A file that was cut off, or came out of a template with nothing in it, must not open what it was to close.
    if policy == Policy::default() {
        return Err(PolicyError::new(
            "the policy has no rules, which would allow all that the default allows: add a rule, such as \
             `[requests]` with `allow = [\"* /api/v2/**\"]`, or use no policy",
        ));
    }
    Ok(policy)
}
