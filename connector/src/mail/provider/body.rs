//! What each provider takes: a message in its own form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::core::paging::set;
use crate::core::request::Request;
use crate::mail::message::{Mailbox, Message};

fn mailbox_json(mailbox: &Mailbox) -> Value {
    match mailbox.name() {
        Some(name) => json!({"email": mailbox.address().as_str(), "name": name}),
        None => json!({"email": mailbox.address().as_str()}),
    }
}

/// <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>
pub(super) fn sendgrid(message: &Message) -> Value {
    let to: Vec<Value> = message.to().iter().map(mailbox_json).collect();
    json!({
        "personalizations": [{"to": to}],
        "from": mailbox_json(message.from()),
        "subject": message.subject(),
        "content": [{"type": "text/html", "value": message.html()}],
    })
}

/// <https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages>
pub(super) fn mailgun(request: Request, message: &Message) -> Request {
    let from = message.from().to_string();
    let to: Vec<String> = message.to().iter().map(Mailbox::to_string).collect();
    let mut fields = vec![("from", from.as_str())];
    fields.extend(to.iter().map(|to| ("to", to.as_str())));
    fields.extend([("subject", message.subject()), ("html", message.html())]);
    request.form(&fields)
}

/// <https://mailchimp.com/developer/transactional/api/messages/send-new-message/>
pub(super) fn mandrill(message: &Message, view_content_link: Option<bool>, key: Option<&str>) -> Value {
    let to: Vec<Value> = message
        .to()
        .iter()
        .map(|mailbox| {
            let mut to = mailbox_json(mailbox);
            set(&mut to, "type", json!("to"));
            to
        })
        .collect();
    // Merge tags (`*|NAME|*`) are not Liquid: what a user has in a profile must not become one.
    let mut content = json!({
        "from_email": message.from().address().as_str(),
        "to": to,
        "subject": message.subject(),
        "html": message.html(),
        "merge": false,
    });
    if let Some(name) = message.from().name() {
        set(&mut content, "from_name", json!(name));
    }
    if let Some(wanted) = view_content_link {
        set(&mut content, "view_content_link", json!(wanted));
    }
    let mut body = json!({});
    if let Some(key) = key {
        set(&mut body, "key", json!(key));
    }
    set(&mut body, "message", content);
    body
}

/// <https://developers.sparkpost.com/api/transmissions/>
pub(super) fn sparkpost(message: &Message) -> Value {
    let recipients: Vec<Value> =
        message.to().iter().map(|mailbox| json!({"address": mailbox_json(mailbox)})).collect();
    let mut from = mailbox_json(message.from());
    if let Some(name) = message.from().name() {
        set(&mut from, "name", json!(without_substitutions(name)));
    }
    json!({
        // Welcome mails and links to log in are no marketing: they must reach people who unsubscribed from that.
        "options": {"transactional": true},
        "recipients": recipients,
        "content": {
            "from": from,
            "subject": without_substitutions(message.subject()),
            "html": without_substitutions(message.html()),
        },
    })
}

/// Keeps SparkPost from running its own template language over a page that is rendered already: `{{ … }}` from a
/// user's profile would otherwise be evaluated there
/// (<https://developers.sparkpost.com/api/template-language/>). Where a lone brace stands before such a place, as in
/// `{}}`, a blank parts them, since three braces would mean something else.
pub(super) fn without_substitutions(text: &str) -> String {
    const OPEN: &str = "{{opening_double_curly()}}";
    const CLOSE: &str = "{{closing_double_curly()}}";

    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let next = [rest.find("{{"), rest.find("}}")].into_iter().flatten().min();
        let Some((before, after)) = next.and_then(|at| rest.split_at_checked(at)) else { break };
        escaped.push_str(before);
        if escaped.ends_with('{') {
            escaped.push(' ');
        }
        escaped.push_str(if after.starts_with("{{") { OPEN } else { CLOSE });
        rest = after.get(2..).unwrap_or_default();
    }
    escaped.push_str(rest);
    escaped
}

/// <https://resend.com/docs/api-reference/emails/send-email>
pub(super) fn resend(message: &Message) -> Value {
    let to: Vec<String> = message.to().iter().map(Mailbox::to_string).collect();
    json!({
        "from": message.from().to_string(),
        "to": to,
        "subject": message.subject(),
        "html": message.html(),
    })
}

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>
pub(super) fn ses(message: &Message, configuration_set: Option<&str>) -> Value {
    let to: Vec<String> = message.to().iter().map(seven_bit).collect();
    let text = |data: &str| json!({"Data": data, "Charset": "UTF-8"});
    let mut body = json!({
        "FromEmailAddress": seven_bit(message.from()),
        "Destination": {"ToAddresses": to},
        "Content": {"Simple": {
            "Subject": text(message.subject()),
            "Body": {"Html": text(message.html())},
        }},
    });
    if let Some(name) = configuration_set {
        set(&mut body, "ConfigurationSetName", json!(name));
    }
    body
}

/// Writes a mailbox as SES takes it: 7 bits only, a name in other scripts in the encoded words of RFC 2047.
fn seven_bit(mailbox: &Mailbox) -> String {
    /// Bytes of one word: 75 characters at most (RFC 2047, section 2), without `=?UTF-8?B?` and `?=` 63, which hold 15
    /// groups of Base64.
    const WORD: usize = 45;

    let Some(name) = mailbox.name().filter(|name| !name.is_ascii()) else { return mailbox.to_string() };
    let mut text = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        // A character is never parted: each word is decoded by itself.
        let (word, more) = rest.split_at(rest.floor_char_boundary(WORD));
        text.push_str(&format!("=?UTF-8?B?{}?= ", STANDARD.encode(word)));
        rest = more;
    }
    format!("{text}<{}>", mailbox.address())
}

/// <https://learn.microsoft.com/en-us/rest/api/communication/email/email/send>. The sender's name is not part of it: Azure
/// keeps one with each sender address.
pub(super) fn azure(message: &Message) -> Value {
    let to: Vec<Value> = message.to().iter().map(|mailbox| named(mailbox, "displayName")).collect();
    json!({
        "senderAddress": message.from().address().as_str(),
        "content": {"subject": message.subject(), "html": message.html()},
        "recipients": {"to": to},
    })
}

/// <https://learn.microsoft.com/en-us/graph/api/user-sendmail>
pub(super) fn microsoft365(message: &Message) -> Value {
    let recipient = |mailbox: &Mailbox| json!({"emailAddress": named(mailbox, "name")});
    let to: Vec<Value> = message.to().iter().map(recipient).collect();
    json!({
        "message": {
            "subject": message.subject(),
            "body": {"contentType": "HTML", "content": message.html()},
            "from": recipient(message.from()),
            "toRecipients": to,
        },
        // Mails hold links that log people in: no copy of them stays in the sender's mailbox.
        "saveToSentItems": false,
    })
}

/// The host's own form: it makes MIME of this.
pub(super) fn smtp(message: &Message, headers: &Map<String, Value>) -> Value {
    let to: Vec<Value> = message.to().iter().map(mailbox_json).collect();
    json!({
        "from": mailbox_json(message.from()),
        "to": to,
        "subject": message.subject(),
        "html": message.html(),
        "headers": headers,
    })
}

fn named(mailbox: &Mailbox, key: &str) -> Value {
    let mut value = json!({"address": mailbox.address().as_str()});
    if let Some(name) = mailbox.name() {
        set(&mut value, key, json!(name));
    }
    value
}
