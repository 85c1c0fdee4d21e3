//! Whatever comes in, the tenant answers and stays up.

mod support;

use serde_json::{Value, json};
use support::demo;

#[tokio::test]
async fn no_operation_fails_on_odd_input() {
    let bench = demo().await;
    let table: Value = serde_json::from_str(include_str!("../src/operations.json")).unwrap();
    let user = bench.id("mira.olsen@acme.example").replace('|', "%7C");
    let bodies = [
        None,
        Some(json!({})),
        Some(json!([])),
        Some(json!([1, {"client_id": 1}])),
        Some(json!("x")),
        Some(
            json!({"name": "", "roles": [], "permissions": [{}], "users": ["x"], "connection": "x", "email": "a@b.co"}),
        ),
        Some(
            json!({"user_id": "auth0|none", "provider": "auth0", "ids": [], "ttl_sec": -1, "credentials": {}}),
        ),
        Some(json!({"app_metadata": {"\u{0}": null}, "user_metadata": {"é".repeat(300): [[[]]]}})),
    ];
    let ids =
        [user.as_str(), "auth0%7C%00", "%FF%FE", "..", "rol_0000000000000000", "job_0000000000000000", "é"];
    let queries = [
        "",
        "?page=18446744073709551615",
        "?take=1&from=%F0%9F%92%A5",
        "?q=%22",
        "?q=a:*%5C",
        "?fields=,,&sort=:1",
        "?email=&identifier=&user_id=x",
        "?sort=date:-1&per_page=1",
    ];
    for operation in table["operations"].as_array().unwrap() {
        let method = operation["method"].as_str().unwrap();
        // Deleting what later rounds look at would hide their paths.
        let spare = method == "DELETE";
        for (at, id) in ids.iter().enumerate().skip(usize::from(spare)) {
            let mut path = operation["path"].as_str().unwrap().to_owned();
            while let (Some(open), Some(close)) = (path.find('{'), path.find('}')) {
                path.replace_range(open..=close, id);
            }
            if !path.is_ascii() {
                path = path.replace('é', "%C3%A9");
            }
            for (body, query) in bodies.iter().cycle().skip(at).zip(queries) {
                let answer = bench.try_api(method, &format!("{path}{query}"), body.clone()).await;
                let answer =
                    answer.unwrap_or_else(|error| panic!("{method} {path}{query} {body:?}: {error}"));
                assert_ne!(answer.json["message"], "Not Found", "{method} {path} has no handler");
                assert!(answer.status.as_u16() < 500, "{method} {path}{query} {body:?}: {}", answer.text);
            }
        }
    }
    assert_eq!(bench.get(&format!("/users/{user}")).await.status, 200);
}

#[tokio::test]
async fn the_mail_stand_ins_take_junk_with_a_refusal() {
    let bench = demo().await;
    let base = bench.tenant.mail_base_url().to_owned();
    let bearer = format!("Bearer {}", bench.tenant.mail_api_key());
    for path in [
        "/v3/mail/send",
        "/v3//messages",
        "/v3/d/messages",
        "/api/1.0/messages/send",
        "/api/v1/transmissions",
        "/emails",
        "/",
        "/v3",
    ] {
        for body in [None, Some(json!([])), Some(json!({"to": 1, "message": {"to": [1]}, "recipients": [1]}))]
        {
            let url = format!("{base}{path}");
            let answer =
                bench.raw(http::Method::POST, &url, &[("authorization", &bearer)], body).await.unwrap();
            assert!(answer.status.is_client_error(), "{path}: {} {}", answer.status, answer.text);
        }
    }
    assert!(bench.control.outbox().is_empty());
}
