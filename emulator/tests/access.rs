//! Who gets in: the token endpoint, bearer tokens, scopes, limits.

mod support;

use std::io::{Read as _, Write as _};

use auth0_emulator::{Plan, Seed};
use http::Method;
use serde_json::json;
use support::{bench, demo};

#[tokio::test]
async fn the_token_endpoint_refuses_as_auth0_does() {
    let bench = demo().await;
    let (id, secret) = (bench.tenant.client_id(), bench.tenant.client_secret());
    let audience = bench.tenant.audience();
    let reports = bench.client_named("Acme Reports");
    let reports_secret =
        bench.control.client(&reports).unwrap()["client_secret"].as_str().unwrap().to_owned();
    let grant = |id: &str, secret: &str, audience: &str| json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": audience});
    let table = [
        (grant(id, "wrong", audience), 401, "access_denied", "Unauthorized"),
        (grant("nobody", secret, audience), 401, "access_denied", "Unauthorized"),
        (grant(id, secret, "https://other/"), 403, "access_denied", "Service not found: https://other/"),
        (
            grant(&reports, &reports_secret, audience),
            403,
            "access_denied",
            "Client is not authorized to access",
        ),
        (
            json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret}),
            403,
            "access_denied",
            "Non-global clients are not allowed access to APIv1",
        ),
        (
            json!({"grant_type": "authorization_code", "client_id": id, "client_secret": secret, "code": "x"}),
            403,
            "invalid_grant",
            "Invalid authorization code",
        ),
    ];
    for (body, status, error, description) in table {
        let answer = bench.raw(Method::POST, "/oauth/token", &[], Some(body)).await.unwrap();
        assert_eq!(answer.status, status, "{description}");
        assert_eq!(answer.json["error"], error);
        assert!(
            answer.json["error_description"].as_str().unwrap().starts_with(description),
            "{}",
            answer.text
        );
    }
    assert_eq!(bench.control.counters().tokens_issued, 0);
}

#[tokio::test]
async fn a_token_can_be_had_by_form_and_by_basic() {
    let bench = demo().await;
    let form = format!(
        "grant_type=client_credentials&audience={}&client_id={}&client_secret={}",
        bench.tenant.audience().replace(':', "%3A").replace('/', "%2F"),
        bench.tenant.client_id(),
        bench.tenant.client_secret()
    );
    let request = http::Request::post(format!("{}/oauth/token", bench.tenant.base_url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap();
    let answer = bench.send(request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["expires_in"], 86_400);
    assert_eq!(answer.json["token_type"], "Bearer");
    assert_eq!(answer.headers["cache-control"], "no-store");
    use base64::Engine as _;
    let pair = format!("{}:{}", bench.tenant.client_id(), bench.tenant.client_secret());
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let body = json!({"grant_type": "client_credentials", "audience": bench.tenant.audience()});
    let answer =
        bench.raw(Method::POST, "/oauth/token", &[("authorization", &basic)], Some(body)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let seen = bench.control.requests();
    assert!(seen.iter().all(|request| request.authorized));
    let all = serde_json::to_string(&seen).unwrap();
    assert!(!all.contains(bench.tenant.client_secret()), "the record holds no secret");
}

#[tokio::test]
async fn bearer_tokens_are_truly_verified() {
    let bench = demo().await;
    let other = demo().await;
    let mut flipped = bench.token.clone();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'A' { 'Q' } else { 'A' });
    let table = [
        (None, 401, "", "Missing authentication"),
        (Some("Bearer abc".to_owned()), 400, "Bearer", "Bad HTTP authentication header format"),
        (Some("Basic abc".to_owned()), 400, "Bearer", "Bad HTTP authentication header format"),
        (
            Some(format!("Bearer {}", other.token)),
            401,
            "",
            "Invalid signature received for JSON Web Token validation",
        ),
        (
            Some(format!("Bearer {flipped}")),
            401,
            "",
            "Invalid signature received for JSON Web Token validation",
        ),
        (Some(format!("Bearer {}", bench.token)), 200, "", ""),
    ];
    for (header, status, code, message) in table {
        let headers: Vec<(&str, &str)> =
            header.iter().map(|value| ("authorization", value.as_str())).collect();
        let answer = bench.raw(Method::GET, "/api/v2/roles", &headers, None).await.unwrap();
        assert_eq!(answer.status, status, "{message}");
        if status != 200 {
            assert_eq!((answer.code(), answer.json["message"].as_str().unwrap()), (code, message));
        }
    }
    bench.control.expire_tokens();
    let answer = bench.get("/roles").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json["message"], "Expired token received for JSON Web Token validation");
    let seen = bench.control.requests();
    assert_eq!(seen.iter().filter(|request| request.authorized).count(), 1);
}

#[tokio::test]
async fn scopes_are_checked_before_anything_else() {
    let mut bench = demo().await;
    bench.control.set_scopes(&["read:users"]);
    bench.token = bench.fresh_token().await;
    let answer = bench.api("DELETE", "/users/nonsense", None).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "insufficient_scope"));
    assert_eq!(
        answer.json["message"],
        "Insufficient scope, expected any of: delete:users,delete:current_user"
    );
    let answer = bench.get(&format!("{}/roles", bench.user("mira.olsen@acme.example"))).await;
    assert_eq!(answer.json["message"], "Insufficient scope, expected all of: read:users,read:roles");
}

#[tokio::test]
async fn the_free_plan_answers_429_with_the_headers_that_tell_when() {
    let bench = bench(Seed::demo(), Plan::Free).await;
    let mut refused = None;
    // The bucket holds two and gets two a second: where the machine stands still, more than two get through.
    for _ in 0..200 {
        let before = jiff::Timestamp::now().as_second();
        let answer = bench.get("/roles").await;
        assert_eq!(answer.headers["x-ratelimit-limit"], "2");
        if answer.status == 429 {
            refused = Some((before, answer, jiff::Timestamp::now().as_second()));
            break;
        }
    }
    let (before, refused, after) = refused.unwrap();
    assert_eq!(refused.code(), "too_many_requests");
    assert_eq!(refused.json["message"], "Global limit has been reached");
    assert_eq!(refused.headers["x-ratelimit-remaining"], "0");
    let reset: i64 = refused.headers["x-ratelimit-reset"].to_str().unwrap().parse().unwrap();
    assert!((before + 1..=after + 2).contains(&reset), "{before} {reset} {after}");
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(bench.get("/roles").await.status, 200);
}

#[tokio::test]
async fn the_token_endpoint_s_limit_refuses_in_the_form_of_oauth() {
    let bench = bench(Seed::demo(), Plan::Free).await;
    let mut refused = None;
    // The bucket holds 30 and gets 30 a second.
    for _ in 0..2000 {
        let answer = bench.raw(Method::POST, "/oauth/token", &[], Some(json!({}))).await.unwrap();
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(
        refused.json,
        json!({"error": "too_many_requests", "error_description": "Global limit has been reached"})
    );
    assert_eq!(
        (&refused.headers["x-ratelimit-limit"], &refused.headers["cache-control"]),
        (&"30".parse().unwrap(), &"no-store".parse().unwrap())
    );
}

#[tokio::test]
async fn limits_come_after_authentication_and_before_scopes() {
    let mut bench = bench(Seed::demo(), Plan::Free).await;
    bench.control.set_scopes(&["read:roles"]);
    bench.token = bench.fresh_token().await;
    let mut codes = Vec::new();
    // As above, it may take more than three.
    while codes.len() < 200 && codes.last() != Some(&429) {
        codes.push(bench.get("/users").await.status.as_u16());
    }
    let (last, others) = codes.split_last().unwrap();
    assert!(others.len() >= 2 && others.iter().all(|code| *code == 403), "{codes:?}");
    assert_eq!(*last, 429, "a refused request uses the limit up");
    let unknown = bench.raw(Method::GET, "/api/v2/users", &[], None).await.unwrap();
    assert_eq!(unknown.status, 401, "who has no token learns nothing of the limit");
}

#[tokio::test]
async fn unknown_paths_and_oversized_bodies_are_refused() {
    let bench = demo().await;
    let answer = bench.get("/nothing").await;
    assert_eq!(answer.json, json!({"statusCode": 404, "error": "Not Found", "message": "Not Found"}));
    let big = json!({"connection": "x", "user_metadata": {"x": "y".repeat(1024 * 1024)}});
    assert_eq!(bench.api("POST", "/users", Some(big)).await.status, 413);
    let answer = bench.raw(Method::GET, "/.well-known/jwks.json", &[], None).await.unwrap();
    assert_eq!(answer.json["keys"][0]["alg"], "RS256");
    let answer = bench.raw(Method::GET, "/.well-known/openid-configuration", &[], None).await.unwrap();
    assert_eq!(answer.json["issuer"], format!("https://{}/", bench.tenant.domain()));
}

/// Sends a request line as it stands, with a token that would do, and returns the status. A client would refuse some of the
/// methods, or ask for something else with them.
#[allow(clippy::unwrap_used, reason = "a test that panics is a test that fails")]
async fn status_of(base: &str, line: String, token: &str) -> String {
    let address = base.strip_prefix("http://").unwrap().to_owned();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_method_that_no_operation_has_finds_no_operation_and_is_on_record_as_it_came() {
    let bench = demo().await;
    let users = bench.control.users();
    let mail = bench.tenant.mail_base_url();
    let tenant = bench.tenant.base_url();
    for method in [
        "TRACE", "CONNECT", "OPTIONS", "HEAD", "PROPFIND", "M-SEARCH", "PURGE", "get", "Get", "Post",
        "delete", "X",
    ] {
        for (base, path, token) in [
            (tenant, "/api/v2/users", bench.token.as_str()),
            (tenant, "/oauth/token", bench.token.as_str()),
            (mail, "/v3/mail/send", bench.tenant.mail_api_key()),
        ] {
            bench.control.reset_counters();
            assert_eq!(status_of(base, format!("{method} {path}"), token).await, "404", "{method} {path}");
            let seen = bench.control.requests();
            let [request] = seen.as_slice() else { panic!("{method} {path}: {seen:#?}") };
            assert_eq!((request.method.as_str(), request.path.as_str()), (method, path));
            assert_eq!((&request.route, request.authorized), (&None, false), "{method} {path}");
        }
    }
    assert_eq!(bench.control.users(), users);
    assert!(bench.control.outbox().is_empty());
    assert_eq!(status_of(tenant, "GET /api/v2/users".to_owned(), &bench.token).await, "200");
}
