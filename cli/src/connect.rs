//! From options and environment to a tenant.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use auth0_emulator::{Emulator, Seed};
use auth0_host::{
    ApiKeyProvider, AuditFile, AuditSink, BaseUrl, CodeCache, Credentials, Domain, Host, Policy, RatePlan,
    ReachSet, Settings, SettingsError, Tenant,
};

use super::{
    Failure, Globals, compile, credentials, credentials::credentials, emulator, file, mail::mail_credentials,
    policy::PolicySource,
};

/// Calls at once that the command needs: those that a tenant may have by default. Preparing the pool's slots for
/// the library's 1,000 takes 2 ms of each start.
const CALLS: u32 = 64;

/// Loads the component.
pub(crate) async fn host(globals: &Globals) -> Result<Host, Failure> {
    let cache = code_cache(globals, std::env::var_os("AUTH0_CACHE").as_deref());
    match &globals.component {
        Some(path) => compile::host(path, cache, CALLS).await,
        None => Ok(Host::builder().code_cache(cache).concurrent_calls(CALLS).build_async().await?),
    }
}

/// Returns where compiled code is kept: a shell starts the program for each call, so it is kept unless that is switched
/// off.
fn code_cache(globals: &Globals, variable: Option<&OsStr>) -> CodeCache {
    match variable.filter(|value| !value.is_empty()) {
        _ if globals.no_cache => CodeCache::Off,
        Some(value) if value == "off" => CodeCache::Off,
        Some(folder) => CodeCache::Folder(folder.into()),
        None => CodeCache::PerUser,
    }
}

/// The tenant of a command, for whoever has to close it. Empty until there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opened(Arc<OnceLock<(Tenant, Option<Arc<AuditFile>>)>>);

impl Opened {
    /// Returns the tenant, where the command got as far as that.
    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        self.0.get().map(|(tenant, _)| tenant)
    }

    /// Stops what is under way, and waits for the audit records.
    pub(crate) async fn close(&self) {
        let Some((tenant, audit)) = self.0.get() else { return };
        tenant.close().await;
        if let Some(Err(error)) = audit.as_ref().map(|audit| audit.ready()) {
            crate::print::stderr(format_args!("warning: {error}"));
        }
    }
}

/// A tenant, with the offline tenant behind it where that was asked for.
pub(crate) struct Target {
    pub(crate) tenant: Tenant,
    emulator: Option<Emulator>,
}

impl Target {
    /// Opens the tenant that options and environment name.
    pub(crate) async fn open(host: &Host, globals: &Globals) -> Result<Self, Failure> {
        Self::open_for(host, globals, ReachSet::NONE).await
    }

    /// Opens it for a command that declares what its own requests can do beyond what they say: the default policy does not
    /// deny that then. A policy that somebody names holds as it is.
    pub(crate) async fn open_for(
        host: &Host,
        globals: &Globals,
        declared: ReachSet,
    ) -> Result<Self, Failure> {
        let (settings, emulator) = prepare(globals, declared).await?;
        let audit = audit(globals, |name| std::env::var(name).ok())?;
        let settings = match &audit {
            Some(file) => settings.audit(Arc::clone(file) as Arc<dyn AuditSink>),
            None => settings,
        };
        let tenant = host.tenant(settings).await?;
        // A command has one tenant.
        let _ = globals.opened.0.set((tenant.clone(), audit));
        Ok(Self { tenant, emulator })
    }

    /// Returns what the demo should know of the tenant.
    pub(crate) fn demo_tenant(&self) -> crate::demo::DemoTenant {
        match &self.emulator {
            Some(emulator) => crate::demo::DemoTenant {
                client_id: Some(emulator.client_id().to_owned()),
                offline: Some(emulator.control()),
            },
            None => {
                crate::demo::DemoTenant { client_id: std::env::var("AUTH0_CLIENT_ID").ok(), offline: None }
            }
        }
    }

    /// Ends the offline tenant.
    pub(crate) async fn close(self) {
        if let Some(emulator) = self.emulator {
            emulator.shutdown().await;
        }
    }
}

/// Whether options and environment name a tenant and how to prove who acts, for a command that can do without.
pub(crate) fn is_configured(globals: &Globals) -> bool {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let tenant = globals.domain.is_some() || variable("AUTH0_DOMAIN").is_some();
    globals.emulator || (tenant && credentials::are_named(&globals.credentials, &variable))
}

/// Returns the policy that the option or the environment names. A name that is no UTF-8 names a file too.
pub(crate) fn policy_source(globals: &Globals) -> PolicySource {
    let variable = std::env::var_os("AUTH0_POLICY").filter(|path| !path.is_empty());
    PolicySource::of(globals.policy.clone().or(variable.map(PathBuf::from)))
}

/// Returns the settings that options and environment give, with the offline tenant where that was asked for.
async fn prepare(globals: &Globals, declared: ReachSet) -> Result<(Settings, Option<Emulator>), Failure> {
    let policy = match policy_source(globals) {
        PolicySource::Default if !declared.is_empty() => {
            let denied =
                ReachSet::DENIED_BY_DEFAULT.iter().filter(|reach| !declared.contains(*reach)).collect();
            let policy = Policy::builder().deny_reach(denied).build();
            Some(policy.map_err(|error| Failure::Usage(format!("the policy: {error}")))?)
        }
        source => source.read()?,
    };
    prepare_with(globals, policy).await
}

/// As [`prepare`], for a command that has something to say about a policy that cannot be read.
pub(crate) async fn prepare_with(
    globals: &Globals,
    policy: Option<Policy>,
) -> Result<(Settings, Option<Emulator>), Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let (settings, emulator) = if globals.emulator {
        let mut builder = Emulator::builder().seed(Seed::demo());
        if let Some(plan) = globals.plan {
            builder = builder.plan(emulator::limits(plan)?);
        }
        let emulator = builder.start().await.map_err(|error| {
            Failure::Host(anyhow::Error::new(error).context("the offline tenant did not start"))
        })?;
        let settings = emulator_settings(&emulator)?.rate_plan(globals.plan.unwrap_or_default());
        (settings, Some(emulator))
    } else {
        (settings(globals, policy.as_ref(), variable)?, None)
    };
    let settings = match policy {
        Some(policy) => settings.policy(policy),
        None => settings,
    };
    let present = |name: &str| variable(name).filter(|value| !value.is_empty());
    Ok((globals.secrets.apply(settings, &present)?, emulator))
}

/// Returns the settings for an offline tenant. Its email provider is that of [`Seed::demo`].
fn emulator_settings(emulator: &Emulator) -> Result<Settings, Failure> {
    let url = |text: &str| text.parse::<BaseUrl>().map_err(|error| refuse(error.into()));
    let domain: Domain =
        emulator.domain().parse().map_err(|error: auth0_host::DomainError| refuse(error.into()))?;
    let settings = Settings::new(domain)
        .base_url(url(emulator.base_url())?)
        .audience(emulator.audience())
        .credentials(Credentials::client_secret(emulator.client_id(), emulator.client_secret()))
        .email_base_url(url(emulator.mail_base_url())?)
        .email_api_key(ApiKeyProvider::SendGrid, emulator.mail_api_key());
    Ok(match emulator.ca_pem() {
        Some(pem) => settings.ca_pem(pem),
        None => settings,
    })
}

/// Puts settings together. Options come before the environment; an empty variable counts as absent.
fn settings(
    globals: &Globals,
    policy: Option<&Policy>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Settings, Failure> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let Some(domain) = globals.domain.clone().or_else(|| variable("AUTH0_DOMAIN")) else {
        return Err(Failure::Usage(
            "no tenant is named: give --domain acme.eu.auth0.com, set AUTH0_DOMAIN, or try --emulator"
                .to_owned(),
        ));
    };
    let domain = parse_domain("the tenant's domain (--domain, AUTH0_DOMAIN)", &domain)?;
    let mut settings = Settings::new(domain).credentials(credentials(&globals.credentials, &variable)?);
    if let Some(url) = globals.base_url.clone().or_else(|| variable("AUTH0_BASE_URL")) {
        settings = settings.base_url(parse_url("the tenant's address (--base-url, AUTH0_BASE_URL)", &url)?);
    }
    if let Some(id) = variable("AUTH0_CLIENT_ID") {
        settings = settings.client_id(id);
    }
    if let Some(audience) = variable("AUTH0_AUDIENCE") {
        settings = settings.audience(audience);
    }
    if let Some(domain) = variable("AUTH0_CUSTOM_DOMAIN") {
        settings = settings.custom_domain(parse_domain("AUTH0_CUSTOM_DOMAIN", &domain)?);
    }
    if let Some(credentials) = mail_credentials(&variable, policy)? {
        settings = settings.email_credentials(credentials);
    }
    if let Some(url) = variable("AUTH0_EMAIL_BASE_URL") {
        settings = settings.email_base_url(parse_url("AUTH0_EMAIL_BASE_URL", &url)?);
    }
    if let Some(text) = variable("AUTH0_DEADLINE_MS") {
        let milliseconds = text.parse().ok().filter(|milliseconds| *milliseconds > 0);
        let number = || {
            Failure::Usage("AUTH0_DEADLINE_MS: give milliseconds from 1 to 3600000, such as 30000".to_owned())
        };
        settings = settings.deadline(Duration::from_millis(milliseconds.ok_or_else(number)?));
    }
    if let Some(text) = variable("AUTH0_MAX_RETRIES") {
        let number =
            |_| Failure::Usage("AUTH0_MAX_RETRIES: give a number from 0 to 10, such as 2".to_owned());
        settings = settings.max_retries(text.parse().map_err(number)?);
    }
    let plan = variable("AUTH0_PLAN").map(|text| text.parse::<RatePlan>()).transpose();
    let plan = plan.map_err(|error| Failure::Usage(format!("AUTH0_PLAN: {error}")))?;
    settings = settings.rate_plan(globals.plan.or(plan).unwrap_or_default());
    if let Some(path) = &globals.ca_cert {
        let pem = file::bytes(path, file::CERTIFICATES);
        settings = settings.ca_pem(pem.map_err(|error| unreadable("--ca-cert", path, &error))?);
    }
    Ok(settings)
}

/// Opens the audit file. Who asks for one wants no call without its record.
fn audit(
    globals: &Globals,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Arc<AuditFile>>, Failure> {
    let named = || variable("AUTH0_AUDIT").filter(|value| !value.is_empty()).map(PathBuf::from);
    let Some(path) = globals.audit.clone().or_else(named) else { return Ok(None) };
    let file = AuditFile::open(&path).map_err(|error| unreadable("--audit", &path, &error.source))?;
    Ok(Some(Arc::new(file.refuse_calls_without_it())))
}

fn parse_domain(name: &str, text: &str) -> Result<Domain, Failure> {
    text.parse().map_err(|error: auth0_host::DomainError| misplaced(name, text, &error.to_string()))
}

fn parse_url(name: &str, text: &str) -> Result<BaseUrl, Failure> {
    text.parse().map_err(|error: auth0_host::BaseUrlError| misplaced(name, text, &error.to_string()))
}

/// Names the setting, and does not repeat a value that may be a secret in the wrong place: Auth0's secrets have 64
/// characters, domains that people have are shorter than half of that.
fn misplaced(name: &str, text: &str, problem: &str) -> Failure {
    const LONGEST_SHOWN: usize = 48;
    Failure::Usage(if text.len() > LONGEST_SHOWN {
        format!("{name} is not usable: it has {} characters and is no such value", text.len())
    } else {
        format!("{name}: {problem}")
    })
}

fn refuse(error: SettingsError) -> Failure {
    Failure::Usage(error.to_string())
}

fn unreadable(option: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{option}: {} could not be opened: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::CredentialFiles;

    fn with(globals: &Globals, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| {
            variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
        };
        settings(globals, None, find).map_err(|failure| match failure {
            Failure::Usage(message) => message,
            other => format!("not a usage error: {other:?}"),
        })
    }

    #[test]
    fn misuse_is_answered_by_what_to_do() {
        let domain = ("AUTH0_DOMAIN", "acme.auth0.com");
        let nothing = Globals::default();
        let with_files = |credentials| Globals { credentials, ..Globals::default() };
        let path = || Some("/no/such/file".into());
        let file = with_files(CredentialFiles { client_secret_file: path(), ..CredentialFiles::default() });
        let key = with_files(CredentialFiles { private_key_file: path(), ..CredentialFiles::default() });
        let token = with_files(CredentialFiles { token_file: path(), ..CredentialFiles::default() });
        let ca = Globals { ca_cert: Some("/no/such/ca".into()), ..Globals::default() };
        for (globals, variables, hint) in [
            (&nothing, &[][..], "--emulator"),
            (&nothing, &[("AUTH0_DOMAIN", "")], "--domain"),
            (&nothing, &[domain], "AUTH0_CLIENT_SECRET"),
            (&nothing, &[domain, ("AUTH0_CLIENT_ID", "id")], "--client-secret-file"),
            (&nothing, &[domain, ("AUTH0_CLIENT_SECRET", "canary")], "AUTH0_CLIENT_ID"),
            (
                &nothing,
                &[("AUTH0_DOMAIN", "https://acme.auth0.com"), ("AUTH0_TOKEN", "canary")],
                "bare domain",
            ),
            (
                &nothing,
                &[domain, ("AUTH0_TOKEN", "canary"), ("AUTH0_BASE_URL", "http://10.0.0.1")],
                "loopback",
            ),
            (&nothing, &[domain, ("AUTH0_TOKEN", "canary"), ("AUTH0_DEADLINE_MS", "0")], "milliseconds"),
            (&nothing, &[domain, ("AUTH0_TOKEN", "canary"), ("AUTH0_MAX_RETRIES", "-1")], "a number"),
            (
                &nothing,
                &[domain, ("AUTH0_TOKEN", "canary"), ("AUTH0_PLAN", "gold")],
                "enterprise-nonproduction",
            ),
            (&file, &[domain, ("AUTH0_CLIENT_ID", "id")], "/no/such/file"),
            (&key, &[domain, ("AUTH0_CLIENT_ID", "id")], "--private-key-file: /no/such/file"),
            (&token, &[domain], "--token-file: /no/such/file"),
            (&nothing, &[domain, ("AUTH0_TOKEN_FILE", "/no/such/file")], "AUTH0_TOKEN_FILE: /no/such/file"),
            (&nothing, &[domain, ("AUTH0_TOKEN_FILE", "/x"), ("AUTH0_TOKEN", "canary")], "leave one out"),
            (
                &nothing,
                &[
                    domain,
                    ("AUTH0_CLIENT_ID", "id"),
                    ("AUTH0_CLIENT_SECRET", "canary"),
                    ("AUTH0_PRIVATE_KEY", "canary"),
                ],
                "leave one out",
            ),
            (
                &nothing,
                &[domain, ("AUTH0_CLIENT_ID", "id"), ("AUTH0_PRIVATE_KEY", "canary")],
                "AUTH0_PRIVATE_KEY: this is not an RSA private key",
            ),
            (&nothing, &[domain, ("AUTH0_PRIVATE_KEY", "canary")], "private key but no id"),
            (&ca, &[domain, ("AUTH0_TOKEN", "canary")], "/no/such/ca"),
        ] {
            let message = with(globals, variables).unwrap_err();
            assert!(message.contains(hint), "{variables:?}: {message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn compiled_code_is_kept_for_the_user_unless_somebody_says_otherwise() {
        let on = Globals::default();
        let off = Globals { no_cache: true, ..Globals::default() };
        for (globals, variable, expected) in [
            (&on, None, CodeCache::PerUser),
            (&on, Some(""), CodeCache::PerUser),
            (&on, Some("off"), CodeCache::Off),
            (&on, Some("/tmp/code"), CodeCache::Folder("/tmp/code".into())),
            (&off, None, CodeCache::Off),
            (&off, Some("/tmp/code"), CodeCache::Off),
        ] {
            assert_eq!(code_cache(globals, variable.map(OsStr::new)), expected, "{variable:?}");
        }
    }

    #[test]
    fn options_come_before_the_environment() {
        let globals = Globals { domain: Some("option.auth0.com".to_owned()), ..Globals::default() };
        let settings =
            with(&globals, &[("AUTH0_DOMAIN", "variable.auth0.com"), ("AUTH0_TOKEN", "canary")]).unwrap();
        let text = format!("{settings:?}");
        assert!(text.contains("option.auth0.com") && !text.contains("variable.auth0.com"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
