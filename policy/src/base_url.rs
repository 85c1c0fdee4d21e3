//! Where a tenant or an email provider is reached, when not at its own domain.
//!
//! Meant for the offline tenant and for gateways. Plain `http` is taken only for a loopback address: on any other
//! way a token would travel in the clear.

use std::{fmt, net::IpAddr, str::FromStr};

use http::uri::{Scheme, Uri};

use crate::domain::{Domain, MAX_NAME};

/// A scheme, a host and a port: `http://127.0.0.1:8080`.
///
/// ```
/// # use auth0_policy::base_url::BaseUrl;
/// let url: BaseUrl = "http://127.0.0.1:8080".parse()?;
/// assert_eq!((url.scheme(), url.host(), url.port()), ("http", "127.0.0.1", 8080));
/// // Without TLS there is only this machine.
/// assert!("http://gateway.example".parse::<BaseUrl>().is_err());
/// # Ok::<(), auth0_policy::base_url::BaseUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl BaseUrl {
    /// Returns the URL of a tenant's own domain.
    pub fn of_domain(domain: &Domain) -> Self {
        Self::https(domain.as_str())
    }

    /// Returns the URL of a host that is known to be spelled right.
    pub fn https(host: &str) -> Self {
        Self { scheme: Scheme::HTTPS, host: host.to_owned(), port: 443 }
    }

    /// Returns `https`, or `http` for a loopback address.
    pub fn scheme(&self) -> &str {
        self.scheme.as_str()
    }

    /// Returns the host in lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads the origin of a request. `None` where it has no host or one that is longer than DNS allows, has user
    /// information or another scheme: no destination has those.
    pub fn origin_of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme().filter(|scheme| **scheme == Scheme::HTTPS || **scheme == Scheme::HTTP)?;
        let authority = uri.authority()?;
        let plain = !authority.as_str().contains('@') && (1..=MAX_NAME).contains(&authority.host().len());
        if !plain {
            return None;
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            // `example.com:` and `example.com:99999` have a colon and no valid port.
            None if authority.as_str().len() != authority.host().len() => return None,
            None => default_port(scheme),
        };
        let host = authority.host().to_ascii_lowercase();
        Some(Self { scheme: scheme.clone(), host, port })
    }

    /// Returns `host`, or `host:port` where the port is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == default_port(&self.scheme) {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTP { 80 } else { 443 }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// Why a text is not a base URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseUrlError {
    /// Not a URL with a scheme and a host.
    #[error("`{0}` is not a base URL: give a scheme and a host, such as http://127.0.0.1:8080")]
    Syntax(String),
    /// A user name was given. The part before `@` may be a password, so it is not repeated.
    #[error("the base URL has an `@`: credentials do not belong there")]
    UserInfo,
    /// A query or a fragment was given.
    #[error("`{0}` has a query or a fragment: give scheme, host and port only")]
    Query(String),
    /// A path was given; the component's paths begin at the root.
    #[error("`{0}` has a path: give scheme, host and port only")]
    Path(String),
    /// Plain HTTP to another machine.
    #[error(
        "`{0}` is plain http to another machine: use https, or a loopback address such as http://127.0.0.1:8080"
    )]
    NotLoopback(String),
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let given = || text.to_owned();
        if text.contains('@') {
            return Err(BaseUrlError::UserInfo);
        }
        if text.contains(['?', '#']) {
            return Err(BaseUrlError::Query(given()));
        }
        if !text.contains("://") || text.contains('\\') {
            return Err(BaseUrlError::Syntax(given()));
        }
        let uri: Uri = text.parse().map_err(|_| BaseUrlError::Syntax(given()))?;
        let mut url = Self::origin_of(&uri).ok_or_else(|| BaseUrlError::Syntax(given()))?;
        let bracketed = url.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let address = match bracketed {
            Some(inner) => Some(IpAddr::V6(inner.parse().map_err(|_| BaseUrlError::Syntax(given()))?)),
            None => url.host.parse::<IpAddr>().ok(),
        };
        if address.is_none() {
            // A name: the rules for domains hold, one spelling included.
            let name: Domain = url.host.parse().map_err(|_| BaseUrlError::Syntax(given()))?;
            url.host = name.as_str().to_owned();
        }
        let loopback = address.is_some_and(|address| address.is_loopback()) || url.host == "localhost";
        if url.scheme == Scheme::HTTP && !loopback {
            return Err(BaseUrlError::NotLoopback(given()));
        }
        if !matches!(uri.path(), "" | "/") {
            return Err(BaseUrlError::Path(given()));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_taken_in_one_spelling() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://localhost:1", "http://localhost:1"),
            ("http://[::1]:9", "http://[::1]:9"),
            ("HTTPS://Gateway.Example:443/", "https://gateway.example"),
            ("https://gateway.example.:8443", "https://gateway.example:8443"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_base_url_that_could_mean_another_server_is_refused() {
        for text in [
            "",
            "127.0.0.1:8080",
            "ftp://127.0.0.1",
            "http://acme.auth0.com",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.com",
            "http://localhost.evil.com",
            "http://0x7f000001",
            "http://2130706433",
            "http://[::ffff:10.0.0.1]",
            "http://user:pw@127.0.0.1",
            "https://acme.auth0.com@evil.com",
            "https://acme.auth0.com\\@evil.com",
            "https://acme.auth0.com?x=1",
            "https://acme.auth0.com#x",
            "https://acme.auth0.com:",
            "https://acme.auth0.com:99999",
            "https://acme.auth0.com/mail",
            "https://acme.auth0.com/a/../b",
            "https://acme.auth0.com/%2e%2e",
            "https://acme.auth0.com//evil.com",
            "https://",
            "https:///x",
            "https://аcme.auth0.com",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text} was taken");
        }
    }
}
