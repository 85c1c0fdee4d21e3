//! What the component answers, in the types of this library.
//!
//! The component is not trusted to keep its contract: a text that is no JSON, a list without its members or a code with
//! a person's name in it is an error of the component, not a value.

use auth0_contract::wasmtime::exports::connector::auth0::types::{self as contract};
use auth0_policy::bounded_text::cut;
use serde::Deserialize;

use crate::{
    action::{ActionDescription, ActionFilter, ActionSummary},
    error::{ActionError, Disposition, Error},
    json::{Json, JsonError},
};

/// Most bytes of an error's message; the rest is cut. The connector repeats at most 1000 characters of the tenant's text,
/// four bytes each, and has as much room for its own.
const LONGEST_MESSAGE: usize = 8 * 1024;
/// Most bytes of Auth0's error code and request id: the connector shortens them to 1000 characters, four bytes each.
const LONGEST_ID: usize = 4 * 1024;
/// Most scopes of an error. The tenant names them in a text of which the connector reads 1000 characters, two for each
/// at least (`:,`).
const MOST_SCOPES: usize = 512;
/// Most bytes of all scopes together: four times what such a text can hold, for those of an action's description.
const MOST_SCOPE_BYTES: usize = 16 * 1024;
/// Most bytes of an error's details. No code has any today; 64 KiB have room for a document about a failure, and a tree
/// of them stays below some megabytes.
const MOST_DETAIL_BYTES: usize = 64 * 1024;

/// What `list-actions` answers. Members that this version does not know are passed over.
#[derive(Deserialize)]
struct ActionList {
    items: Vec<ActionSummary>,
}

/// Takes what the component says as JSON, or says what is wrong with it.
pub(super) fn json(text: String, what: &str) -> Result<Json, Error> {
    Json::parse(text).map_err(|source| broken(format!("{what} is not JSON"), Some(source)))
}

/// Writes a filter as `list-actions` takes it.
pub(super) fn filter(filter: &ActionFilter) -> Result<String, Error> {
    let unwritable = |source| broken("the filter cannot be written as JSON".to_owned(), Some(source));
    Ok(Json::of(filter).map_err(unwritable)?.to_string())
}

/// Reads what `list-actions` answers.
pub(super) fn list(text: String) -> Result<Vec<ActionSummary>, Error> {
    read::<ActionList>(text, "the list of actions").map(|list| list.items)
}

/// Reads what `describe-action` answers.
pub(super) fn description(text: String) -> Result<ActionDescription, Error> {
    let action: ActionDescription = read(text, "the description of the action")?;
    for (schema, what) in [(&action.input_schema, "input"), (&action.output_schema, "output")] {
        if !schema.is_object() {
            return Err(broken(format!("the schema of the {what} is no JSON object"), None));
        }
    }
    Ok(action)
}

/// Takes an error of the component.
///
/// A code that is none, or details that are no object, break the contract: what they say instead is the component's to
/// choose. So does a known code with another disposition than its own: an engine branches on the disposition, and would
/// send a write once more whose answer was lost. And so does what is longer than any error of the connector: whoever
/// handles errors keeps them, and no limit of the call counts them.
pub(super) fn error(error: contract::Error) -> Error {
    match action_error(error) {
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

fn action_error(error: contract::Error) -> Result<ActionError, Error> {
    let code =
        error.code.parse().map_err(|problem| broken(format!("the code of its error: {problem}"), None))?;
    let disposition = match error.disposition {
        contract::Disposition::FixInput => Disposition::FixInput,
        contract::Disposition::FixAccess => Disposition::FixAccess,
        contract::Disposition::RetryLater => Disposition::RetryLater,
        contract::Disposition::VerifyFirst => Disposition::VerifyFirst,
        contract::Disposition::GiveUp => Disposition::GiveUp,
    };
    let mut action = ActionError::new(code, cut(error.message, LONGEST_MESSAGE));
    if let Some(code) = action.code.known()
        && disposition != action.disposition
    {
        let known = action.disposition;
        return Err(broken(format!("its error `{code}` is `{disposition}`, and has to be `{known}`"), None));
    }
    action.disposition = disposition;
    action.status = error.status;
    action.error_code = error.error_code.map(|code| id(code, "error code")).transpose()?;
    action.request_id = error.request_id.map(|text| id(text, "request id")).transpose()?;
    action.retry_after_ms = error.retry_after_ms;
    action.scopes = scopes(error.scopes)?;
    action.details = error.details.map(details).transpose()?;
    Ok(action)
}

fn id(text: String, what: &str) -> Result<Box<str>, Error> {
    bounded(text.len(), LONGEST_ID, &format!("bytes of the {what} of its error"))?;
    Ok(text.into_boxed_str())
}

fn scopes(scopes: Vec<String>) -> Result<Vec<String>, Error> {
    bounded(scopes.len(), MOST_SCOPES, "scopes of its error")?;
    bounded(scopes.iter().map(String::len).sum(), MOST_SCOPE_BYTES, "bytes of the scopes of its error")?;
    Ok(scopes)
}

/// Takes details as text: a tree of them would have an element for every two bytes, and no place for a number like 1e400.
fn details(text: String) -> Result<Json, Error> {
    bounded(text.len(), MOST_DETAIL_BYTES, "bytes of the details of its error")?;
    let details = json(text, "the text of its error's details")?;
    if details.is_object() {
        Ok(details)
    } else {
        Err(broken("the details of its error are not a JSON object".to_owned(), None))
    }
}

fn bounded(count: usize, most: usize, what: &str) -> Result<(), Error> {
    if count > most { Err(broken(format!("{count} {what}; at most {most} are taken"), None)) } else { Ok(()) }
}

fn read<T: for<'a> Deserialize<'a>>(text: String, what: &str) -> Result<T, Error> {
    let shape = |source| broken(format!("{what} has another shape than the contract allows"), Some(source));
    json(text, what)?.deserialize().map_err(shape)
}

fn broken(problem: String, source: Option<JsonError>) -> Error {
    Error::Contract { problem, source }
}

#[cfg(test)]
mod tests {
    use auth0_contract::{ACTION_DESCRIPTION_SCHEMA, ACTION_FILTER_SCHEMA, ACTION_LIST_SCHEMA};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        action::{ActionKind, Effect, Pagination, Stage},
        error::ErrorCode,
    };

    fn described() -> Value {
        json!({
            "id": "get-user", "title": "Get a user", "description": "Gets one user.", "kind": "curated", "group": "users",
            "effect": "read", "idempotent": true, "requests": [{"method": "GET", "path": "/api/v2/users/{id}"}],
            "stage": "ga", "scopes": [{"any_of": ["read:users"]}, {"any_of": ["x"], "required_for": "`y`"}],
            "pagination": "none", "handles_personal_data": true, "input_schema": {"type": "object"},
            "output_schema": {"type": "object"},
        })
    }

    fn with(member: &str, value: Value) -> Result<ActionDescription, Error> {
        let mut action = described();
        action[member] = value;
        description(action.to_string())
    }

    fn is_broken<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
        matches!(result, Err(Error::Contract { .. }))
    }

    #[test]
    fn a_description_is_read_and_written_as_the_contract_has_it() {
        let action = description(described().to_string()).unwrap();
        assert_eq!(serde_json::to_value(&action).unwrap(), described());
        let schema: Value = serde_json::from_str(ACTION_DESCRIPTION_SCHEMA).unwrap();
        let written = described();
        for name in schema["required"].as_array().unwrap() {
            assert!(written.get(name.as_str().unwrap()).is_some(), "{name}");
        }
    }

    #[test]
    fn a_value_of_a_later_version_is_the_worst_that_it_can_be_and_a_member_is_passed_over() {
        assert_eq!(with("effect", json!("archive")).unwrap().effect, Effect::Delete);
        assert_eq!(with("stage", json!("deprecated")).unwrap().stage, Stage::Unknown);
        assert_eq!(with("pagination", json!("keyset")).unwrap().pagination, Pagination::None);
        assert_eq!(with("kind", json!("workflow")).unwrap().kind, ActionKind::Unknown);
        assert_eq!(with("icon", json!({"svg": []})).unwrap(), description(described().to_string()).unwrap());
    }

    #[test]
    fn a_description_that_the_contract_does_not_allow_breaks_it() {
        for (member, value) in [
            ("effect", json!(1)),
            ("title", Value::Null),
            ("scopes", json!("read:users")),
            ("requests", json!([{"method": "GET"}])),
            ("idempotent", json!("yes")),
            ("input_schema", json!("{}")),
            ("output_schema", json!(true)),
        ] {
            assert!(is_broken(with(member, value)), "{member}");
        }
        for text in ["", "{", "[]", "null", "{}", "{} {}"] {
            assert!(is_broken(description(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_list_is_read_with_what_is_not_known_in_it() {
        let text = json!({"items": [described()], "next": "later"}).to_string();
        let [action] = list(text).unwrap().try_into().unwrap();
        assert_eq!((action.id.as_str(), action.kind), ("get-user", ActionKind::Curated));
        let schema: Value = serde_json::from_str(ACTION_LIST_SCHEMA).unwrap();
        let written = serde_json::to_value(&action).unwrap();
        for name in schema["properties"]["items"]["items"]["required"].as_array().unwrap() {
            assert!(written.get(name.as_str().unwrap()).is_some(), "{name}");
        }
        for text in ["[]", "{}", r#"{"items": [{}]}"#, r#"{"items": {}}"#] {
            assert!(is_broken(list(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_filter_has_the_members_of_the_contract_and_only_those_that_are_given() {
        assert_eq!(filter(&ActionFilter::default()).unwrap(), "{}");
        let mut all = ActionFilter::default();
        (all.text, all.group, all.scope) = (Some("t".into()), Some("g".into()), Some("s".into()));
        (all.kind, all.effect, all.stage) =
            (Some(ActionKind::Operation), Some(Effect::Send), Some(Stage::Unknown));
        let written: Value = serde_json::from_str(&filter(&all).unwrap()).unwrap();
        assert_eq!(
            written,
            json!({"text": "t", "kind": "operation", "group": "g", "effect": "send", "stage": "unknown", "scope": "s"})
        );
        let schema: Value = serde_json::from_str(ACTION_FILTER_SCHEMA).unwrap();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&written), names(&schema["properties"]));
    }

    fn answered(change: impl FnOnce(&mut contract::Error)) -> Error {
        let mut answer = contract::Error {
            disposition: contract::Disposition::FixInput,
            code: "not-found".to_owned(),
            message: "no such user".to_owned(),
            status: Some(404),
            error_code: Some("inexistent_user".to_owned()),
            request_id: None,
            retry_after_ms: None,
            scopes: Vec::new(),
            details: None,
        };
        change(&mut answer);
        error(answer)
    }

    #[test]
    fn an_error_of_a_later_version_keeps_the_disposition_that_the_component_gives_it() {
        let later = answered(|error| {
            error.code = "quota-exceeded".to_owned();
            error.disposition = contract::Disposition::RetryLater;
            error.details = Some(r#" {"quota": 5, "used": 1e400} "#.to_owned());
        });
        let Error::Action(error) = later else { panic!("{later:?}") };
        assert_eq!((error.disposition, error.status), (Disposition::RetryLater, Some(404)));
        assert_eq!((error.code.as_str(), error.code.known()), ("quota-exceeded", None));
        assert_eq!(error.details.unwrap().as_str(), r#"{"quota": 5, "used": 1e400}"#);
    }

    /// Guards against an engine that repeats a write since the component says that it may.
    #[test]
    fn a_known_code_with_another_disposition_than_its_own_breaks_the_contract() {
        let all = [
            (contract::Disposition::FixInput, Disposition::FixInput),
            (contract::Disposition::FixAccess, Disposition::FixAccess),
            (contract::Disposition::RetryLater, Disposition::RetryLater),
            (contract::Disposition::VerifyFirst, Disposition::VerifyFirst),
            (contract::Disposition::GiveUp, Disposition::GiveUp),
        ];
        for code in ["not-found", "policy-denied", "rate-limited", "outcome-unknown", "unexpected-answer"] {
            let own = code.parse::<ErrorCode>().unwrap().disposition();
            for (given, disposition) in all {
                let answer = answered(|error| (error.code, error.disposition) = (code.to_owned(), given));
                match &answer {
                    Error::Action(error) => {
                        assert_eq!((error.disposition, disposition), (own, own), "{code}")
                    }
                    broken => {
                        assert!(matches!(broken, Error::Contract { .. }) && disposition != own, "{broken:?}");
                        assert_eq!(broken.disposition(), Disposition::VerifyFirst);
                    }
                }
            }
        }
    }

    /// Guards against a component that fills the memory of whoever keeps errors.
    #[test]
    fn an_error_is_no_larger_than_those_of_the_connector() {
        let Error::Action(error) = answered(|error| error.message = "ä".repeat(1 << 20)) else { panic!() };
        assert!(error.message.ends_with('…') && error.message.len() <= LONGEST_MESSAGE + '…'.len_utf8());
        type Change = fn(&mut contract::Error, bool);
        let cases: [Change; 5] = [
            |error, over| error.error_code = Some("x".repeat(LONGEST_ID + usize::from(over))),
            |error, over| error.request_id = Some("x".repeat(LONGEST_ID + usize::from(over))),
            |error, over| error.scopes = vec![":".to_owned(); MOST_SCOPES + usize::from(over)],
            |error, over| error.scopes = vec!["x".repeat(MOST_SCOPE_BYTES), "x".repeat(usize::from(over))],
            |error, over| {
                let fill = "x".repeat(MOST_DETAIL_BYTES - r#"{"":0}"#.len() + usize::from(over));
                error.details = Some(format!(r#"{{"{fill}":0}}"#));
            },
        ];
        for (case, change) in cases.iter().enumerate() {
            let longest = answered(|error| change(error, false));
            assert!(matches!(longest, Error::Action(_)), "{case}: {longest:?}");
            let broken = answered(|error| change(error, true));
            assert!(matches!(broken, Error::Contract { .. }) && broken.to_string().len() < 200, "{case}");
        }
    }

    #[test]
    fn a_code_that_is_none_and_details_that_are_no_object_break_the_contract() {
        for code in ["", "jane@acme.com", "NOT-FOUND", &"x".repeat(65)] {
            let broken = answered(|error| error.code = code.to_owned());
            assert!(matches!(&broken, Error::Contract { .. }), "{code}: {broken:?}");
            assert!(code.is_empty() || !broken.to_string().contains(code), "{broken}");
        }
        for details in ["", "[]", "7", "{"] {
            let broken = answered(|error| error.details = Some(details.to_owned()));
            assert!(matches!(broken, Error::Contract { .. }), "{details}: {broken:?}");
        }
    }
}
