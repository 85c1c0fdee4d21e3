//! Roles, their members, and the permissions of roles and users.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::paging;
use crate::tenant::{Object, Role, Tenant};

/// Auth0's limit of roles per user.
const ROLES_PER_USER: usize = 50;

fn missing_role() -> Refusal {
    Refusal::plain(StatusCode::NOT_FOUND, "The role does not exist.")
}

pub(crate) fn list(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    // [?] Substring and case-insensitive is the sheet's reading of `name_filter`.
    let filter = call.query.get("name_filter").unwrap_or_default().to_lowercase();
    let mut roles: Vec<&Role> =
        tenant.roles.iter().filter(|role| role.name.to_lowercase().contains(&filter)).collect();
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    let roles: Vec<Value> = roles.into_iter().map(Role::json).collect();
    Ok(paging::offset(call, "roles", &roles))
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.role(call.param("id")).map(|role| Answer::ok(role.json())).ok_or_else(missing_role)
}

fn check_name(tenant: &Tenant, name: &str, own: Option<&str>) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::body("'String is too short (0 chars), minimum 1' on property name"));
    }
    if tenant.roles.iter().any(|role| role.name == name && Some(role.id.as_str()) != own) {
        return Err(Refusal::plain(StatusCode::CONFLICT, "Role name already exists."));
    }
    Ok(())
}

pub(crate) fn create(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let name = call.text("name").unwrap_or_default();
    check_name(tenant, name, None)?;
    let role = Role {
        id: tenant.ids.alnum("rol_", 16),
        name: name.to_owned(),
        description: call.text("description").unwrap_or(name).to_owned(),
        permissions: Vec::new(),
    };
    let answer = Answer::ok(role.json());
    tenant.roles.push(role);
    Ok(answer)
}

pub(crate) fn update(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    tenant.role(id).ok_or_else(missing_role)?;
    if let Some(name) = call.text("name") {
        check_name(tenant, name, Some(id))?;
    }
    let role = tenant.roles.iter_mut().find(|role| role.id == id).ok_or_else(missing_role)?;
    if let Some(name) = call.text("name") {
        role.name = name.to_owned();
    }
    if let Some(description) = call.text("description") {
        role.description = description.to_owned();
    }
    Ok(Answer::ok(role.json()))
}

pub(crate) fn delete(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    tenant.role(id).ok_or_else(missing_role)?;
    tenant.roles.retain(|role| role.id != id);
    for user in &mut tenant.users {
        user.roles.retain(|role| role != id);
    }
    Ok(Answer::ok(json!({})))
}

pub(crate) fn users(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    tenant.role(id).ok_or_else(missing_role)?;
    let members: Vec<Value> = tenant
        .users
        .iter()
        .filter(|user| user.roles.iter().any(|role| role == id))
        .map(|user| {
            let mut shown = Object::new();
            for name in ["user_id", "email", "picture", "name"] {
                if let Some(value) = user.profile.get(name) {
                    shown.insert(name.to_owned(), value.clone());
                }
            }
            Value::Object(shown)
        })
        .collect();
    paging::either(call, "users", &members, |user| {
        user.get("user_id").and_then(Value::as_str).unwrap_or_default().to_owned()
    })
}

pub(crate) fn assign_users(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    let users = call.strings("users");
    at_least_one("users", &users)?;
    tenant.role(id).ok_or_else(missing_role)?;
    if users.iter().any(|user| tenant.user(user).is_none()) {
        return Err(Refusal::missing_user());
    }
    for user in &users {
        if let Some(user) = tenant.user_mut(user)
            && !user.roles.iter().any(|role| role == id)
        {
            user.roles.push(id.to_owned());
        }
    }
    Ok(Answer::ok(json!({})))
}

fn at_least_one<T>(name: &str, items: &[T]) -> Result<(), Refusal> {
    if items.is_empty() {
        return Err(Refusal::body(format_args!("'Array is too short (0), minimum 1' on property {name}")));
    }
    Ok(())
}

pub(crate) fn of_user(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    let roles: Vec<Value> = user.roles.iter().filter_map(|id| tenant.role(id)).map(Role::json).collect();
    Ok(paging::offset(call, "roles", &roles))
}

pub(crate) fn assign(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let roles = call.strings("roles");
    at_least_one("roles", &roles)?;
    tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    if roles.iter().any(|role| tenant.role(role).is_none()) {
        // [?] 400 or 404: 404 as everywhere else for a role that is not there.
        return Err(missing_role());
    }
    let user = tenant.user_mut(call.param("id")).ok_or_else(Refusal::missing_user)?;
    let mut held = user.roles.clone();
    for role in roles {
        // [?] Assigning a role twice changes nothing.
        if !held.contains(&role) {
            held.push(role);
        }
    }
    if held.len() > ROLES_PER_USER {
        return Err(Refusal::plain(
            StatusCode::BAD_REQUEST,
            format!("The user cannot have more than {ROLES_PER_USER} roles."),
        ));
    }
    user.roles = held;
    Ok(Answer::no_content())
}

pub(crate) fn remove(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let roles = call.strings("roles");
    at_least_one("roles", &roles)?;
    let user = tenant.user_mut(call.param("id")).ok_or_else(Refusal::missing_user)?;
    user.roles.retain(|role| !roles.contains(role));
    Ok(Answer::no_content())
}

/// Reads and checks the `permissions` of a body against the resource servers.
fn permissions_of(tenant: &Tenant, call: &Call) -> Result<Vec<(String, String)>, Refusal> {
    let items = call.field("permissions").and_then(Value::as_array).cloned().unwrap_or_default();
    at_least_one("permissions", &items)?;
    let mut out = Vec::new();
    for item in &items {
        let text = |name: &str| {
            item.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
                Refusal::body(format_args!("'Missing required property: {name}' on property permissions"))
            })
        };
        let (server, name) = (text("resource_server_identifier")?, text("permission_name")?);
        if describe(tenant, &server, &name).is_none() {
            return Err(Refusal::plain(
                StatusCode::BAD_REQUEST,
                format!("Permission {name} of resource server {server} does not exist."),
            ));
        }
        out.push((server, name));
    }
    Ok(out)
}

/// A permission as lists show it; none where no resource server defines it.
fn describe(tenant: &Tenant, server: &str, name: &str) -> Option<Object> {
    let api = tenant
        .resource_servers
        .iter()
        .find(|api| api.get("identifier").and_then(Value::as_str) == Some(server))?;
    let scope = api
        .get("scopes")?
        .as_array()?
        .iter()
        .find(|scope| scope.get("value").and_then(Value::as_str) == Some(name))?;
    let mut shown = Object::new();
    shown.insert("permission_name".into(), name.into());
    shown.insert("description".into(), scope.get("description").cloned().unwrap_or(Value::Null));
    shown.insert("resource_server_name".into(), api.get("name").cloned().unwrap_or(Value::Null));
    shown.insert("resource_server_identifier".into(), server.into());
    Some(shown)
}

pub(crate) fn permissions(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let role = tenant.role(call.param("id")).ok_or_else(missing_role)?;
    let shown: Vec<Value> = role
        .permissions
        .iter()
        .filter_map(|(server, name)| describe(tenant, server, name))
        .map(Value::Object)
        .collect();
    Ok(paging::offset(call, "permissions", &shown))
}

pub(crate) fn add_permissions(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.role(call.param("id")).ok_or_else(missing_role)?;
    let added = permissions_of(tenant, call)?;
    let role = tenant.roles.iter_mut().find(|role| role.id == call.param("id")).ok_or_else(missing_role)?;
    for permission in added {
        if !role.permissions.contains(&permission) {
            role.permissions.push(permission);
        }
    }
    Ok(Answer::created(json!({})))
}

pub(crate) fn remove_permissions(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.role(call.param("id")).ok_or_else(missing_role)?;
    let gone = permissions_of(tenant, call)?;
    if let Some(role) = tenant.roles.iter_mut().find(|role| role.id == call.param("id")) {
        role.permissions.retain(|permission| !gone.contains(permission));
    }
    Ok(Answer::no_content())
}

pub(crate) fn user_permissions(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    let mut sources: Vec<((String, String), Vec<Value>)> = Vec::new();
    let mut add = |permission: &(String, String), source: Value| match sources
        .iter_mut()
        .find(|(known, _)| known == permission)
    {
        Some((_, list)) => list.push(source),
        None => sources.push((permission.clone(), vec![source])),
    };
    for permission in &user.permissions {
        add(permission, json!({"source_id": "", "source_name": "", "source_type": "DIRECT"}));
    }
    for role in user.roles.iter().filter_map(|id| tenant.role(id)) {
        for permission in &role.permissions {
            add(permission, json!({"source_id": role.id, "source_name": role.name, "source_type": "ROLE"}));
        }
    }
    let shown: Vec<Value> = sources
        .into_iter()
        .filter_map(|((server, name), sources)| {
            let mut shown = describe(tenant, &server, &name)?;
            shown.insert("sources".into(), sources.into());
            Some(Value::Object(shown))
        })
        .collect();
    Ok(paging::offset(call, "permissions", &shown))
}

pub(crate) fn add_user_permissions(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    let added = permissions_of(tenant, call)?;
    let user = tenant.user_mut(call.param("id")).ok_or_else(Refusal::missing_user)?;
    for permission in added {
        if !user.permissions.contains(&permission) {
            user.permissions.push(permission);
        }
    }
    Ok(Answer::created(json!({})))
}

pub(crate) fn remove_user_permissions(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    let gone = permissions_of(tenant, call)?;
    let user = tenant.user_mut(call.param("id")).ok_or_else(Refusal::missing_user)?;
    user.permissions.retain(|permission| !gone.contains(permission));
    Ok(Answer::no_content())
}

pub(crate) fn resource_servers(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let wanted: Vec<&str> = call.query.all("identifiers").collect();
    let shown: Vec<Value> = tenant
        .resource_servers
        .iter()
        .filter(|api| {
            wanted.is_empty()
                || api.get("identifier").and_then(Value::as_str).is_some_and(|id| wanted.contains(&id))
        })
        .cloned()
        .map(Value::Object)
        .collect();
    Ok(paging::offset(call, "resource_servers", &shown))
}

pub(crate) fn resource_server(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let wanted = call.param("id");
    let found = tenant.resource_servers.iter().find(|api| {
        ["id", "identifier"].iter().any(|name| api.get(*name).and_then(Value::as_str) == Some(wanted))
    });
    found.cloned().map(|api| Answer::ok(Value::Object(api))).ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "inexistent_resource_server",
            "The resource server does not exist.",
        )
    })
}
