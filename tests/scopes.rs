//! The scope planner at a shell, the check before a call's first request, and the component's manifest.

use std::collections::BTreeSet;
use std::process::Command;

use auth0_host::{ActionFilter, ErrorCode, ScopePlan};
use auth0_tests::program::{Said, auth0_host, root, run};
use auth0_tests::{OfflineTenant, host, lines, newcomer};
use serde_json::{Value, json};

use crate::json_interface::ACTIONS;

fn said(arguments: &[&str]) -> Said {
    run(auth0_host().args(arguments))
}

fn on(tenant: &OfflineTenant, arguments: &[&str]) -> Command {
    let mut command = auth0_host();
    let emulator = &tenant.emulator;
    command
        .args(arguments)
        .env("AUTH0_DOMAIN", emulator.domain())
        .env("AUTH0_BASE_URL", emulator.base_url())
        .env("AUTH0_CLIENT_ID", emulator.client_id())
        .env("AUTH0_CLIENT_SECRET", emulator.client_secret());
    command
}

async fn say(mut command: Command) -> Said {
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().or(item["scope"].as_str()).unwrap()).collect()
}

/// A file of this test's own.
fn file(name: &str, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("auth0-tests-{}-scopes-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_call_whose_scope_is_lacking_is_refused_with_the_scope_and_nothing_is_sent() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:users", "update:users"]);
    let error = tenant.refused("create-user", newcomer("new@acme.example")).await;
    assert_eq!(
        (&error.code, error.scopes.as_slice()),
        (&ErrorCode::InsufficientScope, &["create:users".to_owned()][..])
    );
    assert_eq!((error.status, error.error_code.as_deref()), (Some(403), Some("insufficient_scope")));
    assert!(error.message.contains("nothing was sent"), "{error}");
    let id = tenant.user("mira.olsen@acme.example");
    let error = tenant.refused("list-user-roles", json!({"user_id": id})).await;
    assert_eq!(error.scopes, ["read:role_members", "read:roles"]);
    assert_eq!(tenant.lines(), [""; 0], "neither action sent anything");
    assert_eq!(tenant.token_requests(), 1, "and one token was enough to know");
    let outcome = tenant.connection.call("list-user-roles", json!({"user_id": id})).await;
    let request = outcome.requests.first().expect("it is written down");
    assert!(
        !request.sent && request.error.as_deref().unwrap().contains("lacks read:role_members"),
        "{request:?}"
    );
    tenant.run("get-user", json!({"user_id": id})).await;
    tenant.run("users.get", json!({"id": id})).await;
}

#[tokio::test]
async fn a_connection_learns_its_token_s_scopes_and_one_without_credentials_says_so() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:users", "read:roles"]);
    let granted = tenant.connection.granted_scopes().await.unwrap();
    assert_eq!(granted.unwrap(), ["read:users", "read:roles"]);
    let bare = tenant.connect(|settings| settings.credentials(auth0_host::Credentials::none())).await;
    assert!(bare.granted_scopes().await.unwrap_err().to_string().contains("no credentials"));
    let opaque =
        tenant.connect(|settings| settings.credentials(auth0_host::Credentials::token("opaque"))).await;
    assert_eq!(opaque.granted_scopes().await.unwrap(), None);
    // What says nothing is not checked: the tenant decides.
    let refused = auth0_tests::refused(&opaque, "list-users", json!({})).await;
    assert_eq!(refused.code, ErrorCode::Unauthenticated);
    assert_eq!(lines(&tenant.seen()), ["GET /api/v2/users?page=0&per_page=50&include_totals=true"]);
}

/// Each action runs with the smallest set that is planned for it alone: so the plan is enough, whatever is chosen.
#[tokio::test]
async fn the_smallest_set_meets_every_need_of_every_action() {
    let actions = host().actions().await.unwrap();
    for action in &actions {
        let plan = ScopePlan::new([action], true);
        assert!(plan.is_smallest && plan.optional.is_empty(), "{}", action.id);
        let chosen: BTreeSet<&str> = plan.names().into_iter().collect();
        for need in action.scopes.iter().filter(|need| !need.any_of.is_empty()) {
            assert!(
                need.any_of.iter().any(|scope| chosen.contains(scope.as_str())),
                "{}: {need:?}",
                action.id
            );
        }
        let report = plan.compare(chosen.iter().copied());
        assert!(report.lacking.is_empty(), "{}: {report:?}", action.id);
    }
    let all = ScopePlan::new(&actions, false);
    assert!(all.is_smallest, "all of them together are searched to the end");
    let mut filter = ActionFilter::default();
    filter.scope = Some("read:users".to_owned());
    assert!(host().find_actions(&filter).await.unwrap().iter().any(|action| action.id == "get-user"));
}

#[test]
fn the_plan_tells_scopes_reasons_parts_and_what_cannot_be_known() {
    let said =
        said(&["scopes", "list-users", "get-user", "find-stale-secrets", "custom-request", "--json"]).json();
    let plan = &said["plan"];
    assert!(names(&plan["scopes"]).contains(&"read:users"), "{plan}");
    let users =
        plan["scopes"].as_array().unwrap().iter().find(|planned| planned["scope"] == "read:users").unwrap();
    let actions: Vec<&str> =
        users["needed_by"].as_array().unwrap().iter().map(|by| by["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["list-users", "get-user"]);
    assert_eq!(plan["unknowable"], json!(["custom-request"]));
    assert_eq!(said["token"], Value::Null, "no tenant is named, so none is asked");
    assert_eq!(said["grant"]["body"]["scope"], json!(names(&plan["scopes"])));
    let text = run(auth0_host().args(["scopes", "organizations.members.*", "--grant"]));
    assert!(text.out.contains("organizations.members.list") && text.code == Some(0), "{text:#?}");
    assert!(text.out.contains("auth0_client_grant") && text.out.contains("YOUR_CLIENT_ID"), "{text:#?}");
}

#[tokio::test]
async fn a_token_is_held_against_the_plan_and_exit_code_1_tells_what_it_lacks() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_scopes(&["read:users", "read:stats"]);
    let said = say(on(&tenant, &["scopes", "get-user", "create-user", "--json"])).await;
    let (code, token) = (said.code, said.json()["token"].clone());
    assert_eq!(code, Some(1), "{token}");
    assert_eq!(
        (names(&token["lacking"]), names(&token["unused"])),
        (vec!["create:users"], vec!["read:stats"])
    );
    assert_eq!(said.json()["grant"]["body"]["client_id"], tenant.emulator.client_id());
    let text = say(on(&tenant, &["scopes", "get-user"])).await;
    assert!(text.code == Some(0) && text.out.contains("lacks nothing"), "{text:#?}");
    assert!(
        tenant.control.requests().iter().all(|request| request.path == "/oauth/token"),
        "nothing but tokens"
    );
}

/// The grant that is printed is one that the tenant takes, and one that lets the workflow run.
#[tokio::test]
async fn least_privilege_is_found_in_an_audit_file_and_the_printed_grant_is_enough() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let audit = file("audit.ndjson", "");
    let pair = format!("user_id={id}");
    for arguments in [
        &["--audit", &audit, "run", "get-user", &pair][..],
        &["--audit", &audit, "run", "list-user-roles", &pair],
        &["--audit", &audit, "run", "no-such-action"],
    ] {
        say(on(&tenant, arguments)).await;
    }
    let said = say(on(&tenant, &["scopes", "--workflow", &audit, "--json"])).await;
    let _ = std::fs::remove_file(&audit);
    let found = said.json();
    assert_eq!(found["plan"]["actions"], json!(["get-user", "list-user-roles"]));
    let scopes = names(&found["grant"]["body"]["scope"]);
    assert!(!scopes.is_empty() && scopes.iter().all(|scope| scope.starts_with("read:")), "{found}");
    assert_eq!(found["grant"]["body"]["audience"], tenant.emulator.audience());
    tenant.control.set_scopes(&scopes);
    let narrow = tenant.connect(|settings| settings).await;
    narrow.run("get-user", json!({"user_id": id})).await.unwrap();
    narrow.run("list-user-roles", json!({"user_id": id})).await.unwrap();
}

#[test]
fn a_file_that_names_no_action_is_refused_with_its_line_and_a_policy_gives_what_it_allows() {
    let workflow =
        file("workflow.json", "{\"steps\": [\n  {\"action\": \"get-user\"},\n  {\"action\": \"get-usr\"}]}");
    let policy = file("policy.toml", "[actions]\nallow = [\"get-*\"]\ndeny = [\"get-user-*\"]\n");
    for (arguments, hints) in [
        (&["scopes", "--workflow", &workflow][..], &["line 3", "get-usr"][..]),
        (&["scopes", "--workflow", "/no/such/file"], &["/no/such/file"]),
        (&["scopes", "get-usr"], &["get-user"]),
        (&["scopes", "nothing.*"], &["auth0-host actions"]),
        (&["scopes"], &["--workflow FILE"]),
    ] {
        let said = said(arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{arguments:?}: {said:#?}");
        assert!(hints.iter().all(|hint| said.err.contains(hint)), "{arguments:?}: {said:#?}");
    }
    let found = said(&["--policy", &policy, "scopes", "--json"]).json();
    let actions = names(&found["plan"]["actions"]);
    assert!(
        actions.contains(&"get-user") && !actions.iter().any(|id| id.starts_with("get-user-")),
        "{found}"
    );
    assert!(actions.iter().all(|id| id.starts_with("get-")), "{found}");
    for path in [workflow, policy] {
        let _ = std::fs::remove_file(path);
    }
}

#[test]
fn the_manifest_has_its_documented_form_and_tells_what_the_component_is() {
    let manifest = said(&["manifest", "--json"]).json();
    let schema = std::fs::read_to_string(root().join("docs/manifest.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    if let Err(error) = jsonschema::draft202012::new(&schema).unwrap().validate(&manifest) {
        panic!("{error} at {}", error.instance_path());
    }
    let component = host().component();
    assert_eq!(manifest["component"]["digest"], component.digest.as_str());
    assert_eq!(manifest["component"]["licenses"], "MIT OR Apache-2.0");
    let actions = manifest["actions"].as_array().unwrap();
    let all = ACTIONS.len() + auth0_catalog::read().unwrap().len();
    assert_eq!(actions.len(), all);
    let counted: u64 =
        manifest["effects"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted, all as u64);
    let personal = names(&manifest["data"]["handles_personal_data"]);
    assert!(personal.contains(&"get-user") && !personal.contains(&"list-roles"), "{personal:?}");
    assert!(names(&manifest["data"]["secret_written"]).contains(&"create-user"));
    let read = names(&manifest["data"]["secret_read"]);
    assert!(read.contains(&"users.regenerateRecoveryCode") && !read.contains(&"list-roles"), "{read:?}");
    assert_eq!(manifest["data"]["unknowable"], json!(["custom-request"]));
    let text = said(&["manifest"]).out;
    for part in
        [component.digest.as_str(), "wasi:http/outgoing-handler", "MIT OR Apache-2.0", "api.sendgrid.com"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}
