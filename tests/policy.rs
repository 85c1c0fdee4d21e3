//! What a policy refuses does not reach the tenant, by whichever action it is tried; what it allows works.

use std::sync::{Arc, Mutex};

use auth0_host::{AuditRecord, AuditSink, DeniedBy, Effect, Error, ErrorCode, Host, Policy, RequestRecord};
use auth0_tests::program::{Said, auth0_host, hostile, root, run};
use auth0_tests::{DATABASE, OfflineTenant, Tree as _, encoded, host, refused, settings};
use serde_json::{Value, json};

const PERSON: &str = "tom.becker@acme.example";

fn policy(text: &str) -> Policy {
    Policy::from_toml(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn example() -> Policy {
    policy(&std::fs::read_to_string(root().join("examples/policy.toml")).unwrap())
}

async fn under(policy: Policy) -> OfflineTenant {
    OfflineTenant::tuned(auth0_emulator::Seed::demo(), |settings| settings.policy(policy)).await
}

fn custom(method: &str, path: &str, body: Value) -> Value {
    json!({"method": method, "path": path, "body": body})
}

#[tokio::test]
async fn a_denied_action_ends_before_it_begins() {
    let tenant = under(policy("[actions]\nallow = ['get-*', 'list-*']\ndeny = ['get-log']")).await;
    let user = tenant.user(PERSON);
    for (action, hint) in [
        ("delete-user", "add \"delete-user\" to `allow` of [actions]"),
        ("get-log", "`get-log` (line 3)"),
        ("custom-request", "no rule of the policy allows"),
        ("no-such-action", "no such action"),
    ] {
        let outcome = tenant.connection.call(action, json!({"user_id": user})).await;
        let Err(Error::Action(error)) = outcome.result else { panic!("{action}: {:?}", outcome.result) };
        assert_eq!(error.code, ErrorCode::PolicyDenied, "{action}");
        assert!(error.message.contains(hint), "{action}: {}", error.message);
        assert!(outcome.requests.is_empty(), "{action}");
    }
    assert_eq!((tenant.seen().len(), tenant.token_requests()), (0, 0));
    tenant.run("get-user", json!({"user_id": user})).await;
}

#[tokio::test]
async fn a_custom_request_is_held_to_the_rules_about_requests_and_bodies() {
    let tenant = under(policy(
        "[requests]\nallow = ['GET,PATCH /api/v2/users/{id}']\n\
         [fields]\n'PATCH /api/v2/users/{id}' = ['blocked', 'app_metadata.plan']",
    ))
    .await;
    let user = tenant.user(PERSON);
    let path = format!("/api/v2/users/{user}");
    let before = tenant.stored(&user);
    for (input, hint) in [
        (custom("DELETE", &path, Value::Null), "no rule of the policy allows"),
        (custom("GET", "/api/v2/users", Value::Null), "no rule of the policy allows"),
        (custom("GET", "/api/v2/clients", Value::Null), "no rule of the policy allows"),
        (custom("GET", "/api/v2/Users/x", Value::Null), "no rule of the policy allows"),
        (custom("GET", &format!("{path}/roles"), Value::Null), "no rule of the policy allows"),
        (custom("GET", &format!("{path}%2Froles"), Value::Null), "as a server may decode its path"),
        (custom("GET", &format!("{path}%252Froles"), Value::Null), "as a server may decode its path"),
        (custom("PATCH", &path, json!({"email": "x@acme.example"})), "writes `email`"),
        (custom("PATCH", &path, json!({"blocked": true, "nickname": "x"})), "writes `nickname`"),
        (
            custom("PATCH", &path, json!({"app_metadata": {"roles": ["admin"]}})),
            "writes `app_metadata.roles`",
        ),
        (custom("PATCH", &path, json!({"app_metadata": {}})), "replaces the whole of `app_metadata`"),
        (custom("PATCH", &path, json!([{"blocked": true}])), "is not a JSON object"),
        (
            json!({"method": "GET", "path": path, "query": {"_method": "DELETE"}}),
            "the query parameter `_method`",
        ),
        (
            json!({"method": "GET", "path": path, "headers": {"x-forwarded-host": "evil.example"}}),
            "header 'x-forwarded-host' refused",
        ),
        (
            json!({"method": "PATCH", "path": path, "body": {"blocked": true}, "headers": {"content-type": "text/plain"}}),
            "is not sent as `content-type: application/json`",
        ),
    ] {
        let error = tenant.refused("custom-request", input.clone()).await;
        assert!(
            matches!(error.code, ErrorCode::PolicyDenied | ErrorCode::InvalidInput),
            "{input}: {error:?}"
        );
        assert!(error.message.contains(hint), "{input}: {error}");
    }
    assert_eq!(tenant.lines(), Vec::<String>::new());
    assert_eq!(tenant.stored(&user), before);

    let body = json!({"blocked": true, "app_metadata": {"plan": "gold"}});
    tenant.run("custom-request", custom("PATCH", &path, body)).await;
    assert_eq!(tenant.stored(&user)["blocked"], true);
    assert_eq!(tenant.stored(&user)["app_metadata"]["plan"], "gold");
}

#[tokio::test]
async fn a_curated_action_is_held_to_the_same_and_the_error_says_what_to_change() {
    let tenant = under(policy("[fields]\n'PATCH /api/v2/users/{id}' = ['blocked']")).await;
    let user = tenant.user(PERSON);
    let changes = json!({"user_id": user, "changes": {"nickname": "t"}});
    let outcome = tenant.connection.call("update-user", changes).await;
    let Err(Error::Action(error)) = outcome.result else { panic!("{:?}", outcome.result) };
    assert_eq!(error.code, ErrorCode::PolicyDenied);
    for part in ["writes `nickname`", "[fields] `PATCH /api/v2/users/{id}` (line 2)", "which allows blocked"]
    {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    assert_eq!(outcome.requests.len(), 1);
    assert!(!outcome.requests[0].sent);
    tenant.run("block-user", json!({"user_id": user})).await;
    assert_eq!(tenant.seen().len(), 1);
}

#[tokio::test]
async fn a_read_only_connection_reads_and_writes_nothing() {
    let tenant = under(policy("read_only = true")).await;
    let user = tenant.user(PERSON);
    let state = || (tenant.control.users(), tenant.control.roles(), tenant.control.clients());
    let before = state();
    let mut denied = 0;
    for action in host().actions().await.unwrap() {
        if action.effect != Effect::Read && action.id != "custom-request" {
            let error = tenant.refused(&action.id, json!({})).await;
            assert_eq!(error.code, ErrorCode::PolicyDenied, "{}", action.id);
            denied += 1;
        }
    }
    assert!(denied > 20, "{denied}");
    let path = format!("/api/v2/users/{user}");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let error = tenant.refused("custom-request", custom(method, &path, Value::Null)).await;
        assert_eq!(error.code, ErrorCode::PolicyDenied, "{method}");
        assert!(error.message.contains("read-only"), "{method}: {}", error.message);
    }
    assert_eq!(tenant.seen().len(), 0);
    tenant.run("custom-request", custom("GET", &path, Value::Null)).await;
    tenant.run("list-users", json!({})).await;
    tenant.run("test-connection", json!({})).await;
    assert_eq!(state(), before);
}

#[tokio::test]
async fn no_mail_leaves_where_none_is_allowed_or_another_provider_is() {
    let mail = json!({"to": "ana@acme.example", "subject": "s", "body": "b"});
    for (text, sent) in
        [("mail_provider = 'none'", 0), ("mail_provider = 'resend'", 0), ("mail_provider = 'sendgrid'", 1)]
    {
        let tenant = under(policy(text)).await;
        tenant.control.set_email_provider(
            json!({"name": "sendgrid", "enabled": true, "default_from_address": "a@acme.example", "credentials": {"api_key": "k"}}),
        );
        let result = tenant.connection.run("send-email", mail.clone()).await;
        match result {
            Ok(_) => assert_eq!(sent, 1, "{text}"),
            Err(Error::Action(error)) => {
                assert_eq!((&error.code, sent), (&ErrorCode::PolicyDenied, 0), "{text}")
            }
            Err(error) => panic!("{text}: {error}"),
        }
        assert_eq!(tenant.mail_requests().len(), sent, "{text}");
        assert_eq!(tenant.control.outbox().len(), sent, "{text}");
    }
}

#[tokio::test]
async fn the_password_reset_mail_is_asked_for_where_the_rules_name_it() {
    let reset = json!({"email": PERSON, "connection": DATABASE});
    for (text, allowed) in [
        ("[requests]\nallow = ['* /api/v2/**']", false),
        ("[requests]\nallow = ['* /api/v2/**', 'POST /dbconnections/change_password']", true),
        ("[requests]\ndeny = ['POST /dbconnections/change_password']", false),
        ("mail_provider = 'none'", true),
    ] {
        let tenant = under(policy(text)).await;
        let result = tenant.connection.run("send-password-reset-email", reset.clone()).await;
        assert_eq!(result.is_ok(), allowed, "{text}: {result:?}");
        if let Err(error) = result {
            let told = error.to_string();
            assert!(
                told.contains("policy") && told.contains("POST /dbconnections/change_password"),
                "{text}: {told}"
            );
        }
        assert_eq!(tenant.seen().len(), usize::from(allowed), "{text}");
    }
}

#[tokio::test]
async fn the_example_does_what_it_says() {
    let tenant = under(example()).await;
    let user = tenant.user(PERSON);
    for (action, input) in [
        ("get-user", json!({"user_id": user})),
        ("list-users", json!({})),
        ("find-users-by-email", json!({"email": PERSON})),
        ("list-user-roles", json!({"user_id": user})),
        ("get-user-blocks", json!({"user_id": user})),
        ("list-user-sessions", json!({"user_id": user})),
        ("list-roles", json!({})),
        ("block-user", json!({"user_id": user})),
        ("unblock-user", json!({"user_id": user})),
        ("clear-user-blocks", json!({"user_id": user})),
        ("revoke-user-access", json!({"user_id": user})),
        ("update-user", json!({"user_id": user, "changes": {"app_metadata": {"ticket": "T-1"}}})),
        ("send-verification-email", json!({"user_id": user})),
        ("send-password-reset-email", json!({"email": PERSON, "connection": DATABASE})),
        ("test-connection", json!({})),
    ] {
        tenant.run(action, input).await;
    }
    let seen = tenant.seen().len();
    for (action, input) in [
        ("delete-user", json!({"user_id": user})),
        ("list-user-logs", json!({"user_id": user})),
        ("update-user", json!({"user_id": user, "changes": {"email": "x@acme.example"}})),
        ("custom-request", custom("DELETE", &format!("/api/v2/users/{user}"), Value::Null)),
        ("custom-request", custom("POST", "/api/v2/client-grants", json!({}))),
        ("block-user", json!({"user_id": "auth0|the-break-glass-account"})),
    ] {
        assert_eq!(
            tenant.refused(action, input.clone()).await.code,
            ErrorCode::PolicyDenied,
            "{action} {input}"
        );
    }
    assert_eq!(tenant.seen().len(), seen);
}

#[tokio::test]
async fn a_policy_about_actions_that_there_are_not_is_refused_at_once() {
    let tenant = OfflineTenant::start().await;
    for (text, hint) in [
        (
            "[actions]\nallow = ['get-user', 'remove-user']",
            "line 2, column 22: `remove-user` (line 2): there is no such action",
        ),
        ("[actions]\ndeny = ['destroy-*']", "it matches no action"),
        ("read_only = true\n[actions]\nallow = ['delete-user']", "read-only"),
    ] {
        let refusal = host().tenant(settings(&tenant.emulator).policy(policy(text))).await.unwrap_err();
        assert!(matches!(refusal, Error::Settings(_)), "{refusal:?}");
        assert!(refusal.to_string().contains(hint), "{text}: {refusal}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_connected_to_unless_the_connection_says_so() {
    let tenant = OfflineTenant::start().await;
    let user = json!({"user_id": "auth0|1"});
    for (url, class) in [
        ("https://10.0.0.1", "a private address"),
        ("https://169.254.169.254", "metadata"),
        ("https://[fd00:ec2::254]", "metadata"),
        ("https://[::ffff:127.0.0.1]", "carries an IPv4 address"),
        ("https://0.0.0.0", "unspecified"),
        ("https://100.64.0.1", "shared network"),
    ] {
        let connection = tenant.connect(|settings| settings.base_url(url.parse().unwrap())).await;
        let error = refused(&connection, "get-user", user.clone()).await;
        assert_eq!(error.code, ErrorCode::PolicyDenied, "{url}: {error:?}");
        assert!(error.message.contains(class), "{url}: {}", error.message);
        assert_eq!(connection.stats().connections_opened, 0, "{url}");
    }
    // The tenant of every other test is at 127.0.0.1, and its base URL says so.
    tenant.run("list-users", json!({})).await;
}

/// Keeps the audit trail in memory.
#[derive(Debug, Default)]
struct Trail(Mutex<Vec<Value>>);

impl AuditSink for Trail {
    fn record(&self, record: &AuditRecord) {
        self.0.lock().unwrap().push(serde_json::from_str(&record.to_json()).unwrap());
    }
}

/// The hostile component (`tests/guests`), under a policy, with a tenant that counts what comes.
struct Hostile {
    tenant: OfflineTenant,
    host: Host,
}

impl Hostile {
    async fn start() -> Self {
        let host = Host::with_trusted_component_file(hostile()).build().unwrap();
        Self { tenant: OfflineTenant::start().await, host }
    }

    /// Has it send a request to the tenant; returns what it heard, what the host kept of the request, and the audit record.
    async fn send(
        &self,
        policy: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (Value, Vec<RequestRecord>, Value) {
        let trail = Arc::new(Trail::default());
        let sink = Arc::clone(&trail) as Arc<dyn AuditSink>;
        let settings = settings(&self.tenant.emulator).policy(self::policy(policy)).audit(sink);
        let connection = self.host.tenant(settings).await.unwrap();
        let authority = self.tenant.emulator.base_url().split_once("://").unwrap().1;
        let input = json!({
            "scheme": "http", "authority": authority, "method": method, "path": path, "headers": headers, "body": body,
        });
        let outcome = connection.call("send", input).await;
        let records = trail.0.lock().unwrap().clone();
        let [record] = records.as_slice() else { panic!("a record for the call: {records:#?}") };
        (outcome.result.unwrap().tree(), outcome.requests, record.clone())
    }

    /// Sends what has to be refused by this rule and by nothing else: neither the tenant's answer nor a request that never
    /// came about counts.
    async fn denied(
        &self,
        policy: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
        rule: &str,
    ) {
        let what = format!("{method} {path} {headers:?} {body}");
        let (answer, requests, record) = self.send(policy, method, path, headers, body).await;
        assert_eq!(answer, json!({"error": "ErrorCode::HttpRequestDenied"}), "{what}");
        let [request] = requests.as_slice() else { panic!("{what}: {requests:#?}") };
        let told = request.error.as_deref().unwrap_or_default();
        assert!(told.starts_with(&format!("denied: {rule}")), "{what}: {told}");
        assert_eq!((request.sent, request.status, request.bytes_sent), (false, None, 0), "{what}");
        assert_eq!((&record["decision"], &record["outcome"]), (&json!("denied"), &json!("done")), "{what}");
        assert!(
            record["rule"].as_str().is_some_and(|rule| rule.starts_with("denied: ")),
            "{what}: {record:#}"
        );
        let audited = &record["requests"][0];
        assert_eq!((&audited["error"], &audited["sent"]), (&json!("policy-denied"), &json!(false)), "{what}");
        assert_eq!(self.tenant.control.requests(), [], "{what}: not even a token was asked for");
    }
}

/// The hostile component says of all its actions that they read, and sends what it is told to.
#[tokio::test]
async fn a_component_that_lies_about_its_actions_gets_no_further_than_the_rules_about_requests() {
    let hostile = Hostile::start().await;
    let id = hostile.tenant.user(PERSON);
    let user = encoded(&id);
    let path = format!("/api/v2/users/{user}");
    let json = ("content-type", "application/json");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let blocks = "{\"blocked\":true}";
    const FORM: &str = "is not sent as `content-type: application/json`, and only JSON is checked";
    let read_only = "read_only = true";
    let fields = "[requests]\nallow = ['PATCH /api/v2/users/{id}']\n[fields]\n'PATCH /api/v2/users/{id}' = ['nickname']";
    let before = hostile.tenant.stored(&id);

    let writes = |request: &str| {
        format!("{request} may write, and the policy is read-only; to allow it, set `read_only`")
    };
    let no_request = |what: &str| format!("{what}, which no request of the API has");
    let unlike = |what: &str| no_request(&format!("the path {what}"));
    let body = |problem: &str| {
        format!(
            "the body of PATCH {path} {problem}, against the policy's [fields] `PATCH /api/v2/users/{{id}}` (line 4)"
        )
    };
    let not_allowed = |request: &str| format!("no rule of the policy allows {request}");
    for (policy, request, headers, sent, rule) in [
        (read_only, ("DELETE", path.as_str()), &[][..], "", writes(&format!("DELETE {path}"))),
        (read_only, ("PATCH", &path), &[json], blocks, writes(&format!("PATCH {path}"))),
        (
            read_only,
            ("POST", "/dbconnections/change_password"),
            &[json],
            "{}",
            writes("POST /dbconnections/change_password"),
        ),
        (
            read_only,
            ("GET", &path),
            &[("x-http-method-override", "DELETE")],
            "",
            no_request("the header `x-http-method-override`"),
        ),
        (
            read_only,
            ("GET", &format!("{path}?_method=DELETE")),
            &[],
            "",
            no_request("the query parameter `_method`"),
        ),
        (fields, ("PATCH", &path), &[json], blocks, body("writes `blocked`")),
        (fields, ("PATCH", &path), &[form], "blocked=true", body(FORM)),
        (fields, ("PATCH", &path), &[form], "{\"nickname\":\"&blocked=true&\"}", body(FORM)),
        (fields, ("PATCH", &path), &[], "{\"nickname\":\"n\"}", body(FORM)),
        (fields, ("PATCH", &path), &[json, form], "{\"nickname\":\"n\"}", body(FORM)),
        (
            fields,
            ("PATCH", &path),
            &[json],
            "{\"nickname\":\"n\",\"nickname\":\"m\"}",
            format!("the body of PATCH {path} is not JSON with each key once: "),
        ),
        (
            fields,
            ("PATCH", &format!("/api/v2//users/{user}")),
            &[json],
            blocks,
            unlike("has an empty segment"),
        ),
        (
            fields,
            ("PATCH", &format!("/api/v2/users%2F{user}")),
            &[json],
            blocks,
            not_allowed(&format!("PATCH /api/v2/users%2F{user}")),
        ),
        (
            fields,
            ("PATCH", &format!("/api/v2/USERS/{user}")),
            &[json],
            blocks,
            not_allowed(&format!("PATCH /api/v2/USERS/{user}")),
        ),
        (fields, ("DELETE", &path), &[], "", not_allowed(&format!("DELETE {path}"))),
        (fields, ("GET", "/userinfo"), &[], "", DeniedBy::TenantPath.to_string()),
    ] {
        hostile.denied(policy, request, headers, sent, &rule).await;
    }
    assert_eq!(hostile.tenant.stored(&id), before);

    // Under the same policies, so that it is the rules which refuse: what they allow arrives.
    for (policy, method, headers, sent) in
        [(read_only, "GET", &[][..], ""), (fields, "PATCH", &[json], "{\"nickname\":\"n\"}")]
    {
        let (answer, requests, record) = hostile.send(policy, method, &path, headers, sent).await;
        assert_eq!((&answer["status"], requests[0].sent), (&json!(200), true), "{method}: {answer}");
        assert_eq!(record["decision"], "allowed", "{method}");
    }
    assert_eq!(hostile.tenant.lines(), [format!("GET {path}"), format!("PATCH {path}")]);
}

#[tokio::test]
async fn a_component_that_makes_methods_up_is_refused_each_of_them() {
    let hostile = Hostile::start().await;
    let all = "[requests]\nallow = ['* /api/v2/**']";
    let rule = DeniedBy::Method.to_string();
    let path = "/api/v2/users";
    for policy in [all, "read_only = true"] {
        for method in [
            "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "M-SEARCH", "PURGE", "get", "Post", "delete", "head",
            "X",
        ] {
            hostile.denied(policy, (method, path), &[], "", &rule).await;
        }
        // These are no methods at all, and WASI has it that they cannot be set.
        for method in ["", "GE T", "GET\r\nx: y", "GÉT"] {
            let (answer, requests, record) = hostile.send(policy, method, path, &[], "").await;
            assert_eq!(answer, json!({"error": "the host refused the method"}), "{method:?}");
            assert_eq!((requests.len(), &record["requests"]), (0, &json!([])), "{method:?}");
        }
    }
    assert_eq!(hostile.tenant.control.requests(), []);

    // It reads what GET reads, and goes with it.
    let posts = "[requests]\nallow = ['POST /api/v2/users']";
    hostile.denied(posts, ("HEAD", path), &[], "", "no rule of the policy allows HEAD /api/v2/users").await;
    for policy in [all, "read_only = true"] {
        let (_, requests, record) = hostile.send(policy, "HEAD", path, &[], "").await;
        assert_eq!((requests[0].sent, &record["decision"]), (true, &json!("allowed")), "{policy}");
    }
    assert_eq!(hostile.tenant.lines(), ["HEAD /api/v2/users"; 2]);
}

fn said(arguments: &[&str]) -> Said {
    run(auth0_host().args(arguments))
}

/// A file of this test's own, gone with it.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("auth0-policy-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A text without its line breaks.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn policy_check_explains_a_file_in_words() {
    let said = said(&["policy", "check", "examples/policy.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for part in [
        "Allowed actions (",
        "Denied actions (",
        "allowed  GET,PATCH /api/v2/users/{id}",
        "denied   PATCH /api/v2/users/auth0|the-break-glass-account",
        "may write app_metadata.ticket, blocked, nickname, user_metadata",
        "`custom-request` is allowed",
        "a field with a dot",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let reached = unwrapped(&said.out);
    assert_eq!(reached.matches("the reach `").count(), 1, "{}", said.out);
    assert!(reached.contains("`PATCH /api/v2/users/{id}` by app_metadata"), "{}", said.out);
    assert!(!said.out.contains("only its id"), "{}", said.out);
    assert!(said.out.lines().count() < 60, "families of operations are told in short: {}", said.out);
    let open = File::new("open", "[actions]\ndeny = ['delete-*', 'custom-request']");
    let said = self::said(&["policy", "check", open.path()]);
    for part in [
        "none for requests",
        "the reach `takes-over` is not denied",
        "`POST /api/v2/tickets/password-change`",
        "actions are allowed whose requests are denied: `rotate-client-secret`: POST /api/v2/clients/{id}/rotate-secret has \
         the reach `escalates`",
        "a rule for an action matches only its id",
        "all 200 operations of the API",
    ] {
        assert!(unwrapped(&said.out).contains(part), "{part}: {}", said.out);
    }
}

#[test]
fn policy_check_tells_what_would_be_allowed_by_its_exit_code() {
    let check = |rest: &[&str]| {
        let mut arguments = vec!["policy", "check", "examples/policy.toml"];
        arguments.extend(rest);
        said(&arguments)
    };
    let patch = "PATCH /api/v2/users/auth0|1";
    for (arguments, code, hint) in [
        (&["--action", "get-user"][..], 0, "allowed: get-user"),
        (&["--action", "delete-user"], 1, "add \"delete-user\""),
        (&["--action", "get-user", "--action", "delete-user"], 1, "allowed: get-user\ndenied: delete-user"),
        (&["--action", "get-usr"], 2, "no action"),
        (&["--request", patch, "--body", "{\"blocked\":true}"], 0, "allowed"),
        (&["--request", patch, "--body", "{\"email\":\"x\"}"], 1, "writes `email`"),
        (&["--request", patch, "--body", "blocked=true"], 1, "not JSON"),
        (&["--request", "PATCH /api/v2/users/auth0|the-break-glass-account"], 1, "denied by"),
        (&["--request", "DELETE /api/v2/users/auth0|1"], 1, "\"DELETE /api/v2/users/{id}\""),
        (&["--request", "GET /api/v2/users/a%2Froles/../x"], 1, "dot segment"),
        (&["--request", "GET /userinfo"], 1, "path not allowed"),
        (&["--request", "POST https://api.sendgrid.com/v3/mail/send"], 1, "no email"),
        (&["--request", "POST https://graph.microsoft.com/v1.0/users/a@b.c/sendMail"], 1, "no email"),
        (&["--request", "POST https://smtp.invalid/send"], 1, "no email"),
        (&["--request", "GET https://graph.microsoft.com/v1.0/me"], 1, "only the one that sends an email"),
        (&["--request", "nonsense"], 1, "METHOD PATH"),
        (&["--request", "G@T /api/v2/users"], 1, "METHOD PATH"),
        (&["--request", "HEAD /api/v2/users"], 0, "allowed"),
        (&["--request", "TRACE /api/v2/users"], 1, "only GET, HEAD, POST"),
        (&["--request", "OPTIONS /api/v2/users"], 1, "only GET, HEAD, POST"),
        (&["--request", "M-SEARCH /api/v2/users"], 1, "only GET, HEAD, POST"),
        (&["--request", "get /api/v2/users"], 1, "only GET, HEAD, POST"),
        (&["--body", "{}"], 2, "--request"),
    ] {
        let said = check(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        assert!(said.all().contains(hint), "{arguments:?}: {said:?}");
    }
    let ses = File::new("ses", "mail_provider = 'ses'");
    let sending = "POST https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails";
    let allowed = said(&["policy", "check", ses.path(), "--request", sending]);
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
    let bad = File::new("bad", "[requests]\nallow = ['GET /api/v2/users', 'LOOK /api/v2/users']");
    let refusal = said(&["policy", "check", bad.path()]);
    assert_eq!(refusal.code, Some(2), "{refusal:?}");
    assert!(
        refusal.err.contains("line 2, column 31") && refusal.err.contains("no method `LOOK`"),
        "{refusal:?}"
    );
    assert_eq!(said(&["policy", "check", "/no/such/file"]).code, Some(2));
}

#[test]
fn run_takes_the_policy_from_the_option_or_the_environment() {
    let denied = File::new("run", "[actions]\ndeny = ['list-users']");
    let option = said(&["--emulator", "--policy", denied.path(), "run", "list-users"]);
    assert_eq!(
        (option.code, option.error()["code"].as_str()),
        (Some(1), Some("policy-denied")),
        "{option:?}"
    );
    let variable =
        run(auth0_host().args(["--emulator", "run", "list-users"]).env("AUTH0_POLICY", denied.path()));
    assert_eq!(variable.code, Some(1), "{variable:?}");
    let bad = File::new("unknown", "[actions]\ndeny = ['destroy-*']");
    let refusal = said(&["--emulator", "--policy", bad.path(), "run", "list-users"]);
    assert_eq!((refusal.code, refusal.error()["code"].as_str()), (Some(2), Some("usage")), "{refusal:?}");
    let missing = said(&["--emulator", "--policy", "/no/such/file", "run", "list-users"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
}

#[test]
fn doctor_tells_what_a_policy_leaves_and_that_one_does_not_fit() {
    let examined = |path: &str| said(&["--emulator", "--policy", path, "doctor", "--json"]);
    let policy = |findings: &Value| {
        let all = findings.as_array().expect("an array of findings");
        all.iter().find(|finding| finding["check"] == "policy").expect("the policy was looked at").clone()
    };
    let fits = examined("examples/policy.toml");
    let found = policy(&fits.json());
    assert_eq!((fits.code, &found["verdict"]), (Some(0), &json!("ok")), "{fits:?}");
    assert!(found["found"].as_str().is_some_and(|text| text.contains("actions may be run")), "{found}");
    let bad = File::new("doctor", "[actions]\ndeny = ['destroy-*']");
    let refused = examined(bad.path());
    let found = policy(&refused.json());
    assert_eq!((refused.code, &found["verdict"]), (Some(1), &json!("fail")), "{refused:?}");
    assert!(found["advice"].as_str().is_some_and(|text| text.contains("policy check")), "{found}");
}

/// The tenant as an embedder gets it who says nothing about a policy.
async fn by_default() -> OfflineTenant {
    OfflineTenant::tuned(auth0_emulator::Seed::demo(), |settings| settings.policy(Policy::default())).await
}

#[tokio::test]
async fn the_default_of_the_library_denies_what_reaches_far_by_whichever_action_it_is_tried() {
    let tenant = by_default().await;
    let (user, application) = (tenant.user(PERSON), tenant.application("Acme Billing"));
    let client = format!("/api/v2/clients/{application}");
    for (action, input, reach) in [
        ("rotate-client-secret", json!({"client_id": application}), "escalates"),
        ("clients.rotateSecret", json!({"id": application}), "escalates"),
        ("custom-request", custom("POST", &format!("{client}/rotate-secret"), Value::Null), "escalates"),
        ("custom-request", custom("POST", &format!("{client}/rotate%2Dsecret"), Value::Null), "escalates"),
        ("custom-request", custom("PATCH", &client, json!({"client_secret": "x".repeat(64)})), "escalates"),
        ("custom-request", custom("POST", "/api/v2/client-grants", json!({})), "escalates"),
        ("custom-request", custom("POST", "/api/v2/what-auth0-adds-next", json!({})), "runs-code"),
        (
            "logStreams.create",
            json!({"type": "http", "sink": {"httpEndpoint": "https://x.example"}}),
            "exfiltrates",
        ),
        ("jobs.usersExports.create", json!({"format": "csv"}), "exfiltrates"),
    ] {
        let error = tenant.refused(action, input.clone()).await;
        assert_eq!(error.code, ErrorCode::PolicyDenied, "{action} {input}: {error:?}");
        for part in
            [&format!("has the reach `{reach}`")[..], "the default policy denies that", "set `deny_reach = ["]
        {
            assert!(error.message.contains(part), "{action} {input}: {part}: {}", error.message);
        }
    }
    assert_eq!(tenant.lines(), Vec::<String>::new());
    tenant.run("block-user", json!({"user_id": user})).await;
    tenant.run("create-password-change-ticket", json!({"user_id": user})).await;
    tenant.run("custom-request", custom("PATCH", &client, json!({"client_metadata": {"a": "b"}}))).await;
}

#[test]
fn run_denies_what_reaches_far_and_names_the_line_of_a_policy_that_allows_it() {
    let create =
        ["--emulator", "run", "--reveal", "clients.create", "name=x", "grant_types=[\"client_credentials\"]"];
    let refused = said(&create);
    let message = refused.error()["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (refused.code, refused.error()["code"].as_str()),
        (Some(1), Some("policy-denied")),
        "{refused:?}"
    );
    let line = message.split('`').find(|part| part.starts_with("deny_reach = ")).unwrap_or_default();
    assert_eq!(line, "deny_reach = [\"runs-code\", \"exfiltrates\", \"weakens\"]", "{message}");
    let file = File::new("reach", line);
    assert_eq!(said(&[&["--policy", file.path()], &create[..]].concat()).code, Some(0));
    assert_eq!(said(&[&["--policy", "unrestricted"], &create[..]].concat()).code, Some(0));
    let unknown = File::new("unknown-reach", "deny_reach = ['escalate']");
    let refused = said(&["policy", "check", unknown.path()]);
    assert!(
        refused.code == Some(2) && refused.err.contains("line 1, column 15: there is no reach `escalate`"),
        "{refused:?}"
    );
}

#[test]
fn policy_check_and_doctor_say_where_the_request_of_an_allowed_action_is_denied() {
    let rotation = said(&["policy", "check", "--action", "rotate-client-secret"]);
    assert_eq!(rotation.code, Some(1), "{rotation:?}");
    assert!(
        rotation.out.starts_with("allowed: rotate-client-secret\n  but its request is denied: "),
        "{rotation:?}"
    );
    let open = said(&["policy", "check", "unrestricted", "--action", "rotate-client-secret"]);
    assert_eq!((open.code, open.out.as_str()), (Some(0), "allowed: rotate-client-secret\n"), "{open:?}");
    let file = File::new(
        "stopped",
        "[actions]\nallow = ['get-user', 'delete-user']\n[requests]\nallow = ['GET /api/v2/users/{id}']",
    );
    let checked = unwrapped(&said(&["policy", "check", file.path()]).out);
    let expected = "actions are allowed whose requests are denied: `delete-user`: no rule of the policy allows DELETE \
                    /api/v2/users/{id}";
    assert!(checked.contains(expected), "{checked}");
    let examined = said(&["--emulator", "--policy", file.path(), "doctor"]);
    assert!(examined.out.contains("of 1 that may be run a request is denied (delete-user)"), "{examined:?}");
    let examined = said(&["--emulator", "--policy", "unrestricted", "doctor"]);
    assert!(
        examined.code == Some(0) && examined.out.contains("unrestricted: calls may do everything"),
        "{examined:?}"
    );
}
