//! Where a request may go.
//!
//! A destination is a scheme, a host and a port, compared as a whole: hosts that other sandboxes let through by a
//! glob or by the name alone (`acme.auth0.com.evil.com`, `http://` instead of `https://`, another port) are other
//! destinations here. What a path means is decided here too, since a credential follows from it.

use std::fmt;

use http::{Method, Uri, uri::PathAndQuery};

use crate::base_url::BaseUrl;

/// Where requests of one connection may go.
#[derive(Clone, Debug)]
pub(crate) struct Destinations {
    tenant: BaseUrl,
    /// Stands in for all mail providers.
    mail_override: Option<BaseUrl>,
}

/// The way that a request may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: Destination,
    /// Where that is, in the one spelling that this connection uses. A guest's own spelling (`LOCALHOST`, `host:0443`)
    /// would be another key of the connection pool and another name to the resolver's rules.
    origin: BaseUrl,
}

impl Route {
    /// Writes the URI to send to: the destination's own spelling, and the path and query as they were asked for.
    pub(crate) fn uri(&self, asked: &Uri) -> Result<Uri, http::Error> {
        let path = asked.path_and_query().map_or("/", PathAndQuery::as_str);
        Uri::builder()
            .scheme(self.origin.scheme())
            .authority(self.origin.authority())
            .path_and_query(path)
            .build()
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The tenant's Management API: gets the token.
    ManagementApi,
    /// The tenant's token endpoint: answered by the host where it holds the credentials.
    TokenEndpoint,
    /// Another path of the tenant: gets no credentials.
    TenantOther,
    /// The mail-sending path of a provider: gets that provider's key.
    Mail(MailProvider),
}

/// The mail providers that the component can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailProvider {
    SendGrid,
    Mailgun,
    Mandrill,
    SparkPost,
    Resend,
}

/// Why a request does not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// No destination of this connection.
    Destination { origin: String },
    /// A method that no API has.
    Method,
    /// A path with a segment that servers resolve: what it names is not what it seems.
    DotSegment,
    /// A provider's other functions.
    MailPath { provider: MailProvider },
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination { origin } => {
                write!(f, "denied: {origin} is neither the tenant nor a mail provider of this connection")
            }
            Self::Method => f.write_str("denied: only GET, HEAD, POST, PUT, PATCH and DELETE are allowed"),
            Self::DotSegment => f.write_str("denied: the path has a dot segment or a backslash"),
            Self::MailPath { provider } => {
                write!(f, "denied: of {provider:?} only the request that sends a mail is allowed")
            }
        }
    }
}

impl Destinations {
    pub(crate) fn new(tenant: BaseUrl, mail_override: Option<BaseUrl>) -> Self {
        Self { tenant, mail_override }
    }

    /// Returns the tenant's scheme, host and port.
    pub(crate) fn tenant(&self) -> &BaseUrl {
        &self.tenant
    }

    /// Tells what a request is for, or why it stays.
    pub(crate) fn classify(&self, method: &Method, uri: &Uri) -> Result<Route, Denial> {
        // TRACE asks the server to repeat the request, the token in it included; CONNECT asks for a tunnel.
        if ![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE]
            .contains(method)
        {
            return Err(Denial::Method);
        }
        let Some(origin) = BaseUrl::origin_of(uri) else {
            return Err(Denial::Destination {
                origin: "a URL without a plain scheme, host and port".to_owned(),
            });
        };
        if has_dot_segment(uri.path()) {
            return Err(Denial::DotSegment);
        }
        self.destination(method, &origin, uri.path()).map(|destination| Route { destination, origin })
    }

    fn destination(&self, method: &Method, origin: &BaseUrl, path: &str) -> Result<Destination, Denial> {
        if self.mail_override.as_ref() == Some(origin)
            && *method == Method::POST
            && let Some(provider) = MailProvider::of_path(path)
        {
            return Ok(Destination::Mail(provider));
        }
        if self.tenant == *origin {
            return Ok(if path.starts_with("/api/v2/") {
                Destination::ManagementApi
            } else if path == "/oauth/token" && *method == Method::POST {
                Destination::TokenEndpoint
            } else {
                Destination::TenantOther
            });
        }
        if self.mail_override.is_none()
            && let Some(provider) = MailProvider::of_origin(origin)
        {
            return if *method == Method::POST && MailProvider::of_path(path) == Some(provider) {
                Ok(Destination::Mail(provider))
            } else {
                Err(Denial::MailPath { provider })
            };
        }
        Err(Denial::Destination { origin: origin.to_string() })
    }
}

impl MailProvider {
    /// Knows the provider by its host (the regions of the contract's first version).
    fn of_origin(origin: &BaseUrl) -> Option<Self> {
        if origin.scheme() != "https" || origin.port() != 443 {
            return None;
        }
        match origin.host() {
            "api.sendgrid.com" => Some(Self::SendGrid),
            "api.mailgun.net" | "api.eu.mailgun.net" => Some(Self::Mailgun),
            "mandrillapp.com" => Some(Self::Mandrill),
            "api.sparkpost.com" | "api.eu.sparkpost.com" => Some(Self::SparkPost),
            "api.resend.com" => Some(Self::Resend),
            _ => None,
        }
    }

    /// Knows the provider by the path that sends a mail.
    fn of_path(path: &str) -> Option<Self> {
        match path {
            "/v3/mail/send" => Some(Self::SendGrid),
            "/api/1.0/messages/send" | "/api/1.0/messages/send.json" => Some(Self::Mandrill),
            "/api/v1/transmissions" | "/api/v1/transmissions/" => Some(Self::SparkPost),
            "/emails" => Some(Self::Resend),
            _ => {
                let domain = path.strip_prefix("/v3/")?.strip_suffix("/messages")?;
                (!domain.is_empty() && !domain.contains('/')).then_some(Self::Mailgun)
            }
        }
    }
}

/// Looks for `.` and `..` between slashes or backslashes (which some servers read as slashes), however often they are
/// percent-encoded, and for raw backslashes.
fn has_dot_segment(path: &str) -> bool {
    // A path that still changes after this many rounds is not one that an API has.
    const ROUNDS: usize = 4;
    // Raw ones are in no URL. Encoded ones are in ids of Active Directory, `ad|CORP\ana`, and walk only with dots.
    if path.contains('\\') {
        return true;
    }
    let mut path = path.as_bytes().to_vec();
    for _ in 0..ROUNDS {
        let dotted =
            path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| matches!(segment, b"." | b".."));
        if dotted {
            return true;
        }
        let decoded = percent_decode(&path);
        if decoded == path {
            return false;
        }
        path = decoded;
    }
    true
}

/// Decodes one layer of percent-encoding; what is none stays.
pub(crate) fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| (*byte as char).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let pair = if first == b'%' { digit(tail.first()).zip(digit(tail.get(1))) } else { None };
        match pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(destinations: &Destinations, request: &str) -> Result<Destination, Denial> {
        let (method, uri) = request.split_once(' ').unwrap();
        let route = destinations.classify(&method.parse().unwrap(), &uri.parse().unwrap());
        route.map(|route| route.destination)
    }

    fn production() -> Destinations {
        Destinations::new(BaseUrl::of_domain(&"acme.eu.auth0.com".parse().unwrap()), None)
    }

    #[test]
    fn destinations_of_a_connection_are_known_by_scheme_host_and_port() {
        for (request, expected) in [
            ("GET https://acme.eu.auth0.com/api/v2/users", Destination::ManagementApi),
            ("GET https://ACME.eu.auth0.com:443/api/v2/users", Destination::ManagementApi),
            ("POST https://acme.eu.auth0.com/oauth/token", Destination::TokenEndpoint),
            ("GET https://acme.eu.auth0.com/oauth/token", Destination::TenantOther),
            ("POST https://acme.eu.auth0.com/dbconnections/change_password", Destination::TenantOther),
            ("GET https://acme.eu.auth0.com/api/v2", Destination::TenantOther),
            ("GET https://acme.eu.auth0.com/API/v2/users", Destination::TenantOther),
            ("GET https://acme.eu.auth0.com/api/v2/users/auth0%7Ca%2Fb", Destination::ManagementApi),
            ("GET https://acme.eu.auth0.com/api/v2/users/ad%7CCORP%5Cana", Destination::ManagementApi),
            (
                "GET https://acme.eu.auth0.com/api/v2/users/samlp%7Cx%7Cj.doe%40acme.com",
                Destination::ManagementApi,
            ),
            ("POST https://api.sendgrid.com/v3/mail/send", Destination::Mail(MailProvider::SendGrid)),
            (
                "POST https://api.eu.mailgun.net/v3/mg.acme.com/messages",
                Destination::Mail(MailProvider::Mailgun),
            ),
            ("POST https://mandrillapp.com/api/1.0/messages/send", Destination::Mail(MailProvider::Mandrill)),
            (
                "POST https://api.eu.sparkpost.com/api/v1/transmissions",
                Destination::Mail(MailProvider::SparkPost),
            ),
            ("POST https://api.resend.com/emails", Destination::Mail(MailProvider::Resend)),
        ] {
            assert_eq!(classify(&production(), request), Ok(expected), "{request}");
        }
    }

    #[test]
    fn what_leaves_is_spelled_in_one_way() {
        let offline = Destinations::new("http://localhost:8080".parse().unwrap(), None);
        for (destinations, asked, expected) in [
            (
                production(),
                "https://ACME.eu.Auth0.com:0443/api/v2/a%7Cb?q=%20A",
                "https://acme.eu.auth0.com/api/v2/a%7Cb?q=%20A",
            ),
            (production(), "HTTPS://acme.eu.auth0.com", "https://acme.eu.auth0.com/"),
            (production(), "https://acme.eu.auth0.com?a=1", "https://acme.eu.auth0.com/?a=1"),
            (offline, "http://LOCALHOST:08080/api/v2/users", "http://localhost:8080/api/v2/users"),
        ] {
            let asked: Uri = asked.parse().unwrap();
            let route = destinations.classify(&Method::GET, &asked).unwrap();
            assert_eq!(route.uri(&asked).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_only_looks_like_a_destination_stays_inside() {
        for request in [
            "GET http://acme.eu.auth0.com/api/v2/users",
            "GET https://acme.eu.auth0.com:8443/api/v2/users",
            "GET https://acme.eu.auth0.com.evil.com/api/v2/users",
            "GET https://evil.com/acme.eu.auth0.com/api/v2/users",
            "GET https://acme.eu.auth0.com./api/v2/users",
            "GET https://acme.eu.auth0.com@evil.com/api/v2/users",
            "GET https://evil@acme.eu.auth0.com/api/v2/users",
            "GET https://other.eu.auth0.com/api/v2/users",
            "GET https://127.0.0.1/api/v2/users",
            "GET https://[::ffff:127.0.0.1]/api/v2/users",
            "GET https://xn--cme-5cd.eu.auth0.com/api/v2/users",
            "GET ftp://acme.eu.auth0.com/api/v2/users",
            "GET https://acme.eu.auth0.com/api/v2/../../oauth/token",
            "GET https://acme.eu.auth0.com/api/v2/./users",
            "GET https://acme.eu.auth0.com/api/v2/%2e%2e/x",
            "GET https://acme.eu.auth0.com/api/v2/.%2E/x",
            "GET https://acme.eu.auth0.com/api/v2/%252e%252e/x",
            "GET https://acme.eu.auth0.com/api/v2/users%2f..%2f..%2fx",
            "GET https://acme.eu.auth0.com/api/v2/users%5c..%5cx",
            "GET https://acme.eu.auth0.com/api/v2/%25252525252e",
            "GET https://api.sendgrid.com/v3/mail/send",
            "POST https://api.sendgrid.com/v3/api_keys",
            "POST https://api.sendgrid.com/v3/mg.acme.com/messages",
            "POST http://api.sendgrid.com/v3/mail/send",
            "POST https://api.mailgun.net/v3/a/b/messages",
            "POST https://evil.api.resend.com/emails",
            "TRACE https://acme.eu.auth0.com/api/v2/users",
            "CONNECT https://acme.eu.auth0.com/api/v2/users",
            "OPTIONS https://acme.eu.auth0.com/api/v2/users",
            "PROPFIND https://acme.eu.auth0.com/api/v2/users",
            "get https://acme.eu.auth0.com/api/v2/users",
            "TRACE https://acme.eu.auth0.com/oauth/token",
            "TRACE https://api.sendgrid.com/v3/mail/send",
        ] {
            assert!(classify(&production(), request).is_err(), "{request} was let through");
        }
    }

    #[test]
    fn a_mail_override_replaces_the_providers_and_tells_them_by_path() {
        let offline = Destinations::new(
            "http://127.0.0.1:8080".parse().unwrap(),
            Some("http://127.0.0.1:8081".parse().unwrap()),
        );
        for (request, expected) in [
            ("POST http://127.0.0.1:8081/v3/mail/send", Some(Destination::Mail(MailProvider::SendGrid))),
            (
                "POST http://127.0.0.1:8081/v3/mg.acme.com/messages",
                Some(Destination::Mail(MailProvider::Mailgun)),
            ),
            ("POST http://127.0.0.1:8081/emails", Some(Destination::Mail(MailProvider::Resend))),
            ("GET http://127.0.0.1:8080/api/v2/users", Some(Destination::ManagementApi)),
            ("GET http://127.0.0.1:8081/emails", None),
            ("POST http://127.0.0.1:8082/emails", None),
            ("POST https://api.resend.com/emails", None),
        ] {
            assert_eq!(classify(&offline, request).ok(), expected, "{request}");
        }
        let same_root = Destinations::new(
            "http://127.0.0.1:8080".parse().unwrap(),
            Some("http://127.0.0.1:8080".parse().unwrap()),
        );
        let request = "POST http://127.0.0.1:8080/v3/mail/send";
        assert_eq!(classify(&same_root, request), Ok(Destination::Mail(MailProvider::SendGrid)));
        let request = "POST http://127.0.0.1:8080/api/v2/users";
        assert_eq!(classify(&same_root, request), Ok(Destination::ManagementApi));
    }
}
