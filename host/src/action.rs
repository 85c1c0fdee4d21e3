//! What the component says of its actions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use auth0_policy::action::{
    ActionSummary, ApiRequest, CUSTOM_REQUEST, Effect, ScopeRequirement, Stage, is_operation,
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

/// How an action reads its list. Its input says by which members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pagination {
    /// None: the answer is whole, or no list.
    #[serde(rename = "whole")]
    None,
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
    pub scopes: Vec<ScopeRequirement>,
    /// How it reads its list.
    pub pagination: Pagination,
    /// Whether it reads or writes what is known of a person.
    #[serde(rename = "personal")]
    pub handles_personal_data: bool,
    /// JSON Schema (2020-12) of the input.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the output.
    pub output_schema: Value,
}
