//! A request to the tenant, before anyone decides where it goes or with whose token.

use std::borrow::Cow;

use serde_json::Value;

use super::path::{ApiPath, encode};

/// HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Method {
    /// Returns its name, as HTTP has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Returns whether it only reads: then a lost answer is nothing but a lost answer.
    pub fn is_safe(self) -> bool {
        self == Self::Get
    }

    /// Returns whether sending it twice leaves the tenant as sending it once. Auth0 has no idempotency keys, so POST and PATCH
    /// are never repeated once they may have been processed.
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::Get | Self::Put | Self::Delete)
    }
}

/// Path and query, encoded. No `Debug`: headers and body carry passwords and keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Encoded path.
    pub path: String,
    /// Encoded query without `?`; empty where there is none.
    pub query: String,
    /// Headers beside those that every request has; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body with its media type.
    pub body: Option<Body>,
    /// How many server-sent events are read of the answer, where it is a stream of them.
    pub events: Option<usize>,
}

/// A body.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// Media type.
    pub content_type: Cow<'static, str>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Request {
    /// Begins a request to the Management API.
    pub fn api(method: Method, path: &ApiPath) -> Self {
        Self::at(method, path.as_str())
    }

    /// Begins a request to a path that is known to be right: `/oauth/token`.
    pub fn at(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: None,
            events: None,
        }
    }

    /// Adds a query parameter and encodes it.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(&encode(name));
        self.query.push('=');
        self.query.push_str(&encode(value));
        self
    }

    /// Adds a query parameter where there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, &value.to_string()),
            None => self,
        }
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(mut self, value: &Value) -> Self {
        self.body =
            Some(Body { content_type: "application/json".into(), bytes: value.to_string().into_bytes() });
        self
    }

    /// Sets a form body.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let text: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.body = Some(Body {
            content_type: "application/x-www-form-urlencoded".into(),
            bytes: text.join("&").into_bytes(),
        });
        self
    }

    /// Reads the answer as a stream of events, and at most so many.
    #[must_use]
    pub fn events(mut self, most: usize) -> Self {
        self.headers.push(("accept".to_owned(), "text/event-stream".to_owned()));
        self.events = Some(most);
        self
    }

    /// Returns path and query as they go into the request line.
    pub fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_are_encoded_and_kept_in_order() {
        let request = Request::api(Method::Get, &ApiPath::of(&["users"]))
            .query("q", "email:\"a+b@c.d\" AND x:*")
            .maybe("page", Some(0))
            .maybe("sort", None::<&str>);
        assert_eq!(
            request.path_and_query(),
            "/api/v2/users?q=email%3A%22a%2Bb%40c.d%22%20AND%20x%3A%2A&page=0"
        );
    }
}
