use serde_json::{Value, json};

use super::super::message::Message;
use super::super::refusal::RefusalKind;
use super::body::without_substitutions;
use super::*;

const KEY: &str = "SG.very-secret-key";

fn provider(settings: &Value) -> Provider {
    Provider::from_settings(settings).unwrap()
}

fn message() -> Message {
    let from = "\"Shop, Inc\" <no-reply@shop.example>".parse().unwrap();
    let to = vec!["Ada <ada@example.com>".parse().unwrap(), "eve@example.com".parse().unwrap()];
    Message::new(from, to, "Hi & bye", "<p>ü {{x}}</p>").unwrap()
}

fn parsed(delivery: &Delivery) -> Value {
    serde_json::from_slice(body(delivery)).unwrap()
}

fn body(delivery: &Delivery) -> &[u8] {
    &delivery.request.body.as_ref().unwrap().bytes
}

fn authorization(delivery: &Delivery) -> Option<&str> {
    delivery.request.headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.as_str())
}

fn all() -> Vec<Provider> {
    [
        json!({"name": "sendgrid"}),
        json!({"name": "mailgun", "credentials": {"domain": "mg.shop.example"}}),
        json!({"name": "mailgun", "credentials": {"domain": "mg.shop.example", "region": "eu"}}),
        json!({"name": "mandrill"}),
        json!({"name": "sparkpost", "credentials": {}}),
        json!({"name": "sparkpost", "credentials": {"region": "eu"}}),
        json!({"name": "resend"}),
        json!({"name": "ses", "credentials": {"region": "eu-west-1"}}),
        json!({"name": "azure_cs", "credentials": {}}),
        json!({"name": "ms365", "credentials": {}}),
        json!({"name": "smtp", "credentials": {"smtp_host": "evil.example", "smtp_port": 25}}),
    ]
    .iter()
    .map(provider)
    .collect()
}

#[test]
fn each_provider_has_its_own_door_and_lock() {
    let basic = format!("Basic {}", STANDARD.encode(format!("api:{KEY}")));
    let bearer = format!("Bearer {KEY}");
    let table = [
        ("https://api.sendgrid.com", "/v3/mail/send", Some(bearer.as_str())),
        ("https://api.mailgun.net", "/v3/mg.shop.example/messages", Some(&basic)),
        ("https://api.eu.mailgun.net", "/v3/mg.shop.example/messages", Some(&basic)),
        ("https://mandrillapp.com", "/api/1.0/messages/send", None),
        ("https://api.sparkpost.com", "/api/v1/transmissions", Some(KEY)),
        ("https://api.eu.sparkpost.com", "/api/v1/transmissions", Some(KEY)),
        ("https://api.resend.com", "/emails", Some(&bearer)),
        ("https://email.eu-west-1.amazonaws.com", "/v2/email/outbound-emails", None),
        ("https://azure-communication-services.invalid", "/emails:send?api-version=2023-03-31", None),
        ("https://graph.microsoft.com", "/v1.0/users/no-reply%40shop.example/sendMail", None),
        // Not where the tenant's settings say: the host knows the server that its password is for.
        ("https://smtp.invalid", "/send", None),
    ];
    for (provider, (origin, path, lock)) in all().iter().zip(table) {
        let delivery = provider.delivery(&message(), Some(KEY)).unwrap();
        assert_eq!((delivery.origin.as_ref(), delivery.request.path_and_query().as_str()), (origin, path));
        assert_eq!(authorization(&delivery), lock, "{origin}");
        assert_eq!(provider.origin(), origin);
    }
}

#[test]
fn without_a_key_only_the_key_is_missing() {
    for provider in all() {
        let mut with = provider.delivery(&message(), Some(KEY)).unwrap();
        let without = provider.delivery(&message(), None).unwrap();
        assert_eq!(authorization(&without), None);
        with.request.headers.clear();
        if provider.name() == "mandrill" {
            let mut body = parsed(&with);
            assert_eq!(body.as_object_mut().unwrap().remove("key"), Some(json!(KEY)));
            with.request = with.request.json(&body);
        }
        assert_eq!(with, without);
    }
}

#[test]
fn a_key_never_shows_in_debug_output() {
    for provider in all() {
        let delivery = provider.delivery(&message(), Some(KEY)).unwrap();
        let shown = format!("{delivery:?} {delivery:#?} {provider:?}");
        assert!(!shown.contains("secret") && !shown.contains("Basic"), "{shown}");
    }
}

#[test]
fn a_key_that_could_add_a_header_is_refused_and_not_repeated() {
    for key in ["", " ", "a\r\nx: y", "a\n", "ключ", "a b"] {
        for provider in all() {
            let error = provider.delivery(&message(), Some(key)).unwrap_err();
            assert_eq!(error, ProviderError::Key);
        }
    }
}

#[test]
fn bodies_are_what_each_provider_documents() {
    let bodies: Vec<Vec<u8>> =
        all().iter().map(|provider| body(&provider.delivery(&message(), None).unwrap()).to_vec()).collect();
    let json = |index: usize| serde_json::from_slice::<Value>(&bodies[index]).unwrap();
    assert_eq!(
        json(0),
        json!({
            "personalizations": [{"to": [{"email": "ada@example.com", "name": "Ada"}, {"email": "eve@example.com"}]}],
            "from": {"email": "no-reply@shop.example", "name": "Shop, Inc"},
            "subject": "Hi & bye",
            "content": [{"type": "text/html", "value": "<p>ü {{x}}</p>"}],
        })
    );
    assert_eq!(
        String::from_utf8(bodies[1].clone()).unwrap(),
        "from=%22Shop%2C%20Inc%22%20%3Cno-reply%40shop.example%3E&to=Ada%20%3Cada%40example.com%3E\
         &to=eve%40example.com&subject=Hi%20%26%20bye&html=%3Cp%3E%C3%BC%20%7B%7Bx%7D%7D%3C%2Fp%3E"
    );
    assert_eq!(bodies[1], bodies[2]);
    assert_eq!(
        json(3),
        json!({"message": {
            "from_email": "no-reply@shop.example", "from_name": "Shop, Inc",
            "to": [
                {"email": "ada@example.com", "name": "Ada", "type": "to"},
                {"email": "eve@example.com", "type": "to"},
            ],
            "subject": "Hi & bye", "html": "<p>ü {{x}}</p>", "merge": false,
        }})
    );
    assert_eq!(
        json(4),
        json!({
            "options": {"transactional": true},
            "recipients": [
                {"address": {"email": "ada@example.com", "name": "Ada"}},
                {"address": {"email": "eve@example.com"}},
            ],
            "content": {
                "from": {"email": "no-reply@shop.example", "name": "Shop, Inc"},
                "subject": "Hi & bye",
                "html": "<p>ü {{opening_double_curly()}}x{{closing_double_curly()}}</p>",
            },
        })
    );
    assert_eq!(
        json(6),
        json!({
            "from": "\"Shop, Inc\" <no-reply@shop.example>",
            "to": ["Ada <ada@example.com>", "eve@example.com"],
            "subject": "Hi & bye", "html": "<p>ü {{x}}</p>",
        })
    );
    assert_eq!(
        json(7),
        json!({
            "FromEmailAddress": "\"Shop, Inc\" <no-reply@shop.example>",
            "Destination": {"ToAddresses": ["Ada <ada@example.com>", "eve@example.com"]},
            "Content": {"Simple": {
                "Subject": {"Data": "Hi & bye", "Charset": "UTF-8"},
                "Body": {"Html": {"Data": "<p>ü {{x}}</p>", "Charset": "UTF-8"}},
            }},
        })
    );
    assert_eq!(
        json(8),
        json!({
            "senderAddress": "no-reply@shop.example",
            "content": {"subject": "Hi & bye", "html": "<p>ü {{x}}</p>"},
            "recipients": {"to": [{"address": "ada@example.com", "displayName": "Ada"}, {"address": "eve@example.com"}]},
        })
    );
    assert_eq!(
        json(9),
        json!({
            "message": {
                "subject": "Hi & bye",
                "body": {"contentType": "HTML", "content": "<p>ü {{x}}</p>"},
                "from": {"emailAddress": {"address": "no-reply@shop.example", "name": "Shop, Inc"}},
                "toRecipients": [
                    {"emailAddress": {"address": "ada@example.com", "name": "Ada"}},
                    {"emailAddress": {"address": "eve@example.com"}},
                ],
            },
            "saveToSentItems": false,
        })
    );
    assert_eq!(
        json(10),
        json!({
            "from": {"email": "no-reply@shop.example", "name": "Shop, Inc"},
            "to": [{"email": "ada@example.com", "name": "Ada"}, {"email": "eve@example.com"}],
            "subject": "Hi & bye", "html": "<p>ü {{x}}</p>", "headers": {},
        })
    );
}

#[test]
fn names_in_other_scripts_reach_ses_in_seven_bits() {
    let long = "ü".repeat(60);
    for (name, expected) in [
        ("Ada", "Ada <a@b.co>"),
        ("Zoë", "=?UTF-8?B?Wm/Dqw==?= <a@b.co>"),
        // 45 bytes hold 22 characters of two.
        (
            &long,
            &format!(
                "=?UTF-8?B?{0}?= =?UTF-8?B?{0}?= =?UTF-8?B?{1}?= <a@b.co>",
                STANDARD.encode("ü".repeat(22)),
                STANDARD.encode("ü".repeat(16))
            ),
        ),
    ] {
        let from = Mailbox::new(Some(name), "a@b.co".parse().unwrap()).unwrap();
        let message = Message::new(from.clone(), vec![from], "s", "h").unwrap();
        let body = parsed(&all()[7].delivery(&message, None).unwrap());
        assert_eq!(body["FromEmailAddress"], *expected);
        assert!(expected.split(' ').all(|word| word.len() <= 75), "{expected}");
    }
}

#[test]
fn a_provider_s_own_settings_go_with_the_mail() {
    let ses = provider(&json!({
        "name": "ses", "credentials": {"region": "us-gov-west-1"},
        "settings": {"message": {"configuration_set_name": "opens"}},
    }));
    assert_eq!(ses.origin(), "https://email.us-gov-west-1.amazonaws.com");
    assert_eq!(parsed(&ses.delivery(&message(), None).unwrap())["ConfigurationSetName"], "opens");
    let smtp = provider(&json!({
        "name": "smtp",
        "settings": {"headers": {"X-MC-ViewContentLink": "true", "X-SES-Configuration-Set": null, "Bcc": "eve@b.co"}},
    }));
    let body = parsed(&smtp.delivery(&message(), None).unwrap());
    assert_eq!(body["headers"], json!({"X-MC-ViewContentLink": "true"}), "no other header");
}

#[test]
fn sparkpost_runs_none_of_its_template_language() {
    for (text, escaped) in [
        ("plain { }", "plain { }"),
        ("{{{a}}}", "{{opening_double_curly()}}{a{{closing_double_curly()}}}"),
        ("{}}", "{ {{closing_double_curly()}}"),
        ("{{{}}", "{{opening_double_curly()}}{ {{closing_double_curly()}}"),
        ("{{", "{{opening_double_curly()}}"),
    ] {
        assert_eq!(without_substitutions(text), escaped);
    }
}

#[test]
fn settings_are_read_as_auth0_answers_them() {
    let mandrill = provider(&json!({
        "name": "mandrill", "enabled": true, "credentials": {},
        "settings": {"message": {"view_content_link": true}}, "default_from_address": "Shop <a@shop.example>",
    }));
    assert_eq!(mandrill.default_from(), Ok(Some("Shop <a@shop.example>".parse().unwrap())));
    let body = parsed(&mandrill.delivery(&message(), None).unwrap());
    assert_eq!(body["message"]["view_content_link"], json!(true));
    let nulls = json!({"name": "mandrill", "enabled": null, "credentials": null, "settings": null, "default_from_address": null});
    assert_eq!(provider(&nulls).default_from(), Ok(None));
    assert_eq!(provider(&json!({"name": "resend", "default_from_address": ""})).default_from(), Ok(None));
}

#[test]
fn a_default_sender_that_is_none_fails_only_where_it_is_asked_for() {
    for (address, expected) in
        [(json!("nobody"), "default sender"), (json!(1), "`default_from_address` is not a text")]
    {
        let provider = provider(&json!({"name": "resend", "default_from_address": address}));
        assert!(provider.delivery(&message(), None).is_ok());
        let error = provider.default_from().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn settings_that_cannot_work_say_why() {
    let table = [
        (
            json!({"name": "custom"}),
            "custom runs in an Auth0 Action of the tenant, which no API call can start; use sendgrid, mailgun, mandrill, \
             sparkpost, resend, ses, azure_cs, ms365 or smtp",
        ),
        (json!({"name": "ses"}), "`credentials.region` is not a region of AWS"),
        (json!({"name": "ses", "credentials": {"region": "eu-west-1.evil.example/"}}), "credentials.region"),
        (json!({"name": "ses", "credentials": {"region": "-"}}), "credentials.region"),
        (json!({"name": "ses", "credentials": {"region": "eu@evil"}}), "credentials.region"),
        (
            json!({"name": "ses", "credentials": {"region": "eu-west-1"},
                   "settings": {"message": {"configuration_set_name": 1}}}),
            "configuration_set_name",
        ),
        (
            json!({"name": "smtp", "settings": {"headers": {"X-MC-ViewContentLink": "true\r\nBcc: eve@b.co"}}}),
            "`settings.headers` has a value that cannot stand in a header",
        ),
        (json!({"name": "pigeon\r\n"}), "pigeon is a provider that this version does not know"),
        (json!({"name": "sendgrid", "enabled": false}), "disabled"),
        (json!({"name": "ses", "enabled": false}), "`ses` is disabled"),
        (json!({"name": "sendgrid", "enabled": "yes"}), "`enabled` is not a boolean"),
        (json!({"enabled": true}), "`name` is missing"),
        (json!([]), "`name` is missing"),
        (json!({"name": "mailgun"}), "`credentials.domain` is missing"),
        (json!({"name": "mailgun", "credentials": {"domain": "a.b/../x"}}), "not the name of a domain"),
        (json!({"name": "mailgun", "credentials": {"domain": "a.b?x"}}), "not the name of a domain"),
        (json!({"name": "mailgun", "credentials": {"domain": ".."}}), "not the name of a domain"),
        (json!({"name": "mailgun", "credentials": {"domain": "a.b", "region": "cn"}}), "credentials.region"),
        (json!({"name": "sparkpost", "credentials": {"region": 1}}), "credentials.region"),
        (
            json!({"name": "mandrill", "settings": {"message": {"view_content_link": "1"}}}),
            "view_content_link",
        ),
    ];
    for (settings, expected) in table {
        let error = Provider::from_settings(&settings).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains(char::is_control), "{settings}: {error}");
    }
}

fn response(status: u16, body: &[u8]) -> Response {
    Response { status, body: body.to_vec(), ..Response::default() }
}

fn region(name: &str) -> &str {
    if name == "ses" { "eu-west-1" } else { "eu" }
}

#[test]
fn answers_are_read_in_each_providers_words() {
    use RefusalKind::*;
    type Expected<'e> = Option<(RefusalKind, &'e str)>;
    let table: &[(&str, u16, &str, Expected<'_>)] = &[
        ("sendgrid", 202, "", None),
        (
            "sendgrid",
            401,
            r#"{"errors":[{"message":"The provided authorization grant is invalid","field":null}]}"#,
            Some((Unauthenticated, "The provided authorization grant is invalid")),
        ),
        (
            "sendgrid",
            403,
            r#"{"errors":[{"message":"The from address does not match a verified Sender Identity","field":"from"}]}"#,
            Some((Forbidden, "The from address does not match a verified Sender Identity (from)")),
        ),
        ("sendgrid", 400, r#"{"errors":[{"message":"a"},{"message":"b"}]}"#, Some((Rejected, "a; b"))),
        (
            "sendgrid",
            429,
            r#"{"errors":[{"message":"too many requests"}]}"#,
            Some((Throttled, "too many requests")),
        ),
        ("sendgrid", 503, "<html>oops</html>", Some((Unavailable, "no message"))),
        ("mailgun", 200, r#"{"id":"<1@mg>","message":"Queued. Thank you."}"#, None),
        ("mailgun", 401, "Forbidden", Some((Unauthenticated, "Forbidden"))),
        (
            "mailgun",
            400,
            r#"{"message":"to parameter is not a valid address"}"#,
            Some((Rejected, "to parameter is not a valid address")),
        ),
        ("mandrill", 200, r#"[{"email":"a@b.co","status":"sent","reject_reason":null}]"#, None),
        ("mandrill", 200, r#"[{"status":"queued"},{"status":"scheduled"}]"#, None),
        (
            "mandrill",
            200,
            r#"[{"status":"sent"},{"status":"rejected","reject_reason":"hard-bounce"}]"#,
            Some((Rejected, "recipient rejected: hard-bounce")),
        ),
        (
            "mandrill",
            200,
            r#"[{"status":"invalid"}]"#,
            Some((Rejected, "recipient invalid: no reason given")),
        ),
        (
            "mandrill",
            200,
            r#"[{"status":"bounced"}]"#,
            Some((Unexpected, "unknown status of a recipient: bounced")),
        ),
        ("mandrill", 200, "[]", Some((Unexpected, "the answer lists no recipients"))),
        ("mandrill", 200, "ok", Some((Unexpected, "the answer lists no recipients"))),
        (
            "mandrill",
            500,
            r#"{"status":"error","code":-1,"name":"Invalid_Key","message":"Invalid API key"}"#,
            Some((Unauthenticated, "Invalid API key")),
        ),
        (
            "mandrill",
            500,
            r#"{"status":"error","code":-2,"name":"ValidationError","message":"Validation error"}"#,
            Some((Rejected, "Validation error")),
        ),
        (
            "mandrill",
            500,
            r#"{"status":"error","name":"GeneralError","message":"x"}"#,
            Some((Unavailable, "x")),
        ),
        (
            "sparkpost",
            200,
            r#"{"results":{"total_rejected_recipients":0,"total_accepted_recipients":1,"id":"1"}}"#,
            None,
        ),
        (
            "sparkpost",
            200,
            r#"{"results":{"total_rejected_recipients":1,"total_accepted_recipients":0}}"#,
            Some((Rejected, "1 recipient(s) rejected")),
        ),
        (
            "sparkpost",
            400,
            r#"{"errors":[{"message":"Message generation rejected","description":"recipient address suppressed","code":"1902"}]}"#,
            Some((Rejected, "Message generation rejected (recipient address suppressed)")),
        ),
        (
            "sparkpost",
            420,
            r#"{"errors":[{"message":"Exceed Sending Limit (hourly)"}]}"#,
            Some((Throttled, "Exceed Sending Limit (hourly)")),
        ),
        ("resend", 200, r#"{"id":"49a3999c"}"#, None),
        (
            "resend",
            403,
            r#"{"statusCode":403,"name":"invalid_api_key","message":"API key is invalid"}"#,
            Some((Unauthenticated, "API key is invalid")),
        ),
        (
            "resend",
            403,
            r#"{"statusCode":403,"name":"validation_error","message":"The shop.example domain is not verified"}"#,
            Some((Forbidden, "The shop.example domain is not verified")),
        ),
        (
            "resend",
            422,
            r#"{"name":"missing_required_field","message":"Missing `to`\nfield"}"#,
            Some((Rejected, "Missing `to` field")),
        ),
        ("ses", 200, r#"{"MessageId":"1"}"#, None),
        (
            "ses",
            403,
            r#"{"message":"not authorized to perform ses:SendEmail"}"#,
            Some((Forbidden, "not authorized to perform ses:SendEmail")),
        ),
        (
            "ses",
            400,
            r#"{"message":"Email address is not verified."}"#,
            Some((Rejected, "Email address is not verified.")),
        ),
        ("azure_cs", 202, r#"{"id":"1","status":"Running"}"#, None),
        (
            "azure_cs",
            202,
            r#"{"id":"1","status":"Failed","error":{"code":"EmailDropped","message":"all recipients are suppressed"}}"#,
            Some((Rejected, "all recipients are suppressed")),
        ),
        (
            "azure_cs",
            401,
            r#"{"error":{"code":"Denied","message":"Denied by the resource provider."}}"#,
            Some((Unauthenticated, "Denied: Denied by the resource provider.")),
        ),
        ("ms365", 202, "", None),
        (
            "ms365",
            403,
            r#"{"error":{"code":"ErrorAccessDenied","message":"Access is denied."}}"#,
            Some((Forbidden, "ErrorAccessDenied: Access is denied.")),
        ),
        ("smtp", 200, r#"{"message":"250 queued"}"#, None),
        ("smtp", 422, r#"{"message":"550 no such user"}"#, Some((Rejected, "550 no such user"))),
        ("resend", 302, "", Some((Unexpected, "no message"))),
        ("resend", 408, "", Some((Unavailable, "no message"))),
    ];
    for (name, status, body, expected) in table {
        let provider = provider(
            &json!({"name": name, "credentials": {"domain": "mg.shop.example", "region": region(name)}}),
        );
        let answer = provider.read_answer(&response(*status, body.as_bytes()));
        let found = answer.as_ref().err().map(|refusal| (refusal.kind(), refusal.message()));
        assert_eq!(found, *expected, "{name} {status} {body}");
        if let Err(refusal) = answer {
            assert_eq!(refusal.status(), *status);
        }
    }
}

#[test]
fn a_long_answer_is_cut() {
    let body = json!({"message": "x".repeat(10_000)}).to_string();
    let refusal =
        provider(&json!({"name": "resend"})).read_answer(&response(400, body.as_bytes())).unwrap_err();
    assert_eq!(refusal.message().chars().count(), 401);
    assert!(provider(&json!({"name": "resend"})).read_answer(&response(400, &[0xff, 0xfe])).is_err());
}

#[test]
fn aws_names_its_errors_in_a_header() {
    use RefusalKind::*;
    let ses = &all()[7];
    for (status, name, kind) in [
        (403, "SignatureDoesNotMatch:http://internal.amazon.com/coral/", Unauthenticated),
        (403, "UnrecognizedClientException", Unauthenticated),
        (403, "AccessDeniedException", Forbidden),
        (400, "LimitExceededException", Throttled),
        (400, "MessageRejected", Rejected),
        (429, "TooManyRequestsException", Throttled),
    ] {
        let headers = vec![("x-amzn-errortype".to_owned(), name.to_owned())];
        let response = Response { headers, ..response(status, b"{\"message\":\"m\"}") };
        assert_eq!(ses.read_answer(&response).unwrap_err().kind(), kind, "{name}");
    }
}
