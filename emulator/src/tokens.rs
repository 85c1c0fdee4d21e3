//! The token endpoint, and the check of bearer tokens on the Management API.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Caller, Refusal};
use crate::ids;
use crate::keys::{self, Keys};
use crate::tenant::Tenant;

/// Management tokens live a day unless the API says otherwise.
pub(crate) const DEFAULT_LIFETIME: i64 = 86_400;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The tokens that this tenant issued.
pub(crate) struct Tokens {
    pub(crate) keys: Arc<Keys>,
    pub(crate) lifetime: i64,
    live: Vec<String>,
    expired: HashSet<String>,
    /// Single-use `jti`s of client assertions.
    spent: HashSet<String>,
}

impl Tokens {
    pub(crate) fn new(keys: Arc<Keys>) -> Self {
        Self {
            keys,
            lifetime: DEFAULT_LIFETIME,
            live: Vec::new(),
            expired: HashSet::new(),
            spent: HashSet::new(),
        }
    }

    /// Makes every token issued so far an expired one.
    pub(crate) fn expire_all(&mut self) {
        self.expired.extend(self.live.drain(..));
    }
}

/// The token endpoint.
pub(crate) const PATH: &str = "/oauth/token";

/// A refusal in OAuth's form, which is the only one that the token endpoint has.
pub(crate) fn oauth(status: StatusCode, error: &str, description: impl Into<String>) -> Answer {
    oauth_headers(Answer::json(status, json!({"error": error, "error_description": description.into()})))
}

/// The refusal of a request that is one too many.
pub(crate) fn too_many() -> Answer {
    oauth(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Global limit has been reached")
}

fn oauth_headers(answer: Answer) -> Answer {
    answer.header("cache-control", "no-store").header("pragma", "no-cache")
}

/// How a client proves itself at the token endpoint.
enum Proof {
    Secret(String),
    Assertion(String),
    Nothing,
}

/// Answers `POST /oauth/token`.
pub(crate) fn issue(tenant: &mut Tenant, headers: &HeaderMap, form: &Map<String, Value>) -> Answer {
    let text = |name: &str| form.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
    let Some(grant_type) = text("grant_type") else {
        return oauth(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: grant_type");
    };
    let (client_id, proof) = credentials(headers, &text);
    let Some(client_id) = client_id else {
        return oauth(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: client_id");
    };
    let Some(client) = tenant.client(&client_id) else {
        return oauth(StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized");
    };
    let method = client.text("token_endpoint_auth_method").unwrap_or("client_secret_post").to_owned();
    let proved = match (&proof, client.get("client_authentication_methods").is_some_and(|m| !m.is_null())) {
        (Proof::Secret(secret), false) => client.text("client_secret") == Some(secret.as_str()),
        // A client set to private_key_jwt has no use for its secret.
        (Proof::Assertion(assertion), true) => {
            let keys: Vec<_> = client
                .credentials
                .iter()
                .filter_map(|c| {
                    Some((c.get("pem")?.as_str()?.to_owned(), c.get("alg")?.as_str()?.to_owned()))
                })
                .collect();
            assertion_proves(tenant, &client_id, assertion, &keys)
        }
        (Proof::Nothing, _) => method == "none",
        _ => false,
    };
    if !proved {
        return oauth(StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized");
    }
    match grant_type {
        "client_credentials" => client_credentials(tenant, &client_id, text("audience")),
        "authorization_code" => oauth(StatusCode::FORBIDDEN, "invalid_grant", "Invalid authorization code"),
        "refresh_token" => oauth(StatusCode::FORBIDDEN, "invalid_grant", "Unknown or invalid refresh token."),
        "password" => not_allowed(grant_type),
        other => {
            oauth(StatusCode::FORBIDDEN, "unsupported_grant_type", format!("Unsupported grant type: {other}"))
        }
    }
}

fn credentials<'a>(headers: &HeaderMap, text: &impl Fn(&str) -> Option<&'a str>) -> (Option<String>, Proof) {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((id, secret)) = basic.as_deref().and_then(|pair| pair.split_once(':')) {
        let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        return (Some(decode(id)), Proof::Secret(decode(secret)));
    }
    if let Some(assertion) = text("client_assertion") {
        let subject = || keys::peek(assertion)?.get("sub")?.as_str().map(str::to_owned);
        let id = text("client_id").map(str::to_owned).or_else(subject);
        return match text("client_assertion_type") {
            Some(ASSERTION_TYPE) => (id, Proof::Assertion(assertion.to_owned())),
            _ => (id, Proof::Nothing),
        };
    }
    let proof = text("client_secret").map_or(Proof::Nothing, |secret| Proof::Secret(secret.to_owned()));
    (text("client_id").map(str::to_owned), proof)
}

fn assertion_proves(
    tenant: &mut Tenant,
    client_id: &str,
    assertion: &str,
    keys: &[(String, String)],
) -> bool {
    // Limits of the whole assertion and of its claims (facts, section 1).
    if assertion.len() > 2048 {
        return false;
    }
    let Some(claims) = keys.iter().find_map(|(pem, alg)| keys::open_assertion(assertion, pem, alg).ok())
    else {
        return false;
    };
    let now = Timestamp::now().as_second();
    let is = |name: &str, wanted: &str| claims.get(name).and_then(Value::as_str) == Some(wanted);
    let at = |name: &str| claims.get(name).and_then(Value::as_i64);
    let Some(jti) = claims.get("jti").and_then(Value::as_str).filter(|jti| jti.len() <= 64) else {
        return false;
    };
    is("iss", client_id)
        && is("sub", client_id)
        && is("aud", &tenant.issuer())
        && at("exp").is_some_and(|exp| exp > now && exp <= now + 300 + 10)
        && at("nbf").is_none_or(|nbf| nbf <= now + 10)
        && at("iat").is_none_or(|iat| iat <= now + 10)
        && tenant.tokens.spent.insert(format!("{client_id} {jti}"))
}

fn not_allowed(grant_type: &str) -> Answer {
    oauth_headers(Answer::json(
        StatusCode::FORBIDDEN,
        json!({
            "error": "unauthorized_client",
            "error_description": format!("Grant type '{grant_type}' not allowed for the client."),
            "error_uri": "https://auth0.com/docs/clients/client-grant-types",
        }),
    ))
}

fn client_credentials(tenant: &mut Tenant, client_id: &str, audience: Option<&str>) -> Answer {
    let allowed = tenant.client(client_id).is_some_and(|client| {
        let types = client.get("grant_types").and_then(Value::as_array);
        types.is_some_and(|types| types.iter().any(|t| t == "client_credentials"))
            && client.text("token_endpoint_auth_method") != Some("none")
    });
    if !allowed {
        tenant.log("feccft", "Grant type 'client_credentials' not allowed for the client.", |row| {
            row.insert("client_id".into(), client_id.into());
        });
        return not_allowed("client_credentials");
    }
    let Some(audience) = audience else {
        return oauth(
            StatusCode::FORBIDDEN,
            "access_denied",
            "Non-global clients are not allowed access to APIv1",
        );
    };
    if !tenant
        .resource_servers
        .iter()
        .any(|api| api.get("identifier").and_then(Value::as_str) == Some(audience))
    {
        return oauth(StatusCode::FORBIDDEN, "access_denied", format!("Service not found: {audience}"));
    }
    let grant = tenant.grants.iter().find(|grant| {
        grant.get("client_id").and_then(Value::as_str) == Some(client_id)
            && grant.get("audience").and_then(Value::as_str) == Some(audience)
    });
    let Some(grant) = grant else {
        return oauth(
            StatusCode::FORBIDDEN,
            "access_denied",
            format!(
                "Client is not authorized to access \"{audience}\". You need to create a \"client-grant\" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
            ),
        );
    };
    let scope = grant
        .get("scope")
        .and_then(Value::as_array)
        .map(|scopes| scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        .unwrap_or_default();
    let now = Timestamp::now().as_second();
    let jti = ids::secret(22);
    let lifetime = tenant.tokens.lifetime;
    let claims = json!({
        "iss": tenant.issuer(),
        "sub": format!("{client_id}@clients"),
        "aud": audience,
        "iat": now,
        "exp": now + lifetime,
        "scope": scope,
        "gty": "client-credentials",
        "azp": client_id,
        "jti": jti,
    });
    let Some(token) = tenant.tokens.keys.sign(&claims) else {
        return oauth(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Internal error");
    };
    tenant.tokens.live.push(jti);
    tenant.counts.tokens_issued += 1;
    let name = tenant.client(client_id).and_then(|c| c.text("name").map(str::to_owned)).unwrap_or_default();
    tenant.log("seccft", "Client Credentials for Access Token", |row| {
        row.insert("client_id".into(), client_id.into());
        row.insert("client_name".into(), name.into());
        row.insert("audience".into(), audience.into());
        row.insert("scope".into(), scope.as_str().into());
    });
    oauth_headers(Answer::ok(
        json!({"access_token": token, "scope": scope, "expires_in": lifetime, "token_type": "Bearer"}),
    ))
}

/// Checks the `Authorization` header of a Management API request.
pub(crate) fn authenticate(tenant: &Tenant, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let unauthorized = |message: &str| Refusal::plain(StatusCode::UNAUTHORIZED, message);
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(unauthorized("Missing authentication"));
    };
    let malformed =
        || Refusal::new(StatusCode::BAD_REQUEST, "Bearer", "Bad HTTP authentication header format");
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = value.split_once(' ').ok_or_else(malformed)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer")
        || token.split('.').count() != 3
        || token.split('.').any(str::is_empty)
    {
        return Err(malformed());
    }
    let claims = match tenant.tokens.keys.open(token) {
        Ok(claims) => claims,
        Err(keys::BadToken::Malformed) => return Err(unauthorized("Invalid token")),
        Err(keys::BadToken::Signature) => {
            return Err(unauthorized("Invalid signature received for JSON Web Token validation"));
        }
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("iss") != tenant.issuer() || text("aud") != tenant.audience() {
        return Err(unauthorized("Invalid token"));
    }
    let exp = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
    if exp <= Timestamp::now().as_second() || tenant.tokens.expired.contains(text("jti")) {
        return Err(unauthorized("Expired token received for JSON Web Token validation"));
    }
    Ok(Caller {
        client_id: text("azp").to_owned(),
        subject: text("sub").to_owned(),
        jti: text("jti").to_owned(),
        scopes: text("scope").split_ascii_whitespace().map(str::to_owned).collect(),
    })
}

/// The discovery document.
pub(crate) fn discovery(tenant: &Tenant) -> Value {
    let issuer = tenant.issuer();
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}authorize"),
        "token_endpoint": format!("{issuer}oauth/token"),
        "userinfo_endpoint": format!("{issuer}userinfo"),
        "jwks_uri": format!("{issuer}.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "RS384", "PS256"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Plan;
    use crate::seed::{Seed, SeedClient};

    /// A tenant with one private_key_jwt application, and the key that it signs with.
    fn with_key() -> (Tenant, String, Keys) {
        let tokens = Tokens::new(Arc::new(Keys::generate().unwrap()));
        let mut tenant = Tenant::new("t.eu.auth0.localhost".into(), tokens, Plan::Unlimited, String::new());
        let client = SeedClient {
            name: "Signer".into(),
            app_type: Some("non_interactive".into()),
            key_created_days_ago: Some(1),
            scopes: Some(vec!["read:users".into()]),
            ..SeedClient::default()
        };
        crate::seeding::apply(&mut tenant, &Seed { clients: vec![client], ..Seed::default() });
        let keys = Keys::generate().unwrap();
        let id = tenant.clients.last().unwrap().id().to_owned();
        let credential = &mut tenant.client_mut(&id).unwrap().credentials[0];
        credential.insert("pem".into(), keys.public_pem().unwrap().into());
        (tenant, id, keys)
    }

    fn ask(tenant: &mut Tenant, assertion: &str) -> StatusCode {
        let form = json!({
            "grant_type": "client_credentials", "audience": tenant.audience(),
            "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion,
        });
        issue(tenant, &HeaderMap::new(), form.as_object().unwrap()).status
    }

    #[test]
    fn a_client_assertion_proves_a_client_once() {
        let (mut tenant, id, keys) = with_key();
        let now = Timestamp::now().as_second();
        let good = json!({"iss": id, "sub": id, "aud": tenant.issuer(), "jti": "one", "exp": now + 60});
        let token = keys.sign(&good).unwrap();
        assert_eq!(ask(&mut tenant, &token), 200);
        assert_eq!(ask(&mut tenant, &token), 401, "the jti is spent");
        for (member, value) in [
            ("aud", json!(format!("{}oauth/token", tenant.issuer()))),
            ("exp", json!(now + 4000)),
            ("exp", json!(now - 1)),
            ("iss", json!("other")),
        ] {
            let mut bad = good.clone();
            bad["jti"] = json!(format!("{member} {}", value.to_string().len()));
            bad[member] = value;
            let token = keys.sign(&bad).unwrap();
            assert_eq!(ask(&mut tenant, &token), 401, "{member}");
        }
        let mut foreign = good.clone();
        foreign["jti"] = json!("two");
        let token = Keys::generate().unwrap().sign(&foreign).unwrap();
        assert_eq!(ask(&mut tenant, &token), 401, "signed by another key");
    }

    #[test]
    fn a_client_with_a_key_cannot_use_its_secret() {
        let (mut tenant, id, _) = with_key();
        let form = json!({
            "grant_type": "client_credentials", "audience": tenant.audience(), "client_id": id,
            "client_secret": tenant.client(&id).unwrap().text("client_secret"),
        });
        assert_eq!(issue(&mut tenant, &HeaderMap::new(), form.as_object().unwrap()).status, 401);
    }
}
