//! Stand-ins for the email providers' HTTP APIs, and the outbox that they fill.

mod azure;
mod microsoft365;
mod ses;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::call::Answer;
use crate::control::Mail;
use crate::http_server::{Incomer, Outcome};
use crate::server::Shared;
use crate::tenant::Tenant;
use crate::{ids, time};

/// An address that Mandrill's stand-in rejects, as a real account does for addresses on its deny list.
const REJECTED_LOCAL_PART: &str = "rejected";

/// Accounts with the email providers that want more than a key. The secret of each is the key of all stand-ins.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailAccounts {
    /// Of Amazon SES: the id of the access key. Any region will do.
    pub ses_access_key_id: &'static str,
    /// Of Azure Communication Services: endpoint and access key.
    pub azure_connection_string: String,
    /// Of Microsoft 365: the directory.
    pub ms365_tenant_id: &'static str,
    /// Of Microsoft 365: the application.
    pub ms365_client_id: &'static str,
}

impl MailAccounts {
    pub(crate) fn new(origin: &str, key: &str) -> Self {
        Self {
            ses_access_key_id: ses::ACCESS_KEY_ID,
            azure_connection_string: format!("endpoint={origin};accesskey={}", STANDARD.encode(key)),
            ms365_tenant_id: microsoft365::TENANT_ID,
            ms365_client_id: microsoft365::CLIENT_ID,
        }
    }
}

/// Leaves out the connection string: it has the key in it.
impl std::fmt::Debug for MailAccounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailAccounts")
            .field("ses_access_key_id", &self.ses_access_key_id)
            .finish_non_exhaustive()
    }
}

/// Answers a request to the email listener.
pub(crate) fn answer(shared: &Shared, incomer: &Incomer) -> Outcome {
    let mut tenant = shared.tenant();
    let segments: Vec<&str> = incomer.path.trim_matches('/').split('/').collect();
    let post = incomer.method == http::Method::POST;
    let (route, outcome) = match segments.as_slice() {
        ["v3", "mail", "send"] if post => ("/v3/mail/send", sendgrid(&mut tenant, incomer)),
        ["v3", domain, "messages"] if post => {
            ("/v3/{domain}/messages", mailgun(&mut tenant, incomer, domain))
        }
        ["api", "1.0", "messages", "send" | "send.json"] if post => {
            ("/api/1.0/messages/send", mandrill(&mut tenant, incomer))
        }
        ["api", "v1", "transmissions"] if post => ("/api/v1/transmissions", sparkpost(&mut tenant, incomer)),
        ["emails"] if post => ("/emails", resend(&mut tenant, incomer)),
        ["v2", "email", "outbound-emails"] if post => {
            ("/v2/email/outbound-emails", ses::answer(&mut tenant, incomer))
        }
        ["emails:send"] if post => ("/emails:send", azure::answer(&mut tenant, incomer)),
        [directory, "oauth2", "v2.0", "token"] if post => {
            ("/{tenant}/oauth2/v2.0/token", microsoft365::token(&mut tenant, incomer, directory))
        }
        ["v1.0", "users", sender, "sendMail"] if post => {
            ("/v1.0/users/{id}/sendMail", microsoft365::answer(&mut tenant, incomer, sender))
        }
        _ => {
            return Answer::json(StatusCode::NOT_FOUND, json!({"message": "Not Found"})).into();
        }
    };
    let authorized = outcome.status != StatusCode::UNAUTHORIZED && outcome.status != StatusCode::FORBIDDEN;
    Outcome { answer: outcome, route: Some(route.to_owned()), authorized }
}

fn authorization(incomer: &Incomer) -> &str {
    incomer.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn bearer_fits(tenant: &Tenant, incomer: &Incomer) -> bool {
    authorization(incomer).strip_prefix("Bearer ").is_some_and(|key| key == tenant.mail_api_key)
}

fn body(incomer: &Incomer) -> Option<Value> {
    serde_json::from_slice::<Value>(&incomer.body).ok().filter(Value::is_object)
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Splits `Name <address>`.
fn address(given: &str) -> (String, Option<String>) {
    match given.rsplit_once('<') {
        Some((name, rest)) => {
            let name = name.trim().trim_matches('"').trim();
            (
                rest.trim_end().trim_end_matches('>').trim().to_owned(),
                (!name.is_empty()).then(|| name.to_owned()),
            )
        }
        None => (given.trim().to_owned(), None),
    }
}

fn accept(tenant: &mut Tenant, incomer: &Incomer, mut mail: Mail) -> String {
    mail.at = time::now_iso();
    mail.host = incomer.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let id = mail.id.clone();
    tenant.counts.mails_accepted += 1;
    tenant.outbox.push(mail);
    id
}

fn sendgrid(tenant: &mut Tenant, incomer: &Incomer) -> Answer {
    let refuse = |status: StatusCode, message: &str, field: Option<&str>| {
        Answer::json(status, json!({"errors": [{"message": message, "field": field, "help": null}]}))
    };
    if !bearer_fits(tenant, incomer) {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "The provided authorization grant is invalid, expired, or revoked",
            None,
        );
    }
    let Some(body) = body(incomer) else { return refuse(StatusCode::BAD_REQUEST, "Bad Request", None) };
    let to: Vec<String> = body
        .pointer("/personalizations/0/to")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(|one| text(one, "email")).collect())
        .unwrap_or_default();
    let Some(from) = body.pointer("/from/email").and_then(Value::as_str) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.  e.g. {\"email\" : \"example@example.com\"}  or {\"email\" : \"example@example.com\", \"name\" : \"Example Recipient\"}.",
            Some("from.email"),
        );
    };
    if to.is_empty() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The to array is required for all personalization objects, and must have at least one email object with a valid email address.",
            Some("personalizations.0.to"),
        );
    }
    let subject = text(&body, "subject")
        .or_else(|| body.pointer("/personalizations/0/subject").and_then(Value::as_str).map(str::to_owned));
    let Some(subject) = subject else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined.",
            Some("subject"),
        );
    };
    let content = |kind: &str| {
        body.get("content")
            .and_then(Value::as_array)
            .and_then(|all| all.iter().find(|part| part.get("type").and_then(Value::as_str) == Some(kind)))
            .and_then(|part| text(part, "value"))
    };
    let (html, plain) = (content("text/html"), content("text/plain"));
    if html.is_none() && plain.is_none() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We typically suggest both text/plain and text/html blocks are included, but only one block is required.",
            Some("content"),
        );
    }
    let id = ids::secret(22);
    let mail = Mail {
        provider: "sendgrid".into(),
        from: from.to_owned(),
        from_name: body.pointer("/from/name").and_then(Value::as_str).map(str::to_owned),
        to,
        subject,
        html,
        text: plain,
        id,
        ..Mail::default()
    };
    let id = accept(tenant, incomer, mail);
    Answer { status: StatusCode::ACCEPTED, ..Answer::no_content() }.header("x-message-id", &id)
}

fn mailgun(tenant: &mut Tenant, incomer: &Incomer, domain: &str) -> Answer {
    let key = authorization(incomer)
        .strip_prefix("Basic ")
        .and_then(|encoded| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if key.as_deref().and_then(|pair| pair.strip_prefix("api:")) != Some(tenant.mail_api_key.as_str()) {
        return Answer::text(StatusCode::UNAUTHORIZED, "text/html; charset=utf-8", "Forbidden");
    }
    let fields = form(incomer);
    let all = |name: &str| {
        fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let one = |name: &str| all(name).into_iter().next().filter(|text| !text.is_empty());
    let missing = |name: &str| {
        Answer::json(StatusCode::BAD_REQUEST, json!({"message": format!("{name} parameter is missing")}))
    };
    let Some(from) = one("from") else { return missing("from") };
    let to: Vec<String> =
        all("to").iter().flat_map(|list| list.split(',')).map(|given| address(given).0).collect();
    if to.iter().all(String::is_empty) {
        return missing("to");
    }
    if one("html").is_none() && one("text").is_none() {
        return Answer::json(
            StatusCode::BAD_REQUEST,
            json!({"message": "Need at least one of 'text' or 'html' parameters specified"}),
        );
    }
    let (from, from_name) = address(&from);
    let mail = Mail {
        provider: "mailgun".into(),
        from,
        from_name,
        to,
        subject: one("subject").unwrap_or_default(),
        html: one("html"),
        text: one("text"),
        domain: Some(domain.to_owned()),
        id: format!("<{}@{domain}>", ids::secret(24)),
        ..Mail::default()
    };
    let id = accept(tenant, incomer, mail);
    Answer::ok(json!({"id": id, "message": "Queued. Thank you."}))
}

/// The fields of a urlencoded or multipart form.
fn form(incomer: &Incomer) -> Vec<(String, String)> {
    let kind =
        incomer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(boundary) = kind
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="))
        .filter(|_| kind.starts_with("multipart/form-data"))
    else {
        return form_urlencoded::parse(&incomer.body)
            .map(|(k, v)| (k.into_owned(), v.into_owned()))
            .collect();
    };
    let body = String::from_utf8_lossy(&incomer.body);
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    body.split(&delimiter)
        .filter_map(|part| part.split_once("\r\n\r\n"))
        .filter_map(|(head, value)| {
            let name = head.split("name=\"").nth(1)?.split('"').next()?;
            Some((name.to_owned(), value.strip_suffix("\r\n").unwrap_or(value).to_owned()))
        })
        .collect()
}

fn mandrill(tenant: &mut Tenant, incomer: &Incomer) -> Answer {
    let refuse = |status: StatusCode, code: i64, name: &str, message: &str| {
        Answer::json(status, json!({"status": "error", "code": code, "name": name, "message": message}))
    };
    let body = body(incomer).unwrap_or(Value::Object(Map::new()));
    if text(&body, "key").as_deref() != Some(tenant.mail_api_key.as_str()) {
        return refuse(StatusCode::UNAUTHORIZED, -1, "Invalid_Key", "Invalid API key");
    }
    let Some(message) = body.get("message").filter(|message| message.is_object()) else {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            -2,
            "ValidationError",
            "You must specify a message value",
        );
    };
    let to: Vec<String> = message
        .get("to")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(|one| text(one, "email")).collect())
        .unwrap_or_default();
    let from = text(message, "from_email");
    if to.is_empty() || from.is_none() {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            -2,
            "ValidationError",
            "Validation error: {\"message\":{\"to\":\"Please enter an array\"}}",
        );
    }
    let mut results = Vec::new();
    let mut accepted = Vec::new();
    for one in to {
        let id = ids::secret(32).to_lowercase();
        if one.starts_with(REJECTED_LOCAL_PART) {
            results
                .push(json!({"email": one, "status": "rejected", "_id": id, "reject_reason": "hard-bounce"}));
        } else {
            results.push(json!({"email": one, "status": "sent", "_id": id, "reject_reason": null}));
            accepted.push(one);
        }
    }
    if !accepted.is_empty() {
        let mail = Mail {
            provider: "mandrill".into(),
            from: from.unwrap_or_default(),
            from_name: text(message, "from_name"),
            to: accepted,
            subject: text(message, "subject").unwrap_or_default(),
            html: text(message, "html"),
            text: text(message, "text"),
            id: ids::secret(32),
            ..Mail::default()
        };
        accept(tenant, incomer, mail);
    }
    Answer::ok(results)
}

/// Turns SparkPost's expressions for double curly brackets into them, as its renderer does. In one pass: what comes out
/// is not read again.
fn rendered(template: &str) -> String {
    const EXPRESSIONS: [(&str, &str); 2] =
        [("{{opening_double_curly()}}", "{{"), ("{{closing_double_curly()}}", "}}")];
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let expression =
            EXPRESSIONS.iter().find_map(|(name, value)| Some((from.strip_prefix(name)?, *value)));
        // Other expressions stay as they are: the connector sends none, and one that slips through should be seen.
        let (after, value) = expression.unwrap_or_else(|| (from.get(1..).unwrap_or_default(), "{"));
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    text
}

fn sparkpost(tenant: &mut Tenant, incomer: &Incomer) -> Answer {
    if authorization(incomer) != tenant.mail_api_key {
        // SparkPost's word for a missing or a wrong key.
        return Answer::json(StatusCode::UNAUTHORIZED, json!({"errors": [{"message": "Unauthorized."}]}));
    }
    let body = body(incomer).unwrap_or(Value::Object(Map::new()));
    let refuse = |description: &str| {
        Answer::json(
            StatusCode::UNPROCESSABLE_ENTITY,
            json!({"errors": [{"message": "required field is missing", "description": description, "code": "1400"}]}),
        )
    };
    let to: Vec<String> = body
        .get("recipients")
        .and_then(Value::as_array)
        .map(|all| {
            all.iter()
                .filter_map(|one| text(one.get("address")?, "email").or_else(|| text(one, "address")))
                .collect()
        })
        .unwrap_or_default();
    if to.is_empty() {
        return refuse("recipients or list_id required");
    }
    let from = body.pointer("/content/from");
    let (from, from_name) = match from {
        Some(Value::String(given)) => address(given),
        Some(object) => (text(object, "email").unwrap_or_default(), text(object, "name")),
        None => return refuse("content.from is a required field"),
    };
    let content =
        |name: &str| body.get("content").and_then(|content| text(content, name)).map(|text| rendered(&text));
    let Some(subject) = content("subject") else { return refuse("content.subject is a required field") };
    let count = to.len();
    let mail = Mail {
        provider: "sparkpost".into(),
        from,
        from_name,
        to,
        subject,
        html: content("html"),
        text: content("text"),
        // Transmission ids are numbers of 17 digits.
        id: format!("1{:016}", tenant.counts.mails_accepted + 1),
        ..Mail::default()
    };
    let id = accept(tenant, incomer, mail);
    Answer::ok(
        json!({"results": {"total_rejected_recipients": 0, "total_accepted_recipients": count, "id": id}}),
    )
}

fn resend(tenant: &mut Tenant, incomer: &Incomer) -> Answer {
    let refuse = |status: StatusCode, name: &str, message: &str| {
        Answer::json(status, json!({"statusCode": status.as_u16(), "name": name, "message": message}))
    };
    if authorization(incomer).is_empty() {
        return refuse(StatusCode::UNAUTHORIZED, "missing_api_key", "Missing API Key");
    }
    if !bearer_fits(tenant, incomer) {
        // Resend's page on errors: 401 for a missing key, 403 for an invalid one.
        return refuse(StatusCode::FORBIDDEN, "invalid_api_key", "API key is invalid");
    }
    let body = body(incomer).unwrap_or(Value::Object(Map::new()));
    let to: Vec<String> = match body.get("to") {
        Some(Value::String(one)) => vec![address(one).0],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(|one| address(one).0).collect(),
        _ => Vec::new(),
    };
    for (name, there) in [
        ("from", body.get("from").is_some()),
        ("to", !to.is_empty()),
        ("subject", body.get("subject").is_some()),
    ] {
        if !there {
            return refuse(
                StatusCode::UNPROCESSABLE_ENTITY,
                "missing_required_field",
                &format!("Missing `{name}` field."),
            );
        }
    }
    let (from, from_name) = address(&text(&body, "from").unwrap_or_default());
    let serial = tenant.counts.mails_accepted + 1;
    let mail = Mail {
        provider: "resend".into(),
        from,
        from_name,
        to,
        subject: text(&body, "subject").unwrap_or_default(),
        html: text(&body, "html"),
        text: text(&body, "text"),
        id: format!("49a3999c-0ce1-4ea6-ab68-{serial:012x}"),
        ..Mail::default()
    };
    let id = accept(tenant, incomer, mail);
    Answer::ok(json!({"id": id}))
}

#[cfg(test)]
mod tests {
    use super::rendered;

    #[test]
    fn sparkpost_s_expressions_for_curly_brackets_are_rendered_once() {
        for (template, expected) in [
            ("plain { } text", "plain { } text"),
            ("{{opening_double_curly()}}x{{closing_double_curly()}}", "{{x}}"),
            ("{{opening_double_curly()}}{a{{closing_double_curly()}}}", "{{{a}}}"),
            ("{{{opening_double_curly()}}", "{{{"),
            ("{{opening_double_curly()}}closing_double_curly()}}", "{{closing_double_curly()}}"),
            ("{{name}} {{", "{{name}} {{"),
        ] {
            assert_eq!(rendered(template), expected, "{template}");
        }
    }
}
