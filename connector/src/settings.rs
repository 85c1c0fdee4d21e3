//! The connection's settings, read from the environment: the one mechanism that every WASI host has.

use std::fmt;
use std::str::FromStr;

use crate::core::error::Error;

/// Time for a whole call where `AUTH0_DEADLINE_MS` is not set. Recorded calls have p99 1–4 s, some first ones 6 s
/// (facts, section 9): the SDKs' 30–60 s, at its lower end because an engine waits.
const DEADLINE_MS: u64 = 30_000;

/// Longest deadline: an hour. More is a job for the engine's own timer.
const LONGEST_DEADLINE_MS: u64 = 3_600_000;

/// Repetitions where `AUTH0_MAX_RETRIES` is not set; what Auth0's own SDKs do (facts, section 3).
const MAX_RETRIES: u32 = 2;

/// Most repetitions that can be asked for; the ceiling of Auth0's own SDKs.
const MOST_RETRIES: u32 = 10;

/// A secret: printed nowhere. Not wiped when dropped: the guest's memory goes with its instance, and the host keeps the
/// credentials out of it in the first place.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the secret, to put it where it belongs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Tenant domain: `tenant.eu.auth0.com`, or a custom domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// Returns the domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err("leave out the scheme");
        }
        if text.contains(['/', '?', '#']) {
            return Err("leave out the path");
        }
        if text.contains(['@', ':']) {
            return Err("leave out user and port");
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() > 253 || !text.split('.').all(label) {
            return Err("it is no domain name (ASCII letters, digits and hyphens, in labels between dots)");
        }
        if !text.contains('.')
            || text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err("give the whole domain, not an address and not the tenant's name alone");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// Scheme and authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// True for `https`.
    pub tls: bool,
    /// Host, and port where it is not the scheme's own.
    pub authority: String,
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (tls, authority) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("it must begin with 'https://' (or 'http://' for a loopback address)"),
        };
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
        if authority.is_empty() || !authority.bytes().all(legal) {
            return Err("give scheme, host and port only: no user, no path, no query");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        if host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err("its port is no number from 0 to 65535, or it has no host");
        }
        if !tls && !is_loopback(host) {
            return Err("'http' is only for a loopback address (127.0.0.1, [::1], localhost): use 'https'");
        }
        Ok(Self { tls, authority: authority.to_ascii_lowercase() })
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Who adds the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The host, after its policy has passed; the component has none.
    Host,
    /// A Management API token.
    Token(Secret),
    /// The component fetches a token by client credentials.
    Client {
        /// Id of the machine-to-machine application.
        id: String,
        /// Its secret.
        secret: Secret,
    },
}

/// Everything the environment says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tenant.
    pub domain: Domain,
    /// Where its requests go.
    pub origin: Origin,
    /// Audience of the token.
    pub audience: String,
    /// Who adds the token.
    pub credentials: Credentials,
    /// `AUTH0_CLIENT_ID`, also where it has no secret beside it: names the application in reset emails.
    pub client_id: Option<String>,
    /// Value of `auth0-custom-domain` on the paths that take it.
    pub custom_domain: Option<Domain>,
    /// Time for the whole call.
    pub deadline_ms: u64,
    /// Repetitions of a request.
    pub max_retries: u32,
    /// Key of the email provider; absent where a host injects it.
    pub email_api_key: Option<Secret>,
    /// Where the email provider's requests go instead of its own address.
    pub email_origin: Option<Origin>,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// `invalid-input` that names the variable, what is wrong with it and what it should be. Values of secrets are
    /// never repeated.
    pub fn read<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let variables: Vec<_> = variables.into_iter().collect();
        let get = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim());
            found.filter(|value| !value.is_empty())
        };
        let domain = get("AUTH0_DOMAIN").ok_or_else(|| {
            Error::invalid("AUTH0_DOMAIN is not set: give the tenant's domain, such as 'tenant.eu.auth0.com'")
        })?;
        let domain: Domain = parse("AUTH0_DOMAIN", domain, "such as 'tenant.eu.auth0.com'")?;
        let origin = match get("AUTH0_BASE_URL") {
            Some(url) => parse("AUTH0_BASE_URL", url, "such as 'http://127.0.0.1:4000'")?,
            None => Origin { tls: true, authority: domain.as_str().to_owned() },
        };
        let custom_domain = get("AUTH0_CUSTOM_DOMAIN")
            .map(|text| parse("AUTH0_CUSTOM_DOMAIN", text, "such as 'login.example.com'"))
            .transpose()?;
        let email_origin = get("AUTH0_EMAIL_BASE_URL")
            .map(|url| parse("AUTH0_EMAIL_BASE_URL", url, "such as 'http://127.0.0.1:4001'"))
            .transpose()?;
        let deadline_ms =
            number(get("AUTH0_DEADLINE_MS"), "AUTH0_DEADLINE_MS", DEADLINE_MS, 1, LONGEST_DEADLINE_MS)?;
        let retries = u64::from(MAX_RETRIES);
        let max_retries =
            number(get("AUTH0_MAX_RETRIES"), "AUTH0_MAX_RETRIES", retries, 0, u64::from(MOST_RETRIES))?;
        Ok(Self {
            audience: get("AUTH0_AUDIENCE")
                .map_or_else(|| format!("https://{}/api/v2/", domain.as_str()), str::to_owned),
            credentials: credentials(get("AUTH0_TOKEN"), get("AUTH0_CLIENT_ID"), get("AUTH0_CLIENT_SECRET"))?,
            client_id: get("AUTH0_CLIENT_ID").map(str::to_owned),
            email_api_key: get("AUTH0_EMAIL_API_KEY").map(Secret::new),
            max_retries: u32::try_from(max_retries).unwrap_or(MAX_RETRIES),
            domain,
            origin,
            custom_domain,
            deadline_ms,
            email_origin,
        })
    }
}

fn credentials(token: Option<&str>, id: Option<&str>, secret: Option<&str>) -> Result<Credentials, Error> {
    match (token, id, secret) {
        (Some(token), _, _) => {
            let token = token.strip_prefix("Bearer ").unwrap_or(token);
            if !token.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Error::invalid(
                    "AUTH0_TOKEN refused: it holds blanks or characters that no token has",
                ));
            }
            Ok(Credentials::Token(Secret::new(token)))
        }
        (None, Some(id), Some(secret)) => {
            Ok(Credentials::Client { id: id.to_owned(), secret: Secret::new(secret) })
        }
        (None, None, Some(_)) => {
            Err(Error::invalid("AUTH0_CLIENT_SECRET is set without AUTH0_CLIENT_ID: give both"))
        }
        (None, _, None) => Ok(Credentials::Host),
    }
}

fn parse<T: FromStr<Err = &'static str>>(name: &str, text: &str, example: &str) -> Result<T, Error> {
    text.parse().map_err(|reason| {
        // What stands before an '@' may be a password.
        let shown = if text.contains('@') { String::new() } else { format!(" '{text}'") };
        Error::invalid(format!("{name}{shown} refused: {reason}; {example}"))
    })
}

fn number(text: Option<&str>, name: &str, default: u64, least: u64, most: u64) -> Result<u64, Error> {
    let Some(text) = text else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        Error::invalid(format!("{name} '{text}' refused: give a whole number from {least} to {most}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: (&str, &str) = ("AUTH0_DOMAIN", "Tenant.eu.auth0.com");

    #[test]
    fn a_domain_alone_is_enough() {
        let settings = Settings::read([DOMAIN]).unwrap();
        assert_eq!(settings.domain.as_str(), "tenant.eu.auth0.com");
        assert_eq!(settings.audience, "https://tenant.eu.auth0.com/api/v2/");
        assert_eq!(settings.origin, Origin { tls: true, authority: "tenant.eu.auth0.com".into() });
        assert_eq!(settings.credentials, Credentials::Host);
        assert_eq!((settings.deadline_ms, settings.max_retries), (30_000, 2));
    }

    #[test]
    fn a_domain_is_a_domain_and_nothing_else() {
        for bad in [
            "https://tenant.eu.auth0.com",
            "tenant.eu.auth0.com/",
            "tenant.eu.auth0.com/api",
            "a@tenant.auth0.com",
            "tenant.auth0.com:443",
            "tenant",
            "127.0.0.1",
            "[::1]",
            "tenant..auth0.com",
            "tenant.auth0.com.",
            "-x.auth0.com",
            "t\u{e9}nant.auth0.com",
            "tenant.auth0.com#x",
            "ten ant.auth0.com",
            "a.b?c",
        ] {
            assert!(bad.parse::<Domain>().is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_only_for_loopback() {
        for good in ["http://127.0.0.1:1", "http://[::1]:8080", "http://localhost:80/", "https://x.example"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1",
            "http://tenant.auth0.com",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://user@127.0.0.1",
            "https://x.example/path",
            "https://",
            "https://:80",
            "https://x:99999",
            "ftp://x",
            "https://x.example?y",
            "http://0.0.0.0",
            "http://[::ffff:10.0.0.1]",
            "127.0.0.1:80",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn half_a_credential_is_refused_and_an_id_alone_is_none() {
        assert!(Settings::read([DOMAIN, ("AUTH0_CLIENT_SECRET", "s3cret")]).is_err());
        let settings = Settings::read([DOMAIN, ("AUTH0_CLIENT_ID", "id")]).unwrap();
        assert_eq!(settings.credentials, Credentials::Host);
        assert_eq!(settings.client_id.as_deref(), Some("id"));
    }

    #[test]
    fn no_secret_is_ever_printed() {
        let settings = Settings::read([
            DOMAIN,
            ("AUTH0_CLIENT_ID", "id"),
            ("AUTH0_CLIENT_SECRET", "canary-1"),
            ("AUTH0_EMAIL_API_KEY", "canary-2"),
        ])
        .unwrap();
        assert!(!format!("{settings:?}").contains("canary"));
        let error = Settings::read([DOMAIN, ("AUTH0_TOKEN", "canary 3")]).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"));
        let error =
            Settings::read([DOMAIN, ("AUTH0_BASE_URL", "https://user:canary@x.example")]).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[test]
    fn numbers_have_bounds() {
        for (name, value) in
            [("AUTH0_DEADLINE_MS", "0"), ("AUTH0_DEADLINE_MS", "1e3"), ("AUTH0_MAX_RETRIES", "11")]
        {
            let error = Settings::read([DOMAIN, (name, value)]).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
