//! What members mean: a phrase that someone wrote, or the name in words where nobody knows better.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{CatalogError, text};

/// Phrases by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meanings {
    /// Of a member, whatever the operation.
    any: BTreeMap<String, String>,
    /// Of a member of certain operations: by the beginning of the path, then the name.
    #[serde(default)]
    below: BTreeMap<String, BTreeMap<String, String>>,
    /// What a part of a path holds, one of them: `user-blocks` is about a user.
    things: BTreeMap<String, String>,
}

impl Meanings {
    pub(crate) fn parse(path: &Path) -> Result<Self, CatalogError> {
        toml::from_str(&text(path)?)
            .map_err(|source| CatalogError::Toml { path: path.to_owned(), source: Box::new(source) })
    }

    /// Returns what a member of a query or body means.
    pub(crate) fn of(&self, name: &str, path: &str) -> String {
        let below = self.below.iter().filter(|(start, _)| path.starts_with(start.as_str()));
        let longest =
            below.filter(|(_, phrases)| phrases.contains_key(name)).max_by_key(|(start, _)| start.len());
        let phrase = longest.and_then(|(_, phrases)| phrases.get(name)).or_else(|| self.any.get(name));
        phrase.cloned().unwrap_or_else(|| in_words(name))
    }

    /// Returns what a parameter in a path means: the id of what the part before it holds, where it is an id.
    pub(crate) fn of_path(&self, name: &str, path: &str) -> String {
        let before = path.split(&format!("/{{{name}}}")).next().and_then(|start| start.rsplit('/').next());
        let thing = before.and_then(|part| self.things.get(part));
        match thing {
            // A trigger has a name and no id, whatever the parameter is called.
            Some(thing)
                if name != "triggerId"
                    && (matches!(name, "id" | "vid" | "kid")
                        || name.ends_with("_id")
                        || name.ends_with("Id")) =>
            {
                format!("Id of the {thing}")
            }
            _ => self.of(name, path),
        }
    }
}

/// Words that are written otherwise, most of them in capitals.
const SPELLINGS: [(&str, &str); 27] = [
    ("acls", "ACLs"),
    ("acr", "ACR"),
    ("ai", "AI"),
    ("api", "API"),
    ("app", "app"),
    ("arn", "ARN"),
    ("aws", "AWS"),
    ("dn", "DN"),
    ("fcm", "FCM"),
    ("id", "id"),
    ("ids", "ids"),
    ("ip", "IP"),
    ("jwt", "JWT"),
    ("mfa", "MFA"),
    ("mtls", "mTLS"),
    ("oidc", "OIDC"),
    ("pem", "PEM"),
    ("pii", "PII"),
    ("sms", "SMS"),
    ("sns", "SNS"),
    ("sso", "SSO"),
    ("tls", "TLS"),
    ("totp", "TOTP"),
    ("uri", "URI"),
    ("url", "URL"),
    ("urls", "URLs"),
    ("mcp", "MCP"),
];

/// `display_name` and `displayName` in words: `Display name`.
fn in_words(name: &str) -> String {
    let plain = split(name);
    let words = plain.split(' ').map(|word| {
        let spelled = SPELLINGS.iter().find(|(letters, _)| word.eq_ignore_ascii_case(letters));
        spelled.map_or(word, |(_, spelled)| *spelled)
    });
    let text = words.collect::<Vec<_>>().join(" ");
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    if text.starts_with("mTLS") { text } else { first.into_iter().chain(letters).collect() }
}

/// Puts blanks between the words of a name.
fn split(name: &str) -> String {
    let mut words = String::new();
    for (at, letter) in name.chars().enumerate() {
        match letter {
            '_' | '-' => words.push(' '),
            upper if upper.is_ascii_uppercase() && at > 0 => {
                words.push(' ');
                words.push(upper.to_ascii_lowercase());
            }
            letter if at == 0 => words.push(letter.to_ascii_uppercase()),
            letter => words.push(letter),
        }
    }
    words
}
