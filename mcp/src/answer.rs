//! What a call of a tool comes back with.
//!
//! What an action refused or failed at is a result that says so, with the error for programs and for the model: a client
//! shows its user a JSON-RPC error, if at all, and the model learns nothing from it. Only misuse of the protocol is one.

use auth0_host::{Error, ErrorKind};
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

/// A call that ended without a result, told to the agent: `{"error": {"kind", "message", …}}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refused(Value);

/// Kinds that no action answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnKind {
    /// A person was asked, and did not agree.
    Declined,
    /// The host failed, not the action.
    Host,
}

impl Refused {
    /// Makes one of a kind that actions answer too.
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(json!({"kind": kind, "message": message.into()}))
    }

    /// Makes one of a kind that only this server has.
    pub(super) fn own(kind: OwnKind, message: impl Into<String>) -> Self {
        let kind = match kind {
            OwnKind::Declined => "declined",
            OwnKind::Host => "host",
        };
        Self(json!({"kind": kind, "message": message.into()}))
    }

    /// Adds what is to be known beside the error.
    pub(super) fn warning(mut self, warning: Value) -> Self {
        if let Value::Object(error) = &mut self.0 {
            error.insert(WARNING.to_owned(), warning);
        }
        self
    }
}

/// The member of an answer that says what is to be known beside it.
const WARNING: &str = "warning";

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Action(error) => Self(json!(error)),
            error => Self::own(OwnKind::Host, chain(&error)),
        }
    }
}

/// The sentence with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Cuts a text of an error. Auth0's have up to some hundred letters; what is longer repeats the input, or is a page of
/// somebody's proxy.
fn cut(text: &mut String) {
    const LONGEST: usize = 2_000;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

impl From<Refused> for CallToolResult {
    fn from(Refused(mut error): Refused) -> Self {
        for member in error.as_object_mut().into_iter().flat_map(|error| error.values_mut()) {
            if let Value::String(text) = member {
                cut(text);
            }
        }
        Self::structured_error(json!({ "error": error }))
    }
}

/// Adds what is to be known beside a result.
pub(super) fn with_warning(value: Value, warning: Value) -> Value {
    let mut value = object(value);
    if let Value::Object(members) = &mut value {
        members.insert(WARNING.to_owned(), warning);
    }
    value
}

/// Makes the result of what went well. Structured content is an object, so anything else is put into one.
pub(super) fn done(value: Value) -> CallToolResult {
    CallToolResult::structured(object(value))
}

fn object(value: Value) -> Value {
    if value.is_object() { value } else { json!({ "result": value }) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth0_host::ActionError;

    use super::*;

    #[test]
    fn an_error_is_for_programs_and_for_the_model() {
        let mut error = ActionError::new(ErrorKind::Forbidden, "the token lacks a scope");
        error.scopes = vec!["read:users".to_owned()];
        let expected = json!({"error": {
            "kind": "forbidden", "message": "the token lacks a scope", "scopes": ["read:users"],
        }});
        let result = CallToolResult::from(Refused::from(Error::Action(error)));
        assert_eq!(result.is_error, Some(true));
        assert_eq!(result.structured_content, Some(expected.clone()));
        assert_eq!(result.content[0].as_text().unwrap().text, expected.to_string());

        let host = CallToolResult::from(Refused::from(Error::Timeout { after: Duration::from_secs(1) }));
        assert_eq!(host.structured_content.unwrap()["error"]["kind"], "host");

        let long = Refused::new(ErrorKind::Rejected, "ä".repeat(100_000));
        let long = CallToolResult::from(long).structured_content.unwrap();
        assert_eq!(long["error"]["message"].as_str().unwrap().chars().count(), 2_001);
    }

    #[test]
    fn a_warning_is_beside_the_answer_and_takes_nothing_of_it() {
        let warning = json!({"kind": "done-do-not-repeat"});
        for (value, expected) in [
            (json!({"a": 1}), json!({"a": 1, "warning": warning})),
            (json!([1]), json!({"result": [1], "warning": warning})),
            (Value::Null, json!({"result": null, "warning": warning})),
        ] {
            assert_eq!(with_warning(value, warning.clone()), expected);
        }
        let Refused(error) = Refused::new(ErrorKind::Unavailable, "no").warning(warning.clone());
        assert_eq!(error, json!({"kind": "unavailable", "message": "no", "warning": warning}));
    }

    #[test]
    fn structured_content_is_an_object() {
        for (value, expected) in [
            (json!({"a": 1}), json!({"a": 1})),
            (json!([1]), json!({"result": [1]})),
            (json!(2), json!({"result": 2})),
        ] {
            assert_eq!(done(value).structured_content, Some(expected));
        }
    }
}
