//! Users and what hangs on them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that fails")]

mod support;

use serde_json::{Value, json};
use support::demo;

const DATABASE: &str = "Username-Password-Authentication";

fn emails(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_user_is_created_with_auth0s_defaults() {
    let bench = demo().await;
    let body = json!({
        "connection": DATABASE, "email": "Ana@Acme.example", "password": "Passw0rd!x",
        "app_metadata": {"department": "Sales"},
    });
    let answer = bench.api("POST", "/users", Some(body.clone())).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let user = &answer.json;
    assert_eq!(user["email"], "ana@acme.example");
    assert_eq!(user["name"], "ana@acme.example");
    assert_eq!(user["nickname"], "ana");
    assert_eq!(user["email_verified"], false);
    assert!(user["picture"].as_str().unwrap().starts_with("https://s.gravatar.com/avatar/"));
    assert!(user["user_id"].as_str().unwrap().strip_prefix("auth0|").is_some_and(|id| id.len() == 24));
    assert_eq!(user["identities"][0]["connection"], DATABASE);
    assert!(
        user.get("password").is_none() && user.get("last_login").is_none() && user.get("blocked").is_none()
    );
    let again = bench.api("POST", "/users", Some(body)).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "auth0_idp_error"));
    assert_eq!(again.json["message"], "The user already exists.");
    let seen = bench.control.requests();
    assert_eq!(seen[0].body.as_ref().unwrap()["password"], "[masked]");
    assert_eq!(seen[0].route.as_deref(), Some("/api/v2/users"));
}

#[tokio::test]
async fn refused_creations_name_their_reason() {
    let bench = demo().await;
    let table = [
        (json!({"email": "a@b.co"}), 400, "invalid_body", "'Missing required property: connection'"),
        (
            json!({"connection": DATABASE, "wat": 1}),
            400,
            "invalid_body",
            "'Additional properties not allowed: wat'",
        ),
        (
            json!({"connection": "nope", "email": "a@b.co"}),
            400,
            "inexistent_connection",
            "The connection does not exist.",
        ),
        (
            json!({"connection": DATABASE, "email": "a@b.co", "password": "weak"}),
            400,
            "",
            "PasswordStrengthError: Password is too weak",
        ),
        (
            json!({"connection": DATABASE, "email": "nope", "password": "Passw0rd!x"}),
            400,
            "invalid_body",
            "format email",
        ),
        (
            json!({"connection": DATABASE, "email": "a@b.co", "password": "Passw0rd!x", "phone_number": "123"}),
            400,
            "invalid_body",
            "phone_number",
        ),
        (
            json!({"connection": "google-oauth2", "email": "a@b.co"}),
            400,
            "operation_not_supported",
            "must be a database connection",
        ),
    ];
    for (body, status, code, message) in table {
        let answer = bench.api("POST", "/users", Some(body)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.text);
        assert!(answer.json["message"].as_str().unwrap().contains(message), "{}", answer.text);
    }
}

#[tokio::test]
async fn metadata_merges_wipes_and_deletes_over_http() {
    let bench = demo().await;
    let path = bench.user("mira.olsen@acme.example");
    let patch =
        json!({"app_metadata": {"department": "Engineering", "cost_center": null, "nested": {"a": 1}}});
    let answer = bench.api("PATCH", &path, Some(patch)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let want = json!({"department": "Engineering", "employee_id": "A-1001", "nested": {"a": 1}});
    assert_eq!(answer.json["app_metadata"], want);
    let answer = bench.api("PATCH", &path, Some(json!({"app_metadata": {}, "user_metadata": {}}))).await;
    assert_eq!(answer.json["user_metadata"], json!({}));
    assert!(answer.json.get("app_metadata").is_none());
    for (body, message) in [
        (json!({"email": "x@acme.example", "password": "Passw0rd!x"}), "simultaneously"),
        (json!({"nope": 1}), "Additional properties not allowed: nope"),
        (json!({"app_metadata": {"email": "x"}}), "reserved"),
        (json!({"user_metadata": {"a.b": "x"}}), "must not contain"),
    ] {
        let answer = bench.api("PATCH", &path, Some(body)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json["message"].as_str().unwrap().contains(message), "{}", answer.text);
    }
}

#[tokio::test]
async fn deleting_a_user_twice_is_204_both_times() {
    let bench = demo().await;
    let path = bench.user("rita.gomez@acme.example");
    for _ in 0..2 {
        assert_eq!(bench.api("DELETE", &path, None).await.status, 204);
    }
    let answer = bench.get(&path).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "inexistent_user"));
    let answer = bench.get("/users/plain").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_uri"));
}

#[tokio::test]
async fn lists_search_sort_and_page_up_to_the_wall() {
    let bench = demo().await;
    let answer =
        bench.get("/users?q=app_metadata.department%3A%22Sales%22&sort=email:1&include_totals=true").await;
    assert_eq!(answer.json["total"], 3);
    assert_eq!(
        emails(&answer.json["users"]),
        ["ines.costa@acme.example", "lena.fischer@acme.example", "rita.gomez@acme.example"]
    );
    let answer = bench.get("/users?per_page=5&page=1&fields=email&sort=email:-1").await;
    assert_eq!(answer.json.as_array().unwrap().len(), 5);
    assert!(answer.json[0].get("user_id").is_none());
    let answer =
        bench.get("/users?q=email.domain:partner.example%20AND%20identities.provider:google-oauth2").await;
    assert_eq!(emails(&answer.json), ["guest.auditor@partner.example"]);
    let answer = bench.get("/users?page=10&per_page=100").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_paging"));
    for (path, code) in [
        ("/users?per_page=101", "invalid_query_string"),
        ("/users?q=name:*ab", "invalid_query_string"),
        ("/users?sort=name", "invalid_query_string"),
        ("/users?q=(open", "invalid_query_string"),
    ] {
        let answer = bench.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{path}");
    }
    let answer = bench.get("/users-by-email?email=tom.becker%40acme.example").await;
    assert_eq!(answer.json.as_array().unwrap().len(), 1);
    assert_eq!(bench.get("/users-by-email?email=TOM.becker%40acme.example").await.json, json!([]));
}

#[tokio::test]
async fn search_lags_behind_writes_where_a_delay_is_set() {
    let bench = demo().await;
    bench.control.set_index_delay(std::time::Duration::from_secs(5));
    let body = json!({"connection": DATABASE, "email": "late@acme.example", "password": "Passw0rd!x"});
    assert_eq!(bench.api("POST", "/users", Some(body)).await.status, 201);
    let q = "/users?q=email:late@acme.example";
    assert_eq!(bench.get(q).await.json, json!([]));
    assert_eq!(bench.get("/users-by-email?email=late@acme.example").await.json.as_array().unwrap().len(), 1);
    let begun = std::time::Instant::now();
    while bench.get(q).await.json.as_array().unwrap().is_empty() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "it is never found");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn roles_answer_with_their_odd_statuses() {
    let bench = demo().await;
    let answer = bench.api("POST", "/roles", Some(json!({"name": "Auditor", "description": "Looks"}))).await;
    assert_eq!(answer.status, 200);
    let id = answer.json["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("rol_") && id.len() == 20);
    assert_eq!(bench.api("POST", "/roles", Some(json!({"name": "Auditor"}))).await.status, 409);
    let user = bench.user("sam.osei@acme.example");
    for _ in 0..2 {
        assert_eq!(
            bench.api("POST", &format!("{user}/roles"), Some(json!({"roles": [id]}))).await.status,
            204
        );
    }
    assert_eq!(bench.control.user_roles(&bench.id("sam.osei@acme.example")), ["Employee", "Auditor"]);
    let members = bench.get(&format!("/roles/{id}/users?take=1")).await;
    assert_eq!(members.json["users"].as_array().unwrap().len(), 1);
    assert!(members.json.get("next").is_none());
    let answer = bench.api("DELETE", &format!("/roles/{id}"), None).await;
    assert_eq!((answer.status.as_u16(), &answer.json), (200, &json!({})));
    let answer = bench.api("DELETE", &format!("/roles/{id}"), None).await;
    assert_eq!(
        answer.json,
        json!({"statusCode": 404, "error": "Not Found", "message": "The role does not exist."})
    );
    let answer = bench.get("/roles?name_filter=ENG&include_totals=true").await;
    assert_eq!(answer.json["roles"][0]["name"], "Engineer");
}

#[tokio::test]
async fn role_members_page_by_checkpoint_to_the_end() {
    let bench = demo().await;
    let id = bench.role_id("Employee").await;
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let answer = bench.get(&format!("/roles/{id}/users?take=3{from}")).await;
        seen.extend(emails(&answer.json["users"]).into_iter().map(str::to_owned));
        match answer.json["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => break,
        }
    }
    let all = bench.get(&format!("/roles/{id}/users?per_page=100")).await;
    assert_eq!(seen, emails(&all.json));
}

#[tokio::test]
async fn permissions_come_directly_and_through_roles() {
    let bench = demo().await;
    let role = bench.role_id("Support").await;
    let permission = json!({"permissions": [{"resource_server_identifier": "https://api.acme.example/", "permission_name": "read:deals"}]});
    let path = format!("/roles/{role}/permissions");
    assert_eq!(bench.api("POST", &path, Some(permission.clone())).await.status, 201);
    assert_eq!(bench.get(&path).await.json.as_array().unwrap().len(), 3);
    let user = format!("{}/permissions", bench.user("mira.olsen@acme.example"));
    assert_eq!(bench.api("POST", &user, Some(permission.clone())).await.status, 201);
    let all = bench.get(&user).await;
    let deals = all.json.as_array().unwrap().iter().find(|p| p["permission_name"] == "read:deals").unwrap();
    assert_eq!(deals["sources"].as_array().unwrap().len(), 2);
    assert_eq!(bench.api("DELETE", &path, Some(permission)).await.status, 204);
    let unknown = json!({"permissions": [{"resource_server_identifier": "https://api.acme.example/", "permission_name": "x"}]});
    assert_eq!(bench.api("POST", &path, Some(unknown)).await.status, 400);
}

#[tokio::test]
async fn a_leaver_loses_sessions_and_refresh_tokens() {
    let bench = demo().await;
    let (email, path) = ("lena.fischer@acme.example", bench.user("lena.fischer@acme.example"));
    assert_eq!(bench.control.live_logins(&bench.id(email)), (2, 2));
    let sessions = bench.get(&format!("{path}/sessions")).await;
    assert_eq!(sessions.json["sessions"].as_array().unwrap().len(), 2);
    let tokens = bench.get(&format!("{path}/refresh-tokens?take=1&include_totals=true")).await;
    assert_eq!((tokens.json["tokens"].as_array().unwrap().len(), &tokens.json["total"]), (1, &json!(2)));
    assert!(tokens.json["next"].is_string());
    let answer = bench.api("DELETE", &format!("{path}/sessions"), None).await;
    assert_eq!((answer.status.as_u16(), &answer.json), (202, &json!({})));
    assert_eq!(bench.api("DELETE", &format!("{path}/refresh-tokens"), None).await.status, 202);
    assert_eq!(bench.control.live_logins(&bench.id(email)), (0, 0));
    let session = bench.control.log_in(&bench.id(email), None).unwrap();
    let answer = bench.get(&format!("/sessions/{}", session.session_id)).await;
    assert_eq!(answer.json["user_id"], bench.id(email));
    let keep = json!({"preserve_refresh_tokens": true});
    assert_eq!(bench.api("POST", &format!("{path}/revoke-access"), Some(keep)).await.status, 202);
    assert_eq!(bench.control.live_logins(&bench.id(email)), (0, 1));
    assert_eq!(bench.api("POST", &format!("{path}/revoke-access"), None).await.status, 202);
    assert_eq!(bench.control.live_logins(&bench.id(email)), (0, 0));
}

#[tokio::test]
async fn ten_failures_block_an_address_until_it_is_unblocked() {
    let bench = demo().await;
    let email = "ines.costa@acme.example";
    for _ in 0..10 {
        bench.control.fail_log_in(email, "203.0.113.9").unwrap();
    }
    let path = bench.user(email).replace("/users/", "/user-blocks/");
    let blocks = bench.get(&path).await;
    assert_eq!(blocks.json["blocked_for"][0]["ip"], "203.0.113.9");
    let by_name = bench.get(&format!("/user-blocks?identifier={email}")).await;
    assert_eq!(by_name.json, blocks.json);
    assert_eq!(bench.api("DELETE", &path, None).await.status, 204);
    assert_eq!(bench.get(&path).await.json, json!({"blocked_for": []}));
}

#[tokio::test]
async fn a_blocked_user_cannot_log_in_and_the_log_says_so() {
    let bench = demo().await;
    let id = bench.id("paul.novak@acme.example");
    let path = bench.user("paul.novak@acme.example");
    let answer = bench.api("PATCH", &path, Some(json!({"blocked": true}))).await;
    assert_eq!(answer.json["blocked"], true);
    assert!(bench.control.log_in(&id, None).is_err());
    let logs = bench.get("/logs?q=type:f&per_page=1").await;
    assert_eq!(logs.json[0]["description"], "user is blocked");
    assert_eq!(logs.json[0]["user_id"], id);
}

#[tokio::test]
async fn linked_accounts_disappear_and_come_back_bare() {
    let bench = demo().await;
    let primary = bench.user("mira.olsen@acme.example");
    let google = bench.id("guest.auditor@partner.example");
    let body = json!({"provider": "google-oauth2", "user_id": google});
    let answer = bench.api("POST", &format!("{primary}/identities"), Some(body.clone())).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json[1]["profileData"]["email"], "guest.auditor@partner.example");
    assert!(bench.control.user(&google).is_none());
    assert_eq!(bench.api("POST", &format!("{primary}/identities"), Some(body)).await.status, 409);
    let bare = google.split_once('|').unwrap().1;
    let answer = bench.api("DELETE", &format!("{primary}/identities/google-oauth2/{bare}"), None).await;
    assert_eq!(answer.json.as_array().unwrap().len(), 1);
    let back = bench.control.user(&google).unwrap();
    assert!(back.get("app_metadata").is_none());
    let own = bench.id("mira.olsen@acme.example");
    let own = own.split_once('|').unwrap().1;
    assert_eq!(bench.api("DELETE", &format!("{primary}/identities/auth0/{own}"), None).await.status, 400);
}

#[tokio::test]
async fn factors_can_be_reset() {
    let bench = demo().await;
    let path = bench.user("tom.becker@acme.example");
    assert_eq!(bench.get(&format!("{path}/enrollments")).await.json[0]["status"], "confirmed");
    let methods = bench.get(&format!("{path}/authentication-methods?include_totals=true")).await;
    assert_eq!(methods.json["total"], 1);
    for sub in ["authentication-methods", "authenticators"] {
        assert_eq!(bench.api("DELETE", &format!("{path}/{sub}"), None).await.status, 204);
    }
    let sub = "multifactor/actions/invalidate-remember-browser";
    assert_eq!(bench.api("POST", &format!("{path}/{sub}"), None).await.status, 204);
    assert_eq!(bench.get(&format!("{path}/enrollments")).await.json, json!([]));
}

#[tokio::test]
async fn tickets_and_jobs_answer_like_auth0() {
    let bench = demo().await;
    let user_id = bench.id("sam.osei@acme.example");
    let ticket =
        bench.api("POST", "/tickets/password-change", Some(json!({"user_id": user_id, "ttl_sec": 60}))).await;
    assert_eq!(ticket.status, 201);
    assert!(ticket.json["ticket"].as_str().unwrap().contains("/u/reset-password?ticket="));
    let ticket = bench.api("POST", "/tickets/email-verification", Some(json!({"user_id": user_id}))).await;
    assert_eq!(ticket.status, 201);
    let ticket = bench.api("POST", "/guardian/enrollments/ticket", Some(json!({"user_id": user_id}))).await;
    assert_eq!(ticket.status, 200);
    let job = bench.api("POST", "/jobs/verification-email", Some(json!({"user_id": user_id}))).await;
    assert_eq!((job.status.as_u16(), &job.json["status"]), (201, &json!("pending")));
    let path = format!("/jobs/{}", job.json["id"].as_str().unwrap());
    assert_eq!(bench.get(&path).await.json["status"], "pending");
    assert_eq!(bench.get(&path).await.json["status"], "completed");
    assert_eq!(bench.get("/jobs/job_0").await.code(), "invalid_uri");
    let body = json!({"client_id": bench.tenant.client_id(), "email": "sam.osei@acme.example", "connection": DATABASE});
    let answer =
        bench.raw(http::Method::POST, "/dbconnections/change_password", &[], Some(body)).await.unwrap();
    assert_eq!(answer.text, "We've just sent you an email to reset your password.");
    assert_eq!(bench.control.logs().last().unwrap()["type"], "scpr");
}
