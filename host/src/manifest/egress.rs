//! Where requests of a component can go, under this host.

use auth0_policy::mail_provider::{MailProof, MailProvider, MailProviderRow};
use serde::Serialize;

/// A destination that can be reached, and nothing besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EgressRule {
    /// Whose it is: the tenant, or the kind of email provider as Auth0 names it.
    pub destination: &'static str,
    /// Scheme and host, with what the tenant's settings put in.
    pub origins: &'static [&'static str],
    /// Method and path, with what varies in braces.
    pub requests: &'static [&'static str],
    /// Which credential the host adds, after policy.
    pub credential: &'static str,
    /// When it can be reached.
    pub when: &'static str,
}

const WITH_CREDENTIALS: &str = "credentials for this provider are configured";

const TENANT: [EgressRule; 3] = [
    EgressRule {
        destination: "tenant",
        origins: &["https://{tenant}"],
        requests: &["GET|HEAD|POST|PUT|PATCH|DELETE /api/v2/{path}"],
        credential: "the tenant's access token",
        when: "always, within the policy",
    },
    EgressRule {
        destination: "tenant",
        origins: &["https://{tenant}"],
        requests: &["POST /dbconnections/change_password"],
        credential: "none",
        when: "always, within the policy",
    },
    EgressRule {
        destination: "tenant",
        origins: &["https://{tenant}"],
        requests: &["POST /oauth/token"],
        credential: "the application's, by the host itself; the component is told scope and expiry, never the token",
        when: "credentials are configured",
    },
];

/// Lists all there is. A test holds each line against the rules that requests are held to.
pub(super) fn all() -> Vec<EgressRule> {
    TENANT.into_iter().chain(MailProvider::ALL.map(of_provider)).collect()
}

fn of_provider(provider: MailProvider) -> EgressRule {
    let MailProviderRow { name, origins, requests, proof, .. } = *provider.row();
    EgressRule {
        destination: name,
        origins,
        requests: match provider {
            MailProvider::Smtp => &["one email, by the host: the component has no sockets"],
            _ => requests,
        },
        credential: match proof {
            MailProof::BearerKey | MailProof::BareKey | MailProof::BasicKey | MailProof::BodyKey => "its key",
            MailProof::Signature => "a signature",
            MailProof::Token => "a token of its own",
            MailProof::Password => "its user and password",
        },
        when: WITH_CREDENTIALS,
    }
}

#[cfg(test)]
mod tests {
    use auth0_policy::{
        destination::{Destination, Destinations, MailAccess},
        mail_provider::{AZURE_STAND_IN, SMTP_STAND_IN},
    };

    use super::*;
    use crate::base_url::BaseUrl;

    fn classify(request: &str) -> Option<Destination> {
        let destinations =
            Destinations::new(BaseUrl::https("acme.eu.auth0.com"), None).mail(MailAccess::Unspecified);
        let (method, url) = request.split_once(' ').unwrap();
        destinations
            .classify(&method.parse().unwrap(), &url.parse().unwrap())
            .ok()
            .map(|route| route.destination)
    }

    /// Puts in what a tenant would, and what the component posts to in place of a customer's own server.
    fn asked(origin: &str, path: &str) -> String {
        let path = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => "/send".to_owned(),
        };
        format!("{origin}{path}")
            .replace("{tenant}", "acme.eu.auth0.com")
            .replace("{region}", "eu-central-1")
            .replace("{endpoint of the connection string}", AZURE_STAND_IN)
            .replace("smtp://{server of the settings}", &format!("https://{SMTP_STAND_IN}"))
            .replace("{domain}", "mg.acme.example")
            .replace("{sender}", "ana@acme.example")
            .replace("{path}", "users")
    }

    #[test]
    fn what_the_manifest_says_can_be_reached_can_be_and_every_mail_provider_is_on_it() {
        for reach in &all() {
            for origin in reach.origins {
                for request in reach.requests {
                    let (methods, path) = request.split_once(' ').unwrap();
                    let methods: Vec<&str> =
                        if path.starts_with('/') { methods.split('|').collect() } else { vec!["POST"] };
                    for method in methods {
                        let request = format!("{method} {}", asked(origin, path));
                        match classify(&request).unwrap_or_else(|| panic!("{request} does not leave")) {
                            Destination::Mail(provider) => assert_eq!(provider.name(), reach.destination),
                            _ => assert_eq!(reach.destination, "tenant", "{request}"),
                        }
                    }
                }
            }
        }
        for provider in MailProvider::ALL {
            assert!(
                all().iter().any(|reach| reach.destination == provider.name()),
                "{provider} is in the manifest"
            );
        }
    }

    #[test]
    fn what_the_manifest_does_not_name_cannot_be_reached() {
        for request in [
            "GET https://acme.eu.auth0.com/authorize",
            "POST https://acme.eu.auth0.com/dbconnections/signup",
            "GET https://api.sendgrid.com/v3/contactdb/recipients",
            "GET https://acme.eu.auth0.com.evil.example/api/v2/users",
            "GET http://acme.eu.auth0.com/api/v2/users",
            "GET https://169.254.169.254/latest/meta-data/",
            "GET https://example.com/",
        ] {
            assert_eq!(classify(request), None, "{request}");
        }
    }
}
