//! Connections and the applications that may use them.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Caller, Refusal};
use crate::paging::{self, project};
use crate::seed::database_options;
use crate::tenant::{Connection, Object, Tenant};
use crate::time;

fn missing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "inexistent_connection", "The connection does not exist")
}

/// A new connection's object.
pub(crate) fn object(tenant: &mut Tenant, name: &str, strategy: &str, options: Value) -> Object {
    let id = tenant.ids.alnum("con_", 16);
    let object = json!({
        "id": id, "options": options, "strategy": strategy, "name": name, "is_domain_connection": false,
        "realms": [name], "authentication": {"active": true}, "connected_accounts": {"active": false},
    });
    object.as_object().cloned().unwrap_or_default()
}

/// The part of a connection that a caller may see: options need a scope of their own since July 2025.
fn visible(connection: &Connection, caller: &Caller) -> Value {
    let mut object = connection.object.clone();
    if !caller.may("read:connections_options") {
        object.shift_remove("options");
    }
    Value::Object(object)
}

fn project_all(mut answer: Answer, call: &Call) -> Answer {
    if let crate::call::Body::Json(body) = &mut answer.body {
        let list = match body {
            Value::Object(object) => object.get_mut("connections"),
            other => Some(other),
        };
        if let Some(Value::Array(list)) = list {
            for item in list {
                *item = project(item.take(), &call.query, &[]);
            }
        }
    }
    answer
}

fn id_of(value: &Value) -> String {
    value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(crate) fn list(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let strategies: Vec<&str> = call.query.all("strategy").collect();
    let items: Vec<Value> = tenant
        .connections
        .iter()
        .filter(|connection| {
            call.query.get("name").is_none_or(|name| connection.text("name") == name)
                && (strategies.is_empty() || strategies.contains(&connection.text("strategy")))
        })
        .map(|connection| visible(connection, &call.caller))
        .collect();
    Ok(project_all(paging::either(call, "connections", &items, id_of)?, call))
}

pub(crate) fn of_client(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let client = call.param("id");
    if tenant.client(client).is_none() {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "inexistent_client", "The client does not exist"));
    }
    let strategies: Vec<&str> = call.query.all("strategy").collect();
    let items: Vec<Value> = tenant
        .connections
        .iter()
        .filter(|connection| {
            connection.enabled_clients.iter().any(|enabled| enabled == client)
                && (strategies.is_empty() || strategies.contains(&connection.text("strategy")))
        })
        .map(|connection| visible(connection, &call.caller))
        .collect();
    Ok(project_all(paging::checkpoint(call, "connections", &items, id_of)?, call))
}

fn find<'t>(tenant: &'t mut Tenant, call: &Call) -> Result<&'t mut Connection, Refusal> {
    let id = call.param("id");
    tenant.connections.iter_mut().find(|connection| connection.text("id") == id).ok_or_else(missing)
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let connection = find(tenant, call)?;
    Ok(Answer::ok(project(visible(connection, &call.caller), &call.query, &[])))
}

pub(crate) fn create(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let name = call.text("name").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty()
        || name.len() > 128
        || !name.chars().all(plain)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        return Err(Refusal::body(
            "'String does not match pattern ^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$' on property name",
        ));
    }
    if tenant.connection_named(name).is_some() {
        return Err(Refusal::plain(StatusCode::CONFLICT, "A connection with the same name already exists"));
    }
    let strategy = call.text("strategy").unwrap_or_default();
    let mut options = if strategy == "auth0" { database_options() } else { json!({}) };
    if let (Some(options), Some(own)) =
        (options.as_object_mut(), call.field("options").and_then(Value::as_object))
    {
        options.extend(own.clone());
    }
    let mut object = object(tenant, name, strategy, options);
    for key in [
        "display_name",
        "is_domain_connection",
        "show_as_button",
        "realms",
        "metadata",
        "authentication",
        "connected_accounts",
    ] {
        if let Some(value) = call.field(key) {
            object.insert(key.into(), value.clone());
        }
    }
    let connection = Connection { object, enabled_clients: call.strings("enabled_clients") };
    let mut shown = visible(&connection, &call.caller);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("enabled_clients".into(), json!(connection.enabled_clients));
    }
    tenant.connections.push(connection);
    Ok(Answer::created(shown))
}

pub(crate) fn update(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    if call.field("options").is_some() && !call.caller.may("update:connections_options") {
        return Err(Refusal::insufficient_scope(
            "Insufficient scope, expected any of: update:connections_options (needed for: options)",
        ));
    }
    if call.field("enabled_clients").is_some() {
        // [?] Ended on 2026-07-13; a closed schema's message is the likeliest.
        return Err(Refusal::body("'Additional properties not allowed: enabled_clients'"));
    }
    let caller = call.caller.clone();
    let connection = find(tenant, call)?;
    for (name, value) in call.object() {
        connection.object.insert(name, value);
    }
    Ok(Answer::ok(visible(connection, &caller)))
}

pub(crate) fn delete(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    let Some(at) = tenant.connections.iter().position(|connection| connection.text("id") == id) else {
        return Ok(Answer::no_content());
    };
    let name = tenant.connections.remove(at).text("name").to_owned();
    // Its users go with it.
    let users: Vec<String> = tenant
        .users
        .iter()
        .filter(|user| user.connection() == name)
        .map(|user| user.id().to_owned())
        .collect();
    for user in users {
        tenant.remove_user(&user);
    }
    Ok(Answer::json(StatusCode::ACCEPTED, json!({"deleted_at": time::now_iso()})))
}

pub(crate) fn clients(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let items: Vec<Value> =
        find(tenant, call)?.enabled_clients.iter().map(|id| json!({"client_id": id})).collect();
    paging::checkpoint(call, "clients", &items, |client| {
        client.get("client_id").and_then(Value::as_str).unwrap_or_default().to_owned()
    })
}

pub(crate) fn set_clients(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let items = call.body.as_array().cloned().unwrap_or_default();
    if items.len() > 50 {
        return Err(Refusal::body(format_args!("'Array is too long ({}), maximum 50'", items.len())));
    }
    let mut changes = Vec::new();
    for item in &items {
        let id = item.get("client_id").and_then(Value::as_str);
        let status = item.get("status").and_then(Value::as_bool);
        let (Some(id), Some(status)) = (id, status) else {
            let name = if id.is_none() { "client_id" } else { "status" };
            return Err(Refusal::body(format_args!("'Missing required property: {name}'")));
        };
        changes.push((id.to_owned(), status));
    }
    let connection = find(tenant, call)?;
    for (id, status) in changes {
        connection.enabled_clients.retain(|enabled| *enabled != id);
        if status {
            connection.enabled_clients.push(id);
        }
    }
    Ok(Answer::no_content())
}

pub(crate) fn delete_user(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let name = find(tenant, call)?.text("name").to_owned();
    let email = call.query.get("email").unwrap_or_default();
    let found = tenant
        .users
        .iter()
        .find(|user| user.connection() == name && user.text("email") == Some(email))
        .map(|user| user.id().to_owned());
    if let Some(user) = found.and_then(|id| tenant.remove_user(&id)) {
        tenant.log_user("sdu", "", &user.profile);
    }
    Ok(Answer::no_content())
}
