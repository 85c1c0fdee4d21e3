//! Mail over SMTP, to a real server: what it saw, and what is known when it fails.

use std::time::{Duration, Instant};

use auth0_host::{Error, ErrorCode, MailCredentials, Outcome, Settings, SmtpSecurity, SmtpServer, Tenant};
use auth0_tests::{OfflineTenant, refused};
use serde_json::{Value, json};

use crate::smtp_server::{self, Failing, Offer, PASSWORD, USER};

fn mail() -> Value {
    json!({"to": "ana@acme.example", "subject": "Zoë & {{ custom_vars.name }}", "body": "<p>{{ 6 | times: 7 }}</p>\n.\n", "custom_vars": {"name": "Ana"}})
}

fn to(address: &str) -> Value {
    let mut mail = mail();
    mail["to"] = json!(address);
    mail
}

/// A tenant that sends over SMTP, a server, and a connection that knows it.
struct World {
    tenant: OfflineTenant,
    server: smtp_server::SmtpServer,
}

impl World {
    async fn start(offer: Offer, failing: Failing) -> Self {
        let tenant = OfflineTenant::start().await;
        tenant.control.set_email_provider(json!({
            "name": "smtp", "enabled": true, "default_from_address": "Acme People <people@acme.example>",
            // Not where the mail goes: the connection's own setting says that.
            "credentials": {"smtp_host": "evil.example", "smtp_port": 25, "smtp_user": "u", "smtp_pass": "p"},
            "settings": {"headers": {"X-SES-Configuration-Set": "opens"}},
        }));
        Self { tenant, server: smtp_server::SmtpServer::start(offer, failing) }
    }

    async fn connect(&self, security: SmtpSecurity) -> Tenant {
        self.with(self.server(security).login(USER, PASSWORD), |settings| settings).await
    }

    fn server(&self, security: SmtpSecurity) -> SmtpServer {
        SmtpServer::new("localhost", security).port(self.server.address.port())
    }

    async fn with(&self, server: SmtpServer, tune: impl FnOnce(Settings) -> Settings) -> Tenant {
        self.tenant
            .connect(|settings| {
                let settings = settings.ca_pem(self.server.ca_pem.as_str()).max_retries(0);
                tune(settings.email_credentials(MailCredentials::Smtp(server)))
            })
            .await
    }
}

/// What the call did with the mail server: status, whether the mail may be there, and the error.
fn record(outcome: &Outcome) -> (Option<u16>, bool, Option<&str>) {
    let record = outcome.requests.last().unwrap();
    assert_eq!((record.method.as_str(), record.path.as_str()), ("POST", "/send"));
    (record.status, record.sent, record.error.as_deref())
}

fn kind(outcome: &Outcome) -> ErrorCode {
    match &outcome.result {
        Err(Error::Action(error)) => error.code.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mail_goes_through_tls_to_the_connection_s_own_server() {
    for (offer, security) in [(Offer::StartTls, SmtpSecurity::StartTls), (Offer::Tls, SmtpSecurity::Tls)] {
        let world = World::start(offer, Failing::Never).await;
        let connection = world.connect(security).await;
        let outcome = connection.call("send-email", mail()).await;
        assert_eq!(outcome.result.as_ref().unwrap(), &json!({"success": true}), "{offer:?}");
        let seen = world.server.seen();
        assert_eq!(seen.mails.len(), 1, "{offer:?}");
        assert_eq!((seen.mails[0].from.as_str(), seen.mails[0].to.len()), ("people@acme.example", 1));
        let text = &seen.mails[0].text;
        assert!(text.is_ascii(), "{text}");
        for part in [
            "From: \"Acme People\" <people@acme.example>",
            "To: ana@acme.example",
            "Subject: =?utf-8?",
            "X-SES-Configuration-Set: opens",
            "<p>42</p>",
        ] {
            assert!(text.contains(part), "{offer:?}: {part} is not in {text}");
        }
        let encrypted = |command: &str| {
            let mut lines = seen.lines.iter().filter(|line| line.text.starts_with(command)).peekable();
            lines.peek().is_some() && lines.all(|line| line.encrypted)
        };
        assert!(encrypted("AUTH") && encrypted("MAIL") && encrypted("RCPT"), "{offer:?}: {:?}", seen.lines);
        let (status, sent, error) = record(&outcome);
        assert_eq!((status, sent, error), (Some(200), true, None));
        let record = outcome.requests.last().unwrap();
        assert_eq!(record.authority, format!("localhost:{}", world.server.address.port()));
        // What is sent ends with a dot on a line of its own, and one more in the text is doubled.
        assert!(record.bytes_sent as usize >= text.len() - 3, "{} {}", record.bytes_sent, text.len());
    }
}

#[tokio::test]
async fn a_connection_is_used_again_and_one_that_was_closed_meanwhile_costs_nothing() {
    for (failing, connections) in [(Failing::Never, 1), (Failing::WhenIdle, 3)] {
        let attempt = async || {
            let world = World::start(Offer::StartTls, failing).await;
            let connection = world.connect(SmtpSecurity::StartTls).await;
            let begun = Instant::now();
            for _ in 0..3 {
                let sent = connection.run("send-email", mail()).await;
                sent.unwrap_or_else(|error| panic!("{failing:?}: {error}"));
            }
            (world.server.seen(), begun.elapsed())
        };
        let (mut seen, took) = attempt().await;
        // A connection is kept for nine seconds. Where the machine stood still for as long, nothing is shown.
        if took > Duration::from_secs(8) {
            (seen, _) = attempt().await;
        }
        assert_eq!((seen.mails.len(), seen.connections), (3, connections), "{failing:?}");
    }
}

#[tokio::test]
async fn a_server_on_this_machine_is_spoken_to_in_plain_text_only_when_asked() {
    let world = World::start(Offer::Plain, Failing::Never).await;
    world.connect(SmtpSecurity::PlainLoopback).await.run("send-email", mail()).await.unwrap();
    assert_eq!(world.server.seen().mails.len(), 1);
}

#[tokio::test]
async fn a_server_that_offers_no_starttls_gets_neither_mail_nor_password() {
    let world = World::start(Offer::Plain, Failing::Never).await;
    let error = refused(&world.connect(SmtpSecurity::StartTls).await, "send-email", mail()).await;
    assert_eq!(error.code, ErrorCode::PolicyDenied, "{error}");
    assert!(error.message.contains("offers no STARTTLS") && error.message.contains("465"), "{error}");
    assert!(!world.server.saw("AUTH") && !world.server.saw("MAIL"), "{:?}", world.server.seen().lines);
}

#[tokio::test]
async fn what_is_sent_in_plain_text_behind_starttls_is_not_taken_for_the_server_s_word() {
    let world = World::start(Offer::StartTls, Failing::Injecting).await;
    let outcome = world.connect(SmtpSecurity::StartTls).await.call("send-email", mail()).await;
    assert_eq!(kind(&outcome), ErrorCode::Unreachable, "{outcome:?}");
    let (status, sent, error) = record(&outcome);
    assert_eq!((status, sent), (None, false));
    assert!(error.unwrap().contains("TLS"), "{error:?}");
    assert!(!world.server.saw("AUTH") && !world.server.saw("MAIL"));
}

#[tokio::test]
async fn a_server_whose_certificate_is_not_trusted_gets_nothing() {
    let other = World::start(Offer::Tls, Failing::Never).await;
    for (offer, security) in [(Offer::StartTls, SmtpSecurity::StartTls), (Offer::Tls, SmtpSecurity::Tls)] {
        let world = World::start(offer, Failing::Never).await;
        let server = world.server(security).login(USER, PASSWORD);
        let connection = world.with(server, |settings| settings.ca_pem(other.server.ca_pem.as_str())).await;
        let outcome = connection.call("send-email", mail()).await;
        assert_eq!(kind(&outcome), ErrorCode::Unreachable, "{offer:?}: {outcome:?}");
        let (status, sent, error) = record(&outcome);
        assert_eq!((status, sent), (None, false));
        assert!(error.unwrap().contains("certificate is not trusted"), "{offer:?}: {error:?}");
        assert!(!world.server.saw("AUTH") && !world.server.saw("MAIL"), "{offer:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_unauthenticated_and_shows_nowhere() {
    let world = World::start(Offer::StartTls, Failing::Never).await;
    for server in [
        world.server(SmtpSecurity::StartTls).login(USER, "canary-wrong"),
        // Without a login the server asks for one.
        world.server(SmtpSecurity::StartTls),
    ] {
        let connection = world.with(server, |settings| settings).await;
        let outcome = connection.call("send-email", mail()).await;
        assert_eq!(kind(&outcome), ErrorCode::Unauthenticated, "{outcome:?}");
        assert!(!format!("{outcome:?} {connection:?}").contains("canary"), "{outcome:?}");
        assert_eq!(record(&outcome), (Some(401), false, None));
    }
    assert_eq!(world.server.seen().mails.len(), 0);
}

#[tokio::test]
async fn what_the_server_refuses_is_told_in_its_own_words() {
    let world = World::start(Offer::StartTls, Failing::Never).await;
    let connection = world.connect(SmtpSecurity::StartTls).await;
    let mut spam = mail();
    spam["body"] = json!("spam");
    for (input, expected, words, sent) in [
        (to("unknown@acme.example"), ErrorCode::Rejected, "550 Mailbox unavailable", false),
        (spam, ErrorCode::Rejected, "554 Transaction failed", true),
        (to("later@acme.example"), ErrorCode::RateLimited, "450 4.2.0 Greylisted", false),
    ] {
        let outcome = connection.call("send-email", input).await;
        assert_eq!(kind(&outcome), expected, "{outcome:?}");
        assert!(format!("{:?}", outcome.result).contains(words), "{outcome:?}");
        assert_eq!(record(&outcome).1, sent, "{words}");
    }
    assert_eq!(world.server.seen().mails.len(), 0);
    // A refusal spoils nothing for the next mail.
    connection.run("send-email", mail()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_dies_before_the_text_does_not_have_the_mail() {
    for command in ["EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"] {
        let world = World::start(Offer::StartTls, Failing::At(command)).await;
        let outcome = world.connect(SmtpSecurity::StartTls).await.call("send-email", mail()).await;
        assert_eq!(kind(&outcome), ErrorCode::Unreachable, "{command}: {outcome:?}");
        let (status, sent, error) = record(&outcome);
        assert_eq!((status, sent, error.is_some()), (None, false, true), "{command}");
        assert_eq!(world.server.seen().mails.len(), 0);
    }
}

#[tokio::test]
async fn a_server_that_dies_with_the_text_leaves_the_outcome_unknown_and_gets_it_once() {
    for (failing, taken) in [(Failing::InText, 0), (Failing::AfterText, 1)] {
        let world = World::start(Offer::StartTls, failing).await;
        // Repetitions are allowed, and there are none.
        let server = world.server(SmtpSecurity::StartTls).login(USER, PASSWORD);
        let connection = world.with(server, |settings| settings.max_retries(3)).await;
        let outcome = connection.call("send-email", mail()).await;
        assert_eq!(kind(&outcome), ErrorCode::OutcomeUnknown, "{failing:?}: {outcome:?}");
        let (status, sent, _) = record(&outcome);
        assert_eq!((status, sent), (None, true), "{failing:?}");
        let seen = world.server.seen();
        assert_eq!((seen.mails.len(), seen.connections), (taken, 1), "{failing:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let world = World::start(Offer::StartTls, Failing::Never).await;
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = SmtpServer::new("127.0.0.1", SmtpSecurity::StartTls).port(port);
    let outcome = world.with(server, |settings| settings).await.call("send-email", mail()).await;
    assert_eq!(kind(&outcome), ErrorCode::Unreachable, "{outcome:?}");
    assert_eq!(record(&outcome), (None, false, Some("the connection was refused")));
}

#[tokio::test]
async fn no_template_adds_a_header_or_a_recipient() {
    let world = World::start(Offer::StartTls, Failing::Never).await;
    let connection = world.connect(SmtpSecurity::StartTls).await;
    let mut subject = mail();
    subject["custom_vars"] = json!({"name": "x\r\nBcc: eve@evil.example"});
    let mut name = mail();
    name["from"] = json!({"name": "x\r\nBcc: eve@evil.example", "email": "people@acme.example"});
    for input in [subject, name, to("ana@acme.example>\r\nRCPT TO:<eve@evil.example")] {
        let error = refused(&connection, "send-email", input).await;
        assert_eq!(error.code, ErrorCode::InvalidInput, "{error}");
    }
    assert_eq!(world.server.seen().connections, 0);
    // A dot on a line of its own ends the text for a server: it is doubled on the way.
    connection.run("send-email", mail()).await.unwrap();
    assert_eq!(world.server.seen().mails.len(), 1);
}
