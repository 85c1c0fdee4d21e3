//! Any other request of the Management API.
//!
//! The path comes from outside, often from a form: it is held within `/api/v2/` of the tenant, whatever encoding is
//! tried (see `core::path`), and headers that would change whose request it is or how it is framed are refused.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::json::object;
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::response::Response;
use crate::core::schema::{Kind, Output, Shape};
use crate::input::{FromInput, Refusal, Wrong, input, misfit};
use crate::operations::{self, found};

/// Headers that are not the caller's: the credential, the addressee, and the framing of the connection (RFC 9110,
/// section 7.6.1). `accept-encoding` would answer bytes that nothing here unpacks. The last lines name method and target
/// anew for servers that listen to them, behind the back of a host's policy.
const REFUSED_HEADERS: &[&str] = &[
    "authorization",
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "http2-settings",
    "accept-encoding",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    "x-host",
    "forwarded",
];

/// HTTP method of a custom request.
#[derive(Clone, Copy, Debug, JsonSchema)]
enum CustomMethod {
    /// GET
    #[schemars(rename = "GET")]
    Get,
    /// POST
    #[schemars(rename = "POST")]
    Post,
    /// PUT
    #[schemars(rename = "PUT")]
    Put,
    /// PATCH
    #[schemars(rename = "PATCH")]
    Patch,
    /// DELETE
    #[schemars(rename = "DELETE")]
    Delete,
}

impl FromInput for CustomMethod {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        Ok(match value.as_str() {
            Some("GET" | "get") => Self::Get,
            Some("POST" | "post") => Self::Post,
            Some("PUT" | "put") => Self::Put,
            Some("PATCH" | "patch") => Self::Patch,
            Some("DELETE" | "delete") => Self::Delete,
            _ => {
                let methods = vec!["GET", "POST", "PUT", "PATCH", "DELETE"];
                return Err(misfit(&operations::Kind::OneOf(methods), &value));
            }
        })
    }
}

/// Query parameters or headers by name.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Named {
    /// An object of names and values; a list repeats the name.
    Object(Map<String, Value>),
    /// A list of pairs, in order.
    Pairs(Vec<(String, String)>),
}

impl FromInput for Named {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
            Some([Value::String(name), Value::String(value)]) => Some((name.clone(), value.clone())),
            _ => None,
        };
        let kind = found(&value);
        let read = match value {
            Value::Object(map) => Some(Self::Object(map)),
            Value::Array(pairs) => pairs.iter().map(pair).collect::<Option<_>>().map(Self::Pairs),
            _ => None,
        };
        read.ok_or_else(|| {
            let expected = "expected an object of names and values, or a list of pairs";
            Wrong::Unfit(format!("{expected}, found {kind}")).into()
        })
    }
}

fn pairs(what: &str, named: Option<Named>) -> Result<Vec<(String, String)>, Error> {
    let map = match named {
        None => return Ok(Vec::new()),
        Some(Named::Pairs(pairs)) => return Ok(pairs),
        Some(Named::Object(map)) => map,
    };
    let mut pairs = Vec::new();
    for (name, value) in map {
        let values = match value {
            Value::Array(values) => values,
            Value::Null => continue,
            value => vec![value],
        };
        for value in values {
            let text = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => {
                    return Err(Error::invalid(format!(
                        "`{name}` in `{what}` refused: give a string, number, boolean, or a list of these"
                    )));
                }
            };
            pairs.push((name.clone(), text));
        }
    }
    Ok(pairs)
}

fn check_header(name: &str, value: &str) -> Result<(String, String), Error> {
    let name = name.to_ascii_lowercase();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(Error::invalid(format!("header name {name:?} refused: not a header name (RFC 9110)")));
    }
    if REFUSED_HEADERS.contains(&name.as_str()) || name.starts_with("x-forwarded-") {
        return Err(Error::invalid(format!(
            "header '{name}' refused: it is the host's or the transport's, not the request's; leave it out"
        )));
    }
    if value.bytes().any(|b| b < 0x20 && b != b'\t' || b == 0x7f) {
        return Err(Error::invalid(format!(
            "value of header '{name}' refused: it holds a control character"
        )));
    }
    Ok((name, value.trim().to_owned()))
}

fn answer(response: &Response) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &response.headers {
        match headers.get_mut(name) {
            Some(Value::String(known)) => {
                known.push_str(", ");
                known.push_str(value);
            }
            _ => {
                headers.insert(name.clone(), value.as_str().into());
            }
        }
    }
    let body = match response.json() {
        Ok(body) => body,
        Err(_) => String::from_utf8_lossy(&response.body).into_owned().into(),
    };
    object([
        ("status", Some(response.status.into())),
        ("headers", Some(headers.into())),
        ("body", Some(body)),
    ])
}

const ANSWER: Shape = Shape(&[
    ("status", Kind::Number, "HTTP status, 2xx"),
    ("headers", Kind::Bag, "Headers, names in lower case"),
    // Not described further: what a request answers is the request's matter.
]);

/// The family.
pub(super) const ACTIONS: &[Action] = &[Action::of::<CustomRequest>()];

input! {
    /// Input of `custom-request`.
    struct CustomRequest {
        /// GET, POST, PUT, PATCH or DELETE.
        method: CustomMethod,
        /// Absolute path within the Management API, such as `/api/v2/organizations`. Ids in it must be percent-encoded.
        path: String,
        /// Query parameters, not encoded: an object, or a list of pairs where order matters.
        query: Option<Named>,
        /// Further headers: an object, or a list of pairs.
        headers: Option<Named>,
        /// JSON body.
        body: Option<Value>,
    }
}

impl CuratedAction for CustomRequest {
    const ABOUT: About = About {
        id: "custom-request",
        title: "Send a custom request",
        description: "Sends any request to the tenant's Management API and answers status, headers and body. Query \
                      parameters are encoded by the connector. Paths that would leave /api/v2/, and headers such as \
                      Authorization and Host, are refused. Answers other than 2xx are errors, as everywhere. Needs the \
                      scopes of the request that is sent.",
        group: "request",
        // What it does is the request's matter; an engine must take it for the worst.
        effect: Effect::Delete,
        idempotent: false,
        requests: &[],
        handles_personal_data: true,
        scopes: &[],
        output: Output::One(&ANSWER),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let (query, headers) = (pairs("query", self.query)?, pairs("headers", self.headers)?);
        let path: ApiPath = self.path.parse().map_err(|error| {
            Error::invalid(format!("path refused: {error}; expected such as '/api/v2/organizations'"))
        })?;
        let method = match self.method {
            CustomMethod::Get => Method::Get,
            CustomMethod::Post => Method::Post,
            CustomMethod::Put => Method::Put,
            CustomMethod::Patch => Method::Patch,
            CustomMethod::Delete => Method::Delete,
        };
        let mut request = Request::api(method, &path);
        for (name, value) in &query {
            request = request.query(name, value);
        }
        for (name, value) in headers {
            request.headers.push(check_header(&name, &value)?);
        }
        if let Some(body) = self.body.filter(|body| !body.is_null()) {
            if method == Method::Get {
                return Err(Error::invalid("a body on GET refused: give query parameters in `query`"));
            }
            request = request.json(&body);
        }
        client.send(&request).map(|response| answer(&response))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_of_the_connection_are_refused_in_any_case() {
        for name in [
            "Authorization",
            "HOST",
            "cookie",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Expect",
            "X-HTTP-Method-Override",
            "X-Forwarded-Host",
        ] {
            assert!(check_header(name, "x").is_err(), "{name}");
        }
        for name in ["", "a b", "a:b", "a\r\nb"] {
            assert!(check_header(name, "x").is_err(), "{name:?}");
        }
        assert!(check_header("x-correlation-id", "a\r\nauthorization: b").is_err());
        assert_eq!(
            check_header("X-Correlation-ID", " abc "),
            Ok(("x-correlation-id".to_owned(), "abc".to_owned()))
        );
    }

    #[test]
    fn query_takes_an_object_or_pairs() {
        let named = Named::from_input(json!({"a": [1, "2"], "b": true, "c": null})).unwrap();
        let expected = [("a", "1"), ("a", "2"), ("b", "true")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(pairs("query", Some(named)).unwrap(), expected);
        let named = Named::from_input(json!([["b", "1"], ["a", "2"]])).unwrap();
        assert_eq!(pairs("query", Some(named)).unwrap().len(), 2);
        let named = Named::from_input(json!({"a": {}})).unwrap();
        assert!(pairs("query", Some(named)).is_err());
    }
}
