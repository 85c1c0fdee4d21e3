//! The table of actions, and the JSON interface over it. Schemas, docs and the plugin's label read this table; nothing
//! about an action is written down anywhere else.

use std::cell::RefCell;

use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde_json::{Value, json};

use crate::actions;
use crate::client::Client;
use crate::core::error::{Error, Problem};
use crate::core::json as documents;
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
        documents::parse(input.as_bytes())
            .map_err(|error| Error::invalid(format!("input of {id} refused: {error}")))?
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
    let current = RefCell::new(String::new());
    let members = Members { rest: map.into_iter(), current: &current };
    // Through an object only: the general way brings, for each input, code that reads it from an array too.
    T::deserialize(MapDeserializer::<_, serde_json::Error>::new(members))
        .map_err(|error| refusal(&error.to_string(), &current.borrow()))
}

/// An object's members, and which one was taken last: the one that an error is about.
struct Members<'a> {
    rest: serde_json::map::IntoIter,
    current: &'a RefCell<String>,
}

impl Iterator for Members<'_> {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.rest.next()?;
        self.current.borrow_mut().clone_from(&name);
        Some((name, value))
    }
}

fn refusal(error: &str, name: &str) -> Error {
    // serde names the property itself where it is missing or unknown.
    if error.starts_with("missing field") || error.contains(&format!("`{name}`")) {
        return Error::invalid(format!("{REFUSED}: {}", without_value(error)));
    }
    Error::invalid(format!("{REFUSED}: `{name}`: {}", without_value(error)))
}

/// Takes the value out of `invalid type: string "hunter2", expected a boolean`: it may be a password, and errors are
/// logged.
fn without_value(error: &str) -> String {
    let rest = error.strip_prefix("invalid type: ").or_else(|| error.strip_prefix("invalid value: "));
    match rest.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("invalid type: {kind}, expected {expected}")
        }
        None => error.to_owned(),
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

    #[test]
    fn a_refused_input_names_the_property_and_not_its_value() {
        let cases = [
            (
                json!({"connection": "db", "password": 12_345_678}),
                "`password`: invalid type: integer, expected",
            ),
            (
                json!({"connection": "db", "blocked": "hunter2"}),
                "`blocked`: invalid type: string, expected a boolean",
            ),
            (json!({"connection": "db", "app_metadata": "hunter2"}), "`app_metadata`: invalid type: string"),
            (json!({"connection": "db", "pasword": "hunter2"}), "unknown field `pasword`"),
            (json!({"email": "hunter2"}), "missing field `connection`"),
        ];
        for (input, expected) in cases {
            let error = parse::<crate::actions::users::CreateUser>(input).err().unwrap().to_string();
            assert!(
                error.contains(expected) && !error.contains("hunter2") && !error.contains("1234"),
                "{error}"
            );
        }
    }
}
