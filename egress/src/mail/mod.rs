//! How an email leaves: with what its provider wants instead of a key.
//!
//! All of it comes after policy and over what is really sent, so that a signature vouches for nothing that the host has
//! not looked at. Where an email goes is the tenant's own setting ([`MailRoute`]): the component posts to the
//! provider's public address or, where that is a customer's own server, to a name that stands for it.

mod azure;
mod microsoft365;
#[cfg(feature = "smtp")]
mod mime;
#[cfg(feature = "ses")]
mod ses;
#[cfg(feature = "smtp")]
mod smtp;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};

#[cfg(feature = "smtp")]
use self::smtp::{Delivery, Smtp};
use super::{
    Answer, Outgoing, SendError,
    destination::{MailAccess, MailRoute},
    keyring::{MailKey, SyntheticResponse},
    mail_provider::{AZURE_STAND_IN, MailProvider},
    resolver::Resolver,
    synthetic,
    token::{Refusal, TokenSource},
    transport::Transport,
};
#[cfg(feature = "smtp")]
use super::{
    denial::{Denial, DeniedBy, Remedy},
    mail_provider::SMTP_STAND_IN,
    transmission::record_state,
};
use crate::{
    base_url::BaseUrl,
    call::RequestEntry,
    credentials::Credentials,
    domain::Domain,
    echo::Echo,
    mail_credentials::{AzureAccess, MailCredentials},
    settings_error::SettingsError,
};

/// What a tenant puts on an email, where that is more than a key.
#[derive(Debug)]
pub(crate) enum Mailer {
    /// Signs for Amazon SES.
    #[cfg(feature = "ses")]
    Ses(ses::Signer),
    /// Boxed: the state of its HMAC is large.
    Azure(Box<azure::Signer>),
    Microsoft365(TokenSource),
    /// Speaks SMTP.
    #[cfg(feature = "smtp")]
    Smtp(Smtp),
}

/// What a tenant gives its mailer.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "smtp"), expect(dead_code, reason = "two of the members are for SMTP only"))]
pub(crate) struct MailContext<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) resolver: &'a Resolver,
    /// What stands in for the providers.
    pub(crate) stand_in: Option<&'a BaseUrl>,
    /// Authorities to trust besides the machine's own.
    pub(crate) ca_pem: Option<&'a [u8]>,
    pub(crate) tenant: &'a Domain,
}

impl Mailer {
    /// Takes a tenant's credentials apart: a key, or a mailer.
    pub(crate) fn open(
        credentials: Option<MailCredentials>,
        context: MailContext<'_>,
    ) -> Result<(Option<MailKey>, Option<Self>), SettingsError> {
        Ok(match credentials {
            None => (None, None),
            Some(MailCredentials::ApiKey { provider, key }) => {
                (Some(MailKey { provider: provider.provider(), key }), None)
            }
            #[cfg(feature = "ses")]
            Some(MailCredentials::Ses { access_key_id, secret_access_key, session_token, region }) => {
                let signer = ses::Signer { access_key_id, secret_access_key, session_token, region };
                (None, Some(Self::Ses(signer)))
            }
            Some(MailCredentials::AzureCommunication { connection_string }) => {
                let signer = azure::Signer::new(AzureAccess::read(&connection_string)?);
                (None, Some(Self::Azure(Box::new(signer))))
            }
            Some(MailCredentials::Microsoft365 { tenant_id, client_id, client_secret }) => {
                let endpoint = microsoft365::endpoint(&tenant_id, &context)?;
                let credentials = Credentials::client_secret(client_id, client_secret);
                (None, TokenSource::new(credentials, endpoint, context.tenant).map(Self::Microsoft365))
            }
            #[cfg(feature = "smtp")]
            Some(MailCredentials::Smtp(server)) => {
                (None, Some(Self::Smtp(Smtp::new(server, context.ca_pem, context.resolver.clone())?)))
            }
            #[cfg(not(feature = "ses"))]
            Some(MailCredentials::Ses { .. }) => {
                return Err(SettingsError::Feature { provider: MailProvider::Ses, feature: "ses" });
            }
            #[cfg(not(feature = "smtp"))]
            Some(MailCredentials::Smtp(_)) => {
                return Err(SettingsError::Feature { provider: MailProvider::Smtp, feature: "smtp" });
            }
        })
    }

    /// Returns the name that the component asks for, and where that is.
    pub(crate) fn route(&self) -> MailRoute {
        match self {
            #[cfg(feature = "ses")]
            Self::Ses(signer) => {
                let origin = BaseUrl::https(&format!("email.{}.amazonaws.com", signer.region));
                MailRoute { provider: MailProvider::Ses, asked: origin.clone(), upstream: origin.to_string() }
            }
            Self::Azure(signer) => MailRoute {
                provider: MailProvider::Azure,
                asked: BaseUrl::https(AZURE_STAND_IN),
                upstream: signer.endpoint.to_string(),
            },
            Self::Microsoft365(_) => {
                let origin = BaseUrl::https(microsoft365::GRAPH);
                MailRoute {
                    provider: MailProvider::Microsoft365,
                    asked: origin.clone(),
                    upstream: origin.to_string(),
                }
            }
            #[cfg(feature = "smtp")]
            Self::Smtp(smtp) => MailRoute {
                provider: MailProvider::Smtp,
                asked: BaseUrl::https(SMTP_STAND_IN),
                upstream: format!("smtp://{}", smtp.authority()),
            },
        }
    }

    /// Returns what an answer must not repeat: what the request was signed with just now.
    fn echo(&self, head: &Parts) -> Option<Arc<Echo>> {
        #[cfg(feature = "ses")]
        let session_token = match self {
            Self::Ses(signer) => signer.session_token.as_ref().map(|token| token.expose()),
            _ => None,
        };
        #[cfg(not(feature = "ses"))]
        let session_token = None;
        // Whoever has a signature can send the same email until it expires.
        let authorization = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let signature = authorization.and_then(|text| text.split_once("Signature=")).map(|(_, text)| text);
        Echo::of(&[session_token, signature].into_iter().flatten().collect::<Vec<_>>())
    }

    /// Counts the connections that it has opened by itself.
    pub(crate) fn connections_opened(&self) -> u64 {
        match self {
            #[cfg(feature = "smtp")]
            Self::Smtp(smtp) => smtp.connections_opened(),
            // These go through the tenant's own transport.
            _ => 0,
        }
    }
}

/// Returns the provider that a key or a mailer is for.
pub(crate) fn access(key: Option<&MailKey>, mailer: Option<&Mailer>) -> MailAccess {
    match (key, mailer) {
        (_, Some(mailer)) => MailAccess::Route(mailer.route()),
        (Some(key), None) => MailAccess::Key(key.provider),
        (None, None) => MailAccess::None,
    }
}

/// Leaves an email only the headers that say what it is. Others could turn a key to something else: SendGrid acts for
/// whom `on-behalf-of` names, and AWS and Azure read the parts of a signature from headers.
pub(super) fn keep_plain_headers(headers: &mut HeaderMap) {
    let plain = [header::ACCEPT, header::CONTENT_TYPE, header::USER_AGENT];
    let kept = plain.into_iter().filter_map(|name| headers.remove(&name).map(|value| (name, value)));
    *headers = kept.collect();
}

/// Stands for what an SMTP server said, where that repeats the password.
#[cfg(feature = "smtp")]
const WITHHELD: &str = "the answer was withheld: it repeats the password of the SMTP server";

/// Makes an answer in the form that the component reads a provider's words from.
fn answer(status: u16, text: &str) -> SyntheticResponse {
    let body = serde_json::json!({ "message": text }).to_string();
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Hands the refusal of a provider's token endpoint to a guest that wanted to send an email. The email was not sent,
/// and the guest must not think that it may have been, as it does of a provider that answers 5xx.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    let Refusal { status, code, description, pacing } = refusal;
    let said = |did: &str| format!("Microsoft Entra ID {did} ({}): {code}: {description}", status.as_u16());
    if status.is_server_error() {
        return Err(SendError::DestinationUnavailable);
    }
    if *status == StatusCode::TOO_MANY_REQUESTS {
        let mut answer = answer(429, &said("asks to wait"));
        answer.headers_mut().extend(pacing.clone());
        return Ok(synthetic(answer));
    }
    Ok(synthetic(answer(401, &said("refused the host's credentials"))))
}

impl Outgoing<'_> {
    /// Sends an email to a provider that wants more than a key.
    pub(super) async fn mail(
        &self,
        provider: MailProvider,
        entry: RequestEntry,
        mut head: Parts,
        body: &Bytes,
    ) -> Answer {
        let signed = match (provider, &self.egress.mailer) {
            #[cfg(feature = "ses")]
            (MailProvider::Ses, Some(Mailer::Ses(signer))) => signer.sign(&mut head, body),
            (MailProvider::Azure, Some(Mailer::Azure(signer))) => signer.sign(&mut head, body),
            (MailProvider::Microsoft365, Some(Mailer::Microsoft365(source))) => {
                return self.with_token(source, entry, head, body).await;
            }
            #[cfg(feature = "smtp")]
            (MailProvider::Smtp, Some(Mailer::Smtp(smtp))) => return self.smtp(smtp, entry, body).await,
            _ => Ok(()),
        };
        match signed {
            Ok(()) => {
                let echo = match &self.egress.mailer {
                    Some(mailer) => mailer.echo(&head),
                    None => self.egress.keyring.mail_echo(provider),
                };
                self.once(entry, &head, body, echo).await
            }
            Err(problem) => {
                entry.failed("signature", format!("not sent: it could not be signed: {problem}"));
                Err(SendError::InternalError(Some("the request could not be signed".to_owned())))
            }
        }
    }

    /// Hands an email to the SMTP server, and answers as a provider over HTTP would.
    #[cfg(feature = "smtp")]
    async fn smtp(&self, smtp: &Smtp, entry: RequestEntry, body: &Bytes) -> Answer {
        let message = match mime::read(body) {
            Ok(message) => message,
            Err(problem) => {
                entry.failed("body", format!("not sent: {problem}"));
                return Ok(synthetic(answer(422, &problem)));
            }
        };
        let follow = |state, bytes| record_state(state, bytes, &entry, &self.egress.requests);
        let timeouts =
            smtp::SmtpTimeouts { to_send: self.budget.to_send(), to_answer: self.budget.to_answer() };
        match smtp.send(&message, timeouts, follow).await {
            Ok(Delivery::Answered { status, text }) => {
                let text = if smtp.is_echo(&text) { WITHHELD.to_owned() } else { text };
                let answer = answer(status, &text);
                entry.answered(answer.status());
                entry.received(text.len());
                Ok(synthetic(answer))
            }
            Ok(Delivery::NoTls) => {
                let denial = Denial::new(DeniedBy::NoStartTls { server: smtp.authority().to_string() });
                super::deny(self.call, entry, denial.or(Remedy::UseTls))
            }
            Err(error) => {
                entry.failed(error.code(), error.to_string());
                Err(error.to_send_error())
            }
        }
    }
}
