//! What has to be known to reach a tenant.
//!
//! The settings are split on the way: credentials go to the egress and stay there, the rest becomes the guest's
//! environment. [`Settings::environment`] is the only place that writes that environment.

use std::{sync::Arc, time::Duration};

use crate::{
    audit::AuditSink,
    base_url::BaseUrl,
    credentials::Credentials,
    domain::Domain,
    egress::governor::{RESERVE_PERCENT, RatePlan},
    error::SettingsError,
    limits::Limits,
    mail_credentials::{ApiKeyProvider, MailCredentials},
    policy::Policy,
    runtime::InstancePolicy,
    secret::Secret,
    secrets::{SecretSink, Sink},
};

/// How long a call may take where nothing else is said. The component's own default: an interactive workflow step is
/// given up by its user at about this time.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// How often the component repeats a request where nothing else is said: as Auth0's own SDKs do (node-auth0,
/// auth0-python: 2).
const DEFAULT_MAX_RETRIES: u32 = 2;
/// The component's own bound: more than an hour is a job for the engine's durable timer.
const MAX_DEADLINE: Duration = Duration::from_secs(3600);
/// The component's own bound, and the ceiling of Auth0's SDKs.
const MAX_RETRIES: u32 = 10;
/// Half of a bucket: a tenant that leaves more to others is better given a plan of its own.
const MAX_RESERVE_PERCENT: u32 = 50;

/// The variable that tells the guest how long its call may take.
pub(crate) const DEADLINE_VARIABLE: &str = "AUTH0_DEADLINE_MS";

fn in_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn bounded(name: &'static str, given: u64, least: u64, most: u64) -> Result<(), SettingsError> {
    if (least..=most).contains(&given) {
        Ok(())
    } else {
        Err(SettingsError::Bounds { name, given, least, most })
    }
}

/// Settings of a tenant, in builder style.
///
/// ```
/// use std::time::Duration;
///
/// use auth0_host::{ApiKeyProvider, Credentials, FileSink, Limits, Policy, RatePlan, Settings};
///
/// let settings = Settings::new("acme.eu.auth0.com".parse()?)
///     .credentials(Credentials::client_secret("client id", "client secret"))
///     .policy(Policy::builder().read_only().build()?)
///     .limits(Limits::new().requests(50))
///     .deadline(Duration::from_secs(20))
///     .rate_plan(RatePlan::Enterprise)
///     .email_api_key(ApiKeyProvider::SendGrid, "SG.key")
///     .secret_sink(FileSink::new("/var/lib/engine/secrets"))
///     .name("production");
/// assert!(!format!("{settings:?}").contains("client secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) domain: Domain,
    pub(crate) credentials: Credentials,
    pub(crate) audience: Option<String>,
    pub(crate) base_url: Option<BaseUrl>,
    pub(crate) email_credentials: Option<MailCredentials>,
    pub(crate) email_base_url: Option<BaseUrl>,
    pub(crate) ca_pem: Option<Vec<u8>>,
    pub(crate) custom_domain: Option<Domain>,
    pub(crate) client_id: Option<String>,
    pub(crate) deadline: Duration,
    pub(crate) max_retries: u32,
    pub(crate) policy: Policy,
    pub(crate) secret_sink: Option<Sink>,
    pub(crate) limits: Limits,
    pub(crate) instances: InstancePolicy,
    pub(crate) audit: Option<Arc<dyn AuditSink>>,
    pub(crate) name: Option<String>,
    pub(crate) rate_plan: RatePlan,
    pub(crate) rate_headroom: u32,
}

impl Settings {
    /// Begins with a tenant and no credentials.
    pub fn new(domain: Domain) -> Self {
        Self {
            domain,
            credentials: Credentials::None,
            audience: None,
            base_url: None,
            email_credentials: None,
            email_base_url: None,
            ca_pem: None,
            custom_domain: None,
            client_id: None,
            deadline: DEFAULT_DEADLINE,
            max_retries: DEFAULT_MAX_RETRIES,
            policy: Policy::default(),
            secret_sink: None,
            limits: Limits::default(),
            instances: InstancePolicy::default(),
            audit: None,
            name: None,
            rate_plan: RatePlan::default(),
            rate_headroom: RESERVE_PERCENT,
        }
    }

    /// Sets how the host proves who it is.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets the audience of tokens; `https://{domain}/api/v2/` where absent.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Reaches the tenant at another address: the offline tenant, a gateway.
    #[must_use]
    pub fn base_url(mut self, url: BaseUrl) -> Self {
        self.base_url = Some(url);
        self
    }

    /// Sets the key of the tenant's email provider, and whose it is: it is sent to nobody else. [`MailCredentials`] has the
    /// providers that want more than a key.
    #[must_use]
    pub fn email_api_key(self, provider: ApiKeyProvider, key: impl Into<Secret>) -> Self {
        self.email_credentials(MailCredentials::api_key(provider, key))
    }

    /// Sets how the host proves to the tenant's email provider who it is.
    #[must_use]
    pub fn email_credentials(mut self, credentials: MailCredentials) -> Self {
        self.email_credentials = Some(credentials);
        self
    }

    /// Reaches the email provider at another address. An SMTP server is not meant: it has its own.
    #[must_use]
    pub fn email_base_url(mut self, url: BaseUrl) -> Self {
        self.email_base_url = Some(url);
        self
    }

    /// Trusts these certificate authorities (PEM) besides the machine's own.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// Names the custom domain that links in emails and tickets are made for.
    #[must_use]
    pub fn custom_domain(mut self, domain: Domain) -> Self {
        self.custom_domain = Some(domain);
        self
    }

    /// Names the application in whose name password reset emails are sent. Where absent it is the one of the client
    /// secret or private key.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Sets how long one call may take, retries included; 30 s where absent.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how often the component repeats a request that may be repeated; 2 where absent.
    #[must_use]
    pub fn max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = max_retries;
        self
    }

    /// Sets what the tenant may do. Where absent it is the default policy: what its credentials allow, but no request that
    /// runs code, exfiltrates, escalates or weakens.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets what a call may use; [`Limits::default`] where absent.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long an instance lives; for one call where absent.
    #[must_use]
    pub fn instances(mut self, instances: InstancePolicy) -> Self {
        self.instances = instances;
        self
    }

    /// Gives each call a record in this sink, which any number of tenants may share.
    #[must_use]
    pub fn audit(mut self, sink: Arc<dyn AuditSink>) -> Self {
        self.audit = Some(sink);
        self
    }

    /// Names the tenant, for audit records and traces.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets where secrets go that the tenant makes, such as those of `rotate-client-secret`; results hold their handles.
    /// Where absent, requests that make a secret are denied, since nobody would ever have it.
    #[must_use]
    pub fn secret_sink(mut self, sink: impl SecretSink + 'static) -> Self {
        self.secret_sink = Some(Sink(Arc::new(sink)));
        self
    }

    /// Sets the rate limits to begin with; [`RatePlan::Auto`] where absent.
    #[must_use]
    pub fn rate_plan(mut self, plan: RatePlan) -> Self {
        self.rate_plan = plan;
        self
    }

    /// Sets how much of each bucket, in percent, is left to the tenant's log-ins and other clients; 10 where absent. Whole
    /// tokens only: of a bucket of 2 that is none.
    #[must_use]
    pub fn rate_headroom(mut self, percent: u32) -> Self {
        self.rate_headroom = percent;
        self
    }

    /// Refuses what could not be sent, before anything is.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let printable = |name, text: &str| {
            let sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            if sendable { Ok(()) } else { Err(SettingsError::Value { name }) }
        };
        self.credentials.check()?;
        if let Some(credentials) = &self.email_credentials {
            credentials.check()?;
        }
        if let Some(client_id) = &self.client_id {
            printable("the client id", client_id)?;
        }
        if let Some(audience) = &self.audience {
            printable("the audience", audience)?;
        }
        self.limits.check()?;
        bounded("the deadline in milliseconds", in_ms(self.deadline), 1, in_ms(MAX_DEADLINE))?;
        bounded("the number of retries", self.max_retries.into(), 0, MAX_RETRIES.into())?;
        bounded("the reserve in percent", self.rate_headroom.into(), 0, MAX_RESERVE_PERCENT.into())
    }

    /// Returns whether the machine's certificate authorities are needed, which take some milliseconds to read. Plain HTTP
    /// to this machine needs none.
    pub(crate) fn needs_roots(&self) -> bool {
        let is_plain = |url: &Option<BaseUrl>| url.as_ref().is_some_and(|url| url.scheme() == "http");
        !(is_plain(&self.base_url) && is_plain(&self.email_base_url))
    }

    /// Returns the application that acts, as far as that is known: a token or a vault does not say.
    pub(crate) fn application(&self) -> Option<&str> {
        self.credentials.client_id().or(self.client_id.as_deref())
    }

    /// Returns the guest's environment: everything but the secrets, and but for the deadline, which is each call's own.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let client_id = self.client_id.as_deref().or(self.credentials.client_id()).map(str::to_owned);
        [
            ("AUTH0_DOMAIN", Some(self.domain.to_string())),
            ("AUTH0_AUDIENCE", self.audience.clone()),
            ("AUTH0_BASE_URL", self.base_url.as_ref().map(ToString::to_string)),
            ("AUTH0_CLIENT_ID", client_id),
            ("AUTH0_CUSTOM_DOMAIN", self.custom_domain.as_ref().map(ToString::to_string)),
            ("AUTH0_MAX_RETRIES", Some(self.max_retries.to_string())),
            ("AUTH0_EMAIL_BASE_URL", self.email_base_url.as_ref().map(ToString::to_string)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("acme.eu.auth0.com".parse().unwrap())
    }

    #[test]
    fn the_guest_s_environment_names_the_application_and_holds_no_secret() {
        let settings = settings()
            .credentials(Credentials::client_secret("the-id", "canary-secret"))
            .email_api_key(ApiKeyProvider::SendGrid, "canary-key")
            .base_url("http://127.0.0.1:9".parse().unwrap());
        let environment = settings.environment();
        assert!(environment.contains(&("AUTH0_CLIENT_ID".to_owned(), "the-id".to_owned())));
        assert!(environment.contains(&("AUTH0_BASE_URL".to_owned(), "http://127.0.0.1:9".to_owned())));
        assert!(!format!("{environment:?} {settings:?}").contains("canary"));
    }

    #[test]
    fn a_value_that_would_break_a_header_is_refused_without_repeating_it() {
        for settings in [
            settings().credentials(Credentials::token("canary\r\nx: y")),
            settings().credentials(Credentials::token("")),
            settings().credentials(Credentials::client_secret("", "canary")),
            settings().credentials(Credentials::client_secret("id", "")),
            settings().email_api_key(ApiKeyProvider::SendGrid, "canary\n"),
        ] {
            let error = settings.check().unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
