//! One operation, as the table has it.

use crate::catalog::Effect;
use crate::core::request::Method;

/// How ready Auth0 says that an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Generally available.
    Ga,
    /// Early access.
    Ea,
    /// Beta.
    Beta,
    /// Auth0's documentation does not say.
    Unknown,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ga, Self::Ea, Self::Beta, Self::Unknown];

    /// Returns its name, as the contract has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ga => "ga",
            Self::Ea => "ea",
            Self::Beta => "beta",
            Self::Unknown => "unknown",
        }
    }
}

/// The ways to page that a list of the API has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// None.
    None,
    /// `page` and `per_page`, up to the 1000th record.
    Offset,
    /// `from` and `take`.
    Checkpoint,
    /// Both.
    Either,
}

impl Paging {
    /// Returns its name, as the contract's schemas have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Offset => "offset",
            Self::Checkpoint => "checkpoint",
            Self::Either => "offset-or-checkpoint",
        }
    }
}

/// What a successful answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, or nothing that is known.
    Unknown,
    /// An object with these members, where they are known.
    Object(Vec<&'static str>),
    /// A list: in the member of that name, or in a bare array.
    Rows(Option<&'static str>),
    /// An array that is no list to page through.
    Array,
    /// A number alone.
    Number,
    /// Server-sent events.
    Events,
}

/// What a text has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Nothing in particular.
    Any,
    /// An address.
    Email,
    /// RFC 3339.
    DateTime,
    /// RFC 9562.
    Uuid,
    /// A field and a direction: `name:1`.
    Sort,
    /// A day without dashes: `20260131`.
    Day,
    /// Printable ASCII.
    Ascii,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Any,
    /// A text, at most so many characters long.
    Text(Format, Option<usize>),
    /// One of these texts.
    OneOf(Vec<&'static str>),
    /// One of so many texts, which Auth0's documentation lists.
    OneOfMany(usize),
    /// Some of these texts, at most so many characters long with the commas between them.
    Names(Vec<&'static str>, Option<usize>),
    /// A whole number between these, both included.
    Integer(Option<i64>, Option<i64>),
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// An object of any shape.
    Object,
    /// A text or a whole number.
    TextOrInteger,
    /// A list.
    List(Box<Kind>),
    /// A file: its text, or the list that becomes it.
    File,
}

/// A parameter or a member of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, as Auth0 writes it.
    pub name: &'static str,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Whether it may be `null`.
    pub null: bool,
    /// What it may be.
    pub kind: Kind,
    /// What it means.
    pub meaning: &'static str,
}

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// A JSON object of the members that are known.
    Closed,
    /// A JSON object that may have others too.
    Open,
    /// A JSON array.
    List,
    /// `multipart/form-data`.
    Multipart,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What it is made of.
    pub form: BodyForm,
    /// How many members it has at least.
    pub at_least: usize,
    /// The members that are known: of the object, or of each object of the array.
    pub members: Vec<Member>,
}

impl Body {
    /// Returns whether the input has it as one member, `body`, since it has no members of its own to stand side by side.
    pub fn is_apart(&self) -> bool {
        self.form == BodyForm::List || (self.form == BodyForm::Open && self.members.is_empty())
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The id it is run by: `organizations.members.list`.
    pub name: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v2`, with parameters in braces.
    pub path: &'static str,
    /// A few words for a menu.
    pub title: &'static str,
    /// What to know before using it; empty where there is nothing.
    pub note: &'static str,
    /// How ready it is.
    pub stage: Stage,
    /// What it does to the tenant.
    pub effect: Effect,
    /// Whether doing it twice leaves the tenant as doing it once.
    pub idempotent: bool,
    /// Whether more is known than method, path, scopes and stage.
    pub whole: bool,
    /// Whether it takes `include_totals`.
    pub totals: bool,
    /// Whether it reads or writes what is known of a person.
    pub handles_personal_data: bool,
    /// How its list is paged.
    pub paging: Paging,
    /// Largest page.
    pub page_size: usize,
    /// How to go on beyond the 1000th record; empty where its filters are the way.
    pub beyond: &'static str,
    /// Scopes: one of each group is needed.
    pub scopes: Vec<Vec<&'static str>>,
    /// Scopes that only a part of it needs, and that part.
    pub scopes_for: Vec<(&'static str, &'static str)>,
    /// What it answers.
    pub answer: Answer,
    /// Parameters in the path, in its order.
    pub path_members: Vec<Member>,
    /// Parameters in the query, without those of paging.
    pub query: Vec<Member>,
    /// The body, where there is one.
    pub body: Option<Body>,
}

impl Operation {
    /// Returns the family: what comes before the first dot.
    pub fn group(&self) -> &'static str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// Returns whether its answer is a list, read by `limit` and `cursor`.
    pub fn is_list(&self) -> bool {
        matches!(self.answer, Answer::Rows(_) | Answer::Events)
    }
}
