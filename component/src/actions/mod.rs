//! The actions, one file per family. Each file holds the inputs, the functions, and the lines of the table.
//!
//! An action's function takes its typed input; the typed exports call it as it is, the JSON interface parses first.
//! Outputs are Auth0's objects as they came.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::catalog::Action;
use crate::core::error::Error;
use crate::core::request::Request;

pub mod applications;
pub mod connections;
pub mod email;
pub mod logs;
pub mod messages;
pub mod request;
pub mod roles;
pub mod secrets;
pub mod sessions;
pub mod tenant;
pub mod user_changes;
pub mod users;

/// All families, in the order in which they are listed.
pub const FAMILIES: &[&[Action]] = &[
    users::ACTIONS,
    messages::ACTIONS,
    sessions::ACTIONS,
    roles::ACTIONS,
    logs::ACTIONS,
    applications::ACTIONS,
    secrets::ACTIONS,
    connections::ACTIONS,
    request::ACTIONS,
    email::ACTIONS,
    tenant::ACTIONS,
];

/// Names of fields, as Auth0 writes them (`"user_id,email"`) or as a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Fields {
    /// A list.
    List(Vec<String>),
    /// Names between commas.
    Text(String),
}

impl Fields {
    fn apply(fields: Option<&Self>, include: Option<bool>, request: Request) -> Result<Request, Error> {
        let names = match fields {
            None if include.is_some() => {
                return Err(Error::invalid(
                    "include_fields without fields refused: say which fields are meant",
                ));
            }
            None => return Ok(request),
            Some(Self::List(names)) => names.join(","),
            Some(Self::Text(names)) => names.clone(),
        };
        if names.split(',').any(|name| name.trim().is_empty()) {
            return Err(Error::invalid("an empty field name refused: leave `fields` out to get all fields"));
        }
        Ok(request.query("fields", &names).maybe("include_fields", include))
    }
}

/// The answer of an action that has nothing to say but that it was done.
fn done() -> Value {
    json!({})
}

fn list(items: Value) -> Value {
    match items {
        items @ Value::Array(_) => json!({ "items": items }),
        _ => json!({ "items": [] }),
    }
}

/// Puts the members that are there into a JSON object.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Value::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn text(value: Option<&String>) -> Option<Value> {
    value.map(|text| Value::String(text.clone()))
}
