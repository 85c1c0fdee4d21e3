//! What the component says of its actions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The action that sends any request: its effect and its scopes are those of the request.
pub const CUSTOM_REQUEST: &str = "custom-request";

/// What an action does to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Effect {
    /// Reads only.
    Read,
    /// Creates something new.
    Create,
    /// Changes or takes away something that stays in being.
    Update,
    /// Deletes for good.
    Delete,
    /// Sends a message to a person.
    Send,
}

impl Effect {
    /// Returns the name that the contract gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Send => "send",
        }
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How ready Auth0 says that an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stage {
    /// Generally available.
    Ga,
    /// Early access: tenants without it answer `forbidden`.
    Ea,
    /// Beta: it may change or go.
    Beta,
    /// Auth0's documentation does not say.
    Unstated,
}

impl Stage {
    /// Returns the name that the contract gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ga => "ga",
            Self::Ea => "ea",
            Self::Beta => "beta",
            Self::Unstated => "unstated",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that a token has to be allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScopeNeed {
    /// Any one of these scopes will do.
    pub any_of: Vec<String>,
    /// What it is needed for, where the action can do without: a member of the input, a part of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_for: Option<String>,
}

/// Which actions to list: those to which all that is given applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActionFilter {
    /// Words, each of which is in the id, title, group or path; in any case of letters.
    pub text: Option<String>,
    /// The family.
    pub group: Option<String>,
    /// What it does to the tenant.
    pub effect: Option<Effect>,
    /// How ready it is.
    pub stage: Option<Stage>,
    /// A scope that plays a part: `read:users`.
    pub scope: Option<String>,
}

/// One line of the list of actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionSummary {
    /// The id to run it by: `get-user`.
    pub id: String,
    /// A few words for a menu.
    pub title: String,
    /// The family: `users`.
    pub group: String,
    /// What it does to the tenant.
    pub effect: Effect,
    /// How ready it is.
    pub stage: Stage,
    /// What the token has to be allowed, all of it.
    pub scopes: Vec<ScopeNeed>,
}

/// A request of the Management API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApiRequest {
    /// HTTP method: `GET`.
    pub method: String,
    /// Path, with parameters in braces: `/api/v2/users/{id}`.
    pub path: String,
}

/// How an action reads its list. Its input says by which members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pagination {
    /// None: the answer is whole, or no list.
    Whole,
    /// By page, up to the 1000th record.
    Offset,
    /// By cursor, without end.
    Checkpoint,
    /// Either way.
    OffsetOrCheckpoint,
}

/// Everything an engine needs to offer an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionDescription {
    /// The id to run it by: `get-user`, `organizations.members.list`.
    pub id: String,
    /// A few words for a menu.
    pub title: String,
    /// What it does, what to know before using it, and how it fails.
    pub description: String,
    /// The family.
    pub group: String,
    /// What it does to the tenant.
    pub effect: Effect,
    /// Whether doing it twice leaves the tenant as doing it once.
    pub idempotent: bool,
    /// Requests that it may send; none where the input decides.
    pub requests: Vec<ApiRequest>,
    /// How ready it is.
    pub stage: Stage,
    /// What the token has to be allowed, all of it.
    pub scopes: Vec<ScopeNeed>,
    /// How it reads its list.
    pub pagination: Pagination,
    /// Whether it reads or writes what is known of a person.
    pub personal: bool,
    /// JSON Schema (2020-12) of the input.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the output.
    pub output_schema: Value,
}

/// Tells an operation of the Management API, as it is, from an action that was made for one purpose: the ids of operations
/// have dots.
pub fn is_operation(id: &str) -> bool {
    id.contains('.')
}

#[cfg(test)]
impl ActionSummary {
    /// An action of which nothing matters but the scopes that it needs.
    pub(crate) fn needing(id: &str, needs: &[(&[&str], Option<&str>)]) -> Self {
        let need = |(any_of, only_for): &(&[&str], Option<&str>)| ScopeNeed {
            any_of: any_of.iter().map(|scope| (*scope).to_owned()).collect(),
            only_for: only_for.map(str::to_owned),
        };
        Self {
            id: id.to_owned(),
            title: String::new(),
            group: String::new(),
            effect: Effect::Read,
            stage: Stage::Ga,
            scopes: needs.iter().map(need).collect(),
        }
    }
}
