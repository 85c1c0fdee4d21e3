//! The mail providers that take a message over one HTTP request.
//!
//! A provider here is a pure shape: it says what to send where, and reads what came back. Sending is the caller's
//! part, and so is the key, which normally stays with the host: a [`Delivery`] without a key is complete but for the
//! one place where the host puts it.
//!
//! The origins are constants. Nothing in a tenant's settings or in a message can choose the server that gets the mail
//! and the key; of the path, Mailgun's domain is the only part that varies, and it is checked.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::message::{Mailbox, Message, MessageError, is_host_name};
use super::refusal::{Refusal, RefusalKind};
use crate::core::paging::set;
use crate::core::request::{Method, Request};

/// The providers that work, for errors that teach.
const SUPPORTED: &str = "sendgrid, mailgun, mandrill, sparkpost or resend";

/// A tenant's mail provider that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// This version cannot speak to the provider.
    #[error("{name} {missing}; use {SUPPORTED}")]
    Unsupported {
        /// Auth0's name of the provider.
        name: String,
        /// What this version lacks.
        missing: &'static str,
    },
    /// The tenant has switched its provider off; Auth0's built-in mailer sends no mails of actions.
    #[error("the tenant's mail provider `{name}` is disabled; enable it in the tenant's e-mail settings")]
    Disabled {
        /// Auth0's name of the provider.
        name: String,
    },
    /// The object is not what `GET /emails/provider` answers.
    #[error("the tenant's mail provider: `{field}` {rule}")]
    Malformed {
        /// The field concerned.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The default sender is no mailbox.
    #[error("the tenant's default sender is not usable")]
    DefaultSender(#[source] MessageError),
    /// The key cannot stand in a header.
    #[error("the key of the mail provider is empty or has characters other than printable ASCII")]
    Key,
}

/// Where a provider keeps its customers' data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The United States, and whatever is not said to be elsewhere.
    Us,
    /// The European Union.
    Eu,
}

/// Which service it is, and what it needs to know beyond the key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Service {
    SendGrid,
    Mailgun { domain: String, region: Region },
    Mandrill { view_content_link: Option<bool> },
    SparkPost { region: Region },
    Resend,
}

/// A tenant's enabled mail provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    service: Service,
    /// As the tenant has it: it matters only to mails that name no sender.
    default_from: Value,
}

/// One `POST` request.
///
/// `Debug` shows neither the values of headers nor the body, since either may hold the key.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Scheme and host: `https://api.sendgrid.com`.
    pub origin: &'static str,
    /// What goes there: path, body and, where there is a key, the header `authorization`.
    pub request: Request,
}

impl Delivery {
    /// Returns the body's size, as the provider's form makes it.
    pub fn bytes(&self) -> usize {
        self.request.body.as_ref().map_or(0, |body| body.bytes.len())
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("origin", &self.origin)
            .field("path", &self.request.path)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// Reads the answer of `GET /emails/provider`, asked for with
    /// `fields=name,enabled,credentials,settings,default_from_address&include_fields=true`.
    ///
    /// # Errors
    ///
    /// Answers an error for a provider that is disabled, not supported, or lacks what its requests need.
    pub fn from_settings(settings: &Value) -> Result<Self, ProviderError> {
        let malformed = |field, rule| ProviderError::Malformed { field, rule };
        let name = settings
            .get("name")
            .and_then(Value::as_str)
            .ok_or_else(|| malformed("name", "is missing; it names the provider"))?;
        match settings.get("enabled") {
            None | Some(Value::Null | Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(ProviderError::Disabled { name: shown(name) }),
            Some(_) => return Err(malformed("enabled", "is not a boolean")),
        }
        let service = match name {
            "sendgrid" => Service::SendGrid,
            "mailgun" => {
                let domain = credential(settings, "domain").and_then(Value::as_str).ok_or_else(|| {
                    malformed(
                        "credentials.domain",
                        "is missing; mailgun needs its sending domain (is `credentials` among the fields asked for?)",
                    )
                })?;
                if !is_host_name(domain) {
                    return Err(malformed("credentials.domain", "is not the name of a domain"));
                }
                Service::Mailgun { domain: domain.to_owned(), region: region(settings)? }
            }
            "mandrill" => {
                let setting = settings.pointer("/settings/message/view_content_link");
                let view_content_link = match setting {
                    None | Some(Value::Null) => None,
                    Some(Value::Bool(wanted)) => Some(*wanted),
                    Some(_) => {
                        return Err(malformed("settings.message.view_content_link", "is not a boolean"));
                    }
                };
                Service::Mandrill { view_content_link }
            }
            "sparkpost" => Service::SparkPost { region: region(settings)? },
            "resend" => Service::Resend,
            other => {
                let missing = missing(other);
                return Err(ProviderError::Unsupported { name: shown(other), missing });
            }
        };
        let default_from = settings.get("default_from_address").cloned().unwrap_or_default();
        Ok(Self { service, default_from })
    }

    /// Returns Auth0's name of the provider.
    pub fn name(&self) -> &'static str {
        match self.service {
            Service::SendGrid => "sendgrid",
            Service::Mailgun { .. } => "mailgun",
            Service::Mandrill { .. } => "mandrill",
            Service::SparkPost { .. } => "sparkpost",
            Service::Resend => "resend",
        }
    }

    /// Reads the sender that the tenant has set for mails that name none.
    ///
    /// # Errors
    ///
    /// Answers an error where what the tenant has is no mailbox.
    pub fn default_from(&self) -> Result<Option<Mailbox>, ProviderError> {
        match &self.default_from {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            Value::String(text) => text.parse().map(Some).map_err(ProviderError::DefaultSender),
            _ => Err(ProviderError::Malformed { field: "default_from_address", rule: "is not a text" }),
        }
    }

    /// Returns scheme and host of the provider's API.
    pub fn origin(&self) -> &'static str {
        match &self.service {
            Service::SendGrid => "https://api.sendgrid.com",
            Service::Mailgun { region: Region::Us, .. } => "https://api.mailgun.net",
            Service::Mailgun { region: Region::Eu, .. } => "https://api.eu.mailgun.net",
            Service::Mandrill { .. } => "https://mandrillapp.com",
            Service::SparkPost { region: Region::Us } => "https://api.sparkpost.com",
            Service::SparkPost { region: Region::Eu } => "https://api.eu.sparkpost.com",
            Service::Resend => "https://api.resend.com",
        }
    }

    /// Shapes the request that hands a message over.
    ///
    /// Without a key the request lacks only the header `authorization`: `Bearer KEY` for SendGrid and Resend, the bare
    /// key for SparkPost, `Basic base64("api:KEY")` for Mailgun. For Mandrill it lacks the member `key` of the body.
    ///
    /// # Errors
    ///
    /// Refuses a key that is empty or has characters other than printable ASCII.
    pub fn delivery(&self, message: &Message, key: Option<&str>) -> Result<Delivery, ProviderError> {
        if key.is_some_and(|key| key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(ProviderError::Key);
        }
        let bearer = || key.map(|key| format!("Bearer {key}"));
        let post = |path: &str| Request::at(Method::Post, path);
        let (mut request, authorization) = match &self.service {
            Service::SendGrid => (post("/v3/mail/send").json(&sendgrid(message)), bearer()),
            Service::Mailgun { domain, .. } => (
                mailgun(post(&format!("/v3/{domain}/messages")), message),
                key.map(|key| format!("Basic {}", STANDARD.encode(format!("api:{key}")))),
            ),
            Service::Mandrill { view_content_link } => {
                (post("/api/1.0/messages/send").json(&mandrill(message, *view_content_link, key)), None)
            }
            Service::SparkPost { .. } => {
                (post("/api/v1/transmissions").json(&sparkpost(message)), key.map(str::to_owned))
            }
            Service::Resend => (post("/emails").json(&resend(message)), bearer()),
        };
        request.headers.extend(authorization.map(|value| ("authorization".to_owned(), value)));
        Ok(Delivery { origin: self.origin(), request })
    }

    /// Reads the provider's answer; `Ok` means that it has taken the message, not that it was delivered.
    ///
    /// # Errors
    ///
    /// Answers a [`Refusal`] with the provider's own words.
    pub fn read_answer(&self, status: u16, body: &[u8]) -> Result<(), Refusal> {
        let body: Value = serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
        if !(200..300).contains(&status) {
            return Err(Refusal::from_answer(status, &body));
        }
        match self.service {
            Service::Mandrill { .. } => read_recipients(status, &body),
            Service::SparkPost { .. } => {
                let count = |name| body.pointer(name).and_then(Value::as_u64).unwrap_or(0);
                match count("/results/total_rejected_recipients") {
                    0 => Ok(()),
                    rejected => {
                        let message = format!("{rejected} recipient(s) rejected");
                        Err(Refusal::new(RefusalKind::Rejected, status, &message))
                    }
                }
            }
            Service::SendGrid | Service::Mailgun { .. } | Service::Resend => Ok(()),
        }
    }
}

fn credential<'s>(settings: &'s Value, name: &str) -> Option<&'s Value> {
    settings.get("credentials").and_then(|credentials| credentials.get(name))
}

/// Auth0 keeps `eu` or null.
fn region(settings: &Value) -> Result<Region, ProviderError> {
    match credential(settings, "region") {
        None | Some(Value::Null) => Ok(Region::Us),
        Some(Value::String(region)) if matches!(region.as_str(), "" | "us") => Ok(Region::Us),
        Some(Value::String(region)) if region == "eu" => Ok(Region::Eu),
        Some(_) => Err(ProviderError::Malformed {
            field: "credentials.region",
            rule: "is neither `us`, `eu` nor null",
        }),
    }
}

/// Says what this version lacks for a provider that Auth0 knows.
fn missing(name: &str) -> &'static str {
    match name {
        "ses" => "needs AWS Signature V4 signing, which this version does not have",
        "azure_cs" => {
            "needs HMAC signing with the access key of Azure Communication Services, which this version does not have"
        }
        "ms365" => {
            "needs a token from Microsoft Entra ID for Microsoft Graph, which this version does not fetch"
        }
        "smtp" => "needs a raw TCP connection, which a component that may only use HTTP does not have",
        "custom" => "runs in an Auth0 Action of the tenant, which no API call can start",
        _ => "is a provider that this version does not know",
    }
}

fn shown(name: &str) -> String {
    super::refusal::cut(name, 40)
}

fn mailbox_json(mailbox: &Mailbox) -> Value {
    match mailbox.name() {
        Some(name) => json!({"email": mailbox.address().as_str(), "name": name}),
        None => json!({"email": mailbox.address().as_str()}),
    }
}

/// <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>
fn sendgrid(message: &Message) -> Value {
    let to: Vec<Value> = message.to().iter().map(mailbox_json).collect();
    json!({
        "personalizations": [{"to": to}],
        "from": mailbox_json(message.from()),
        "subject": message.subject(),
        "content": [{"type": "text/html", "value": message.html()}],
    })
}

/// <https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages>
fn mailgun(request: Request, message: &Message) -> Request {
    let from = message.from().to_string();
    let to: Vec<String> = message.to().iter().map(Mailbox::to_string).collect();
    let mut fields = vec![("from", from.as_str())];
    fields.extend(to.iter().map(|to| ("to", to.as_str())));
    fields.extend([("subject", message.subject()), ("html", message.html())]);
    request.form(&fields)
}

/// <https://mailchimp.com/developer/transactional/api/messages/send-new-message/>
fn mandrill(message: &Message, view_content_link: Option<bool>, key: Option<&str>) -> Value {
    let to: Vec<Value> = message
        .to()
        .iter()
        .map(|mailbox| {
            let mut to = mailbox_json(mailbox);
            set(&mut to, "type", json!("to"));
            to
        })
        .collect();
    // Merge tags (`*|NAME|*`) are not Liquid: what a user has in a profile must not become one.
    let mut content = json!({
        "from_email": message.from().address().as_str(),
        "to": to,
        "subject": message.subject(),
        "html": message.html(),
        "merge": false,
    });
    if let Some(name) = message.from().name() {
        set(&mut content, "from_name", json!(name));
    }
    if let Some(wanted) = view_content_link {
        set(&mut content, "view_content_link", json!(wanted));
    }
    let mut body = json!({});
    if let Some(key) = key {
        set(&mut body, "key", json!(key));
    }
    set(&mut body, "message", content);
    body
}

/// <https://developers.sparkpost.com/api/transmissions/>
fn sparkpost(message: &Message) -> Value {
    let recipients: Vec<Value> =
        message.to().iter().map(|mailbox| json!({"address": mailbox_json(mailbox)})).collect();
    let mut from = mailbox_json(message.from());
    if let Some(name) = message.from().name() {
        set(&mut from, "name", json!(without_substitutions(name)));
    }
    json!({
        // Welcome mails and links to log in are no marketing: they must reach people who unsubscribed from that.
        "options": {"transactional": true},
        "recipients": recipients,
        "content": {
            "from": from,
            "subject": without_substitutions(message.subject()),
            "html": without_substitutions(message.html()),
        },
    })
}

/// Keeps SparkPost from running its own template language over a page that is rendered already: `{{ … }}` from a
/// user's profile would otherwise be evaluated there
/// (<https://developers.sparkpost.com/api/template-language/>). Where a lone brace stands before such a place, as in
/// `{}}`, a blank parts them, since three braces would mean something else.
fn without_substitutions(text: &str) -> String {
    const OPEN: &str = "{{opening_double_curly()}}";
    const CLOSE: &str = "{{closing_double_curly()}}";

    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let next = [rest.find("{{"), rest.find("}}")].into_iter().flatten().min();
        let Some((before, after)) = next.and_then(|at| rest.split_at_checked(at)) else { break };
        escaped.push_str(before);
        if escaped.ends_with('{') {
            escaped.push(' ');
        }
        escaped.push_str(if after.starts_with("{{") { OPEN } else { CLOSE });
        rest = after.get(2..).unwrap_or_default();
    }
    escaped.push_str(rest);
    escaped
}

/// <https://resend.com/docs/api-reference/emails/send-email>
fn resend(message: &Message) -> Value {
    let to: Vec<String> = message.to().iter().map(Mailbox::to_string).collect();
    json!({
        "from": message.from().to_string(),
        "to": to,
        "subject": message.subject(),
        "html": message.html(),
    })
}

/// Mandrill answers 200 with one verdict a recipient.
fn read_recipients(status: u16, body: &Value) -> Result<(), Refusal> {
    let verdicts = body
        .as_array()
        .filter(|verdicts| !verdicts.is_empty())
        .ok_or_else(|| Refusal::new(RefusalKind::Unexpected, status, "the answer lists no recipients"))?;
    for verdict in verdicts {
        let field = |name| verdict.get(name).and_then(Value::as_str);
        match field("status") {
            Some("sent" | "queued" | "scheduled") => {}
            Some(verdict @ ("rejected" | "invalid")) => {
                let reason = field("reject_reason").unwrap_or("no reason given");
                let message = format!("recipient {verdict}: {reason}");
                return Err(Refusal::new(RefusalKind::Rejected, status, &message));
            }
            other => {
                let message = format!("unknown status of a recipient: {}", other.unwrap_or("none"));
                return Err(Refusal::new(RefusalKind::Unexpected, status, &message));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
