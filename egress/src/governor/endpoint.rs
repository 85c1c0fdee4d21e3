//! Which requests share a bucket.
//!
//! Auth0 publishes limits for groups of endpoints. The groups here are those of its tables for public tenants; what is
//! in none of them counts against the tenant-wide bucket alone.

use http::{Method, Uri};

use crate::policy::request_path;

/// A group of endpoints with a bucket of its own in at least one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    ReadUsers,
    WriteUsers,
    DeleteUsers,
    ReadLogs,
    ReadClients,
    SearchClients,
    ReadConnections,
    ConnectionStatus,
    WriteDeviceCredentials,
    ReadOrganizations,
    ReadOrganization,
    ReadOrganizationByName,
    WriteOrganizations,
    ReadMembers,
    WriteMembers,
    MemberRoles,
    ReadOrganizationConnections,
    WriteOrganizationConnections,
    Invitations,
    UserOrganizations,
    ReadClientGrants,
    WriteClientGrants,
    ReadTokenExchangeProfiles,
    WriteTokenExchangeProfiles,
    ReadEmailTemplates,
    WriteEmailTemplates,
    ReadEmailProvider,
    WriteEmailProvider,
    VerifyCustomDomain,
    RotateSigningKey,
    PromptPartials,
}

impl Endpoint {
    /// Finds the group of a request; none where only the tenant-wide bucket counts it. A path that is spelled in
    /// another way (`%75sers`) counts where the tenant counts it.
    pub(super) fn of(method: &Method, uri: &Uri) -> Option<Self> {
        request_path::all_readings(uri.path()).into_iter().find_map(|path| {
            let path: Vec<String> = path.iter().map(|segment| segment.to_ascii_lowercase()).collect();
            let segments: Vec<&str> = path.iter().map(String::as_str).collect();
            Self::below_api(method, uri, segments.strip_prefix(&["api", "v2"])?)
        })
    }

    fn below_api(method: &Method, uri: &Uri, segments: &[&str]) -> Option<Self> {
        // The API knows no HEAD; where its servers answer one as a GET, they count it as that.
        let read = matches!(*method, Method::GET | Method::HEAD);
        let either = |reading, writing| Some(if read { reading } else { writing });
        match segments {
            ["users"] | ["users", _] => match *method {
                Method::GET | Method::HEAD => Some(Self::ReadUsers),
                Method::POST | Method::PATCH => Some(Self::WriteUsers),
                Method::DELETE => Some(Self::DeleteUsers),
                _ => None,
            },
            ["users", _, "organizations"] if read => Some(Self::UserOrganizations),
            ["logs"] | ["logs", _] if read => Some(Self::ReadLogs),
            ["clients"] if read && asks(uri, "q") => Some(Self::SearchClients),
            ["clients"] | ["clients", _] if read => Some(Self::ReadClients),
            ["connections"] | ["connections", _] if read => Some(Self::ReadConnections),
            ["connections", _, "status"] if read => Some(Self::ConnectionStatus),
            ["device-credentials"] | ["device-credentials", _] if !read => Some(Self::WriteDeviceCredentials),
            ["organizations"] => either(Self::ReadOrganizations, Self::WriteOrganizations),
            ["organizations", "name", _] if read => Some(Self::ReadOrganizationByName),
            ["organizations", _] => either(Self::ReadOrganization, Self::WriteOrganizations),
            ["organizations", _, "members"] => either(Self::ReadMembers, Self::WriteMembers),
            ["organizations", _, "members", _, "roles"] => Some(Self::MemberRoles),
            ["organizations", _, "enabled_connections"] | ["organizations", _, "enabled_connections", _] => {
                either(Self::ReadOrganizationConnections, Self::WriteOrganizationConnections)
            }
            ["organizations", _, "invitations"] | ["organizations", _, "invitations", _] => {
                Some(Self::Invitations)
            }
            ["organizations", _, "client-grants"] | ["organizations", _, "client-grants", _] => {
                either(Self::ReadClientGrants, Self::WriteClientGrants)
            }
            ["token-exchange-profiles"] | ["token-exchange-profiles", _] => {
                either(Self::ReadTokenExchangeProfiles, Self::WriteTokenExchangeProfiles)
            }
            ["email-templates"] | ["email-templates", _] => {
                either(Self::ReadEmailTemplates, Self::WriteEmailTemplates)
            }
            ["emails", "provider"] => either(Self::ReadEmailProvider, Self::WriteEmailProvider),
            ["custom-domains", _, "verify"] if !read => Some(Self::VerifyCustomDomain),
            ["keys", "signing", "rotate"] if !read => Some(Self::RotateSigningKey),
            ["prompts", _, "partials"] => Some(Self::PromptPartials),
            _ => None,
        }
    }

    /// Names the group in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReadUsers => "reading users",
            Self::WriteUsers => "writing users",
            Self::DeleteUsers => "deleting users",
            Self::ReadLogs => "reading logs",
            Self::ReadClients => "reading clients",
            Self::SearchClients => "searching clients",
            Self::ReadConnections => "reading connections",
            Self::ConnectionStatus => "the status of connections",
            Self::WriteDeviceCredentials => "writing device credentials",
            Self::ReadOrganizations => "listing organizations",
            Self::ReadOrganization => "reading an organization",
            Self::ReadOrganizationByName => "reading an organization by name",
            Self::WriteOrganizations => "writing organizations",
            Self::ReadMembers => "reading members of organizations",
            Self::WriteMembers => "writing members of organizations",
            Self::MemberRoles => "roles of members of organizations",
            Self::ReadOrganizationConnections => "reading connections of organizations",
            Self::WriteOrganizationConnections => "writing connections of organizations",
            Self::Invitations => "invitations to organizations",
            Self::UserOrganizations => "organizations of a user",
            Self::ReadClientGrants => "reading client grants of organizations",
            Self::WriteClientGrants => "writing client grants of organizations",
            Self::ReadTokenExchangeProfiles => "reading token exchange profiles",
            Self::WriteTokenExchangeProfiles => "writing token exchange profiles",
            Self::ReadEmailTemplates => "reading email templates",
            Self::WriteEmailTemplates => "writing email templates",
            Self::ReadEmailProvider => "reading the email provider",
            Self::WriteEmailProvider => "writing the email provider",
            Self::VerifyCustomDomain => "verifying a custom domain",
            Self::RotateSigningKey => "rotating the signing key",
            Self::PromptPartials => "partials of prompts",
        }
    }
}

fn asks(uri: &Uri, name: &str) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_where_auth0_counts_them() {
        for (method, path, expected) in [
            ("GET", "/api/v2/users?page=1", Some(Endpoint::ReadUsers)),
            ("GET", "/api/v2/users/auth0%7C1", Some(Endpoint::ReadUsers)),
            ("PATCH", "/api/v2/users/auth0%7C1", Some(Endpoint::WriteUsers)),
            ("POST", "/api/v2/users", Some(Endpoint::WriteUsers)),
            ("DELETE", "/api/v2/users/auth0%7C1", Some(Endpoint::DeleteUsers)),
            ("GET", "/api/v2/users/auth0%7C1/roles", None),
            ("GET", "/api/v2/users/auth0%7C1/organizations", Some(Endpoint::UserOrganizations)),
            ("GET", "/api/v2/clients?q=x", Some(Endpoint::SearchClients)),
            ("GET", "/api/v2/clients?page=0", Some(Endpoint::ReadClients)),
            ("POST", "/api/v2/clients", None),
            ("GET", "/api/v2/organizations/name/acme", Some(Endpoint::ReadOrganizationByName)),
            ("DELETE", "/api/v2/organizations/org_1", Some(Endpoint::WriteOrganizations)),
            ("PATCH", "/api/v2/emails/provider/", Some(Endpoint::WriteEmailProvider)),
            ("GET", "/api/v2/roles", None),
            ("GET", "/api/v2/%75sers", Some(Endpoint::ReadUsers)),
            ("GET", "/api/v2/%2575sers/x", Some(Endpoint::ReadUsers)),
            ("POST", "/api/v2/Users", Some(Endpoint::WriteUsers)),
            ("POST", "/api/v2/keys/signing%2Frotate", Some(Endpoint::RotateSigningKey)),
            ("GET", "/oauth/token", None),
            ("HEAD", "/api/v2/users", Some(Endpoint::ReadUsers)),
            ("HEAD", "/api/v2/logs", Some(Endpoint::ReadLogs)),
            ("HEAD", "/api/v2/organizations", Some(Endpoint::ReadOrganizations)),
            ("HEAD", "/api/v2/emails/provider", Some(Endpoint::ReadEmailProvider)),
            ("HEAD", "/api/v2/keys/signing/rotate", None),
        ] {
            let method = method.parse().unwrap();
            assert_eq!(Endpoint::of(&method, &path.parse().unwrap()), expected, "{method} {path}");
        }
    }
}
