//! The manifest: what a marketplace, or whoever installs a component, has to know of it.
//!
//! What the component says of itself is asked of the component that is loaded, and where it may go and what it may use
//! is taken from the host that holds it to that. Nothing is written down a second time, so a manifest cannot promise what
//! the file does not do. A component that lies about its actions is still held to the egress and the limits.

mod egress;

use std::collections::{BTreeMap, BTreeSet};

use auth0_policy::reach::{OperationReach, Reach, ReachSet};
use serde::Serialize;

pub use self::egress::EgressRule;
use crate::{
    action::{ActionDescription, ApiRequest, CUSTOM_REQUEST, ScopeRequirement},
    component::ComponentInfo,
    egress::secrets_in_answers_of,
    error::Error,
    host::Host,
    limits::Limits,
    scopes::ScopePlan,
    settings::DEFAULT_DEADLINE,
};

/// The form of the JSON: a reader that knows it need not guess.
const FORMAT: &str = "auth0-manifest/1";

/// What is to be known of a component.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The form of this manifest: `auth0-manifest/1`.
    pub format: &'static str,
    /// The file: digest, size, name, version, licences, imports, exports.
    pub component: ComponentInfo,
    /// The host that read it: its version, whose limits and rules of egress these are.
    pub host_version: &'static str,
    /// How many actions there are of each effect.
    pub effects: BTreeMap<&'static str, usize>,
    /// How many there are of each stage.
    pub stages: BTreeMap<&'static str, usize>,
    /// The smallest set of scopes that runs every action whose needs are known.
    pub scopes: Vec<String>,
    /// Where it can go, and nowhere else.
    pub egress: Vec<EgressRule>,
    /// What it handles.
    pub data: DataHandling,
    /// Actions that can do more than they say, by what that is: `escalates`. Of those whose caller chooses the request see
    /// [`DataHandling::unknowable`].
    pub reach: BTreeMap<&'static str, Vec<String>>,
    /// The reaches that are denied where the tenant's policy does not say otherwise.
    pub reach_denied_by_default: Vec<&'static str>,
    /// What one call may use where the tenant's settings do not say otherwise.
    pub limits: BTreeMap<&'static str, u64>,
    /// Every action.
    pub actions: Vec<ManifestAction>,
}

/// Classes of data, by the actions that read or write them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DataHandling {
    /// Actions that read or write what is known of a person.
    pub handles_personal_data: Vec<String>,
    /// Actions whose input holds a secret.
    pub secret_written: Vec<String>,
    /// Actions by whose requests the tenant answers secrets. The host puts handles in their place.
    pub secret_read: Vec<String>,
    /// Actions whose requests the caller chooses: they may be about anything.
    pub unknowable: Vec<String>,
}

/// What is to be known of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ManifestAction {
    /// The id to run it by.
    pub id: String,
    /// A few words for a menu.
    pub title: String,
    /// What it is made of: curated, or an operation of the API.
    pub kind: &'static str,
    /// The family.
    pub group: String,
    /// What it does to the tenant.
    pub effect: &'static str,
    /// How ready Auth0 says that it is.
    pub stage: &'static str,
    /// Whether doing it twice leaves the tenant as doing it once.
    pub idempotent: bool,
    /// What the token has to be allowed.
    pub scopes: Vec<ScopeRequirement>,
    /// Requests that it may send.
    pub requests: Vec<ApiRequest>,
    /// Whether it reads or writes what is known of a person.
    pub handles_personal_data: bool,
    /// What its requests can do beyond what they say, by the host's own table.
    pub reach: Vec<ManifestReach>,
    /// Members of its input that are secrets.
    pub secret_inputs: Vec<String>,
    /// Members of the tenant's answers that are secrets, by the host's own table; `a.b` is `b` anywhere below `a`.
    pub secret_outputs: Vec<String>,
}

/// What an action can do beyond what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ManifestReach {
    /// What it can do: `escalates`.
    pub reach: &'static str,
    /// The members of its input by which it can; each call can where there is none.
    pub members: Vec<&'static str>,
    /// Why, in a phrase that completes "since".
    pub reason: &'static str,
}

impl Host {
    /// Returns the manifest of the component that is loaded. It is asked for each of its actions, which takes some
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// Those of the runtime: the component needs no tenant for it.
    pub async fn manifest(&self) -> Result<Manifest, Error> {
        let summaries = self.actions().await?;
        let mut actions = Vec::with_capacity(summaries.len());
        for summary in &summaries {
            actions.push(ManifestAction::of(self.describe(&summary.id).await?));
        }
        let plan = ScopePlan::new(&summaries, true);
        let count = |name: fn(&ManifestAction) -> &'static str| {
            let mut counts = BTreeMap::new();
            actions.iter().for_each(|action| *counts.entry(name(action)).or_default() += 1);
            counts
        };
        let those = |wanted: fn(&&ManifestAction) -> bool| -> Vec<String> {
            actions.iter().filter(wanted).map(|action| action.id.clone()).collect()
        };
        let reach = Reach::ALL.map(Reach::as_str).map(|name| {
            let has = |action: &&ManifestAction| {
                action.id != CUSTOM_REQUEST && action.reach.iter().any(|one| one.reach == name)
            };
            (name, actions.iter().filter(has).map(|action| action.id.clone()).collect())
        });
        Ok(Manifest {
            format: FORMAT,
            component: self.component().clone(),
            host_version: env!("CARGO_PKG_VERSION"),
            effects: count(|action| action.effect),
            stages: count(|action| action.stage),
            scopes: plan.names().into_iter().map(str::to_owned).collect(),
            egress: egress::all(),
            data: DataHandling {
                handles_personal_data: those(|action| action.handles_personal_data),
                secret_written: those(|action| !action.secret_inputs.is_empty()),
                secret_read: those(|action| !action.secret_outputs.is_empty()),
                unknowable: plan.unknowable,
            },
            reach: reach.into_iter().collect(),
            reach_denied_by_default: ReachSet::DENIED_BY_DEFAULT.iter().map(Reach::as_str).collect(),
            limits: limits(),
            actions,
        })
    }
}

impl ManifestReach {
    fn of(reach: OperationReach) -> Self {
        let OperationReach { reach, members, reason, .. } = reach;
        Self { reach: reach.as_str(), members, reason }
    }
}

impl ManifestAction {
    fn of(action: ActionDescription) -> Self {
        Self {
            reach: action.reach().into_iter().map(ManifestReach::of).collect(),
            secret_inputs: action.secret_inputs(),
            secret_outputs: secret_outputs(&action.requests),
            id: action.id,
            title: action.title,
            kind: action.kind.as_str(),
            group: action.group,
            effect: action.effect.as_str(),
            stage: action.stage.as_str(),
            idempotent: action.idempotent,
            scopes: action.scopes,
            requests: action.requests,
            handles_personal_data: action.handles_personal_data,
        }
    }
}

/// Names what the host takes out of the answers to these requests.
fn secret_outputs(requests: &[ApiRequest]) -> Vec<String> {
    let names: BTreeSet<String> = requests.iter().flat_map(secrets_in_answers_of).collect();
    names.into_iter().collect()
}

/// Names the limits as `docs/limits.md` does, with their units.
fn limits() -> BTreeMap<&'static str, u64> {
    let limits = Limits::default();
    let wide = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    BTreeMap::from([
        ("deadline_ms", ms(DEFAULT_DEADLINE)),
        ("cpu_ms", ms(limits.cpu)),
        ("memory_bytes", wide(limits.memory_bytes)),
        ("table_elements", wide(limits.table_elements)),
        ("hostcall_bytes", wide(limits.hostcall_bytes)),
        ("handles", wide(limits.handles)),
        ("requests", limits.requests),
        ("request_body_bytes", wide(limits.request_body_bytes)),
        ("response_body_bytes", limits.response_body_bytes),
        ("header_bytes", wide(limits.header_bytes)),
        ("concurrent_calls", wide(limits.concurrent_calls)),
        ("queue_ms", ms(limits.queue_timeout)),
    ])
}
