use serde_json::{Value, json};

use crate::client::tests::{Script, answer, run, with_header};
use crate::core::error::Error;

/// Runs an action whose list the tenant answers so; returns the path that was asked for too.
fn list(action: &str, input: Value, answered: Value) -> (Result<Value, Error>, String) {
    let mut script = Script::default();
    script.answers.push_back(answer(200, answered));
    let result = run(&[], &mut script, action, input);
    let path = script.seen.first().map(|seen| seen.path.clone()).unwrap_or_default();
    (result, path)
}

fn rows(count: usize) -> Vec<Value> {
    vec![json!({}); count]
}

#[test]
fn one_page_shape_serves_every_curated_list_and_auth0_s_own_members_stay() {
    let users = |count| json!({"users": rows(count), "total": 1200, "limit": count});
    for (action, input, answered, path, next) in [
        (
            "list-users",
            json!({"limit": 5}),
            users(5),
            "users?page=0&per_page=5&include_totals=true",
            Some("5"),
        ),
        (
            "list-users",
            json!({"limit": 5, "cursor": "5"}),
            users(5),
            "users?page=1&per_page=5&include_totals=true",
            Some("10"),
        ),
        (
            "list-users",
            json!({"page": 1, "per_page": 30}),
            users(30),
            "users?page=1&per_page=30&include_totals=true",
            Some("60"),
        ),
        (
            "list-users",
            json!({"per_page": 5, "include_totals": false}),
            json!(rows(5)),
            "users?page=0&per_page=5",
            Some("5"),
        ),
        (
            "list-users",
            json!({"per_page": 0, "include_totals": true}),
            users(0),
            "users?page=0&per_page=0&include_totals=true",
            None,
        ),
        (
            "list-applications",
            json!({}),
            json!({"clients": rows(50), "next": "abc"}),
            "clients?is_global=false&take=50",
            Some("abc"),
        ),
        (
            "list-applications",
            json!({"cursor": "abc"}),
            json!({"clients": []}),
            "clients?is_global=false&from=abc&take=50",
            None,
        ),
        (
            "list-applications",
            json!({"from": "abc", "take": 7}),
            json!({"clients": []}),
            "clients?is_global=false&from=abc&take=7",
            None,
        ),
        (
            "list-applications",
            json!({"page": 0, "per_page": 2, "include_totals": true}),
            json!({"clients": rows(2), "total": 3, "limit": 2}),
            "clients?is_global=false&page=0&per_page=2&include_totals=true",
            Some("offset:2"),
        ),
        (
            "list-applications",
            json!({"limit": 2, "cursor": "offset:2"}),
            json!({"clients": rows(1), "total": 3, "limit": 2}),
            "clients?is_global=false&page=1&per_page=2&include_totals=true",
            None,
        ),
        (
            "list-user-sessions",
            json!({"user_id": "auth0|x", "limit": 3}),
            json!({"sessions": rows(3), "next": "s3"}),
            "users/auth0%7Cx/sessions?take=3",
            Some("s3"),
        ),
        (
            "list-logs",
            json!({"q": "type:s", "limit": 50}),
            json!(rows(50)),
            "logs?q=type%3As&page=0&per_page=50",
            Some("offset:50"),
        ),
        (
            "list-logs",
            json!({"q": "type:s", "cursor": "offset:50"}),
            json!(rows(1)),
            "logs?q=type%3As&page=1&per_page=50",
            None,
        ),
        (
            "list-logs",
            json!({"from": "900", "limit": 2}),
            json!([{"log_id": "901"}]),
            "logs?from=900&take=2",
            Some("901"),
        ),
        ("list-logs", json!({"cursor": "901"}), json!([]), "logs?from=901&take=50", Some("901")),
        ("list-logs", json!({"take": 2}), json!([{"log_id": "1"}]), "logs?take=2", Some("1")),
    ] {
        let (result, seen) = list(action, input.clone(), answered);
        assert_eq!(seen, format!("/api/v2/{path}"), "{action} {input}");
        let page = result.unwrap();
        assert_eq!(page.get("next").and_then(Value::as_str), next, "{action} {input}: {page}");
    }
}

#[test]
fn a_cursor_is_added_to_the_input_that_the_first_page_was_asked_for_by() {
    for (action, input, path) in [
        ("list-users", json!({"per_page": 2, "cursor": "2"}), "users?page=1&per_page=2&include_totals=true"),
        (
            "list-applications",
            json!({"from": "a", "take": 2, "cursor": "b"}),
            "clients?is_global=false&from=b&take=2",
        ),
        (
            "list-applications",
            json!({"per_page": 2, "include_totals": true, "cursor": "offset:2"}),
            "clients?is_global=false&page=1&per_page=2&include_totals=true",
        ),
        ("list-logs", json!({"from": "1", "limit": 2, "cursor": "3"}), "logs?from=3&take=2"),
        ("list-applications", json!({"from": "a", "limit": 2}), "clients?is_global=false&from=a&take=2"),
    ] {
        let (result, seen) = list(action, input.clone(), json!([]));
        result.unwrap();
        assert_eq!(seen, format!("/api/v2/{path}"), "{action} {input}");
    }
}

#[test]
fn paging_styles_do_not_mix_and_sizes_are_checked_before_anything_is_sent() {
    for (action, input, told) in [
        ("list-users", json!({"limit": 5, "page": 0}), "a mixture of paging styles refused"),
        ("list-users", json!({"limit": 101}), "limit 101 refused: Auth0's pages hold 1 to 100 records"),
        ("list-users", json!({"limit": 0}), "limit 0 refused"),
        ("list-users", json!({"per_page": 101}), "per_page 101 refused: Auth0's pages hold 0 to 100 records"),
        ("list-users", json!({"cursor": ""}), "an empty `cursor` refused"),
        ("list-users", json!({"cursor": "x"}), "`cursor`: not a cursor of list-users"),
        (
            "list-users",
            json!({"cursor": "1000"}),
            "record 1001 refused: Auth0 pages through the first 1000 records only; narrow `q`",
        ),
        ("list-users", json!({"page": 10, "per_page": 100}), "record 1001 refused"),
        (
            "list-users",
            json!({"page": u32::MAX, "per_page": 100}),
            "Auth0 pages through the first 1000 records only",
        ),
        ("list-applications", json!({"page": 0, "take": 5}), "a mixture of paging styles refused"),
        (
            "list-applications",
            json!({"include_totals": true, "take": 5}),
            "a mixture of paging styles refused",
        ),
        ("list-applications", json!({"from": ""}), "an empty `from` refused"),
        ("list-applications", json!({"page": 20}), "leave `page` out and read on by `cursor`"),
        (
            "list-logs",
            json!({"q": "type:s", "from": "9"}),
            "a mixture of a search and rows from one on refused",
        ),
        (
            "list-logs",
            json!({"q": "type:s", "cursor": "9"}),
            "a mixture of a search and rows from one on refused",
        ),
        ("list-logs", json!({"from": "9", "take": 1, "limit": 1}), "`take` beside `limit` refused"),
        ("list-users", json!({"page": 1, "cursor": "50"}), "a mixture of paging styles refused"),
        ("list-users", json!({"limit": 1, "per_page": 1}), "a mixture of paging styles refused"),
    ] {
        let (result, seen) = list(action, input.clone(), json!([]));
        let error = result.unwrap_err();
        assert_eq!((error.code.as_str(), seen.as_str()), ("invalid-input", ""), "{action} {input}");
        assert!(error.message.contains(told), "{action} {input}: {error}");
    }
}

/// Guards against rows between two pages that nobody gets: a bare array does not say how large the tenant's pages are.
#[test]
fn a_page_of_auth0_s_own_numbering_is_read_as_it_comes() {
    for (asked, count, next) in [
        (json!({"page": 1, "per_page": 100}), 100, Some("offset:200")),
        (json!({"page": 1, "per_page": 100}), 51, Some("offset:151")),
        // A tenant whose pages hold 50, or the last page: the former is assumed, since rows may come twice and none is lost.
        (json!({"page": 1, "per_page": 100}), 50, Some("offset:100")),
        (json!({"page": 1, "per_page": 100}), 49, None),
        (json!({"page": 0, "per_page": 100}), 100, Some("offset:100")),
        (json!({"page": 9, "per_page": 100}), 100, Some("offset:1000")),
    ] {
        let (result, path) = list("list-logs", asked.clone(), json!(rows(count)));
        let page = result.unwrap();
        let sent = format!("/api/v2/logs?page={}&per_page=100", asked["page"]);
        assert_eq!((page["items"].as_array().unwrap().len(), path), (count, sent), "{asked}");
        assert_eq!(page.get("next").and_then(Value::as_str), next, "{asked}");
    }
}

#[test]
fn a_full_page_behind_the_first_is_asked_for_once() {
    let mut script = Script::default();
    script.answers.push_back(answer(200, json!(rows(100))));
    let input = json!({"q": "type:s", "limit": 100, "cursor": "offset:100"});
    let page = run(&[], &mut script, "list-logs", input).unwrap();
    assert_eq!((script.seen.len(), &page["next"]), (1, &json!("offset:200")));
    // A shorter one may be of a tenant with smaller pages, and then begins elsewhere.
    let mut short = Script::default();
    short.answers.push_back(answer(200, json!(rows(30))));
    short.answers.push_back(answer(200, json!(rows(30))));
    let input = json!({"q": "type:s", "limit": 100, "cursor": "offset:100"});
    run(&[], &mut short, "list-logs", input).unwrap();
    assert_eq!(short.seen[1].path, "/api/v2/logs?q=type%3As&page=2&per_page=50");
}

#[test]
fn a_list_whose_cursor_does_not_move_is_no_endless_one() {
    let mut script = Script::default();
    script.answers.push_back(answer(200, json!({"clients": rows(1), "next": "abc"})));
    let error = run(&[], &mut script, "list-applications", json!({"cursor": "abc"})).unwrap_err();
    assert_eq!(error.code.as_str(), "unexpected-answer");
    let mut log = Script::default();
    log.answers.push_back(with_header(
        answer(200, json!([{"log_id": "1"}])),
        "link",
        "<https://t/?from=0>; rel=\"next\"",
    ));
    let error = run(&[], &mut log, "list-logs", json!({"from": "0"})).unwrap_err();
    assert_eq!(error.code.as_str(), "unexpected-answer");
    let link = "<https://t/api/v2/logs?from=9002%7C1&take=2>; rel=\"next\"";
    log.answers.push_back(with_header(answer(200, json!([{"log_id": "1"}])), "link", link));
    let page = run(&[], &mut log, "list-logs", json!({"from": "0", "limit": 2})).unwrap();
    assert_eq!(page["next"], "9002|1");
}
