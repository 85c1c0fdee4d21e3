//! One entry of a file, and what of it must fit together.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use toml::Table;

use crate::{
    Answer, Body, BodyForm, CatalogError, Effect, Known, Member, Operation, Paging, Stage,
    meaning::Meanings,
    secrets::{SecretsEntry, Things},
    text,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    request: String,
    title: String,
    note: Option<String>,
    stage: String,
    effect: String,
    idempotent: Option<bool>,
    scopes: Vec<Vec<String>>,
    #[serde(default)]
    scopes_for: BTreeMap<String, String>,
    #[serde(default)]
    known: Option<String>,
    #[serde(default)]
    success: Vec<u16>,
    paging: Option<String>,
    page_size: Option<u8>,
    beyond: Option<String>,
    #[serde(default)]
    totals: bool,
    rows: Option<String>,
    answer: Option<AnswerEntry>,
    #[serde(default)]
    secrets: SecretsEntry,
    #[serde(default)]
    custom_domain: bool,
    #[serde(default)]
    handles_personal_data: bool,
    #[serde(default)]
    path: Table,
    #[serde(default)]
    query: Table,
    body_form: Option<String>,
    #[serde(default)]
    body_at_least: u8,
    #[serde(default)]
    body: Table,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AnswerEntry {
    Members(Vec<String>),
    Kind(String),
}

/// Reads a file of entries.
pub(crate) fn parse(
    path: &Path,
    meanings: &Meanings,
    things: &Things,
) -> Result<Vec<Operation>, CatalogError> {
    let toml = |source| CatalogError::Toml { path: path.to_owned(), source: Box::new(source) };
    let table: Table = toml::from_str(&text(path)?).map_err(toml)?;
    let mut operations = Vec::with_capacity(table.len());
    for (name, value) in table {
        let entry: Entry = value.try_into().map_err(toml)?;
        let refused = |problem| CatalogError::Entry { operation: name.clone(), problem };
        operations.push(operation(&name, entry, meanings, things).map_err(refused)?);
    }
    Ok(operations)
}

fn operation(name: &str, entry: Entry, meanings: &Meanings, things: &Things) -> Result<Operation, String> {
    let (method, path) = entry.request.split_once(' ').ok_or("`request` is no method and path")?;
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) || !path.starts_with('/') {
        return Err(format!("`request = \"{}\"` is no method and path", entry.request));
    }
    let named: Vec<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
    if entry.path.len() != named.len() || !named.iter().all(|name| entry.path.contains_key(*name)) {
        return Err(format!("the path names {named:?}, and `path` does not"));
    }
    let members = |table: &Table, place: &str| -> Result<Vec<Member>, String> {
        table.iter().map(|(name, kind)| member(name, kind, meanings, place)).collect()
    };
    let path_members = named.iter().filter_map(|name| entry.path.get_key_value(*name)).map(|(name, kind)| {
        let member = member(name, kind, meanings, path)?;
        Ok(Member { required: true, meaning: meanings.of_path(name, path), ..member })
    });
    let path_members = path_members.collect::<Result<Vec<_>, String>>()?;
    let body = entry.body_form.as_deref().map(|form| -> Result<Body, String> {
        let form = match form {
            "closed" => BodyForm::Closed,
            "open" => BodyForm::Open,
            "list" => BodyForm::List,
            "multipart" => BodyForm::Multipart,
            other => return Err(format!("`body_form = \"{other}\"` is none")),
        };
        Ok(Body { form, at_least: entry.body_at_least, members: members(&entry.body, path)? })
    });
    let body = body.transpose()?;
    if body.is_none() && !entry.body.is_empty() {
        return Err("a body without `body_form`".to_owned());
    }
    let query = members(&entry.query, path)?;
    let effect = effect(&entry.effect)?;
    if (method == "GET") != (effect == Effect::Read) {
        return Err(format!("a {method} whose effect is {}: what reads only is a GET", entry.effect));
    }
    let answer = match (entry.rows, entry.answer) {
        (Some(_), Some(_)) => return Err("`rows` and `answer`: a list answers rows".to_owned()),
        (Some(rows), None) => Answer::Rows(Some(rows).filter(|rows| !rows.is_empty())),
        (None, Some(AnswerEntry::Members(members))) => Answer::Object(members),
        (None, Some(AnswerEntry::Kind(kind))) => match kind.as_str() {
            "object" => Answer::Object(Vec::new()),
            "array" => Answer::Array,
            "number" => Answer::Number,
            "events" => Answer::Events,
            other => return Err(format!("`answer = \"{other}\"` is none")),
        },
        (None, None) => Answer::Unknown,
    };
    let paging = match entry.paging.as_deref() {
        None => Paging::None,
        Some("offset") => Paging::Offset,
        Some("checkpoint") => Paging::Checkpoint,
        Some("offset+checkpoint") => Paging::Both,
        Some(other) => return Err(format!("`paging = \"{other}\"` is none")),
    };
    if paging != Paging::None && !matches!(answer, Answer::Rows(_)) {
        return Err("`paging` without `rows`".to_owned());
    }
    if entry.beyond.is_some() && paging != Paging::Offset {
        return Err("`beyond` without the pages of `paging = \"offset\"`".to_owned());
    }
    let known = match entry.known.as_deref() {
        None => Known::Whole,
        Some("request") => Known::Request,
        Some(other) => return Err(format!("`known = \"{other}\"` is none")),
    };
    let secrets = things.resolve(entry.secrets, path, known == Known::Whole)?;
    let operation = Operation {
        name: name.to_owned(),
        idempotent: entry.idempotent.unwrap_or(method != "POST"),
        method: method.to_owned(),
        path: path.to_owned(),
        title: entry.title,
        note: entry.note,
        stage: stage(&entry.stage)?,
        effect,
        scopes: entry.scopes,
        scopes_for: entry.scopes_for.into_iter().collect(),
        known,
        success: entry.success,
        paging,
        page_size: entry.page_size,
        beyond: entry.beyond,
        totals: entry.totals,
        custom_domain: entry.custom_domain,
        handles_personal_data: entry.handles_personal_data,
        answer,
        secrets,
        reach: Vec::new(),
        path_members,
        query,
        body,
    };
    check_names(&operation)?;
    Ok(operation)
}

/// All members of an input stand side by side in one object: no two may have a name, and none that of a member which
/// the connector adds.
fn check_names(operation: &Operation) -> Result<(), String> {
    let mut names: Vec<&str> = Vec::new();
    if operation.is_list() {
        names.extend(["limit", "cursor"]);
    }
    let body = operation.body.iter();
    if operation.known == Known::Request {
        names.extend(["query", "body"]);
    } else if body.clone().any(Body::is_apart) {
        names.push("body");
    }
    let side_by_side = body.filter(|body| body.form != BodyForm::List).flat_map(|body| &body.members);
    for member in operation.path_members.iter().chain(&operation.query).chain(side_by_side) {
        if names.contains(&member.name.as_str()) {
            return Err(format!("two members are called `{}`", member.name));
        }
        names.push(&member.name);
    }
    Ok(())
}

fn member(name: &str, kind: &toml::Value, meanings: &Meanings, path: &str) -> Result<Member, String> {
    let text = kind.as_str().ok_or_else(|| format!("the type of `{name}` is no text"))?;
    let (required, text) = text.strip_prefix("required ").map_or((false, text), |rest| (true, rest));
    let kind = text.parse().map_err(|error| format!("`{name}`: {error}"))?;
    Ok(Member { name: name.to_owned(), required, kind, meaning: meanings.of(name, path) })
}

fn stage(text: &str) -> Result<Stage, String> {
    Ok(match text {
        "GA" => Stage::Ga,
        "EA" => Stage::Ea,
        "beta" => Stage::Beta,
        "unknown" => Stage::Unknown,
        other => return Err(format!("`stage = \"{other}\"` is none")),
    })
}

fn effect(text: &str) -> Result<Effect, String> {
    Ok(match text {
        "read" => Effect::Read,
        "create" => Effect::Create,
        "update" => Effect::Update,
        "delete" => Effect::Delete,
        "send" => Effect::Send,
        other => return Err(format!("`effect = \"{other}\"` is none")),
    })
}
