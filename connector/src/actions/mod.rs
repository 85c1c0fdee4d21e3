//! The curated actions, one file per family. An action is its input and one [`CuratedAction`](crate::action::CuratedAction)
//! beside it.

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::action::{About, Action};
use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::id::{IdentityUserId, ProviderName};
use crate::core::paging::{items, listed};
use crate::core::request::{Method, Request};
use crate::core::schema::Output;
use crate::input::{FromInput, IntoBody, Refusal, Wrong, body};
use crate::list::{List, MOST, Part};
use crate::operations::{Paging, found};

mod applications;
mod connections;
mod email;
mod logs;
mod messages;
mod request;
mod roles;
mod secrets;
mod sessions;
mod tenant;
mod user_changes;
mod users;

/// All families, in the order in which they are listed.
pub(crate) const FAMILIES: &[&[Action]] = &[
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
pub(crate) enum Fields {
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

/// Where a list that is read by cursor ends: nowhere.
const BY_CURSOR: &str = "leave `page` out and read on by `cursor`, which has no such limit";

/// Where a list goes on that a tenant cannot have more of.
const NONE_BEYOND: &str = "a tenant has no more of them";

/// Returns a curated action's list.
fn list<'a>(about: &About, key: &'static str, beyond: &'a dyn Fn() -> String) -> List<'a> {
    let paging = if let Output::Page(_, paging) = about.output { paging } else { Paging::None };
    // `total` of the log is the page's own length (facts, section 7), which says nothing.
    List { action: about.id, key: Some(key), paging, page_size: MOST, totals: key != "logs", beyond }
}

/// Reads a part of a curated action's list.
fn read_list(
    client: &mut Client<'_>,
    about: &About,
    key: &'static str,
    beyond: &'static str,
    part: impl Into<Part>,
    request: &Request,
) -> Result<Value, Error> {
    let beyond = || beyond.to_owned();
    let list = list(about, key, &beyond);
    let way = part.into().way(&list)?;
    list.read(client, request, way)
}

/// Reads a list that comes whole. What a write made is not known where its answer is no list.
fn whole(method: Method, answer: Value) -> Result<Value, Error> {
    let rows = items(answer, "items").map_err(|error| match method.is_safe() {
        true => error,
        false => Error { code: Code::OutcomeUnknown, ..error },
    })?;
    let total = u64::try_from(rows.len()).ok();
    Ok(listed(rows, total, None))
}

/// Refuses members that are empty texts: an unresolved variable of a workflow must not turn "this session" into "all".
fn filled(input: impl IntoBody) -> Result<Value, Error> {
    let body = input.into_body().unwrap_or_default();
    let members = body.as_object().into_iter().flatten();
    for (name, value) in members {
        if value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Err(Error::invalid(format!("an empty `{name}` refused: give a value, or leave it out")));
        }
    }
    Ok(body)
}

/// Refuses an empty text where one has to be there.
fn required(name: &str, value: &str) -> Result<(), Error> {
    if value.trim().is_empty() {
        return Err(Error::invalid(format!("an empty `{name}` refused: give a value")));
    }
    Ok(())
}

body! {
    /// One identity of a user who has several.
    pub(super) struct IdentityRef {
        /// Provider of the identity.
        provider: ProviderName,
        /// Id within the provider.
        user_id: IdentityUserId,
    }
}
