//! The table of actions, and the JSON interface over it. Schemas, docs and the plugin's label read this table; nothing
//! about an action is written down anywhere else.

use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde_json::{Map, Value, json};

use crate::actions;
use crate::client::Client;
use crate::core::error::{Error, Problem};
use crate::core::schema::Output;

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

/// One action.
#[derive(Clone, Copy)]
pub struct Action {
    /// The id to run it by.
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
    /// Scopes that the token needs.
    pub scopes: &'static [&'static str],
    /// JSON Schema of the input.
    pub input: fn() -> Value,
    /// Shape of the output.
    pub output: Output,
    /// Runs it.
    pub run: fn(&mut Client<'_>, Value) -> Result<Value, Error>,
}

/// Gives all actions, in the order of their families.
pub fn all() -> impl Iterator<Item = &'static Action> {
    actions::FAMILIES.iter().copied().flatten()
}

/// Finds an action.
///
/// # Errors
/// `missing`, with the ids that resemble it.
pub fn find(id: &str) -> Result<&'static Action, Error> {
    all().find(|action| action.id == id).ok_or_else(|| {
        let near: Vec<_> =
            all().map(|action| action.id).filter(|known| resembles(known, id)).take(5).collect();
        let hint = if near.is_empty() { String::from("list-actions lists them") } else { near.join(", ") };
        Error::Missing(Problem::new(format!("there is no action '{id}'; {hint}")))
    })
}

/// Whether two ids share a word, or one holds the other: enough to hint at `get-user` for `getUser` or `users.get`.
fn resembles(known: &str, asked: &str) -> bool {
    let asked = asked.to_ascii_lowercase();
    let words = |text: &str| -> Vec<String> {
        text.split(['-', '.', '_', ' ']).map(|word| word.replace('s', "")).collect()
    };
    let (known_words, asked_words) = (words(known), words(&asked));
    let shared = known_words.iter().filter(|word| asked_words.contains(word)).count();
    shared >= 2 || known.replace('-', "") == asked.replace(['-', '_', ' ', '.'], "")
}

/// Runs an action on a JSON input.
///
/// # Errors
/// `invalid-input` where the input is not what its schema says, and as the action does.
pub fn run(client: &mut Client<'_>, id: &str, input: &str) -> Result<Value, Error> {
    let action = find(id)?;
    if input.len() > LARGEST_INPUT {
        let length = input.len();
        return Err(Error::invalid(format!(
            "input of {id} refused: it has {length} octets; Auth0 takes bodies of at most 1 MB"
        )));
    }
    let input: Value = if input.trim().is_empty() {
        json!({})
    } else {
        serde_json::from_str(input)
            .map_err(|error| Error::invalid(format!("input of {id} refused: it is not JSON: {error}")))?
    };
    if !input.is_object() {
        return Err(Error::invalid(format!("input of {id} refused: give a JSON object, such as {{}}")));
    }
    client.scopes = action.scopes;
    (action.run)(client, input).map_err(|error| match error {
        Error::InvalidInput(problem) if problem.status.is_none() && problem.message.starts_with(REFUSED) => {
            Error::invalid(problem.message.replacen(REFUSED, &format!("input of {id} refused"), 1))
        }
        error => error,
    })
}

/// Largest input that is parsed: a body of 1 MB (facts, section 9), escaped as JSON, and room for the rest.
const LARGEST_INPUT: usize = 4_000_000;

const REFUSED: &str = "input refused";

/// Reads an action's input; unknown, missing and mistyped properties are refused by name.
///
/// # Errors
/// `invalid-input`.
pub fn parse<T: DeserializeOwned>(input: Value) -> Result<T, Error> {
    let Value::Object(map) = input else {
        return Err(Error::invalid(format!("{REFUSED}: give a JSON object")));
    };
    read(map.clone()).map_err(|error| refusal(&error, map, &|alone| read::<T>(alone).err()))
}

/// Reads an object's members. Through an object only: the general way brings, for each input, code that reads it from
/// an array too.
#[inline(never)]
fn read<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, String> {
    T::deserialize(MapDeserializer::<_, serde_json::Error>::new(members.into_iter()))
        .map_err(|error| error.to_string())
}

/// Names the property that an error is about. serde names one that is unknown or missing, not one of the wrong type:
/// that is the one that fails in the same words when it stands alone.
fn refusal(
    error: &str,
    input: Map<String, Value>,
    failure: &dyn Fn(Map<String, Value>) -> Option<String>,
) -> Error {
    let named = error.starts_with("missing field") || error.starts_with("unknown field");
    let culprit = input.into_iter().filter(|_| !named).find_map(|(name, value)| {
        let alone = failure(Map::from_iter([(name.clone(), value)]));
        (alone.as_deref() == Some(error)).then_some(name)
    });
    match culprit {
        Some(name) if !error.contains(&format!("`{name}`")) => {
            Error::invalid(format!("{REFUSED}: `{name}`: {error}"))
        }
        _ => Error::invalid(format!("{REFUSED}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_lower_case() {
        let mut seen = std::collections::BTreeSet::new();
        for action in all() {
            assert!(seen.insert(action.id), "{} twice", action.id);
            assert!(action.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", action.id);
            assert!(action.description.ends_with('.'), "{}", action.id);
        }
    }

    #[test]
    fn every_schema_is_a_closed_object_with_described_properties() {
        for action in all() {
            let schema = (action.input)();
            assert_eq!(schema["type"], "object", "{}: {schema}", action.id);
            assert_eq!(schema["additionalProperties"], false, "{}", action.id);
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property.get("description").is_some(), "{} {name}: {property}", action.id);
            }
            assert_eq!(action.output.schema()["type"], "object", "{}", action.id);
        }
    }

    #[test]
    fn a_property_of_the_wrong_type_is_named_and_no_other() {
        let refused = |id: &str, input: Value| {
            let mut script = crate::client::tests::Script::default();
            crate::client::tests::run(&[], &mut script, id, input).unwrap_err().to_string()
        };
        let error = refused("list-users", json!({"q": "x", "per_page": "5", "page": -1}));
        assert!(error.contains("`per_page`") || error.contains("`page`"), "{error}");
        let error = refused("get-user", json!({"fields": "email"}));
        assert!(error.contains("missing field `user_id`") && !error.contains("`fields`"), "{error}");
        let error = refused("update-user", json!({"user_id": "auth0|x", "changes": {"blocked": "yes"}}));
        assert!(error.contains("`blocked`"), "{error}");
    }

    #[test]
    fn an_unknown_action_hints_at_those_that_resemble_it() {
        for asked in ["getUser", "get_user", "get-users", "user.get"] {
            let error = find(asked).err().unwrap();
            assert_eq!(error.kind(), "missing");
            assert!(error.to_string().contains("get-user"), "{asked}: {error}");
        }
        assert!(find("quux").err().unwrap().to_string().contains("list-actions"));
    }
}
