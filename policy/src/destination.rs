//! Where a request may go.
//!
//! A destination is a scheme, a host and a port, compared as a whole: hosts that other sandboxes let through by a
//! glob or by the name alone (`acme.auth0.com.evil.com`, `http://` instead of `https://`, another port) are other
//! destinations here. What a path means is decided here too, since a credential follows from it.

use http::{Method, Uri, uri::PathAndQuery};

use crate::{
    base_url::BaseUrl,
    denial::{Denial, DeniedBy, Remedy},
    mail_provider::MailProvider,
    policy::CHANGE_PASSWORD,
};

/// Where requests of one tenant may go.
#[derive(Clone, Debug)]
pub struct Destinations {
    tenant: BaseUrl,
    /// Stands in for all email providers.
    mail_override: Option<BaseUrl>,
    mail: MailAccess,
}

/// The email provider that a tenant has credentials for, and the only one that it reaches: a provider's account may be
/// anybody's, and a guest's own key in an email would take out whatever the guest has read.
#[derive(Clone, Debug)]
pub enum MailAccess {
    /// No provider.
    None,
    /// Its key.
    Key(MailProvider),
    /// More than a key.
    Route(MailRoute),
    /// Not known: what is asked is what a request is for, before there is a tenant.
    Unspecified,
}

/// Where emails for one provider go.
#[derive(Clone, Debug)]
pub struct MailRoute {
    /// Whose emails.
    pub provider: MailProvider,
    /// What the component asks for: the provider's own address, or a name that stands for a customer's server.
    pub asked: BaseUrl,
    /// Scheme, host and port of where that is.
    pub upstream: String,
}

/// The way that a request may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What the request is for.
    pub destination: Destination,
    /// Where that is, in the one spelling that this tenant uses. A guest's own spelling (`LOCALHOST`, `host:0443`)
    /// would be another key of the connection pool and another name to the resolver's rules.
    origin: String,
}

impl Route {
    /// Writes the URI to send to: the destination's own spelling, and the path and query as they were asked for.
    pub fn uri(&self, asked: &Uri) -> Result<Uri, http::Error> {
        let path = asked.path_and_query().map_or("/", PathAndQuery::as_str);
        format!("{}{}{path}", self.origin, if path.starts_with('/') { "" } else { "/" })
            .parse()
            .map_err(http::Error::from)
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The tenant's Management API: gets the token.
    ManagementApi,
    /// The tenant's token endpoint: answered by the host where it holds the credentials.
    TokenEndpoint,
    /// The tenant's request for a password reset email, which takes no credentials: gets none.
    ChangePassword,
    /// The mail-sending path of a provider: gets that provider's key.
    Mail(MailProvider),
}

impl Destinations {
    /// Lets requests out to a tenant, and none to an email provider.
    pub fn new(tenant: BaseUrl, mail_override: Option<BaseUrl>) -> Self {
        Self { tenant, mail_override, mail: MailAccess::None }
    }

    /// Lets emails out to the provider that there are credentials for.
    pub fn mail(mut self, access: MailAccess) -> Self {
        self.mail = access;
        self
    }

    /// Returns the tenant's address.
    pub fn tenant(&self) -> &BaseUrl {
        &self.tenant
    }

    /// Returns whether a URL is at the tenant or at an email provider. The host of any other one is text that a
    /// component chose, and so is the region of SES.
    pub fn has(&self, uri: &Uri) -> bool {
        let Some(origin) = BaseUrl::origin_of(uri) else { return false };
        let route = match &self.mail {
            MailAccess::Route(route) => Some(&route.asked),
            MailAccess::None | MailAccess::Key(_) | MailAccess::Unspecified => None,
        };
        [Some(&self.tenant), self.mail_override.as_ref(), route].contains(&Some(&origin))
            || MailProvider::of_origin(&origin).is_some_and(|provider| provider != MailProvider::Ses)
    }

    /// Returns what a request is for, or why it is refused.
    pub fn classify(&self, method: &Method, uri: &Uri) -> Result<Route, Denial> {
        // TRACE asks the server to repeat the request, the token in it included; CONNECT asks for a tunnel.
        if ![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE]
            .contains(method)
        {
            return Err(Denial::new(DeniedBy::Method));
        }
        let Some(origin) = BaseUrl::origin_of(uri) else {
            return Err(Denial::new(DeniedBy::Origin { origin: None }));
        };
        if has_dot_segment(uri.path()) {
            return Err(Denial::new(DeniedBy::DotSegment));
        }
        let sends = |provider| *method == Method::POST && MailProvider::of_path(uri.path()) == Some(provider);
        if let MailAccess::Route(MailRoute { provider, asked, upstream }) = &self.mail
            && *asked == origin
            && (self.mail_override.is_none() || *provider == MailProvider::Smtp)
        {
            return match sends(*provider) {
                true => Ok(Route { destination: Destination::Mail(*provider), origin: upstream.clone() }),
                false => Err(Denial::new(DeniedBy::MailPath { provider: *provider })),
            };
        }
        let destination = self.destination(method, &origin, uri.path())?;
        // Providers that take a key need no query, and may read a key from it.
        if let Destination::Mail(provider) = destination
            && provider.takes_key()
            && uri.query().is_some()
        {
            return Err(Denial::new(DeniedBy::MailPath { provider }));
        }
        Ok(Route { destination, origin: origin.to_string() })
    }

    fn destination(&self, method: &Method, origin: &BaseUrl, path: &str) -> Result<Destination, Denial> {
        if self.mail_override.as_ref() == Some(origin)
            && *method == Method::POST
            && let Some(provider) =
                MailProvider::of_path(path).filter(|provider| *provider != MailProvider::Smtp)
        {
            return match &self.mail {
                MailAccess::Route(route) if route.provider == provider => Ok(Destination::Mail(provider)),
                _ => self.mail_by_key(provider),
            };
        }
        if self.tenant == *origin {
            return match path {
                "/oauth/token" if *method == Method::POST => Ok(Destination::TokenEndpoint),
                CHANGE_PASSWORD if *method == Method::POST => Ok(Destination::ChangePassword),
                _ if path.starts_with("/api/v2/") => Ok(Destination::ManagementApi),
                _ => Err(Denial::new(DeniedBy::TenantPath)),
            };
        }
        // Nothing stands in for SMTP.
        if let Some(provider) = MailProvider::of_origin(origin)
            && (self.mail_override.is_none() || provider == MailProvider::Smtp)
        {
            if *method != Method::POST || MailProvider::of_path(path) != Some(provider) {
                return Err(Denial::new(DeniedBy::MailPath { provider }));
            }
            return match &self.mail {
                MailAccess::Route(route) if route.provider == provider => {
                    let (asked, held) = (origin.clone(), route.asked.clone());
                    Err(Denial::new(DeniedBy::MailElsewhere { provider, asked, held }))
                }
                _ => self.mail_by_key(provider),
            };
        }
        Err(Denial::new(DeniedBy::Origin { origin: Some(origin.to_string()) }))
    }

    /// Lets an email out where the tenant has that provider's key.
    fn mail_by_key(&self, provider: MailProvider) -> Result<Destination, Denial> {
        let held = match &self.mail {
            MailAccess::Unspecified => return Ok(Destination::Mail(provider)),
            MailAccess::Key(held) if *held == provider => return Ok(Destination::Mail(provider)),
            MailAccess::None => None,
            MailAccess::Key(held) => Some(*held),
            MailAccess::Route(route) => Some(route.provider),
        };
        Err(Denial::new(DeniedBy::MailCredentials { provider, held })
            .or(Remedy::SetMailCredentials { provider }))
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
pub fn percent_decode(bytes: &[u8]) -> Vec<u8> {
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

    fn production_with_any_mail() -> Destinations {
        production().mail(MailAccess::Unspecified)
    }

    #[test]
    fn destinations_of_a_connection_are_known_by_scheme_host_and_port() {
        for (request, expected) in [
            ("GET https://acme.eu.auth0.com/api/v2/users", Destination::ManagementApi),
            ("GET https://ACME.eu.auth0.com:443/api/v2/users", Destination::ManagementApi),
            ("POST https://acme.eu.auth0.com/oauth/token", Destination::TokenEndpoint),
            ("POST https://acme.eu.auth0.com/dbconnections/change_password", Destination::ChangePassword),
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
            assert_eq!(classify(&production_with_any_mail(), request), Ok(expected), "{request}");
        }
    }

    #[test]
    fn a_mail_goes_to_the_provider_of_the_key_and_without_a_key_to_none() {
        const REQUESTS: [(MailProvider, &str); 9] = [
            (MailProvider::SendGrid, "POST https://api.sendgrid.com/v3/mail/send"),
            (MailProvider::Mailgun, "POST https://api.mailgun.net/v3/mg.acme.com/messages"),
            (MailProvider::Mandrill, "POST https://mandrillapp.com/api/1.0/messages/send"),
            (MailProvider::SparkPost, "POST https://api.sparkpost.com/api/v1/transmissions"),
            (MailProvider::Resend, "POST https://api.resend.com/emails"),
            (MailProvider::Ses, "POST https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"),
            (MailProvider::Azure, "POST https://azure-communication-services.invalid/emails:send"),
            (MailProvider::Microsoft365, "POST https://graph.microsoft.com/v1.0/users/a/sendMail"),
            (MailProvider::Smtp, "POST https://smtp.invalid/send"),
        ];
        for (asked, request) in REQUESTS {
            let denied = classify(&production(), request).unwrap_err().to_string();
            assert!(
                denied.contains(&format!("through {asked}, and no credentials for {asked} are")),
                "{denied}"
            );
            for (held, _) in REQUESTS.into_iter().filter(|(held, _)| held.takes_key()) {
                let found = classify(&production().mail(MailAccess::Key(held)), request);
                if held == asked {
                    assert_eq!(found, Ok(Destination::Mail(asked)), "{request}");
                } else {
                    let denied = found.unwrap_err();
                    let rule = DeniedBy::MailCredentials { provider: asked, held: Some(held) };
                    assert_eq!(denied.rule(), &rule);
                    assert_eq!(denied.remedy(), Some(&Remedy::SetMailCredentials { provider: asked }));
                }
            }
        }
    }

    #[test]
    fn hosts_that_a_component_made_up_are_known_from_those_of_the_connection() {
        for (url, expected) in [
            ("https://acme.eu.auth0.com/login", true),
            ("https://ACME.eu.auth0.com:443/", true),
            ("https://api.sendgrid.com/", true),
            ("https://smtp.invalid/", true),
            ("https://mira-olsen-acme.example/api/v2/users", false),
            ("https://acme.eu.auth0.com:1985/", false),
            ("https://mira-olsen@acme.eu.auth0.com/", false),
            ("http://acme.eu.auth0.com/", false),
            ("https://email.mira-olsen.amazonaws.com/v2/email/outbound-emails", false),
        ] {
            assert_eq!(production().has(&url.parse().unwrap()), expected, "{url}");
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
            (offline, "http://LOCALHOST:08080/api/v2/users", "http://localhost:8080/api/v2/users"),
        ] {
            let asked: Uri = asked.parse().unwrap();
            let route = destinations.classify(&Method::GET, &asked).unwrap();
            assert_eq!(route.uri(&asked).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_only_looks_like_a_destination_stays_inside() {
        let rule = |request: &str| {
            let route = classify(&production_with_any_mail(), request);
            route.expect_err(request).rule().clone()
        };
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
            "POST http://api.sendgrid.com/v3/mail/send",
            "POST https://evil.api.resend.com/emails",
        ] {
            let rule = rule(request);
            assert!(matches!(rule, DeniedBy::Origin { .. }), "{request}: {rule:?}");
        }
        for request in [
            "GET https://acme.eu.auth0.com/",
            "GET https://acme.eu.auth0.com/api/v2",
            "GET https://acme.eu.auth0.com/API/v2/users",
            "GET https://acme.eu.auth0.com/api%2Fv2/users",
            "GET https://acme.eu.auth0.com//api/v2/users",
            "GET https://acme.eu.auth0.com/oauth/token",
            "POST https://acme.eu.auth0.com/oauth/token/",
            "POST https://acme.eu.auth0.com/oauth/revoke",
            "GET https://acme.eu.auth0.com/userinfo",
            "POST https://acme.eu.auth0.com/dbconnections/signup",
            "GET https://acme.eu.auth0.com/dbconnections/change_password",
            "POST https://acme.eu.auth0.com/dbconnections/change_password/",
            "POST https://acme.eu.auth0.com/dbconnections/Change_Password",
        ] {
            let rule = rule(request);
            assert!(matches!(rule, DeniedBy::TenantPath), "{request}: {rule:?}");
        }
        for request in [
            "GET https://acme.eu.auth0.com/api/v2/../../oauth/token",
            "GET https://acme.eu.auth0.com/api/v2/./users",
            "GET https://acme.eu.auth0.com/api/v2/%2e%2e/x",
            "GET https://acme.eu.auth0.com/api/v2/.%2E/x",
            "GET https://acme.eu.auth0.com/api/v2/%252e%252e/x",
            "GET https://acme.eu.auth0.com/api/v2/users%2f..%2f..%2fx",
            "GET https://acme.eu.auth0.com/api/v2/users%5c..%5cx",
            "GET https://acme.eu.auth0.com/api/v2/%25252525252e",
        ] {
            let rule = rule(request);
            assert!(matches!(rule, DeniedBy::DotSegment), "{request}: {rule:?}");
        }
        for request in [
            "GET https://api.sendgrid.com/v3/mail/send",
            "POST https://api.sendgrid.com/v3/api_keys",
            "POST https://api.sendgrid.com/v3/mg.acme.com/messages",
            "POST https://api.mailgun.net/v3/a/b/messages",
            "POST https://mandrillapp.com/api/1.0/messages/send?key=of-a-stranger",
        ] {
            let rule = rule(request);
            assert!(matches!(rule, DeniedBy::MailPath { .. }), "{request}: {rule:?}");
        }
    }

    #[test]
    fn each_method_leaves_where_it_means_something_and_no_other_does() {
        let [api, token, change, mail] = [
            "https://acme.eu.auth0.com/api/v2/users",
            "https://acme.eu.auth0.com/oauth/token",
            "https://acme.eu.auth0.com/dbconnections/change_password",
            "https://api.sendgrid.com/v3/mail/send",
        ];
        let rule = |method: &str, url: &str| {
            classify(&production_with_any_mail(), &format!("{method} {url}"))
                .map_err(|denial| denial.rule().clone())
        };
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
            assert_eq!(rule(method, api), Ok(Destination::ManagementApi), "{method}");
            assert_eq!(rule(method, token), Err(DeniedBy::TenantPath), "{method}");
            assert_eq!(rule(method, change), Err(DeniedBy::TenantPath), "{method}");
            let provider = MailProvider::SendGrid;
            assert_eq!(rule(method, mail), Err(DeniedBy::MailPath { provider }), "{method}");
        }
        for (url, expected) in [
            (api, Destination::ManagementApi),
            (token, Destination::TokenEndpoint),
            (change, Destination::ChangePassword),
            (mail, Destination::Mail(MailProvider::SendGrid)),
        ] {
            assert_eq!(rule("POST", url), Ok(expected), "{url}");
        }
        // Methods are case-sensitive (RFC 9110, section 9.1): a server that takes `get` for `GET` reads another request than
        // the rules have seen.
        for method in [
            "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "M-SEARCH", "PURGE", "get", "Get", "Post", "post",
            "delete", "head", "X",
        ] {
            for url in [api, token, change, mail] {
                assert_eq!(rule(method, url), Err(DeniedBy::Method), "{method} {url}");
            }
        }
    }

    #[test]
    fn a_mail_override_replaces_the_providers_and_tells_them_by_path() {
        let offline = Destinations::new(
            "http://127.0.0.1:8080".parse().unwrap(),
            Some("http://127.0.0.1:8081".parse().unwrap()),
        )
        .mail(MailAccess::Unspecified);
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
        let keyed = offline.mail(MailAccess::Key(MailProvider::Resend));
        let resend = classify(&keyed, "POST http://127.0.0.1:8081/emails");
        assert_eq!(resend, Ok(Destination::Mail(MailProvider::Resend)));
        assert!(classify(&keyed, "POST http://127.0.0.1:8081/v3/mail/send").is_err());
        let same_root = Destinations::new(
            "http://127.0.0.1:8080".parse().unwrap(),
            Some("http://127.0.0.1:8080".parse().unwrap()),
        )
        .mail(MailAccess::Key(MailProvider::SendGrid));
        let request = "POST http://127.0.0.1:8080/v3/mail/send";
        assert_eq!(classify(&same_root, request), Ok(Destination::Mail(MailProvider::SendGrid)));
        let request = "POST http://127.0.0.1:8080/api/v2/users";
        assert_eq!(classify(&same_root, request), Ok(Destination::ManagementApi));
    }

    fn route(provider: MailProvider, asked: &str, upstream: &str) -> Destinations {
        let route = MailRoute { provider, asked: asked.parse().unwrap(), upstream: upstream.to_owned() };
        production().mail(MailAccess::Route(route))
    }

    fn goes(destinations: &Destinations, request: &str) -> Result<String, String> {
        let (method, uri) = request.split_once(' ').unwrap();
        let uri: Uri = uri.parse().unwrap();
        let route =
            destinations.classify(&method.parse().unwrap(), &uri).map_err(|denial| denial.to_string())?;
        assert!(matches!(route.destination, Destination::Mail(_)), "{request}");
        Ok(route.uri(&uri).unwrap().to_string())
    }

    #[test]
    fn mails_of_signed_providers_go_where_the_connection_says() {
        let ses = "https://email.eu-west-1.amazonaws.com";
        let ses = route(MailProvider::Ses, ses, ses);
        let azure = "https://azure-communication-services.invalid";
        let azure = route(MailProvider::Azure, azure, "https://acme.communication.azure.com");
        let graph = "https://graph.microsoft.com";
        let graph = route(MailProvider::Microsoft365, graph, graph);
        let smtp = route(MailProvider::Smtp, "https://smtp.invalid", "smtp://smtp.acme.com:587");
        for (destinations, request, expected) in [
            (
                &ses,
                "POST https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails",
                Ok("https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"),
            ),
            (
                &ses,
                "POST https://email.us-east-1.amazonaws.com/v2/email/outbound-emails",
                Err("are for https://email.eu-west-1.amazonaws.com, not for"),
            ),
            (
                &ses,
                "POST https://email.eu-west-1.amazonaws.com/v2/email/identities",
                Err("only the one that sends an email"),
            ),
            (
                &ses,
                "GET https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails",
                Err("only the one that sends an email"),
            ),
            (
                &ses,
                "POST https://email.evil.eu-west-1.amazonaws.com/v2/email/outbound-emails",
                Err("neither the tenant nor"),
            ),
            (
                &azure,
                "POST https://azure-communication-services.invalid/emails:send?api-version=2023-03-31",
                Ok("https://acme.communication.azure.com/emails:send?api-version=2023-03-31"),
            ),
            (
                &azure,
                "POST https://azure-communication-services.invalid/emails/operations",
                Err("only the one that sends an email"),
            ),
            (
                &azure,
                "POST https://acme.communication.azure.com/emails:send?api-version=2023-03-31",
                Err("neither the tenant nor"),
            ),
            (
                &graph,
                "POST https://graph.microsoft.com/v1.0/users/people%40acme.com/sendMail",
                Ok("https://graph.microsoft.com/v1.0/users/people%40acme.com/sendMail"),
            ),
            (
                &graph,
                "POST https://graph.microsoft.com/v1.0/users/a/messages/b/sendMail",
                Err("only the one that sends an email"),
            ),
            (&graph, "GET https://graph.microsoft.com/v1.0/users", Err("only the one that sends an email")),
            (
                &graph,
                "POST https://graph.microsoft.com/v1.0/users/a%2Fb/sendMail",
                Err("only the one that sends an email"),
            ),
            (
                &graph,
                "POST https://graph.microsoft.com/beta/users/a/sendMail",
                Err("only the one that sends an email"),
            ),
            (&smtp, "POST https://smtp.invalid/send", Ok("smtp://smtp.acme.com:587/send")),
            (&smtp, "POST https://smtp.invalid:25/send", Err("neither the tenant nor")),
            (&smtp, "POST https://smtp.acme.com:587/send", Err("neither the tenant nor")),
            (&smtp, "POST https://smtp.invalid/other", Err("only the one that sends an email")),
            (
                &smtp,
                "POST https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails",
                Err("; those for SMTP are"),
            ),
            (
                &production(),
                "POST https://smtp.invalid/send",
                Err("through SMTP, and no credentials for SMTP are"),
            ),
            (
                &production(),
                "POST https://azure-communication-services.invalid/emails:send",
                Err("through Azure Communication Services"),
            ),
            (
                &production(),
                "POST https://graph.microsoft.com/v1.0/users/a/sendMail",
                Err("through Microsoft 365"),
            ),
        ] {
            match (goes(destinations, request), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(hint)) => assert!(found.contains(hint), "{request}: {found}"),
                (found, _) => panic!("{request}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_mail_override_stands_in_for_http_and_never_for_smtp() {
        let offline = || {
            let url = |text: &str| text.parse().unwrap();
            Destinations::new(url("http://127.0.0.1:8080"), Some(url("http://127.0.0.1:8081")))
        };
        let with = |provider, asked: &str, upstream: &str| {
            let (asked, upstream) = (asked.parse().unwrap(), upstream.to_owned());
            offline().mail(MailAccess::Route(MailRoute { provider, asked, upstream }))
        };
        let azure = with(
            MailProvider::Azure,
            "https://azure-communication-services.invalid",
            "https://acme.communication.azure.com",
        );
        let smtp = with(MailProvider::Smtp, "https://smtp.invalid", "smtp://127.0.0.1:2525");
        for (destinations, request, expected) in [
            (&azure, "POST http://127.0.0.1:8081/emails:send", Some("http://127.0.0.1:8081/emails:send")),
            (&azure, "POST https://azure-communication-services.invalid/emails:send", None),
            (&azure, "POST http://127.0.0.1:8081/v2/email/outbound-emails", None),
            (&smtp, "POST https://smtp.invalid/send", Some("smtp://127.0.0.1:2525/send")),
            (&smtp, "POST http://127.0.0.1:8081/send", None),
            (&smtp, "POST http://127.0.0.1:8081/emails", None),
        ] {
            assert_eq!(goes(destinations, request).ok().as_deref(), expected, "{request}");
        }
    }
}
