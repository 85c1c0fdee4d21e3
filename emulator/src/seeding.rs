//! Turns a seed into a tenant.

use serde_json::{Value, json};

use crate::clients;
use crate::connections;
use crate::operation::all_scopes;
use crate::seed::{Seed, SeedClient, SeedLog, SeedUser, database_options};
use crate::tenant::{Client, Connection, Object, Role, Tenant, User};
use crate::{sessions, time, users};

/// Fills a new tenant.
pub(crate) fn apply(tenant: &mut Tenant, seed: &Seed) {
    tenant.settings = settings(seed);
    tenant.email_provider = seed.email_provider.as_ref().and_then(Value::as_object).cloned();
    resource_servers(tenant, seed);
    applications(tenant, seed);
    seed_connections(tenant, seed);
    for role in &seed.roles {
        let permissions = role.permissions.iter().filter_map(|name| permission(tenant, name)).collect();
        let description = if role.description.is_empty() { &role.name } else { &role.description };
        let id = tenant.ids.alnum("rol_", 16);
        tenant.roles.push(Role {
            id,
            name: role.name.clone(),
            description: description.clone(),
            permissions,
        });
    }
    for organization in &seed.organizations {
        let id = tenant.ids.alnum("org_", 16);
        let shown = if organization.display_name.is_empty() {
            &organization.name
        } else {
            &organization.display_name
        };
        let object = json!({"id": id, "name": organization.name, "display_name": shown});
        tenant.organizations.extend(object.as_object().cloned());
    }
    for user in &seed.users {
        seed_user(tenant, user);
    }
    let mut history: Vec<&SeedLog> = seed.logs.iter().collect();
    history.sort_by_key(|row| std::cmp::Reverse(row.days_ago));
    for row in history {
        seed_log(tenant, row);
    }
    // Sessions write log rows dated now, so they come after the history.
    for user in &seed.users {
        let id = user.email.as_deref().and_then(|email| {
            tenant
                .users
                .iter()
                .find(|known| known.text("email") == Some(email))
                .map(|known| known.id().to_owned())
        });
        for _ in 0..user.sessions {
            if let Some(id) = &id {
                // A blocked user keeps the sessions that it had; here it simply gets none.
                let _ = sessions::log_in(tenant, id, None, jiff::Timestamp::now());
            }
        }
    }
}

fn settings(seed: &Seed) -> Object {
    let defaults = json!({
        "change_password": {"enabled": false, "html": ""},
        "default_audience": "", "default_directory": "",
        "enabled_locales": ["en"],
        "flags": {"enable_client_connections": false, "revoke_refresh_token_grant": false},
        "friendly_name": "", "picture_url": "", "support_email": "", "support_url": "",
        "allowed_logout_urls": [],
        "session_lifetime": 168, "idle_session_lifetime": 72, "sandbox_version": "22",
        "oidc_logout": {"rp_logout_end_session_endpoint_discovery": true},
        "session_cookie": {"mode": "persistent"},
    });
    let mut settings = defaults.as_object().cloned().unwrap_or_default();
    settings.extend(seed.settings.clone());
    settings
}

fn resource_servers(tenant: &mut Tenant, seed: &Seed) {
    let scopes: Vec<Value> =
        all_scopes().iter().map(|scope| json!({"value": scope, "description": scope})).collect();
    let id = tenant.ids.hex24();
    let management = json!({
        "id": id, "name": "Auth0 Management API", "identifier": tenant.audience(), "is_system": true,
        "allow_offline_access": false, "skip_consent_for_verifiable_first_party_clients": false,
        "token_lifetime": 86_400, "token_lifetime_for_web": 7200, "signing_alg": "RS256", "scopes": scopes,
    });
    tenant.resource_servers.extend(management.as_object().cloned());
    for api in &seed.resource_servers {
        let id = tenant.ids.hex24();
        let scopes: Vec<Value> =
            api.scopes.iter().map(|scope| json!({"value": scope, "description": scope})).collect();
        let name = if api.name.is_empty() { &api.identifier } else { &api.name };
        let object = json!({
            "id": id, "name": name, "identifier": api.identifier, "is_system": false,
            "allow_offline_access": true, "skip_consent_for_verifiable_first_party_clients": true,
            "token_lifetime": 86_400, "token_lifetime_for_web": 7200, "signing_alg": "RS256",
            "enforce_policies": true, "token_dialect": "access_token_authz", "scopes": scopes,
        });
        tenant.resource_servers.extend(object.as_object().cloned());
    }
}

fn permission(tenant: &Tenant, name: &str) -> Option<(String, String)> {
    let holds = |api: &&Object| {
        api.get("is_system") != Some(&Value::Bool(true))
            && api.get("scopes").and_then(Value::as_array).is_some_and(|scopes| {
                scopes.iter().any(|scope| scope.get("value").and_then(Value::as_str) == Some(name))
            })
    };
    let api = tenant.resource_servers.iter().find(holds)?;
    Some((api.get("identifier")?.as_str()?.to_owned(), name.to_owned()))
}

fn applications(tenant: &mut Tenant, seed: &Seed) {
    // The hidden global client that lists may show.
    let mut global = clients::defaults(tenant, "All Applications");
    global.object.insert("global".into(), true.into());
    tenant.clients.push(global);
    let every: Vec<String> = all_scopes().to_vec();
    let connector = SeedClient {
        name: "Workflow Connector".into(),
        description: Some("The machine-to-machine application of the connector".into()),
        app_type: Some("non_interactive".into()),
        scopes: Some(every),
        // Long enough ago to be known, recent enough not to be overdue: rotating it would cut the caller off.
        secret_rotated_days_ago: Some(1),
        ..SeedClient::default()
    };
    tenant.management_client = application(tenant, &connector);
    for client in &seed.clients {
        application(tenant, client);
    }
}

fn application(tenant: &mut Tenant, seed: &SeedClient) -> String {
    let mut client = clients::defaults(tenant, &seed.name);
    let object = &mut client.object;
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::String);
    set("description", text(&seed.description));
    set("client_id", text(&seed.client_id));
    set("client_secret", text(&seed.client_secret));
    set("app_type", text(&seed.app_type));
    set("token_endpoint_auth_method", text(&seed.token_endpoint_auth_method));
    if seed.app_type.as_deref() == Some("non_interactive") {
        set("grant_types", Some(json!(["client_credentials"])));
    }
    if seed.app_type.as_deref() == Some("spa") {
        set("grant_types", Some(json!(["authorization_code", "refresh_token"])));
    }
    let mut metadata = seed.client_metadata.clone();
    if let Some(days) = seed.secret_rotated_days_ago {
        metadata.insert("secret_rotated_at".into(), time::iso(time::days_ago(days)).into());
    }
    if !metadata.is_empty() {
        set("client_metadata", Some(metadata.into()));
    }
    if let Some(days) = seed.key_created_days_ago {
        let id = tenant.ids.alnum("cred_", 22);
        let made = time::iso(time::days_ago(days));
        set("client_authentication_methods", Some(json!({"private_key_jwt": {"credentials": [{"id": id}]}})));
        object.shift_remove("token_endpoint_auth_method");
        let credential = json!({
            "id": id, "name": "key 1", "kid": tenant.ids.alnum("", 43), "alg": "RS256",
            "credential_type": "public_key", "created_at": made, "updated_at": made,
        });
        client.credentials.extend(credential.as_object().cloned());
    }
    let id = client.id().to_owned();
    tenant.clients.push(client);
    if let Some(scopes) = &seed.scopes {
        let grant = json!({
            "id": tenant.ids.alnum("cgr_", 16), "client_id": id, "audience": tenant.audience(), "scope": scopes,
            "subject_type": "client",
        });
        tenant.grants.extend(grant.as_object().cloned());
    }
    id
}

fn seed_connections(tenant: &mut Tenant, seed: &Seed) {
    let enabled: Vec<String> = tenant
        .clients
        .iter()
        .filter(|client: &&Client| client.get("global") != Some(&Value::Bool(true)))
        .map(|client| client.id().to_owned())
        .collect();
    let mut add = |name: &str, strategy: &str, options: Value, enabled_clients: Vec<String>| {
        let object = connections::object(tenant, name, strategy, options);
        tenant.connections.push(Connection { object, enabled_clients });
    };
    if seed.connections.is_empty() {
        add("Username-Password-Authentication", "auth0", database_options(), enabled.clone());
    }
    for connection in &seed.connections {
        let strategy = if connection.strategy.is_empty() { "auth0" } else { &connection.strategy };
        let mut options = if strategy == "auth0" { database_options() } else { json!({}) };
        if let (Some(options), Some(Value::Object(own))) = (options.as_object_mut(), &connection.options) {
            options.extend(own.clone());
        }
        let clients = if connection.disabled { Vec::new() } else { enabled.clone() };
        add(&connection.name, strategy, options, clients);
    }
}

fn seed_user(tenant: &mut Tenant, seed: &SeedUser) {
    let connection = seed
        .connection
        .clone()
        .or_else(|| tenant.connections.first().map(|connection| connection.text("name").to_owned()))
        .unwrap_or_default();
    let strategy = tenant
        .connection_named(&connection)
        .map_or("auth0", |connection| connection.text("strategy"))
        .to_owned();
    let user_id = match seed.user_id.as_deref() {
        Some(id) if id.contains('|') => id.to_owned(),
        Some(id) => format!("{strategy}|{id}"),
        None => format!("{strategy}|{}", tenant.ids.hex24()),
    };
    let mut wanted = Object::new();
    for (name, value) in [
        ("email", &seed.email),
        ("username", &seed.username),
        ("phone_number", &seed.phone_number),
        ("name", &seed.name),
        ("given_name", &seed.given_name),
        ("family_name", &seed.family_name),
    ] {
        if let Some(value) = value {
            wanted.insert(name.into(), value.as_str().into());
        }
    }
    wanted.insert("email_verified".into(), seed.email_verified.into());
    wanted.insert("blocked".into(), seed.blocked.into());
    for (name, value) in [("user_metadata", &seed.user_metadata), ("app_metadata", &seed.app_metadata)] {
        if let Some(value) = value {
            wanted.insert(name.into(), value.clone());
        }
    }
    let made = time::iso(time::days_ago(seed.created_days_ago));
    let mut user = User {
        profile: users::new_profile(&wanted, &user_id, &connection, &made),
        password: seed.password.clone(),
        ..User::default()
    };
    user.roles = seed
        .roles
        .iter()
        .filter_map(|name| tenant.roles.iter().find(|role| role.name == *name))
        .map(|role| role.id.clone())
        .collect();
    if seed.mfa {
        let enrollment = json!({
            "id": tenant.ids.alnum("dev_", 16), "status": "confirmed", "type": "authenticator", "name": "Phone",
            "identifier": "", "auth_method": "authenticator", "enrolled_at": made, "last_auth": made,
        });
        let method = json!({
            "id": format!("totp|{}", tenant.ids.alnum("dev_", 16)), "type": "totp", "confirmed": true,
            "created_at": made, "enrolled_at": made,
        });
        user.enrollments.extend(enrollment.as_object().cloned());
        user.authentication_methods.extend(method.as_object().cloned());
        user.profile.insert("multifactor".into(), json!(["guardian"]));
    }
    tenant.add_user(user);
}

fn seed_log(tenant: &mut Tenant, seed: &SeedLog) {
    let at = time::days_ago(seed.days_ago);
    let client = seed.client.as_deref().and_then(|name| {
        tenant
            .clients
            .iter()
            .find(|client| client.text("name") == Some(name))
            .map(|client| client.id().to_owned())
    });
    let user = seed.user.as_deref().and_then(|email| {
        tenant
            .users
            .iter()
            .find(|user| user.text("email") == Some(email))
            .map(|user| (user.id().to_owned(), user.connection().to_owned()))
    });
    let connector = tenant.management_client.clone();
    tenant.log_at(at, &seed.r#type, &seed.description, |row| {
        if let Some((user_id, connection)) = &user {
            row.insert("user_id".into(), user_id.as_str().into());
            row.insert("user_name".into(), seed.user.clone().into());
            row.insert("connection".into(), connection.as_str().into());
            row.insert("strategy".into(), "auth0".into());
            row.insert("strategy_type".into(), "database".into());
        }
        let id = client.clone().unwrap_or_default();
        if let Some((method, path)) = seed.request.as_deref().and_then(|request| request.split_once(' ')) {
            row.insert("client_id".into(), connector.as_str().into());
            let path = path.replace("{client_id}", &id);
            let mut body = json!({});
            if path == "/api/v2/clients" {
                body = json!({"client_id": id, "name": seed.client});
            }
            row.insert(
                "details".into(),
                json!({
                    "request": {"method": method, "path": path, "query": {}, "body": {}, "channel": "api",
                        "auth": {"strategy": "jwt", "user": {}, "credentials": {}}},
                    "response": {"statusCode": if method == "post" && path == "/api/v2/clients" { 201 } else { 200 }, "body": body},
                }),
            );
        } else if client.is_some() {
            row.insert("client_id".into(), id.into());
            row.insert("client_name".into(), seed.client.clone().into());
        }
    });
}
