//! What rules about actions and requests go by: what an action does, which requests it sends, which scopes it needs.

use serde::{Deserialize, Serialize};

/// The action that sends any request: its effect and its scopes are those of the request.
pub const CUSTOM_REQUEST: &str = "custom-request";

/// What an action does to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
pub enum Stage {
    /// Generally available.
    Ga,
    /// Early access: tenants without it answer `forbidden`.
    Ea,
    /// Beta: it may change or go.
    Beta,
    /// Auth0's documentation does not say.
    #[serde(rename = "unstated")]
    Unknown,
}

impl Stage {
    /// Returns the name that the contract gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ga => "ga",
            Self::Ea => "ea",
            Self::Beta => "beta",
            Self::Unknown => "unstated",
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
pub struct ScopeRequirement {
    /// Any one of these scopes will do.
    pub any_of: Vec<String>,
    /// What it is needed for, where the action can do without: a member of the input, a part of the answer.
    #[serde(default, rename = "only_for", skip_serializing_if = "Option::is_none")]
    pub required_for: Option<String>,
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
    pub scopes: Vec<ScopeRequirement>,
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

impl ScopeRequirement {
    /// Names scopes, any one of which will do, and the part of the action that they are for, if it is only a part.
    pub fn new(any_of: Vec<String>, required_for: Option<String>) -> Self {
        Self { any_of, required_for }
    }
}

impl ActionSummary {
    /// Begins with an action that reads and needs no scope.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: String::new(),
            group: String::new(),
            effect: Effect::Read,
            stage: Stage::Ga,
            scopes: Vec::new(),
        }
    }
}

impl ApiRequest {
    /// Names a method and a path.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self { method: method.into(), path: path.into() }
    }
}

/// Returns whether an action is an operation of the Management API as it is, and not one made for a purpose: the ids of
/// operations have dots.
pub fn is_operation(id: &str) -> bool {
    id.contains('.')
}

#[cfg(test)]
impl ActionSummary {
    /// An action of which nothing matters but the scopes that it needs.
    pub(crate) fn needing(id: &str, needs: &[(&[&str], Option<&str>)]) -> Self {
        let need = |(any_of, only_for): &(&[&str], Option<&str>)| ScopeRequirement {
            any_of: any_of.iter().map(|scope| (*scope).to_owned()).collect(),
            required_for: only_for.map(str::to_owned),
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
