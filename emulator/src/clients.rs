//! Applications: what each scope shows of them, their secrets and keys.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Caller, Refusal};
use crate::ids;
use crate::paging::{self, project};
use crate::tenant::{Client, Object, Tenant};
use crate::time;

/// What every listing scope shows.
const SUMMARY: [&str; 5] = ["client_id", "app_type", "name", "description", "tenant"];
/// What only `read:client_keys` and `read:client_credentials` show.
const KEYS: [&str; 4] = ["client_secret", "encryption_key", "signing_keys", "client_authentication_methods"];

fn missing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "inexistent_client", "The client does not exist")
}

/// A new application with the defaults that recordings show.
pub(crate) fn defaults(tenant: &mut Tenant, name: &str) -> Client {
    let object = json!({
        "tenant": tenant.name(),
        "global": false,
        "is_token_endpoint_ip_header_trusted": false,
        "name": name,
        "client_id": tenant.ids.alnum("", 32),
        "client_secret": ids::secret(64),
        "is_first_party": true,
        "oidc_conformant": true,
        "sso_disabled": false,
        "cross_origin_authentication": false,
        "grant_types": ["authorization_code", "implicit", "refresh_token", "client_credentials"],
        "jwt_configuration": {"lifetime_in_seconds": 36000, "secret_encoded": false, "alg": "RS256"},
        "refresh_token": {
            "expiration_type": "non-expiring", "leeway": 0, "infinite_token_lifetime": true,
            "infinite_idle_token_lifetime": true, "token_lifetime": 31_557_600,
            "idle_token_lifetime": 2_592_000, "rotation_type": "non-rotating",
        },
        "token_endpoint_auth_method": "client_secret_post",
        "custom_login_page_on": true,
    });
    Client { object: object.as_object().cloned().unwrap_or_default(), credentials: Vec::new() }
}

/// The part of an application that a caller may see.
fn visible(client: &Client, caller: &Caller) -> Object {
    let mut object = client.object.clone();
    let keys = caller.may("read:client_keys") || caller.may("read:client_credentials");
    let settings = caller.may("read:clients") || keys;
    object.retain(|name, _| {
        let name = name.as_str();
        SUMMARY.contains(&name) || (settings && !KEYS.contains(&name)) || (keys && KEYS.contains(&name))
    });
    object
}

/// Refuses a request that names a key field without the scope for it.
fn check_fields(call: &Call) -> Result<(), Refusal> {
    let fields = call.query.get("fields").unwrap_or_default();
    let include = call.query.flag("include_fields").unwrap_or(true);
    let wanted: Vec<&str> = fields.split(',').map(str::trim).filter(|field| KEYS.contains(field)).collect();
    if include
        && !wanted.is_empty()
        && !call.caller.may("read:client_keys")
        && !call.caller.may("read:client_credentials")
    {
        return Err(Refusal::insufficient_scope(format!(
            "Insufficient scope, expected any of: read:client_keys (needed for: {})",
            wanted.join(",")
        )));
    }
    Ok(())
}

fn shown(client: &Client, call: &Call) -> Value {
    // Even with `fields=client_id` the reply contains `tenant`, as recorded.
    project(Value::Object(visible(client, &call.caller)), &call.query, &["tenant"])
}

/// A read is logged if what it returned holds a secret: a client, an array of them, or an object with such an array.
fn log_read(tenant: &mut Tenant, call: &Call, returned: &Value) {
    let clients = returned.get("clients").unwrap_or(returned);
    let secret = |client: &Value| client.get("client_secret").is_some_and(|secret| !secret.is_null());
    if secret(clients) || clients.as_array().is_some_and(|all| all.iter().any(secret)) {
        crate::logs::write(tenant, call, "mgmt_api_read", "Get clients", 200, &json!({}));
    }
}

pub(crate) fn list(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    check_fields(call)?;
    let checkpoint = call.query.get("take").is_some() || call.query.get("from").is_some();
    if let Some(q) = call.query.get("q") {
        let fits =
            q.starts_with("client_grant.organization_id:") || q == "client_grant.allow_any_organization:true";
        if !fits || !checkpoint {
            return Err(Refusal::query("'q supports client_grant filters with checkpoint pagination only'"));
        }
    }
    let is = |client: &Client, name: &str, wanted: Option<bool>| {
        wanted.is_none_or(|wanted| client.get(name) == Some(&Value::Bool(wanted)))
    };
    let types: Option<Vec<&str>> = call.query.get("app_type").map(|types| types.split(',').collect());
    let items: Vec<Value> = tenant
        .clients
        .iter()
        .filter(|client| {
            is(client, "global", call.query.flag("is_global"))
                && is(client, "is_first_party", call.query.flag("is_first_party"))
                && types.as_ref().is_none_or(|types| types.contains(&client.text("app_type").unwrap_or_default()))
                && call.query.get("external_client_id").is_none()
                // No application is granted through organizations here.
                && call.query.get("q").is_none()
        })
        .map(|client| visible(client, &call.caller).into())
        .collect();
    let id = |client: &Value| client.get("client_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut answer = paging::either(call, "clients", &items, id)?;
    if let crate::call::Body::Json(body) = &mut answer.body {
        let list = if body.is_array() { Some(&mut *body) } else { body.get_mut("clients") };
        if let Some(Value::Array(list)) = list {
            for item in list {
                *item = project(item.take(), &call.query, &["tenant"]);
            }
        }
        log_read(tenant, call, body);
    }
    Ok(answer)
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    check_fields(call)?;
    let client = tenant.client(call.param("id")).ok_or_else(missing)?;
    let shown = shown(client, call);
    log_read(tenant, call, &shown);
    Ok(Answer::ok(shown))
}

fn check(call: &Call) -> Result<(), Refusal> {
    if let Some(name) = call.text("name")
        && (name.is_empty() || name.contains(['<', '>']))
    {
        return Err(Refusal::body("'String does not match pattern ^[^<>]+$' on property name"));
    }
    Ok(())
}

fn check_metadata(metadata: &Object) -> Result<(), Refusal> {
    if metadata.len() > 10 {
        return Err(Refusal::body(format_args!(
            "'Too many properties defined ({}), maximum 10' on property client_metadata",
            metadata.len()
        )));
    }
    for (key, value) in metadata {
        match value {
            Value::String(text) if text.chars().count() <= 255 && key.chars().count() <= 255 => {}
            Value::String(_) => {
                return Err(Refusal::body(format_args!(
                    "'String is too long, maximum 255' on property client_metadata.{key}"
                )));
            }
            other => {
                return Err(Refusal::body(format_args!(
                    "'Expected type string but found type {}' on property client_metadata.{key}",
                    crate::operation::kind(other)
                )));
            }
        }
    }
    Ok(())
}

pub(crate) fn create(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    check(call)?;
    if let Some(metadata) = call.field("client_metadata").and_then(Value::as_object) {
        check_metadata(metadata)?;
    }
    let mut client = defaults(tenant, call.text("name").unwrap_or_default());
    for (name, value) in call.object() {
        client.object.insert(name, value);
    }
    let object = client.object.clone();
    tenant.clients.push(client);
    Ok(Answer::created(object))
}

pub(crate) fn update(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    check(call)?;
    let key_fields: Vec<&str> = KEYS.into_iter().filter(|name| call.field(name).is_some()).collect();
    if !key_fields.is_empty()
        && !call.caller.may("update:client_keys")
        && !call.caller.may("update:client_credentials")
    {
        return Err(Refusal::insufficient_scope(format!(
            "Insufficient scope, expected any of: update:client_keys (needed for: {})",
            key_fields.join(",")
        )));
    }
    let client = tenant.client(call.param("id")).ok_or_else(missing)?;
    let mut metadata = client.get("client_metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(change) = call.field("client_metadata").and_then(Value::as_object) {
        for (key, value) in change {
            if value.is_null() {
                metadata.shift_remove(key);
            } else {
                metadata.insert(key.clone(), value.clone());
            }
        }
        check_metadata(&metadata)?;
    }
    let client = tenant.client_mut(call.param("id")).ok_or_else(missing)?;
    for (name, value) in call.object() {
        match (name.as_str(), value) {
            ("client_metadata", _) => {
                client.object.insert(name, Value::Object(metadata.clone()));
            }
            (_, Value::Null) => {
                client.object.shift_remove(&name);
            }
            (_, value) => {
                client.object.insert(name, value);
            }
        }
    }
    let client = client.clone();
    Ok(Answer::ok(visible(&client, &call.caller)))
}

pub(crate) fn delete(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    tenant.clients.retain(|client| client.id() != id);
    tenant.grants.retain(|grant| grant.get("client_id").and_then(Value::as_str) != Some(id));
    for connection in &mut tenant.connections {
        connection.enabled_clients.retain(|client| client != id);
    }
    // An unknown id is 204 as well, as recorded.
    Ok(Answer::no_content())
}

pub(crate) fn rotate(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let client = tenant.client_mut(call.param("id")).ok_or_else(missing)?;
    if client.get("client_authentication_methods").is_some_and(|methods| !methods.is_null()) {
        // [?] The sheet says that it fails; neither code nor text are known.
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "Cannot rotate the secret of a client that authenticates with private_key_jwt.",
        ));
    }
    client.object.insert("client_secret".into(), ids::secret(64).into());
    Ok(Answer::ok(client.object.clone()))
}

/// A credential without the key itself.
fn shown_credential(credential: &Object) -> Value {
    let mut shown = credential.clone();
    shown.shift_remove("pem");
    Value::Object(shown)
}

pub(crate) fn credentials(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let client = tenant.client(call.param("client_id")).ok_or_else(missing)?;
    Ok(Answer::ok(client.credentials.iter().map(shown_credential).collect::<Vec<_>>()))
}

pub(crate) fn credential(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let client = tenant.client(call.param("client_id")).ok_or_else(missing)?;
    let wanted = call.param("credential_id");
    let found = client
        .credentials
        .iter()
        .find(|credential| credential.get("id").and_then(Value::as_str) == Some(wanted));
    found
        .map(|credential| Answer::ok(shown_credential(credential)))
        .ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "The credential does not exist."))
}

pub(crate) fn create_credential(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = tenant.ids.alnum("cred_", 22);
    let kid = tenant.ids.alnum("", 43);
    let client = tenant.client_mut(call.param("client_id")).ok_or_else(missing)?;
    if client.credentials.len() >= 2 {
        return Err(Refusal::plain(StatusCode::BAD_REQUEST, "A client can have at most 2 credentials."));
    }
    let kind = call.text("credential_type").unwrap_or_default();
    if kind == "public_key" && call.text("pem").is_none() {
        return Err(Refusal::body("'Missing required property: pem'"));
    }
    let now = time::now_iso();
    let mut credential = Object::new();
    credential.insert("id".into(), id.into());
    for name in ["name", "subject_dn", "pem", "expires_at"] {
        if let Some(value) = call.field(name) {
            credential.insert(name.into(), value.clone());
        }
    }
    credential.insert("kid".into(), call.text("kid").map_or(kid, str::to_owned).into());
    credential.insert("alg".into(), call.text("alg").unwrap_or("RS256").into());
    credential.insert("credential_type".into(), kind.into());
    credential.insert("created_at".into(), now.as_str().into());
    credential.insert("updated_at".into(), now.into());
    let shown = shown_credential(&credential);
    client.credentials.push(credential);
    Ok(Answer::created(shown))
}

pub(crate) fn delete_credential(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let client = tenant.client_mut(call.param("client_id")).ok_or_else(missing)?;
    let id = call.param("credential_id");
    let used =
        client.get("client_authentication_methods").is_some_and(|methods| methods.to_string().contains(id));
    if used && client.credentials.iter().any(|c| c.get("id").and_then(Value::as_str) == Some(id)) {
        return Err(Refusal::plain(
            StatusCode::BAD_REQUEST,
            "The credential is in use by client_authentication_methods and cannot be deleted.",
        ));
    }
    client.credentials.retain(|credential| credential.get("id").and_then(Value::as_str) != Some(id));
    Ok(Answer::no_content())
}

pub(crate) fn grants(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let fits = |grant: &&Object, name: &str| {
        call.query.get(name).is_none_or(|wanted| grant.get(name).and_then(Value::as_str) == Some(wanted))
    };
    let items: Vec<Value> = tenant
        .grants
        .iter()
        .filter(|grant| fits(grant, "audience") && fits(grant, "client_id") && fits(grant, "subject_type"))
        .cloned()
        .map(Value::Object)
        .collect();
    paging::either(call, "client_grants", &items, |grant| {
        grant.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
    })
}

pub(crate) fn grant(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let found =
        tenant.grants.iter().find(|grant| grant.get("id").and_then(Value::as_str) == Some(call.param("id")));
    found.cloned().map(|grant| Answer::ok(Value::Object(grant))).ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "inexistent_client_grant", "The client grant does not exist.")
    })
}
