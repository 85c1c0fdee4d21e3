//! The input of an operation: which members it has, where each goes, and what is refused before anything is sent.

use serde_json::{Map, Value};

use super::check;
use super::operation::{Body, BodyForm, Kind, Member, Operation};
use crate::core::error::Error;
use crate::core::path::check_segment;
use crate::core::spelling::{no_property, unknown_property};
use crate::input::MOST_TOLD;

/// What the paging of the API itself is called: nobody has to know which list has which.
const PAGING: [&str; 5] = ["page", "per_page", "include_totals", "from", "take"];

/// Where a member of the input goes.
#[derive(Clone, Copy)]
pub(super) enum ParamLocation<'a> {
    /// Into the path.
    Path(&'a Member),
    /// Into the query.
    Query(&'a Member),
    /// Into the body.
    Body(&'a Member),
    /// It is the body.
    Whole(&'a Body),
    /// It is the body, of which nothing is known.
    AnyBody,
    /// It is the query, of which nothing is known.
    AnyQuery,
    /// It says how much of a list to read.
    Limit,
    /// It says where to go on in a list.
    Cursor,
}

impl<'a> ParamLocation<'a> {
    /// Lists the members of an operation's input, in the order in which a form would ask for them.
    pub(super) fn all(operation: &'a Operation) -> Vec<(&'static str, Self)> {
        let mut all: Vec<_> =
            operation.path_members.iter().map(|member| (member.name, ParamLocation::Path(member))).collect();
        match &operation.body {
            Some(body) if body.is_apart() => all.push(("body", ParamLocation::Whole(body))),
            Some(body) => {
                all.extend(body.members.iter().map(|member| (member.name, ParamLocation::Body(member))))
            }
            None => {}
        }
        all.extend(operation.query.iter().map(|member| (member.name, ParamLocation::Query(member))));
        if !operation.whole {
            all.push(("query", ParamLocation::AnyQuery));
            if !operation.method.is_safe() {
                all.push(("body", ParamLocation::AnyBody));
            }
        }
        if operation.is_list() {
            all.extend([("limit", ParamLocation::Limit), ("cursor", ParamLocation::Cursor)]);
        }
        all
    }

    /// Returns whether an input without it is refused.
    pub(super) fn is_required(self) -> bool {
        match self {
            ParamLocation::Path(member) | ParamLocation::Query(member) | ParamLocation::Body(member) => {
                member.required
            }
            ParamLocation::Whole(_) => true,
            ParamLocation::AnyBody
            | ParamLocation::AnyQuery
            | ParamLocation::Limit
            | ParamLocation::Cursor => false,
        }
    }
}

/// An input that was found to be right.
#[derive(Default)]
pub(super) struct Input {
    /// The parts of the path, in its order.
    pub path: Vec<String>,
    /// Query parameters, not encoded.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Option<Value>,
    /// How many rows to read at most.
    pub limit: Option<usize>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Reads an input.
///
/// # Errors
/// `invalid-input` that names the members: unknown, with the nearest right spelling; of another type; or missing.
pub(super) fn read(operation: &Operation, mut input: Map<String, Value>) -> Result<Input, Error> {
    let places = ParamLocation::all(operation);
    let open = operation.body.as_ref().is_some_and(|body| body.form == BodyForm::Open && !body.is_apart());
    let mut wrong = Vec::new();
    if !open {
        let is_unknown = |name: &&String| !places.iter().any(|(known, _)| known == *name);
        let names = input.keys().filter(is_unknown).take(MOST_TOLD);
        wrong.extend(names.map(|name| unknown(operation, name, &places)));
    }
    let (mut missing, mut read, mut body) = (Vec::new(), Input::default(), Map::new());
    for (name, place) in places {
        match input.remove(name) {
            Some(value) => match read.take(operation, name, place, value, &mut body) {
                Ok(()) => {}
                Err(problem) => wrong.push(problem),
            },
            None if place.is_required() => missing.push(format!("missing property `{name}`")),
            None => {}
        }
    }
    // A misspelled member is missing too, and one problem is enough for it.
    let mut problems = if wrong.is_empty() { missing } else { wrong };
    if let Some(known) = operation.body.as_ref().filter(|body| problems.is_empty() && !body.is_apart()) {
        // What an open body has besides.
        body.extend(input);
        problems.extend(at_least(known, body.len()).err());
        read.body = Some(Value::Object(body));
    }
    problems.truncate(MOST_TOLD);
    if problems.is_empty() { Ok(read) } else { Err(Error::refused(problems.join("; "))) }
}

impl Input {
    /// Puts a member's value where it goes; what a body is made of is gathered first.
    fn take(
        &mut self,
        operation: &Operation,
        name: &'static str,
        place: ParamLocation<'_>,
        value: Value,
        body: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let misfit = |problem: String| format!("`{name}`: {problem}");
        match place {
            ParamLocation::Path(member) => {
                check::member(member, &value).map_err(misfit)?;
                let text = plain(&value);
                check_segment(&text).map_err(|problem| misfit(problem.to_owned()))?;
                self.path.push(text);
            }
            ParamLocation::Query(member) => {
                check::member(member, &value).map_err(misfit)?;
                query(name, &value, &member.kind, &mut self.query).map_err(misfit)?;
            }
            ParamLocation::Body(member) => {
                check::member(member, &value).map_err(misfit)?;
                body.insert(name.to_owned(), value);
            }
            ParamLocation::Whole(whole) => self.body = Some(self::whole(whole, value)?),
            ParamLocation::AnyBody => self.body = Some(value),
            ParamLocation::AnyQuery => any_query(value, &mut self.query)?,
            ParamLocation::Limit => self.limit = Some(operation.limit(&value).map_err(misfit)?),
            ParamLocation::Cursor => match value {
                Value::String(cursor) if !cursor.is_empty() => self.cursor = Some(cursor),
                value => {
                    let found = if value.is_string() { "an empty string" } else { check::found(&value) };
                    return Err(misfit(format!("expected the `next` of the previous page, found {found}")));
                }
            },
        }
        Ok(())
    }
}

fn unknown(operation: &Operation, name: &str, places: &[(&'static str, ParamLocation<'_>)]) -> String {
    if operation.is_list() && PAGING.contains(&name) {
        return no_property(name, "a list is read by `limit` and `cursor`");
    }
    let known: Vec<_> = places.iter().map(|(known, _)| *known).collect();
    unknown_property(name, &known)
}

fn at_least(body: &Body, count: usize) -> Result<(), String> {
    if count >= body.at_least {
        return Ok(());
    }
    let names: Vec<_> = body.members.iter().map(|member| member.name).collect();
    let names = if names.is_empty() { "a member of `body`".to_owned() } else { names.join(", ") };
    Err(format!("nothing to change: give at least one of {names}"))
}

/// Reads a body that stands apart: a list, or an object of which no member is known.
fn whole(body: &Body, value: Value) -> Result<Value, String> {
    match (&value, body.form) {
        (Value::Array(items), BodyForm::List) => {
            for (at, item) in items.iter().enumerate().filter(|_| !body.members.is_empty()) {
                let misfit = |problem: String| format!("`body`, item {at}: {problem}");
                let Value::Object(item) = item else {
                    return Err(misfit(format!("expected an object, found {}", check::found(item))));
                };
                for member in &body.members {
                    match item.get(member.name) {
                        Some(value) => check::member(member, value)
                            .map_err(|problem| misfit(format!("`{}`: {problem}", member.name)))?,
                        None if member.required => {
                            return Err(misfit(format!("missing property `{}`", member.name)));
                        }
                        None => {}
                    }
                }
            }
        }
        (Value::Object(object), BodyForm::Open) => at_least(body, object.len())?,
        (_, form) => {
            let expected = if form == BodyForm::List { "a list" } else { "an object" };
            return Err(format!("`body`: expected {expected}, found {}", check::found(&value)));
        }
    }
    Ok(value)
}

/// Writes a checked value as query parameters. An empty text is refused: it is mostly a variable of a workflow that was
/// not resolved, and turns "this user's" into "all" (auth0/node-auth0#419).
fn query(name: &str, value: &Value, kind: &Kind, to: &mut Vec<(String, String)>) -> Result<(), String> {
    let mut add = |value: &Value| {
        let text = plain(value);
        if text.is_empty() {
            return Err("it is empty: give a value, or leave it out".to_owned());
        }
        to.push((name.to_owned(), text));
        Ok(())
    };
    match value {
        // Nothing to send, and all to read.
        Value::Array(items) if items.is_empty() => {
            Err("it is empty: give a value, or leave it out".to_owned())
        }
        Value::Array(items) if matches!(kind, Kind::Names(..)) => {
            let names: Vec<String> = items.iter().map(plain).collect();
            add(&names.join(",").into())
        }
        Value::Array(items) => items.iter().try_for_each(add),
        value => add(value),
    }
}

fn any_query(value: Value, to: &mut Vec<(String, String)>) -> Result<(), String> {
    let Value::Object(members) = value else {
        return Err(format!("`query`: expected an object, found {}", check::found(&value)));
    };
    for (name, value) in members {
        let empty = || format!("`query`: `{name}`: it is empty: give a value, or leave it out");
        let items = if let Value::Array(items) = value { items } else { vec![value] };
        if items.is_empty() {
            return Err(empty());
        }
        for item in items {
            if matches!(item, Value::Object(_) | Value::Array(_) | Value::Null) {
                let problem = "expected strings, numbers and booleans, or lists of them";
                return Err(format!("`query`: `{name}`: {problem}, found {}", check::found(&item)));
            }
            let text = plain(&item);
            if text.is_empty() {
                return Err(empty());
            }
            to.push((name.clone(), text));
        }
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    match (value, check::integer(value)) {
        (Value::String(text), _) => text.clone(),
        (_, Some(number)) => number.to_string(),
        _ => value.to_string(),
    }
}
