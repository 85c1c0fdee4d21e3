//! The domain of a tenant.
//!
//! Everything that may leave the sandbox with a credential goes to this name, so it is held to one spelling: lower
//! case, ASCII, no trailing dot. What a person pastes from a browser's address bar is refused with a sentence that
//! says which part to leave out, rather than repaired: a repaired guess is how credentials reach the wrong server.

use std::{fmt, net::IpAddr, str::FromStr};

/// DNS limits a whole name to 253 characters (RFC 1035, 2.3.4, in text form).
pub(crate) const MAX_NAME: usize = 253;
/// DNS limits one label to 63 characters (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

/// The domain of a tenant, or its custom domain: `acme.eu.auth0.com`.
///
/// ```
/// # use auth0_policy::domain::Domain;
/// let domain: Domain = "acme.eu.auth0.com".parse()?;
/// assert_eq!(domain.as_str(), "acme.eu.auth0.com");
/// assert!("https://acme.eu.auth0.com".parse::<Domain>().is_err());
/// # Ok::<(), auth0_policy::domain::DomainError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain(String);

impl Domain {
    /// Returns the name in lower case, without a trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// Nothing was given.
    #[error("the domain is empty: give the tenant's name, such as acme.eu.auth0.com")]
    Empty,
    /// A whole URL was given.
    #[error("`{0}` has a scheme: give the bare domain, such as acme.eu.auth0.com")]
    Scheme(String),
    /// A path, query or fragment was given.
    #[error("`{0}` has a path: give the bare domain, such as acme.eu.auth0.com")]
    Path(String),
    /// A user name was given. The part before `@` may be a password, so it is not repeated.
    #[error("the domain has an `@`: give the bare domain, such as acme.eu.auth0.com")]
    UserInfo,
    /// A port was given.
    #[error("`{0}` has a port: give the bare domain, and a base URL for another port")]
    Port(String),
    /// An address was given instead of a name.
    #[error("`{0}` is an address: give the tenant's domain, and a base URL for the address")]
    Address(String),
    /// A name in another script was given. Look-alike letters are how one domain is passed off as another.
    #[error("`{0}` is not ASCII: give the punycode form of the domain (xn--…)")]
    NotAscii(String),
    /// Not a DNS name.
    #[error("`{name}` is not a domain: {problem}")]
    Syntax {
        /// What was given.
        name: String,
        /// Which rule it breaks.
        problem: &'static str,
    },
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let given = || text.to_owned();
        let syntax = |problem| DomainError::Syntax { name: text.to_owned(), problem };
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        if text.contains('@') {
            return Err(DomainError::UserInfo);
        }
        if text.contains("://") {
            return Err(DomainError::Scheme(given()));
        }
        if text.contains(['/', '\\', '?', '#']) {
            return Err(DomainError::Path(given()));
        }
        if !text.is_ascii() {
            return Err(DomainError::NotAscii(given()));
        }
        if text.starts_with('[') || text.parse::<IpAddr>().is_ok() {
            return Err(DomainError::Address(given()));
        }
        if text.contains(':') {
            return Err(DomainError::Port(given()));
        }
        // One trailing dot says "fully qualified" and names the same server, but TLS and the token's audience know
        // only the form without.
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.is_empty() {
            return Err(DomainError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(syntax("it is longer than 253 characters"));
        }
        for label in name.split('.') {
            if label.is_empty() {
                return Err(syntax("it has an empty label"));
            }
            if label.len() > MAX_LABEL {
                return Err(syntax("a label is longer than 63 characters"));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(syntax("a label begins or ends with a hyphen"));
            }
            if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                return Err(syntax("only letters, digits, hyphens and dots are allowed"));
            }
        }
        // The WHATWG URL rules read a name whose last label is a number as an IPv4 address (`127.1`, `2130706433`,
        // `0x7f.1`), and so do some resolvers.
        let last = name.rsplit('.').next().unwrap_or_default();
        let hex =
            last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if hex || last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DomainError::Address(given()));
        }
        if !name.contains('.') && name != "localhost" {
            return Err(syntax("a tenant's domain has at least two labels, such as acme.eu.auth0.com"));
        }
        Ok(Self(name))
    }
}

impl serde::Serialize for Domain {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Domain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_tenants_are_taken_in_one_spelling() {
        for (text, expected) in [
            ("acme.eu.auth0.com", "acme.eu.auth0.com"),
            ("ACME.EU.Auth0.com", "acme.eu.auth0.com"),
            ("acme.auth0.com.", "acme.auth0.com"),
            ("login.acme-corp.example", "login.acme-corp.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("1-a.2b.com", "1-a.2b.com"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(text.parse::<Domain>().unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_bare_domain_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "empty"),
            (".", "empty"),
            ("https://acme.auth0.com", "scheme"),
            ("HTTPS://acme.auth0.com/", "scheme"),
            ("acme.auth0.com/", "path"),
            ("acme.auth0.com/api/v2", "path"),
            ("acme.auth0.com\\evil.com", "path"),
            ("acme.auth0.com?x", "path"),
            ("acme.auth0.com#x", "path"),
            ("acme.auth0.com@evil.com", "`@`"),
            ("user:hunter2@acme.auth0.com", "`@`"),
            ("acme.auth0.com:443", "port"),
            ("acme.auth0.com:", "port"),
            ("127.0.0.1", "address"),
            ("127.1", "address"),
            ("2130706433", "address"),
            ("0x7f000001", "address"),
            ("acme.0x7f", "address"),
            ("[::1]", "address"),
            ("::1", "address"),
            ("::ffff:127.0.0.1", "address"),
            ("аcme.auth0.com", "punycode"),
            ("acme。auth0.com", "punycode"),
            ("acme..auth0.com", "empty label"),
            (".acme.auth0.com", "empty label"),
            ("acme.auth0.com..", "empty label"),
            ("-acme.auth0.com", "hyphen"),
            ("acme .auth0.com", "only letters"),
            (" acme.auth0.com", "only letters"),
            ("acme.auth0.com\n", "only letters"),
            ("acme.auth0.com\0", "only letters"),
            ("acme%2eauth0.com", "only letters"),
            ("*.auth0.com", "only letters"),
            ("acme", "two labels"),
        ] {
            let error = text.parse::<Domain>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
            assert!(!error.contains("hunter2"), "a password was repeated: {error}");
        }
        assert!(format!("{}.com", "a".repeat(64)).parse::<Domain>().is_err());
        assert!(format!("{}com", "a.".repeat(130)).parse::<Domain>().is_err());
    }
}
