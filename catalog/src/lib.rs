//! The table of all operations of the Management API: what is known of each, in files that a person can review.
//!
//! `operations/*.toml` hold one entry per operation, `members.toml` the meaning of members that many have,
//! `secrets.toml` which members of answers are secrets, `reach.toml` what a request can do beyond what it says.
//! Everything else is made from them when the project is built: the form that the component carries ([`encode`]), the
//! rules by which the host finds secrets in answers and judges requests, the tests' own view of each request. No other place says what an operation takes. The curated actions name the requests and
//! scopes that they use, which a test holds against this table (`connector/src/catalog.rs`).
//!
//! The files know more than a program needs and less than Auth0's documentation says: a fact that nobody could check
//! is left out. How to add or correct an operation: `docs/catalogue.md`.

#![deny(missing_docs)]

mod binary;
mod entry;
mod kind;
mod meaning;
mod reach;
mod reach_table;
mod secret_table;
mod secrets;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

pub use binary::encode;
pub use kind::{Format, Kind, KindError, Type};
pub use reach::{Judgement, Reach};
pub use reach_table::reach_table;
pub use secret_table::secret_table;
pub use secrets::{Everywhere, Exception, Secrets};

/// Where the files are.
pub const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// How ready Auth0 says that an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Generally available.
    Ga,
    /// Early access.
    Ea,
    /// Beta.
    Beta,
    /// The documentation does not say.
    Unknown,
}

/// What an operation does to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reads only.
    Read,
    /// Creates something new.
    Create,
    /// Changes, or takes away what can be given back.
    Update,
    /// Deletes for good.
    Delete,
    /// Sends a message to a person or another system.
    Send,
}

/// How much is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Parameters, body, answers.
    Whole,
    /// Method, path, scopes and stage only.
    Request,
}

/// The ways to page through a list that the operation itself has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// None: the answer is whole.
    None,
    /// `page` and `per_page`, up to the 1000th record.
    Offset,
    /// `from` and `take`.
    Checkpoint,
    /// Both.
    Both,
}

/// What the body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// A JSON object of the members that are named.
    Closed,
    /// A JSON object that may have other members too.
    Open,
    /// A JSON array, of objects with the members that are named where some are.
    List,
    /// `multipart/form-data`.
    Multipart,
}

/// A parameter or a member of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, as Auth0 writes it.
    pub name: String,
    /// Whether a request without it is refused.
    pub required: bool,
    /// What it may be.
    pub kind: Type,
    /// What it means, in a phrase.
    pub meaning: String,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What it is made of.
    pub form: BodyForm,
    /// How many members it has at least.
    pub at_least: u8,
    /// The members that are known.
    pub members: Vec<Member>,
}

/// What a successful answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, or nothing that is known.
    Unknown,
    /// An object with these members, where they are known.
    Object(Vec<String>),
    /// A list: in the member of that name, or in a bare array where there is none. Some lists answer in either form.
    Rows(Option<String>),
    /// An array that is no list to page through.
    Array,
    /// A number alone.
    Number,
    /// Server-sent events.
    Events,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The name it is run by: `organizations.members.list`.
    pub name: String,
    /// HTTP method, in capitals.
    pub method: String,
    /// Path below `/api/v2`, with parameters in braces.
    pub path: String,
    /// A few words for a menu.
    pub title: String,
    /// What to know before using it, where there is something.
    pub note: Option<String>,
    /// How ready it is.
    pub stage: Stage,
    /// What it does to the tenant.
    pub effect: Effect,
    /// Whether doing it twice leaves the tenant, and the answer's kind, as doing it once.
    pub idempotent: bool,
    /// Scopes: one of each group is needed.
    pub scopes: Vec<Vec<String>>,
    /// Scopes that only a part of it needs, and that part: a member of the input, a part of the answer.
    pub scopes_for: Vec<(String, String)>,
    /// How much is known.
    pub known: Known,
    /// Statuses of success.
    pub success: Vec<u16>,
    /// How its list is paged.
    pub paging: Paging,
    /// Largest page, where it is not 100.
    pub page_size: Option<u8>,
    /// How to go on beyond the 1000th record, where its filters are not the way.
    pub beyond: Option<String>,
    /// Whether it takes `include_totals`.
    pub totals: bool,
    /// Whether it takes the header `auth0-custom-domain`.
    pub custom_domain: bool,
    /// Whether it reads or writes what is known of a person.
    pub handles_personal_data: bool,
    /// What it answers.
    pub answer: Answer,
    /// Secrets in what it answers.
    pub secrets: Secrets,
    /// What it can do beyond what it says; never empty.
    pub reach: Vec<Judgement>,
    /// Parameters in the path, in its order.
    pub path_members: Vec<Member>,
    /// Parameters in the query, without those of paging.
    pub query: Vec<Member>,
    /// The body, where there is one.
    pub body: Option<Body>,
}

impl Body {
    /// Returns whether an input has it as one member, `body`, since it has no members of its own to stand side by side.
    pub fn is_apart(&self) -> bool {
        self.form == BodyForm::List || (self.form == BodyForm::Open && self.members.is_empty())
    }
}

impl Operation {
    /// Returns whether an input has `limit` and `cursor`.
    pub fn is_list(&self) -> bool {
        matches!(self.answer, Answer::Rows(_) | Answer::Events)
    }

    /// Returns the family: the part of the name before the first dot.
    pub fn group(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
}

/// Why the files could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A file or the folder is not readable.
    #[error("{path} cannot be read", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is not a table of operations", path = path.display())]
    Toml {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// An entry says something that cannot be.
    #[error("{operation}: {problem}")]
    Entry {
        /// Of which operation.
        operation: String,
        /// What is wrong.
        problem: String,
    },
}

/// Reads all operations, in the order of their names.
///
/// # Errors
///
/// [`CatalogError`] for a file that cannot be read and for an entry that contradicts itself.
pub fn read() -> Result<Vec<Operation>, CatalogError> {
    read_from(Path::new(FOLDER))
}

/// Reads all operations from another folder.
///
/// # Errors
///
/// As [`read`].
pub fn read_from(folder: &Path) -> Result<Vec<Operation>, CatalogError> {
    let meanings = meaning::Meanings::parse(&folder.join("members.toml"))?;
    let things = secrets::Things::parse(&folder.join("secrets.toml"))?;
    let mut operations = Vec::new();
    for path in files(&folder.join("operations"))? {
        operations.extend(entry::parse(&path, &meanings, &things)?);
    }
    reach::judge(&folder.join("reach.toml"), &mut operations)?;
    operations.sort_by(|a, b| a.name.cmp(&b.name));
    let mut seen = BTreeSet::new();
    for operation in &operations {
        for key in [operation.name.clone(), format!("{} {}", operation.method, operation.path)] {
            if !seen.insert(key.clone()) {
                let problem = format!("`{key}` is there twice");
                return Err(CatalogError::Entry { operation: operation.name.clone(), problem });
            }
        }
    }
    Ok(operations)
}

/// Returns the members that are taken for secrets in answers that nobody has documented.
///
/// # Errors
///
/// [`CatalogError`] for a file that cannot be read.
pub fn undocumented_secrets() -> Result<Vec<String>, CatalogError> {
    Ok(secrets::Things::parse(&Path::new(FOLDER).join("secrets.toml"))?.undocumented())
}

/// Returns the members that are taken for secrets in every answer, and where they are not.
///
/// # Errors
///
/// [`CatalogError`] for a file that cannot be read.
pub fn secrets_everywhere() -> Result<Everywhere, CatalogError> {
    Ok(secrets::Things::parse(&Path::new(FOLDER).join("secrets.toml"))?.everywhere())
}

/// Lists what the table is read from, for build scripts to watch.
///
/// # Errors
///
/// [`CatalogError::Io`].
pub fn sources() -> Result<Vec<PathBuf>, CatalogError> {
    let folder = Path::new(FOLDER);
    let mut sources = files(&folder.join("operations"))?;
    sources.push(folder.join("operations"));
    sources.extend(["members.toml", "secrets.toml", "reach.toml"].map(|name| folder.join(name)));
    Ok(sources)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let failed = |source| CatalogError::Io { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for file in fs::read_dir(folder).map_err(failed)? {
        let path = file.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file.
fn text(path: &Path) -> Result<String, CatalogError> {
    fs::read_to_string(path).map_err(|source| CatalogError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
