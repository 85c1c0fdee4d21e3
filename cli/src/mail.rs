//! How to prove to the tenant's email provider who acts, from the environment.

use std::path::Path;

use auth0_host::{MailCredentials, Policy, Secret, SmtpSecurity, SmtpServer};

use super::{Failure, secret_file};

/// The variable that names whose key [`KEY`] is.
const PROVIDER: &str = "AUTH0_EMAIL_PROVIDER";
const KEY: &str = "AUTH0_EMAIL_API_KEY";

/// Puts the email provider's credentials together. `variable` answers `None` for an empty variable too. Where the
/// environment does not say whose a key is, the policy may.
pub(crate) fn mail_credentials(
    variable: &impl Fn(&str) -> Option<String>,
    policy: Option<&Policy>,
) -> Result<Option<MailCredentials>, Failure> {
    // Which provider is meant is said by the variable that no other provider has.
    let meant: [(&str, Read<_>); 5] = [
        (KEY, api_key),
        ("AUTH0_EMAIL_SES_ACCESS_KEY_ID", ses),
        ("AUTH0_EMAIL_AZURE_CONNECTION_STRING", |env| {
            Ok(MailCredentials::azure_communication(env.secret("AUTH0_EMAIL_AZURE_CONNECTION_STRING")?))
        }),
        ("AUTH0_EMAIL_MS365_CLIENT_ID", |env| {
            let tenant =
                env.text("AUTH0_EMAIL_MS365_TENANT_ID", "acme.onmicrosoft.com, or the directory's id")?;
            let client = env.text("AUTH0_EMAIL_MS365_CLIENT_ID", "the application's id")?;
            Ok(MailCredentials::microsoft365(tenant, client, env.secret("AUTH0_EMAIL_MS365_CLIENT_SECRET")?))
        }),
        ("AUTH0_EMAIL_SMTP_HOST", smtp),
    ];
    let environment = Environment(variable, policy.and_then(Policy::mail_provider));
    let mut given = meant.into_iter().filter(|(name, _)| environment.has(name));
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some((one, _)), Some((other, _))) => Err(Failure::Usage(format!(
            "both {one} and {other} are given: a tenant has one email provider; leave one out"
        ))),
        (Some((_, read)), None) => read(&environment).map(Some),
    }
}

type Read<F> = fn(&Environment<'_, F>) -> Result<MailCredentials, Failure>;

/// The variables, and the one email provider that the policy allows.
struct Environment<'a, F>(&'a F, Option<&'static str>);

impl<F: Fn(&str) -> Option<String>> Environment<'_, F> {
    /// Whether a variable or the one that names its file is there.
    fn has(&self, name: &str) -> bool {
        (self.0)(name).is_some() || (self.0)(&file(name)).is_some()
    }

    fn text(&self, name: &str, example: &str) -> Result<String, Failure> {
        (self.0)(name).ok_or_else(|| Failure::Usage(format!("{name} is not set: give {example}")))
    }

    /// Reads a secret from a variable or from the file that another one names.
    fn secret(&self, name: &str) -> Result<Secret, Failure> {
        let file = file(name);
        match ((self.0)(name), (self.0)(&file)) {
            (Some(_), Some(_)) => {
                Err(Failure::Usage(format!("both {name} and {file} are given: leave one out")))
            }
            (Some(value), None) => Ok(Secret::new(value)),
            (None, Some(path)) => secret_file::line(&file, Path::new(&path)),
            (None, None) => {
                Err(Failure::Usage(format!("{name} is not set: give it, or name a file in {file}")))
            }
        }
    }
}

/// The variable that names the file which a secret is in.
fn file(name: &str) -> String {
    format!("{name}_FILE")
}

fn api_key<F: Fn(&str) -> Option<String>>(
    environment: &Environment<'_, F>,
) -> Result<MailCredentials, Failure> {
    let said = (environment.0)(PROVIDER);
    let Some(name) = said.as_deref().or(environment.1) else {
        return Err(Failure::Usage(format!(
            "{KEY} is given and not whose it is: set {PROVIDER} to the tenant's email provider (sendgrid, mailgun, \
             mandrill, sparkpost or resend); the key is sent to that one and to no other"
        )));
    };
    let source = if said.is_some() { PROVIDER } else { "the policy's mail_provider, whose key that must be" };
    let provider = name.parse().map_err(|error| Failure::Usage(format!("{KEY} with {source}: {error}")))?;
    Ok(MailCredentials::api_key(provider, environment.secret(KEY)?))
}

fn ses<F: Fn(&str) -> Option<String>>(environment: &Environment<'_, F>) -> Result<MailCredentials, Failure> {
    let token = "AUTH0_EMAIL_SES_SESSION_TOKEN";
    Ok(MailCredentials::Ses {
        access_key_id: environment.text("AUTH0_EMAIL_SES_ACCESS_KEY_ID", "the id of the access key")?,
        secret_access_key: environment.secret("AUTH0_EMAIL_SES_SECRET_ACCESS_KEY")?,
        session_token: if environment.has(token) { Some(environment.secret(token)?) } else { None },
        region: environment
            .text("AUTH0_EMAIL_SES_REGION", "the region that the tenant has, such as eu-west-1")?,
    })
}

fn smtp<F: Fn(&str) -> Option<String>>(environment: &Environment<'_, F>) -> Result<MailCredentials, Failure> {
    let host = environment.text("AUTH0_EMAIL_SMTP_HOST", "smtp.acme.com")?;
    let security = match (environment.0)("AUTH0_EMAIL_SMTP_SECURITY").as_deref() {
        None | Some("starttls") => SmtpSecurity::StartTls,
        Some("tls") => SmtpSecurity::Tls,
        Some("plain-loopback") => SmtpSecurity::PlainLoopback,
        Some(_) => {
            return Err(Failure::Usage(
                "AUTH0_EMAIL_SMTP_SECURITY: give starttls, tls, or plain-loopback (to this machine only)"
                    .to_owned(),
            ));
        }
    };
    let mut server = SmtpServer::new(host, security);
    if let Some(port) = (environment.0)("AUTH0_EMAIL_SMTP_PORT") {
        let port = port.parse().map_err(|_| {
            Failure::Usage("AUTH0_EMAIL_SMTP_PORT: give a number from 1 to 65535, such as 587".to_owned())
        })?;
        server = server.port(port);
    }
    if let Some(user) = (environment.0)("AUTH0_EMAIL_SMTP_USER") {
        server = server.login(user, environment.secret("AUTH0_EMAIL_SMTP_PASS")?);
    }
    Ok(MailCredentials::Smtp(server))
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeSet};

    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<String, String> {
        let find = |name: &str| {
            variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
        };
        match mail_credentials(&find, None) {
            Ok(credentials) => Ok(format!("{credentials:?}")),
            Err(Failure::Usage(message)) => Err(message),
            Err(other) => panic!("not a usage error: {other:?}"),
        }
    }

    #[test]
    fn each_provider_is_named_by_its_own_variables() {
        let ses_id = ("AUTH0_EMAIL_SES_ACCESS_KEY_ID", "AKIA");
        let ses_secret = ("AUTH0_EMAIL_SES_SECRET_ACCESS_KEY", "canary");
        let ses_region = ("AUTH0_EMAIL_SES_REGION", "eu-west-1");
        let host = ("AUTH0_EMAIL_SMTP_HOST", "smtp.acme.com");
        let user = ("AUTH0_EMAIL_SMTP_USER", "people");
        for (variables, expected) in [
            (&[][..], Ok("None")),
            (
                &[("AUTH0_EMAIL_API_KEY", "canary"), ("AUTH0_EMAIL_PROVIDER", "resend")],
                Ok("provider: Resend"),
            ),
            (&[("AUTH0_EMAIL_API_KEY", "canary")], Err("set AUTH0_EMAIL_PROVIDER to the tenant's")),
            (
                &[("AUTH0_EMAIL_API_KEY_FILE", "/no/such/file")],
                Err("set AUTH0_EMAIL_PROVIDER to the tenant's"),
            ),
            (
                &[("AUTH0_EMAIL_API_KEY", "canary"), ("AUTH0_EMAIL_PROVIDER", "ses")],
                Err("with AUTH0_EMAIL_PROVIDER: not an email provider that takes a key"),
            ),
            (&[ses_id, ses_secret, ses_region], Ok("region: \"eu-west-1\"")),
            (&[ses_id, ses_secret], Err("AUTH0_EMAIL_SES_REGION is not set")),
            (&[ses_id, ses_region], Err("AUTH0_EMAIL_SES_SECRET_ACCESS_KEY_FILE")),
            (
                &[ses_id, ses_secret, ses_region, ("AUTH0_EMAIL_SES_SESSION_TOKEN", "canary")],
                Ok("session_token: Some("),
            ),
            (&[("AUTH0_EMAIL_AZURE_CONNECTION_STRING", "canary")], Ok("AzureCommunication")),
            (&[("AUTH0_EMAIL_MS365_CLIENT_ID", "id")], Err("AUTH0_EMAIL_MS365_TENANT_ID is not set")),
            (&[host], Ok("port: 587, security: StartTls, login: None")),
            (&[host, ("AUTH0_EMAIL_SMTP_SECURITY", "tls")], Ok("port: 465, security: Tls")),
            (&[host, ("AUTH0_EMAIL_SMTP_PORT", "2525")], Ok("port: 2525")),
            (&[host, ("AUTH0_EMAIL_SMTP_PORT", "smtp")], Err("AUTH0_EMAIL_SMTP_PORT")),
            (&[host, ("AUTH0_EMAIL_SMTP_SECURITY", "none")], Err("starttls, tls, or plain-loopback")),
            (&[host, user, ("AUTH0_EMAIL_SMTP_PASS", "canary")], Ok("login: Some((\"people\"")),
            (&[host, user], Err("AUTH0_EMAIL_SMTP_PASS is not set")),
            (&[host, user, ("AUTH0_EMAIL_SMTP_PASS_FILE", "/no/such/file")], Err("/no/such/file")),
            (
                &[host, user, ("AUTH0_EMAIL_SMTP_PASS_FILE", "/x"), ("AUTH0_EMAIL_SMTP_PASS", "canary")],
                Err("leave one out"),
            ),
            (&[host, ("AUTH0_EMAIL_API_KEY", "canary")], Err("a tenant has one email provider")),
        ] {
            let found = with(variables);
            let (text, hint) = match (&found, expected) {
                (Ok(text), Ok(hint)) | (Err(text), Err(hint)) => (text, hint),
                _ => panic!("{variables:?}: {found:?}"),
            };
            assert!(text.contains(hint) && !text.contains("canary"), "{variables:?}: {text}");
        }
    }

    /// What is asked of the environment where all that is asked for is there, by the variable that says which provider is
    /// meant.
    fn asked(meant: &str) -> BTreeSet<String> {
        let asked = RefCell::new(BTreeSet::new());
        let find = |name: &str| {
            let others = [KEY, "_ACCESS_KEY_ID", "_CONNECTION_STRING", "_CLIENT_ID", "_HOST"];
            let of_another = name != meant && others.iter().any(|other| name.ends_with(other));
            let value = match name {
                PROVIDER => "resend",
                "AUTH0_EMAIL_SMTP_PORT" => "2525",
                "AUTH0_EMAIL_SMTP_SECURITY" => "tls",
                _ => "x",
            };
            // A secret is in its variable, not in a file.
            let there = !of_another && !name.ends_with("_FILE");
            there.then(|| {
                asked.borrow_mut().insert(name.to_owned());
                value.to_owned()
            })
        };
        mail_credentials(&find, None).unwrap().unwrap();
        asked.into_inner()
    }

    #[test]
    fn the_page_on_email_names_each_variable_that_is_read_and_no_other() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/email.md");
        let page = std::fs::read_to_string(page).unwrap();
        let word = |letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
        // Whatever is a secret can be in a file too, and another address is no credential.
        let named = page.split(word).filter(|name| name.starts_with("AUTH0_EMAIL_") && !name.ends_with('_'));
        let named = named.map(|name| name.strip_suffix("_FILE").unwrap_or(name).to_owned());
        let named: BTreeSet<String> = named.filter(|name| name != "AUTH0_EMAIL_BASE_URL").collect();
        let meant = [
            KEY,
            "AUTH0_EMAIL_SES_ACCESS_KEY_ID",
            "AUTH0_EMAIL_AZURE_CONNECTION_STRING",
            "AUTH0_EMAIL_MS365_CLIENT_ID",
            "AUTH0_EMAIL_SMTP_HOST",
        ];
        let read: BTreeSet<String> = meant.into_iter().flat_map(asked).collect();
        assert_eq!(named, read);
    }

    #[test]
    fn a_policy_that_names_the_provider_says_whose_the_key_is_and_the_environment_goes_over_it() {
        let policy = |name: &str| Policy::builder().mail_provider(name).build().unwrap();
        let key = |provider: Option<&'static str>, policy: &Policy| {
            let find = |name: &str| match name {
                KEY => Some("canary".to_owned()),
                PROVIDER => provider.map(str::to_owned),
                _ => None,
            };
            mail_credentials(&find, Some(policy)).map(|credentials| format!("{credentials:?}"))
        };
        assert!(key(None, &policy("mandrill")).unwrap().contains("provider: Mandrill"));
        assert!(key(Some("resend"), &policy("mandrill")).unwrap().contains("provider: Resend"));
        for name in ["ses", "none"] {
            assert!(matches!(key(None, &policy(name)), Err(Failure::Usage(_))), "{name}");
        }
    }
}
