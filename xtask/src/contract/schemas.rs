//! What a new version may change of the JSON that the package passes as text.
//!
//! Its types are `string` in every version, so nothing that looks at the WIT notices a member that is gone. Readers of
//! answers lose by what is taken away, writers of the filter by what is no longer taken: two directions, by file.
//!
//! Compared is what the schemas of the package are made of. A keyword that would hide a member from the comparison
//! (`$ref`, `anyOf`) is an error, not a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use semver::Version;
use serde_json::Value;

use super::evolution::{Duty, breaking_after, duty, next_after};
use super::package;

/// The folder of the schemas in that of the package.
pub(super) const FOLDER: &str = "schema";

/// What callers give. Everything else is what they get.
const GIVEN: &str = "action-filter.json";

/// Keywords that say nothing of what fits.
const ANNOTATIONS: [&str; 6] = ["$comment", "$schema", "default", "description", "examples", "title"];

/// Keywords that are looked into, and not compared as they are.
const PARTS: [&str; 2] = ["items", "properties"];

/// Keywords that the comparison does not look into.
const UNREAD: [&str; 6] = ["$ref", "allOf", "anyOf", "not", "oneOf", "patternProperties"];

/// The schemas of a version, by the names of their files.
#[derive(Debug)]
pub struct Schemas {
    version: Version,
    files: BTreeMap<String, Value>,
}

impl Schemas {
    /// Read those of the package in a folder.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is no JSON.
    pub fn read(folder: &Path, version: Version) -> Result<Self> {
        let files = texts(folder)?;
        Self::parse(version, files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// Read texts by the names of their files.
    ///
    /// # Errors
    ///
    /// One is no JSON.
    pub fn parse<'a>(version: Version, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let read = |(name, text): (&str, &str)| {
            let schema = serde_json::from_str(text).with_context(|| format!("{name} is no JSON"))?;
            Ok((name.to_owned(), schema))
        };
        let files = files.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Self { version, files })
    }
}

/// Read the schemas of a package's folder, in the order of their names. A folder of a package may have none.
pub(super) fn texts(folder: &Path) -> Result<Vec<(String, String)>> {
    let folder = folder.join(FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    package::read_all(&folder, "json")
}

/// Something that a schema no longer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file: `action-list.json`.
    pub file: String,
    /// The member: `items[].title`; empty for the document.
    pub member: String,
    /// What became of it.
    pub change: Change,
    /// The released version.
    pub released: Version,
    /// The lowest version that may have this change.
    pub allowed_from: Version,
}

/// What became of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is gone.
    Gone,
    /// It was in every answer, and need not be.
    Optional,
    /// It has to be given, and had not.
    Required,
    /// It is of another type.
    Type {
        /// What it was, as the schema has it.
        was: String,
        /// What it is; empty where the schema does not say.
        is: String,
    },
    /// A value that was taken is not.
    ValueGone(String),
    /// Any value was taken, and now only those that are listed.
    Closed,
    /// Something other than documentation differs within one version.
    Altered,
}

/// Compare schemas with those of a released version. Empty: they may be released after them, or were.
///
/// # Errors
///
/// There is a later version that these come too late for, or a schema has a keyword that the comparison does not know.
pub fn compare(released: &Schemas, current: &Schemas) -> Result<Vec<Difference>> {
    let duty = duty(&released.version, &current.version)?;
    if duty == Duty::Nothing {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (file, was) in &released.files {
        let mut comparison = Comparison { file, released: &released.version, found: Vec::new() };
        match current.files.get(file) {
            None => comparison.refuse("", Change::Gone),
            Some(is) if file == GIVEN => comparison.given("", was, is)?,
            Some(is) => comparison.answered("", was, is)?,
        }
        if let (Duty::Same, true, Some(is)) = (duty, comparison.found.is_empty(), current.files.get(file)) {
            comparison.same("", was, is);
        }
        found.append(&mut comparison.found);
    }
    if duty == Duty::Same && !released.files.is_empty() {
        for file in current.files.keys().filter(|file| !released.files.contains_key(*file)) {
            let mut comparison = Comparison { file, released: &released.version, found: Vec::new() };
            comparison.refuse("", Change::Altered);
            found.append(&mut comparison.found);
        }
    }
    Ok(found)
}

struct Comparison<'a> {
    file: &'a str,
    released: &'a Version,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    /// What callers get: what was always there still is, and as it was.
    fn answered(&mut self, at: &str, was: &Value, is: &Value) -> Result<()> {
        self.readable(was)?;
        self.readable(is)?;
        self.typed(at, was, is);
        let (required, properties) = (required(is), properties(is));
        for name in self::required(was) {
            if !properties.contains_key(name) {
                self.refuse(&below(at, name), Change::Gone);
            } else if !required.contains(name) {
                self.refuse(&below(at, name), Change::Optional);
            }
        }
        for (name, was) in self::properties(was) {
            if let Some(is) = properties.get(name) {
                self.answered(&below(at, name), was, is)?;
            }
        }
        if let Some(was) = was.get("items") {
            self.answered(&format!("{at}[]"), was, is.get("items").unwrap_or(&Value::Null))?;
        }
        Ok(())
    }

    /// What callers give: what was taken still is.
    fn given(&mut self, at: &str, was: &Value, is: &Value) -> Result<()> {
        self.readable(was)?;
        self.readable(is)?;
        self.typed(at, was, is);
        match (values(was), values(is)) {
            (Some(was), Some(is)) => {
                for value in was.iter().filter(|value| !is.contains(value)) {
                    self.refuse(at, Change::ValueGone(value.to_string()));
                }
            }
            (None, Some(_)) => self.refuse(at, Change::Closed),
            (_, None) => {}
        }
        let had = required(was);
        for name in required(is).into_iter().filter(|name| !had.contains(name)) {
            self.refuse(&below(at, name), Change::Required);
        }
        let properties = properties(is);
        for (name, was) in self::properties(was) {
            match properties.get(name) {
                Some(is) => self.given(&below(at, name), was, is)?,
                None => self.refuse(&below(at, name), Change::Gone),
            }
        }
        if let (Some(was), Some(is)) = (was.get("items"), is.get("items")) {
            self.given(&format!("{at}[]"), was, is)?;
        }
        Ok(())
    }

    /// Within a version nothing but documentation differs.
    fn same(&mut self, at: &str, was: &Value, is: &Value) {
        let rules = |schema: &Value| -> BTreeMap<String, Value> {
            let keywords = schema.as_object().into_iter().flatten();
            let rules = keywords
                .filter(|(name, _)| !ANNOTATIONS.contains(&name.as_str()) && !PARTS.contains(&name.as_str()));
            rules.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        if rules(was) != rules(is) || was.get("items").is_some() != is.get("items").is_some() {
            self.refuse(at, Change::Altered);
        }
        let (had, has) = (properties(was), properties(is));
        let names: BTreeSet<&str> = had.keys().chain(has.keys()).copied().collect();
        for name in names {
            match (had.get(name), has.get(name)) {
                (Some(was), Some(is)) => self.same(&below(at, name), was, is),
                _ => self.refuse(&below(at, name), Change::Altered),
            }
        }
        if let (Some(was), Some(is)) = (was.get("items"), is.get("items")) {
            self.same(&format!("{at}[]"), was, is);
        }
    }

    fn typed(&mut self, at: &str, was: &Value, is: &Value) {
        if let Some(was) = was.get("type").filter(|was| is.get("type") != Some(was)) {
            let text = |of: &Value| of.as_str().map_or_else(|| of.to_string(), str::to_owned);
            let is = is.get("type").map(text).unwrap_or_default();
            self.refuse(at, Change::Type { was: text(was), is });
        }
    }

    fn readable(&self, schema: &Value) -> Result<()> {
        match UNREAD.iter().find(|keyword| schema.get(**keyword).is_some()) {
            Some(keyword) => bail!(
                "{FOLDER}/{} has `{keyword}`, which is not compared with released versions: say it without, or teach \
                 xtask/src/contract/schemas.rs",
                self.file
            ),
            None => Ok(()),
        }
    }

    fn refuse(&mut self, member: &str, change: Change) {
        let allowed_from = match change {
            Change::Altered => next_after(self.released),
            _ => breaking_after(self.released),
        };
        let (file, member, released) = (self.file.to_owned(), member.to_owned(), self.released.clone());
        self.found.push(Difference { file, member, change, released, allowed_from });
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn properties(schema: &Value) -> BTreeMap<&str, &Value> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.map(|(name, schema)| (name.as_str(), schema)).collect()
}

fn required(schema: &Value) -> BTreeSet<&str> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

fn values(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("enum").and_then(Value::as_array)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, member, change, released, allowed_from } = self;
        write!(f, "{FOLDER}/{file}")?;
        if !member.is_empty() {
            write!(f, ": the member `{member}`")?;
        }
        let use_it = if file == GIVEN { "give it" } else { "read it" };
        match change {
            Change::Gone => write!(f, " is gone, and callers of {released} {use_it}: put it back"),
            Change::Optional => {
                write!(
                    f,
                    " may be left out now, and callers of {released} read it: put it back into `required`"
                )
            }
            Change::Required => {
                write!(f, " has to be given now, and callers of {released} do not: take it out of `required`")
            }
            Change::Type { was, is } if is.is_empty() => {
                write!(
                    f,
                    " has no type now, and callers of {released} {use_it} as `{was}`: put the type back"
                )
            }
            Change::Type { was, is } => write!(
                f,
                " has the type `{is}` now, and callers of {released} {use_it} as `{was}`: leave it, and add another \
                 beside it under a new name"
            ),
            Change::ValueGone(value) => write!(
                f,
                " no longer takes {value}, and callers of {released} give it: put it back into `enum`"
            ),
            Change::Closed => write!(
                f,
                " takes only the values of `enum` now, and callers of {released} give others: take `enum` out"
            ),
            Change::Altered => write!(
                f,
                " says something else, or is new, and {released} is released without that: undo what is more than \
                 documentation"
            ),
        }?;
        write!(f, "; or raise the version to {allowed_from}")
    }
}
