//! The JSON interface: list, describe, run; what its schemas say and what it refuses.

use std::collections::BTreeSet;

use auth0_emulator::Seed;
use auth0_host::{Effect, Error, ErrorCode, Json};
use auth0_tests::{DATABASE, OfflineTenant, PASSWORD, curated, host, program};
use serde_json::{Map, Value, json};

use crate::operations::recorder::{Recorder, TOKEN};

/// All curated actions, in the order of the contract's families.
pub(crate) const ACTIONS: &[&str] = &[
    "list-users",
    "get-user",
    "find-users-by-email",
    "create-user",
    "update-user",
    "delete-user",
    "block-user",
    "unblock-user",
    "list-user-logs",
    "link-user",
    "unlink-identity",
    "get-user-blocks",
    "clear-user-blocks",
    "send-verification-email",
    "create-email-verification-ticket",
    "create-password-change-ticket",
    "send-password-reset-email",
    "create-mfa-enrollment-ticket",
    "reset-user-mfa",
    "list-user-sessions",
    "delete-user-sessions",
    "delete-user-refresh-tokens",
    "revoke-user-access",
    "list-roles",
    "get-role",
    "create-role",
    "update-role",
    "delete-role",
    "list-user-roles",
    "assign-user-roles",
    "remove-user-roles",
    "list-role-users",
    "list-role-permissions",
    "add-role-permissions",
    "remove-role-permissions",
    "list-logs",
    "get-log",
    "list-applications",
    "get-application",
    "rotate-client-secret",
    "find-stale-secrets",
    "list-connections",
    "get-connection",
    "custom-request",
    "send-email",
    "test-connection",
];

#[tokio::test]
async fn every_action_of_the_contract_is_listed_and_none_twice() {
    let actions = host().actions().await.unwrap();
    assert_eq!(curated().await, ACTIONS);
    let ids: BTreeSet<&str> = actions.iter().map(|action| action.id.as_str()).collect();
    let all = ACTIONS.len() + auth0_catalog::read().unwrap().len();
    assert_eq!((ids.len(), actions.len()), (all, all));
    assert!(actions.iter().all(|action| !action.title.is_empty() && !action.group.is_empty()));
}

#[tokio::test]
async fn every_description_says_what_an_engine_needs_to_know() {
    for action in host().actions().await.unwrap() {
        let described = host().describe(&action.id).await.unwrap();
        assert_eq!((&described.id, &described.title), (&action.id, &action.title));
        assert_eq!((&described.group, described.effect), (&action.group, action.effect));
        assert!(described.description.ends_with('.'), "{}", action.id);
        if described.effect == Effect::Read {
            assert!(described.idempotent, "{}: reading twice is reading once", action.id);
        }
        let verbs = (action.id.split('-').next().unwrap(), described.effect);
        assert!(
            !matches!(verbs, ("list" | "get" | "find", Effect::Update | Effect::Delete | Effect::Create)),
            "{verbs:?}"
        );
        assert_eq!(described.output_schema["type"], "object", "{}", action.id);
    }
}

/// Walks a schema and reports what a form or a validator could not work with.
fn check(schema: &Value, root: &Value, at: &str, problems: &mut Vec<String>) {
    let Value::Object(object) = schema else {
        if !schema.is_boolean() {
            problems.push(format!("{at}: neither an object nor a boolean"));
        }
        return;
    };
    if let Some(path) = object.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        if target.is_none() {
            problems.push(format!("{at}: {path} leads nowhere"));
        }
    }
    let required: Vec<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = object.get("properties").and_then(Value::as_object);
    for name in required {
        if properties.is_none_or(|properties| !properties.contains_key(name)) {
            problems.push(format!("{at}: requires `{name}`, which it does not describe"));
        }
    }
    if properties.is_some() && object.get("additionalProperties") != Some(&json!(false)) {
        problems.push(format!("{at}: open to unknown properties"));
    }
    for (name, property) in properties.into_iter().flatten() {
        check(property, root, &format!("{at}/{name}"), problems);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get(key) {
            check(inner, root, &format!("{at}/{key}"), problems);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for (number, inner) in object.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let at = format!("{at}/{key}/{number}");
            // One that says no more than which members are needed together: those of the schema that it stands in.
            let inner = match (inner.as_object(), properties) {
                (Some(way), Some(all)) if way.keys().eq(["required"]) => {
                    &json!({"required": way["required"], "properties": all, "additionalProperties": false})
                }
                _ => inner,
            };
            check(inner, root, &at, problems);
        }
    }
    for (name, inner) in object.get("$defs").and_then(Value::as_object).into_iter().flatten() {
        check(inner, root, &format!("{at}/$defs/{name}"), problems);
    }
}

#[tokio::test]
async fn every_input_schema_is_whole_and_closed_at_every_depth() {
    let mut problems = Vec::new();
    for &id in ACTIONS {
        let schema = host().describe(id).await.unwrap().input_schema;
        assert_eq!(schema["type"], "object", "{id}");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{id}: `{name}` has no words");
        }
        check(&schema, &schema, id, &mut problems);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A whole input of each action: all that its schema requires, and nothing more.
fn least(schema: &Value) -> Map<String, Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let value = |name: &str| match name {
        "user_id" => json!("auth0|x"),
        "changes" => json!({"name": "x"}),
        "permissions" => json!([{"resource_server_identifier": "a", "permission_name": "b"}]),
        "method" => json!("GET"),
        "path" => json!("/api/v2/roles"),
        "to" | "email" => json!("ana@acme.example"),
        _ => json!("x"),
    };
    required.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), value(name))).collect()
}

/// A value that no schema of this type takes.
fn mistyped(property: &Value) -> Value {
    let text = property.to_string();
    if text.contains("\"object\"") || text.contains("\"array\"") || text.contains("\"string\"") {
        json!(7)
    } else {
        json!("seven")
    }
}

#[tokio::test]
async fn unknown_missing_and_mistyped_properties_are_refused_by_name_before_any_request() {
    let tenant = OfflineTenant::with(Seed::demo()).await;
    for &id in ACTIONS {
        let schema = host().describe(id).await.unwrap().input_schema;
        let least = least(&schema);
        let refuse = async |input: Map<String, Value>, name: &str| {
            let error = tenant.refused(id, Value::Object(input.clone())).await;
            assert_eq!(
                (&error.code, error.status),
                (&ErrorCode::InvalidInput, None),
                "{id} {input:?}: {error}"
            );
            assert!(error.message.contains(name), "{id}: `{name}` is not named: {error}");
        };
        let mut unknown = least.clone();
        unknown.insert("no_such_property".to_owned(), json!(1));
        refuse(unknown, "no_such_property").await;
        for name in least.keys() {
            let mut missing = least.clone();
            missing.remove(name);
            refuse(missing, name).await;
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if property == &json!(true) || (id, name.as_str()) == ("custom-request", "body") {
                continue;
            }
            let mut wrong = least.clone();
            wrong.insert(name.clone(), mistyped(property));
            let error = tenant.refused(id, Value::Object(wrong)).await;
            assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{id} {name}: {error}");
        }
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn a_mistyped_property_is_named() {
    let tenant = OfflineTenant::start().await;
    let mut unnamed = BTreeSet::new();
    for &id in ACTIONS {
        let schema = host().describe(id).await.unwrap().input_schema;
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if (id, name.as_str()) == ("custom-request", "body") {
                continue;
            }
            let mut wrong = least(&schema);
            wrong.insert(name.clone(), mistyped(property));
            let error = tenant.refused(id, Value::Object(wrong)).await;
            if !error.message.contains(name.as_str()) {
                unnamed.insert(format!("{id} {name}: {}", error.message));
            }
        }
    }
    assert!(unnamed.is_empty(), "{} errors do not name the property:\n{unnamed:#?}", unnamed.len());
}

#[tokio::test]
async fn nested_properties_are_closed_too() {
    let tenant = OfflineTenant::start().await;
    for (action, input, name) in [
        ("update-user", json!({"user_id": "auth0|x", "changes": {"mail": "x"}}), "mail"),
        (
            "send-email",
            json!({"to": "a@b.example", "subject": "s", "body": "b", "from": {"mail": "x", "email": "a@b.example"}}),
            "mail",
        ),
        ("link-user", json!({"user_id": "auth0|x", "identity": {"user_id": "a|b", "color": "x"}}), "color"),
        (
            "add-role-permissions",
            json!({"role_id": "rol_x", "permissions": [{"resource_server_identifier": "a", "permission_name": "b", "c": 1}]}),
            "c",
        ),
        (
            "create-user",
            json!({"connection": DATABASE, "email": "a@b.example", "passwort": PASSWORD}),
            "passwort",
        ),
    ] {
        let error = tenant.refused(action, input.clone()).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{input}: {error}");
        assert!(error.message.contains(&format!("`{name}`")), "{error}");
        assert!(!error.message.contains(PASSWORD), "{error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn an_action_that_does_not_exist_is_missing_with_a_hint() {
    let tenant = OfflineTenant::start().await;
    for asked in ["getUser", "get_user", "user.get", "Get-User"] {
        let error = tenant.refused(asked, json!({})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, None));
        assert!(error.message.contains("get-user"), "{asked}: {error}");
    }
    for asked in ["", "..", "quux", "run-action"] {
        assert_eq!(tenant.refused(asked, json!({})).await.code, ErrorCode::NotFound, "{asked}");
    }
    let Err(Error::Action(error)) = host().describe("getUser").await else { panic!("described") };
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn an_input_that_is_no_object_is_refused() {
    let tenant = OfflineTenant::start().await;
    for input in [json!(null), json!([]), json!("x"), json!(1), json!(true), json!([{"user_id": "auth0|x"}])]
    {
        let error = tenant.refused("get-user", input.clone()).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{input}: {error}");
    }
}

#[tokio::test]
async fn deeply_nested_input_ends_in_an_answer_and_not_in_a_trap() {
    let tenant = OfflineTenant::start().await;
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let id = tenant.user("mira.olsen@acme.example");
    let input = json!({"user_id": id, "changes": {"user_metadata": {"deep": deep}}});
    tenant.run("update-user", input).await;
    assert_eq!(tenant.stored(&id)["user_metadata"]["deep"], deep);
}

#[tokio::test]
async fn numbers_and_texts_of_every_kind_arrive_as_they_were() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let bag = json!({
        "big": u64::MAX, "negative": i64::MIN, "fraction": 0.1, "exponent": 1e300, "empty": "", "nul": "a\u{0}b",
        "text": "ü😀\u{2028}\"\\\n", "list": [null, true, {}], "order": {"z": 1, "a": 2},
    });
    tenant.run("update-user", json!({"user_id": id, "changes": {"user_metadata": bag}})).await;
    assert_eq!(tenant.only().body.unwrap()["user_metadata"].to_string(), bag.to_string());
    let user = tenant.run("get-user", json!({"user_id": id})).await;
    assert_eq!(user["user_metadata"]["order"].to_string(), bag["order"].to_string(), "the order is kept too");
}

/// What neither an integer of 64 bits nor a float holds, and a number that is written with one digit more than it needs.
const DIGITS: &str = r#"{"big":12345678901234567890123,"dec":0.10,"exp":1e400}"#;

/// The offline tenant reads numbers as floats, so this server keeps the bytes.
#[tokio::test]
async fn numbers_keep_their_digits_from_the_engine_to_the_tenant_and_back() {
    let recorder = Recorder::start().await;
    let stored = format!(r#"{{"user_id":"auth0|1","app_metadata":{DIGITS},"logins_count":1.0}}"#);
    let create = format!(
        r#"{{ "connection": "{DATABASE}", "email": "a@acme.example", "password": "{PASSWORD}", "app_metadata": {DIGITS} }}"#
    );
    for (action, input, method) in
        [("create-user", create.as_str(), "POST"), ("get-user", r#"{"user_id":"auth0|1"}"#, "GET")]
    {
        recorder.answer(if method == "POST" { 201 } else { 200 }, "application/json", stored.clone());
        let outcome = recorder.connection.call(action, Json::parse(input).unwrap()).await;
        let result = outcome.result.unwrap();
        assert_eq!(result.get("/app_metadata").unwrap().as_str(), DIGITS, "{action}");
        assert_eq!(result.get("/logins_count").unwrap().as_str(), "1.0", "{action}");
        let seen = recorder.take();
        let [request] = seen.as_slice() else { panic!("{action}: {seen:?}") };
        assert_eq!(request.method, method);
        let sent = String::from_utf8(request.body.to_vec()).unwrap();
        let sends_digits = sent.contains(&format!(r#""app_metadata":{DIGITS}"#));
        assert_eq!(sends_digits, method == "POST", "{action}: {sent}");
    }
}

#[tokio::test]
async fn numbers_keep_their_digits_at_a_shell_as_a_pair_a_text_and_a_file() {
    let recorder = Recorder::start().await;
    recorder.answer(200, "application/json", format!(r#"{{"user_id":"auth0|1","app_metadata":{DIGITS}}}"#));
    let changes = format!(r#"{{"app_metadata":{DIGITS}}}"#);
    let input = format!(r#"{{"user_id":"auth0|1","changes":{changes}}}"#);
    let file = std::env::temp_dir().join(format!("auth0-tests-{}-digits.json", std::process::id()));
    std::fs::write(&file, &input).unwrap();
    for words in [
        vec!["user_id=auth0|1".to_owned(), format!("changes={changes}")],
        vec!["--input".to_owned(), input.clone()],
        vec!["--input".to_owned(), format!("@{}", file.display()), "user_id=auth0|1".to_owned()],
    ] {
        let mut command = program::auth0_host();
        command.args(["--domain", "acme.eu.auth0.com", "--base-url", &recorder.url, "run", "update-user"]);
        command.args(&words).env("AUTH0_TOKEN", TOKEN);
        let said = tokio::task::spawn_blocking(move || program::run(&mut command)).await.unwrap();
        assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
        let seen = recorder.take();
        let [request] = seen.as_slice() else { panic!("{words:?}: {seen:?}") };
        assert_eq!(request.body, changes.as_bytes(), "{words:?}");
        let printed = "  \"app_metadata\": {\n    \"big\": 12345678901234567890123,\n    \"dec\": 0.10,\n    \"exp\": 1e400\n  }\n}\n";
        assert!(said.out.ends_with(printed), "{words:?}: {}", said.out);
    }
    let _ = std::fs::remove_file(&file);
}
