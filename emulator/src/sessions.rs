//! Sessions and refresh tokens: what a login leaves behind, and how it ends.
//!
//! Real deletes are asynchronous; here they are done when the 202 is answered, which a real tenant may be too.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::control::Session;
use crate::paging;
use crate::tenant::{Object, Tenant};
use crate::time;

/// Auth0 keeps this many live refresh tokens per user and application; the oldest is dropped.
const TOKENS_PER_USER_AND_CLIENT: usize = 200;
/// A refused login, for the control surface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// No user has this id, or goes by this name.
    #[error("no user `{0}`")]
    UnknownUser(String),
    /// The user is blocked; the tenant logged the attempt.
    #[error("user is blocked")]
    Blocked,
}

/// Logs a user in: session, refresh token, counters, log row.
pub(crate) fn log_in(
    tenant: &mut Tenant,
    user_id: &str,
    client_id: Option<&str>,
    at: Timestamp,
) -> Result<Session, LoginError> {
    let unknown = || LoginError::UnknownUser(user_id.to_owned());
    let profile = tenant.user(user_id).ok_or_else(unknown)?.profile.clone();
    let client_id = client_id.map_or_else(|| some_application(tenant), str::to_owned);
    let client_name =
        tenant.client(&client_id).and_then(|client| client.text("name")).unwrap_or_default().to_owned();
    if tenant.user(user_id).is_some_and(crate::tenant::User::blocked) {
        tenant.log_user("f", "user is blocked", &profile);
        name_client(tenant, &client_id, &client_name);
        return Err(LoginError::Blocked);
    }
    let ip = "203.0.113.10";
    let now = time::iso(at);
    let session_id = tenant.ids.alnum("", 24);
    let refresh_token_id = tenant.ids.alnum("", 24);
    let device = json!({
        "initial_user_agent": "Mozilla/5.0", "initial_ip": ip, "initial_asn": "64496",
        "last_user_agent": "Mozilla/5.0", "last_ip": ip, "last_asn": "64496",
    });
    // Auth0's defaults: 3 days idle, 7 days absolute for sessions; 15 and 30 days for refresh tokens.
    let session = json!({
        "id": session_id, "user_id": user_id, "created_at": now, "updated_at": now, "authenticated_at": now,
        "idle_expires_at": time::iso(time::shift(at, 3 * 86_400)),
        "expires_at": time::iso(time::shift(at, 7 * 86_400)),
        "last_interacted_at": now, "device": device, "clients": [{"client_id": client_id}],
        "authentication": {"methods": [{"name": "pwd", "timestamp": now, "type": null}]},
        "cookie": {"mode": "persistent"}, "session_metadata": null,
    });
    let token = json!({
        "id": refresh_token_id, "user_id": user_id, "created_at": now,
        "idle_expires_at": time::iso(time::shift(at, 15 * 86_400)),
        "expires_at": time::iso(time::shift(at, 30 * 86_400)),
        "device": device, "client_id": client_id, "session_id": session_id, "rotating": false,
        "resource_servers": [{"audience": "https://api.acme.example/", "scopes": "openid offline_access"}],
        "refresh_token_metadata": null, "last_exchanged_at": null,
    });
    tenant.sessions.extend(session.as_object().cloned());
    tenant.refresh_tokens.extend(token.as_object().cloned());
    drop_oldest_token(tenant, user_id, &client_id);
    if let Some(user) = tenant.user_mut(user_id) {
        let logins = user.profile.get("logins_count").and_then(Value::as_u64).unwrap_or(0) + 1;
        user.profile.insert("last_login".into(), now.as_str().into());
        user.profile.insert("last_ip".into(), ip.into());
        user.profile.insert("logins_count".into(), logins.into());
        user.profile.insert("updated_at".into(), now.as_str().into());
    }
    tenant.log_user("s", "", &profile);
    name_client(tenant, &client_id, &client_name);
    Ok(Session { session_id, refresh_token_id, user_id: user_id.to_owned(), client_id })
}

/// Counts a failed login; the tenth from one address blocks the user there.
pub(crate) fn fail_log_in(tenant: &mut Tenant, user: &str, ip: &str) -> Result<(), LoginError> {
    let found = tenant
        .users
        .iter()
        .find(|known| {
            known.id() == user || known.text("email") == Some(user) || known.text("username") == Some(user)
        })
        .map(|known| (known.profile.clone(), known.connection().to_owned()));
    let Some((profile, connection)) = found else {
        tenant.log("fu", "Wrong email or password.", |row| {
            row.insert("user_name".into(), user.into());
            row.insert("ip".into(), ip.into());
        });
        return Err(LoginError::UnknownUser(user.to_owned()));
    };
    let identifier = ["email", "username", "phone_number"]
        .iter()
        .find_map(|name| profile.get(*name)?.as_str())
        .unwrap_or(user);
    let newly = tenant.blocks.fail(identifier, ip, &connection);
    tenant.log_user("fp", "Wrong email or password.", &profile);
    set_ip(tenant, ip);
    if newly {
        tenant.log_user(
            "limit_wc",
            "An IP address is blocked with 10 failed login attempts into a single account.",
            &profile,
        );
        set_ip(tenant, ip);
    }
    Ok(())
}

fn set_ip(tenant: &mut Tenant, ip: &str) {
    if let Some(last) = tenant.logs.back_mut() {
        last.row.insert("ip".into(), ip.into());
    }
}

fn name_client(tenant: &mut Tenant, client_id: &str, client_name: &str) {
    if let Some(last) = tenant.logs.back_mut() {
        last.row.insert("client_id".into(), client_id.into());
        last.row.insert("client_name".into(), client_name.into());
    }
}

/// The application that a login goes to when none is named: the first that people use.
fn some_application(tenant: &Tenant) -> String {
    let people = |kind: Option<&str>| matches!(kind, Some("spa" | "regular_web" | "native"));
    tenant
        .clients
        .iter()
        .find(|client| people(client.text("app_type")))
        .map_or_else(|| tenant.management_client.clone(), |client| client.id().to_owned())
}

fn drop_oldest_token(tenant: &mut Tenant, user_id: &str, client_id: &str) {
    let theirs = |token: &Object| is(token, "user_id", user_id) && is(token, "client_id", client_id);
    if tenant.refresh_tokens.iter().filter(|token| theirs(token)).count() > TOKENS_PER_USER_AND_CLIENT
        && let Some(at) = tenant.refresh_tokens.iter().position(theirs)
    {
        tenant.refresh_tokens.remove(at);
    }
}

fn is(object: &Object, name: &str, value: &str) -> bool {
    object.get(name).and_then(Value::as_str) == Some(value)
}

fn id_of(value: &Value) -> String {
    value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn of(objects: &[Object], name: &str, value: &str) -> Vec<Value> {
    objects.iter().filter(|object| is(object, name, value)).cloned().map(Value::Object).collect()
}

fn known_user(tenant: &Tenant, call: &Call) -> Result<String, Refusal> {
    let id = if call.param("user_id").is_empty() { call.param("id") } else { call.param("user_id") };
    tenant.user(id).map(|user| user.id().to_owned()).ok_or_else(Refusal::missing_user)
}

fn missing(what: &str) -> Refusal {
    // [?] The sheet gives no code for these.
    Refusal::plain(StatusCode::NOT_FOUND, format!("The {what} does not exist."))
}

pub(crate) fn list(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = known_user(tenant, call)?;
    let items = of(&tenant.sessions, "user_id", &user);
    with_total(call, items.len(), paging::checkpoint(call, "sessions", &items, id_of)?)
}

/// Adds `total` where `include_totals` asks for it, as recorded for refresh tokens.
fn with_total(call: &Call, total: usize, mut answer: Answer) -> Result<Answer, Refusal> {
    if call.query.flag("include_totals") == Some(true)
        && let crate::call::Body::Json(Value::Object(body)) = &mut answer.body
    {
        body.insert("total".into(), total.into());
    }
    Ok(answer)
}

pub(crate) fn delete_all(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = known_user(tenant, call)?;
    tenant.sessions.retain(|session| !is(session, "user_id", &user));
    Ok(Answer::accepted())
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let found = tenant.sessions.iter().find(|session| is(session, "id", call.param("id")));
    found.cloned().map(|session| Answer::ok(Value::Object(session))).ok_or_else(|| missing("session"))
}

pub(crate) fn update(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let found = tenant.sessions.iter_mut().find(|session| is(session, "id", call.param("id")));
    let session = found.ok_or_else(|| missing("session"))?;
    session.insert("session_metadata".into(), call.field("session_metadata").cloned().unwrap_or(Value::Null));
    session.insert("updated_at".into(), time::now_iso().into());
    Ok(Answer::ok(Value::Object(session.clone())))
}

pub(crate) fn delete(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.sessions.retain(|session| !is(session, "id", call.param("id")));
    Ok(Answer::accepted())
}

pub(crate) fn revoke(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.sessions.retain(|session| !is(session, "id", call.param("id")));
    tenant.refresh_tokens.retain(|token| !is(token, "session_id", call.param("id")));
    Ok(Answer::accepted())
}

pub(crate) fn list_tokens(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = known_user(tenant, call)?;
    let items = of(&tenant.refresh_tokens, "user_id", &user);
    with_total(call, items.len(), paging::checkpoint(call, "tokens", &items, id_of)?)
}

pub(crate) fn search_tokens(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let mut items = of(&tenant.refresh_tokens, "user_id", call.query.get("user_id").unwrap_or_default());
    if let Some(client) = call.query.get("client_id") {
        items.retain(|token| token.get("client_id").and_then(Value::as_str) == Some(client));
    }
    paging::checkpoint(call, "refresh_tokens", &items, id_of)
}

pub(crate) fn delete_tokens(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = known_user(tenant, call)?;
    tenant.refresh_tokens.retain(|token| !is(token, "user_id", &user));
    Ok(Answer::accepted())
}

pub(crate) fn get_token(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let found = tenant.refresh_tokens.iter().find(|token| is(token, "id", call.param("id")));
    found.cloned().map(|token| Answer::ok(Value::Object(token))).ok_or_else(|| missing("refresh token"))
}

pub(crate) fn delete_token(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.refresh_tokens.retain(|token| !is(token, "id", call.param("id")));
    Ok(Answer::accepted())
}

pub(crate) fn revoke_tokens(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let ids = call.strings("ids");
    let (user, client) = (call.text("user_id"), call.text("client_id"));
    if ids.is_empty() && user.is_none() && client.is_none() {
        return Err(Refusal::body("'One of ids, user_id or client_id is required'"));
    }
    if ids.len() > 100 {
        return Err(Refusal::body(format_args!(
            "'Array is too long ({}), maximum 100' on property ids",
            ids.len()
        )));
    }
    tenant.refresh_tokens.retain(|token| {
        let hit = if ids.is_empty() {
            user.is_none_or(|user| is(token, "user_id", user))
                && client.is_none_or(|client| is(token, "client_id", client))
        } else {
            ids.iter().any(|id| is(token, "id", id))
        };
        !hit
    });
    Ok(Answer::accepted())
}

pub(crate) fn revoke_access(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = known_user(tenant, call)?;
    let session = call.text("session_id");
    let hit = |object: &Object, key: &str| {
        is(object, "user_id", &user) && session.is_none_or(|session| is(object, key, session))
    };
    tenant.sessions.retain(|object| !hit(object, "id"));
    if call.flag("preserve_refresh_tokens") != Some(true) {
        tenant.refresh_tokens.retain(|object| !hit(object, "session_id"));
    }
    Ok(Answer::accepted())
}
