//! Which members of an answer are secrets.
//!
//! `secrets.toml` says it once for each kind of thing that has secrets; an operation names the thing that it answers. So a
//! secret that is found missing is added in one place, and no list of a thing's operations can be forgotten.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{CatalogError, text};

/// The thing whose members are looked for in answers that nobody has documented.
pub(crate) const UNDOCUMENTED: &str = "undocumented";

/// Which members of an answer are secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// What has them, as `secrets.toml` calls it; empty where nothing has.
    pub of: String,
    /// The path of what has them, as a handle says it: `clients/{client_id}`.
    pub handle: String,
    /// Members of the answer itself that every success makes: nobody else has them.
    pub made: Vec<String>,
    /// Members of the answer itself that some successes make.
    pub may_make: Vec<String>,
    /// A word without which a request's body makes none.
    pub only_with: Option<String>,
    /// All secrets, at any depth: `a`, `a.b`, `a.*`, `a.*!b`, `a:text`, as `secrets.toml` explains.
    pub members: Vec<String>,
}

impl Secrets {
    /// Returns whether it is known what the answer has.
    pub fn documented(&self) -> bool {
        self.of != UNDOCUMENTED
    }

    /// Returns whether a success may make a secret that nobody else has.
    pub fn makes(&self) -> bool {
        !self.made.is_empty() || !self.may_make.is_empty()
    }
}

/// What an operation's entry says of them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretsEntry {
    of: Option<String>,
    #[serde(default)]
    made: Vec<String>,
    #[serde(default)]
    may_make: Vec<String>,
    only_with: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    handle: Option<String>,
    members: Vec<String>,
    /// Names that are secrets in other things and none where nothing is documented.
    #[serde(default)]
    without: Vec<String>,
}

/// The part of the file that is about no thing.
const EVERYWHERE: &str = "everywhere";

/// Names that are secrets in whatever answer they stand.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Everywhere {
    /// The names, as members of things are written.
    pub members: Vec<String>,
    /// Where they are none.
    #[serde(default)]
    pub except: Vec<Exception>,
}

/// Where a name that is a secret everywhere is none.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// In answers to requests with these paths, and to those below them.
    pub requests: Vec<String>,
    /// Below members of these names.
    pub below: Vec<String>,
    /// Why.
    pub reason: String,
}

impl Exception {
    /// Returns whether it is about the answers to a path, with parameters in braces.
    pub fn covers(&self, path: &str) -> bool {
        self.requests.iter().any(|own| {
            path.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The things that have secrets.
pub(crate) struct Things {
    things: BTreeMap<String, Thing>,
    everywhere: Everywhere,
}

impl Things {
    /// Reads the file.
    pub(crate) fn parse(path: &Path) -> Result<Self, CatalogError> {
        let toml = |source| CatalogError::Toml { path: path.to_owned(), source: Box::new(source) };
        let mut parts: toml::Table = toml::from_str(&text(path)?).map_err(toml)?;
        let everywhere: Everywhere = parts
            .remove(EVERYWHERE)
            .map(toml::Value::try_into)
            .transpose()
            .map_err(toml)?
            .unwrap_or_default();
        let mut things: BTreeMap<String, Thing> = toml::Value::Table(parts).try_into().map_err(toml)?;
        let Some(mut undocumented) = things.remove(UNDOCUMENTED) else {
            return Ok(Self { things, everywhere });
        };
        let anywhere = everywhere.members.iter().chain(things.values().flat_map(|thing| &thing.members));
        for member in anywhere.filter(|member| !member.contains(['.', '*'])) {
            let same = |own: &String| own.trim_end_matches(":text") == member.trim_end_matches(":text");
            if !undocumented.members.iter().chain(&undocumented.without).any(same) {
                undocumented.members.push(member.clone());
            }
        }
        things.insert(UNDOCUMENTED.to_owned(), undocumented);
        Ok(Self { things, everywhere })
    }

    /// Returns what is looked for where nothing is documented.
    pub(crate) fn undocumented(&self) -> Vec<String> {
        self.things.get(UNDOCUMENTED).map(|thing| thing.members.clone()).unwrap_or_default()
    }

    /// Returns what is looked for in every answer.
    pub(crate) fn everywhere(self) -> Everywhere {
        self.everywhere
    }

    /// Completes an entry. `path` is the operation's, with parameters in braces.
    pub(crate) fn resolve(
        &self,
        entry: SecretsEntry,
        path: &str,
        documented: bool,
    ) -> Result<Secrets, String> {
        let SecretsEntry { of, made, may_make, only_with } = entry;
        let name = match &of {
            Some(name) => name.as_str(),
            None if !made.is_empty() || !may_make.is_empty() || only_with.is_some() => {
                return Err("`secrets` without `of`".to_owned());
            }
            None if documented => return Ok(Secrets::default()),
            None => UNDOCUMENTED,
        };
        let thing = self.things.get(name).ok_or_else(|| format!("secrets.toml has no `{name}`"))?;
        if let Some(member) = made.iter().chain(&may_make).find(|member| !thing.members.contains(member)) {
            return Err(format!("`{member}` is made, and no secret of `{name}` in secrets.toml"));
        }
        if only_with.is_some() && may_make.is_empty() {
            return Err("`only_with` without `may_make`".to_owned());
        }
        let handle = thing.handle.as_deref().unwrap_or(path).trim_start_matches('/').to_owned();
        let braces = |path: &str| path.split('/').filter(|part| part.starts_with('{')).count();
        let from_path = braces(&handle) - usize::from(handle.ends_with('}'));
        if from_path > braces(path) {
            return Err(format!("the handle `{handle}` wants more than `{path}` names"));
        }
        Ok(Secrets { of: name.to_owned(), handle, made, may_make, only_with, members: thing.members.clone() })
    }
}
