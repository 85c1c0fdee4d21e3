//! Why something was refused before it left, and what would allow it.
//!
//! A refusal has three readers: the engine, which is told everything; the audit trail, which is kept for long and read
//! by many, and so repeats nothing that a person or a component chose; and the program around the library, which knows
//! its own options better than the library does. So a refusal stays data until one of them writes it: [`Denial`] for
//! the engine, [`Denial::masked`] for the record, and [`Denial::remedy`] for a program's own words.

use std::fmt;

use crate::{
    action::Effect,
    address::Prohibited,
    base_url::BaseUrl,
    bounded_text::kept,
    mail_provider::MailProvider,
    policy::{CHANGE_PASSWORD, FieldProblem},
    private_path::{self, MASK},
    reach::{Judgement, ReachSet},
};

/// A refusal: what was refused, by which rule, and what would allow it.
///
/// ```
/// # use auth0_policy::{denial::{DeniedBy, Remedy}, policy::Policy};
/// let policy = Policy::builder().read_only().build()?;
/// let denial = policy.test_request("DELETE /api/v2/users/auth0|1", b"").unwrap_err();
/// assert!(matches!(denial.rule(), DeniedBy::RequestWrites(_)));
/// assert_eq!(denial.remedy(), Some(&Remedy::AllowWriting));
/// assert_eq!(
///     denial.to_string(),
///     "DELETE /api/v2/users/auth0|1 may write, and the policy is read-only; to allow it, set `read_only` to false"
/// );
/// # Ok::<(), auth0_policy::policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial(Box<Inner>);

/// Boxed: most requests are not refused, and results carry the room for a refusal about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    rule: DeniedBy,
    remedy: Option<Remedy>,
}

/// What refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeniedBy {
    /// The policy has rules about actions, and the component lists no such action.
    UnknownAction,
    /// A rule of the policy denies the action.
    ActionRule {
        /// The action.
        action: String,
        /// The rule, with its line where it has one.
        rule: String,
    },
    /// No rule of the policy allows the action.
    ActionNotAllowed {
        /// The action.
        action: String,
    },
    /// The policy is read-only, and the action does more than read.
    ActionWrites {
        /// The action.
        action: String,
        /// What it does.
        effect: Effect,
    },
    /// The request goes nowhere that the tenant's settings name.
    Origin {
        /// Scheme, host and port that were asked for; nothing where the URL has none that are plain.
        origin: Option<String>,
    },
    /// No API has this method.
    Method,
    /// Servers resolve a segment of the path, so it does not name what it seems to.
    DotSegment,
    /// One of the tenant's other paths: log-in, sign-up, what is for browsers.
    TenantPath,
    /// Another function of an email provider than sending.
    MailPath {
        /// The provider.
        provider: MailProvider,
    },
    /// There are credentials for the email provider, but elsewhere.
    MailElsewhere {
        /// The provider.
        provider: MailProvider,
        /// Where the request goes.
        asked: BaseUrl,
        /// Where the credentials are for.
        held: BaseUrl,
    },
    /// There are no credentials for the email provider.
    MailCredentials {
        /// The provider.
        provider: MailProvider,
        /// The one that there are credentials for.
        held: Option<MailProvider>,
    },
    /// A request like no request of the API: it may be read as another one than the rules have seen.
    Malformed(Malformed),
    /// The policy is read-only, and the request may write.
    RequestWrites(RequestLine),
    /// A rule of the policy denies the request.
    RequestRule {
        /// The request.
        request: RequestLine,
        /// The rule, with its line where it has one.
        rule: String,
    },
    /// No rule of the policy allows the request.
    RequestNotAllowed {
        /// The request.
        request: RequestLine,
        /// Whether that is so in one way only that a server may decode its path.
        as_decoded: bool,
    },
    /// The body writes what the policy's `[fields]` do not allow.
    Field {
        /// The request.
        request: RequestLine,
        /// What the body does.
        problem: FieldProblem,
        /// The rule, with its line where it has one.
        rule: String,
    },
    /// The policy denies what the request can do beyond what it says.
    Reach {
        /// The request.
        request: RequestLine,
        /// What it can do, and why.
        judgement: Judgement,
        /// What denies it, with its line where it has one.
        rule: String,
    },
    /// The request can do what nobody agreed to for this call.
    ReachNotAgreed {
        /// The request.
        request: RequestLine,
        /// What it can do, and why.
        judgement: Judgement,
    },
    /// The policy is read-only, and an email is no reading.
    MailWrites,
    /// The policy allows another email provider.
    MailProvider {
        /// The one that it allows.
        allowed: MailProvider,
        /// The one that was asked for.
        asked: MailProvider,
    },
    /// The policy allows no email.
    NoMail,
    /// The call may only read.
    CallReads {
        /// The request's method.
        method: String,
    },
    /// Whoever writes the application that acts can take its place.
    OwnApplication(RequestLine),
    /// A guest fetches no tokens by itself.
    NoCredentials,
    /// The token lacks scopes that the action needs.
    InsufficientScope {
        /// The action.
        action: String,
        /// The smallest set that is lacking.
        scopes: Vec<String>,
    },
    /// The call has made as many requests as it may.
    RequestLimit {
        /// How many that is.
        limit: u64,
    },
    /// The body would set a handle as a secret.
    SecretHandle,
    /// The email provider's key cannot be put on the email.
    MailKey(&'static str),
    /// The answer would hold a new secret, and there is no secret sink.
    NoSecretSink,
    /// Too many new secrets wait for the secret sink.
    SecretsWaiting {
        /// How many.
        count: usize,
    },
    /// The secret sink is not ready.
    SecretSink {
        /// What is wrong with it.
        problem: String,
    },
    /// The name leads where no connection may be opened to.
    Address(Prohibited),
    /// The SMTP server offers no encryption.
    NoStartTls {
        /// The server.
        server: String,
    },
    /// The audit trail cannot be written, and nothing is done that nobody can show later.
    Audit {
        /// What is wrong with it.
        reason: String,
    },
    /// A text is no request, for whoever tests a policy.
    RequestForm {
        /// The text.
        text: String,
    },
}

/// In what a request is like none of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// A header that no request needs, and that a server may read as another method, path, host or sender.
    Header(String),
    /// The query parameter `_method`.
    MethodParameter,
    /// A method of its own.
    Method(String),
    /// A path that no operation has: the phrase goes on from "the path".
    Path(&'static str),
}

/// A request as refusals name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    method: String,
    path: String,
}

/// What would allow what was refused. A program that has an option or a button for it says so in its own words;
/// printed, it is in the terms of the library and of policy files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Look the action's id up.
    CheckActionId,
    /// Change the rule that denies.
    ChangeRule,
    /// Add the action to `allow` of `[actions]`.
    AllowAction {
        /// The action.
        action: String,
    },
    /// Set `read_only` of the policy to false.
    AllowWriting,
    /// Add a rule to `allow` of `[requests]`.
    AllowRequest {
        /// Such a rule.
        rule: String,
    },
    /// Name exactly one request in `allow` of `[requests]`.
    AllowOwnApplication {
        /// The rule.
        rule: String,
    },
    /// Add a field to the rule of `[fields]`.
    AllowField {
        /// What the rule allows now.
        allowed: Vec<String>,
    },
    /// Deny less by reach.
    AllowReach {
        /// What `deny_reach` of the policy is then.
        deny: ReachSet,
    },
    /// Agree to the reach for this call.
    AgreeToReach,
    /// Set `mail_provider` of the policy.
    AllowMailProvider {
        /// To this.
        provider: MailProvider,
    },
    /// Send the request without what makes it malformed.
    SendWithout,
    /// Run the call without [read-only](DeniedBy::CallReads).
    AllowCallToWrite,
    /// Give the tenant credentials.
    SetCredentials,
    /// Give the tenant credentials for an email provider.
    SetMailCredentials {
        /// The provider.
        provider: MailProvider,
    },
    /// Widen the application's grant.
    WidenGrant {
        /// The action that needs it.
        action: String,
        /// The scopes that are lacking.
        scopes: Vec<String>,
    },
    /// Raise a limit.
    RaiseLimit {
        /// Its name.
        limit: &'static str,
    },
    /// Send the secret instead of its handle.
    SendSecret,
    /// Send a JSON object.
    SendObject,
    /// Give the tenant a secret sink, or have the secret shown.
    SetSecretSink,
    /// Fix the secret sink, then put the secrets that wait into it.
    RetrySecrets,
    /// Fix the secret sink.
    FixSecretSink,
    /// Allow addresses of this machine.
    AllowLoopback,
    /// Allow the network that the address is in.
    AllowNetwork,
    /// Use a server or a port with TLS.
    UseTls,
    /// Fix what the audit trail is written to.
    FixAudit,
    /// Write the request as METHOD PATH.
    WriteRequest,
    /// Name a request that can be sent at all.
    NameRequest,
}

/// Whom a refusal is written for.
#[derive(Clone, Copy)]
enum Reader {
    /// The engine.
    Engine,
    /// The audit trail.
    Record,
}

impl Denial {
    /// Names what refuses; [`Denial::or`] adds what would allow it.
    pub fn new(rule: DeniedBy) -> Self {
        Self(Box::new(Inner { rule: rule.bounded(), remedy: None }))
    }

    /// Names what would allow it.
    #[must_use]
    pub fn or(mut self, remedy: Remedy) -> Self {
        self.0.remedy = Some(remedy);
        self
    }

    /// A refusal that no policy can lift.
    pub(crate) fn malformed(how: Malformed) -> Self {
        Self::new(DeniedBy::Malformed(how)).or(Remedy::SendWithout)
    }

    /// Returns what refuses.
    pub fn rule(&self) -> &DeniedBy {
        &self.0.rule
    }

    /// Returns what would allow it, where anything would.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.0.remedy.as_ref()
    }

    /// Writes the rule for a record: paths as [`private_path::path`] does, and nothing else that a person or a
    /// component chose – no hosts, no members of bodies, no words of other programs.
    pub fn masked(&self) -> String {
        /// A rule and a path; rules are their author's own texts, and may be long.
        const LONGEST: usize = 300;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.0.rule.write(&mut text, Reader::Record);
        text.chars().take(LONGEST).collect()
    }
}

impl From<Prohibited> for Denial {
    fn from(prohibited: Prohibited) -> Self {
        let remedy = prohibited.remedy();
        Self(Box::new(Inner { rule: DeniedBy::Address(prohibited), remedy }))
    }
}

impl std::error::Error for Denial {}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.rule.fmt(f)?;
        match &self.0.remedy {
            Some(remedy) => write!(f, "; {}{remedy}", remedy.lead_in()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for DeniedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Reader::Engine)
    }
}

impl DeniedBy {
    /// Cuts the texts that a component or another program chose: a refusal is kept with its call.
    fn bounded(self) -> Self {
        match self {
            Self::Origin { origin } => Self::Origin { origin: origin.map(kept) },
            Self::Malformed(Malformed::Method(method)) => Self::Malformed(Malformed::Method(kept(method))),
            Self::Malformed(Malformed::Header(name)) => Self::Malformed(Malformed::Header(kept(name))),
            Self::Field { request, problem, rule } => {
                Self::Field { request, problem: problem.bounded(), rule }
            }
            Self::CallReads { method } => Self::CallReads { method: kept(method) },
            Self::SecretSink { problem } => Self::SecretSink { problem: kept(problem) },
            Self::Audit { reason } => Self::Audit { reason: kept(reason) },
            Self::RequestForm { text } => Self::RequestForm { text: kept(text) },
            other => other,
        }
    }

    fn write(&self, f: &mut impl fmt::Write, reader: Reader) -> fmt::Result {
        // What a person, a component or another program chose.
        let chosen = |text: &str| match reader {
            Reader::Engine => text.to_owned(),
            Reader::Record => MASK.to_owned(),
        };
        match self {
            Self::UnknownAction => {
                f.write_str("this component lists no such action, and the policy allows only listed ones")
            }
            Self::ActionRule { action, rule } => {
                write!(f, "the action `{action}` is denied by the policy's rule {rule}")
            }
            Self::ActionNotAllowed { action } => {
                write!(f, "no rule of the policy allows the action `{action}`")
            }
            Self::ActionWrites { action, effect } => {
                write!(f, "the effect of the action `{action}` is {effect}, and the policy is read-only")
            }
            Self::Origin { origin } => {
                let origin = origin.as_deref().unwrap_or("a URL without a plain scheme, host and port");
                write!(f, "{} is neither the tenant nor its email provider", chosen(origin))
            }
            Self::Method => {
                f.write_str("method not allowed; only GET, HEAD, POST, PUT, PATCH and DELETE are")
            }
            Self::DotSegment => f.write_str("path not allowed: it has a dot segment or a backslash"),
            Self::TenantPath => {
                write!(f, "path not allowed; of the tenant, only /api/v2/… and POST {CHANGE_PASSWORD} are")
            }
            Self::MailPath { provider } => {
                write!(f, "request not allowed; of {provider}, only the one that sends an email is")
            }
            Self::MailElsewhere { provider, asked, held } => {
                let [asked, held] = [asked, held].map(|url| chosen(&url.to_string()));
                write!(f, "the tenant's credentials for {provider} are for {held}, not for {asked}")
            }
            Self::MailCredentials { provider, held } => {
                write!(
                    f,
                    "the tenant sends its emails through {provider}, and no credentials for {provider} are configured"
                )?;
                held.map_or(Ok(()), |held| write!(f, "; those for {held} are"))
            }
            Self::Malformed(how) => {
                match how {
                    Malformed::Header(name) => write!(f, "the header `{}`", chosen(name))?,
                    Malformed::MethodParameter => f.write_str("the query parameter `_method`")?,
                    Malformed::Method(method) => write!(f, "the method {}", chosen(method))?,
                    Malformed::Path(problem) => write!(f, "the path {problem}")?,
                }
                f.write_str(", which no request of the API has")
            }
            Self::RequestWrites(request) => {
                write!(f, "{} may write, and the policy is read-only", request.shown(reader))
            }
            Self::RequestRule { request, rule } => {
                write!(f, "{} is denied by the policy's rule {rule}", request.shown(reader))
            }
            Self::RequestNotAllowed { request, as_decoded } => {
                let decoded = if *as_decoded { ", as a server may decode its path," } else { "" };
                write!(f, "no rule of the policy allows {}{decoded}", request.shown(reader))
            }
            Self::Field { request, problem, rule } => {
                let problem = match reader {
                    Reader::Engine => problem.to_string(),
                    Reader::Record => problem.masked(),
                };
                let request = request.shown(reader);
                write!(f, "the body of {request} {problem}, against the policy's [fields] {rule}")
            }
            Self::Reach { request, judgement, rule } => {
                write_judgement(f, &request.shown(reader), judgement, reader)?;
                write!(f, ", and {rule} denies that")
            }
            Self::ReachNotAgreed { request, judgement } => {
                write_judgement(f, &request.shown(reader), judgement, reader)?;
                f.write_str(", and nobody agreed to that for this call")
            }
            Self::MailWrites => f.write_str("sending an email is not a read, and the policy is read-only"),
            Self::MailProvider { allowed, asked } => {
                write!(f, "the policy allows email through {} only, not {}", allowed.name(), asked.name())
            }
            Self::NoMail => f.write_str("the policy allows no email"),
            Self::CallReads { method } => {
                write!(f, "a {} may write or send, and this call is read-only", chosen(method))
            }
            Self::OwnApplication(request) => write!(
                f,
                "{} changes the application that this host acts as, and whoever changes it can act in its place",
                request.shown(reader)
            ),
            Self::NoCredentials => f.write_str(
                "no credentials are configured for the tenant, and a component cannot fetch tokens by itself",
            ),
            Self::InsufficientScope { action, scopes } => {
                write!(f, "the token lacks {} for `{action}`, so nothing was sent", scopes.join(", "))
            }
            Self::RequestLimit { limit } => write!(f, "too many requests: a call may make {limit}"),
            Self::SecretHandle => f.write_str("the body contains a secret handle, not a secret value"),
            Self::MailKey(problem) => f.write_str(problem),
            Self::NoSecretSink => {
                f.write_str("not sent: it creates a secret, and no secret sink is configured")
            }
            Self::SecretsWaiting { count } => write!(
                f,
                "not sent: it creates a secret, and {count} new secrets still wait for the secret sink"
            ),
            Self::SecretSink { problem } => {
                write!(
                    f,
                    "not sent: it creates a secret, and the secret sink is not ready: {}",
                    chosen(problem)
                )
            }
            Self::Address(prohibited) => match reader {
                Reader::Engine => f.write_str(&prohibited.fact()),
                Reader::Record => write!(f, "{MASK} is at {}", prohibited.class),
            },
            Self::NoStartTls { server } => write!(
                f,
                "{} offers no STARTTLS, and emails and passwords are not sent in plain text",
                chosen(server)
            ),
            Self::Audit { reason } => write!(f, "the audit trail cannot be written: {}", chosen(reason)),
            Self::RequestForm { text } => {
                write!(f, "`{}` is not of the form METHOD PATH, such as `GET /api/v2/users`", chosen(text))
            }
        }
    }
}

impl Remedy {
    /// Returns the words before its text: `to allow it, ` where it changes what is allowed, and none where it corrects
    /// a mistake or repairs something.
    pub fn lead_in(&self) -> &'static str {
        match self {
            Self::CheckActionId
            | Self::SendWithout
            | Self::SendSecret
            | Self::SendObject
            | Self::RetrySecrets
            | Self::FixSecretSink
            | Self::UseTls
            | Self::FixAudit
            | Self::WriteRequest
            | Self::NameRequest => "",
            _ => "to allow it, ",
        }
    }
}

impl RequestLine {
    /// Names a request; its query is left out.
    pub fn new(method: &http::Method, path: &str) -> Self {
        Self::of(method.as_str(), path)
    }

    /// Names the requests of an operation, with parameters of its path in braces.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        Self { method: kept(method.to_owned()), path: kept(path.to_owned()) }
    }

    fn shown(&self, reader: Reader) -> String {
        let path = match reader {
            Reader::Engine => shown(&self.path),
            Reader::Record => private_path::path(&self.path),
        };
        format!("{} {path}", self.method)
    }
}

/// Writes what a request can do, and why.
fn write_judgement(
    f: &mut impl fmt::Write,
    request: &str,
    Judgement { reach, member, reason, .. }: &Judgement,
    reader: Reader,
) -> fmt::Result {
    let member = match (member, reader) {
        (None, _) => String::new(),
        (Some(_), Reader::Record) => format!(" by `{MASK}`"),
        (Some(member), Reader::Engine) => format!(" by `{}`", shown(member)),
    };
    write!(f, "{request} has the reach `{reach}`{member}, since {reason}")
}

/// Escapes a path, which is the guest's own text.
pub(crate) fn shown(path: &str) -> String {
    /// Longer than any path of the API with its ids.
    const LONGEST: usize = 200;
    path.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckActionId => f.write_str("check the action's id against the list of actions"),
            Self::ChangeRule => f.write_str("change that rule"),
            Self::AllowAction { action } => write!(f, "add \"{action}\" to `allow` of [actions]"),
            Self::AllowWriting => f.write_str("set `read_only` to false"),
            Self::AllowRequest { rule } => {
                write!(f, "add a rule such as \"{rule}\" to `allow` of [requests]")
            }
            Self::AllowOwnApplication { rule } => write!(
                f,
                "use another application, or name exactly \"{rule}\" in `allow` of [requests], along with what else is to \
                 be allowed"
            ),
            Self::AllowField { allowed } if allowed.is_empty() => {
                f.write_str("add the field to that rule, which allows none")
            }
            Self::AllowField { allowed } => {
                write!(f, "add the field to that rule, which allows {}", allowed.join(", "))
            }
            Self::AllowReach { deny } => write!(f, "set `{}` in the policy", deny.policy_line()),
            Self::AgreeToReach => f.write_str("run the call with `CallOptions::agreed_reach`"),
            Self::AllowMailProvider { provider } => {
                write!(f, "set `mail_provider` to \"{}\", or leave it out", provider.name())
            }
            Self::SendWithout => f.write_str("send the request without it"),
            Self::AllowCallToWrite => f.write_str("run the call without `CallOptions::read_only`"),
            Self::SetCredentials => f.write_str("give the tenant credentials"),
            Self::SetMailCredentials { .. } => f.write_str("set `Settings::email_credentials`"),
            Self::WidenGrant { scopes, .. } => {
                write!(f, "widen the application's grant by {}", scopes.join(", "))
            }
            Self::RaiseLimit { limit } => write!(f, "raise the limit `{limit}`"),
            Self::SendSecret => f.write_str("send the secret itself"),
            Self::SendObject => f.write_str("send a JSON object"),
            Self::SetSecretSink => f.write_str(
                "set `Settings::secret_sink`, or have the secret shown (`CallOptions::reveal_secrets`)",
            ),
            Self::RetrySecrets => f.write_str("fix the sink, then call `Tenant::retry_secrets`"),
            Self::FixSecretSink => f.write_str("fix the sink, then retry"),
            Self::AllowLoopback => {
                f.write_str("set `allow_loopback` in the policy, or name a loopback address in the base URL")
            }
            Self::AllowNetwork => f.write_str("add its network to `allowed_networks` of the policy"),
            Self::UseTls => f.write_str("use a server or a port with TLS, such as port 465"),
            Self::FixAudit => f.write_str("fix the destination of the audit trail, then retry"),
            Self::WriteRequest => f.write_str("write the request in this form"),
            Self::NameRequest => f.write_str("name a request that can be sent at all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::AddressClass, bounded_text::LONGEST_KEPT};

    fn request(line: &str) -> RequestLine {
        let (method, path) = line.split_once(' ').unwrap();
        RequestLine::new(&method.parse().unwrap(), path)
    }

    #[test]
    fn a_record_has_the_rule_without_what_was_asked_for() {
        let jane = || request("PATCH /api/v2/users/samlp%7Cacme%7Cjane");
        let rule = || "`PATCH /api/v2/users/{id}` (line 3)".to_owned();
        let field = |problem| DeniedBy::Field { request: jane(), problem, rule: rule() };
        for (denied, expected) in [
            (
                DeniedBy::RequestNotAllowed { request: jane(), as_decoded: false },
                "no rule of the policy allows PATCH /api/v2/users/samlp%7C*",
            ),
            (
                DeniedBy::RequestRule { request: jane(), rule: rule() },
                "PATCH /api/v2/users/samlp%7C* is denied by the policy's rule `PATCH /api/v2/users/{id}` (line 3)",
            ),
            (
                DeniedBy::ActionRule { action: "delete-user".to_owned(), rule: "`delete-*`".to_owned() },
                "the action `delete-user` is denied by the policy's rule `delete-*`",
            ),
            (
                DeniedBy::Origin { origin: Some("https://mira-olsen.example".to_owned()) },
                "* is neither the tenant nor its email provider",
            ),
            (
                field(FieldProblem::Field("Jane Doe`, against the policy's [fields] `1985".to_owned())),
                "the body of PATCH /api/v2/users/samlp%7C* writes `*`, against the policy's [fields] `PATCH \
                 /api/v2/users/{id}` (line 3)",
            ),
            (
                field(FieldProblem::Json("key `jane@acme.com` twice".to_owned())),
                "the body of PATCH /api/v2/users/samlp%7C* is not JSON with each key once: *, against the policy's \
                 [fields] `PATCH /api/v2/users/{id}` (line 3)",
            ),
            (
                DeniedBy::Malformed(Malformed::Method("JANE-DOE".to_owned())),
                "the method *, which no request of the API has",
            ),
            (
                DeniedBy::SecretSink { problem: "vault.acme.example: jane may not write".to_owned() },
                "not sent: it creates a secret, and the secret sink is not ready: *",
            ),
            (DeniedBy::NoStartTls { server: "mx.acme.example:25".to_owned() }, "* offers no STARTTLS"),
            (
                DeniedBy::Audit { reason: "/home/jane is full".to_owned() },
                "the audit trail cannot be written: *",
            ),
        ] {
            let masked = Denial::new(denied.clone()).or(Remedy::ChangeRule).masked();
            assert!(masked.starts_with(expected), "{masked}");
            assert!(!masked.contains("to allow it"), "{masked}: that is for the engine");
            assert_ne!(masked.contains('*'), matches!(denied, DeniedBy::UnknownAction), "{masked}");
        }
        let prohibited = Prohibited {
            host: "jane.acme.example".to_owned(),
            address: [10, 0, 0, 1].into(),
            class: AddressClass::Private,
        };
        assert_eq!(Denial::from(prohibited).masked(), "* is at a private address");
    }

    /// Guards against a guest that fills the host's memory, and an engine's history, with what it asks for in vain.
    #[test]
    fn a_denial_keeps_little_of_what_a_component_chose() {
        let huge = || "x".repeat(1 << 20);
        let request = || RequestLine::new(&http::Method::from_bytes(huge().as_bytes()).unwrap(), &huge());
        let field = |problem| DeniedBy::Field { request: request(), problem, rule: "`PATCH /**`".to_owned() };
        for denied in [
            DeniedBy::Origin { origin: Some(huge()) },
            DeniedBy::Malformed(Malformed::Method(huge())),
            DeniedBy::RequestWrites(request()),
            DeniedBy::RequestNotAllowed { request: request(), as_decoded: false },
            DeniedBy::OwnApplication(request()),
            field(FieldProblem::Field(huge())),
            field(FieldProblem::Replaced(huge())),
            field(FieldProblem::Json(huge())),
            DeniedBy::CallReads { method: huge() },
            DeniedBy::SecretSink { problem: huge() },
            DeniedBy::Audit { reason: huge() },
            DeniedBy::RequestForm { text: huge() },
        ] {
            let kept = format!("{:?}", Denial::new(denied));
            assert!(kept.contains('…') && kept.len() < 4 * LONGEST_KEPT, "{} bytes", kept.len());
        }
    }

    #[test]
    fn a_mistake_is_corrected_and_not_allowed() {
        let denial = Denial::new(DeniedBy::SecretHandle).or(Remedy::SendSecret).to_string();
        assert_eq!(denial, "the body contains a secret handle, not a secret value; send the secret itself");
    }

    #[test]
    fn an_engine_is_told_what_would_allow_it() {
        let denial = Denial::new(DeniedBy::NoSecretSink).or(Remedy::SetSecretSink).to_string();
        assert!(denial.contains("; to allow it, set `Settings::secret_sink`"), "{denial}");
        assert_eq!(
            Denial::new(DeniedBy::DotSegment).to_string(),
            "path not allowed: it has a dot segment or a backslash"
        );
    }
}
