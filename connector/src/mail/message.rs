//! Who writes to whom, and what: values that cannot break out of the header they end up in.
//!
//! Names and subjects carry data of end users into mail headers. A line break there would add a header (a blind copy
//! to a stranger, say), so it is refused where the value is made, not left to each provider's care.

use std::fmt;
use std::str::FromStr;

use crate::settings::Domain;

/// Longest address that mail servers take (RFC 5321, erratum 1690: a path of 256 with its brackets).
const MAX_ADDRESS: usize = 254;

/// Longest part before the `@` (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL: usize = 64;

/// Longest display name: as an address, so that one folded header line holds both.
const MAX_NAME: usize = 254;

/// Longest subject, in characters (Auth0, Flows "Send email": `subject` 1..255).
const MAX_SUBJECT: usize = 255;

/// Most recipients of one request: Resend takes 50, the others more.
const MAX_RECIPIENTS: usize = 50;

/// A message that is refused before any request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MessageError {
    /// The text is no mail address.
    #[error("`{address}` is not a mail address: {rule}")]
    Address {
        /// The text, cut and without control characters.
        address: String,
        /// What an address must be.
        rule: &'static str,
    },
    /// The display name cannot stand in a header.
    #[error("the name of a mailbox {rule}")]
    Name {
        /// What is wrong with it.
        rule: &'static str,
    },
    /// The subject cannot stand in a header.
    #[error("the subject {rule}")]
    Subject {
        /// What is wrong with it.
        rule: &'static str,
    },
    /// Nobody to send to, or too many.
    #[error("a mail goes to 1 to {MAX_RECIPIENTS} recipients, not to {count}")]
    Recipients {
        /// How many there are.
        count: usize,
    },
}

/// A mail address without a name: `ada@example.com`.
///
/// ASCII only: what a provider does with other characters differs, and Auth0 stores domains in Punycode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address(String);

impl Address {
    /// Returns the address as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Address {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        match address_fault(text) {
            None => Ok(Self(text.to_owned())),
            Some(rule) => Err(MessageError::Address { address: shown(text), rule }),
        }
    }
}

fn address_fault(text: &str) -> Option<&'static str> {
    if text.len() > MAX_ADDRESS {
        return Some("it is longer than 254 bytes");
    }
    if text.chars().any(char::is_control) {
        return Some("control characters and line breaks are refused");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Some("it needs an `@`");
    };
    if local.is_empty() || local.len() > MAX_LOCAL {
        return Some("the part before the `@` has 1 to 64 characters");
    }
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    if !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom)) {
        return Some("the part before the `@` has letters, digits, !#$%&'*+-/=?^_`{|}~ and single dots");
    }
    if !is_host_name(domain) {
        return Some(
            "the domain has two or more parts of letters, digits and hyphens (other scripts in Punycode)",
        );
    }
    None
}

/// Returns whether a text is the name of a host with at least two labels, and no IP address.
pub(super) fn is_host_name(text: &str) -> bool {
    text.parse::<Domain>().is_ok()
}

/// A sender or recipient: an address, and the name that mail programs show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mailbox {
    name: Option<String>,
    address: Address,
}

impl Mailbox {
    /// Makes a mailbox; an empty or blank name is none.
    ///
    /// # Errors
    ///
    /// Refuses a name with control characters or line breaks, and one of more than 254 bytes.
    pub(crate) fn new(name: Option<&str>, address: Address) -> Result<Self, MessageError> {
        let name = name.map(|name| name.trim_matches(' ')).filter(|name| !name.is_empty());
        if let Some(name) = name {
            if name.chars().any(breaks_header) {
                return Err(MessageError::Name { rule: "has control characters or line breaks" });
            }
            if name.len() > MAX_NAME {
                return Err(MessageError::Name { rule: "is longer than 254 bytes" });
            }
        }
        Ok(Self { name: name.map(str::to_owned), address })
    }

    /// Returns the display name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the address.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}

impl From<Address> for Mailbox {
    fn from(address: Address) -> Self {
        Self { name: None, address }
    }
}

/// Reads `ada@example.com`, `<ada@example.com>`, `Ada <ada@example.com>` and `"Lovelace, Ada" <ada@example.com>`.
impl FromStr for Mailbox {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        // Not `trim`: a line break at the end is refused, not forgiven.
        let text = text.trim_matches(' ');
        let Some(inside) = text.strip_suffix('>') else {
            return Ok(Self::from(text.parse::<Address>()?));
        };
        let Some((name, address)) = inside.rsplit_once('<') else {
            return Err(MessageError::Address { address: shown(text), rule: "`>` without `<`" });
        };
        let name = name.trim_matches(' ');
        let address = address.parse()?;
        match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => Self::new(Some(&unquoted(quoted)?), address),
            None if name.contains(['<', '>', '"']) => {
                Err(MessageError::Name { rule: "has `<`, `>` or a lone quote; put it into double quotes" })
            }
            None => Self::new(Some(name), address),
        }
    }
}

fn unquoted(text: &str) -> Result<String, MessageError> {
    let mut name = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => name.extend(chars.next()),
            '"' => return Err(MessageError::Name { rule: "has a quote that is not escaped" }),
            other => name.push(other),
        }
    }
    Ok(name)
}

/// Writes the form of RFC 5322, the name in quotes where it needs them.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = &self.name else { return self.address.fmt(f) };
        let is_plain = |char: char| char.is_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(char);
        if name.chars().all(is_plain) {
            return write!(f, "{name} <{}>", self.address);
        }
        f.write_str("\"")?;
        for char in name.chars() {
            if matches!(char, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{char}")?;
        }
        write!(f, "\" <{}>", self.address)
    }
}

/// A mail, ready to be handed to a provider.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    from: Mailbox,
    to: Vec<Mailbox>,
    subject: String,
    html: String,
}

impl Message {
    /// Makes a message from its rendered parts.
    ///
    /// # Errors
    ///
    /// Refuses a subject that is empty, longer than 255 characters, or has control characters or line breaks, and
    /// fewer than 1 or more than 50 recipients.
    pub(crate) fn new(
        from: Mailbox,
        to: Vec<Mailbox>,
        subject: impl Into<String>,
        html: impl Into<String>,
    ) -> Result<Self, MessageError> {
        let (subject, html) = (subject.into(), html.into());
        let rule = if subject.trim().is_empty() {
            Some("is empty")
        } else if subject.chars().nth(MAX_SUBJECT).is_some() {
            Some("is longer than 255 characters")
        } else if subject.chars().any(breaks_header) {
            Some("has control characters or line breaks")
        } else {
            None
        };
        match rule {
            Some(rule) => Err(MessageError::Subject { rule }),
            None if to.is_empty() || to.len() > MAX_RECIPIENTS => {
                Err(MessageError::Recipients { count: to.len() })
            }
            None => Ok(Self { from, to, subject, html }),
        }
    }

    /// Returns the sender.
    pub(crate) fn from(&self) -> &Mailbox {
        &self.from
    }

    /// Returns the recipients, at least one.
    pub(crate) fn to(&self) -> &[Mailbox] {
        &self.to
    }

    /// Returns the subject.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the body.
    pub(crate) fn html(&self) -> &str {
        &self.html
    }
}

/// Leaves out subject and body: they hold links that log people in.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("html_bytes", &self.html.len())
            .finish_non_exhaustive()
    }
}

/// Also the line and paragraph separators of Unicode, which some mail programs break at.
fn breaks_header(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')
}

fn shown(text: &str) -> String {
    /// Enough to recognise the value in a log line.
    const MAX_SHOWN: usize = 64;

    text.chars().take(MAX_SHOWN).map(|char| if breaks_header(char) { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_or_say_why_not() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}com", "abcdefghi.".repeat(26));
        let table: &[(&str, bool)] = &[
            ("ada@example.com", true),
            ("a.b+c@sub.example.co", true),
            ("o'brien@example.com", true),
            ("ada@xn--bcher-kva.example", true),
            ("", false),
            ("ada", false),
            ("@example.com", false),
            ("ada@", false),
            ("ada@localhost", false),
            ("ada@example..com", false),
            ("ada@-example.com", false),
            ("ada@example.com.", false),
            (".ada@example.com", false),
            ("a..b@example.com", false),
            ("a b@example.com", false),
            ("a@b@example.com", false),
            ("\"a b\"@example.com", false),
            ("ada@example.com,eve@example.com", false),
            ("ada@example.com\r\nBcc: eve@example.com", false),
            ("ada@example.com\n", false),
            ("ada\0@example.com", false),
            ("ada@exämple.com", false),
            ("ada@[127.0.0.1]", false),
            ("ada@127.0.0.1", false),
            (&long, false),
            (&longer, false),
        ];
        for (text, valid) in table {
            let parsed = text.parse::<Address>();
            assert_eq!(parsed.is_ok(), *valid, "{text:?}: {parsed:?}");
            if let Err(error) = parsed {
                assert!(!error.to_string().contains(char::is_control), "{error}");
            }
        }
    }

    #[test]
    fn mailboxes_parse_and_print_in_one_form() {
        let table: &[(&str, Option<&str>, &str)] = &[
            ("ada@example.com", None, "ada@example.com"),
            ("<ada@example.com>", None, "ada@example.com"),
            (" Ada Lovelace <ada@example.com> ", Some("Ada Lovelace"), "Ada Lovelace <ada@example.com>"),
            (
                "\"Lovelace, Ada\" <ada@example.com>",
                Some("Lovelace, Ada"),
                "\"Lovelace, Ada\" <ada@example.com>",
            ),
            ("\"A \\\"B\\\" \\\\\" <a@b.co>", Some("A \"B\" \\"), "\"A \\\"B\\\" \\\\\" <a@b.co>"),
            ("Zoë <z@b.co>", Some("Zoë"), "Zoë <z@b.co>"),
            ("Ada, Eve <a@b.co>", Some("Ada, Eve"), "\"Ada, Eve\" <a@b.co>"),
            ("\"\" <a@b.co>", None, "a@b.co"),
        ];
        for (text, name, printed) in table {
            let mailbox: Mailbox = text.parse().unwrap();
            assert_eq!((mailbox.name(), mailbox.to_string().as_str()), (*name, *printed));
            assert_eq!(mailbox.to_string().parse(), Ok(mailbox));
        }
    }

    #[test]
    fn mailboxes_that_could_add_a_header_are_refused() {
        for text in [
            "Ada\r\nBcc: eve@example.com <ada@example.com>",
            "Ada\n<ada@example.com>",
            "ada@example.com\r\n",
            "\"Ada\r\n\" <ada@example.com>",
            "Ada\u{2028} <ada@example.com>",
            "Ada\u{0} <ada@example.com>",
            "Eve <eve@example.com> <ada@example.com>",
            "\"Ada <ada@example.com>",
            "\"A\" B\" <a@b.co>",
            "Ada ada@example.com>",
            "Ada <ada@example.com",
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
        }
        let address: Address = "a@b.co".parse().unwrap();
        assert!(Mailbox::new(Some(&"x".repeat(255)), address.clone()).is_err());
        assert!(Mailbox::new(Some("a\tb"), address.clone()).is_err());
        assert_eq!(Mailbox::new(Some("  "), address.clone()), Ok(Mailbox::from(address)));
    }

    #[test]
    fn messages_keep_to_auth0s_limits() {
        let mailbox: Mailbox = "a@b.co".parse().unwrap();
        let message = |to: usize, subject: &str| {
            Message::new(mailbox.clone(), vec![mailbox.clone(); to], subject, "<p>secret link</p>")
        };
        assert!(message(1, "ü".repeat(255).as_str()).is_ok());
        for (to, subject) in [
            (1, ""),
            (1, " "),
            (1, "a\nb"),
            (1, "a\u{2029}b"),
            (0, "a"),
            (51, "a"),
            (1, "ü".repeat(256).as_str()),
        ] {
            assert!(message(to, subject).is_err(), "{to} {subject:?}");
        }
        assert!(!format!("{:?}", message(1, "a").unwrap()).contains("secret"));
    }
}
