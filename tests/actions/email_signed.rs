//! Mail through providers that want a signature or a token: Amazon SES, Azure Communication Services, Microsoft 365. The
//! stand-ins verify both for real.

use auth0_emulator::{Fault, FaultKind, SeenRequest};
use auth0_host::{Error, ErrorCode, MailCredentials, Tenant};
use auth0_tests::{OfflineTenant, line, refused};
use serde_json::{Value, json};

const SES: &str = "/v2/email/outbound-emails";
const AZURE: &str = "/emails:send";
const GRAPH: &str = "/v1.0/users/people%40acme.example/sendMail";
const ENTRA: &str = "/offline.onmicrosoft.com/oauth2/v2.0/token";

const PROVIDERS: [(&str, &str); 3] = [("ses", SES), ("azure_cs", AZURE), ("ms365", GRAPH)];

fn mail() -> Value {
    json!({"to": "ana@acme.example", "subject": "Hello {{ custom_vars.name }}", "body": "<p>{{ 6 | times: 7 }} ü</p>", "custom_vars": {"name": "Ana"}})
}

fn provider(name: &str) -> Value {
    // What `GET /emails/provider` shows of these is the region alone.
    let credentials = match name {
        "ses" => json!({"accessKeyId": "a", "secretAccessKey": "canary", "region": "eu-west-1"}),
        "azure_cs" => json!({"connectionString": "canary"}),
        _ => json!({"tenantId": "t", "clientId": "c", "clientSecret": "canary"}),
    };
    let settings = json!({"message": {"configuration_set_name": "opens"}});
    json!({
        "name": name, "enabled": true, "default_from_address": "Zoë <people@acme.example>",
        "credentials": credentials, "settings": if name == "ses" { settings } else { Value::Null },
    })
}

/// The credentials that the stand-in takes, or the same with another secret.
fn credentials(tenant: &OfflineTenant, name: &str, secret: Option<&str>) -> MailCredentials {
    let accounts = tenant.emulator.mail_accounts();
    let key = secret.unwrap_or(tenant.emulator.mail_api_key());
    match name {
        "ses" => MailCredentials::ses(accounts.ses_access_key_id, key, "eu-west-1"),
        "azure_cs" => MailCredentials::azure_communication(match secret {
            // "canary-key"
            Some(_) => "endpoint=https://acme.communication.azure.com;accesskey=Y2FuYXJ5LWtleQ==".to_owned(),
            None => accounts.azure_connection_string,
        }),
        _ => MailCredentials::microsoft365(accounts.ms365_tenant_id, accounts.ms365_client_id, key),
    }
}

async fn tenant(name: &str) -> (OfflineTenant, Tenant) {
    let tenant = OfflineTenant::start().await;
    tenant.control.set_email_provider(provider(name));
    let credentials = credentials(&tenant, name, None);
    let connection = tenant.connect(|settings| settings.email_credentials(credentials)).await;
    (tenant, connection)
}

/// The requests that hand a mail over.
fn mails(tenant: &OfflineTenant) -> Vec<SeenRequest> {
    let mut requests = tenant.mail_requests();
    requests.retain(|request| request.path != ENTRA);
    requests
}

#[tokio::test]
async fn each_provider_takes_the_mail_with_what_the_host_has_put_on_it() {
    for (name, path) in PROVIDERS {
        let (tenant, connection) = tenant(name).await;
        let sent = connection.run("send-email", mail()).await;
        assert_eq!(sent.unwrap_or_else(|error| panic!("{name}: {error}")), json!({"success": true}));
        let outbox = tenant.control.outbox();
        assert_eq!(outbox.len(), 1, "{name}");
        assert_eq!((outbox[0].provider.as_str(), outbox[0].subject.as_str()), (name, "Hello Ana"));
        assert_eq!(outbox[0].html.as_deref(), Some("<p>42 ü</p>"), "{name}");
        assert_eq!(
            (outbox[0].from.as_str(), outbox[0].to.as_slice()),
            ("people@acme.example", &["ana@acme.example".to_owned()][..])
        );
        let requests = mails(&tenant);
        assert_eq!(requests.len(), 1, "{name}");
        assert_eq!((requests[0].path.as_str(), requests[0].authorized), (path, true), "{name}: verified");
    }
}

#[tokio::test]
async fn what_only_one_provider_has_is_in_its_request() {
    let (tenant, connection) = tenant("ses").await;
    connection.run("send-email", mail()).await.unwrap();
    let request = mails(&tenant).remove(0);
    let body = request.body.clone().unwrap();
    assert_eq!(body["ConfigurationSetName"], "opens");
    assert_eq!(body["FromEmailAddress"], "=?UTF-8?B?Wm/Dqw==?= <people@acme.example>");
    assert!(request.header("x-amz-date").is_some() && request.header("x-amz-security-token").is_none());

    let (tenant, connection) = self::tenant("azure_cs").await;
    connection.run("send-email", mail()).await.unwrap();
    assert_eq!(line(&mails(&tenant)[0]), "POST /emails:send?api-version=2023-03-31");
}

#[tokio::test]
async fn microsoft_s_token_is_fetched_once_and_again_when_it_is_refused() {
    let (tenant, connection) = tenant("ms365").await;
    for _ in 0..3 {
        connection.run("send-email", mail()).await.unwrap();
    }
    let tokens = || tenant.mail_requests().iter().filter(|request| request.path == ENTRA).count();
    assert_eq!((tokens(), mails(&tenant).len()), (1, 3));
    tenant.control.expire_tokens();
    connection.run("send-email", mail()).await.unwrap();
    assert_eq!((tokens(), tenant.control.outbox().len()), (2, 4));
}

#[tokio::test]
async fn a_wrong_secret_is_unauthenticated_and_shows_nowhere() {
    for (name, _) in PROVIDERS {
        let (tenant, _) = tenant(name).await;
        let wrong = credentials(&tenant, name, Some("canary-key"));
        assert!(!format!("{wrong:?}").contains("canary"));
        let connection = tenant.connect(|settings| settings.email_credentials(wrong)).await;
        let outcome = connection.call("send-email", mail()).await;
        let Err(Error::Action(error)) = &outcome.result else { panic!("{name}: {outcome:?}") };
        assert_eq!(error.code, ErrorCode::Unauthenticated, "{name}: {error}");
        let shown = format!("{outcome:?} {connection:?}");
        // The secret, in Base64, and of a signature the header.
        assert!(!["canary", "Y2FuYXJ5", "Signature="].iter().any(|secret| shown.contains(secret)), "{shown}");
        assert_eq!(tenant.control.outbox().len(), 0);
    }
}

#[tokio::test]
async fn a_recipient_that_the_provider_refuses_is_rejected_in_its_own_words() {
    for (name, words) in [
        ("ses", "Email address is not verified"),
        ("azure_cs", "EmailDroppedAllRecipientsSuppressed"),
        ("ms365", "ErrorInvalidRecipients"),
    ] {
        let (tenant, connection) = tenant(name).await;
        let mut input = mail();
        input["to"] = json!("rejected.person@acme.example");
        let error = refused(&connection, "send-email", input).await;
        assert_eq!((&error.code, error.status), (&ErrorCode::Rejected, Some(400)), "{name}: {error}");
        assert!(error.message.contains(words), "{error}");
        assert_eq!(tenant.control.outbox().len(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_the_outcome_unknown_and_the_mail_is_sent_once() {
    let status =
        |status| FaultKind::Status { status, body: None, retry_after: None, after_processing: false };
    for (name, path) in PROVIDERS {
        for (fault, kind) in [
            (FaultKind::ResetAfterRead, ErrorCode::OutcomeUnknown),
            (status(503), ErrorCode::OutcomeUnknown),
            (FaultKind::TooManyRequests { retry_after: Some(3600), reset_in: None }, ErrorCode::RateLimited),
            (status(403), ErrorCode::Rejected),
        ] {
            let (tenant, connection) = tenant(name).await;
            tenant.control.inject(Fault::new(fault.clone()).on("POST", path));
            let error = refused(&connection, "send-email", mail()).await;
            assert_eq!(error.code, kind, "{name} {fault:?}: {error}");
            assert_eq!(mails(&tenant).len(), 1, "{name} {fault:?}: a mail is never sent twice");
        }
    }
}

#[tokio::test]
async fn without_microsoft_s_token_nothing_was_sent_and_the_error_says_so() {
    let status =
        |status| FaultKind::Status { status, body: None, retry_after: None, after_processing: false };
    for (fault, kind) in [
        (status(400), ErrorCode::Unauthenticated),
        (status(503), ErrorCode::Unreachable),
        (FaultKind::TooManyRequests { retry_after: Some(3600), reset_in: None }, ErrorCode::RateLimited),
        (FaultKind::ResetBeforeRead, ErrorCode::Unreachable),
    ] {
        let (tenant, connection) = tenant("ms365").await;
        tenant.control.inject(Fault::new(fault.clone()).on("POST", ENTRA));
        let error = refused(&connection, "send-email", mail()).await;
        assert_eq!(error.code, kind, "{fault:?}: {error}");
        assert_eq!(mails(&tenant).len(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn a_sender_that_microsoft_does_not_let_the_application_use_is_rejected() {
    let (tenant, connection) = tenant("ms365").await;
    let forbidden = json!({"error": {"code": "ErrorAccessDenied", "message": "Access is denied."}});
    let fault = FaultKind::Status {
        status: 403,
        body: Some(forbidden.to_string()),
        retry_after: None,
        after_processing: false,
    };
    tenant.control.inject(Fault::new(fault).on("POST", "/v1.0/users/ops%40acme.example/sendMail"));
    let mut input = mail();
    input["from"] = json!({"email": "ops@acme.example"});
    let error = refused(&connection, "send-email", input).await;
    assert_eq!(error.code, ErrorCode::Rejected, "{error}");
    assert!(error.message.contains("ErrorAccessDenied: Access is denied."), "{error}");
}

#[tokio::test]
async fn a_mail_for_another_region_than_the_credentials_are_for_does_not_leave() {
    let (tenant, _) = tenant("ses").await;
    let key = tenant.emulator.mail_api_key().to_owned();
    let id = tenant.emulator.mail_accounts().ses_access_key_id;
    // Without a stand-in, so that the component asks for Amazon's own address.
    let settings = auth0_host::Settings::new(tenant.emulator.domain().parse().unwrap())
        .base_url(tenant.emulator.base_url().parse().unwrap())
        .credentials(auth0_host::Credentials::client_secret(
            tenant.emulator.client_id(),
            tenant.emulator.client_secret(),
        ))
        .email_credentials(MailCredentials::ses(id, key, "us-east-1"));
    let connection = auth0_tests::host().tenant(settings).await.unwrap();
    let error = refused(&connection, "send-email", mail()).await;
    assert_eq!(error.code, ErrorCode::PolicyDenied, "{error}");
    let words = "for https://email.us-east-1.amazonaws.com, not for https://email.eu-west-1.amazonaws.com";
    assert!(error.message.contains(words), "{error}");
}
