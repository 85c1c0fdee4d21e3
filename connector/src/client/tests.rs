//! A transport that plays a script, and what the client makes of it.

use std::collections::VecDeque;

use serde_json::json;

use super::*;

/// What the script answers, and what it saw.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) answers: VecDeque<Result<Response, SendError>>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) slept_ms: u64,
    /// How much later than asked for a sleep ends.
    pub(crate) oversleep_ms: u64,
    clock_ms: u64,
}

/// One request as it left.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Transport for Script {
    fn send(&mut self, request: &WireRequest<'_>, timeout_ms: u64) -> Result<Response, SendError> {
        assert!(timeout_ms > 0);
        self.clock_ms += 10;
        self.seen.push(Seen {
            method: request.method.as_str(),
            path: request.path_and_query.clone(),
            headers: request.headers.clone(),
            body: String::from_utf8_lossy(request.body).into_owned(),
        });
        self.answers.pop_front().expect("the script has an answer for every request")
    }

    fn monotonic_ms(&mut self) -> u64 {
        self.clock_ms
    }

    fn unix_ms(&mut self) -> i64 {
        1_740_823_200_000 + i64::try_from(self.clock_ms).unwrap()
    }

    fn sleep_ms(&mut self, ms: u64) {
        self.slept_ms += ms;
        self.clock_ms += ms + self.oversleep_ms;
    }

    fn random(&mut self) -> u64 {
        0
    }
}

pub(crate) fn answer(status: u16, body: Value) -> Result<Response, SendError> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Ok(Response { status, headers: Vec::new(), body })
}

pub(crate) fn with_header(
    answer: Result<Response, SendError>,
    name: &str,
    value: &str,
) -> Result<Response, SendError> {
    answer.map(|mut response| {
        response.headers.push((name.to_owned(), value.to_owned()));
        response
    })
}

const DOMAIN: (&str, &str) = ("AUTH0_DOMAIN", "t.eu.auth0.com");

/// Runs one action against a script.
pub(crate) fn run(
    environment: &[(&str, &str)],
    script: &mut Script,
    action: &str,
    input: Value,
) -> Result<Value, Error> {
    run_text(environment, script, action, &input.to_string())
}

/// Runs one action against a script, on the input as it is written.
pub(crate) fn run_text(
    environment: &[(&str, &str)],
    script: &mut Script,
    action: &str,
    input: &str,
) -> Result<Value, Error> {
    let settings = Settings::read([DOMAIN].into_iter().chain(environment.iter().copied())).unwrap();
    let mut tokens = TokenCache::new();
    let mut client = Client::new(script, &settings, &mut tokens);
    crate::catalog::run(&mut client, &crate::catalog::find(action)?, input)
}

fn script(answers: impl IntoIterator<Item = Result<Response, SendError>>) -> Script {
    Script { answers: answers.into_iter().collect(), ..Script::default() }
}

#[test]
fn without_credentials_no_authorization_is_sent() {
    let mut script = script([answer(200, json!({"user_id": "auth0|a"}))]);
    let user = run(&[], &mut script, "get-user", json!({"user_id": "auth0|a"})).unwrap();
    assert_eq!(user["user_id"], "auth0|a");
    assert_eq!(script.seen[0].path, "/api/v2/users/auth0%7Ca");
    assert_eq!(script.seen[0].header("authorization"), None);
}

#[test]
fn one_token_serves_all_requests_of_an_instance() {
    let credentials = [("AUTH0_CLIENT_ID", "id"), ("AUTH0_CLIENT_SECRET", "s")];
    let mut script = script([
        answer(200, json!({"access_token": "t1", "expires_in": 86400})),
        answer(200, json!([{"id": "rol_1", "name": "A"}])),
        answer(204, Value::Null),
    ]);
    run(&credentials, &mut script, "assign-user-roles", json!({"user_id": "auth0|a", "role_names": ["A"]}))
        .unwrap();
    assert_eq!(script.seen[0].path, "/oauth/token");
    assert_eq!(
        script.seen[0].body,
        "grant_type=client_credentials&client_id=id&client_secret=s&audience=https%3A%2F%2Ft.eu.auth0.com%2Fapi%2Fv2%2F"
    );
    assert_eq!(script.seen[1].header("authorization"), Some("Bearer t1"));
    assert_eq!(script.seen[2].body, r#"{"roles":["rol_1"]}"#);
}

#[test]
fn a_token_that_is_known_to_lack_a_scope_sends_nothing() {
    let credentials = [("AUTH0_CLIENT_ID", "id"), ("AUTH0_CLIENT_SECRET", "s")];
    let token = |scope: &str| answer(200, json!({"access_token": "t", "expires_in": 86400, "scope": scope}));
    let mut lacking = script([token("read:roles read:clients")]);
    let input = json!({"user_id": "auth0|a", "role_names": ["A"]});
    let error = run(&credentials, &mut lacking, "assign-user-roles", input).unwrap_err();
    let Error { code: Code::InsufficientScope, message, scopes, .. } = error else { panic!("{error:?}") };
    assert_eq!(
        (scopes, lacking.seen.len()),
        (vec!["update:users".to_owned()], 1),
        "only the token was asked for"
    );
    assert!(message.contains("lacks update:users, so the request was not sent"), "{message}");
    // One of several will do, and what only a part needs is the tenant's to refuse.
    let mut enough = script([token("read:client_keys"), answer(200, json!({"client_id": "c"}))]);
    run(&credentials, &mut enough, "get-application", json!({"client_id": "c"})).unwrap();
    let mut part = script([token("read:clients"), answer(200, json!({"client_id": "c"}))]);
    run(&credentials, &mut part, "get-application", json!({"client_id": "c"})).unwrap();
}

#[test]
fn a_token_that_lacks_a_scope_is_replaced_once_it_may_be_older_than_its_grant() {
    let credentials = [DOMAIN, ("AUTH0_CLIENT_ID", "id"), ("AUTH0_CLIENT_SECRET", "s")];
    let token = |scope: &str| answer(200, json!({"access_token": "t", "expires_in": 86400, "scope": scope}));
    let settings = Settings::read(credentials).unwrap();
    let mut tokens = TokenCache::new();
    let mut script = script([token("read:clients")]);
    let action = crate::catalog::find("get-user").unwrap();
    let mut call = |script: &mut Script| {
        let mut client = Client::new(script, &settings, &mut tokens);
        crate::catalog::run(&mut client, &action, r#"{"user_id": "auth0|a"}"#)
            .map_err(|error| error.code.as_str())
    };
    for later_ms in [0, 0, 299_000] {
        script.clock_ms += later_ms;
        assert_eq!(call(&mut script), Err("insufficient-scope"));
        assert_eq!(script.seen.len(), 1, "the quota of tokens is not used up by asking");
    }
    // What the old one lacks is known where no new one is to be had.
    script.clock_ms += 1000;
    script.answers.push_back(answer(403, json!({"error": "access_denied"})));
    assert_eq!((call(&mut script), script.seen.len()), (Err("insufficient-scope"), 2));
    script.answers.extend([token("read:users"), answer(200, json!({"user_id": "auth0|a"}))]);
    assert_eq!(call(&mut script), Ok(json!({"user_id": "auth0|a"})));
    assert_eq!(script.seen.len(), 4);
}

#[test]
fn a_refused_token_is_fetched_anew_once_even_for_a_create() {
    let credentials = [("AUTH0_CLIENT_ID", "id"), ("AUTH0_CLIENT_SECRET", "s")];
    let token = |name: &str| answer(200, json!({"access_token": name, "expires_in": 86400}));
    let mut twice =
        script([token("t1"), answer(401, json!({})), token("t2"), answer(200, json!({"id": "rol_1"}))]);
    run(&credentials, &mut twice, "create-role", json!({"name": "A"})).unwrap();
    assert_eq!(twice.seen[3].header("authorization"), Some("Bearer t2"));
    let mut never = script([token("t1"), answer(401, json!({})), token("t2"), answer(401, json!({}))]);
    let error = run(&credentials, &mut never, "create-role", json!({"name": "A"})).unwrap_err();
    assert_eq!(error.code.as_str(), "unauthenticated");
}

#[test]
fn wrong_credentials_are_unauthenticated_in_the_tenants_words_without_the_secret() {
    let credentials = [("AUTH0_CLIENT_ID", "id"), ("AUTH0_CLIENT_SECRET", "canary")];
    let refusal = json!({"error": "access_denied", "error_description": "Unauthorized"});
    for status in [401, 403] {
        let mut script = script([answer(status, refusal.clone())]);
        let error = run(&credentials, &mut script, "get-user", json!({"user_id": "auth0|a"})).unwrap_err();
        assert_eq!(error.code.as_str(), "unauthenticated");
        assert!(error.to_string().contains("Unauthorized"));
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[test]
fn a_create_whose_answer_is_lost_is_reported_and_not_repeated() {
    for lost in [
        Err(SendError::Lost("connection reset".into())),
        Err(SendError::Cut { head: answer(201, Value::Null).unwrap(), message: "closed".into() }),
        Err(SendError::TooLarge { status: 201 }),
        answer(504, Value::Null),
        answer(500, Value::Null),
        Ok(Response { status: 201, headers: Vec::new(), body: b"{\"user_id\":".to_vec() }),
    ] {
        let mut script = script([lost]);
        let input = json!({"connection": "db", "email": "a@b.example"});
        let error = run(&[], &mut script, "create-user", input).unwrap_err();
        assert_eq!(error.code.as_str(), "outcome-unknown", "{error}");
        assert_eq!(script.seen.len(), 1);
    }
}

#[test]
fn a_read_is_repeated_until_the_retries_are_used_up() {
    let lost = || Err(SendError::Lost("connection reset".into()));
    let mut good = script([lost(), answer(503, Value::Null), answer(200, json!([]))]);
    run(&[], &mut good, "list-roles", json!({})).unwrap();
    assert_eq!(good.seen.len(), 3);
    let mut bad = script([lost(), lost(), lost()]);
    assert_eq!(run(&[], &mut bad, "list-roles", json!({})).unwrap_err().code.as_str(), "unreachable");
    let mut unavailable = script([answer(500, Value::Null)]);
    let error = run(&[("AUTH0_MAX_RETRIES", "0")], &mut unavailable, "list-roles", json!({})).unwrap_err();
    assert_eq!(error.code.as_str(), "unavailable");
}

#[test]
fn a_429_waits_as_told_and_ends_typed_where_the_deadline_is_nearer() {
    let throttled = |seconds: &str| with_header(answer(429, json!({"message": "m"})), "retry-after", seconds);
    let mut patient = script([throttled("2"), answer(200, json!({"id": "rol_1"}))]);
    run(&[], &mut patient, "create-role", json!({"name": "A"})).unwrap();
    assert_eq!(patient.slept_ms, 2000);
    let mut hurried = script([throttled("60")]);
    let error = run(&[], &mut hurried, "create-role", json!({"name": "A"})).unwrap_err();
    let Error { code: Code::RateLimited, retry_after_ms, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after_ms, Some(60_000));
    assert_eq!(hurried.slept_ms, 0);
}

#[test]
fn a_failure_without_its_body_is_told_by_its_status() {
    let cut =
        |status| Err(SendError::Cut { head: answer(status, Value::Null).unwrap(), message: "closed".into() });
    for (status, kind) in [(404, "not-found"), (409, "conflict"), (401, "unauthenticated")] {
        let mut script = script([cut(status)]);
        assert_eq!(
            run(&[], &mut script, "create-role", json!({"name": "A"})).unwrap_err().code.as_str(),
            kind
        );
    }
    let mut throttled = script([cut(429), answer(200, json!({"id": "rol_1"}))]);
    run(&[], &mut throttled, "create-role", json!({"name": "A"})).unwrap();
}

#[test]
fn a_delete_that_is_not_found_when_repeated_may_have_been_done() {
    let mut repeated = script([answer(503, Value::Null), answer(404, json!({}))]);
    let error = run(&[], &mut repeated, "delete-role", json!({"role_id": "rol_1"})).unwrap_err();
    assert_eq!(error.code.as_str(), "outcome-unknown");
    let mut plain = script([answer(404, json!({}))]);
    let error = run(&[], &mut plain, "delete-role", json!({"role_id": "rol_1"})).unwrap_err();
    assert_eq!(error.code.as_str(), "not-found");
}

#[test]
fn a_delete_that_may_have_been_done_is_unknown_however_it_ends() {
    let lost = || Err(SendError::Lost("connection reset".into()));
    let cut = || Err(SendError::Cut { head: answer(200, json!({})).unwrap(), message: "closed".into() });
    let throttled = || with_header(answer(429, Value::Null), "retry-after", "3600");
    for (first, last) in [
        (lost(), lost()),
        (lost(), Err(SendError::NotSent("refused".into()))),
        (lost(), Err(SendError::Denied("policy".into()))),
        (lost(), throttled()),
        (lost(), answer(401, Value::Null)),
        (lost(), answer(503, Value::Null)),
        (answer(502, Value::Null), answer(502, Value::Null)),
        (answer(503, Value::Null), lost()),
        (cut(), cut()),
    ] {
        let ends = format!("{first:?}, {last:?}");
        let mut script = script([first, last]);
        let retry = [("AUTH0_MAX_RETRIES", "1")];
        let error = run(&retry, &mut script, "delete-role", json!({"role_id": "rol_1"})).unwrap_err();
        assert_eq!((error.code.as_str(), script.seen.len()), ("outcome-unknown", 2), "{ends}: {error}");
    }
}

#[test]
fn a_delete_that_did_not_happen_is_not_called_unknown() {
    let refused = || Err(SendError::NotSent("refused".into()));
    for (first, last, kind) in [
        (refused(), refused(), "unreachable"),
        (answer(503, Value::Null), answer(503, Value::Null), "unavailable"),
        (answer(503, Value::Null), answer(409, Value::Null), "conflict"),
        (refused(), answer(404, Value::Null), "not-found"),
    ] {
        let mut script = script([first, last]);
        let retry = [("AUTH0_MAX_RETRIES", "1")];
        let error = run(&retry, &mut script, "delete-role", json!({"role_id": "rol_1"})).unwrap_err();
        assert_eq!(error.code.as_str(), kind, "{error}");
    }
}

#[test]
fn a_delete_whose_deadline_passes_before_its_repetition_is_unknown_and_a_read_unreachable() {
    for (action, input, kind) in [
        ("delete-role", json!({"role_id": "rol_1"}), "outcome-unknown"),
        ("get-role", json!({"role_id": "rol_1"}), "unreachable"),
    ] {
        let mut script = script([Err(SendError::Lost("connection reset".into()))]);
        script.oversleep_ms = 60_000;
        let error = run(&[], &mut script, action, input).unwrap_err();
        assert_eq!((error.code.as_str(), script.seen.len()), (kind, 1), "{error}");
        assert!(error.to_string().contains("deadline"), "{error}");
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_not_tried_again() {
    let mut script = script([Err(SendError::Unreachable("certificate".into()))]);
    assert_eq!(run(&[], &mut script, "list-roles", json!({})).unwrap_err().code.as_str(), "unreachable");
}

#[test]
fn a_denied_request_is_not_tried_again() {
    let mut script = script([Err(SendError::Denied("policy".into()))]);
    assert_eq!(run(&[], &mut script, "list-roles", json!({})).unwrap_err().code.as_str(), "policy-denied");
}

#[test]
fn the_custom_domain_goes_only_to_paths_that_take_it() {
    let custom = [("AUTH0_CUSTOM_DOMAIN", "login.example.com")];
    let mut create = script([answer(201, json!({"user_id": "auth0|a"}))]);
    run(&custom, &mut create, "create-user", json!({"connection": "db"})).unwrap();
    assert_eq!(create.seen[0].header("auth0-custom-domain"), Some("login.example.com"));
    let mut read = script([answer(200, json!({}))]);
    run(&custom, &mut read, "get-user", json!({"user_id": "auth0|a"})).unwrap();
    assert_eq!(read.seen[0].header("auth0-custom-domain"), None);
}

#[test]
fn no_bad_input_reaches_the_tenant() {
    let cases = [
        ("get-user", json!({"user_id": ""})),
        ("get-user", json!({"user_id": "../clients"})),
        ("get-user", json!({"user_id": "auth0|../../clients"})),
        ("get-user", json!({"user_id": "abc"})),
        ("get-user", json!({})),
        ("get-user", json!({"user_id": "auth0|a", "userid": "x"})),
        ("get-user", json!({"user_id": 7})),
        ("get-user", json!([])),
        ("delete-role", json!({"role_id": ".."})),
        ("list-users", json!({"page": 10, "per_page": 100})),
        ("list-users", json!({"per_page": 101})),
        ("list-users", json!({"page": -1})),
        ("update-user", json!({"user_id": "auth0|a", "changes": {"app_metadata": {}}})),
        ("assign-user-roles", json!({"user_id": "auth0|a"})),
        ("assign-user-roles", json!({"user_id": "auth0|a", "roles": []})),
        ("list-logs", json!({"q": "type:s", "from": "1"})),
        ("create-password-change-ticket", json!({"email": "a@b.example"})),
        ("get-user-blocks", json!({})),
        ("revoke-user-access", json!({"user_id": "auth0|a", "session_id": ""})),
        ("link-user", json!({"user_id": "auth0|a", "identity": {"user_id": ""}})),
        ("link-user", json!({"user_id": "auth0|a", "identity": {"provider": "x", "user_id": "y|1"}})),
        ("link-user", json!({"user_id": "auth0|a", "link_with": ""})),
        ("send-verification-email", json!({"user_id": "auth0|a", "client_id": ""})),
        ("create-user", json!({"connection": ""})),
        ("list-logs", json!({"from": "1", "include_fields": true})),
        ("custom-request", json!({"method": "GET", "path": "https://evil.example/api/v2/users"})),
        ("custom-request", json!({"method": "GET", "path": "//evil.example/api/v2/users"})),
        (
            "custom-request",
            json!({"method": "GET", "path": "/api/v2/users", "headers": {"Authorization": "x"}}),
        ),
        ("custom-request", json!({"method": "GET", "path": "/api/v2/users", "body": {}})),
        ("create-user", json!({"connection": "db", "user_metadata": {"x": "y".repeat(1_100_000)}})),
    ];
    for (action, input) in cases {
        let mut script = script([]);
        let error = run(&[], &mut script, action, input.clone()).unwrap_err();
        assert_eq!(error.code.as_str(), "invalid-input", "{action} {error}");
        assert!(script.seen.is_empty());
    }
}

#[test]
fn a_custom_request_has_one_of_five_methods_and_leaves_with_it_in_capitals() {
    for method in [
        "TRACE", "CONNECT", "OPTIONS", "HEAD", "PROPFIND", "M-SEARCH", "Get", "Post", "gET", "head", "trace",
        "GE T", " GET", "GET ", "", "GET\r\n", "*",
    ] {
        let mut script = script([]);
        let input = json!({"method": method, "path": "/api/v2/users"});
        let error = run(&[], &mut script, "custom-request", input).unwrap_err();
        assert_eq!(error.code.as_str(), "invalid-input", "{method:?}: {error}");
        assert!(error.to_string().contains("`method`"), "{method:?}: {error}");
        assert!(script.seen.is_empty(), "{method:?}");
    }
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for spelling in [method.to_owned(), method.to_lowercase()] {
            let mut script = script([answer(200, json!({}))]);
            let input = json!({"method": spelling, "path": "/api/v2/users"});
            run(&[], &mut script, "custom-request", input).unwrap();
            assert_eq!(script.seen.len(), 1, "{spelling}");
            assert_eq!(script.seen[0].method, method, "{spelling}");
        }
    }
}

#[test]
fn unknown_role_names_change_nothing() {
    let mut script =
        script([answer(200, json!([{"id": "rol_1", "name": "Admins"}])), answer(200, json!([]))]);
    let input = json!({"user_id": "auth0|a", "role_names": ["Admin", "Ghost"]});
    let error = run(&[], &mut script, "assign-user-roles", input).unwrap_err();
    assert_eq!(error.code.as_str(), "not-found");
    assert!(error.to_string().contains("'Admin', 'Ghost'"), "{error}");
    assert!(script.seen.iter().all(|seen| seen.method == "GET"));
}

/// Found by fuzzing: the answer was passed on as null.
#[test]
fn a_rotation_whose_answer_has_no_secret_is_in_doubt() {
    let mut script = Script::default();
    script.answers.push_back(answer(200, Value::Null));
    let error = run(&[], &mut script, "rotate-client-secret", json!({"client_id": "abc"})).unwrap_err();
    assert_eq!((error.code.as_str(), script.seen.len()), ("outcome-unknown", 1));
}

#[test]
fn a_rotated_secret_is_not_lost_where_the_stamp_fails() {
    let mut script = script([
        answer(200, json!({"client_id": "c", "client_secret": "new"})),
        answer(403, json!({"errorCode": "insufficient_scope", "message": "no"})),
    ]);
    let application = run(&[], &mut script, "rotate-client-secret", json!({"client_id": "c"})).unwrap();
    assert_eq!(application["client_secret"], "new");
    assert_eq!(application["stamped"], false);
    assert_eq!(application["stamp_error"]["code"], "insufficient-scope");
}
