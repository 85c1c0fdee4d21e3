//! What a tenant may do, beyond what its credentials allow.
//!
//! The rules about actions are for the engine's users: a denied action ends before an instance is made. The rules about
//! requests are what protects the tenant: they are asked for each request that leaves, whoever built it, so that
//! `custom-request`, a mistake in the component and a hostile component are held to the same.
//!
//! Restrictions only ever restrict: `deny`, `fields` and `read_only` hold whatever else is allowed, so that no rule has
//! to be read together with the order of the others. And a policy that says something which would not be enforced is
//! refused: a mistyped rule that protects nothing is worse than none.

mod action_pattern;
mod actions;
mod admission;
mod builder;
mod field;
mod file;
mod located;
mod own_application;
mod path_pattern;
mod reach_rule;
mod report;
pub mod request_path;
mod request_rule;
#[cfg(test)]
mod tests;

use http::{HeaderMap, Method, Uri};

pub use self::actions::PermittedActions;
pub(crate) use self::field::{Json, is_json};
pub use self::path_pattern::CHANGE_PASSWORD;
pub use self::{
    action_pattern::{ActionPattern, ActionPatternError},
    builder::PolicyBuilder,
    field::FieldProblem,
    located::PolicyError,
    reach_rule::check_agreed_reach,
    report::{DeniedRequest, PolicyReport},
};
use self::{
    field::FieldRule,
    located::Located,
    reach_rule::ReachRule,
    request_path::RequestPath,
    request_rule::{ApiMethod, RequestRule},
};
use crate::{
    address::AddressRules,
    denial::{Denial, DeniedBy, Malformed, Remedy, RequestLine, shown},
    destination::Destination,
    mail_provider::MailProvider,
    reach::ReachSet,
};

/// The headers that a request may have. Any other may let it name another method, path, host or sender than its own to
/// some server on the way (`x-http-method-override`, `x-original-url`, `forwarded`, …); whether Auth0's edge listens to
/// one of them is not documented, and a list of those that are known is never complete.
const HEADERS: [&str; 23] = [
    "accept",
    "accept-language",
    "cache-control",
    "content-type",
    "if-match",
    "if-none-match",
    "last-event-id",
    "pragma",
    "user-agent",
    // Auth0's own (facts, section 9).
    "auth0-client",
    "auth0-custom-domain",
    "x-correlation-id",
    "x-request-id",
    "traceparent",
    "tracestate",
    // These do not leave: the host sets them itself, or leaves them out.
    "accept-encoding",
    "authorization",
    "content-length",
    "host",
    "if-range",
    "range",
    "te",
    "transfer-encoding",
];

/// What a tenant may do: which actions, which requests, which members of their bodies.
///
/// The default is what the credentials allow within the Management API, but for requests that run code, exfiltrate,
/// escalate or weaken ([`ReachSet::DENIED_BY_DEFAULT`]); the request for a password reset mail; and the sending requests
/// of email providers. [`Policy::unrestricted`] denies nothing.
///
/// ```
/// # use auth0_policy::policy::Policy;
/// let policy = Policy::builder()
///     .allow_action("get-*")
///     .allow_action("update-user")
///     .fields("PATCH /api/v2/users/{id}", ["blocked", "app_metadata.plan"])
///     .build()?;
/// // The same as a person writes it.
/// let file = Policy::from_toml(
///     r#"
///     [actions]
///     allow = ["get-*", "update-user"]
///     [fields]
///     "PATCH /api/v2/users/{id}" = ["blocked", "app_metadata.plan"]
///     "#,
/// )?;
/// assert_eq!(policy.rules(), file.rules());
/// let refused = policy.test_request("PATCH /api/v2/users/auth0|1", br#"{"email": "a@acme.example"}"#);
/// assert!(refused.is_err());
/// # Ok::<(), auth0_policy::policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    actions: Rules<ActionPattern>,
    requests: Rules<RequestRule>,
    fields: Vec<FieldRule<RequestRule>>,
    reach: ReachRule,
    read_only: bool,
    mail: MailRule,
    addresses: AddressRules,
}

/// What is allowed, and what of that is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rules<T> {
    /// `None` allows all.
    allow: Option<Vec<Located<T>>>,
    deny: Vec<Located<T>>,
}

impl<T> Rules<T> {
    fn count(&self) -> usize {
        self.allow.as_ref().map_or(0, Vec::len) + self.deny.len()
    }
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self { allow: None, deny: Vec::new() }
    }
}

/// Which email providers may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MailRule {
    #[default]
    Any,
    Only(MailProvider),
    None,
}

impl Policy {
    /// Allows everything that the credentials allow: whoever can have a request sent can then grant applications every
    /// scope, have log-ins run code of their own, send the tenant's data anywhere and switch its protections off
    /// (SECURITY.md).
    ///
    /// ```
    /// # use auth0_policy::policy::Policy;
    /// let request = "POST /api/v2/client-grants";
    /// assert!(Policy::default().test_request(request, b"{}").is_err());
    /// assert!(Policy::unrestricted().test_request(request, b"{}").is_ok());
    /// ```
    pub fn unrestricted() -> Self {
        Self { reach: ReachRule::OPEN, ..Self::default() }
    }

    /// Returns whether it denies nothing that the credentials allow.
    pub fn is_unrestricted(&self) -> bool {
        *self == Self { reach: self.reach, ..Self::default() } && self.reach.denied.is_empty()
    }

    /// Returns the reaches that it denies.
    pub fn denied_reach(&self) -> ReachSet {
        self.reach.denied
    }

    /// Begins with the default policy, to be restricted further, or opened by [`PolicyBuilder::deny_reach`].
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// Reads a policy from the text of a TOML file; `docs/policy.md` says what can be in it.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], with line and column, for anything that would not be enforced.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        file::read(text)
    }

    /// Counts the rules: patterns of actions, requests, fields of requests, networks, and each switch that is set. The
    /// default has none.
    pub fn rules(&self) -> usize {
        let Self { actions, requests, fields, reach, read_only, mail, addresses } = self;
        let switches =
            [*read_only, *mail != MailRule::Any, addresses.loopback, *reach != ReachRule::default()];
        let set = switches.into_iter().filter(|set| *set).count();
        actions.count() + requests.count() + fields.len() + addresses.networks.len() + set
    }

    /// Leaves out the rules about actions.
    pub fn without_actions(self) -> Self {
        Self { actions: Rules::default(), ..self }
    }

    /// Returns the one email provider that mail may go through, as Auth0 names it; nothing where the policy names none.
    pub fn mail_provider(&self) -> Option<&'static str> {
        match self.mail {
            MailRule::Only(provider) => Some(provider.name()),
            MailRule::Any | MailRule::None => None,
        }
    }

    /// Returns the rules about resolved addresses.
    pub fn addresses(&self) -> &AddressRules {
        &self.addresses
    }

    /// Checks that a request may leave. Called for each one, whoever built it.
    ///
    /// # Errors
    ///
    /// [`Denial`], with the rule that refuses it.
    pub fn check_request(
        &self,
        destination: Destination,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Denial> {
        match destination {
            Destination::Mail(provider) => self.check_mail(provider),
            // What asks for the email of the log-in page is in no table of the API, and judged to be harmless there.
            Destination::ManagementApi | Destination::ChangePassword => {
                self.check_tenant_request(method, uri, headers, body)
            }
            // Where the host holds credentials it answers these itself.
            Destination::TokenEndpoint => {
                Err(Denial::new(DeniedBy::NoCredentials).or(Remedy::SetCredentials))
            }
        }
    }

    fn check_mail(&self, provider: MailProvider) -> Result<(), Denial> {
        if self.read_only {
            return Err(Denial::new(DeniedBy::MailWrites).or(Remedy::AllowWriting));
        }
        let rule = match self.mail {
            MailRule::Any => return Ok(()),
            MailRule::Only(only) if only == provider => return Ok(()),
            MailRule::Only(allowed) => DeniedBy::MailProvider { allowed, asked: provider },
            MailRule::None => DeniedBy::NoMail,
        };
        Err(Denial::new(rule).or(Remedy::AllowMailProvider { provider }))
    }

    fn check_tenant_request(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Denial> {
        if let Some(header) = headers.keys().find(|name| !HEADERS.contains(&name.as_str())) {
            return Err(Denial::malformed(Malformed::Header(header.to_string())));
        }
        if overrides_method(uri) {
            return Err(Denial::malformed(Malformed::MethodParameter));
        }
        let known = ApiMethod::read(method)?;
        let path =
            RequestPath::read(uri.path()).map_err(|problem| Denial::malformed(Malformed::Path(problem)))?;
        let request = RequestLine::new(method, uri.path());
        if self.read_only && known != ApiMethod::Get {
            return Err(Denial::new(DeniedBy::RequestWrites(request)).or(Remedy::AllowWriting));
        }
        if let Some(rule) = self.requests.deny.iter().find(|rule| rule.value.restricts(known, &path)) {
            let rule = DeniedBy::RequestRule { request, rule: rule.to_string() };
            return Err(Denial::new(rule).or(Remedy::ChangeRule));
        }
        if let Some(allow) = &self.requests.allow {
            let allowed = |reading: &Vec<String>| allow.iter().any(|rule| rule.value.allows(known, reading));
            if let Some(reading) = path.readings.iter().find(|reading| !allowed(reading)) {
                // `HEAD` is no method of a rule: it goes with `GET`.
                let rule = format!("{} {}", known.name(), likely_pattern(reading));
                let as_decoded = path.readings.len() > 1;
                return Err(Denial::new(DeniedBy::RequestNotAllowed { request, as_decoded })
                    .or(Remedy::AllowRequest { rule }));
            }
        }
        for rule in self.fields.iter().filter(|rule| rule.on.value.restricts(known, &path)) {
            rule.fields.check(headers, body).map_err(|problem| {
                let remedy = match problem {
                    FieldProblem::Field(_) | FieldProblem::Replaced(_) => {
                        Remedy::AllowField { allowed: rule.fields.list() }
                    }
                    FieldProblem::NoObject | FieldProblem::MediaType | FieldProblem::Json(_) => {
                        Remedy::SendObject
                    }
                };
                let denied = DeniedBy::Field { request: request.clone(), problem, rule: rule.on.to_string() };
                Denial::new(denied).or(remedy)
            })?;
        }
        self.check_reach(known, &path, headers, body, &request)
    }
}

/// Holds a request of a call that may only read to that, whatever the policy allows.
pub fn check_reading(destination: Destination, method: &Method) -> Result<(), Denial> {
    let reads = ApiMethod::of(method) == Some(ApiMethod::Get);
    if reads && destination == Destination::ManagementApi {
        return Ok(());
    }
    Err(Denial::new(DeniedBy::CallReads { method: method.to_string() }).or(Remedy::AllowCallToWrite))
}

/// Returns whether the query has a parameter `_method`, to which Express and Rails applications listen.
fn overrides_method(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case("_method"))
}

/// Guesses what somebody would write who wants to allow a path: what does not look like a word is an id.
fn likely_pattern(segments: &[String]) -> String {
    let word = |text: &str| {
        text == "v2" || text.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_".contains(&byte))
    };
    let pattern: String = segments
        .iter()
        .map(|text| if word(text) { format!("/{text}") } else { "/{id}".to_owned() })
        .collect();
    shown(&pattern)
}
