//! Lists: to the wall, beyond it, and along a checkpoint.

use auth0_emulator::{Seed, SeedUser};
use auth0_host::ErrorCode;
use auth0_tests::{OfflineTenant, items, newcomer, text};
use serde_json::{Value, json};

fn crowd(count: usize) -> Seed {
    let mut seed = Seed::from_json(r#"{"roles": [{"name": "Member"}]}"#).unwrap();
    seed.users = (0..count)
        .map(|number| SeedUser {
            email: Some(format!("p{number:04}@acme.example")),
            roles: vec!["Member".to_owned()],
            ..SeedUser::default()
        })
        .collect();
    seed
}

/// Follows `next` and collects a field of all items.
async fn follow(tenant: &OfflineTenant, action: &str, mut input: Value, field: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let list = tenant.run(action, input.clone()).await;
        all.extend(items(&list).iter().map(|item| text(item, field).to_owned()));
        match list.get("next") {
            Some(next) => input["cursor"] = json!(next.as_str().expect("a cursor is a text")),
            None => return all,
        }
        assert!(all.len() <= 2000, "{action} goes round in circles");
    }
}

fn distinct(mut all: Vec<String>) -> usize {
    all.sort();
    all.dedup();
    all.len()
}

#[tokio::test]
async fn following_next_visits_every_user_once() {
    let tenant = OfflineTenant::with(crowd(257)).await;
    for limit in [100, 33] {
        for totals in [true, false] {
            let input = json!({"limit": limit, "include_totals": totals, "fields": ["email"]});
            let all = follow(&tenant, "list-users", input, "email").await;
            assert_eq!((all.len(), distinct(all)), (257, 257), "{limit} {totals}");
        }
    }
}

#[tokio::test]
async fn a_tenant_of_exactly_1000_users_is_listed_whole() {
    let tenant = OfflineTenant::with(crowd(1000)).await;
    let input = json!({"limit": 100, "include_totals": true, "fields": ["email"]});
    let all = follow(&tenant, "list-users", input, "email").await;
    assert_eq!(distinct(all), 1000);
    assert_eq!(tenant.seen().len(), 10);
}

#[tokio::test]
async fn the_wall_is_an_error_that_says_how_to_go_on_and_no_request() {
    let tenant = OfflineTenant::with(crowd(1001)).await;
    let last = tenant.run("list-users", json!({"per_page": 100, "page": 9, "fields": ["email"]})).await;
    assert!(last["next"].is_string(), "a list never ends in silence at the wall");
    let before = tenant.seen().len();
    let role = tenant.role("Member");
    for (action, input, way) in [
        ("list-users", json!({"limit": 100, "cursor": last["next"]}), "created_at"),
        ("list-users", json!({"per_page": 100, "page": 10}), "created_at"),
        ("list-users", json!({"page": 20}), "created_at"),
        ("list-users", json!({"page": 4_294_967_295_u32, "per_page": 100}), "created_at"),
        ("list-logs", json!({"per_page": 100, "page": 10}), "from"),
        ("list-user-logs", json!({"user_id": "auth0|x", "per_page": 100, "page": 10}), "list-logs"),
        ("list-role-users", json!({"role_id": role, "per_page": 100, "page": 10}), "cursor"),
        ("list-applications", json!({"per_page": 100, "page": 10}), "cursor"),
        ("list-connections", json!({"per_page": 100, "page": 10}), "cursor"),
    ] {
        let error = tenant.refused(action, input.clone()).await;
        assert_eq!(
            (&error.code, error.status),
            (&ErrorCode::InvalidInput, None),
            "{action} {input}: {error}"
        );
        assert!(error.message.contains("1000") && error.message.contains(way), "{action}: {error}");
    }
    assert_eq!(tenant.seen().len(), before);
}

#[tokio::test]
async fn the_way_past_the_wall_that_the_error_names_works() {
    let tenant = OfflineTenant::start().await;
    let first = tenant
        .run("list-users", json!({"sort": "created_at:1", "per_page": 4, "fields": ["created_at"]}))
        .await;
    let last = text(items(&first).last().unwrap(), "created_at").to_owned();
    let q = format!("created_at:{{{last} TO *]");
    let rest =
        tenant.run("list-users", json!({"sort": "created_at:1", "q": q, "fields": ["created_at"]})).await;
    assert!(items(&rest).iter().all(|user| text(user, "created_at") > last.as_str()), "{rest}");
    assert_eq!(items(&rest).len(), tenant.control.users().len() - 4);
}

#[tokio::test]
async fn users_of_a_role_are_followed_by_checkpoint_beyond_the_wall() {
    let tenant = OfflineTenant::with(crowd(1050)).await;
    let role = tenant.role("Member");
    let all = follow(&tenant, "list-role-users", json!({"role_id": role, "limit": 100}), "user_id").await;
    assert_eq!(distinct(all), 1050);
    for input in [
        json!({"role_id": role, "limit": 5, "page": 0}),
        json!({"role_id": role, "limit": 5, "take": 5}),
        json!({"role_id": role, "cursor": ""}),
        json!({"role_id": role, "take": 1, "page": 0}),
        json!({"role_id": role, "from": "x", "per_page": 5}),
        json!({"role_id": role, "take": 5, "include_totals": true}),
    ] {
        let error = tenant.refused("list-role-users", input.clone()).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{input}: {error}");
    }
    let error = tenant.refused("list-role-users", json!({"role_id": role, "cursor": "no-cursor"})).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, Some(400)), "{error}");
}

#[tokio::test]
async fn applications_are_followed_by_checkpoint() {
    let tenant = OfflineTenant::start().await;
    let all = follow(&tenant, "list-applications", json!({"limit": 2}), "client_id").await;
    assert_eq!(distinct(all), 7, "six of the seed and the connector's own");
}

#[tokio::test]
async fn a_checkpoint_of_the_log_sees_each_row_once_and_goes_on_when_there_is_news() {
    let tenant = OfflineTenant::start().await;
    let mut seen = Vec::new();
    let mut cursor = None::<Value>;
    let poll = async |cursor: Option<Value>, seen: &mut Vec<String>| {
        // Without a row to begin after, `take` alone asks for the rows from the first one on.
        let input = cursor.map_or(json!({"take": 5}), |cursor| json!({"limit": 5, "cursor": cursor}));
        let list = tenant.run("list-logs", input).await;
        seen.extend(items(&list).iter().map(|row| text(row, "log_id").to_owned()));
        (items(&list).len(), list["next"].clone())
    };
    loop {
        let (rows, next) = poll(cursor.clone(), &mut seen).await;
        assert!(next.is_string(), "the cursor is there even when nothing is new");
        cursor = Some(next);
        if rows == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), tenant.control.logs().len());
    assert!(seen.is_sorted(), "oldest first");
    let user = tenant.run("create-user", newcomer("late@acme.example")).await;
    let (rows, next) = poll(cursor.clone(), &mut seen).await;
    assert!(rows > 0 && Some(&next) != cursor.as_ref());
    let last = tenant.control.logs().into_iter().filter(|row| row["user_id"] == user["user_id"]).count();
    assert!(last > 0);
    assert_eq!(distinct(seen.clone()), seen.len());
}

#[tokio::test]
async fn page_sizes_that_auth0_does_not_serve_are_refused_before_any_request() {
    let tenant = OfflineTenant::start().await;
    for action in ["list-users", "list-roles", "list-applications", "list-connections"] {
        for (key, value) in [
            ("limit", json!(0)),
            ("limit", json!(101)),
            ("limit", json!("5")),
            ("cursor", json!(1)),
            ("per_page", json!(101)),
            ("per_page", json!(-1)),
            ("page", json!(-1)),
            ("page", json!("1")),
            ("per_page", json!(1.5)),
        ] {
            let error = tenant.refused(action, json!({key: value})).await;
            assert_eq!(
                (&error.code, error.status),
                (&ErrorCode::InvalidInput, None),
                "{action} {key}: {error}"
            );
            assert!(error.message.contains(key), "{action}: {error}");
        }
    }
    assert_eq!(tenant.lines(), [""; 0]);
}
