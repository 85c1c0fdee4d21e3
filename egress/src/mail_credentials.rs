//! How the host proves to an email provider who it is.
//!
//! A key is only one of the ways: Amazon and Azure want each request signed, Microsoft 365 a token, SMTP a login on a
//! connection that is no HTTP. All of it stays in the host. Where the server is the customer's own (Azure's endpoint,
//! the SMTP server) it is named here too: a component must not choose where a password goes.

use std::{fmt, net::IpAddr, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{
    base_url::BaseUrl, domain::Domain, mail_provider::MailProvider, secret::Secret,
    settings_error::SettingsError,
};

/// The port of submission with STARTTLS (RFC 6409).
const SUBMISSION: u16 = 587;
/// The port of submission over TLS (RFC 8314, section 3.3).
const SUBMISSIONS: u16 = 465;

/// How the host proves to the tenant's email provider who it is. The component never gets to see it.
///
/// ```
/// # use auth0_egress::mail_credentials::{ApiKeyProvider, MailCredentials, SmtpSecurity, SmtpServer};
/// let key = MailCredentials::api_key(ApiKeyProvider::SendGrid, "SG.key");
/// let server = SmtpServer::new("smtp.acme.example", SmtpSecurity::StartTls).login("people", "password");
/// let smtp = MailCredentials::Smtp(server);
/// assert!(!format!("{key:?} {smtp:?}").contains("SG.key"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MailCredentials {
    /// A provider's key.
    ApiKey {
        /// Whose it is: it goes there and nowhere else, whichever provider the component names.
        provider: ApiKeyProvider,
        /// The key.
        key: Secret,
    },
    /// Amazon SES: each request is signed (Signature Version 4).
    Ses {
        /// Id of the access key. Not a secret.
        access_key_id: String,
        /// Its secret.
        secret_access_key: Secret,
        /// Of temporary credentials: the token that belongs to them.
        session_token: Option<Secret>,
        /// The region that signed requests may go to, the one that the tenant has: `eu-west-1`.
        region: String,
    },
    /// Azure Communication Services: each request is signed with the resource's access key.
    AzureCommunication {
        /// `endpoint=https://….communication.azure.com/;accesskey=…`, as the portal shows it.
        connection_string: Secret,
    },
    /// Microsoft 365: a token of Microsoft Entra ID, for Microsoft Graph.
    Microsoft365 {
        /// Id or domain of the directory.
        tenant_id: String,
        /// Id of the application.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// A server that takes mail over SMTP.
    Smtp(SmtpServer),
}

impl MailCredentials {
    /// Uses a provider's key.
    pub fn api_key(provider: ApiKeyProvider, key: impl Into<Secret>) -> Self {
        Self::ApiKey { provider, key: key.into() }
    }

    /// Signs requests to Amazon SES in a region, with the access key of a user.
    pub fn ses(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<Secret>,
        region: impl Into<String>,
    ) -> Self {
        Self::Ses {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            region: region.into(),
        }
    }

    /// Signs requests to Azure Communication Services.
    pub fn azure_communication(connection_string: impl Into<Secret>) -> Self {
        Self::AzureCommunication { connection_string: connection_string.into() }
    }

    /// Fetches tokens for Microsoft Graph with an application's id and secret.
    pub fn microsoft365(
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<Secret>,
    ) -> Self {
        Self::Microsoft365 {
            tenant_id: tenant_id.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
        }
    }

    /// Names the provider that they are for.
    pub fn provider(&self) -> MailProvider {
        match self {
            Self::ApiKey { provider, .. } => provider.provider(),
            Self::Ses { .. } => MailProvider::Ses,
            Self::AzureCommunication { .. } => MailProvider::Azure,
            Self::Microsoft365 { .. } => MailProvider::Microsoft365,
            Self::Smtp(_) => MailProvider::Smtp,
        }
    }

    /// Refuses what could not be used, before anything is sent.
    pub fn check(&self) -> Result<(), SettingsError> {
        let printable = |name, text: &str| {
            let sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            if sendable { Ok(()) } else { Err(SettingsError::Value { name }) }
        };
        match self {
            Self::ApiKey { key, .. } => printable("the email provider's key", key.expose()),
            Self::Ses { access_key_id, secret_access_key, session_token, region } => {
                printable("the id of the access key for SES", access_key_id)?;
                printable("the secret access key for SES", secret_access_key.expose())?;
                if let Some(token) = session_token {
                    printable("the session token for SES", token.expose())?;
                }
                label(region).ok_or_else(|| refuse("invalid SES region; expected e.g. eu-west-1"))
            }
            Self::AzureCommunication { connection_string } => AzureAccess::read(connection_string).map(drop),
            Self::Microsoft365 { tenant_id, client_id, client_secret } => {
                printable("the client id for Microsoft 365", client_id)?;
                if client_secret.is_empty() {
                    return Err(SettingsError::Value { name: "the client secret for Microsoft 365" });
                }
                // It stands in a path.
                tenant_id.split('.').try_for_each(|part| label(&part.to_ascii_lowercase())).ok_or_else(|| {
                    refuse("invalid Microsoft 365 tenant id; expected an id or a domain, e.g. acme.onmicrosoft.com")
                })
            }
            Self::Smtp(server) => server.check(),
        }
    }
}

/// The email providers for which a key is all that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiKeyProvider {
    /// SendGrid.
    SendGrid,
    /// Mailgun, in either region.
    Mailgun,
    /// Mandrill (Mailchimp Transactional).
    Mandrill,
    /// SparkPost, in either region.
    SparkPost,
    /// Resend.
    Resend,
}

impl ApiKeyProvider {
    const ALL: [Self; 5] = [Self::SendGrid, Self::Mailgun, Self::Mandrill, Self::SparkPost, Self::Resend];

    /// Returns it as a destination.
    pub fn provider(self) -> MailProvider {
        match self {
            Self::SendGrid => MailProvider::SendGrid,
            Self::Mailgun => MailProvider::Mailgun,
            Self::Mandrill => MailProvider::Mandrill,
            Self::SparkPost => MailProvider::SparkPost,
            Self::Resend => MailProvider::Resend,
        }
    }
}

/// The name that Auth0 gives it (`GET /api/v2/emails/provider`).
impl fmt::Display for ApiKeyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.provider().name())
    }
}

/// The text names no email provider that takes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an email provider that takes a key: sendgrid, mailgun, mandrill, sparkpost or resend")]
pub struct UnknownApiKeyProvider;

impl FromStr for ApiKeyProvider {
    type Err = UnknownApiKeyProvider;

    fn from_str(text: &str) -> Result<Self, UnknownApiKeyProvider> {
        Self::ALL.into_iter().find(|known| known.provider().name() == text).ok_or(UnknownApiKeyProvider)
    }
}

/// Returns whether a text is one label of a host name, in lower case.
fn label(text: &str) -> Option<()> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (text.len() <= 63 && !text.split('-').any(str::is_empty) && text.bytes().all(legal)).then_some(())
}

fn refuse(problem: impl Into<String>) -> SettingsError {
    SettingsError::Mail { problem: problem.into() }
}

/// What an Azure connection string contains.
pub(crate) struct AzureAccess {
    pub(crate) endpoint: BaseUrl,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

impl AzureAccess {
    /// Reads `endpoint=…;accesskey=…`, in either order and any case, as Azure's own SDKs do.
    pub(crate) fn read(connection_string: &Secret) -> Result<Self, SettingsError> {
        const FORM: &str = "invalid Azure connection string; expected `endpoint=https://….communication.azure.com/;accesskey=…`";
        let part = |wanted: &str| {
            let parts = connection_string.expose().split(';').filter_map(|part| part.trim().split_once('='));
            let mut found =
                parts.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
            // Twice the same is a string that was pasted together: which of the two is meant?
            found.next().filter(|value| !value.is_empty() && found.next().is_none())
        };
        let (endpoint, key) = part("endpoint").zip(part("accesskey")).ok_or_else(|| refuse(FORM))?;
        let endpoint = endpoint.parse::<BaseUrl>().map_err(|_| {
            refuse("the endpoint in the Azure connection string must be an https URL without a path")
        })?;
        let key = STANDARD
            .decode(key)
            .map_err(|_| refuse("the access key in the Azure connection string must be Base64"))?;
        Ok(Self { endpoint, key: Zeroizing::new(key) })
    }
}

/// How the connection to an SMTP server is protected. None of them falls back to plain text: a server that lacks what
/// is set gets neither email nor password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmtpSecurity {
    /// STARTTLS (RFC 3207): the connection begins in plain text and turns to TLS before the login. Port 587 unless set.
    StartTls,
    /// TLS from the first byte (RFC 8314). Port 465 unless set.
    Tls,
    /// No TLS, which is allowed to a loopback address only. Port 587 unless set.
    PlainLoopback,
}

/// A server that takes mail over SMTP: the one, and the only one, that the tenant's password goes to.
///
/// ```
/// # use auth0_egress::mail_credentials::{SmtpSecurity, SmtpServer};
/// let server = SmtpServer::new("smtp.acme.example", SmtpSecurity::Tls).port(2465).login("people", "password");
/// assert_eq!(server.authority(), "smtp.acme.example:2465");
/// ```
#[derive(Clone, Debug)]
pub struct SmtpServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: SmtpSecurity,
    pub(crate) login: Option<(String, Secret)>,
}

impl SmtpServer {
    /// Names a server that is spoken to in this way, on the port that is usual for it: 587, with TLS from the first
    /// byte 465.
    pub fn new(host: impl Into<String>, security: SmtpSecurity) -> Self {
        let port = if security == SmtpSecurity::Tls { SUBMISSIONS } else { SUBMISSION };
        Self { host: host.into().to_ascii_lowercase(), port, security, login: None }
    }

    /// Sets another port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Logs in with a user name and a password (AUTH PLAIN or LOGIN).
    #[must_use]
    pub fn login(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// Returns host and port.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        let address: Option<IpAddr> = self.host.parse().ok();
        let local = self.host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if !local && self.host.parse::<Domain>().is_err() && !matches!(address, Some(IpAddr::V4(_))) {
            return Err(refuse(
                "invalid SMTP server; expected a host name, e.g. smtp.acme.com, and the port separately",
            ));
        }
        if self.security == SmtpSecurity::PlainLoopback && !local {
            return Err(refuse(format!(
                "SMTP without TLS to {}: plain text is allowed to a loopback address only; use STARTTLS (port 587) \
                 or TLS (port 465)",
                self.host
            )));
        }
        if self.port == 0 {
            return Err(refuse("the SMTP server's port must not be 0"));
        }
        match &self.login {
            // A NUL would end a field of AUTH PLAIN.
            Some((user, password))
                if user.is_empty() || password.is_empty() || has_control(user, password) =>
            {
                Err(SettingsError::Value { name: "the user or the password of the SMTP server" })
            }
            _ => Ok(()),
        }
    }
}

fn has_control(user: &str, password: &Secret) -> bool {
    user.chars().chain(password.expose().chars()).any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_takes_a_key_is_named_as_auth0_names_it() {
        for provider in ApiKeyProvider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
        for other in ["ses", "azure_cs", "ms365", "smtp", "SendGrid", "none", ""] {
            assert!(other.parse::<ApiKeyProvider>().is_err(), "{other}");
        }
    }

    #[test]
    fn credentials_are_checked_without_being_repeated() {
        let smtp = |host: &str, security| SmtpServer::new(host, security);
        for (credentials, expected) in [
            (MailCredentials::api_key(ApiKeyProvider::SendGrid, "k"), None),
            (
                MailCredentials::api_key(ApiKeyProvider::Resend, "canary\r\n"),
                Some("the email provider's key"),
            ),
            (MailCredentials::ses("AKIA", "canary", "eu-west-1"), None),
            (MailCredentials::ses("AKIA", "canary", "eu-west-1.evil.example"), Some("region")),
            (MailCredentials::ses("AKIA", "canary", ""), Some("region")),
            (MailCredentials::ses("AKIA", "canary\n", "eu-west-1"), Some("secret access key")),
            (MailCredentials::ses("", "canary", "eu-west-1"), Some("id of the access key")),
            (
                MailCredentials::azure_communication(
                    "endpoint=https://acme.communication.azure.com/;accesskey=Y2FuYXJ5",
                ),
                None,
            ),
            (
                MailCredentials::azure_communication("AccessKey=Y2FuYXJ5; Endpoint=http://127.0.0.1:8080"),
                None,
            ),
            (MailCredentials::azure_communication("canary"), Some("connection string")),
            (
                MailCredentials::azure_communication("endpoint=https://a.example;accesskey="),
                Some("connection string"),
            ),
            (
                MailCredentials::azure_communication(
                    "endpoint=https://a.example;endpoint=https://b.example;accesskey=canary",
                ),
                Some("connection string"),
            ),
            (
                MailCredentials::azure_communication("endpoint=http://a.example;accesskey=canary"),
                Some("https URL"),
            ),
            (
                MailCredentials::azure_communication("endpoint=https://a.example;accesskey=canary!"),
                Some("Base64"),
            ),
            (MailCredentials::microsoft365("acme.onmicrosoft.com", "id", "canary"), None),
            (MailCredentials::microsoft365("0E2A8F6C-2f0a-4f3b-9f5e-1f2d3c4b5a69", "id", "canary"), None),
            (MailCredentials::microsoft365("../common", "id", "canary"), Some("tenant id")),
            (MailCredentials::microsoft365("acme", "", "canary"), Some("client id")),
            (MailCredentials::microsoft365("acme", "id", ""), Some("client secret")),
            (MailCredentials::Smtp(smtp("smtp.acme.com", SmtpSecurity::StartTls).login("u", "canary")), None),
            (MailCredentials::Smtp(smtp("smtp.acme.com:25", SmtpSecurity::StartTls)), Some("host name")),
            (MailCredentials::Smtp(smtp("u@smtp.acme.com", SmtpSecurity::Tls)), Some("host name")),
            (MailCredentials::Smtp(smtp("127.0.0.1", SmtpSecurity::PlainLoopback)), None),
            (MailCredentials::Smtp(smtp("::1", SmtpSecurity::PlainLoopback)), None),
            (
                MailCredentials::Smtp(smtp("smtp.acme.com", SmtpSecurity::PlainLoopback)),
                Some("STARTTLS (port 587)"),
            ),
            (MailCredentials::Smtp(smtp("10.0.0.1", SmtpSecurity::PlainLoopback)), Some("loopback")),
            (
                MailCredentials::Smtp(smtp("a.example", SmtpSecurity::Tls).login("u\0", "canary")),
                Some("password"),
            ),
            (MailCredentials::Smtp(smtp("a.example", SmtpSecurity::Tls).login("u", "")), Some("password")),
        ] {
            let text = format!("{credentials:?}");
            assert!(!text.contains("canary") && !text.contains("Y2Fu"), "{text}");
            let error = credentials.check().err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(error, None, "{text}"),
                Some(hint) => {
                    let error = error.unwrap_or_else(|| panic!("{text} was taken"));
                    assert!(error.contains(hint) && !error.contains("canary"), "{text}: {error}");
                }
            }
        }
    }
}
