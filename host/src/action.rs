//! What the component says of its actions.

use auth0_policy::action::{effect_or_worst, kind_or_unknown, known_or, stage_or_unknown};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use auth0_policy::action::{
    ActionKind, ActionSummary, ApiRequest, CUSTOM_REQUEST, Effect, ScopeRequirement, Stage,
};

/// Which actions to list: those to which all that is given applies.
///
/// ```
/// use auth0_host::{ActionFilter, Effect, Host};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), auth0_host::Error> {
/// let host = Host::builder().build_async().await?;
/// let mut filter = ActionFilter::default();
/// filter.text = Some("organization members".to_owned());
/// filter.effect = Some(Effect::Read);
/// let found = host.find_actions(&filter).await?;
/// assert!(found.iter().any(|action| action.id == "organizations.members.list"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ActionFilter {
    /// Words, each of which is in the id, title, group or path; in any case of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it is made of: curated, or an operation of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ActionKind>,
    /// The family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it does to the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// How ready it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// A scope that plays a part: `read:users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// How far the list of an action reaches by `limit` and `cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pagination {
    /// No list, a list that comes whole, or a way that this version does not know.
    None,
    /// The first 1000 records.
    Offset,
    /// Without end.
    Checkpoint,
    /// Either, as the input says.
    OffsetOrCheckpoint,
}

fn pagination_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pagination, D::Error> {
    known_or(deserializer, Pagination::None)
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
    /// What it is made of.
    #[serde(deserialize_with = "kind_or_unknown")]
    pub kind: ActionKind,
    /// The family.
    pub group: String,
    /// What it does to the tenant.
    #[serde(deserialize_with = "effect_or_worst")]
    pub effect: Effect,
    /// Whether doing it twice leaves the tenant as doing it once.
    pub idempotent: bool,
    /// Requests that it may send; none where the input decides.
    pub requests: Vec<ApiRequest>,
    /// How ready it is.
    #[serde(deserialize_with = "stage_or_unknown")]
    pub stage: Stage,
    /// What the token has to be allowed, all of it.
    pub scopes: Vec<ScopeRequirement>,
    /// How far its list reaches.
    #[serde(deserialize_with = "pagination_or_none")]
    pub pagination: Pagination,
    /// Whether it reads or writes what is known of a person.
    pub handles_personal_data: bool,
    /// JSON Schema (2020-12) of the input.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the output.
    pub output_schema: Value,
}
