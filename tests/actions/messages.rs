//! Mails, tickets and second factors.

use auth0_host::{Credentials, ErrorCode};
use auth0_tests::{DATABASE, OfflineTenant, encoded, line, refused, text};
use serde_json::{Value, json};

const NOBODY: &str = "auth0|000000000000000000000000";

#[tokio::test]
async fn send_verification_email_answers_the_job_and_leaves_a_row_in_the_log() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    let portal = tenant.application("Acme Portal");
    let identity = json!({"provider": "auth0", "user_id": id.split_once('|').unwrap().1});
    let input = json!({"user_id": id, "client_id": portal, "identity": identity});
    let job = tenant.run("send-verification-email", input.clone()).await;
    assert_eq!((text(&job, "type"), text(&job, "status")), ("verification_email", "pending"));
    let request = tenant.only();
    assert_eq!(line(&request), "POST /api/v2/jobs/verification-email");
    assert_eq!(request.body, Some(input));
    assert!(tenant.control.logs().iter().any(|row| row["type"] == "svr" && row["user_id"] == json!(id)));
}

#[tokio::test]
async fn create_email_verification_ticket_answers_a_link() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    let input = json!({
        "user_id": id, "result_url": "https://acme.example/done", "ttl_sec": 3600, "includeEmailInRedirect": true,
    });
    let ticket = tenant.run("create-email-verification-ticket", input.clone()).await;
    assert!(
        text(&ticket, "ticket").starts_with("https://acme.eu.auth0.localhost/u/email-verification?ticket=")
    );
    let request = tenant.only();
    assert_eq!(
        (line(&request), request.body),
        ("POST /api/v2/tickets/email-verification".to_owned(), Some(input))
    );
}

#[tokio::test]
async fn create_password_change_ticket_names_the_user_by_id_or_by_address() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    let connection = tenant.connection_id(DATABASE);
    for input in [
        json!({"user_id": id, "mark_email_as_verified": true, "ttl_sec": 60}),
        json!({"connection_id": connection, "email": "sam.osei@acme.example", "client_id": tenant.application("Acme Portal")}),
    ] {
        let ticket = tenant.run("create-password-change-ticket", input.clone()).await;
        assert!(text(&ticket, "ticket").contains("/u/reset-password?ticket="), "{ticket}");
        let request = tenant.seen().pop().unwrap();
        assert_eq!(line(&request), "POST /api/v2/tickets/password-change");
        assert_eq!(request.body, Some(input));
    }
}

#[tokio::test]
async fn tickets_that_contradict_themselves_are_refused_before_any_request() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    let url = "https://acme.example/";
    for (action, input) in [
        ("create-email-verification-ticket", json!({"user_id": id, "result_url": url, "client_id": "c"})),
        (
            "create-email-verification-ticket",
            json!({"user_id": id, "result_url": url, "organization_id": "o"}),
        ),
        ("create-password-change-ticket", json!({"user_id": id, "result_url": url, "client_id": "c"})),
        ("create-password-change-ticket", json!({"user_id": id, "email": "a@b.example"})),
        ("create-password-change-ticket", json!({"email": "a@b.example"})),
        ("create-password-change-ticket", json!({})),
        ("create-password-change-ticket", json!({"user_id": id, "ttl_sec": -1})),
        ("send-password-reset-email", json!({"email": " ", "connection": DATABASE})),
        ("send-password-reset-email", json!({"email": "a@b.example", "connection": ""})),
    ] {
        let error = tenant.refused(action, input.clone()).await;
        assert_eq!(
            (&error.code, error.status),
            (&ErrorCode::InvalidInput, None),
            "{action} {input}: {error}"
        );
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn send_password_reset_email_goes_to_the_authentication_api_without_a_token() {
    let tenant = OfflineTenant::start().await;
    for email in ["mira.olsen@acme.example", "nobody@acme.example"] {
        let answer =
            tenant.run("send-password-reset-email", json!({"email": email, "connection": DATABASE})).await;
        assert_eq!(answer, json!({"message": "We've just sent you an email to reset your password."}));
        let request = tenant.seen().pop().unwrap();
        assert_eq!(line(&request), "POST /dbconnections/change_password");
        assert_eq!(request.header("authorization"), None);
        let body = json!({"client_id": tenant.emulator.client_id(), "email": email, "connection": DATABASE});
        assert_eq!(request.body, Some(body));
    }
    assert_eq!(tenant.token_requests(), 0, "it needs no token, so none is fetched");
    let rows: Vec<Value> = tenant.control.logs().iter().map(|row| row["type"].clone()).collect();
    assert!(rows.contains(&json!("scpr")) && rows.contains(&json!("fcpr")));
}

#[tokio::test]
async fn send_password_reset_email_needs_an_application_in_whose_name_it_is_sent() {
    let tenant = OfflineTenant::start().await;
    let nameless = tenant.connect(|settings| settings.credentials(Credentials::none())).await;
    let input = json!({"email": "mira.olsen@acme.example", "connection": DATABASE});
    let error = refused(&nameless, "send-password-reset-email", input).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None));
    assert!(error.message.contains("client_id"), "{error}");
    let unknown = json!({"email": "mira.olsen@acme.example", "connection": "no-such"});
    let error = tenant.refused("send-password-reset-email", unknown).await;
    assert_eq!((&error.code, error.status), (&ErrorCode::Rejected, Some(400)));
    assert!(error.message.contains("no-such"), "the tenant's words are kept: {error}");
}

#[tokio::test]
async fn create_mfa_enrollment_ticket_answers_id_and_link() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("sam.osei@acme.example");
    let input = json!({
        "user_id": id, "email": "sam@acme.example", "send_mail": true, "email_locale": "pt-BR", "factor": "otp",
        "allow_multiple_enrollments": true,
    });
    let ticket = tenant.run("create-mfa-enrollment-ticket", input.clone()).await;
    assert!(text(&ticket, "ticket_url").contains(text(&ticket, "ticket_id")));
    let request = tenant.only();
    assert_eq!(
        (line(&request), request.body),
        ("POST /api/v2/guardian/enrollments/ticket".to_owned(), Some(input))
    );
}

#[tokio::test]
async fn reset_user_mfa_takes_all_factors_off() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("tom.becker@acme.example");
    assert!(tenant.stored(&id).get("multifactor").is_some());
    assert_eq!(tenant.run("reset-user-mfa", json!({"user_id": id})).await, json!({}));
    assert_eq!(tenant.lines(), [format!("DELETE /api/v2/users/{}/authenticators", encoded(&id))]);
    assert_eq!(tenant.stored(&id).get("multifactor"), None);
}

#[tokio::test]
async fn messages_for_a_user_who_does_not_exist_are_missing() {
    let tenant = OfflineTenant::start().await;
    for action in [
        "send-verification-email",
        "create-email-verification-ticket",
        "create-password-change-ticket",
        "create-mfa-enrollment-ticket",
        "reset-user-mfa",
    ] {
        let error = tenant.refused(action, json!({"user_id": NOBODY})).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::NotFound, Some(404)), "{action}: {error}");
    }
}

#[tokio::test]
async fn the_custom_domain_is_sent_where_links_are_made_and_nowhere_else() {
    let tenant = OfflineTenant::tuned(auth0_emulator::Seed::demo(), |settings| {
        settings.custom_domain("login.acme.example".parse().unwrap())
    })
    .await;
    let id = tenant.user("sam.osei@acme.example");
    for action in [
        "create-email-verification-ticket",
        "create-password-change-ticket",
        "create-mfa-enrollment-ticket",
        "send-verification-email",
        "block-user",
        "get-user",
        "reset-user-mfa",
    ] {
        tenant.run(action, json!({"user_id": id})).await;
        let request = tenant.seen().pop().unwrap();
        let expected = matches!(request.method.as_str(), "POST" | "PATCH").then_some("login.acme.example");
        assert_eq!(request.header("auth0-custom-domain"), expected, "{action}");
    }
}
