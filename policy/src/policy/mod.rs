//! What a connection may do, beyond what its credentials allow.
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
mod builder;
mod field;
mod file;
mod located;
mod own_application;
mod path_pattern;
mod report;
pub mod request_path;
mod request_rule;
#[cfg(test)]
mod tests;

use std::fmt;

use http::{HeaderMap, HeaderName, Method, Uri};

pub use self::actions::PermittedActions;
pub use self::path_pattern::CHANGE_PASSWORD;
pub use self::{
    action_pattern::{ActionPattern, ActionPatternError},
    builder::PolicyBuilder,
    located::PolicyError,
    report::PolicyReport,
};
use self::{
    field::FieldRule,
    located::Located,
    request_path::RequestPath,
    request_rule::{ApiMethod, RequestRule},
};
use crate::{
    address::AddressRules,
    destination::{Destination, MailProvider},
};

/// Headers by which servers and frameworks let a request name another method, path or host than its own: a rule about
/// `DELETE` would be passed by a `POST`. Whether Auth0's edge listens to any of them is not documented; no action needs
/// one.
const REWRITING_HEADERS: [HeaderName; 10] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-host"),
    http::header::FORWARDED,
];

/// What a connection may do: which actions, which requests, which members of their bodies.
///
/// The default is everything that the credentials allow within the Management API, the request for a password reset
/// mail, and the sending requests of mail providers.
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

/// Which mail providers may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MailRule {
    #[default]
    Any,
    Only(MailProvider),
    None,
}

/// Why a policy refuses, and how to allow it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}; to allow it, {allow}")]
pub struct PolicyDenial {
    rule: String,
    allow: String,
}

impl PolicyDenial {
    fn new(rule: impl Into<String>, allow: impl Into<String>) -> Self {
        Self { rule: rule.into(), allow: allow.into() }
    }

    /// A refusal that no policy can lift.
    fn always(what: impl fmt::Display) -> Self {
        Self::new(format!("{what}, which no request of the API has"), "send it without")
    }

    /// Says which rule refuses.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Says what would have to be changed.
    pub fn allow(&self) -> &str {
        &self.allow
    }
}

impl Policy {
    /// Begins with a policy that allows everything that the credentials allow, to be restricted.
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

    /// Counts the rules: patterns of actions, requests, fields of requests, networks, and each switch that is set.
    pub fn rules(&self) -> usize {
        let Self { actions, requests, fields, read_only, mail, addresses } = self;
        let switches = [*read_only, *mail != MailRule::Any, addresses.loopback];
        let set = switches.into_iter().filter(|set| *set).count();
        actions.count() + requests.count() + fields.len() + addresses.networks.len() + set
    }

    /// Leaves out the rules about actions.
    pub fn without_actions(self) -> Self {
        Self { actions: Rules::default(), ..self }
    }

    /// Returns the one mail provider that mail may go through, as Auth0 names it; nothing where the policy names none.
    pub fn mail_provider(&self) -> Option<&'static str> {
        match self.mail {
            MailRule::Only(provider) => Some(provider.name()),
            MailRule::Any | MailRule::None => None,
        }
    }

    /// Returns what is said about resolved addresses.
    pub fn addresses(&self) -> &AddressRules {
        &self.addresses
    }

    /// Tells whether a request may leave. Asked for each one, whoever built it.
    pub fn check_request(
        &self,
        destination: Destination,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), PolicyDenial> {
        match destination {
            Destination::Mail(provider) => self.check_mail(provider),
            Destination::ManagementApi | Destination::ChangePassword => {
                self.check_tenant_request(method, uri, headers, body)
            }
            // Where the host holds credentials it answers these itself.
            Destination::TokenEndpoint => Err(PolicyDenial::new(
                "this connection has no credentials, and a guest fetches no tokens by itself",
                "give the connection credentials",
            )),
        }
    }

    fn check_mail(&self, provider: MailProvider) -> Result<(), PolicyDenial> {
        let name = provider.name();
        if self.read_only {
            return Err(PolicyDenial::new(
                "the policy is read-only, and no mail is sent",
                "set `read_only` to false",
            ));
        }
        let rule = match self.mail {
            MailRule::Any => return Ok(()),
            MailRule::Only(only) if only == provider => return Ok(()),
            MailRule::Only(only) => {
                format!("the policy allows mail through {} only, not {name}", only.name())
            }
            MailRule::None => "the policy allows no mail".to_owned(),
        };
        Err(PolicyDenial::new(rule, format!("set `mail_provider` to \"{name}\", or leave it out")))
    }

    fn check_tenant_request(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), PolicyDenial> {
        if let Some(header) = REWRITING_HEADERS.iter().find(|name| headers.contains_key(*name)) {
            return Err(PolicyDenial::always(format!("the header `{header}`")));
        }
        if overrides_method(uri) {
            return Err(PolicyDenial::always("the query parameter `_method`"));
        }
        let known =
            ApiMethod::of(method).ok_or_else(|| PolicyDenial::always(format!("the method {method}")))?;
        let path = RequestPath::read(uri.path())
            .map_err(|problem| PolicyDenial::always(format!("the path {problem}")))?;
        let request = format!("{method} {}", shown(uri.path()));
        if self.read_only && known != ApiMethod::Get {
            return Err(PolicyDenial::new(
                format!("the policy is read-only, and {request} may write"),
                "set `read_only` to false",
            ));
        }
        if let Some(rule) = self.requests.deny.iter().find(|rule| rule.value.restricts(known, &path)) {
            return Err(PolicyDenial::new(
                format!("{request} is denied by the policy's rule {rule}"),
                "change that rule",
            ));
        }
        if let Some(allow) = &self.requests.allow {
            let allowed = |reading: &Vec<String>| allow.iter().any(|rule| rule.value.allows(known, reading));
            if let Some(reading) = path.readings.iter().find(|reading| !allowed(reading)) {
                let read_otherwise =
                    if path.readings.len() > 1 { ", as a server may decode its path," } else { "" };
                return Err(PolicyDenial::new(
                    format!("no rule of the policy allows {request}{read_otherwise}"),
                    format!(
                        "add a rule such as \"{method} {}\" to `allow` of [requests]",
                        likely_pattern(reading)
                    ),
                ));
            }
        }
        for rule in self.fields.iter().filter(|rule| rule.on.value.restricts(known, &path)) {
            rule.fields.check(headers, body).map_err(|problem| {
                PolicyDenial::new(
                    format!("the body of {request} {problem}, against the policy's [fields] {}", rule.on),
                    match rule.fields.list().as_slice() {
                        [] => "add the field to that rule, which allows none".to_owned(),
                        fields => format!("add the field to that rule, which allows {}", fields.join(", ")),
                    },
                )
            })?;
        }
        Ok(())
    }
}

/// Holds a request of a call that may only read to that, whatever the policy allows.
pub fn check_reading(destination: Destination, method: &Method) -> Result<(), PolicyDenial> {
    let reads = ApiMethod::of(method) == Some(ApiMethod::Get);
    if reads && destination == Destination::ManagementApi {
        return Ok(());
    }
    Err(PolicyDenial::new(
        format!("this call may only read, and a {method} may write or send"),
        "run it without `CallOptions::read_only` (`auth0-host mcp`: with --write)",
    ))
}

/// Whether the query has a parameter `_method`, to which Express and Rails applications listen.
fn overrides_method(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case("_method"))
}

/// A path is the guest's own text.
fn shown(path: &str) -> String {
    /// Longer than any path of the API with its ids.
    const LONGEST: usize = 200;
    path.chars().take(LONGEST).flat_map(char::escape_debug).collect()
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
