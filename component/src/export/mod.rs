//! Export glue: the contract's records to the actions' inputs, Auth0's objects to the contract's records. Nothing is
//! decided here; the typed functions and the JSON interface run the same actions.

use serde_json::{Map, Value};

use auth0_connector::actions::Fields;
use auth0_connector::catalog;
use auth0_connector::client::Client;
use auth0_connector::core::error::{Error, Problem};
use auth0_connector::core::id::IdError;
use auth0_connector::core::json as documents;
use bindings::exports::auth0::management::types as wit;

mod actions;
mod applications;
mod connections;
mod email;
mod logs;
mod request;
mod roles;
mod sessions;
mod tenant;
mod users;

#[allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "generated"
)]
#[allow(unsafe_code, reason = "generated: the canonical ABI is raw memory")]
mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "connector" });

    use super::Connector;

    export!(Connector);
}

/// What the component is made of.
struct Connector;

/// Runs an action that is given typed: with the needs of its line in the table.
fn call(
    id: &'static str,
    run: impl FnOnce(&mut Client<'_>) -> Result<Value, Error>,
) -> Result<Value, wit::Error> {
    let mut run = Some(run);
    scoped(id, &mut |client| match run.take() {
        Some(run) => run(client),
        None => Err(Error::Other(Problem::new("an action ran twice"))),
    })
}

#[inline(never)]
fn scoped(id: &str, run: crate::wasi::Run<'_>) -> Result<Value, wit::Error> {
    let result = crate::wasi::call(&mut |client| {
        client.needs = catalog::find(id)?.scopes();
        run(client)
    });
    result.map_err(error)
}

/// Turns an error into the contract's.
fn error(error: Error) -> wit::Error {
    let problem = error.problem().clone();
    let problem = wit::Problem {
        message: problem.message,
        status: problem.status,
        error_code: problem.error_code,
        request_id: problem.request_id,
    };
    match error {
        Error::InvalidInput(_) => wit::Error::InvalidInput(problem),
        Error::Unauthenticated(_) => wit::Error::Unauthenticated(problem),
        Error::Forbidden { scopes, .. } => wit::Error::Forbidden(wit::MissingScopes { problem, scopes }),
        Error::Missing(_) => wit::Error::Missing(problem),
        Error::Conflict(_) => wit::Error::Conflict(problem),
        Error::Throttled { retry_after_ms, .. } => {
            wit::Error::Throttled(wit::Throttling { problem, retry_after_ms })
        }
        Error::Rejected(_) => wit::Error::Rejected(problem),
        Error::Unavailable(_) => wit::Error::Unavailable(problem),
        Error::OutcomeUnknown(_) => wit::Error::OutcomeUnknown(problem),
        Error::Unreachable(_) => wit::Error::Unreachable(problem),
        Error::Denied(_) => wit::Error::Denied(problem),
        Error::Other(_) => wit::Error::Other(problem),
    }
}

fn id<T: std::str::FromStr<Err = IdError>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: IdError| Error::invalid(error.to_string()))
}

fn json(name: &str, text: &str) -> Result<Value, Error> {
    documents::parse(text.as_bytes()).map_err(|error| Error::invalid(format!("{name} refused: {error}")))
}

fn json_object(name: &str, text: Option<String>) -> Result<Option<Map<String, Value>>, Error> {
    match text.map(|text| json(name, &text)).transpose()? {
        None => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(Error::invalid(format!("{name} refused: give a JSON object"))),
    }
}

fn fields(names: Option<Vec<String>>) -> Option<Fields> {
    names.map(Fields::List)
}

fn selection(fields: Option<wit::FieldSelection>) -> (Option<Fields>, Option<bool>) {
    match fields {
        Some(selection) => (Some(Fields::List(selection.fields)), Some(selection.include)),
        None => (None, None),
    }
}

/// Reading of Auth0's objects: a member that is missing, or of another type than documented, is absent in the record and
/// still there in `raw`.
trait Read {
    fn text(&self, key: &str) -> Option<String>;
    fn flag(&self, key: &str) -> Option<bool>;
    fn number(&self, key: &str) -> Option<u64>;
    fn bag(&self, key: &str) -> Option<String>;
    fn each<T>(&self, key: &str, read: impl Fn(&Value) -> T) -> Vec<T>;
    /// `next` of a list in pages.
    fn next_page(&self) -> Option<u32>;
    /// `next` of a list that can be read either way.
    fn next_cursor(&self) -> Option<wit::Cursor>;
}

impl Read for Value {
    fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(Value::as_str).map(str::to_owned)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(Value::as_u64)
    }

    fn bag(&self, key: &str) -> Option<String> {
        self.get(key).filter(|value| !value.is_null()).map(Value::to_string)
    }

    fn each<T>(&self, key: &str, read: impl Fn(&Value) -> T) -> Vec<T> {
        self.get(key).and_then(Value::as_array).into_iter().flatten().map(read).collect()
    }

    fn next_page(&self) -> Option<u32> {
        self.number("next").and_then(|page| u32::try_from(page).ok())
    }

    fn next_cursor(&self) -> Option<wit::Cursor> {
        match self.next_page() {
            Some(page) => Some(wit::Cursor::Page(page)),
            None => self.text("next").map(wit::Cursor::From),
        }
    }
}
