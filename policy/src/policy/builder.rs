//! Builds a policy, and refuses one whose rules would have no effect.

use super::{
    CHANGE_PASSWORD, Located, MailRule, Policy, PolicyError, Rules,
    field::{FieldPath, FieldRule, Fields},
    located::Position,
    reach_rule::ReachRule,
    request_rule::{ApiMethod, RequestRule},
};
use crate::{
    address::{AddressRules, Network},
    mail_provider::MailProvider,
    reach::ReachSet,
};

/// A policy that is being put together. Rules are texts as in the file; [`PolicyBuilder::build`] reads them.
///
/// ```
/// # use auth0_policy::policy::Policy;
/// let policy = Policy::builder().read_only().deny_request("* /api/v2/clients/**").build()?;
/// assert!(policy.test_request("GET /api/v2/users", b"").is_ok());
/// assert!(policy.test_request("DELETE /api/v2/users/auth0|1", b"").is_err());
/// assert!(policy.test_request("GET /api/v2/clients/abc", b"").is_err());
/// # Ok::<(), auth0_policy::policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PolicyBuilder {
    pub(super) allow_actions: Option<List>,
    pub(super) deny_actions: Option<List>,
    pub(super) allow_requests: Option<List>,
    pub(super) deny_requests: Option<List>,
    pub(super) fields: Vec<(Located<String>, Vec<Located<String>>)>,
    pub(super) deny_reach: Option<List>,
    pub(super) read_only: bool,
    pub(super) mail_provider: Option<Located<String>>,
    pub(super) allow_loopback: bool,
    pub(super) allowed_networks: Vec<Located<String>>,
}

/// The texts of one list, and where it begins.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) at: Option<Position>,
    pub(super) entries: Vec<Located<String>>,
}

fn push(list: &mut Option<List>, entry: String) {
    list.get_or_insert_default().entries.push(Located::in_code(entry));
}

impl PolicyBuilder {
    /// Allows actions by id, or by a pattern such as `get-*`. Without any, all are allowed.
    #[must_use]
    pub fn allow_action(mut self, pattern: impl Into<String>) -> Self {
        push(&mut self.allow_actions, pattern.into());
        self
    }

    /// Denies actions by id or pattern, whatever else allows them.
    #[must_use]
    pub fn deny_action(mut self, pattern: impl Into<String>) -> Self {
        push(&mut self.deny_actions, pattern.into());
        self
    }

    /// Allows requests, such as `GET,PATCH /api/v2/users/{id}`. Without any, the whole Management API is allowed.
    #[must_use]
    pub fn allow_request(mut self, rule: impl Into<String>) -> Self {
        push(&mut self.allow_requests, rule.into());
        self
    }

    /// Denies requests, whatever else allows them.
    #[must_use]
    pub fn deny_request(mut self, rule: impl Into<String>) -> Self {
        push(&mut self.deny_requests, rule.into());
        self
    }

    /// Holds the bodies of some requests to these members: `blocked`, `app_metadata.plan`. It allows no request that
    /// is not allowed without it.
    #[must_use]
    pub fn fields<T: Into<String>>(
        mut self,
        rule: impl Into<String>,
        fields: impl IntoIterator<Item = T>,
    ) -> Self {
        let fields = fields.into_iter().map(|field| Located::in_code(field.into())).collect();
        self.fields.push((Located::in_code(rule.into()), fields));
        self
    }

    /// Denies these reaches, whatever else allows such requests, in place of [`ReachSet::DENIED_BY_DEFAULT`]. With
    /// [`ReachSet::NONE`] nothing is denied for its reach.
    ///
    /// ```
    /// # use auth0_policy::{policy::Policy, reach::{Reach, ReachSet}};
    /// let rotating = ReachSet::DENIED_BY_DEFAULT.without(Reach::Escalates);
    /// let policy = Policy::builder().deny_reach(rotating).allow_request("POST /api/v2/clients/{id}/rotate-secret").build()?;
    /// assert!(policy.test_request("POST /api/v2/clients/abc/rotate-secret", b"").is_ok());
    /// # Ok::<(), auth0_policy::policy::PolicyError>(())
    /// ```
    #[must_use]
    pub fn deny_reach(mut self, denied: ReachSet) -> Self {
        let entries = denied.iter().map(|reach| Located::in_code(reach.to_string())).collect();
        self.deny_reach = Some(List { at: None, entries });
        self
    }

    /// Allows only actions and requests that read.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Allows one email provider, by Auth0's name for it, or `none`. Without it, the one of the tenant is used.
    #[must_use]
    pub fn mail_provider(mut self, name: impl Into<String>) -> Self {
        self.mail_provider = Some(Located::in_code(name.into()));
        self
    }

    /// Lets the names of the tenant and of email providers resolve to this machine.
    #[must_use]
    pub fn allow_loopback(mut self) -> Self {
        self.allow_loopback = true;
        self
    }

    /// Lets them resolve into a network that is not public: that of a gateway, such as `10.20.0.0/16`.
    #[must_use]
    pub fn allow_network(mut self, network: impl Into<String>) -> Self {
        self.allowed_networks.push(Located::in_code(network.into()));
        self
    }

    /// Reads the rules.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for a rule that is not understood, contradicts another or would have no effect. Which actions
    /// there are is known to the component only, so that is checked by the host that is given it.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let policy = Policy {
            actions: rules(self.allow_actions, self.deny_actions)?,
            requests: rules(self.allow_requests, self.deny_requests)?,
            fields: self.fields.into_iter().map(field_rule).collect::<Result<_, _>>()?,
            reach: ReachRule::read(self.deny_reach, self.read_only)?,
            read_only: self.read_only,
            mail: mail_rule(self.mail_provider, self.read_only)?,
            addresses: AddressRules {
                loopback: self.allow_loopback,
                networks: networks(self.allowed_networks)?,
            },
        };
        policy.check_requests()?;
        policy.check_fields()?;
        Ok(policy)
    }
}

fn rules<T>(allow: Option<List>, deny: Option<List>) -> Result<Rules<T>, PolicyError>
where
    T: std::str::FromStr<Err: std::fmt::Display> + std::fmt::Display + PartialEq,
{
    let read = |list: List| {
        if list.entries.is_empty() {
            let problem = "the list is empty: leave it out, or add entries".to_owned();
            return Err(PolicyError { at: list.at, problem });
        }
        let mut rules: Vec<Located<T>> = Vec::new();
        for entry in list.entries {
            let rule = entry.try_map(|text| text.parse::<T>())?;
            if let Some(first) = rules.iter().find(|known| known.value == rule.value) {
                return Err(rule.error(format!("{rule} is listed twice; the first is {first}")));
            }
            rules.push(rule);
        }
        Ok(rules)
    };
    let (allow, deny) = (allow.map(read).transpose()?, deny.map(read).transpose()?.unwrap_or_default());
    for rule in allow.iter().flatten() {
        if let Some(other) = deny.iter().find(|other| other.value == rule.value) {
            return Err(
                other.error(format!("{other} is denied, and {rule} allows it: leave one of them out"))
            );
        }
    }
    Ok(Rules { allow, deny })
}

fn field_rule(
    (on, names): (Located<String>, Vec<Located<String>>),
) -> Result<FieldRule<RequestRule>, PolicyError> {
    let on = on.try_map(|text| text.parse::<RequestRule>())?;
    if on.value.methods.contains(&ApiMethod::Get) {
        return Err(on.error(format!(
            "{on} includes GET, which writes no fields: name only POST, PUT, PATCH or DELETE"
        )));
    }
    let mut fields = Fields::default();
    for name in names {
        let field = name.try_map(|text| text.parse::<FieldPath>())?;
        if !fields.add(&field.value) {
            return Err(
                field.error(format!("the field {field} is listed twice, or is part of a listed field"))
            );
        }
    }
    Ok(FieldRule { on, fields })
}

fn mail_rule(name: Option<Located<String>>, read_only: bool) -> Result<MailRule, PolicyError> {
    let Some(name) = name else { return Ok(MailRule::Any) };
    if name.value == "none" {
        return Ok(MailRule::None);
    }
    if read_only {
        return Err(name.error("`mail_provider` conflicts with `read_only`: leave one of them out"));
    }
    match MailProvider::ALL.into_iter().find(|provider| provider.name() == name.value) {
        Some(provider) => Ok(MailRule::Only(provider)),
        None => {
            let known = MailProvider::ALL.map(MailProvider::name).join(", ");
            Err(name.error(format!("unknown email provider {name}: use none, {known}")))
        }
    }
}

fn networks(texts: Vec<Located<String>>) -> Result<Vec<Network>, PolicyError> {
    let mut networks = Vec::new();
    for text in texts {
        let network = text.try_map(|text| text.parse::<Network>())?;
        if networks.contains(&network.value) {
            return Err(network.error(format!("{network} is listed twice")));
        }
        networks.push(network.value);
    }
    Ok(networks)
}

impl Policy {
    /// Refuses rules about requests that take each other's effect away.
    fn check_requests(&self) -> Result<(), PolicyError> {
        let Rules { allow, deny } = &self.requests;
        for rule in allow.iter().flatten() {
            if let Some(other) = deny.iter().find(|other| other.value.covers(&rule.value)) {
                return Err(rule.error(format!("{rule} has no effect: {other} denies all of it")));
            }
            if self.read_only && !rule.value.methods.contains(&ApiMethod::Get) {
                return Err(rule.error(format!("{rule} has no effect: the policy is read-only")));
            }
            self.check_rule_by_reach(rule)?;
        }
        for rule in deny {
            self.check_is_reached(rule, "no request that it matches is allowed")?;
        }
        Ok(())
    }

    /// Refuses rules about fields that no request can meet.
    fn check_fields(&self) -> Result<(), PolicyError> {
        for (number, FieldRule { on, .. }) in self.fields.iter().enumerate() {
            if self.read_only {
                return Err(on.error(format!("[fields] {on} has no effect: the policy is read-only")));
            }
            self.check_is_reached(on, "no request that it matches is allowed")?;
            if let Some(other) = self.requests.deny.iter().find(|other| other.value.covers(&on.value)) {
                return Err(on.error(format!("[fields] {on} has no effect: {other} denies all of it")));
            }
            let mut before = self.fields.iter().take(number);
            if let Some(other) = before.find(|other| other.on.value == on.value) {
                return Err(on.error(format!("[fields] {on} is listed twice; the first is {}", other.on)));
            }
        }
        Ok(())
    }

    /// Refuses a restriction of what is not allowed anyway.
    fn check_is_reached(&self, rule: &Located<RequestRule>, problem: &str) -> Result<(), PolicyError> {
        // Nothing else of a tenant can be reached.
        let Some(allow) = &self.requests.allow else { return Ok(()) };
        let reached = allow.iter().any(|allowed| allowed.value.overlaps(&rule.value));
        if reached {
            return Ok(());
        }
        let hint = if rule.value.path.is_change_password() { CHANGE_PASSWORD } else { "it" };
        Err(rule.error(format!("{rule} has no effect: {problem}; leave {hint} out, or allow it")))
    }
}
