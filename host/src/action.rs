//! What the component says of its actions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
}

/// Everything an engine needs to offer an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionDescription {
    /// The id to run it by.
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
    /// Scopes that the token needs.
    pub scopes: Vec<String>,
    /// JSON Schema (2020-12) of the input.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the output.
    pub output_schema: Value,
}
