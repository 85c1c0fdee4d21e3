//! What a tenant holds at start.
//!
//! The file of `--seed FILE` is the JSON form of [`Seed`]: everything optional, unknown members refused, dates given as
//! days before now so that a seed never grows old.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The contents of a tenant at its start.
///
/// ```
/// let seed = auth0_emulator::Seed::from_json(r#"{
///   "domain": "acme.eu.auth0.localhost",
///   "roles": [{"name": "Employee"}],
///   "users": [{"email": "ana@acme.example", "roles": ["Employee"], "sessions": 1}]
/// }"#).unwrap();
/// assert_eq!(seed.users.len(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// The tenant's domain; `acme.eu.auth0.localhost` when absent.
    pub domain: Option<String>,
    /// Members of `/tenants/settings`, e.g. `friendly_name`.
    pub settings: Map<String, Value>,
    /// The body of `POST /emails/provider`; none when absent.
    pub email_provider: Option<Value>,
    /// Connections; the default database connection when empty.
    pub connections: Vec<SeedConnection>,
    /// APIs beside the Management API.
    pub resource_servers: Vec<SeedResourceServer>,
    /// Roles.
    pub roles: Vec<SeedRole>,
    /// Applications beside the connector's own and the hidden global one.
    pub clients: Vec<SeedClient>,
    /// Users.
    pub users: Vec<SeedUser>,
    /// Organizations.
    pub organizations: Vec<SeedOrganization>,
    /// Rows of the tenant's log from before the start.
    pub logs: Vec<SeedLog>,
}

/// A connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedConnection {
    /// The name, e.g. `Username-Password-Authentication`.
    pub name: String,
    /// The strategy, e.g. `auth0` or `google-oauth2`; `auth0` when empty.
    pub strategy: String,
    /// The options; Auth0's defaults for databases when absent.
    pub options: Option<Value>,
    /// Whether no application may use it, which makes it a disabled one.
    pub disabled: bool,
}

/// An API with its permissions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedResourceServer {
    /// The audience, e.g. `https://api.acme.example/`.
    pub identifier: String,
    /// The name; the identifier when empty.
    pub name: String,
    /// The permissions, e.g. `read:orders`.
    pub scopes: Vec<String>,
}

/// A role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedRole {
    /// The name.
    pub name: String,
    /// The description; the name when empty.
    pub description: String,
    /// Names of permissions, found on the first API that has them.
    pub permissions: Vec<String>,
}

/// An application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedClient {
    /// The name.
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The client id; made up when absent.
    pub client_id: Option<String>,
    /// The secret; random when absent.
    pub client_secret: Option<String>,
    /// `spa`, `regular_web`, `native`, `non_interactive` …
    pub app_type: Option<String>,
    /// `client_secret_post`, `client_secret_basic` or `none`.
    pub token_endpoint_auth_method: Option<String>,
    /// Metadata.
    pub client_metadata: Map<String, Value>,
    /// Sets `client_metadata.secret_rotated_at` to so many days ago.
    pub secret_rotated_days_ago: Option<i64>,
    /// Makes it a private_key_jwt application with a key made so many days ago.
    pub key_created_days_ago: Option<i64>,
    /// Scopes of the Management API that it is granted; no grant when absent.
    pub scopes: Option<Vec<String>>,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedUser {
    /// The email.
    pub email: Option<String>,
    /// The id with or without its provider; made up when absent.
    pub user_id: Option<String>,
    /// The connection's name; the first connection when absent.
    pub connection: Option<String>,
    /// The user name.
    pub username: Option<String>,
    /// The phone number.
    pub phone_number: Option<String>,
    /// The password; unknown when absent.
    pub password: Option<String>,
    /// The full name.
    pub name: Option<String>,
    /// The given name.
    pub given_name: Option<String>,
    /// The family name.
    pub family_name: Option<String>,
    /// Whether the email is verified.
    pub email_verified: bool,
    /// Whether the user is blocked.
    pub blocked: bool,
    /// Metadata that the user may change.
    pub user_metadata: Option<Value>,
    /// Metadata that only the tenant may change.
    pub app_metadata: Option<Value>,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Live sessions, each with a refresh token.
    pub sessions: u32,
    /// How long ago it was created, in days.
    pub created_days_ago: i64,
    /// Whether a confirmed authenticator app is enrolled.
    pub mfa: bool,
}

/// An organization.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedOrganization {
    /// The name.
    pub name: String,
    /// The display name; the name when empty.
    pub display_name: String,
}

/// A row of the tenant's log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedLog {
    /// The event code, e.g. `s` or `fp`.
    pub r#type: String,
    /// The description.
    pub description: String,
    /// How long ago, in days.
    pub days_ago: i64,
    /// The email of the user that it is about.
    pub user: Option<String>,
    /// The name of the application that it is about.
    pub client: Option<String>,
    /// For `sapi`: method and path of the request, `{client_id}` standing for the application's id,
    /// e.g. `post /api/v2/clients/{client_id}/rotate-secret`.
    pub request: Option<String>,
}

/// A seed that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// It is no JSON, or has a member that no seed has or one of the wrong type.
    #[error("seed, member `{field}`: {reason}")]
    Unreadable {
        /// The path of the member, e.g. `users[2].roles`.
        field: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there; its text ends with line and column.
        reason: serde_json::Error,
    },
    /// It names a role or a permission that it does not define.
    #[error("seed, member `{field}`: no {kind} `{name}` is defined under `{home}`")]
    Undefined {
        /// The path of the member, e.g. `users[2].roles`.
        field: String,
        /// `role` or `permission`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Where it would have to be defined.
        home: &'static str,
    },
}

impl Seed {
    /// A fresh tenant: the connector's application and the default database connection.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads a seed.
    ///
    /// # Errors
    /// The text is no JSON, has an unknown member or one of the wrong type, or names a role or a permission that it does
    /// not define; the error names the member, and the line where it can.
    pub fn from_json(text: &str) -> Result<Self, SeedError> {
        let unreadable = |field: String, reason: serde_json::Error| SeedError::Unreadable {
            field,
            line: reason.line(),
            column: reason.column(),
            reason,
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let seed: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            unreadable(field, error.into_inner())
        })?;
        reader.end().map_err(|reason| unreadable(".".to_owned(), reason))?;
        seed.check()?;
        Ok(seed)
    }

    /// Refuses a name that stands for nothing: a test would run against a tenant without it and blame the connector.
    pub(crate) fn check(&self) -> Result<(), SeedError> {
        for (index, role) in self.roles.iter().enumerate() {
            let known = |name: &&String| self.resource_servers.iter().any(|api| api.scopes.contains(name));
            if let Some(name) = role.permissions.iter().find(|name| !known(name)) {
                return Err(SeedError::Undefined {
                    field: format!("roles[{index}].permissions"),
                    kind: "permission",
                    name: name.clone(),
                    home: "resource_servers[].scopes",
                });
            }
        }
        for (index, user) in self.users.iter().enumerate() {
            let known = |name: &&String| self.roles.iter().any(|role| role.name == **name);
            if let Some(name) = user.roles.iter().find(|name| !known(name)) {
                return Err(SeedError::Undefined {
                    field: format!("users[{index}].roles"),
                    kind: "role",
                    name: name.clone(),
                    home: "roles",
                });
            }
        }
        Ok(())
    }

    /// The company of the demo: a dozen people, six roles, eight applications in all states of repair.
    pub fn demo() -> Self {
        let text = include_str!("demo.json");
        // A test pins that the embedded seed parses.
        Self::from_json(text).unwrap_or_default()
    }
}

/// The options of a database connection that nobody changed.
pub(crate) fn database_options() -> Value {
    json!({
        "mfa": {"active": true, "return_enroll_settings": true},
        "passwordPolicy": "good",
        "strategy_version": 2,
        "brute_force_protection": true,
        "requires_username": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_seed_parses_and_holds_what_the_demo_needs() {
        let seed: Result<Seed, _> = Seed::from_json(include_str!("demo.json"));
        let seed = seed.unwrap();
        let find = |email: &str| seed.users.iter().find(|user| user.email.as_deref() == Some(email)).unwrap();
        for leaver in ["lena.fischer@acme.example", "paul.novak@acme.example"] {
            assert!(find(leaver).sessions > 0, "{leaver} has live sessions");
        }
        for person in ["mira.olsen@acme.example", "tom.becker@acme.example", "rita.gomez@acme.example"] {
            assert!(!find(person).roles.is_empty());
        }
        assert!(seed.users.len() >= 12);
        let round: Seed = serde_json::from_str(&serde_json::to_string(&seed).unwrap()).unwrap();
        assert_eq!(round, seed);
    }

    #[test]
    fn a_bad_seed_is_refused_by_line_and_member() {
        let error = Seed::from_json("{\n \"users\": [\n  {\"email\": 7}\n ]\n}").unwrap_err();
        assert!(
            matches!(&error, SeedError::Unreadable { field, line: 3, .. } if field == "users[0].email"),
            "{error}"
        );
        let error = Seed::from_json("{\"user\": []}").unwrap_err();
        assert!(error.to_string().contains("unknown field `user`"), "{error}");
        assert!(Seed::from_json("{} x").is_err());
    }

    #[test]
    fn a_role_or_permission_that_is_not_defined_is_refused_by_name() {
        for (seed, expected) in [
            (
                r#"{"roles": [{"name": "A"}], "users": [{}, {"roles": ["A", "B"]}]}"#,
                "seed, member `users[1].roles`: no role `B` is defined under `roles`",
            ),
            (
                r#"{"resource_servers": [{"scopes": ["read:x"]}], "roles": [{"permissions": ["read:x", "read:y"]}]}"#,
                "seed, member `roles[0].permissions`: no permission `read:y` is defined under `resource_servers[].scopes`",
            ),
        ] {
            assert_eq!(Seed::from_json(seed).unwrap_err().to_string(), expected);
        }
    }
}
