//! The email providers of Auth0, each as one HTTP request.
//!
//! A provider here is a pure shape: it says what to send where, and reads what came back. Sending is the caller's
//! part, and so is the key, which normally stays with the host: a [`Delivery`] without a key is complete but for what
//! the host puts on it. Some providers want more than a key – a signature, a token, a protocol other than HTTP – and
//! that only a host can give ([`Provider::host_adds`]).
//!
//! The origins are constants, but for the region of Amazon SES, which is checked. Nothing in a tenant's settings or in a
//! message can choose the server that gets the mail and the key: where that server is a customer's own (Azure's
//! endpoint, the SMTP server), the request goes to a name that no DNS has, and the host's settings say where that is.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::message::{Mailbox, Message, MessageError, is_host_name};
use super::refusal::{Refusal, RefusalKind};
use crate::core::json;
use crate::core::path::encode;
use crate::core::request::{Method, Request};
use crate::core::response::Response;

/// The providers that work, for errors that teach.
const SUPPORTED: &str = "sendgrid, mailgun, mandrill, sparkpost, resend, ses, azure_cs, ms365 or smtp";

/// Stands for the endpoint of the customer's Azure Communication Services, which only the host knows. No name under
/// `.invalid` ever resolves (RFC 6761, section 6.4).
const AZURE_ORIGIN: &str = "https://azure-communication-services.invalid";

/// Stands for the customer's SMTP server, which only the host knows and can speak to.
const SMTP_ORIGIN: &str = "https://smtp.invalid";

/// The version of Azure's API that [`body::azure`] is written to.
const AZURE_API_VERSION: &str = "2023-03-31";

/// The headers that Auth0 lets a tenant add to mails over SMTP (facts, section 8).
const SMTP_HEADERS: &[&str] = &["X-MC-ViewContentLink", "X-SES-Configuration-Set"];

/// A tenant's email provider that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ProviderError {
    /// This version cannot speak to the provider.
    #[error("{name} {missing}; use {SUPPORTED}")]
    Unsupported {
        /// Auth0's name of the provider.
        name: String,
        /// What this version lacks.
        missing: &'static str,
    },
    /// The tenant has switched its provider off; Auth0's built-in mailer sends no emails of actions.
    #[error("the tenant's email provider `{name}` is disabled; enable it in the tenant's e-mail settings")]
    Disabled {
        /// Auth0's name of the provider.
        name: String,
    },
    /// The object is not what `GET /emails/provider` answers.
    #[error("the tenant's email provider: `{field}` {rule}")]
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
    #[error("the key of the email provider is empty or has characters other than printable ASCII")]
    Key,
}

/// Where a provider keeps its customers' data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
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
    Ses { region: String, configuration_set: Option<String> },
    Azure,
    Microsoft365,
    Smtp { headers: Map<String, Value> },
}

/// A tenant's enabled email provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provider {
    service: Service,
    /// As the tenant has it: it matters only to mails that name no sender.
    default_from: Value,
}

/// One `POST` request.
///
/// `Debug` shows neither the values of headers nor the body, since either may hold the key.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Delivery {
    /// Scheme and host: `https://api.sendgrid.com`.
    pub origin: Cow<'static, str>,
    /// What goes there: path, body and, where there is a key, the header `authorization`.
    pub request: Request,
}

impl Delivery {
    /// Returns the body's size, as the provider's form makes it.
    pub(crate) fn bytes(&self) -> usize {
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
    pub(crate) fn from_settings(settings: &Value) -> Result<Self, ProviderError> {
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
            "ses" => Service::Ses {
                region: aws_region(settings)?,
                configuration_set: configuration_set(settings)?,
            },
            "azure_cs" => Service::Azure,
            "ms365" => Service::Microsoft365,
            "smtp" => Service::Smtp { headers: smtp_headers(settings)? },
            other => {
                let missing = missing(other);
                return Err(ProviderError::Unsupported { name: shown(other), missing });
            }
        };
        let default_from = settings.get("default_from_address").cloned().unwrap_or_default();
        Ok(Self { service, default_from })
    }

    /// Returns Auth0's name of the provider.
    pub(crate) fn name(&self) -> &'static str {
        match self.service {
            Service::SendGrid => "sendgrid",
            Service::Mailgun { .. } => "mailgun",
            Service::Mandrill { .. } => "mandrill",
            Service::SparkPost { .. } => "sparkpost",
            Service::Resend => "resend",
            Service::Ses { .. } => "ses",
            Service::Azure => "azure_cs",
            Service::Microsoft365 => "ms365",
            Service::Smtp { .. } => "smtp",
        }
    }

    /// Returns what a host must add for this provider, where a key in the component's environment would not do.
    pub(crate) fn host_adds(&self) -> Option<&'static str> {
        match self.service {
            Service::Ses { .. } => Some("a signature of AWS (Signature Version 4)"),
            Service::Azure => Some("the endpoint and an HMAC signature"),
            Service::Microsoft365 => Some("a token of Microsoft Entra ID"),
            Service::Smtp { .. } => Some("the SMTP connection"),
            Service::SendGrid
            | Service::Mailgun { .. }
            | Service::Mandrill { .. }
            | Service::SparkPost { .. }
            | Service::Resend => None,
        }
    }

    /// Returns whether the provider is spoken to in HTTP, so that another HTTP server can stand in for it.
    pub(crate) fn is_http(&self) -> bool {
        !matches!(self.service, Service::Smtp { .. })
    }

    /// Reads the sender that the tenant has set for mails that name none.
    ///
    /// # Errors
    ///
    /// Answers an error where what the tenant has is no mailbox.
    pub(crate) fn default_from(&self) -> Result<Option<Mailbox>, ProviderError> {
        match &self.default_from {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            Value::String(text) => text.parse().map(Some).map_err(ProviderError::DefaultSender),
            _ => Err(ProviderError::Malformed { field: "default_from_address", rule: "is not a text" }),
        }
    }

    /// Returns scheme and host of the provider's API.
    pub(crate) fn origin(&self) -> Cow<'static, str> {
        Cow::Borrowed(match &self.service {
            Service::SendGrid => "https://api.sendgrid.com",
            Service::Mailgun { region: Region::Us, .. } => "https://api.mailgun.net",
            Service::Mailgun { region: Region::Eu, .. } => "https://api.eu.mailgun.net",
            Service::Mandrill { .. } => "https://mandrillapp.com",
            Service::SparkPost { region: Region::Us } => "https://api.sparkpost.com",
            Service::SparkPost { region: Region::Eu } => "https://api.eu.sparkpost.com",
            Service::Resend => "https://api.resend.com",
            Service::Ses { region, .. } => {
                return Cow::Owned(format!("https://email.{region}.amazonaws.com"));
            }
            Service::Azure => AZURE_ORIGIN,
            Service::Microsoft365 => "https://graph.microsoft.com",
            Service::Smtp { .. } => SMTP_ORIGIN,
        })
    }

    /// Shapes the request that hands a message over.
    ///
    /// Without a key the request lacks only the header `authorization`: `Bearer KEY` for SendGrid and Resend, the bare
    /// key for SparkPost, `Basic base64("api:KEY")` for Mailgun. For Mandrill it lacks the member `key` of the body. The
    /// others, which take no key, lack what [`Provider::host_adds`] names.
    ///
    /// # Errors
    ///
    /// Refuses a key that is empty or has characters other than printable ASCII.
    pub(crate) fn delivery(&self, message: &Message, key: Option<&str>) -> Result<Delivery, ProviderError> {
        if key.is_some_and(|key| key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(ProviderError::Key);
        }
        let bearer = || key.map(|key| format!("Bearer {key}"));
        let post = |path: &str| Request::at(Method::Post, path);
        let (mut request, authorization) = match &self.service {
            Service::SendGrid => (post("/v3/mail/send").json(&body::sendgrid(message)), bearer()),
            Service::Mailgun { domain, .. } => (
                body::mailgun(post(&format!("/v3/{domain}/messages")), message),
                key.map(|key| format!("Basic {}", STANDARD.encode(format!("api:{key}")))),
            ),
            Service::Mandrill { view_content_link } => {
                (post("/api/1.0/messages/send").json(&body::mandrill(message, *view_content_link, key)), None)
            }
            Service::SparkPost { .. } => {
                (post("/api/v1/transmissions").json(&body::sparkpost(message)), key.map(str::to_owned))
            }
            Service::Resend => (post("/emails").json(&body::resend(message)), bearer()),
            Service::Ses { configuration_set, .. } => (
                post("/v2/email/outbound-emails").json(&body::ses(message, configuration_set.as_deref())),
                None,
            ),
            Service::Azure => (
                post("/emails:send").query("api-version", AZURE_API_VERSION).json(&body::azure(message)),
                None,
            ),
            Service::Microsoft365 => {
                let sender = encode(message.from().address().as_str());
                (post(&format!("/v1.0/users/{sender}/sendMail")).json(&body::microsoft365(message)), None)
            }
            Service::Smtp { headers } => (post("/send").json(&body::smtp(message, headers)), None),
        };
        request.headers.extend(authorization.map(|value| ("authorization".to_owned(), value)));
        Ok(Delivery { origin: self.origin(), request })
    }

    /// Reads the provider's answer; `Ok` means that it has taken the message, not that it was delivered.
    ///
    /// # Errors
    ///
    /// Answers a [`Refusal`] with the provider's own words.
    pub(crate) fn read_answer(&self, response: &Response) -> Result<(), Refusal> {
        let status = response.status;
        let body = json::parse(&response.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&response.body).into_owned()));
        if !response.is_success() {
            return Err(Refusal::from_answer(status, response.header("x-amzn-errortype"), &body));
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
            // An operation that is over by the time of the answer has failed: one that goes well takes longer.
            Service::Azure => match body.get("status").and_then(Value::as_str) {
                Some(verdict @ ("Failed" | "Canceled")) => {
                    let message = body.pointer("/error/message").and_then(Value::as_str).unwrap_or(verdict);
                    Err(Refusal::new(RefusalKind::Rejected, status, message))
                }
                _ => Ok(()),
            },
            Service::SendGrid
            | Service::Mailgun { .. }
            | Service::Resend
            | Service::Ses { .. }
            | Service::Microsoft365
            | Service::Smtp { .. } => Ok(()),
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

/// Reads the region of Amazon SES: one label of a host name.
fn aws_region(settings: &Value) -> Result<String, ProviderError> {
    let region = credential(settings, "region").and_then(Value::as_str).unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    // The longest so far, `ap-northeast-1` and `us-gov-west-1`, have 14; a label of a host name has 63 at most.
    if region.len() > 63 || region.split('-').any(str::is_empty) || !region.bytes().all(legal) {
        return Err(ProviderError::Malformed {
            field: "credentials.region",
            rule: "is not a region of AWS, such as eu-west-1",
        });
    }
    Ok(region.to_owned())
}

fn configuration_set(settings: &Value) -> Result<Option<String>, ProviderError> {
    match settings.pointer("/settings/message/configuration_set_name") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(_) => Err(ProviderError::Malformed {
            field: "settings.message.configuration_set_name",
            rule: "is not a text",
        }),
    }
}

fn smtp_headers(settings: &Value) -> Result<Map<String, Value>, ProviderError> {
    let mut headers = Map::new();
    for name in SMTP_HEADERS {
        match settings.pointer("/settings/headers").and_then(|headers| headers.get(name)) {
            None | Some(Value::Null) => {}
            Some(Value::String(value)) if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                headers.insert((*name).to_owned(), value.as_str().into());
            }
            Some(_) => {
                return Err(ProviderError::Malformed {
                    field: "settings.headers",
                    rule: "has a value that cannot stand in a header",
                });
            }
        }
    }
    Ok(headers)
}

/// Returns what this version lacks for a provider that Auth0 knows.
fn missing(name: &str) -> &'static str {
    match name {
        "custom" => "runs in an Auth0 Action of the tenant, which no API call can start",
        _ => "is a provider that this version does not know",
    }
}

fn shown(name: &str) -> String {
    super::refusal::cut(name, 40)
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

mod body;
#[cfg(test)]
mod tests;
