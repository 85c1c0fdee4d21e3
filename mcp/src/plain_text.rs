//! Text that an agent or a component chose, as a person may see it.
//!
//! A question is read by a person and drawn by a client that nobody knows: a terminal, a page, a chat that renders Markdown.
//! Whatever could end a line, turn letters round, not be seen, load a picture or make a link is written as `\u{…}`.

use std::fmt::Write as _;

/// Letters that print nothing and that Unicode does not count among the format characters: fillers, blanks.
const INVISIBLE: [char; 8] =
    ['\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{2800}', '\u{3164}', '\u{ffa0}', '\u{1d159}'];

/// What begins a link, a picture, a piece of HTML or code in Markdown.
const MARKUP: [char; 5] = ['[', ']', '<', '>', '`'];

/// Quotes a text.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push('"');
    write_escaped(text, &mut shown);
    shown.push('"');
    shown
}

/// Writes a title or a name, without quotes.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    write_escaped(text, &mut shown);
    shown
}

fn write_escaped(text: &str, shown: &mut String) {
    for letter in text.chars() {
        match letter {
            '\'' => shown.push(letter),
            letter if INVISIBLE.contains(&letter) || MARKUP.contains(&letter) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "{}", letter.escape_unicode());
            }
            // What does not print: control and format characters, separators, marks that join the letter before.
            letter => shown.extend(letter.escape_debug()),
        }
    }
}

/// An address that a text names, without what else is in it: a covered value is a secret, and where it sends things is not.
///
/// Returns `scheme://host` of each URL, and the host of a connection string (`Server=…;Password=…`). Where it is not clear
/// which part is the host, it says so instead of showing a piece of a password.
pub(super) fn addresses(text: &str) -> Vec<String> {
    /// More than a log stream or a connection string names.
    const MOST: usize = 8;
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let scheme =
            before.rsplit(|letter: char| !(letter.is_ascii_alphanumeric() || "+-.".contains(letter)));
        let scheme = scheme.map(|text| text.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()));
        let scheme = scheme.take(1).next().unwrap_or_default();
        let end = after.find(|letter: char| letter.is_whitespace() || "/\\?#;,\"'<>".contains(letter));
        let (authority, tail) = after.split_at(end.unwrap_or(after.len()));
        // A password may have a slash in it that nobody has encoded.
        let goes_on = tail.split(char::is_whitespace).next().is_some_and(|tail| tail.contains('@'));
        let address = match host(authority) {
            Some(host) if !(goes_on && !authority.contains('@') && !is_web(scheme)) => {
                format!("{}://{host}", scheme.to_ascii_lowercase())
            }
            _ => format!("{}://(unclear)", scheme.to_ascii_lowercase()),
        };
        push(&mut found, address, MOST);
        rest = tail;
    }
    for part in text.split(';') {
        let Some((name, value)) = part.split_once('=') else { continue };
        let name: String =
            name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
        let names_a_host =
            ["server", "host", "hostname", "datasource", "endpoint", "accountendpoint", "address", "addr"];
        if names_a_host.contains(&name.as_str()) && !value.contains("://") {
            let value = value.trim().trim_start_matches("tcp:");
            let value = value.split([',', '/', '\\']).next().unwrap_or_default();
            push(&mut found, host(value).unwrap_or_else(|| "(unclear)".to_owned()), MOST);
        }
    }
    found
}

fn push(found: &mut Vec<String>, address: String, most: usize) {
    if found.len() < most && !found.contains(&address) {
        found.push(address);
    }
}

/// Schemes whose URLs every reader takes apart alike (WHATWG): the host ends at the first slash.
fn is_web(scheme: &str) -> bool {
    ["http", "https", "ws", "wss"].iter().any(|web| web.eq_ignore_ascii_case(scheme))
}

/// Returns host and port of an authority; nothing where it has no such form. Letters beyond ASCII are escaped: they can
/// look like others.
fn host(authority: &str) -> Option<String> {
    let address = authority.rsplit('@').next().unwrap_or(authority);
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port))
            if host.chars().all(|letter| letter.is_ascii_hexdigit() || ":.".contains(letter)) =>
        {
            (format!("({host})"), port.strip_prefix(':').unwrap_or(port))
        }
        Some(_) => return None,
        None => match address.split_once(':') {
            Some((host, port)) => (host.to_owned(), port),
            None => (address.to_owned(), ""),
        },
    };
    let fits = |letter: char| letter.is_alphanumeric() || "-._():".contains(letter);
    if host.is_empty() || !host.chars().all(fits) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ascii = |letter: char| match letter.is_ascii() {
        true => letter.to_string(),
        false => letter.escape_unicode().to_string(),
    };
    let host: String = host.chars().map(ascii).collect();
    Some(if port.is_empty() { host } else { format!("{host}:{port}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_covered_address_scheme_and_host_are_shown_and_nothing_else() {
        for (text, expected) in [
            ("https://collectors.example/receiver/v1/canary==", &["https://collectors.example"][..]),
            ("HTTPS://user:canary@evil.example:8443/canary?canary", &["https://evil.example:8443"]),
            ("https://good.example@evil.example/canary", &["https://evil.example"]),
            ("https://evil.example\\@good.example/canary", &["https://evil.example"]),
            ("https://evil.example/@good.example", &["https://evil.example"]),
            ("postgres://app:canary@db.example:5432/users", &["postgres://db.example:5432"]),
            ("postgres://app:ca/nary@db.example/users", &["postgres://(unclear)"]),
            ("mongodb+srv://u:canary@c.example/?w=1", &["mongodb+srv://c.example"]),
            ("endpoint=https://acs.example/;accesskey=canary==", &["https://acs.example"]),
            ("Server=tcp:db.example,1433;User ID=u;Password=canary;", &["db.example"]),
            ("Data Source=db.example;Password=canary", &["db.example"]),
            ("Host=db.example;Password=can;ary", &["db.example"]),
            ("https://[2001:db8::1]:8443/canary", &["https://(2001:db8::1):8443"]),
            ("https://ex\u{430}mple.com/canary", &["https://ex\\u{430}mple.com"]),
            ("https://a.example/x https://b.example/y", &["https://a.example", "https://b.example"]),
            ("https://can(a)ry:x/", &["https://(unclear)"]),
            ("sk_live_canary", &[]),
            ("a=canary;b=canary", &[]),
            ("", &[]),
        ] {
            let found = addresses(text);
            assert_eq!(found, expected, "{text}");
            assert!(!found.join(" ").contains("canary"), "{found:?}");
        }
    }

    #[test]
    fn nothing_is_left_that_does_not_print_or_that_markdown_makes_something_of() {
        for letter in ('\0'..=char::MAX).filter(|letter| {
            INVISIBLE.contains(letter)
                || MARKUP.contains(letter)
                || letter.is_control()
                || ('\u{200b}'..='\u{200f}').contains(letter)
                || ('\u{202a}'..='\u{202e}').contains(letter)
                || ('\u{2060}'..='\u{206f}').contains(letter)
                || ('\u{fe00}'..='\u{fe0f}').contains(letter)
                || ('\u{e0000}'..='\u{e01ef}').contains(letter)
                || ['\u{61c}', '\u{ad}', '\u{34f}', '\u{180e}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{a0}']
                    .contains(letter)
        }) {
            let shown = quoted(&format!("a{letter}b"));
            assert!(!shown.contains(letter), "{:x}", u32::from(letter));
            assert!(shown.is_ascii(), "{shown}");
        }
        assert_eq!(quoted("José O'Neill 🙂 a_b@c.example"), "\"José O'Neill 🙂 a_b@c.example\"");
    }
}
