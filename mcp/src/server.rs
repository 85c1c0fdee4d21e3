//! What all sessions of a server share: the tenant, and what of it is offered.

use std::{future::Future, pin::Pin, time::Duration};

use auth0_host::{
    ActionDescription, ActionFilter, ActionKind, ActionSummary, CallOptions, Denial, Error, ErrorCode, Host,
    Json, ReachSet, SecretName, SecretUndelivered, Tenant,
};
use rmcp::model::Tool;
use serde_json::{Map, Value, json};

use super::{
    answer::Refused,
    consent::Consent,
    notice::notice,
    own_tools::OwnTool,
    permissions::{Permissions, Refusal},
    result_buffer::ResultBytes,
    tools,
};

/// Sees to it that secrets which the sink did not take are somewhere, and says where, if that is not the sink. The command
/// line knows a place; the protocol does not.
pub type DrainSecrets =
    Box<dyn Fn(Tenant) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// One tenant, offered to agents.
pub struct Server {
    host: Host,
    tenant: Tenant,
    /// All that there are, permitted or not: what is refused is told apart from what does not exist.
    actions: Vec<ActionSummary>,
    tools: Vec<Tool>,
    permissions: Permissions,
    consent: Consent,
    result_bytes: ResultBytes,
    drain_secrets: DrainSecrets,
}

/// Names the callers of this server in audit records.
const CALLER: &str = "mcp";

impl Server {
    /// Asks the component for its actions and makes tools of those that are permitted.
    ///
    /// # Errors
    ///
    /// [`OpenError::Idle`] and [`OpenError::Nothing`] where the permissions are not what somebody can have meant.
    pub async fn open(
        host: Host,
        tenant: Tenant,
        permissions: Permissions,
        consent: Consent,
        result_bytes: ResultBytes,
        drain_secrets: DrainSecrets,
    ) -> Result<Self, OpenError> {
        let actions = host.actions().await?;
        if let Some(pattern) = permissions.idle(&actions) {
            return Err(OpenError::Idle(pattern.to_string()));
        }
        let mut server = Self {
            host,
            tenant,
            actions,
            tools: Vec::new(),
            permissions,
            consent,
            result_bytes,
            drain_secrets,
        };
        if server.permitted().next().is_none() {
            return Err(OpenError::Nothing(server.why_nothing()));
        }
        let mut offered = Vec::new();
        for action in server.permitted().filter(|action| tools::is_curated(action)) {
            offered.push(tools::of_action(server.host.describe(&action.id).await?));
        }
        offered.extend(OwnTool::ALL.map(|tool| tool.tool(server.permissions.write)));
        server.tools = offered;
        Ok(server)
    }

    /// Returns the tools: curated actions, and the server's own.
    pub(super) fn tools(&self) -> &[Tool] {
        &self.tools
    }

    pub(super) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    pub(super) fn consent(&self) -> Consent {
        self.consent
    }

    pub(super) fn result_bytes(&self) -> ResultBytes {
        self.result_bytes
    }

    /// Whether anything may be written.
    pub(super) fn writes(&self) -> bool {
        self.permissions.write
    }

    /// Finds actions that may be run.
    pub(super) async fn find(&self, filter: &ActionFilter) -> Result<Vec<ActionSummary>, Error> {
        let mut found = self.host.find_actions(filter).await?;
        found.retain(|action| self.permits(action));
        Ok(found)
    }

    /// Lists the actions that --deny takes away.
    pub(super) fn denied(&self) -> impl Iterator<Item = &ActionSummary> {
        self.actions.iter().filter(|action| self.permissions.denied_by(&action.id).is_some())
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// Lists the actions that may be run.
    pub(super) fn permitted(&self) -> impl Iterator<Item = &ActionSummary> {
        self.actions.iter().filter(|action| self.permits(action))
    }

    /// Asks the options, then the policy.
    fn permits(&self, action: &ActionSummary) -> bool {
        self.permissions.check(action).is_ok() && self.tenant.permits(&action.id).is_ok()
    }

    /// Returns why no action is left: what would help most comes first.
    fn why_nothing(&self) -> String {
        let refusals = || self.actions.iter().filter_map(|action| self.permissions.check(action).err());
        let reads_only = refusals().find(|refusal| matches!(refusal, Refusal::ReadOnly { .. }));
        match reads_only.or_else(|| refusals().next()) {
            Some(refusal) => refusal.to_string(),
            None => "the policy permits none of those that are offered".to_owned(),
        }
    }

    /// Returns what an action is made of, permitted or not; `None` where there is no such action.
    pub(super) fn kind_of(&self, id: &str) -> Option<ActionKind> {
        self.actions.iter().find(|action| action.id == id).map(|action| action.kind)
    }

    /// Describes an action that the options offer. What the policy says of it is asked by whoever runs it.
    ///
    /// # Errors
    ///
    /// `not-found` where there is none, `policy-denied` with the option that would have to change.
    pub(super) async fn offered(&self, id: &str) -> Result<ActionDescription, Refused> {
        let Some(action) = self.actions.iter().find(|action| action.id == id) else {
            let message = format!("there is no action `{id}`: search-actions finds those that there are");
            return Err(Refused::new(ErrorCode::NotFound, message));
        };
        let denied = |refusal: Refusal| Refused::new(ErrorCode::PolicyDenied, refusal.to_string());
        self.permissions.check(action).map_err(denied)?;
        Ok(self.host.describe(id).await?)
    }

    /// Describes an action that may be run.
    ///
    /// # Errors
    ///
    /// As [`Server::offered`], and `policy-denied` with the policy's rule.
    pub(super) async fn describe(&self, id: &str) -> Result<ActionDescription, Refused> {
        let action = self.offered(id).await?;
        let denied = |denial: Denial| Refused::new(ErrorCode::PolicyDenied, denial.to_string());
        self.tenant.permits(id).map_err(denied)?;
        Ok(action)
    }

    /// Refuses what the policy refuses, and has that written down.
    ///
    /// # Errors
    ///
    /// `policy-denied` with the policy's rule.
    pub(super) async fn hold_to_policy(&self, id: &str, input: &Map<String, Value>) -> Result<(), Refused> {
        let Err(denial) = self.tenant.permits(id) else { return Ok(()) };
        // The tenant refuses it too, and keeps the record. Without time it could do nothing else.
        let options = CallOptions::new().caller(CALLER).read_only().deadline(Duration::ZERO);
        self.tenant.call_with(id, Value::Object(input.clone()), options).await;
        Err(Refused::new(ErrorCode::PolicyDenied, denial.to_string()))
    }

    /// Runs an action that is offered, and that nobody has to agree to any more. What it can do beyond what was agreed to is
    /// not sent, whatever the component makes of the input.
    ///
    /// # Errors
    ///
    /// What the action answered.
    pub(super) async fn run(
        &self,
        action: &ActionDescription,
        input: Map<String, Value>,
        agreed: Option<ReachSet>,
    ) -> Result<Ran, Refused> {
        let options = CallOptions::new().caller(CALLER);
        let options = match agreed {
            Some(agreed) => options.agreed_reach(agreed),
            None => options,
        };
        let options = if self.permissions.write { options } else { options.read_only() };
        let outcome = self.tenant.call_with(&action.id, Value::Object(input), options).await;
        let warning = match &outcome.undelivered {
            Some(SecretUndelivered { names, .. }) => {
                let home = (self.drain_secrets)(self.tenant.clone()).await;
                home.err().map(|location| elsewhere(names, &location))
            }
            None => None,
        };
        match (outcome.result, warning) {
            (Ok(result), warning) => Ok(Ran { result, warning }),
            (Err(error), None) => Err(error.into()),
            (Err(error), Some(warning)) => Err(Refused::from(error).warning(warning)),
        }
    }
}

/// What came of a call that went well.
pub(super) struct Ran {
    /// What the action answered.
    pub(super) result: Json,
    /// What is to be known beside it.
    pub(super) warning: Option<Value>,
}

/// Warns the person of where secrets are that the sink did not take, and the agent that they are: a call that seems to have
/// failed is repeated, which makes one more secret. The place is none of the agent's business: it may be able to read files.
fn elsewhere(names: &[SecretName], location: &str) -> Value {
    notice(format_args!("warning: {location}"));
    let names: Vec<String> = names.iter().map(SecretName::to_string).collect();
    json!({
        "code": "done-do-not-repeat",
        "message": "the tenant made a new secret, which is in force; the secret sink rejected it, and whoever runs this \
                    server was told on its stderr what became of it: do not repeat the call, tell your user",
        "secrets": names,
    })
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A pattern is about no action.
    #[error(
        "no action matches the pattern `{0}` (--allow or --deny); `auth0-host actions` lists all of them"
    )]
    Idle(String),
    /// Nothing would be offered.
    #[error("there would be no action left: {0}")]
    Nothing(String),
    /// The component could not be asked for its actions.
    #[error(transparent)]
    Host(#[from] Error),
}
