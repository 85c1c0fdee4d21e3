//! What an agent is offered, and what it is refused: asserted on what the tenant saw.

use std::fs;

use auth0_host::{CallOptions, Error, ErrorCode};
use auth0_tests::program::run;
use auth0_tests::{OfflineTenant, encoded, text};
use serde_json::{Value, json};

use super::clients::{Folder, Server, Session, records};

const PERSON: &str = "tom.becker@acme.example";

/// What a tool says of itself.
fn tool<'a>(session: &'a Session, name: &str) -> &'a Value {
    let tools = session.result(0)["tools"].as_array().unwrap();
    tools.iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("{name} is a tool"))
}

#[tokio::test]
async fn an_agent_only_reads_unless_its_user_says_otherwise() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let calls = json!([
        {"list": true},
        {"tool": "delete-user", "arguments": {"user_id": user}},
        {"tool": "run-action", "arguments": {"action": "delete-user", "input": {"user_id": user}}},
        {"tool": "describe-action", "arguments": {"action": "delete-user"}},
        {"tool": "search-actions", "arguments": {"effect": "delete"}},
        {"tool": "custom-request", "arguments": {"method": "GET", "path": "/api/v2/users"}},
    ]);
    let session = Server::of(&tenant, &[]).calls(Some("accept"), calls).await;
    for tool in session.result(0)["tools"].as_array().unwrap() {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
    }
    for call in [1, 2, 3, 5] {
        let (code, message) = session.refusal(call);
        assert!(code == "policy-denied" && message.contains("--write"), "{call}: {code}: {message}");
    }
    assert_eq!(session.content(4)["total"], 0);
    assert!(session.asked().is_empty(), "nobody is asked about what is not done anyway");
    assert_eq!((tenant.seen().len(), tenant.token_requests()), (0, 0));

    let writing = Server::of(&tenant, &["--write"]);
    let calls = json!([{"list": true}, {"tool": "create-role", "arguments": {"name": "Auditor"}}]);
    let session = writing.calls(None, calls).await;
    let hints = |name| {
        let hints = &tool(&session, name)["annotations"];
        ["readOnlyHint", "destructiveHint", "idempotentHint"].map(|hint| hints[hint].as_bool().unwrap())
    };
    assert_eq!(hints("get-user"), [true, false, true]);
    assert_eq!(hints("create-role"), [false, false, false]);
    assert_eq!(hints("delete-user"), [false, true, true]);
    assert_eq!(hints("run-action"), [false, true, false]);
    assert_eq!(session.content(1)["name"], "Auditor");
    tenant.role("Auditor");
}

#[tokio::test]
async fn tools_are_such_as_clients_and_models_take() {
    let tenant = OfflineTenant::start().await;
    let session = Server::of(&tenant, &["--write"]).calls(None, json!([{"list": true}])).await;
    let names = session.tools(0);
    assert!(
        names.contains(&"get-user") && names.contains(&"search-actions") && names.len() < 60,
        "{names:?}"
    );
    for tool in session.result(0)["tools"].as_array().unwrap() {
        let name = text(tool, "name");
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(name.len() <= 64 && name.bytes().all(known), "{name}");
        for member in ["title", "description"] {
            assert!(!text(tool, member).is_empty(), "{name}: {member}");
        }
        let schema = &tool["inputSchema"];
        jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name}");
        for keyword in ["anyOf", "oneOf", "allOf"] {
            assert!(schema.get(keyword).is_none(), "{name}: models take no {keyword} at the root");
        }
    }
}

#[tokio::test]
async fn what_is_denied_is_neither_listed_nor_found_nor_run() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let options =
        ["--write", "--allow", "get-*", "--allow", "delete-user", "--deny", "*-user", "--confirm", "never"];
    let calls = json!([
        {"list": true},
        {"tool": "search-actions", "arguments": {"text": "user", "limit": 100}},
        {"tool": "delete-user", "arguments": {"user_id": user}},
        {"tool": "run-action", "arguments": {"action": "get-user", "input": {"user_id": user}}},
        {"tool": "list-users"},
        {"tool": "get-user-blocks", "arguments": {"user_id": user}},
    ]);
    let session = Server::of(&tenant, &options).calls(None, calls).await;
    let found: Vec<&str> =
        session.content(1)["items"].as_array().unwrap().iter().map(|item| text(item, "id")).collect();
    assert!(found.contains(&"get-user-blocks"), "{found:?}");
    for name in ["get-user", "delete-user", "list-users"] {
        assert!(!session.tools(0).contains(&name) && !found.contains(&name), "{name}");
    }
    for (call, option) in [(2, "--deny '*-user'"), (3, "--deny '*-user'"), (4, "--allow 'list-users'")] {
        let (code, message) = session.refusal(call);
        assert!(code == "policy-denied" && message.contains(option), "{call}: {message}");
    }
    assert!(session.content(5)["blocked_for"].is_array());
    assert_eq!(tenant.lines(), [format!("GET /api/v2/user-blocks/{}", encoded(&user))]);
}

#[tokio::test]
async fn the_policy_file_holds_for_agents_too() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("mcp-policy"));
    let user = tenant.user(PERSON);
    let policy = folder
        .file("policy.toml", "[actions]\ndeny = ['get-user']\n[requests]\ndeny = ['GET /api/v2/roles/{id}']");
    let calls = json!([
        {"list": true},
        {"tool": "get-user", "arguments": {"user_id": user}},
        {"tool": "search-actions", "arguments": {"text": "get-user"}},
        {"tool": "get-role", "arguments": {"role_id": tenant.role("Contractor")}},
    ]);
    let audit = folder.path("audit.jsonl");
    let session = Server::of(&tenant, &["--policy", &policy, "--audit", &audit]).calls(None, calls).await;
    assert!(!session.tools(0).contains(&"get-user"));
    let (code, message) = session.refusal(1);
    assert!(code == "policy-denied" && message.contains("`get-user` (line 2)"), "{message}");
    assert!(!session.content(2)["items"].as_array().unwrap().iter().any(|item| item["id"] == "get-user"));
    let (code, message) = session.refusal(3);
    assert!(code == "policy-denied" && message.contains("GET /api/v2/roles"), "{message}");
    assert!(tenant.seen().is_empty(), "{:?}", tenant.lines());
    let recorded: Vec<_> = records(&audit).iter().map(|record| text(record, "action").to_owned()).collect();
    assert_eq!(recorded, ["get-user", "get-role"], "what the policy refused is written down");
}

#[tokio::test]
async fn undeclared_arguments_are_refused_by_name_before_anything_is_sent() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let calls = json!([
        {"tool": "get-user", "arguments": {"user_id": user, "reveal": true}},
        {"tool": "run-action", "arguments": {"action": "get-user", "input": {"user_id": user, "reveal": true}}},
        {"tool": "run-action", "arguments": {"action": "get-user", "input": {"user_id": user}, "reveal": true}},
        {"tool": "search-actions", "arguments": {"reveal": true}},
        {"tool": "describe-action", "arguments": {"action": "get-user", "reveal": true}},
        {"tool": "read-more", "arguments": {"cursor": "1.0", "reveal": true}},
    ]);
    let session = Server::of(&tenant, &[]).calls(None, calls).await;
    for call in 0..6 {
        let (code, message) = session.refusal(call);
        assert!(code == "invalid-input" && message.contains("`reveal`"), "{call}: {code}: {message}");
    }
    assert!(tenant.seen().is_empty(), "{:?}", tenant.lines());
}

#[tokio::test]
async fn errors_of_actions_are_results_and_misuse_of_the_protocol_is_an_error_of_it() {
    let tenant = OfflineTenant::start().await;
    let calls = json!([
        {"tool": "get-user", "arguments": {"user_id": "auth0|nobody"}},
        {"tool": "run-action", "arguments": {"action": "get-usr"}},
        {"tool": "get-usr"},
    ]);
    let session = Server::of(&tenant, &[]).calls(None, calls).await;
    let error = session.error(0);
    assert_eq!((&error["code"], &error["status"]), (&json!("not-found"), &json!(404)), "{error}");
    assert_eq!(session.refusal(1).0, "not-found");
    assert_eq!(session.result(2)["thrown"]["code"], -32602, "{session:?}");
}

#[tokio::test]
async fn operations_are_found_described_and_run_and_no_tools_of_their_own() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let calls = json!([
        {"list": true},
        {"tool": "search-actions", "arguments": {"text": "user roles", "effect": "read", "stage": "ga"}},
        {"tool": "describe-action", "arguments": {"action": "users.roles.list"}},
        {"tool": "run-action", "arguments": {"action": "users.roles.list", "input": {"id": user}}},
        {"tool": "run-action", "arguments": {"action": "users.roles.list", "input": {"id": user, "nonsense": 1}}},
        {"tool": "run-action", "arguments": {"action": "users.delete", "input": {"id": user}}},
        {"tool": "users.roles.list", "arguments": {"id": user}},
        {"tool": "search-actions", "arguments": {"limit": 100}},
        {"tool": "search-actions", "arguments": {"scope": "read:logs", "limit": 100}},
    ]);
    let session = Server::of(&tenant, &[]).calls(None, calls).await;
    assert!(!session.tools(0).iter().any(|name| name.contains('.')));
    let found = session.content(1)["items"].as_array().unwrap();
    assert!(found.iter().any(|item| item["id"] == "users.roles.list"), "{found:?}");
    assert_eq!(session.content(2)["requests"][0]["path"], "/api/v2/users/{id}/roles");
    let roles = tenant.run("list-user-roles", json!({"user_id": user})).await;
    assert_eq!(session.content(3)["items"], roles["items"]);
    let (code, message) = session.refusal(4);
    assert!(code == "invalid-input" && message.contains("nonsense"), "{message}");
    let (code, message) = session.refusal(5);
    assert!(code == "policy-denied" && message.contains("--write"), "{message}");
    let thrown = text(&session.result(6)["thrown"], "message");
    assert!(thrown.contains("no tool: run-action runs it"), "{thrown}");
    assert_eq!(
        (&session.content(7)["next"], session.content(7)["total"].as_u64() > Some(200)),
        (&json!("100"), true)
    );
    let by_scope: Vec<&str> =
        session.content(8)["items"].as_array().unwrap().iter().map(|item| text(item, "id")).collect();
    assert!(by_scope.contains(&"get-log") && !by_scope.contains(&"get-role"), "{by_scope:?}");
    let list = format!("GET /api/v2/users/{}/roles", encoded(&user));
    assert!(tenant.lines().iter().all(|line| line.starts_with(&list)), "{:?}", tenant.lines());
    assert_eq!(tenant.seen().len(), 2);
}

#[tokio::test]
async fn whoever_denies_an_action_is_told_what_else_sends_its_request() {
    let tenant = OfflineTenant::start().await;
    for (deny, expected) in [
        (&["delete-user"][..], &["`users.delete`", "`custom-request`"][..]),
        (&["users.delete", "custom-request"], &["`delete-user`"]),
        (&["delete-user", "users.delete", "custom-request"], &[]),
    ] {
        let mut options = vec!["--write"];
        options.extend(deny.iter().flat_map(|pattern| ["--deny", pattern]));
        let session = Server::of(&tenant, &options).calls(None, json!([])).await;
        let warnings = session.0["stderr"].as_str().unwrap();
        for open in expected {
            let line = format!("{open} can still send the same request (DELETE /api/v2/users/{{id}})");
            assert!(warnings.contains(&line), "{deny:?}: {warnings}");
        }
        assert_eq!(warnings.is_empty(), expected.is_empty(), "{deny:?}: {warnings}");
    }
}

#[tokio::test]
async fn a_new_secret_is_a_handle_to_the_agent_and_a_record_names_who_called() {
    let (tenant, folder) = (OfflineTenant::start().await, Folder::new("mcp-secret"));
    let id = tenant.application("Acme Billing");
    let (secrets, audit) = (folder.path("secrets"), folder.path("audit.jsonl"));
    let policy = folder.rotation_policy();
    let options = ["--policy", &policy, "--write", "--secret-dir", &secrets, "--audit", &audit];
    let calls = json!([{"tool": "rotate-client-secret", "arguments": {"client_id": id}}]);
    let session = Server::of(&tenant, &options).calls(Some("accept"), calls).await;
    assert_eq!(session.asked().len(), 1, "a secret that was replaced does not come back");
    let secret = text(&tenant.control.client(&id).unwrap(), "client_secret").to_owned();
    assert!(text(session.content(0), "client_secret").starts_with("auth0-secret://"));
    assert!(!session.0.to_string().contains(&secret));
    let file = format!("{secrets}/{}/clients/{id}/client_secret", tenant.emulator.domain());
    assert_eq!(fs::read_to_string(file).unwrap(), secret);
    let record = &records(&audit)[0];
    assert_eq!(
        (&record["action"], &record["caller"]),
        (&json!("rotate-client-secret"), &json!("mcp")),
        "{record}"
    );
}

#[tokio::test]
async fn the_inspector_s_command_line_lists_and_calls_tools_of_an_offline_tenant() {
    let server = Server::of_command(&["--emulator", "mcp"]);
    let said = server.inspect(&["--method", "tools/list"]).await;
    let listed = said.json();
    assert!(listed["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "list-users"), "{listed}");
    let call = ["--method", "tools/call", "--tool-name", "list-users", "--tool-arg", "limit=2"];
    let said = server.inspect(&call).await;
    let users = said.json()["structuredContent"]["items"].as_array().unwrap().len();
    assert_eq!(users, 2, "{said:?}");
}

#[tokio::test]
async fn a_call_that_may_only_read_sends_no_write_whoever_built_it() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    for (action, input) in [
        ("delete-user", json!({"user_id": user})),
        ("custom-request", json!({"method": "PATCH", "path": format!("/api/v2/users/{user}"), "body": {}})),
        ("send-email", json!({"to": PERSON, "subject": "x", "body": "x"})),
        ("send-password-reset-email", json!({"email": PERSON, "connection": auth0_tests::DATABASE})),
    ] {
        let outcome = tenant.connection.call_with(action, input, CallOptions::new().read_only()).await;
        let Err(Error::Action(error)) = outcome.result else { panic!("{action}: {:?}", outcome.result) };
        assert!(
            error.code == ErrorCode::PolicyDenied && error.message.contains("is read-only"),
            "{action}: {error}"
        );
    }
    let read = json!({"method": "GET", "path": "/api/v2/roles"});
    let outcome = tenant.connection.call_with("custom-request", read, CallOptions::new().read_only()).await;
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    assert!(tenant.seen().iter().all(|request| request.method == "GET"), "{:?}", tenant.lines());
    assert!(tenant.mail_requests().is_empty());
}

#[tokio::test]
async fn a_server_that_cannot_be_meant_does_not_start() {
    let tenant = OfflineTenant::start().await;
    let folder = Folder::new("mcp-misuse");
    let open = folder.file("token", &"x".repeat(40));
    for (options, hint) in [
        (&["--deny", "delete-usr"][..], "`delete-usr`"),
        (&["--allow", "delete-user"], "--write"),
        (&["--allow", "Get User"], "Get User"),
        (&["--max-result-bytes", "12"], "4000"),
        (&["--http", "0.0.0.0:0"], "loopback"),
        (&["--http", "127.0.0.1:0", "--http-token-file", &open], "chmod 600"),
        (&["--http-token-file", "token"], "--http"),
        (&["--reveal"], "--reveal"),
    ] {
        let mut process = Server::of(&tenant, options).process();
        let said = tokio::task::spawn_blocking(move || run(&mut process)).await.unwrap();
        assert_eq!(said.code, Some(2), "{options:?}: {said:?}");
        assert!(said.err.contains(hint) && said.out.is_empty(), "{options:?}: {said:?}");
    }
}
