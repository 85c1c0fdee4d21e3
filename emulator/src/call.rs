//! What the server and the handlers say to each other: a checked request, an answer, a refusal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::operation::Operation;

/// A request that has passed authentication, scopes and the schemas.
pub(crate) struct Call {
    pub(crate) operation: &'static Operation,
    /// Path parameters, decoded.
    pub(crate) params: BTreeMap<&'static str, String>,
    pub(crate) query: Query,
    /// The body; `Null` where there was none.
    pub(crate) body: Value,
    pub(crate) caller: Caller,
    /// The path without query, still encoded, as tenant logs show it.
    pub(crate) path: String,
    pub(crate) user_agent: String,
    pub(crate) correlation_id: Option<String>,
    /// Origin for links in answers (the `Link` header of `/logs`).
    pub(crate) origin: String,
}

/// Who calls: the application behind the token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) jti: String,
    pub(crate) scopes: Vec<String>,
}

impl Caller {
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }
}

impl Call {
    /// A path parameter; empty when the template has none of that name.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A member of the body.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.body.get(name)
    }

    /// A string member of the body.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    /// A boolean member of the body.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.body.get(name).and_then(Value::as_bool)
    }

    /// The body as an object; empty where it is none.
    pub(crate) fn object(&self) -> Map<String, Value> {
        self.body.as_object().cloned().unwrap_or_default()
    }

    /// The strings of an array member of the body.
    pub(crate) fn strings(&self, name: &str) -> Vec<String> {
        self.body
            .get(name)
            .and_then(Value::as_array)
            .map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

/// The decoded query parameters, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let raw = raw.unwrap_or_default().as_bytes();
        Self(form_urlencoded::parse(raw).map(|(k, v)| (k.into_owned(), v.into_owned())).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a repeatable parameter; `a[]=x` and `a=x` both count.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key.strip_suffix("[]").unwrap_or(key) == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name).and_then(|value| value.parse().ok())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| value == "true")
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Body,
    pub(crate) headers: HeaderMap,
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    Text(&'static str, String),
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: HeaderMap::new() }
    }

    pub(crate) fn ok(body: impl Into<Value>) -> Self {
        Self::json(StatusCode::OK, body.into())
    }

    pub(crate) fn created(body: impl Into<Value>) -> Self {
        Self::json(StatusCode::CREATED, body.into())
    }

    pub(crate) fn accepted() -> Self {
        Self::json(StatusCode::ACCEPTED, json!({}))
    }

    pub(crate) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Body::Empty, headers: HeaderMap::new() }
    }

    pub(crate) fn text(status: StatusCode, kind: &'static str, body: impl Into<String>) -> Self {
        Self { status, body: Body::Text(kind, body.into()), headers: HeaderMap::new() }
    }

    /// Adds a header; a value that no header can hold is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
        self
    }
}

/// A refusal in the Management API's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code: Some(code), message: message.into() }
    }

    /// A refusal without `errorCode`, as roles and organizations answer.
    pub(crate) fn plain(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: None, message: message.into() }
    }

    pub(crate) fn body(message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", format!("Payload validation error: {message}."))
    }

    pub(crate) fn query(message: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_query_string",
            format!("Query validation error: {message}."),
        )
    }

    pub(crate) fn path(message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_uri", format!("Path validation error: {message}."))
    }

    pub(crate) fn missing_user() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_user", "The user does not exist.")
    }

    pub(crate) fn insufficient_scope(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "insufficient_scope", message)
    }

    /// The plain 404 of a path that the API does not have.
    pub(crate) fn no_such_path() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(crate) fn into_answer(self) -> Answer {
        let reason = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({"statusCode": self.status.as_u16(), "error": reason, "message": self.message});
        if let (Some(code), Some(object)) = (self.code, body.as_object_mut()) {
            // Some 401s repeat the message under `attributes`; those of expired tokens were seen with it.
            object.insert("errorCode".into(), code.into());
        }
        if self.status == StatusCode::UNAUTHORIZED
            && let Some(object) = body.as_object_mut()
        {
            object.insert("attributes".into(), json!({"error": self.message}));
        }
        Answer::json(self.status, body)
    }
}

/// Joins names for a message: `a, b and c` is never needed, Auth0 writes `a,b`.
pub(crate) fn joined(names: &[String]) -> String {
    let mut out = String::new();
    for (i, name) in names.iter().enumerate() {
        let _ = write!(out, "{}{name}", if i == 0 { "" } else { "," });
    }
    out
}
