//! A curated action, written once: its input is a struct that [`input!`](crate::input::input) makes readable and
//! describable, and its [`CuratedAction`] says what it is and runs it. The table, the schemas, the reference and, by the
//! contract's function of the same name, the typed export are made from these.

use serde_json::Value;

use crate::client::Client;
use crate::core::error::Error;
use crate::core::schema::{self, Output};
use crate::core::scope::Need;
use crate::input::FromInput;

/// What an action does to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reads only.
    Read,
    /// Creates something new.
    Create,
    /// Changes or takes away something that stays in being.
    Update,
    /// Deletes for good.
    Delete,
    /// Sends a message to a person.
    Send,
}

impl Effect {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Create, Self::Update, Self::Delete, Self::Send];

    /// Returns its name, as the contract's schemas have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Send => "send",
        }
    }
}

/// What is said of a curated action.
#[derive(Clone, Copy)]
pub struct About {
    /// The id to run it by, and the name of the contract's function.
    pub id: &'static str,
    /// A few words for a menu.
    pub title: &'static str,
    /// What it does, what to know, how it fails.
    pub description: &'static str,
    /// The family.
    pub group: &'static str,
    /// What it does to the tenant.
    pub effect: Effect,
    /// Whether doing it twice leaves the tenant as doing it once.
    pub idempotent: bool,
    /// Requests that it may send, as method and path below `/api/v2`.
    pub requests: &'static [&'static str],
    /// Whether it reads or writes what is known of a person.
    pub handles_personal_data: bool,
    /// What the token has to be allowed, all of it.
    pub scopes: &'static [Need],
    /// What it answers.
    pub output: Output,
}

/// A curated action, implemented for the type of its input.
pub(crate) trait CuratedAction: FromInput + schemars::JsonSchema {
    /// What is said of it.
    const ABOUT: About;

    /// Runs it. Outputs are Auth0's objects as they came.
    ///
    /// # Errors
    /// As the contract's function of this name.
    fn run(self, client: &mut Client<'_>) -> Result<Value, Error>;
}

/// A curated action's line of the table.
#[derive(Clone, Copy)]
pub struct Action {
    /// What is said of it.
    pub about: About,
    /// Makes the JSON Schema of its input.
    pub input_schema: fn() -> Value,
    /// Runs it on a JSON input.
    pub run: fn(&mut Client<'_>, Value) -> Result<Value, Error>,
}

impl Action {
    /// Returns the line of an action.
    pub(crate) const fn of<T: CuratedAction>() -> Self {
        Self { about: T::ABOUT, input_schema: schema::input::<T>, run: run::<T> }
    }
}

/// Reads the input, of which unknown, missing and mistyped properties are refused by name, and runs the action.
fn run<T: CuratedAction>(client: &mut Client<'_>, input: Value) -> Result<Value, Error> {
    T::from_input(input).map_err(|refusal| Error::refused(refusal.to_string()))?.run(client)
}
