//! What a call of a tool comes back with.
//!
//! What an action refused or failed at is a result that says so, with the error for programs and for the model: a client
//! shows its user a JSON-RPC error, if at all, and the model learns nothing from it. Only misuse of the protocol is one.

use auth0_host::{ActionError, Disposition, Error, ErrorCode, Json};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

/// A call that ended without a result, told to the agent: `{"error": {"disposition", "code", "message", …}}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refused(Value);

/// Codes that no action answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnCode {
    /// A person was asked, and did not agree.
    Declined,
    /// The host failed, not the action.
    Host,
}

impl Refused {
    /// Makes one of a code that actions answer too.
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(value(ActionError::new(code, message)))
    }

    /// Makes one of a code that only this server has.
    pub(super) fn own(code: OwnCode, disposition: Disposition, message: impl Into<String>) -> Self {
        let code = match code {
            OwnCode::Declined => "declined",
            OwnCode::Host => "host",
        };
        Self(json!({"disposition": disposition, "code": code, "message": message.into()}))
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
            Error::Action(error) => Self(value(*error)),
            error => Self::own(OwnCode::Host, error.disposition(), chain(&error)),
        }
    }
}

/// Writes an error as a tree of values. Details that have none, such as those with a number like 1e400, are left out.
fn value(mut error: ActionError) -> Value {
    let written = |error: &ActionError| Json::of(error).and_then(|error| error.to_value());
    written(&error).unwrap_or_else(|_| {
        error.details = None;
        written(&error).unwrap_or_default()
    })
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
pub(super) fn with_warning(result: &Json, warning: Value) -> Json {
    let mut members: Vec<(String, Json)> = match result.members() {
        Ok(members) => members.into_iter().map(|(name, value)| (name, value.into())).collect(),
        Err(_) => vec![("result".to_owned(), result.clone())],
    };
    members.retain(|(name, _)| name != WARNING);
    members.push((WARNING.to_owned(), warning.into()));
    Json::object(members)
}

/// Makes the result of what went well. Structured content is an object, so anything else is put into one.
///
/// The text has every digit. Structured content is a tree of values, since that is what the protocol's library takes: a
/// number there is a float, and a result with one that is too large for a float is text alone.
pub(super) fn done(result: Json) -> CallToolResult {
    let result = if result.as_str().starts_with('{') { result } else { Json::object([("result", result)]) };
    let mut answer = CallToolResult::success(vec![ContentBlock::text(result.as_str())]);
    answer.structured_content = result.to_value().ok();
    answer
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_is_for_programs_and_for_the_model() {
        let mut error = ActionError::new(ErrorCode::InsufficientScope, "the token lacks a scope");
        error.scopes = vec!["read:users".to_owned()];
        let expected = json!({"error": {
            "disposition": "fix-access", "code": "insufficient-scope", "message": "the token lacks a scope",
            "scopes": ["read:users"],
        }});
        let result = CallToolResult::from(Refused::from(Error::from(error)));
        assert_eq!(result.is_error, Some(true));
        assert_eq!(result.structured_content, Some(expected.clone()));
        assert_eq!(result.content[0].as_text().unwrap().text, expected.to_string());

        let host = CallToolResult::from(Refused::from(Error::Timeout { after: Duration::from_secs(1) }));
        let host = host.structured_content.unwrap();
        assert_eq!(
            (&host["error"]["disposition"], &host["error"]["code"]),
            (&json!("verify-first"), &json!("host"))
        );

        let mut detailed = ActionError::new(ErrorCode::Rejected, "m");
        detailed.details = Some(Json::parse(r#"{"n": 1e400}"#).unwrap());
        let detailed = CallToolResult::from(Refused::from(Error::from(detailed))).structured_content.unwrap();
        assert_eq!(
            detailed["error"],
            json!({"disposition": "fix-input", "code": "rejected", "message": "m"})
        );

        let long = Refused::new(ErrorCode::Rejected, "ä".repeat(100_000));
        let long = CallToolResult::from(long).structured_content.unwrap();
        assert_eq!(long["error"]["message"].as_str().unwrap().chars().count(), 2_001);
    }

    #[test]
    fn a_warning_is_beside_the_answer_and_takes_nothing_of_it() {
        let warning = json!({"code": "done-do-not-repeat"});
        for (value, expected) in [
            (json!({"a": 1}), json!({"a": 1, "warning": warning})),
            (json!([1]), json!({"result": [1], "warning": warning})),
            (Value::Null, json!({"result": null, "warning": warning})),
        ] {
            assert_eq!(with_warning(&value.into(), warning.clone()).as_str(), expected.to_string());
        }
        let Refused(error) = Refused::new(ErrorCode::Unavailable, "no").warning(warning.clone());
        assert_eq!(
            error,
            json!({"disposition": "retry-later", "code": "unavailable", "message": "no", "warning": warning})
        );
    }

    #[test]
    fn structured_content_is_an_object() {
        for (value, expected) in [
            (json!({"a": 1}), json!({"a": 1})),
            (json!([1]), json!({"result": [1]})),
            (json!(2), json!({"result": 2})),
        ] {
            let result = done(value.into());
            assert_eq!(result.content[0].as_text().unwrap().text, expected.to_string());
            assert_eq!((result.structured_content, result.is_error), (Some(expected), Some(false)));
        }
    }

    #[test]
    fn the_text_of_a_result_has_every_digit() {
        let result = done(Json::parse(r#"{"big": 12345678901234567890123, "dec": 0.10}"#).unwrap());
        assert_eq!(
            result.content[0].as_text().unwrap().text,
            r#"{"big": 12345678901234567890123, "dec": 0.10}"#
        );
        assert_eq!(result.structured_content.unwrap()["dec"], 0.1);
        let result = done(Json::parse("1e400").unwrap());
        assert_eq!(result.content[0].as_text().unwrap().text, r#"{"result":1e400}"#);
        assert_eq!(result.structured_content, None);
    }
}
