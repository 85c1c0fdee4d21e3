//! Tokens that the component fetches itself, where no host does it for it.

use serde_json::Value;

use crate::client::{AnyOf, Client};
use crate::core::error::{Code, Error};
use crate::core::jwt::split_scopes;
use crate::core::request::{Method, Request};
use crate::settings::Secret;

/// How long before its end a token is renewed: what Auth0's Node and Python SDKs do (facts, section 1).
const RENEW_MS: i64 = 10_000;

/// A token that lacks a scope is replaced where it is older: each costs one of the tenant's monthly quota, and a grant is
/// widened by a person. The same as a host's that keeps the token.
const WIDENED_MS: i64 = 300_000;

/// Path of the token endpoint.
pub const TOKEN_PATH: &str = "/oauth/token";

/// A token as the endpoint issued it.
pub struct Issued {
    token: Secret,
    expires_in_ms: i64,
    /// Where the endpoint told them.
    scopes: Option<Vec<String>>,
}

/// A token that is kept.
struct Kept {
    client_id: String,
    token: Secret,
    since: i64,
    ends_at: i64,
    scopes: Option<Vec<String>>,
}

/// The instance's token. An instance serves one connection; the id guards against a host that changes it all the same.
#[derive(Default)]
pub struct TokenCache {
    kept: Option<Kept>,
}

impl TokenCache {
    /// Makes an empty one.
    pub const fn new() -> Self {
        Self { kept: None }
    }

    /// Returns the token of that application if it will live a little longer.
    pub fn get(&self, client_id: &str, now_unix_ms: i64) -> Option<String> {
        let kept = self.kept.as_ref()?;
        (kept.client_id == client_id && now_unix_ms < kept.ends_at).then(|| kept.token.expose().to_owned())
    }

    /// Returns whether the grant that it came from may have been changed meanwhile.
    pub fn is_of_long_ago(&self, now_unix_ms: i64) -> bool {
        self.kept.as_ref().is_some_and(|kept| now_unix_ms.saturating_sub(kept.since) >= WIDENED_MS)
    }

    /// Returns what the token is known to lack of these needs: the first scope of each that none meets.
    pub fn lacks(&self, needs: &[AnyOf]) -> Vec<&'static str> {
        let Some(granted) = self.kept.as_ref().and_then(|kept| kept.scopes.as_ref()) else {
            return Vec::new();
        };
        let met = |any_of: &[&'static str]| any_of.iter().any(|scope| granted.iter().any(|own| own == scope));
        // What only a part of an action needs is the tenant's to ask for.
        let needs = needs.iter().filter(|(any_of, only_for)| only_for.is_none() && !met(any_of));
        needs.filter_map(|(any_of, _)| any_of.first().copied()).collect()
    }

    /// Keeps a token and gives it.
    pub fn put(&mut self, client_id: &str, issued: Issued, now_unix_ms: i64) -> String {
        let Issued { token, expires_in_ms, scopes } = issued;
        let text = token.expose().to_owned();
        let ends_at = now_unix_ms.saturating_add(expires_in_ms).saturating_sub(RENEW_MS);
        self.kept =
            Some(Kept { client_id: client_id.to_owned(), token, since: now_unix_ms, ends_at, scopes });
        text
    }

    /// Forgets it.
    pub fn clear(&mut self) {
        self.kept = None;
    }
}

/// Fetches a token by client credentials.
///
/// # Errors
/// `unauthenticated` where the tenant does not know the credentials or the application has no grant for the audience,
/// in the tenant's own words; otherwise as any request.
pub fn fetch_token(client: &mut Client<'_>, id: &str, secret: &Secret) -> Result<Issued, Error> {
    let answer = ask(
        client,
        &[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret.expose())],
    )?;
    let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    if token.is_empty() {
        return Err(Error::new(Code::UnexpectedAnswer, "the token endpoint answered 200 without a token"));
    }
    // Auth0's default life is a day; where the answer names none the token is used for this call and not kept.
    let seconds = answer.get("expires_in").and_then(Value::as_i64).unwrap_or(0);
    let scopes = answer.get("scope").and_then(Value::as_str).map(split_scopes);
    Ok(Issued { token: Secret::new(token), expires_in_ms: seconds.saturating_mul(1000), scopes })
}

/// What a host that keeps the credentials says of its token.
pub struct Granted {
    /// Scopes, where told.
    pub scopes: Option<Vec<String>>,
    /// Seconds until its end, where told.
    pub expires_in: Option<i64>,
}

/// Asks the token endpoint without credentials. A host that keeps them answers with what it was granted, and keeps the
/// token; where nobody does, the tenant refuses and nothing is known.
pub fn ask_host(client: &mut Client<'_>) -> Granted {
    let answer = ask(client, &[("grant_type", "client_credentials")]).unwrap_or_default();
    Granted {
        scopes: answer.get("scope").and_then(Value::as_str).map(split_scopes),
        expires_in: answer.get("expires_in").and_then(Value::as_i64),
    }
}

fn ask(client: &mut Client<'_>, fields: &[(&str, &str)]) -> Result<Value, Error> {
    let settings = client.settings;
    let mut fields = fields.to_vec();
    fields.push(("audience", &settings.audience));
    let request = Request::at(Method::Post, TOKEN_PATH).form(&fields);
    let response = client.send_plain(&request, &settings.origin).map_err(refused)?;
    response.json().map_err(|_| {
        Error::new(Code::UnexpectedAnswer, "the token endpoint answered with a body that is not JSON")
    })
}

/// A refusal by the token endpoint is about the credentials, whatever its status; a fetch whose answer was lost has
/// changed nothing.
fn refused(error: Error) -> Error {
    let code = match error.code {
        Code::InsufficientScope
        | Code::Forbidden
        | Code::Unauthenticated
        | Code::Rejected
        | Code::NotFound
        | Code::InvalidInput => Code::Unauthenticated,
        Code::OutcomeUnknown => Code::Unreachable,
        _ => return error,
    };
    let message = format!("no token: {}", error.message);
    Error { scopes: Vec::new(), ..error.told(code, message) }
}
