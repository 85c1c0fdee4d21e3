use proptest::prelude::*;
use serde_json::{Value, json};

use crate::client::tests::{Script, answer, run as run_script};
use crate::client::{Client, SendError, Transport, WireRequest};
use crate::core::error::Error;
use crate::core::response::Response;
use crate::settings::Settings;
use crate::token::TokenCache;

/// Runs an operation against answers, and tells the requests that left.
fn run(id: &str, input: Value, answers: Vec<Value>) -> (Result<Value, Error>, Vec<String>) {
    let mut script = Script::default();
    script.answers.extend(answers.into_iter().map(|body| answer(200, body)));
    let result = run_script(&[], &mut script, id, input);
    let seen = script.seen.iter().map(|seen| format!("{} {} {}", seen.method, seen.path, seen.body));
    (result, seen.map(|line| line.trim_end().to_owned()).collect())
}

fn refusal(id: &str, input: Value) -> String {
    let (result, seen) = run(id, input, Vec::new());
    assert!(seen.is_empty(), "{seen:?}");
    let error = result.unwrap_err();
    assert_eq!(error.code.as_str(), "invalid-input");
    error.to_string()
}

fn rows(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|n| json!({ "n": n })).collect()
}

#[test]
fn parts_of_path_query_and_body_stand_side_by_side() {
    let (result, seen) = run(
        "organizations.members.roles.assign",
        json!({"id": "org_1", "user_id": "auth0|a/b", "roles": ["rol_1"]}),
        vec![Value::Null],
    );
    assert_eq!(result.unwrap(), json!({}));
    assert_eq!(seen, [r#"POST /api/v2/organizations/org_1/members/auth0%7Ca%2Fb/roles {"roles":["rol_1"]}"#]);
    let (_, seen) = run("users.get", json!({"id": "auth0|1", "fields": ["email", "name"]}), vec![json!({})]);
    assert_eq!(seen, ["GET /api/v2/users/auth0%7C1?fields=email%2Cname"]);
    let (_, seen) = run("users.get", json!({"id": "auth0|1", "fields": "email,name"}), vec![json!({})]);
    assert_eq!(seen, ["GET /api/v2/users/auth0%7C1?fields=email%2Cname"]);
}

#[test]
fn what_is_wrong_with_an_input_is_told_by_name_and_nothing_is_sent() {
    for (id, input, told) in [
        ("organizations.create", json!({"nmae": "a"}), "unknown property `nmae`; did you mean `name`?"),
        (
            "organizations.create",
            json!({"name": "a", "zzzzzz": 1}),
            "unknown property `zzzzzz`; it takes name, ",
        ),
        ("organizations.create", json!({"display_name": "a"}), "missing property `name`"),
        (
            "organizations.create",
            json!({"name": {"secret": "hunter2"}}),
            "`name`: expected a string, found an object",
        ),
        (
            "organizations.create",
            json!({"name": null}),
            "`name`: expected a string, found null: leave it out",
        ),
        (
            "organizations.list",
            json!({"per_page": 5}),
            "unknown property `per_page`; a list is read by `limit` and `cursor`",
        ),
        (
            "organizations.list",
            json!({"limit": 101}),
            "`limit`: expected an integer from 1 to 100, found a number outside that range",
        ),
        (
            "organizations.list",
            json!({"limit": "5"}),
            "`limit`: expected an integer from 1 to 100, found a string",
        ),
        (
            "organizations.list",
            json!({"cursor": ""}),
            "`cursor`: expected the `next` of the previous page, found an empty string",
        ),
        ("organizations.list", json!({"limit": 0}), "`limit`: expected an integer from 1 to 100"),
        ("organizations.list", json!({"sort": "size:1"}), "`sort`: expected one of display_name:1, "),
        (
            "roles.list",
            json!({"cursor": "abc"}),
            "`cursor`: not a cursor of roles.list; give the `next` of the previous page",
        ),
        (
            "customDomains.list",
            json!({"sort": "hunter2"}),
            "`sort`: expected one of domain:1, found another string",
        ),
        ("groups.list", json!({"fields": vec!["description"; 22]}), "`fields`: at most 256 characters"),
        ("users.list", json!({"sort": "created_at"}), "`sort`: expected a field and a direction"),
        ("users.get", json!({"id": ""}), "`id`: it is empty"),
        ("users.get", json!({"id": "../clients"}), "`id`: it holds a dot segment"),
        ("users.get", json!({"id": "a", "fields": ["hunter2"]}), "`fields`: expected a list of names"),
        ("userGrants.deleteByUserId", json!({"user_id": ""}), "`user_id`: it is empty"),
        ("branding.update", json!({}), "nothing to change: give at least one of colors, "),
        ("stats.getDaily", json!({"from": "2026-01-31"}), "`from`: expected a day without dashes"),
        ("jobs.usersExports.create", json!({"limit": "5"}), "`limit`: expected an integer, found a string"),
        ("guardian.policies.set", json!({"body": {}}), "`body`: expected a list, found an object"),
        (
            "connections.clients.update",
            json!({"id": "con_1", "body": [{"client_id": "a"}]}),
            "`body`, item 0: missing property `status`",
        ),
        ("agents.create", json!({"query": {"a": {}}}), "`query`: `a`: expected strings"),
        ("agents.create", json!({"query": {"a": []}}), "`query`: `a`: it is empty"),
    ] {
        let text = refusal(id, input);
        assert!(text.starts_with(&format!("input of {id} refused: ")), "{text}");
        assert!(text.contains(told) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_list_of_pages_is_read_by_limit_and_cursor_whatever_sizes_are_asked_for() {
    let page = |range: std::ops::Range<usize>, limit: usize| json!({"start": range.start, "limit": limit, "total": 130, "roles": rows(range)});
    let (result, seen) = run("roles.list", json!({"limit": 50, "name_filter": "a"}), vec![page(0..50, 50)]);
    assert_eq!(seen, ["GET /api/v2/roles?name_filter=a&page=0&per_page=50&include_totals=true"]);
    let first = result.unwrap();
    assert_eq!((&first["total"], &first["next"]), (&json!(130), &json!("50")));
    // No page of 30 begins at 50: one of 40 holds all that is asked for, and more.
    let (result, seen) = run("roles.list", json!({"limit": 30, "cursor": "50"}), vec![page(40..80, 40)]);
    assert_eq!(seen, ["GET /api/v2/roles?page=1&per_page=40&include_totals=true"]);
    assert_eq!(result.unwrap(), json!({"items": rows(50..80), "total": 130, "next": "80"}));
    let (result, _) = run("roles.list", json!({"cursor": "100"}), vec![page(100..130, 50)]);
    assert_eq!(result.unwrap(), json!({"items": rows(100..130), "total": 130}));
}

#[test]
fn a_tenant_that_serves_smaller_pages_is_asked_for_those() {
    let page = |range: std::ops::Range<usize>| json!({"start": range.start, "limit": 50, "total": 200, "roles": rows(range)});
    let (result, seen) =
        run("roles.list", json!({"limit": 100, "cursor": "100"}), vec![page(50..100), page(100..150)]);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1], "GET /api/v2/roles?page=2&per_page=50&include_totals=true");
    assert_eq!(result.unwrap(), json!({"items": rows(100..150), "total": 200, "next": "150"}));
}

#[test]
fn the_wall_is_met_with_the_way_round_and_not_with_an_end() {
    let (result, seen) = run(
        "users.list",
        json!({"limit": 100, "cursor": "950"}),
        vec![json!({"start": 950, "limit": 50, "total": 4000, "users": rows(950..1000)})],
    );
    assert_eq!(seen, ["GET /api/v2/users?page=19&per_page=50&include_totals=true"]);
    assert_eq!(result.unwrap()["next"], "1000");
    let text = refusal("users.list", json!({"cursor": "1000"}));
    assert!(text.contains("first 1000 records only") && text.contains("divide the list by `q`"), "{text}");
    assert!(
        refusal("logs.list", json!({"cursor": "1000"})).contains("list-logs reads on by `take` and `from`")
    );
}

#[test]
fn a_list_of_checkpoints_goes_on_by_the_tenant_s_own_cursor() {
    let page = json!({"organizations": rows(0..2), "next": "abc+/="});
    let (result, seen) = run("organizations.list", json!({"limit": 2}), vec![page]);
    assert_eq!(seen, ["GET /api/v2/organizations?take=2"]);
    assert_eq!(result.unwrap(), json!({"items": rows(0..2), "next": "abc+/="}));
    let end = json!({"organizations": rows(2..3), "next": ""});
    let (result, seen) = run("organizations.list", json!({"cursor": "abc+/="}), vec![end]);
    assert_eq!(seen, ["GET /api/v2/organizations?from=abc%2B%2F%3D&take=50"]);
    assert_eq!(result.unwrap(), json!({"items": rows(2..3)}));
}

#[test]
fn a_cursor_that_is_a_number_leads_on_and_one_that_is_none_is_no_end() {
    let page = |next: Value| vec![json!({"organizations": rows(0..1), "next": next})];
    let (result, _) = run("organizations.list", json!({}), page(json!(7)));
    assert_eq!(result.unwrap()["next"], "7");
    let (result, _) = run("organizations.list", json!({}), page(Value::Null));
    assert_eq!(result.unwrap().get("next"), None);
    let (result, _) = run("organizations.list", json!({}), page(json!({"page": 2})));
    assert_eq!(result.unwrap_err().to_string(), "the tenant's `next` is an object, which is no cursor");
}

#[test]
fn a_checkpoint_in_a_link_header_is_found() {
    let mut script = Script::default();
    let link =
        r#"<https://t.eu.auth0.com/api/v2/event-streams/est_1/deliveries?from=a%2Bb&take=50>; rel="next""#;
    let page = answer(200, json!(rows(0..1))).map(|mut page| {
        page.headers.push(("link".to_owned(), link.to_owned()));
        page
    });
    script.answers.push_back(page);
    let result = run_script(&[], &mut script, "eventStreams.deliveries.list", json!({"id": "est_1"}));
    assert_eq!(result.unwrap(), json!({"items": rows(0..1), "next": "a+b"}));
}

#[test]
fn a_list_that_comes_whole_is_cut_in_the_same_way() {
    let (result, seen) = run("logStreams.list", json!({"limit": 2}), vec![json!(rows(0..5))]);
    assert_eq!(seen, ["GET /api/v2/log-streams"]);
    assert_eq!(result.unwrap(), json!({"items": rows(0..2), "total": 5, "next": "2"}));
    let (result, _) = run("logStreams.list", json!({"limit": 2, "cursor": "4"}), vec![json!(rows(0..5))]);
    assert_eq!(result.unwrap(), json!({"items": rows(4..5), "total": 5}));
}

#[test]
fn every_answer_becomes_an_object() {
    for (answer, expected) in [
        (json!(5), json!({"value": 5})),
        (json!([1]), json!({"items": [1]})),
        (json!({"a": 1}), json!({"a": 1})),
        (Value::Null, json!({})),
    ] {
        let (result, _) = run("stats.getActiveUsersCount", json!({}), vec![answer]);
        assert_eq!(result.unwrap(), expected);
    }
}

#[test]
fn an_import_is_a_form_whose_boundary_is_not_in_the_file() {
    let users = json!([{"email": "a@example.org", "name": "auth0-connector-0"}]);
    let (_, seen) = run(
        "jobs.usersImports.create",
        json!({"users": users, "connection_id": "con_1", "upsert": false}),
        vec![json!({"id": "job_1"})],
    );
    let lines: Vec<_> = seen[0].split("\r\n").collect();
    assert_eq!(
        lines,
        [
            "POST /api/v2/jobs/users-imports --auth0-connector-1",
            r#"content-disposition: form-data; name="users"; filename="users.json""#,
            "content-type: application/json",
            "",
            &users.to_string(),
            "--auth0-connector-1",
            r#"content-disposition: form-data; name="connection_id""#,
            "",
            "con_1",
            "--auth0-connector-1",
            r#"content-disposition: form-data; name="upsert""#,
            "",
            "false",
            "--auth0-connector-1--",
        ]
    );
    let large = json!({"users": "x".repeat(500_001), "connection_id": "con_1"});
    assert!(refusal("jobs.usersImports.create", large).contains("at most 500000; split it"));
}

#[test]
fn events_are_read_like_a_list() {
    let mut script = Script::default();
    script.answers.push_back(answer(200, Value::Null).map(|mut stream| {
        stream.body = b"id: 1\ndata: {\"type\": \"user.created\"}\n\nid: 2\ndata: {}\n\n".to_vec();
        stream
    }));
    let result =
        run_script(&[], &mut script, "events.subscribe", json!({"cursor": "0", "event_type": ["a", "b"]}));
    let items = json!([{"id": "1", "data": {"type": "user.created"}}, {"id": "2", "data": {}}]);
    assert_eq!(result.unwrap(), json!({"items": items, "next": "2"}));
    assert_eq!(script.seen[0].path, "/api/v2/events?event_type=a&event_type=b&from=0");
    assert_eq!(script.seen[0].header("accept"), Some("text/event-stream"));
    let (result, _) = run("events.subscribe", json!({"cursor": "7"}), vec![Value::Null]);
    assert_eq!(result.unwrap(), json!({"items": [], "next": "7"}));
}

#[test]
fn of_an_operation_that_is_not_known_whole_query_and_body_are_taken_as_they_are() {
    let input = json!({"id": "agt_1", "query": {"a": [1, "b"], "c": true}, "body": {"x": null}});
    let (_, seen) = run("agents.update", input, vec![json!({})]);
    assert_eq!(seen, [r#"PATCH /api/v2/agents/agt_1?a=1&a=b&c=true {"x":null}"#]);
}

/// A tenant with so many records, whose pages are no larger than its ceiling.
struct Records {
    total: usize,
    ceiling: usize,
    /// How a list tells its own length and pages: not at all, or by members of these names.
    says: Option<&'static str>,
}

impl Transport for Records {
    fn send(&mut self, request: &WireRequest<'_>, _: u64) -> Result<Response, SendError> {
        let query = request.path_and_query.split_once('?').map_or("", |(_, query)| query);
        let number = |name: &str| -> Option<usize> {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        let size = number("per_page").unwrap().min(self.ceiling);
        let first = number("page").unwrap() * size;
        let rows = rows(first.min(self.total)..(first + size).min(self.total));
        let body = match self.says {
            Some(member) => json!({"roles": rows, "total": self.total, member: size}),
            None => json!(rows),
        };
        Ok(Response { status: 200, body: body.to_string().into_bytes(), ..Response::default() })
    }

    fn monotonic_ms(&mut self) -> u64 {
        0
    }

    fn unix_ms(&mut self) -> i64 {
        0
    }

    fn sleep_ms(&mut self, _: u64) {}

    fn random(&mut self) -> u64 {
        0
    }
}

proptest! {
    #[test]
    fn following_next_visits_every_record_once(
        total in 0_usize..1000,
        ceiling in proptest::sample::select(vec![50_usize, 100]),
        says in proptest::sample::select(vec![None, Some("limit"), Some("per_page")]),
        limits in proptest::collection::vec(1_usize..=100, 1..8),
        action in proptest::sample::select(vec!["roles.list", "list-roles"]),
    ) {
        let settings = Settings::read([("AUTH0_DOMAIN", "t.eu.auth0.com")]).unwrap();
        let mut tokens = TokenCache::new();
        let mut tenant = Records { total, ceiling, says };
        let mut client = Client::new(&mut tenant, &settings, &mut tokens);
        let list = crate::catalog::find(action).unwrap();
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        for limit in limits.iter().cycle().take(2000) {
            let mut input = json!({"limit": limit});
            if let Some(cursor) = &cursor {
                input["cursor"] = json!(cursor);
            }
            let page = crate::catalog::run(&mut client, &list, &input.to_string()).unwrap();
            let items = page["items"].as_array().unwrap();
            prop_assert!(items.len() <= *limit);
            seen.extend(items.iter().map(|item| item["n"].as_u64().unwrap()));
            cursor = page.get("next").map(|next| next.as_str().unwrap().to_owned());
            if cursor.is_none() {
                break;
            }
        }
        prop_assert_eq!(seen, (0..total as u64).collect::<Vec<_>>());
    }
}
