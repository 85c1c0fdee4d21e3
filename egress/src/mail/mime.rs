//! What the component posts for SMTP, made MIME of.
//!
//! The component checks addresses and subjects too; here it is not trusted to have done so. A line break in a name or
//! a subject would be a header of the sender's choice, and one in an address a command of the SMTP session.

use std::collections::BTreeMap;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use serde::Deserialize;

/// The headers that Auth0 lets a tenant add to emails over SMTP (Management API, `PATCH /emails/provider`).
const OWN_HEADERS: &[&str] = &["X-MC-ViewContentLink", "X-SES-Configuration-Set"];

/// Most recipients: what every server must take (RFC 5321, section 4.5.3.1.8).
const MAX_RECIPIENTS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostedEmail {
    from: NamedAddress,
    to: Vec<NamedAddress>,
    subject: String,
    html: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedAddress {
    email: String,
    name: Option<String>,
}

impl NamedAddress {
    fn mailbox(self) -> Result<Mailbox, String> {
        let name = self.name.map(|name| one_line("a name", name)).transpose()?;
        // ASCII only: SMTPUTF8 is spoken by few servers, and domains have Punycode.
        let plain = self.email.is_ascii() && !self.email.bytes().any(|byte| byte.is_ascii_control());
        let address = self.email.parse::<Address>().ok().filter(|_| plain);
        let address = address.ok_or("an email address is invalid, or is not ASCII")?;
        Ok(Mailbox::new(name, address))
    }
}

/// An email as it goes over the wire.
pub(super) struct MimeMessage {
    pub(super) envelope: Envelope,
    pub(super) text: Vec<u8>,
}

/// Reads what the component has posted.
pub(super) fn read(body: &[u8]) -> Result<MimeMessage, String> {
    let posted: PostedEmail = serde_json::from_slice(body)
        .map_err(|error| format!("the email is not in the form that the host expects: {error}"))?;
    if posted.to.len() > MAX_RECIPIENTS {
        return Err(format!(
            "an email to {} recipients: at most {MAX_RECIPIENTS} are allowed",
            posted.to.len()
        ));
    }
    let from = posted.from.mailbox()?;
    // The sender's domain makes it unique, as RFC 5322 (section 3.6.4) recommends; this machine's name is nobody's
    // business.
    let message_id = format!("<{}@{}>", unique()?, from.email.domain());
    let mut message = Message::builder()
        .from(from)
        .subject(one_line("the subject", posted.subject)?)
        .message_id(Some(message_id));
    for address in posted.to {
        message = message.to(address.mailbox()?);
    }
    for (name, value) in posted.headers {
        let known = OWN_HEADERS.iter().find(|known| known.eq_ignore_ascii_case(&name));
        let known =
            known.ok_or_else(|| format!("header not allowed; only {} are", OWN_HEADERS.join(" and ")))?;
        let name = HeaderName::new_from_ascii((*known).to_owned()).map_err(|error| error.to_string())?;
        message = message.raw_header(HeaderValue::new(name, one_line("a header", value)?));
    }
    let message = message
        .singlepart(SinglePart::html(whole_line_breaks(&posted.html)))
        .map_err(|error| format!("the email cannot be composed: {error}"))?;
    let text = message.formatted();
    if has_bare_line_break(&text) {
        return Err("the email has a line break that is not CR LF".to_owned());
    }
    Ok(MimeMessage { envelope: message.envelope().clone(), text })
}

/// Ends lines in one way. Servers that take a bare CR for a line break read `CR . CR` as the end of the email, and what
/// follows as the next one (<https://smtpsmuggling.com>). HTML takes all three for the same (WHATWG, "Preprocessing
/// the input stream").
fn whole_line_breaks(html: &str) -> String {
    html.replace("\r\n", "\n").replace('\r', "\n")
}

/// Returns whether a text has a CR without LF, or an LF without CR.
fn has_bare_line_break(text: &[u8]) -> bool {
    let before = std::iter::once(&0).chain(text);
    let pairs = before.zip(text).any(|pair| {
        matches!(pair, (b'\r', other) if *other != b'\n') || matches!(pair, (other, b'\n') if *other != b'\r')
    });
    pairs || text.last() == Some(&b'\r')
}

fn one_line(what: &str, text: String) -> Result<String, String> {
    let breaks = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    if text.chars().any(breaks) {
        Err(format!("{what} has control characters or line breaks"))
    } else {
        Ok(text)
    }
}

fn unique() -> Result<String, String> {
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).map_err(|_| "no random numbers are available".to_owned())?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn posted() -> Value {
        json!({
            "from": {"email": "people@acme.example", "name": "Acme, \"People\""},
            "to": [{"email": "ana@acme.example"}], "subject": "Zoë's link", "html": "<p>ü\n.\n</p>",
            "headers": {"X-MC-ViewContentLink": "true"},
        })
    }

    fn text(posted: &Value) -> Result<String, String> {
        read(posted.to_string().as_bytes()).map(|message| String::from_utf8(message.text).unwrap())
    }

    #[test]
    fn a_mail_becomes_mime_in_seven_bits() {
        let message = read(posted().to_string().as_bytes()).unwrap();
        assert_eq!(message.envelope.from().unwrap().to_string(), "people@acme.example");
        assert_eq!(message.envelope.to().len(), 1);
        let text = text(&posted()).unwrap();
        assert!(text.is_ascii(), "{text}");
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: =?utf-8?b?QWNtZSwgIlBlb3BsZSI=?= <people@acme.example>",
            "To: ana@acme.example",
            "X-MC-ViewContentLink: true",
            "Content-Type: text/html; charset=utf-8",
            "MIME-Version: 1.0",
        ] {
            assert!(head.lines().any(|found| found == line), "{line} is not in {head}");
        }
        assert!(head.contains("\r\nDate: ") && head.contains("@acme.example>\r\n"), "{head}");
        let id = |text: &str| text.lines().find(|line| line.starts_with("Message-ID: ")).map(str::to_owned);
        assert!(id(&text).is_some());
        assert_ne!(id(&text), id(&self::text(&posted()).unwrap()), "each mail has its own id");
    }

    #[test]
    fn a_bare_cr_reaches_no_smtp_server() {
        let long = "x".repeat(2000);
        for html in [
            "a\r.\rb",
            "\r.\r\nMAIL FROM:<eve@evil.example>\r\n",
            "a\n.\rb",
            "a\r\r\nb\n\r",
            "\r",
            "\u{fc}\r.\r",
            &format!("\r{long}\r"),
        ] {
            let posted = json!({
                "from": {"email": "people@acme.example"}, "to": [{"email": "ana@acme.example"}], "subject": "x",
                "html": html,
            });
            let text = read(posted.to_string().as_bytes()).unwrap().text;
            assert!(!has_bare_line_break(&text), "{html:?}: {}", String::from_utf8_lossy(&text));
        }
        for (text, bare) in [
            ("a\r\nb\r\n", false),
            ("", false),
            ("a\rb", true),
            ("a\r", true),
            ("\n", true),
            ("\r\n\n", true),
            ("\r\r\n", true),
        ] {
            assert_eq!(has_bare_line_break(text.as_bytes()), bare, "{text:?}");
        }
    }

    #[test]
    fn nothing_in_a_mail_adds_a_header_or_a_command() {
        let with = |pointer: &str, value: Value| {
            let mut posted = posted();
            *posted.pointer_mut(pointer).unwrap() = value;
            posted
        };
        for (posted, hint) in [
            (with("/subject", json!("x\r\nBcc: eve@evil.example")), "the subject has control characters"),
            (with("/subject", json!("x\u{2028}y")), "the subject has control characters"),
            (with("/from/name", json!("x\r\nBcc: eve@evil.example")), "a name has control characters"),
            (with("/from/email", json!("a@b.example>\r\nRCPT TO:<eve@evil.example")), "an email address"),
            (with("/to/0/email", json!("a@b.example\r\nRCPT TO:<eve@evil.example>")), "an email address"),
            (with("/to/0/email", json!("a@b.example> SIZE=1")), "an email address"),
            (with("/to/0/email", json!("ünï@b.example")), "an email address"),
            (with("/to", json!([])), "cannot be composed"),
            (with("/to", json!(vec![json!({"email": "a@b.example"}); 101])), "at most 100"),
            (
                with("/headers", json!({"X-SES-Configuration-Set": "x\r\nBcc: eve@evil.example"})),
                "a header has",
            ),
            (with("/headers", json!({"Bcc": "eve@evil.example"})), "header not allowed"),
            (with("/headers", json!({"Sender": "eve@evil.example"})), "header not allowed"),
            (json!({"from": {"email": "a@b.example"}, "raw": "x"}), "not in the form that"),
        ] {
            let problem = text(&posted).unwrap_err();
            assert!(problem.contains(hint) && !problem.contains("evil"), "{posted}: {problem}");
        }
    }
}
