//! What `PATCH /users/{id}` takes: passed through unchanged, once it is known to be what the caller meant.
//!
//! Auth0's PATCH has sharp edges: `null` unsets, metadata merge at the first level only, and `{}` deletes a whole bag
//! of metadata. The last one is the failure that SDK users report again and again (facts, section 11), so
//! it needs a word of its own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::core::error::Error;
use crate::input::{FromInput, Refusal, Wrong};
use crate::operations::found;

/// Properties of the body (facts, section 4): name, JSON type, whether `null` unsets it, meaning.
const PROPERTIES: &[(&str, &str, bool, &str)] = &[
    ("email", "string", true, "New email address; only on database and passwordless connections"),
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
    ("verify_email", "boolean", false, "Send a verification email for the new address"),
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
#[derive(Clone, Debug)]
pub(super) struct UserChanges(Map<String, Value>);

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

/// Names of fields that are unset.
pub(super) struct Unset(Vec<&'static str>);

impl FromInput for Unset {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        let names = Vec::<String>::from_input(value)?;
        let known = |name: &String| nullable().find(|known| known == name);
        let read: Option<Vec<_>> = names.iter().map(known).collect();
        read.map(Self).ok_or_else(|| {
            let known: Vec<_> = nullable().collect();
            Wrong::Unfit(format!("expected names of fields that can be unset: {}", known.join(", "))).into()
        })
    }
}

fn nullable() -> impl Iterator<Item = &'static str> {
    PROPERTIES.iter().filter(|(_, _, nullable, _)| *nullable).map(|(name, ..)| *name)
}

/// Returns the body of an update, if it wipes no metadata unasked.
///
/// # Errors
/// `invalid-input` where nothing is to be changed, where a field is given a value and unset, and for `{}` as metadata
/// unless it is allowed.
pub(super) fn body(
    changes: Option<UserChanges>,
    unset: Option<Unset>,
    allow_metadata_wipe: bool,
) -> Result<Value, Error> {
    let mut body = changes.map(|UserChanges(changes)| changes).unwrap_or_default();
    for name in unset.into_iter().flat_map(|Unset(names)| names) {
        match body.get(name) {
            None | Some(Value::Null) => body.insert(name.to_owned(), Value::Null),
            Some(_) => {
                return Err(Error::invalid(format!(
                    "`{name}` in both `changes` and `unset` refused: give it a value or unset it"
                )));
            }
        };
    }
    if body.is_empty() {
        return Err(Error::invalid("an update without changes refused: give `changes`, `unset` or both"));
    }
    for bag in ["app_metadata", "user_metadata"] {
        let wipes = body.get(bag).and_then(Value::as_object).is_some_and(Map::is_empty);
        if wipes && !allow_metadata_wipe {
            return Err(Error::invalid(format!(
                "an empty `{bag}` refused: it would delete all {bag} of the user; leave it out to change nothing, \
                 set single members to null to delete those, or set allow_metadata_wipe to true to delete all"
            )));
        }
    }
    Ok(Value::Object(body))
}

impl JsonSchema for Unset {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Unset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = nullable().collect();
        json_schema!({ "type": "array", "items": { "type": "string", "enum": names } })
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
        assert_eq!(body(read(changes.clone()).ok(), None, false), Ok(changes));
    }

    #[test]
    fn a_wipe_of_metadata_needs_a_word() {
        for bag in ["app_metadata", "user_metadata"] {
            let changes = read(json!({ bag: {} })).unwrap();
            let error = body(Some(changes.clone()), None, false).unwrap_err();
            assert!(error.to_string().contains("allow_metadata_wipe"), "{error}");
            assert_eq!(body(Some(changes), None, true), Ok(json!({ bag: {} })));
        }
    }

    #[test]
    fn what_is_unset_becomes_null_and_has_no_value_beside() {
        let unset = |names: Value| Unset::from_input(names).map_err(|refusal| refusal.to_string());
        let all = body(read(json!({"name": "A"})).ok(), unset(json!(["email", "nickname"])).ok(), false);
        assert_eq!(all, Ok(json!({"name": "A", "email": null, "nickname": null})));
        assert_eq!(body(None, unset(json!(["email"])).ok(), false), Ok(json!({"email": null})));
        let both =
            body(read(json!({"email": "a@b.c"})).ok(), unset(json!(["email"])).ok(), false).unwrap_err();
        assert!(both.to_string().contains("`email` in both"), "{both}");
        assert!(unset(json!(["blocked"])).err().unwrap().contains("can be unset: email, phone_number"));
        assert!(body(None, unset(json!([])).ok(), false).is_err());
    }

    #[test]
    fn what_auth0_does_not_know_is_refused_by_name() {
        assert!(read(json!({"mail": "x"})).err().unwrap().contains("`mail`"));
        assert!(read(json!({"blocked": "yes"})).err().unwrap().contains("`blocked`"));
        assert!(read(json!({"blocked": null})).err().unwrap().contains("`blocked`"));
        assert!(read(json!({})).err().unwrap().contains("empty"));
    }
}
