//! What each action's description promises, kept by doing the action: its scopes are enough, its output has the shape
//! that is described, and doing an idempotent one twice leaves the tenant as doing it once.

use auth0_host::Effect;
use auth0_tests::{DATABASE, OfflineTenant, host, newcomer};
use serde_json::{Value, json};

const API: &str = "https://api.acme.example/";

/// An input with which each action succeeds on the demo's tenant.
pub(crate) fn inputs(tenant: &OfflineTenant) -> Vec<(&'static str, Value)> {
    let user = tenant.user("tom.becker@acme.example");
    let one = || json!({"user_id": user});
    let role = tenant.role("Sales");
    let permissions = json!([{"resource_server_identifier": API, "permission_name": "read:code"}]);
    let application = tenant.application("Acme Billing");
    let log = tenant.control.logs()[0]["log_id"].clone();
    vec![
        ("list-users", json!({"include_totals": true})),
        ("get-user", one()),
        ("find-users-by-email", json!({"email": "tom.becker@acme.example"})),
        ("create-user", newcomer("new@acme.example")),
        ("update-user", json!({"user_id": user, "changes": {"nickname": "t"}})),
        ("delete-user", one()),
        ("block-user", one()),
        ("unblock-user", one()),
        ("list-user-logs", one()),
        (
            "link-user",
            json!({"user_id": user, "identity": {"user_id": "google-oauth2|108251222085688410000"}}),
        ),
        ("get-user-blocks", one()),
        ("clear-user-blocks", one()),
        ("send-verification-email", one()),
        ("create-email-verification-ticket", one()),
        ("create-password-change-ticket", one()),
        ("send-password-reset-email", json!({"email": "tom.becker@acme.example", "connection": DATABASE})),
        ("create-mfa-enrollment-ticket", one()),
        ("reset-user-mfa", one()),
        ("list-user-sessions", one()),
        ("delete-user-sessions", one()),
        ("delete-user-refresh-tokens", one()),
        ("revoke-user-access", one()),
        ("list-roles", json!({"include_totals": true})),
        ("get-role", json!({"role_id": role})),
        ("create-role", json!({"name": "Auditor"})),
        ("update-role", json!({"role_id": role, "description": "x"})),
        ("delete-role", json!({"role_id": role})),
        ("list-user-roles", one()),
        ("assign-user-roles", json!({"user_id": user, "role_names": ["Sales"]})),
        ("remove-user-roles", json!({"user_id": user, "role_names": ["Engineer"]})),
        ("list-role-users", json!({"role_id": role, "take": 1})),
        ("list-role-permissions", json!({"role_id": role})),
        ("add-role-permissions", json!({"role_id": role, "permissions": permissions})),
        ("remove-role-permissions", json!({"role_id": role, "permissions": permissions})),
        ("list-logs", json!({"take": 3})),
        ("get-log", json!({"log_id": log})),
        ("list-applications", json!({})),
        ("get-application", json!({"client_id": application})),
        ("rotate-client-secret", json!({"client_id": application})),
        ("find-stale-secrets", json!({})),
        ("list-connections", json!({})),
        ("get-connection", json!({"connection_id": tenant.connection_id(DATABASE)})),
        (
            "send-email",
            json!({"to": "a@acme.example", "subject": "{{ friendly_name }}", "body": "b", "user_id": user}),
        ),
        ("test-connection", json!({})),
    ]
}

/// Says where a value does not fit a schema; knows the keywords that the outputs use.
fn misfits(value: &Value, schema: &Value, root: &Value, at: &str, out: &mut Vec<String>) {
    if let Some(pointer) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return misfits(value, root.pointer(pointer).unwrap_or(&Value::Null), root, at, out);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) if kinds.iter().any(fits) => {}
        Value::String(_) if fits(&schema["type"]) => {}
        wanted => out.push(format!("{at}: {kind}, not {wanted}")),
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            out.push(format!("{at}: `{name}` is required and not there"));
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            misfits(value, inner, root, &format!("{at}.{name}"), out);
        }
    }
    for (number, value) in value.as_array().into_iter().flatten().enumerate() {
        misfits(value, &schema["items"], root, &format!("{at}[{number}]"), out);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |choice: &Value| {
            let mut none = Vec::new();
            misfits(value, choice, root, at, &mut none);
            none.is_empty()
        };
        if !choices.iter().any(fits) {
            out.push(format!("{at}: none of the choices"));
        }
    }
}

#[tokio::test]
async fn the_scopes_that_an_action_names_are_enough_for_it() {
    let number = inputs(&OfflineTenant::start().await).len();
    for at in 0..number {
        let tenant = OfflineTenant::start().await;
        let (action, input) = inputs(&tenant).remove(at);
        let scopes = host().describe(action).await.unwrap().scopes;
        let least: Vec<&str> = scopes.iter().map(|need| need.any_of[0].as_str()).collect();
        tenant.control.set_scopes(&least);
        if let Err(error) = tenant.connection.run(action, input).await {
            panic!("{action} with {least:?}: {error}");
        }
    }
}

#[tokio::test]
async fn every_output_has_the_shape_that_is_described() {
    let mut wrong = Vec::new();
    let number = inputs(&OfflineTenant::start().await).len();
    for at in 0..number {
        let tenant = OfflineTenant::start().await;
        let (action, input) = inputs(&tenant).remove(at);
        let output = tenant.run(action, input).await;
        let schema = host().describe(action).await.unwrap().output_schema;
        misfits(&output, &schema, &schema, action, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_idempotent_write_may_be_done_twice() {
    let number = inputs(&OfflineTenant::start().await).len();
    for at in 0..number {
        let tenant = OfflineTenant::start().await;
        let (action, input) = inputs(&tenant).remove(at);
        let described = host().describe(action).await.unwrap();
        if described.effect == Effect::Read || !described.idempotent {
            continue;
        }
        let state =
            || (tenant.control.roles(), tenant.control.users().iter().map(without_time).collect::<Vec<_>>());
        tenant.run(action, input.clone()).await;
        let once = state();
        tenant.run(action, input).await;
        assert_eq!(state(), once, "{action}");
    }
}

fn without_time(user: &Value) -> Value {
    let mut user = user.clone();
    user["updated_at"] = Value::Null;
    user
}

#[tokio::test]
async fn every_action_that_reads_runs_under_a_read_only_policy() {
    let number = inputs(&OfflineTenant::start().await).len();
    let tenant = OfflineTenant::start().await;
    let read_only = auth0_host::Policy::builder().read_only().build().unwrap();
    let connection = tenant.connect(|settings| settings.policy(read_only)).await;
    for at in 0..number {
        let (action, input) = inputs(&tenant).remove(at);
        let reads = host().describe(action).await.unwrap().effect == Effect::Read;
        let result = connection.run(action, input).await;
        assert_eq!(result.is_ok(), reads, "{action}: {result:?}");
        if let Err(error) = result {
            assert!(error.to_string().contains("the policy is read-only"), "{action}: {error}");
        }
    }
}

#[tokio::test]
async fn an_action_that_reads_changes_nothing() {
    let number = inputs(&OfflineTenant::start().await).len();
    for at in 0..number {
        let tenant = OfflineTenant::start().await;
        let (action, input) = inputs(&tenant).remove(at);
        if host().describe(action).await.unwrap().effect != Effect::Read {
            continue;
        }
        let state = || (tenant.control.users(), tenant.control.roles(), tenant.control.clients());
        let before = state();
        tenant.run(action, input).await;
        assert_eq!(state(), before, "{action}");
        assert!(
            tenant.seen().iter().all(|request| request.method == "GET"),
            "{action}: {:?}",
            tenant.lines()
        );
    }
}
