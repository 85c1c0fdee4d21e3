//! The component in the real `wasmtime` command line: typed functions by name, credentials from the environment.
//!
//! No host of ours is involved, so the component fetches its own tokens here.

use std::collections::BTreeSet;

use auth0_tests::{DATABASE, OfflineTenant, PASSWORD, encoded, program, program::Said, text};
use serde_json::{Value, json};
use wit_parser::Resolve;

/// Runs one call, with these variables beside the tenant's address.
async fn invoke(tenant: &OfflineTenant, variables: &[(&str, &str)], call: &str) -> Said {
    let mut command = program::wasmtime();
    command.args(["run", "-S", "http"]);
    let domain = tenant.emulator.domain();
    let base_url = tenant.emulator.base_url();
    let address = [("AUTH0_DOMAIN", domain), ("AUTH0_BASE_URL", base_url)];
    let address = address.iter().filter(|(name, _)| variables.iter().all(|(given, _)| given != name));
    for (name, value) in address.chain(variables) {
        command.args(["--env", &format!("{name}={value}")]);
    }
    command.args(["--invoke", call]).arg(program::component());
    tokio::task::spawn_blocking(move || program::run(&mut command)).await.unwrap()
}

/// Runs one call with the application's id and secret.
async fn call(tenant: &OfflineTenant, call: &str) -> Said {
    let (id, secret) = (tenant.emulator.client_id(), tenant.emulator.client_secret());
    let said = invoke(tenant, &[("AUTH0_CLIENT_ID", id), ("AUTH0_CLIENT_SECRET", secret)], call).await;
    assert!(!said.all().contains(secret), "{said:#?}");
    said
}

/// How an error begins.
fn error(disposition: &str, code: &str) -> String {
    format!("err({{disposition: {disposition}, code: \"{code}\", ")
}

/// A JSON text as it stands between the quotes of WAVE.
fn wave(json: &Value) -> String {
    Value::String(json.to_string()).to_string()
}

#[tokio::test]
async fn get_user_answers_typed_fields_and_the_whole_object() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let said = call(&tenant, &format!("get-user(\"{id}\", some({{include-raw: true}}))")).await;
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.out.starts_with("ok({"), "{said:#?}");
    assert!(said.out.contains(&format!("user-id: some(\"{id}\")")), "{said:#?}");
    assert!(said.out.contains("name: some(\"Mira Olsen\")"), "{said:#?}");
    assert!(said.out.contains(&wave(&tenant.stored(&id))), "raw holds all of it: {said:#?}");
    assert_eq!(tenant.lines(), [format!("GET /api/v2/users/{}", encoded(&id))]);
    assert_eq!(tenant.token_requests(), 1);
}

#[tokio::test]
async fn get_user_takes_its_id_alone() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let said = call(&tenant, &format!("get-user(\"{id}\")")).await;
    assert!(said.code == Some(0) && said.out.starts_with("ok({"), "{said:#?}");
    assert!(!said.out.contains("raw:"), "the whole object is there only where it is asked for: {said:#?}");
}

#[tokio::test]
async fn create_user_takes_a_record_with_only_what_is_known() {
    let tenant = OfflineTenant::start().await;
    let bag = wave(&json!({"department": "Sales", "note": "a \"b\" \\ ü"}));
    let said = call(
        &tenant,
        &format!("create-user({{connection: \"{DATABASE}\", email: \"wave@acme.example\", password: \"{PASSWORD}\", app-metadata: {bag}}})"),
    )
    .await;
    assert!(said.code == Some(0) && said.out.starts_with("ok({"), "{said:#?}");
    let user = tenant.control.user_by_email("wave@acme.example").unwrap();
    assert_eq!(user["app_metadata"], json!({"department": "Sales", "note": "a \"b\" \\ ü"}));
    let again = call(
        &tenant,
        &format!("create-user({{connection: \"{DATABASE}\", email: \"wave@acme.example\", password: \"{PASSWORD}\"}})"),
    )
    .await;
    assert!(again.out.starts_with(&error("fix-input", "conflict")), "{again:#?}");
    assert!(again.out.contains("status: some(409)"), "{again:#?}");
}

#[tokio::test]
async fn assign_user_roles_takes_names() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    let said =
        call(&tenant, &format!("assign-user-roles(\"{id}\", {{role-names: [\"Sales\", \"Manager\"]}})"))
            .await;
    assert_eq!((said.code, said.out.trim()), (Some(0), "ok"), "{said:#?}");
    assert_eq!(tenant.control.user_roles(&id), ["Employee", "Sales", "Manager"]);
}

#[tokio::test]
async fn list_logs_answers_rows_and_a_cursor_to_go_on_with() {
    let tenant = OfflineTenant::start().await;
    let rows = tenant.control.logs();
    let oldest = text(&rows[0], "log_id");
    for first in ["q: \"type:s\"".to_owned(), format!("%from: \"{oldest}\"")] {
        let page = call(&tenant, &format!("list-logs({{{first}, limit: 1}})")).await;
        assert_eq!(page.code, Some(0), "{page:#?}");
        assert!(page.out.starts_with("ok({items: [{log-id: some(\""), "{page:#?}");
        assert!(!page.out.contains(&format!("log-id: some(\"{oldest}\")")), "{page:#?}");
        let next =
            call(&tenant, &format!("list-logs({{{first}, limit: 1, cursor: {}}})", cursor(&page))).await;
        assert!(next.out.starts_with("ok({items: [{log-id: some(\""), "{next:#?}");
        assert_ne!(next.out, page.out);
    }
}

/// The cursor of a page, in its quotes.
fn cursor(page: &Said) -> &str {
    let (_, rest) = page.out.rsplit_once("next: some(").unwrap_or_else(|| panic!("no next page: {page:#?}"));
    rest.split_once(')').expect("what is open is closed").0
}

#[tokio::test]
async fn run_action_takes_and_gives_json() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let input = wave(&json!({"user_id": id, "changes": {"nickname": null, "user_metadata": {"n": 1}}}));
    let said = call(&tenant, &format!("run-action(\"update-user\", {input})")).await;
    assert_eq!(said.code, Some(0), "{said:#?}");
    let text = said.out.trim().strip_prefix("ok(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let text: String = serde_json::from_str(&text.replace("\\'", "'")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), tenant.stored(&id));
    let said = call(&tenant, "list-actions(\"{}\")").await;
    let text = said.out.trim().strip_prefix("ok(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let text: String = serde_json::from_str(&text.replace("\\'", "'")).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let action = list["items"].as_array().unwrap().iter().find(|action| action["id"] == "get-user").unwrap();
    assert_eq!(action["effect"], "read");
    assert_eq!(action["scopes"][0]["any_of"][0], "read:users");
}

#[tokio::test]
async fn an_error_says_what_to_do_about_it_and_what_happened() {
    let tenant = OfflineTenant::start().await;
    let said = call(&tenant, "get-user(\"auth0|000000000000000000000000\")").await;
    let expected = "message: \"The user does not exist.\", status: some(404)";
    assert!(said.out.starts_with(&format!("{}{expected}", error("fix-input", "not-found"))), "{said:#?}");
    let said = call(&tenant, "get-user(\"../clients\")").await;
    assert!(said.out.starts_with(&error("fix-input", "invalid-input")), "{said:#?}");
    assert_eq!(tenant.seen().len(), 1);
}

#[tokio::test]
async fn a_token_from_the_environment_is_used_as_it_is() {
    let tenant = OfflineTenant::start().await;
    let said = invoke(&tenant, &[("AUTH0_TOKEN", "canary.to.ken")], "get-user(\"auth0|x\")").await;
    assert!(said.out.starts_with(&error("fix-access", "unauthenticated")), "{said:#?}");
    assert!(!said.all().contains("canary"), "{said:#?}");
    let request = tenant.only();
    assert_eq!((request.header("authorization"), request.status), (Some("[masked]"), Some(401)));
    assert_eq!(tenant.token_requests(), 0);
}

#[tokio::test]
async fn a_good_token_from_the_environment_is_enough() {
    let tenant = OfflineTenant::start().await;
    let token = token(&tenant).await;
    let said = invoke(&tenant, &[("AUTH0_TOKEN", &token)], "list-roles({name-filter: \"Sales\"})").await;
    assert!(said.out.contains("name: some(\"Sales\")"), "{said:#?}");
    assert_eq!(tenant.token_requests(), 1, "only the one that this test made");
    let said = invoke(&tenant, &[("AUTH0_TOKEN", &token)], "test-connection()").await;
    assert!(said.out.contains("\"read:users\"") && said.out.contains("expires-at: some(\""), "{said:#?}");
}

/// Fetches a token as any program does.
async fn token(tenant: &OfflineTenant) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = tenant.emulator.base_url().trim_start_matches("http://");
    let body = json!({
        "grant_type": "client_credentials", "client_id": tenant.emulator.client_id(),
        "client_secret": tenant.emulator.client_secret(), "audience": tenant.emulator.audience(),
    })
    .to_string();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let start = answer.find('{').unwrap();
    let end = answer.rfind('}').unwrap();
    let answer: Value = serde_json::from_str(&answer[start..=end]).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_wrong_secret_is_unauthenticated_and_not_repeated_in_the_error() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.emulator.client_id();
    let variables = [("AUTH0_CLIENT_ID", id), ("AUTH0_CLIENT_SECRET", "canary-secret")];
    let said = invoke(&tenant, &variables, "get-user(\"auth0|x\")").await;
    assert!(said.out.starts_with(&error("fix-access", "unauthenticated")), "{said:#?}");
    assert!(!said.all().contains("canary"), "{said:#?}");
}

#[tokio::test]
async fn an_unusable_setting_is_named_by_the_component() {
    let tenant = OfflineTenant::start().await;
    for (name, value) in [
        ("AUTH0_DOMAIN", "https://acme.auth0.com"),
        ("AUTH0_BASE_URL", "http://10.0.0.1"),
        ("AUTH0_DEADLINE_MS", "soon"),
        ("AUTH0_CLIENT_SECRET", "canary"),
    ] {
        let said = invoke(&tenant, &[(name, value)], "get-user(\"auth0|x\")").await;
        let expected = error("fix-input", "invalid-input");
        assert!(said.out.starts_with(&expected) && said.out.contains(name), "{said:#?}");
        assert!(!said.all().contains("canary"), "{said:#?}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn the_component_sends_mail_with_a_key_from_the_environment() {
    let tenant = OfflineTenant::start().await;
    let token = token(&tenant).await;
    for name in ["sendgrid", "mailgun", "mandrill", "sparkpost", "resend"] {
        tenant.control.clear_outbox();
        tenant.control.set_email_provider(json!({
            "name": name, "enabled": true, "default_from_address": "people@acme.example",
            "credentials": {"api_key": "k", "domain": "mg.acme.example"},
        }));
        let (url, key) = (tenant.emulator.mail_base_url(), tenant.emulator.mail_api_key());
        let variables =
            [("AUTH0_TOKEN", token.as_str()), ("AUTH0_EMAIL_BASE_URL", url), ("AUTH0_EMAIL_API_KEY", key)];
        let input =
            wave(&json!({"to": "ana@acme.example", "subject": "s", "body": "{{ 'now' | date: '%Y' }}"}));
        let said = invoke(&tenant, &variables, &format!("run-action(\"send-email\", {input})")).await;
        assert_eq!(said.out.trim(), "ok(\"{\\\"success\\\":true}\")", "{name}: {said:#?}");
        assert_eq!(tenant.control.outbox().len(), 1, "{name}");
        assert!(!said.all().contains(key));
    }
}

#[tokio::test]
async fn a_lost_create_is_unknown_and_not_repeated_here_too() {
    use auth0_emulator::{Fault, FaultKind};
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::ResetAfterRead).on("POST", "/api/v2/users"));
    let said = call(
        &tenant,
        &format!("create-user({{connection: \"{DATABASE}\", email: \"lost@acme.example\", password: \"{PASSWORD}\"}})"),
    )
    .await;
    assert!(said.out.starts_with(&error("verify-first", "outcome-unknown")), "{said:#?}");
    assert_eq!(tenant.lines(), ["POST /api/v2/users"]);
    assert!(tenant.control.user_by_email("lost@acme.example").is_some());
}

#[tokio::test]
async fn a_function_that_does_not_exist_is_refused_by_wasmtime() {
    let tenant = OfflineTenant::start().await;
    let said = call(&tenant, "get-users()").await;
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("No exported func named `get-users`"), "{said:#?}");
}

#[tokio::test]
async fn without_http_the_component_cannot_even_start() {
    let mut command = program::wasmtime();
    command.args(["run", "--invoke", "list-actions(\"{}\")"]).arg(program::component());
    let said = tokio::task::spawn_blocking(move || program::run(&mut command)).await.unwrap();
    assert_ne!(said.code, Some(0));
    assert!(said.err.contains("wasi:http"), "{said:#?}");
}

/// The functions of all interfaces of the contract.
fn functions() -> BTreeSet<String> {
    let mut contract = Resolve::default();
    let (package, _) = contract.push_dir(program::root().join("wit")).expect("the contract is WIT");
    let interfaces = contract.packages[package].interfaces.values();
    interfaces.flat_map(|id| contract.interfaces[*id].functions.keys().cloned()).collect()
}

/// Each function of the contract, with the beginning of its answer. Together they run all of the glue between records and
/// actions, which no other test sees.
#[tokio::test]
async fn every_function_answers_in_its_own_types() {
    let tenant = OfflineTenant::start().await;
    let (mira, tom) = (tenant.user("mira.olsen@acme.example"), tenant.user("tom.becker@acme.example"));
    let lena = tenant.user("lena.fischer@acme.example");
    let role = tenant.role("Contractor");
    let portal = tenant.application("Acme Portal");
    let connection = tenant.connection_id(DATABASE);
    let log = text(&tenant.control.logs()[0], "log_id").to_owned();
    let bare = |id: &str| id.split_once('|').unwrap().1.to_owned();
    let permission =
        "{permission-name: \"read:code\", resource-server-identifier: \"https://api.acme.example/\"}";
    let body = Value::from("<p>{{ custom_vars.place }}: {{ user.email }}</p>");
    let vars = wave(&json!({"place": "Oslo"}));
    let cases: Vec<(String, &str)> = vec![
        ("list-users({q: \"name:mira*\", limit: 1})".into(), "ok({items: [{user-id: some("),
        (format!("get-user(\"{mira}\", some({{fields: [\"email\"], include-fields: true}}))"), "ok({email: some(\"mira.olsen"),
        ("find-users-by-email(\"mira.olsen@acme.example\", none)".into(), "ok({items: [{user-id: some("),
        (format!("create-user({{connection: \"{DATABASE}\", email: \"typed@acme.example\", password: \"{PASSWORD}\", verify-email: false}})"), "ok({user-id: some("),
        (format!("update-user({{user-id: \"{mira}\", changes: {{nickname: \"mo\", user-metadata: \"{{}}\"}}, unset: [\"given_name\"], allow-metadata-wipe: true}})"), "ok({user-id: some("),
        (format!("update-user({{user-id: \"{mira}\", changes: {{app-metadata: \"{{}}\"}}}})"), "err({disposition: fix-input, code: \"invalid-input\""),
        (format!("update-user({{user-id: \"{mira}\", changes: {{name: \"x\"}}, unset: [\"name\"]}})"), "err({disposition: fix-input, code: \"invalid-input\""),
        (format!("block-user(\"{mira}\")"), "ok({user-id: some("),
        (format!("unblock-user(\"{mira}\")"), "ok({user-id: some("),
        (format!("list-user-logs(\"{lena}\", some({{limit: 1}}))"), "ok({items: ["),
        (format!("get-user-blocks(user-id(\"{mira}\"))"), "ok({blocked-for: []})"),
        ("clear-user-blocks(identifier(\"mira.olsen@acme.example\"))".into(), "ok"),
        (format!("send-verification-email(\"{mira}\", none)"), "ok({id: some(\"job_"),
        (format!("create-email-verification-ticket(\"{mira}\", some({{ttl-sec: 60}}))"), "ok({ticket: \"https://"),
        (format!("create-password-change-ticket({{user-id: \"{mira}\"}})"), "ok({ticket: \"https://"),
        (format!("send-password-reset-email({{email: \"mira.olsen@acme.example\", connection: \"{DATABASE}\"}})"), "ok({message: \"We"),
        (format!("create-mfa-enrollment-ticket({{user-id: \"{mira}\"}})"), "ok({ticket-id: \""),
        (format!("reset-user-mfa(\"{mira}\")"), "ok"),
        (format!("link-user(\"{mira}\", identity({{user-id: \"{tom}\"}}))"), "ok({items: [{connection: some("),
        (format!("unlink-identity({{user-id: \"{mira}\", provider: \"auth0\", identity-user-id: \"{}\"}})", bare(&tom)), "ok({items: [{connection: some("),
        (format!("list-user-sessions(\"{lena}\", some({{limit: 1}}))"), "ok({items: [{id: some("),
        (format!("revoke-user-access(\"{lena}\", some({{preserve-refresh-tokens: true}}))"), "ok"),
        (format!("delete-user-sessions(\"{lena}\")"), "ok"),
        (format!("delete-user-refresh-tokens(\"{lena}\")"), "ok"),
        ("list-roles({name-filter: \"sales\"})".into(), "ok({items: [{id: some("),
        ("list-roles({limit: 5})".into(), "ok({items: [{id: some("),
        (format!("get-role(\"{role}\")"), "ok({id: some("),
        ("create-role({name: \"Auditor\", description: some(\"Reads\")})".into(), "ok({id: some(\"rol_"),
        (format!("update-role(\"{role}\", {{description: \"For a while\"}})"), "ok({id: some("),
        (format!("list-user-roles(\"{mira}\", none)"), "ok({items: [{id: some("),
        (format!("assign-user-roles(\"{mira}\", {{roles: [\"{role}\"]}})"), "ok"),
        (format!("list-role-users(\"{role}\", some({{limit: 1}}))"), "ok({items: [{user-id: some("),
        (format!("remove-user-roles(\"{mira}\", {{role-names: [\"Contractor\"]}})"), "ok"),
        (format!("add-role-permissions(\"{role}\", [{permission}])"), "ok"),
        (format!("list-role-permissions(\"{role}\", none)"), "ok({items: [{permission-name: some("),
        (format!("remove-role-permissions(\"{role}\", [{permission}])"), "ok"),
        (format!("delete-role(\"{role}\")"), "ok"),
        ("list-logs({limit: 1})".into(), "ok({items: [{log-id: some("),
        (format!("get-log(\"{log}\")"), "ok({log-id: some("),
        ("list-applications({limit: 1, fields: [\"client_id\"]})".into(), "ok({items: [{client-id: some("),
        (format!("get-application(\"{portal}\", none)"), "ok({client-id: some("),
        (format!("rotate-client-secret({{client-id: \"{portal}\"}})"), "ok({client-id: \""),
        ("find-stale-secrets(some({older-than-days: 30}))".into(), "ok({items: [{client-id: \""),
        ("list-connections({strategy: [\"auth0\"]})".into(), "ok({items: [{id: some("),
        (format!("get-connection(\"{connection}\", none)"), "ok({id: some("),
        ("custom-request({method: post, path: \"/api/v2/organizations\", body: \"{\\\"name\\\": \\\"acme-x\\\"}\"})".into(), "ok({status: 201,"),
        (format!("send-email({{%from: some({{name: some(\"People\"), email: \"people@acme.example\"}}), to: \"mira.olsen@acme.example\", subject: \"Welcome\", body: {body}, custom-vars: some({vars}), user-id: some(\"{mira}\")}})"), "ok"),
        ("test-connection()".into(), "ok({domain: \"acme"),
        ("list-actions(\"{}\")".into(), "ok(\"{\\\"items\\\":[{"),
        ("describe-action(\"get-user\")".into(), "ok(\"{\\\"id\\\":\\\"get-user\\\""),
        ("run-action(\"get-role\", \"{}\")".into(), "err({disposition: fix-input, code: \"invalid-input\""),
        (format!("delete-user(\"{mira}\")"), "ok"),
    ];
    let name = |(invocation, _): &(String, &str)| invocation.split('(').next().map(str::to_owned);
    let called: BTreeSet<_> = cases.iter().filter_map(name).collect();
    assert_eq!(called, functions());
    let (client, key) = (tenant.emulator.client_secret(), tenant.emulator.mail_api_key());
    let variables = [
        ("AUTH0_CLIENT_ID", tenant.emulator.client_id()),
        ("AUTH0_CLIENT_SECRET", client),
        ("AUTH0_EMAIL_BASE_URL", tenant.emulator.mail_base_url()),
        ("AUTH0_EMAIL_API_KEY", key),
    ];
    for (invocation, expected) in cases {
        let said = invoke(&tenant, &variables, &invocation).await;
        assert!(said.code == Some(0) && said.out.trim().starts_with(expected), "{invocation}: {said:#?}");
        assert!(!said.all().contains(client) && !said.all().contains(key), "{said:#?}");
    }
    let sent = tenant.control.outbox().remove(0);
    assert_eq!(sent.from_name.as_deref(), Some("People"));
    assert_eq!(sent.html.as_deref(), Some("<p>Oslo: mira.olsen@acme.example</p>"));
}
