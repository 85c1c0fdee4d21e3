//! The connection to the tenant: whether domain and credentials are right.

use serde_json::{Value, json};

use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::jwt;
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::timestamp::format_ms;
use crate::input::input;
use crate::settings::Credentials;
use crate::token::ask_host;

/// Read-only calls by the scope they need: the first that the token may make is made. They answer as little as the
/// API allows.
const CHECKS: &[(&str, &str, &str)] = &[
    ("read:users", "users", "user_id"),
    ("read:clients", "clients", "client_id"),
    ("read:client_summary", "clients", "client_id"),
    ("read:roles", "roles", ""),
    ("read:connections", "connections", "id"),
    ("read:logs", "logs", "log_id"),
    ("read:organizations", "organizations", ""),
];

const TEST: Shape = Shape(&[
    ("domain", Kind::Text, "Domain of the tenant"),
    ("checked", Kind::Text, "The call that was made"),
    ("scopes", Kind::Texts, "Scopes that the token carries, where known"),
    ("expires_at", Kind::Time, "When the token expires, where known"),
]);

/// The family.
pub(super) const ACTIONS: &[Action] = &[Action::of::<TestConnection>()];

input! {
    /// Input of `test-connection`.
    struct TestConnection {}
}

impl CuratedAction for TestConnection {
    const ABOUT: About = About {
        id: "test-connection",
        title: "Test the connection",
        description: "Makes one read-only call, to see whether domain and credentials are right, and answers the granted scopes \
                      and when the token expires. `unreachable` for a wrong domain, `unauthenticated` for wrong \
                      credentials.",
        group: "tenant",
        effect: Effect::Read,
        idempotent: true,
        requests: &[],
        handles_personal_data: false,
        scopes: &[],
        output: Output::One(&TEST),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let now = client.unix_ms();
        let (scopes, expires_at) = match &client.settings.credentials {
            Credentials::Host => {
                let granted = ask_host(client);
                (
                    granted.scopes,
                    granted.expires_in.map(|seconds| now.saturating_add(seconds.saturating_mul(1000))),
                )
            }
            Credentials::Token(_) | Credentials::Client { .. } => {
                let claims = client.current_token()?.map(|token| jwt::claims(&token)).unwrap_or_default();
                (claims.scopes, claims.expires_at.map(|seconds| seconds.saturating_mul(1000)))
            }
        };
        let allowed =
            |scope: &str| scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|granted| granted == scope));
        let check = CHECKS.iter().find(|(scope, ..)| allowed(scope)).or(CHECKS.first());
        let (_, path, field) = check.copied().unwrap_or(("", "users", "user_id"));
        let mut request = Request::api(Method::Get, &ApiPath::of(&[path])).query("per_page", "1");
        if !field.is_empty() {
            request = request.query("fields", field).query("include_fields", "true");
        }
        match client.send(&request) {
            Ok(_) => {}
            // The tenant knows the token and will not let it read this: the connection is as right as its scopes allow.
            Err(error) if error.error_code.as_deref() == Some("insufficient_scope") => {}
            Err(error) => return Err(error),
        }
        let mut answer = json!({
            "domain": client.settings.domain.as_str(),
            "checked": format!("GET {}", request.path),
        });
        if let Some(answer) = answer.as_object_mut() {
            if let Some(scopes) = scopes {
                answer.insert("scopes".to_owned(), scopes.into());
            }
            if let Some(expires_at) = expires_at {
                answer.insert("expires_at".to_owned(), format_ms(expires_at).into());
            }
        }
        Ok(answer)
    }
}
