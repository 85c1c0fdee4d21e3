//! Users: list, get, find, create, change, delete, block.

use auth0_emulator::Seed;
use auth0_host::ErrorCode;
use auth0_tests::{DATABASE, OfflineTenant, PASSWORD, encoded, items, line, newcomer, text};
use serde_json::{Value, json};

const NOBODY: &str = "auth0|000000000000000000000000";

#[tokio::test]
async fn list_users_sends_search_sort_fields_and_paging_encoded() {
    let tenant = OfflineTenant::start().await;
    let list = tenant
        .run(
            "list-users",
            json!({
                "q": "app_metadata.department:\"Sales\" AND NOT blocked:true", "sort": "email:1",
                "fields": ["user_id", "email"], "include_fields": true, "page": 0, "per_page": 5, "include_totals": true,
            }),
        )
        .await;
    let request = tenant.only();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/api/v2/users"));
    let query = request.query.unwrap();
    for part in [
        "q=app_metadata.department%3A%22Sales%22%20AND%20NOT%20blocked%3Atrue",
        "search_engine=v3",
        "sort=email%3A1",
        "fields=user_id%2Cemail",
        "include_fields=true",
        "page=0",
        "per_page=5",
        "include_totals=true",
    ] {
        assert!(query.replace('+', "%20").split('&').any(|found| found == part), "{part} in {query}");
    }
    assert_eq!(list["total"], 2);
    assert_eq!(list.get("next"), None);
    let emails: Vec<_> = items(&list).iter().map(|user| text(user, "email")).collect();
    assert_eq!(emails, ["ines.costa@acme.example", "lena.fischer@acme.example"]);
    assert_eq!(items(&list)[0].as_object().unwrap().len(), 2, "only the fields asked for");
}

#[tokio::test]
async fn list_users_reports_a_query_that_the_tenant_does_not_understand() {
    let tenant = OfflineTenant::start().await;
    let error = tenant.refused("list-users", json!({"q": "email:(unclosed"})).await;
    assert_eq!(error.code, ErrorCode::InvalidInput);
    assert_eq!((error.status, error.error_code.as_deref()), (Some(400), Some("invalid_query_string")));
    assert!(error.request_id.is_some(), "Auth0's request id is kept: {error:?}");
}

#[tokio::test]
async fn get_user_asks_by_the_encoded_id_and_answers_auth0_s_object_whole() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let user = tenant.run("get-user", json!({"user_id": id})).await;
    assert_eq!(user, tenant.stored(&id));
    let request = tenant.only();
    assert_eq!(line(&request), format!("GET /api/v2/users/{}", encoded(&id)));
    assert!(request.authorized);
    assert_eq!(request.header("accept"), Some("application/json"));
    assert!(request.header("user-agent").unwrap().starts_with("auth0-connector/"));
    assert_eq!(request.body, None);
}

#[tokio::test]
async fn get_user_encodes_what_an_id_may_hold_and_finds_the_user() {
    for (id, path) in [
        ("samlp|corp|ana@example.org", "samlp%7Ccorp%7Cana%40example.org"),
        ("oauth2|x/y?z#w", "oauth2%7Cx%2Fy%3Fz%23w"),
        ("waad|ü ñ%41", "waad%7C%C3%BC%20%C3%B1%2541"),
        ("auth0|a+b&c=d;e", "auth0%7Ca%2Bb%26c%3Dd%3Be"),
    ] {
        let mut seed = Seed::demo();
        seed.users[0].user_id = Some(id.to_owned());
        let tenant = OfflineTenant::with(seed).await;
        let user = tenant.run("get-user", json!({"user_id": id})).await;
        assert_eq!(user["user_id"], id);
        assert_eq!(tenant.only().path, format!("/api/v2/users/{path}"), "{id}");
    }
}

#[tokio::test]
async fn a_user_of_an_active_directory_whose_id_has_a_backslash_can_be_reached() {
    let mut seed = Seed::demo();
    seed.users[0].user_id = Some("ad|CORP\\ana".to_owned());
    let tenant = OfflineTenant::with(seed).await;
    let user = tenant.run("get-user", json!({"user_id": "ad|CORP\\ana"})).await;
    assert_eq!(user["user_id"], "ad|CORP\\ana");
    assert_eq!(tenant.only().path, "/api/v2/users/ad%7CCORP%5Cana");
}

#[tokio::test]
async fn get_user_narrows_to_fields_given_as_text_or_list() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("mira.olsen@acme.example");
    let only = tenant.run("get-user", json!({"user_id": id, "fields": "email,name"})).await;
    assert_eq!(only, json!({"email": "mira.olsen@acme.example", "name": "Mira Olsen"}));
    let but =
        tenant.run("get-user", json!({"user_id": id, "fields": ["email"], "include_fields": false})).await;
    assert!(but.get("email").is_none() && but.get("name").is_some(), "{but}");
}

#[tokio::test]
async fn find_users_by_email_answers_all_that_have_the_address_and_an_empty_list_for_none() {
    let tenant = OfflineTenant::start().await;
    let found = tenant.run("find-users-by-email", json!({"email": "tom.becker@acme.example"})).await;
    assert_eq!(items(&found).len(), 1);
    assert_eq!(items(&found)[0]["name"], "Tom Becker");
    assert_eq!(line(&tenant.only()), "GET /api/v2/users-by-email?email=tom.becker%40acme.example");
    let none = tenant.run("find-users-by-email", json!({"email": "a+b&c@acme.example"})).await;
    assert_eq!(none, json!({"items": [], "total": 0}));
    assert_eq!(tenant.lines()[1], "GET /api/v2/users-by-email?email=a%2Bb%26c%40acme.example");
}

#[tokio::test]
async fn create_user_sends_the_body_as_given_and_nothing_else() {
    let tenant = OfflineTenant::start().await;
    let input = json!({
        "connection": DATABASE, "email": "Vera.Stein@acme.example", "password": PASSWORD, "given_name": "Vera",
        "family_name": "Stein", "name": "Vera Stein", "nickname": "vera", "picture": "https://acme.example/v.png",
        "blocked": false, "email_verified": true, "verify_email": false, "user_id": "vera-1",
        "user_metadata": {"locale": "de"}, "app_metadata": {"department": "Sales", "nested": {"a": [1, null]}},
    });
    let user = tenant.run("create-user", input.clone()).await;
    assert_eq!(user["user_id"], "auth0|vera-1");
    let request = tenant.only();
    assert_eq!(line(&request), "POST /api/v2/users");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.status, Some(201));
    let mut expected = input;
    expected["password"] = json!("[masked]");
    assert_eq!(request.body, Some(expected));
    let stored = tenant.stored("auth0|vera-1");
    assert_eq!(stored["email"], "vera.stein@acme.example");
    assert_eq!(stored["app_metadata"], json!({"department": "Sales", "nested": {"a": [1, null]}}));
    assert_eq!(tenant.control.user_password("auth0|vera-1").as_deref(), Some(PASSWORD));
}

#[tokio::test]
async fn create_user_reports_each_way_in_which_the_tenant_refuses_it() {
    let tenant = OfflineTenant::start().await;
    let with = |change: Value| {
        let mut input = newcomer("new@acme.example");
        for (key, value) in change.as_object().unwrap() {
            input[key] = value.clone();
        }
        input
    };
    for (input, kind, status) in [
        (newcomer("mira.olsen@acme.example"), ErrorCode::Conflict, 409),
        (with(json!({"password": "password"})), ErrorCode::Rejected, 400),
        (with(json!({"connection": "google-oauth2"})), ErrorCode::Rejected, 400),
        (with(json!({"connection": "no-such-connection"})), ErrorCode::Rejected, 400),
        (with(json!({"email": "no address"})), ErrorCode::InvalidInput, 400),
        (with(json!({"app_metadata": {"user_id": "x"}})), ErrorCode::InvalidInput, 400),
        (with(json!({"user_metadata": {"a.b": 1}})), ErrorCode::InvalidInput, 400),
    ] {
        let error = tenant.refused("create-user", input.clone()).await;
        assert_eq!((&error.code, error.status), (&kind, Some(status)), "{input}: {error}");
        assert!(!error.to_string().contains(PASSWORD), "{error}");
    }
    assert_eq!(tenant.control.user_by_email("new@acme.example"), None);
}

#[tokio::test]
async fn update_user_passes_the_changes_through_unchanged() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("tom.becker@acme.example");
    let changes = json!({
        "given_name": "Thomas", "nickname": null,
        "app_metadata": {"department": "Sales", "cost_center": null}, "user_metadata": {"theme": {"dark": true}},
    });
    let user = tenant.run("update-user", json!({"user_id": id, "changes": changes})).await;
    let request = tenant.only();
    assert_eq!(line(&request), format!("PATCH /api/v2/users/{}", encoded(&id)));
    assert_eq!(request.body, Some(changes));
    let stored = tenant.stored(&id);
    assert_eq!(user, stored);
    assert_eq!(stored["app_metadata"], json!({"department": "Sales", "employee_id": "A-1002"}));
    assert_eq!(stored["user_metadata"], json!({"locale": "de", "theme": {"dark": true}}));
    assert_eq!(stored.get("nickname"), None);
}

#[tokio::test]
async fn update_user_wipes_metadata_only_where_that_was_asked_for_by_name() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("tom.becker@acme.example");
    for bag in ["app_metadata", "user_metadata"] {
        let error = tenant.refused("update-user", json!({"user_id": id, "changes": {bag: {}}})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None));
        assert!(error.message.contains("allow_metadata_wipe"), "{error}");
    }
    assert_eq!(tenant.lines(), [""; 0], "no request was made");
    tenant
        .run(
            "update-user",
            json!({"user_id": id, "changes": {"app_metadata": {}}, "allow_metadata_wipe": true}),
        )
        .await;
    assert_eq!(tenant.stored(&id).get("app_metadata"), None);
    assert_eq!(tenant.stored(&id)["user_metadata"], json!({"locale": "de"}));
}

#[tokio::test]
async fn update_user_reports_changes_that_auth0_does_not_take() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("tom.becker@acme.example");
    let guest = "google-oauth2|108251222085688410000";
    for (user_id, changes, kind) in [
        (id.as_str(), json!({"email": "x@acme.example", "password": PASSWORD}), ErrorCode::InvalidInput),
        (id.as_str(), json!({"password": "weak"}), ErrorCode::Rejected),
        (guest, json!({"email": "x@acme.example"}), ErrorCode::Rejected),
        (NOBODY, json!({"name": "X"}), ErrorCode::NotFound),
    ] {
        let error =
            tenant.refused("update-user", json!({"user_id": user_id, "changes": changes.clone()})).await;
        assert_eq!(error.code, kind, "{changes}: {error}");
    }
    assert_eq!(tenant.stored(&id)["email"], "tom.becker@acme.example");
}

#[tokio::test]
async fn delete_user_is_done_twice_without_failing() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("rita.gomez@acme.example");
    for _ in 0..2 {
        assert_eq!(tenant.run("delete-user", json!({"user_id": id})).await, json!({}));
        assert_eq!(tenant.control.user(&id), None);
    }
    let expected = format!("DELETE /api/v2/users/{}", encoded(&id));
    assert_eq!(tenant.lines(), [expected.clone(), expected]);
}

#[tokio::test]
async fn block_user_keeps_a_person_out_and_unblock_user_lets_them_in() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("jan.kowalski@acme.example");
    let blocked = tenant.run("block-user", json!({"user_id": id})).await;
    assert_eq!(blocked["blocked"], true);
    assert!(tenant.control.log_in(&id, None).is_err());
    let free = tenant.run("unblock-user", json!({"user_id": id})).await;
    assert_eq!(free["blocked"], false);
    assert!(tenant.control.log_in(&id, None).is_ok());
    let bodies: Vec<_> =
        tenant.seen().into_iter().map(|request| (line(&request), request.body.unwrap())).collect();
    let patch = format!("PATCH /api/v2/users/{}", encoded(&id));
    assert_eq!(bodies, [(patch.clone(), json!({"blocked": true})), (patch, json!({"blocked": false}))]);
}

#[tokio::test]
async fn what_is_asked_of_a_user_who_does_not_exist_is_missing() {
    let tenant = OfflineTenant::start().await;
    for (action, input) in [
        ("get-user", json!({"user_id": NOBODY})),
        ("block-user", json!({"user_id": NOBODY})),
        ("unblock-user", json!({"user_id": NOBODY})),
        ("list-user-logs", json!({"user_id": NOBODY})),
        ("get-user-blocks", json!({"user_id": NOBODY})),
        ("clear-user-blocks", json!({"user_id": NOBODY})),
        ("link-user", json!({"user_id": NOBODY, "identity": {"provider": "auth0", "user_id": "x"}})),
        ("unlink-identity", json!({"user_id": NOBODY, "provider": "auth0", "identity_user_id": "x"})),
    ] {
        let error = tenant.refused(action, input).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)), "{action}: {error}");
        assert_eq!(error.error_code.as_deref(), Some("inexistent_user"), "{action}");
    }
}

#[tokio::test]
async fn an_id_that_would_change_the_path_is_refused_before_any_request() {
    let tenant = OfflineTenant::start().await;
    for id in [
        "",
        "abc",
        "|abc",
        "auth0|",
        "..|../..",
        "auth0|../../clients",
        "auth0|x/..",
        "auth0|a\nb",
        "../x",
        ".",
    ] {
        let error = tenant.refused("get-user", json!({"user_id": id})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{id:?}: {error}");
        assert!(error.message.contains("user id") || error.message.contains("user_id"), "{id:?}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}
