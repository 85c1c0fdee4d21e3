//! Faults on purpose, and the record that shows what the server saw of them.

mod support;

use auth0_emulator::{Fault, FaultKind};
use http::Method;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::demo;

fn role(name: &str) -> Option<Value> {
    Some(json!({"name": name}))
}

#[tokio::test]
async fn a_lost_answer_leaves_the_write_done_and_an_unprocessed_one_does_not() {
    for (kind, done) in [
        (FaultKind::ResetAfterRead, true),
        (FaultKind::ResetAfterReadUnprocessed, false),
        (FaultKind::ResetBeforeRead, false),
    ] {
        let bench = demo().await;
        bench.control.inject(Fault::new(kind.clone()).on("POST", "/api/v2/roles").times(1));
        assert!(bench.try_api("POST", "/roles", role("Ghost")).await.is_err(), "{kind:?}");
        assert_eq!(bench.control.roles().iter().any(|role| role["name"] == "Ghost"), done, "{kind:?}");
        let seen = bench.control.requests();
        let last = seen.last().unwrap();
        assert_eq!((last.method.as_str(), last.status), ("POST", None));
        assert_eq!(bench.control.counters().by_status[&0], 1);
        assert_eq!(bench.api("POST", "/roles", role("Other")).await.status, 200, "the fault is spent");
    }
}

#[tokio::test]
async fn answers_can_break_off_be_malformed_slow_or_late() {
    let bench = demo().await;
    bench.control.inject(Fault::new(FaultKind::Truncate).times(1));
    assert!(bench.try_api("GET", "/roles", None).await.is_err());
    bench.control.inject(Fault::new(FaultKind::Malformed).times(1));
    let answer = bench.get("/roles").await;
    assert_eq!((answer.status.as_u16(), &answer.json), (200, &Value::Null));
    for kind in [FaultKind::SlowBody { ms_per_chunk: 30 }, FaultKind::Delay { ms: 200 }] {
        bench.control.inject(Fault::new(kind).times(1));
        let start = Instant::now();
        assert_eq!(bench.get("/roles").await.json.as_array().unwrap().len(), 6);
        assert!(start.elapsed() >= Duration::from_millis(190));
    }
}

#[tokio::test]
async fn statuses_can_be_forced_before_and_after_processing() {
    let bench = demo().await;
    let status = |after_processing| FaultKind::Status {
        status: 503,
        body: None,
        retry_after: Some(2),
        after_processing,
    };
    bench.control.inject(Fault::new(status(false)).times(1));
    bench.control.inject(Fault::new(status(true)).times(1));
    for (name, done) in [("Before", false), ("After", true)] {
        let answer = bench.api("POST", "/roles", role(name)).await;
        assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (503, "2"));
        assert_eq!(bench.control.roles().iter().any(|role| role["name"] == name), done);
    }
    bench
        .control
        .inject(Fault::new(FaultKind::TooManyRequests { retry_after: None, reset_in: Some(7) }).times(1));
    let answer = bench.get("/roles").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (429, "too_many_requests"));
    assert!(!answer.headers.contains_key("retry-after"));
    bench.control.inject(Fault::new(FaultKind::ExpiredToken).times(1));
    assert_eq!(bench.get("/roles").await.status, 401);
    assert_eq!(bench.get("/roles").await.status, 200);
}

#[tokio::test]
async fn the_token_endpoint_refuses_in_the_form_of_oauth_alone() {
    let bench = demo().await;
    let status =
        |status| FaultKind::Status { status, body: None, retry_after: Some(1), after_processing: false };
    for (kind, code, error) in [
        (FaultKind::TooManyRequests { retry_after: Some(1), reset_in: None }, 429, "too_many_requests"),
        (status(429), 429, "too_many_requests"),
        (status(503), 503, "server_error"),
        (status(403), 403, "access_denied"),
    ] {
        bench.control.inject(Fault::new(kind).at("/oauth/token").times(1));
        let answer = bench.raw(Method::POST, "/oauth/token", &[], Some(json!({}))).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.json["error"].as_str()),
            (code, Some(error)),
            "{}",
            answer.text
        );
        assert!(answer.json["error_description"].is_string(), "{}", answer.text);
        assert_eq!(answer.json.as_object().unwrap().len(), 2, "nothing of the Management API's form");
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

/// Guards against a web page that a developer has open beside the offline tenant.
#[tokio::test]
async fn the_control_surface_takes_no_request_with_an_origin_or_a_foreign_host() {
    let bench = demo().await;
    let path = "/__emulator/expire-tokens";
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "null"),
        ("host", "evil.example"),
        ("host", "evil.example:8080"),
        ("host", "127.0.0.1.evil.example"),
        ("host", "localhost.evil.example"),
        ("host", "notlocalhost"),
        ("host", "192.168.0.1"),
        ("host", "user@127.0.0.1.evil.example"),
        ("host", ""),
    ] {
        let answer = bench.raw(Method::POST, path, &[(name, value)], None).await.unwrap();
        assert_eq!(answer.status, 403, "{name}: {value}");
        assert!(answer.json["error"].as_str().unwrap().contains("control API"), "{}", answer.text);
    }
    assert_eq!(bench.get("/roles").await.status, 200, "nothing was changed");
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "acme.eu.auth0.localhost"] {
        let answer = bench.raw(Method::GET, "/__emulator/info", &[("host", host)], None).await.unwrap();
        assert_eq!(answer.status, 200, "{host}");
    }
    assert_eq!(bench.raw(Method::POST, path, &[], None).await.unwrap().status, 204);
    assert_eq!(bench.get("/roles").await.status, 401);
}

#[tokio::test]
async fn the_control_surface_works_over_http_and_is_not_counted() {
    let bench = demo().await;
    let control = |method: Method, verb: &str, body: Option<Value>| {
        let path = format!("/__emulator/{verb}");
        let bench = &bench;
        async move { bench.raw(method, &path, &[], body).await.unwrap() }
    };
    let fault = json!({"path_prefix": "/api/v2/roles", "times": 1, "kind": {"status": {"status": 500}}});
    assert_eq!(control(Method::POST, "faults", Some(fault)).await.status, 204);
    assert_eq!(bench.get("/roles").await.status, 500);
    let counters = control(Method::GET, "counters", None).await;
    assert_eq!(counters.json["requests"], 1);
    assert_eq!(counters.json["by_route"]["GET /api/v2/roles"], 1);
    let requests = control(Method::GET, "requests", None).await;
    assert_eq!(requests.json[0]["path"], "/api/v2/roles");
    assert!(requests.text.contains("[masked]") && !requests.text.contains(&bench.token));
    assert_eq!(control(Method::DELETE, "requests", None).await.status, 204);
    let body = json!({"user_id": bench.id("mira.olsen@acme.example")});
    let session = control(Method::POST, "log-in", Some(body)).await;
    assert!(session.json["session_id"].is_string());
    let body = json!({"user": "mira.olsen@acme.example"});
    assert_eq!(control(Method::POST, "failed-log-in", Some(body)).await.status, 204);
    assert_eq!(control(Method::POST, "faults", Some(json!({"kind": "nope"}))).await.status, 400);
    assert_eq!(control(Method::GET, "info", None).await.json["client_id"], bench.tenant.client_id());
    assert_eq!(control(Method::POST, "expire-tokens", None).await.status, 204);
    assert_eq!(bench.get("/roles").await.status, 401);
    assert_eq!(control(Method::GET, "nothing", None).await.status, 404);
    assert_eq!(bench.control.counters().requests, 1);
}

#[tokio::test]
async fn connections_are_kept_alive_and_counted() {
    let bench = demo().await;
    for _ in 0..5 {
        assert_eq!(bench.get("/roles").await.status, 200);
    }
    let seen = bench.control.requests();
    assert!(seen.iter().all(|request| request.connection == seen[0].connection));
}

#[tokio::test]
async fn shutdown_ends_in_time_and_frees_the_port() {
    let bench = demo().await;
    let url = bench.tenant.base_url().to_owned();
    assert_eq!(bench.get("/roles").await.status, 200);
    let start = Instant::now();
    bench.tenant.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(30));
    let address = url.strip_prefix("http://").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_request_whose_body_breaks_off_is_recorded_and_not_processed() {
    let bench = demo().await;
    let address = bench.tenant.base_url().split_once("://").unwrap().1.to_owned();
    // Whole as JSON, and a part by its length.
    let body = json!({"name": "Half"});
    let framings = [
        format!("content-length: 1000\r\n\r\n{body}"),
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.to_string().len()),
    ];
    for (number, framing) in framings.into_iter().enumerate() {
        let head = format!(
            "POST /api/v2/roles HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n{framing}",
            bench.token
        );
        TcpStream::connect(&address).unwrap().write_all(head.as_bytes()).unwrap();
        let begun = Instant::now();
        while bench.control.requests().len() <= number {
            assert!(begun.elapsed() < Duration::from_secs(60), "request {number} is never recorded");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for seen in bench.control.requests() {
        assert_eq!((seen.path.as_str(), seen.status, seen.body), ("/api/v2/roles", None, None));
    }
    assert!(bench.control.roles().iter().all(|role| role["name"] != "Half"));
}
