//! What `PATCH /users/{id}` takes: passed through unchanged, once it is known to be what the caller meant.
//!
//! Auth0's PATCH has sharp edges: `null` unsets, metadata merge at the first level only, and `{}` deletes a whole bag
//! of metadata. The last one is the failure that SDK users report again and again (facts/actions.md, complaint 9), so
//! it needs a word of its own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::core::error::Error;
use crate::input::{FromInput, Refusal, Wrong};
use crate::operations::found;

/// Properties of the body (facts, section 4): name, JSON type, whether `null` unsets it, meaning.
const PROPERTIES: &[(&str, &str, bool, &str)] = &[
    ("email", "string", true, "New e-mail address; only on database and passwordless connections"),
    ("email_verified", "boolean", false, "Mark the address as verified or not"),
    ("phone_number", "string", true, "New phone number, '+' and 1 to 15 digits"),
    ("phone_verified", "boolean", false, "Mark the number as verified or not"),
    ("username", "string", true, "New username; not together with email or email_verified"),
    ("password", "string", true, "New password; not together with email, email_verified or username"),
    ("name", "string", true, "Full name"),
    ("nickname", "string", true, "Nickname"),
    ("given_name", "string", true, "Given name"),
    ("family_name", "string", true, "Family name"),
    ("picture", "string", true, "URL of a picture"),
    ("blocked", "boolean", false, "Block or unblock; brute-force blocks are lifted by clear-user-blocks"),
    ("verify_email", "boolean", false, "Send a verification mail for the new address"),
    ("verify_phone_number", "boolean", false, "Send a verification message for the new number"),
    ("connection", "string", false, "Connection of the identity that is changed, where not the primary one"),
    ("client_id", "string", false, "Application in whose name messages are sent"),
    (
        "user_metadata",
        "object",
        false,
        "The person's preferences: merged at the first level; a null member is deleted",
    ),
    (
        "app_metadata",
        "object",
        false,
        "The system's truth: merged at the first level; a null member is deleted",
    ),
];

/// The body of an update: at least one known property, each of the right type.
#[derive(Clone)]
pub struct UserChanges(Map<String, Value>);

impl FromInput for UserChanges {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        let changes = Map::from_input(value)?;
        let mut wrong = Refusal::default();
        if changes.is_empty() {
            wrong.add(Wrong::Empty);
        }
        for (name, value) in &changes {
            let Some((known, kind, nullable, _)) = PROPERTIES.iter().find(|(known, ..)| known == name) else {
                let known = PROPERTIES.iter().map(|(known, ..)| *known).collect();
                wrong.add(Wrong::Unknown { name: name.clone(), known });
                continue;
            };
            let fits = match value {
                Value::Null => *nullable,
                Value::Bool(_) => *kind == "boolean",
                Value::String(_) => *kind == "string",
                Value::Object(_) => *kind == "object",
                _ => false,
            };
            if !fits {
                let article = if *kind == "object" { "an" } else { "a" };
                let or_null = if *nullable { " or null" } else { "" };
                let found = found(value);
                let phrase = format!("expected {article} {kind}{or_null}, found {found}");
                wrong.add_within(known, Wrong::Unfit(phrase).into());
            }
        }
        if wrong.is_empty() { Ok(Self(changes)) } else { Err(wrong) }
    }
}

impl TryFrom<Map<String, Value>> for UserChanges {
    type Error = Error;

    fn try_from(changes: Map<String, Value>) -> Result<Self, Error> {
        let read = Self::from_input(Value::Object(changes));
        read.map_err(|refusal| Error::invalid(refusal.within("changes").to_string()))
    }
}

impl UserChanges {
    /// Returns the body, if it wipes no metadata unasked.
    ///
    /// # Errors
    /// `invalid-input` for `{}` as metadata unless it is allowed.
    pub fn body(self, allow_metadata_wipe: bool) -> Result<Value, Error> {
        for bag in ["app_metadata", "user_metadata"] {
            let wipes = self.0.get(bag).and_then(Value::as_object).is_some_and(Map::is_empty);
            if wipes && !allow_metadata_wipe {
                return Err(Error::invalid(format!(
                    "an empty `{bag}` refused: it would delete all {bag} of the user; leave it out to change nothing, \
                     set single members to null to delete those, or set allow_metadata_wipe to true to delete all"
                )));
            }
        }
        Ok(Value::Object(self.0))
    }
}

impl JsonSchema for UserChanges {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "UserChanges".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let property = |(name, kind, nullable, meaning): &(&str, &str, bool, &str)| {
            let schema = if *nullable {
                json!({ "anyOf": [{ "type": kind }, { "const": null }], "description": format!("{meaning}; null unsets it") })
            } else {
                json!({ "type": kind, "description": meaning })
            };
            ((*name).to_owned(), schema)
        };
        let properties: Map<_, _> = PROPERTIES.iter().map(property).collect();
        json_schema!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: Value) -> Result<UserChanges, String> {
        UserChanges::from_input(changes).map_err(|refusal| refusal.within("changes").to_string())
    }

    #[test]
    fn changes_pass_through_unchanged() {
        let changes = json!({"nickname": null, "app_metadata": {"a": null, "b": {"c": 1}}, "blocked": false});
        assert_eq!(read(changes.clone()).unwrap().body(false), Ok(changes));
    }

    #[test]
    fn a_wipe_of_metadata_needs_a_word() {
        for bag in ["app_metadata", "user_metadata"] {
            let changes = read(json!({ bag: {} })).unwrap();
            let error = changes.clone().body(false).unwrap_err();
            assert!(error.to_string().contains("allow_metadata_wipe"), "{error}");
            assert_eq!(changes.body(true), Ok(json!({ bag: {} })));
        }
    }

    #[test]
    fn what_auth0_does_not_know_is_refused_by_name() {
        assert!(read(json!({"mail": "x"})).err().unwrap().contains("`mail`"));
        assert!(read(json!({"blocked": "yes"})).err().unwrap().contains("`blocked`"));
        assert!(read(json!({"blocked": null})).err().unwrap().contains("`blocked`"));
        assert!(read(json!({})).err().unwrap().contains("empty"));
    }
}
