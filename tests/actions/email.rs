//! Mail through the tenant's own provider.

use auth0_emulator::{Fault, FaultKind, Seed};
use auth0_host::{ErrorCode, Tenant};
use auth0_tests::{OfflineTenant, line, refused};
use serde_json::{Value, json};

fn mail() -> Value {
    json!({"to": "ana@acme.example", "subject": "Hello {{ custom_vars.name }}", "body": "<p>{{ 6 | times: 7 }}</p>", "custom_vars": {"name": "Ana"}})
}

fn provider(name: &str, credentials: Value) -> Value {
    json!({"name": name, "enabled": true, "default_from_address": "Acme People <people@acme.example>", "credentials": credentials})
}

/// A connection with the key of a provider.
async fn with_key(tenant: &OfflineTenant, name: &str, key: &str) -> Tenant {
    tenant.connect(|settings| settings.email_api_key(name.parse().unwrap(), key)).await
}

#[tokio::test]
async fn each_provider_gets_the_mail_in_its_own_form_and_with_its_own_key() {
    for (name, credentials, path, media) in [
        ("sendgrid", json!({"api_key": "k"}), "/v3/mail/send", "application/json"),
        (
            "mailgun",
            json!({"api_key": "k", "domain": "mg.acme.example"}),
            "/v3/mg.acme.example/messages",
            "application/x-www-form-urlencoded",
        ),
        (
            "mailgun",
            json!({"api_key": "k", "domain": "mg.acme.example", "region": "eu"}),
            "/v3/mg.acme.example/messages",
            "application/x-www-form-urlencoded",
        ),
        ("mandrill", json!({"api_key": "k"}), "/api/1.0/messages/send", "application/json"),
        ("sparkpost", json!({"api_key": "k"}), "/api/v1/transmissions", "application/json"),
        ("sparkpost", json!({"api_key": "k", "region": "eu"}), "/api/v1/transmissions", "application/json"),
        ("resend", json!({"api_key": "k"}), "/emails", "application/json"),
    ] {
        let tenant = OfflineTenant::start().await;
        tenant.control.set_email_provider(provider(name, credentials.clone()));
        let connection = with_key(&tenant, name, tenant.emulator.mail_api_key()).await;
        assert_eq!(connection.run("send-email", mail()).await.unwrap(), json!({"success": true}), "{name}");
        let outbox = tenant.control.outbox();
        assert_eq!(outbox.len(), 1, "{name} {credentials}");
        let sent = &outbox[0];
        assert_eq!((sent.provider.as_str(), sent.subject.as_str()), (name, "Hello Ana"));
        assert_eq!(sent.html.as_deref(), Some("<p>42</p>"), "{name}");
        assert_eq!(
            (sent.from.as_str(), sent.from_name.as_deref()),
            ("people@acme.example", Some("Acme People"))
        );
        assert_eq!(sent.to, ["ana@acme.example"]);
        let requests = tenant.mail_requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(line(&requests[0]), format!("POST {path}"));
        assert!(requests[0].header("content-type").unwrap().starts_with(media), "{name}");
        assert!(requests[0].authorized, "{name}: the host added the key");
    }
}

#[tokio::test]
async fn the_provider_is_read_from_the_tenant_with_all_that_is_needed() {
    let tenant = OfflineTenant::start().await;
    tenant.run("send-email", mail()).await;
    let request = tenant.only();
    assert_eq!(request.path, "/api/v2/emails/provider");
    let query = request.query.unwrap();
    assert!(
        query.contains("fields=name%2Cenabled%2Ccredentials%2Csettings%2Cdefault_from_address"),
        "{query}"
    );
}

#[tokio::test]
async fn the_sender_can_be_named_and_goes_over_the_default_one() {
    let tenant = OfflineTenant::start().await;
    let mut input = mail();
    input["from"] = json!({"name": "Ops, \"Night\" Team", "email": "ops@acme.example"});
    tenant.run("send-email", input).await;
    let sent = tenant.control.outbox().remove(0);
    assert_eq!(
        (sent.from.as_str(), sent.from_name.as_deref()),
        ("ops@acme.example", Some("Ops, \"Night\" Team"))
    );
}

#[tokio::test]
async fn user_and_tenant_variables_are_read_only_where_they_are_needed() {
    let tenant = OfflineTenant::start().await;
    let id = tenant.user("lena.fischer@acme.example");
    let input = json!({
        "to": "lena.fischer@acme.example", "user_id": id, "subject": "{{ user.given_name }} at {{ friendly_name }}",
        "body": "{{ user.app_metadata.department }}|{{ user.user_metadata.locale }}|{{ connection.name }}|{{ tenant }}|{{ support_email }}|{{ support_url }}",
    });
    tenant.run("send-email", input).await;
    let sent = tenant.control.outbox().remove(0);
    assert_eq!(sent.subject, "Lena at Acme");
    let expected =
        "Sales|de|Username-Password-Authentication|acme|help@acme.example|https://help.acme.example";
    assert_eq!(sent.html.as_deref(), Some(expected));
    let paths: Vec<_> = tenant.seen().into_iter().map(|request| request.path).collect();
    assert!(paths.iter().any(|path| path == "/api/v2/tenants/settings") && paths.len() == 3, "{paths:?}");
}

#[tokio::test]
async fn a_provider_that_cannot_be_used_is_rejected_by_name_and_nothing_is_sent() {
    for (provider, hint) in [
        (Value::Null, "no email provider"),
        (
            json!({"name": "sendgrid", "enabled": false, "default_from_address": "a@b.example", "credentials": {"api_key": "k"}}),
            "sendgrid",
        ),
        (
            provider("ses", json!({"accessKeyId": "a", "secretAccessKey": "canary", "region": "../x"})),
            "not a region of AWS",
        ),
        (provider("custom", json!({})), "custom"),
        (
            json!({"name": "sendgrid", "enabled": true, "credentials": {"api_key": "k"}}),
            "default_from_address",
        ),
    ] {
        let tenant = OfflineTenant::start().await;
        tenant.control.set_email_provider(provider.clone());
        let error = tenant.refused("send-email", mail()).await;
        assert_eq!(error.code, ErrorCode::Rejected, "{provider}: {error}");
        assert!(error.message.contains(hint), "{provider}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(tenant.mail_requests().len(), 0);
    }
}

#[tokio::test]
async fn a_provider_that_the_connection_has_no_credentials_for_is_denied_by_name() {
    for (name, credentials, hint) in [
        (
            "ses",
            json!({"accessKeyId": "a", "secretAccessKey": "canary", "region": "eu-west-1"}),
            "Amazon SES",
        ),
        ("azure_cs", json!({"connectionString": "canary"}), "Azure Communication Services"),
        ("ms365", json!({"tenantId": "t", "clientId": "c", "clientSecret": "canary"}), "Microsoft 365"),
        ("smtp", json!({"smtp_host": "h", "smtp_port": 25, "smtp_user": "u", "smtp_pass": "canary"}), "SMTP"),
        // OfflineTenant::start() has a key, but SendGrid's.
        ("mailgun", json!({"api_key": "k", "domain": "mg.acme.example"}), "Mailgun"),
        ("mandrill", json!({"api_key": "k"}), "Mandrill"),
        ("sparkpost", json!({"api_key": "k"}), "SparkPost"),
        ("resend", json!({"api_key": "k"}), "Resend"),
    ] {
        let tenant = OfflineTenant::start().await;
        tenant.control.set_email_provider(provider(name, credentials));
        let error = tenant.refused("send-email", mail()).await;
        assert_eq!(error.code, ErrorCode::PolicyDenied, "{name}: {error}");
        assert!(
            error.message.contains(&format!("through {hint}, and no credentials for {hint} are configured")),
            "{error}"
        );
        assert_eq!(tenant.mail_requests().len(), 0, "{name}");
    }
}

#[tokio::test]
async fn addresses_and_texts_that_are_none_are_refused_before_any_request() {
    let tenant = OfflineTenant::start().await;
    let with = |key: &str, value: Value| {
        let mut input = mail();
        input[key] = value;
        input
    };
    for input in [
        with("to", json!("")),
        with("to", json!("ana")),
        with("to", json!("ana@acme.example\r\nbcc: eve@evil.example")),
        with("to", json!("ana@acme.example, eve@evil.example")),
        with("from", json!({"email": "people"})),
        with("from", json!({"name": "a\r\nbcc: eve@evil.example", "email": "a@b.example"})),
        with("from", json!("people@acme.example")),
        with("subject", json!("")),
        with("subject", json!("x".repeat(256))),
        with("body", json!("")),
        with("body", json!("x".repeat(102_401))),
        with("custom_vars", json!([1])),
        with("attachments", json!([])),
        with("user_id", json!("lena")),
    ] {
        let error = tenant.refused("send-email", input.clone()).await;
        let shown: String = input.to_string().chars().take(120).collect();
        assert_eq!((&error.code, error.status), (&ErrorCode::InvalidInput, None), "{shown}: {error}");
    }
    assert_eq!(tenant.lines(), [""; 0]);
}

#[tokio::test]
async fn the_longest_subject_and_body_are_sent() {
    let tenant = OfflineTenant::start().await;
    let input = json!({"to": "ana@acme.example", "subject": "ü".repeat(255), "body": "ü".repeat(102_400)});
    tenant.run("send-email", input).await;
    let sent = tenant.control.outbox().remove(0);
    assert_eq!((sent.subject.chars().count(), sent.html.unwrap().chars().count()), (255, 102_400));
}

#[tokio::test]
async fn a_rendered_subject_cannot_smuggle_a_header() {
    let tenant = OfflineTenant::start().await;
    let mut input = mail();
    input["custom_vars"] = json!({"name": "x\r\nbcc: eve@evil.example"});
    match tenant.connection.run("send-email", input).await {
        Ok(_) => {
            let subject = &tenant.control.outbox()[0].subject;
            assert!(!subject.contains(['\r', '\n']), "{subject:?}");
        }
        Err(error) => assert!(error.to_string().starts_with("invalid-input"), "{error}"),
    }
}

#[tokio::test]
async fn what_the_provider_answers_becomes_the_error_of_the_contract() {
    let status =
        |status| FaultKind::Status { status, body: None, retry_after: None, after_processing: false };
    for (fault, kind) in [
        (status(400), ErrorCode::Rejected),
        (status(401), ErrorCode::Unauthenticated),
        (status(403), ErrorCode::Rejected),
        // Nobody knows what a provider had done before it broke.
        (status(503), ErrorCode::OutcomeUnknown),
        (FaultKind::TooManyRequests { retry_after: Some(3600), reset_in: None }, ErrorCode::RateLimited),
        (FaultKind::ResetAfterRead, ErrorCode::OutcomeUnknown),
    ] {
        let tenant = OfflineTenant::start().await;
        tenant.control.inject(Fault::new(fault.clone()).on("POST", "/v3/mail/send"));
        let error = tenant.refused("send-email", mail()).await;
        assert_eq!(error.code, kind, "{fault:?}: {error}");
        assert_eq!(tenant.mail_requests().len(), 1, "{fault:?}: a mail is never sent twice");
        assert!(!error.to_string().contains(tenant.emulator.mail_api_key()), "{error}");
    }
}

#[tokio::test]
async fn a_recipient_that_the_provider_refuses_is_rejected_although_it_answered_200() {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_email_provider(provider("mandrill", json!({"api_key": "k"})));
    let connection = with_key(&tenant, "mandrill", tenant.emulator.mail_api_key()).await;
    let mut input = mail();
    input["to"] = json!("rejected.person@acme.example");
    let error = refused(&connection, "send-email", input).await;
    assert_eq!(error.code, ErrorCode::Rejected, "{error}");
    assert_eq!(tenant.control.outbox().len(), 0);
}

#[tokio::test]
async fn a_wrong_key_of_the_provider_is_unauthenticated_and_not_repeated_in_the_error() {
    for name in ["sendgrid", "mandrill", "sparkpost", "resend", "mailgun"] {
        let tenant = OfflineTenant::start().await;
        tenant
            .control
            .set_email_provider(provider(name, json!({"api_key": "k", "domain": "mg.acme.example"})));
        let wrong = with_key(&tenant, name, "canary-key").await;
        let error = refused(&wrong, "send-email", mail()).await;
        assert_eq!(error.code, ErrorCode::Unauthenticated, "{name}: {error}");
        assert!(!format!("{error:?}").contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn without_the_scope_for_the_provider_it_is_an_insufficient_scope() {
    let tenant = OfflineTenant::with(Seed::demo()).await;
    tenant.control.set_scopes(&["read:users"]);
    let error = tenant.refused("send-email", mail()).await;
    assert_eq!(
        (&error.code, error.scopes),
        (&ErrorCode::InsufficientScope, vec!["read:email_provider".to_owned()])
    );
    let id = "auth0|000000000000000000000000";
    tenant.control.set_all_scopes();
    let wide = tenant.connect(|settings| settings).await;
    let mut input = mail();
    input["user_id"] = json!(id);
    let error = auth0_tests::refused(&wide, "send-email", input).await;
    assert_eq!(error.code, ErrorCode::NotFound);
}
