//! What each operation can do beyond what it says.
//!
//! `reach.toml` judges operations, not the other way round: a reviewer reads one page by the harm, and a reason stands
//! once for all that it is about. What nobody has judged is an error here and everything in the policy, so that a new
//! operation or a new member is no gap.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;

use crate::{BodyForm, CatalogError, Operation, text};

/// What a request can do beyond what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Code of the sender's choice runs.
    RunsCode,
    /// Data goes to an address of the sender's choice.
    Exfiltrates,
    /// Power goes to an application or an administrator.
    Escalates,
    /// A person's account can be opened.
    TakesOver,
    /// A protection is taken away or changed.
    Weakens,
    /// People get roles, permissions, memberships.
    GrantsPeople,
}

impl Reach {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::RunsCode,
        Self::Exfiltrates,
        Self::Escalates,
        Self::TakesOver,
        Self::Weakens,
        Self::GrantsPeople,
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunsCode => "runs-code",
            Self::Exfiltrates => "exfiltrates",
            Self::Escalates => "escalates",
            Self::TakesOver => "takes-over",
            Self::Weakens => "weakens",
            Self::GrantsPeople => "grants-people",
        }
    }
}

/// A judgement of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it can do; `None` where somebody has judged that it is harmless.
    pub reach: Option<Reach>,
    /// The members of the body that make it so; all requests are where there is none.
    pub members: Vec<String>,
    /// Why, in a phrase that completes "since".
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    reads: String,
    #[serde(default)]
    runs_code: Vec<Row>,
    #[serde(default)]
    exfiltrates: Vec<Row>,
    #[serde(default)]
    escalates: Vec<Row>,
    #[serde(default)]
    takes_over: Vec<Row>,
    #[serde(default)]
    weakens: Vec<Row>,
    #[serde(default)]
    grants_people: Vec<Row>,
    #[serde(default)]
    none: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    reason: String,
    operations: Vec<String>,
    /// Absent where the row is about all requests.
    members: Option<Vec<String>>,
}

/// Reads the file and gives each operation its judgements.
pub(crate) fn judge(path: &Path, operations: &mut [Operation]) -> Result<(), CatalogError> {
    let toml = |source| CatalogError::Toml { path: path.to_owned(), source: Box::new(source) };
    let file: File = toml::from_str(&text(path)?).map_err(toml)?;
    let reads = Judgement { reach: None, members: Vec::new(), reason: file.reads };
    let lists = [
        (Some(Reach::RunsCode), file.runs_code),
        (Some(Reach::Exfiltrates), file.exfiltrates),
        (Some(Reach::Escalates), file.escalates),
        (Some(Reach::TakesOver), file.takes_over),
        (Some(Reach::Weakens), file.weakens),
        (Some(Reach::GrantsPeople), file.grants_people),
        (None, file.none),
    ];
    let mut rows: BTreeMap<String, Vec<Judgement>> = BTreeMap::new();
    for (reach, row) in
        lists.into_iter().flat_map(|(reach, rows)| rows.into_iter().map(move |row| (reach, row)))
    {
        let named =
            row.operations.iter().filter_map(|name| operations.iter().find(|known| known.name == *name));
        let known: BTreeSet<&str> = named.flat_map(top_members).collect();
        let listed = row.members.clone().unwrap_or_default();
        let unknown = listed.iter().find(|member| !known.contains(first(member)));
        let problem = match unknown {
            Some(member) => {
                Some(format!("a row of its reach names `{member}`, which no body of the row has"))
            }
            None if row.members.as_ref().is_some_and(Vec::is_empty) => {
                Some("a row of its reach names no member".to_owned())
            }
            None => None,
        };
        for operation in row.operations {
            if let Some(problem) = problem.clone() {
                return Err(CatalogError::Entry { operation, problem });
            }
            let judgement = Judgement { reach, members: listed.clone(), reason: row.reason.clone() };
            rows.entry(operation).or_default().push(judgement);
        }
    }
    for operation in operations.iter_mut() {
        operation.reach = rows.remove(&operation.name).unwrap_or_default();
        if operation.reach.is_empty() && operation.method == "GET" {
            operation.reach.push(reads.clone());
        }
        check(operation)
            .map_err(|problem| CatalogError::Entry { operation: operation.name.clone(), problem })?;
    }
    match rows.into_keys().next() {
        Some(operation) => {
            let problem = "reach.toml judges it, and there is no such operation".to_owned();
            Err(CatalogError::Entry { operation, problem })
        }
        None => Ok(()),
    }
}

fn first(member: &str) -> &str {
    member.split('.').next().unwrap_or(member)
}

/// The members of a body that is one object.
fn top_members(operation: &Operation) -> impl Iterator<Item = &str> {
    let body = operation.body.iter().filter(|body| matches!(body.form, BodyForm::Closed | BodyForm::Open));
    body.flat_map(|body| &body.members).map(|member| member.name.as_str())
}

/// Refuses judgements that contradict each other, or leave something out.
fn check(operation: &Operation) -> Result<(), String> {
    let all = &operation.reach;
    if all.is_empty() {
        return Err("reach.toml does not judge it: say what it can do, or list it under `none`".to_owned());
    }
    let whole: Vec<_> = all.iter().filter(|judgement| judgement.members.is_empty()).collect();
    if whole.iter().any(|judgement| judgement.reach.is_none()) && all.len() > 1 {
        return Err("reach.toml says that it has none, and something else as well".to_owned());
    }
    let by_member: Vec<_> = all
        .iter()
        .flat_map(|judgement| judgement.members.iter().map(move |member| (member, judgement.reach)))
        .collect();
    if by_member.is_empty() {
        return Ok(());
    }
    if let Some(left) =
        top_members(operation).find(|name| !by_member.iter().any(|(member, _)| first(member) == *name))
    {
        return Err(format!("reach.toml judges it by member, and not its member `{left}`"));
    }
    for (member, reach) in &by_member {
        let contradicts = |(other, others): &&(&String, Option<Reach>)| {
            let above = other.strip_prefix(member.as_str()).is_some_and(|rest| rest.starts_with('.'));
            above || (other == member && (reach.is_none() != others.is_none()))
        };
        if by_member.iter().any(|other| contradicts(&other)) {
            return Err(format!(
                "reach.toml judges its member `{member}` in two ways that do not go together"
            ));
        }
    }
    Ok(())
}
