//! What is right and wrong with a tenant, found out by trying.
//!
//! An error of a call says that something does not work; a person then asks the same questions in the same order: does
//! the name resolve, does TLS come up, is there a tenant behind it, does it take the credentials, what may they do.
//! These are the questions, asked with the tenant's own resolver, certificates and token. Nothing is changed: four
//! requests are sent, one for a token and three that read, and what they answer about persons is not looked at. They are
//! the host's own and are not held to the tenant's policy, which is about what a component may do.

mod policy;
mod scopes;
mod tenant;
mod tls;

use std::fmt;

use serde::Serialize;

use crate::{base_url::BaseUrl, egress::transport::trusted, error::Error, host::Host, settings::Settings};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, in words. No secrets.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What the advice is about, for programs that have an option, a variable or a command for it.
    #[serde(skip)]
    pub topic: Option<Topic>,
}

/// What an advice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topic {
    /// [`Settings::audience`].
    Audience,
    /// [`Settings::credentials`].
    Credentials,
    /// [`Settings::base_url`].
    BaseUrl,
    /// [`Settings::ca_pem`].
    CaCertificates,
    /// [`Settings::policy`].
    Policy,
    /// The scopes that the application is granted.
    Grant,
    /// [`Settings::email_credentials`].
    EmailCredentials,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and could be better or will not work for long.
    Warn,
    /// Calls will fail.
    Fail,
    /// It was not looked at, since something before it failed.
    Skip,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Check {
    /// The component: it loads, and which one it is.
    Component,
    /// The cache of compiled code.
    Cache,
    /// The tenant's policy.
    Policy,
    /// The settings go together.
    Settings,
    /// The tenant's name resolves, to addresses that may be connected to.
    Dns,
    /// The handshake, the certificate, its expiry, the protocol.
    Tls,
    /// There is a tenant behind the domain.
    Domain,
    /// This machine's clock against the tenant's.
    Clock,
    /// The tenant takes the credentials.
    Token,
    /// What the token may do.
    Scopes,
    /// What is left of the rate limit.
    RateLimit,
    /// The tenant's email provider.
    Mail,
}

impl Finding {
    /// States a finding.
    pub fn new(check: Check, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { check, verdict, found: found.into(), advice: None, topic: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Sets what the advice is about.
    #[must_use]
    pub fn about(mut self, topic: Topic) -> Self {
        self.topic = Some(topic);
        self
    }
}

impl Verdict {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

impl Check {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Cache => "cache",
            Self::Policy => "policy",
            Self::Settings => "settings",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Domain => "domain",
            Self::Clock => "clock",
            Self::Token => "token",
            Self::Scopes => "scopes",
            Self::RateLimit => "rate-limit",
            Self::Mail => "mail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Host {
    /// Examines what calls with these settings would meet: policy, settings, name, TLS, tenant, clock, token, scopes,
    /// rate limit and email provider, in this order. What cannot be looked at since something before it failed is skipped.
    pub async fn diagnose(&self, mut settings: Settings) -> Vec<Finding> {
        let policy = match policy::examine(self, &settings.policy).await {
            Ok(finding) => finding,
            Err(error) => return vec![refused(&error)],
        };
        if policy.verdict == Verdict::Fail {
            // The other checks run no actions.
            settings.policy = settings.policy.without_actions();
        }
        let mut findings = vec![policy];
        match self.examine_tenant(settings).await {
            Ok(rest) => findings.extend(rest),
            Err(error) => findings.push(refused(&error)),
        }
        findings
    }

    async fn examine_tenant(&self, settings: Settings) -> Result<Vec<Finding>, Error> {
        let plan = Plan::of(&settings)?;
        let roots = trusted(self.roots().await?.clone(), settings.ca_pem.as_deref())?;
        let tenant = self.tenant(settings).await?;
        let mut findings = vec![Finding::new(Check::Settings, Verdict::Ok, plan.to_string())];
        let reached = match tls::resolve(&plan.tenant, tenant.egress().resolver()).await {
            Ok((finding, addresses)) => {
                findings.push(finding);
                let finding = tls::examine(&plan.tenant, addresses, roots).await;
                let reached = finding.verdict != Verdict::Fail;
                findings.push(finding);
                reached
            }
            Err(finding) => {
                findings.push(finding);
                false
            }
        };
        if reached {
            findings.extend(tenant::examine(&tenant, &plan).await);
        }
        let rest = [
            (Check::Tls, "the name does not resolve to a usable address"),
            (Check::Domain, "no tenant was reached"),
            (Check::Clock, "no tenant was reached"),
            (Check::Token, "no tenant was reached"),
            (Check::Scopes, "there is no token"),
            (Check::RateLimit, "there is no token"),
            (Check::Mail, "there is no token"),
        ];
        for (check, reason) in rest {
            if !findings.iter().any(|finding| finding.check == check) {
                findings.push(Finding::new(check, Verdict::Skip, reason));
            }
        }
        Ok(findings)
    }
}

fn refused(error: &Error) -> Finding {
    Finding::new(Check::Settings, Verdict::Fail, error.to_string())
        .advise("correct the setting that it names")
}

/// What of the settings the checks need to know.
struct Plan {
    tenant: BaseUrl,
    domain: String,
    has_credentials: bool,
    signs_with_a_key: bool,
    /// The email provider that the credentials are for.
    mail_provider: Option<&'static str>,
}

impl Plan {
    fn of(settings: &Settings) -> Result<Self, Error> {
        use crate::credentials::Credentials;
        settings.check()?;
        Ok(Self {
            tenant: settings.base_url.clone().unwrap_or_else(|| BaseUrl::of_domain(&settings.domain)),
            domain: settings.domain.to_string(),
            has_credentials: !matches!(settings.credentials, Credentials::None),
            signs_with_a_key: matches!(settings.credentials, Credentials::PrivateKey { .. }),
            mail_provider: settings.email_credentials.as_ref().map(|held| held.provider().name()),
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {} at {}", self.domain, self.tenant)
    }
}
