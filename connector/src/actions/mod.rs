//! The actions, one file per family. Each file holds the inputs, the functions, and the lines of the table.
//!
//! An action's function takes its typed input; the typed exports call it as it is, the JSON interface parses first.
//! Outputs are Auth0's objects as they came.

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::catalog::Action;
use crate::core::error::Error;
use crate::core::id::{IdentityUserId, ProviderName};
use crate::core::json::object;
use crate::core::paging::items;
use crate::core::request::Request;
use crate::input::{FromInput, Refusal, Wrong, members};
use crate::operations::found;

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
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Fields {
    /// A list.
    List(Vec<String>),
    /// Names between commas.
    Text(String),
}

impl FromInput for Fields {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        let kind = found(&value);
        let text = |item| if let Value::String(text) = item { Some(text) } else { None };
        let read = match value {
            Value::Array(items) => items.into_iter().map(text).collect::<Option<_>>().map(Self::List),
            Value::String(text) => Some(Self::Text(text)),
            _ => None,
        };
        read.ok_or_else(|| {
            let expected = "expected a list of names, or names between commas";
            Wrong::Unfit(format!("{expected}, found {kind}")).into()
        })
    }
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

/// Reads a list that comes whole.
fn list(answer: Value) -> Result<Value, Error> {
    Ok(object([("items", Some(items(answer, "items")?.into()))]))
}

fn text(value: Option<&String>) -> Option<Value> {
    value.map(|text| Value::String(text.clone()))
}

/// Refuses members that are empty texts: an unresolved variable of a workflow must not turn "this session" into "all".
fn filled(body: Value) -> Result<Value, Error> {
    let members = body.as_object().into_iter().flatten();
    for (name, value) in members {
        if value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Err(Error::invalid(format!("an empty `{name}` refused: give a value, or leave it out")));
        }
    }
    Ok(body)
}

/// Reads a text that has to be there.
fn required(name: &str, value: &str) -> Result<Value, Error> {
    if value.trim().is_empty() {
        return Err(Error::invalid(format!("an empty `{name}` refused")));
    }
    Ok(value.into())
}

/// One identity of a user who has several.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct IdentityRef {
    /// Provider of the identity.
    pub provider: ProviderName,
    /// Id within the provider.
    pub user_id: IdentityUserId,
}

members!(IdentityRef { provider, user_id });

impl IdentityRef {
    fn json(&self) -> Value {
        json!({ "provider": self.provider.as_str(), "user_id": self.user_id.as_str() })
    }
}
