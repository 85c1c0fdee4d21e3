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

    /// Says what a member of a query or body means.
    pub(crate) fn of(&self, name: &str, path: &str) -> String {
        let below = self.below.iter().filter(|(start, _)| path.starts_with(start.as_str()));
        let longest =
            below.filter(|(_, phrases)| phrases.contains_key(name)).max_by_key(|(start, _)| start.len());
        let phrase = longest.and_then(|(_, phrases)| phrases.get(name)).or_else(|| self.any.get(name));
        phrase.cloned().unwrap_or_else(|| in_words(name))
    }

    /// Says what a parameter in a path means: the id of what the part before it holds, where it is an id.
    pub(crate) fn of_path(&self, name: &str, path: &str) -> String {
        let before = path.split(&format!("/{{{name}}}")).next().and_then(|start| start.rsplit('/').next());
        let thing = before.and_then(|part| self.things.get(part));
        match thing {
            Some(thing)
                if matches!(name, "id" | "vid" | "kid") || name.ends_with("_id") || name.ends_with("Id") =>
            {
                format!("Id of the {thing}")
            }
            _ => self.of(name, path),
        }
    }
}

/// `display_name` and `displayName` in words: `Display name`.
fn in_words(name: &str) -> String {
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
