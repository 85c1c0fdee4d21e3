//! What rules about actions and requests go by: what an action does, which requests it sends, which scopes it needs.
//!
//! The component describes its actions in JSON that grows from version to version. Values that this version does not
//! know must neither make it refuse the rest nor be taken for something harmless: each field says what an unknown value
//! counts as.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IntoDeserializer, value},
};

/// The action that sends any request: its effect and its scopes are those of the request.
pub const CUSTOM_REQUEST: &str = "custom-request";

/// What an action does to the tenant.
// Closed on purpose: rules decide on each of them, and what a later component adds is read as the worst.
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
// Closed on purpose, as the effects are: what a later component adds is read as `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Generally available.
    Ga,
    /// Early access: tenants without it answer `forbidden`.
    Ea,
    /// Beta: it may change or go.
    Beta,
    /// Auth0's documentation does not say, or this version does not know the value.
    Unknown,
}

impl Stage {
    /// Returns the name that the contract gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ga => "ga",
            Self::Ea => "ea",
            Self::Beta => "beta",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What an action is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ActionKind {
    /// Made for one purpose: `get-user`.
    Curated,
    /// One operation of the Management API, under its name in Auth0's SDKs: `users.get`.
    Operation,
    /// A kind that this version does not know.
    Unknown,
}

impl ActionKind {
    /// Returns the name that the contract gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Curated => "curated",
            Self::Operation => "operation",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for ActionKind {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// What it is made of.
    #[serde(deserialize_with = "kind_or_unknown")]
    pub kind: ActionKind,
    /// The family: `users`.
    pub group: String,
    /// What it does to the tenant.
    #[serde(deserialize_with = "effect_or_worst")]
    pub effect: Effect,
    /// How ready it is.
    #[serde(deserialize_with = "stage_or_unknown")]
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
    /// Begins with a curated action that reads and needs no scope.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: String::new(),
            kind: ActionKind::Curated,
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

/// Reads an effect. One that this version does not know counts as `delete`: whatever asks before it deletes asks before
/// this too.
///
/// # Errors
///
/// Where it is no text.
pub fn effect_or_worst<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Effect, D::Error> {
    known_or(deserializer, Effect::Delete)
}

/// Reads a stage. One that this version does not know counts as [`Stage::Unknown`].
///
/// # Errors
///
/// Where it is no text.
pub fn stage_or_unknown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stage, D::Error> {
    known_or(deserializer, Stage::Unknown)
}

/// Reads a kind. One that this version does not know counts as [`ActionKind::Unknown`].
///
/// # Errors
///
/// Where it is no text.
pub fn kind_or_unknown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ActionKind, D::Error> {
    known_or(deserializer, ActionKind::Unknown)
}

/// Reads a value that is written as a text, and takes another one where this version does not know it.
///
/// # Errors
///
/// Where it is no text.
pub fn known_or<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    unknown: T,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(T::deserialize(IntoDeserializer::<value::Error>::into_deserializer(text)).unwrap_or(unknown))
}

#[cfg(test)]
impl ActionSummary {
    /// An action of which nothing matters but the scopes that it needs.
    pub(crate) fn needing(id: &str, needs: &[(&[&str], Option<&str>)]) -> Self {
        let need = |(any_of, required_for): &(&[&str], Option<&str>)| ScopeRequirement {
            any_of: any_of.iter().map(|scope| (*scope).to_owned()).collect(),
            required_for: required_for.map(str::to_owned),
        };
        let mut action = Self::new(id);
        action.scopes = needs.iter().map(need).collect();
        action
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn summary(member: &str, value: Value) -> Result<ActionSummary, serde_json::Error> {
        let mut action = json!({
            "id": "get-user", "title": "Get a user", "kind": "curated", "group": "users", "effect": "read", "stage": "ga",
            "scopes": [{"any_of": ["read:users"], "required_for": "`x`", "since": "0.3.0"}],
        });
        action[member] = value;
        serde_json::from_value(action)
    }

    #[test]
    fn a_value_of_a_later_version_counts_as_the_worst_that_it_can_be() {
        assert_eq!(summary("effect", json!("archive")).unwrap().effect, Effect::Delete);
        assert_eq!(summary("stage", json!("deprecated")).unwrap().stage, Stage::Unknown);
        assert_eq!(summary("kind", json!("workflow")).unwrap().kind, ActionKind::Unknown);
        let action = summary("icon", json!("user.svg")).unwrap();
        assert_eq!(
            (action.effect, action.stage, action.kind),
            (Effect::Read, Stage::Ga, ActionKind::Curated)
        );
        assert_eq!(action.scopes[0].required_for.as_deref(), Some("`x`"));
    }

    #[test]
    fn what_is_no_text_is_refused_and_so_is_an_unknown_effect_of_a_policy() {
        for member in ["effect", "stage", "kind", "title", "scopes"] {
            assert!(summary(member, json!(1)).is_err(), "{member}");
            assert!(summary(member, Value::Null).is_err(), "{member}");
        }
        assert!(serde_json::from_value::<Effect>(json!("archive")).is_err());
    }

    #[test]
    fn serde_and_display_name_a_value_alike() {
        for effect in [Effect::Read, Effect::Create, Effect::Update, Effect::Delete, Effect::Send] {
            assert_eq!(serde_json::to_value(effect).unwrap(), effect.to_string());
        }
        for stage in [Stage::Ga, Stage::Ea, Stage::Beta, Stage::Unknown] {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.to_string());
        }
        for kind in [ActionKind::Curated, ActionKind::Operation, ActionKind::Unknown] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
        }
    }
}
