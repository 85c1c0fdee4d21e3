//! The typed functions: each runs the action of its name. What they are is generated from the contract, by the rules of
//! `build/families.rs`; what the generated code calls is here.

use serde_json::{Map, Value};

use auth0_connector::catalog::{self, Effect};
use auth0_connector::core::error::{Code, Error};
use auth0_connector::core::json as documents;

use super::bindings::exports::connector::auth0 as exports;
use super::{Connector, error, wit};

/// The input of an action that is being made.
#[derive(Default)]
struct Input {
    members: Map<String, Value>,
    /// Whether whole objects are asked for.
    raw: bool,
}

impl Input {
    fn put(&mut self, name: &str, value: Value) {
        self.members.insert(name.to_owned(), value);
    }

    /// Puts a record that may be left out: one that says nothing is.
    fn put_record(&mut self, name: &str, value: Value) {
        if value.as_object().is_none_or(|members| !members.is_empty()) {
            self.put(name, value);
        }
    }
}

/// A record or variant whose members are members of the input.
trait Spread: Sized {
    fn spread(self, to: &mut Input) -> Result<(), Error>;

    /// Returns it as one value.
    fn into_value(self) -> Result<Value, Error> {
        let mut input = Input::default();
        self.spread(&mut input)?;
        Ok(Value::Object(input.members))
    }
}

/// Something that is read from an answer: a member that is absent, or of another type than documented, is `none`.
trait FromAnswer: Sized {
    /// Returns nothing where a member lacks that has to be there.
    fn from_answer(answer: &Value, raw: bool) -> Option<Self>;
}

/// Runs the action of a typed function.
fn call<T>(
    id: &'static str,
    fill: impl FnOnce(&mut Input) -> Result<(), Error>,
    read: impl FnOnce(&Value, bool) -> Option<T>,
) -> Result<T, wit::Error> {
    let mut input = Input::default();
    fill(&mut input).map_err(error)?;
    let answer = run(id, input.members)?;
    read(&answer, input.raw).ok_or_else(|| incomplete(id))
}

/// Not generic, so that its code is in the component once and not once for each of the exports.
#[inline(never)]
fn run(id: &'static str, input: Map<String, Value>) -> Result<Value, wit::Error> {
    let entry = catalog::find(id).map_err(error)?;
    let mut input = Some(input);
    crate::wasi::call(&mut |client| catalog::run_on(client, &entry, input.take().unwrap_or_default()))
        .map_err(error)
}

/// The error for a success whose answer lacks what the contract has: of a write, what it made is not known.
fn incomplete(id: &str) -> wit::Error {
    let reads = catalog::find(id).is_ok_and(|entry| entry.effect() == Effect::Read);
    let code = if reads { Code::UnexpectedAnswer } else { Code::OutcomeUnknown };
    error(Error::new(code, format!("the tenant's answer to {id} lacks a member that the API documents")))
}

fn json(name: &str, text: &str) -> Result<Value, Error> {
    documents::parse(text.as_bytes()).map_err(|error| Error::invalid(format!("`{name}` refused: {error}")))
}

fn list<T>(items: Vec<T>, value: impl Fn(T) -> Result<Value, Error>) -> Result<Value, Error> {
    items.into_iter().map(value).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn pairs(pairs: Vec<(String, String)>) -> Value {
    pairs.into_iter().map(|(name, value)| Value::from(vec![name, value])).collect()
}

/// Returns a member that is there and not null.
fn member<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    answer.get(name).filter(|value| !value.is_null())
}

/// Reads a list; nothing where one of its items cannot be read.
fn items<T>(answer: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    answer.as_array()?.iter().map(read).collect()
}

/// Reads a member that is a list, which is empty where it is absent.
fn list_of<T>(answer: &Value, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    member(answer, name).map_or_else(|| Some(Vec::new()), |list| items(list, read))
}

fn read_pairs(answer: &Value) -> Vec<(String, String)> {
    let members = answer.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[allow(dead_code, unused_variables, clippy::all, clippy::pedantic, reason = "generated")]
mod families {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/families.rs"));
}
