//! The client credentials grant: what is sent to a token endpoint, and what comes back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{
    Life, Refusal, Token, TokenError, assertion, bearer,
    cache::{Fetch, Fetching},
    redact::without_secret,
};
use crate::{
    body::read_wiped,
    credentials::CredentialError,
    echo::Echo,
    private_key::PrivateKey,
    secret::Secret,
    transport::{CONNECT_TIMEOUT, Timeouts, Transport, TransportError, body_error},
};

/// The endpoint answers in well under a second; Auth0's SDKs wait 10 s for it (node-auth0's default timeout).
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A token of the Management API with all its scopes is some 12 KB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// How an application proves itself.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// By its secret.
    Secret(Secret),
    /// By assertions that its key signs for this audience.
    Key { key: PrivateKey, audience: String },
}

/// A token endpoint, and what its tokens are to be for.
#[derive(Clone, Debug)]
pub(crate) struct TokenEndpoint {
    pub(crate) uri: http::Uri,
    /// The parameter that names it, and its value: `audience` for Auth0, `scope` elsewhere.
    pub(crate) resource: (&'static str, String),
    pub(crate) transport: Transport,
}

/// An application that fetches tokens.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    pub(crate) endpoint: TokenEndpoint,
    pub(crate) client_id: String,
    pub(crate) proof: Proof,
}

impl Fetch for ClientCredentials {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.endpoint.fetch(&self.client_id, &self.proof))
    }
}

impl TokenEndpoint {
    /// Fetches a token.
    pub(crate) async fn fetch(&self, client_id: &str, proof: &Proof) -> Result<Token, TokenError> {
        match self.fetch_once(client_id, proof).await {
            // A kept connection may have been closed just then. Asking for a token twice does no harm.
            Err(TokenError::NotReached(TransportError::Terminated(_))) => {
                self.fetch_once(client_id, proof).await
            }
            result => result,
        }
    }

    async fn fetch_once(&self, client_id: &str, proof: &Proof) -> Result<Token, TokenError> {
        // Signed anew for each attempt: the tenant takes an assertion once.
        let (name, value) = match proof {
            Proof::Secret(secret) => ("client_secret", secret.clone()),
            Proof::Key { key, audience } => {
                let signed = assertion::sign(key, client_id, audience);
                let refused = |problem: assertion::Unsignable| CredentialError::refused(problem.0);
                ("client_assertion", signed.map_err(refused)?)
            }
        };
        let mut request = Request::new(Full::new(self.form(client_id, name, &value)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));

        let asked = Instant::now();
        let timeouts = Timeouts { connect: CONNECT_TIMEOUT, answer: ANSWER_TIMEOUT };
        let response =
            self.transport.send(request, timeouts, |_| ()).await.map_err(TokenError::NotReached)?;
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(ANSWER_TIMEOUT, read_answer(body))
            .await
            .unwrap_or(Err(TransportError::ResponseTimeout))
            .map_err(TokenError::NotReached)?;
        if head.status == StatusCode::OK {
            let by = match proof {
                Proof::Secret(secret) => Some(secret),
                // It is not sent, and an assertion is good for one request.
                Proof::Key { .. } => None,
            };
            read_token(&body, asked).map(|token| token.fetched_by(client_id, by)).ok_or_else(|| {
                let description = "it answered 200 without a token that can be sent".to_owned();
                refusal(StatusCode::BAD_GATEWAY, "invalid_answer".to_owned(), description, &head.headers)
            })
        } else {
            let (code, description) = read_refusal(&body);
            // A gateway that echoes the request must not make it a leak.
            let clean = |text: String| without_secret(&text, &value);
            Err(refusal(head.status, clean(code), clean(description), &clean_head(&head.headers, &value)))
        }
    }

    /// Writes the form that asks for a token. It is wiped when the last clone of its bytes is gone.
    fn form(&self, client_id: &str, proof: &str, value: &Secret) -> Bytes {
        let (resource, wanted) = &self.resource;
        let value = value.expose();
        // A byte takes three at most; the names and the grant take less than the rest. A text that grows leaves
        // copies behind.
        let room = 3 * (client_id.len() + value.len() + wanted.len()) + 256;
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(room));
        form.append_pair("grant_type", "client_credentials").append_pair("client_id", client_id);
        if proof == "client_assertion" {
            form.append_pair(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            );
        }
        let form = form.append_pair(proof, value).append_pair(resource, wanted).finish();
        Bytes::from_owner(Zeroizing::new(form))
    }
}

/// Leaves a head out that repeats the proof.
fn clean_head(headers: &HeaderMap, proof: &Secret) -> HeaderMap {
    let repeats = Echo::of(&[proof.expose()]).is_some_and(|echo| echo.is_in_head(headers));
    if repeats { HeaderMap::new() } else { headers.clone() }
}

fn refusal(status: StatusCode, code: String, description: String, headers: &HeaderMap) -> TokenError {
    let pacing = headers
        .iter()
        .filter(|(name, _)| **name == header::RETRY_AFTER || name.as_str().starts_with("x-ratelimit-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    TokenError::Refused(Arc::new(Refusal { status, code, description, pacing }))
}

/// Reads the endpoint's answer.
async fn read_answer(body: Incoming) -> Result<Zeroizing<Vec<u8>>, TransportError> {
    let mut body = body.map_err(|error| body_error(&error));
    read_wiped(&mut body, |length| match length {
        ..=MAX_ANSWER_BYTES => Ok(()),
        _ => Err(TransportError::Protocol(format!("a token of more than {MAX_ANSWER_BYTES} bytes"))),
    })
    .await
}

fn read_token(body: &[u8], asked: Instant) -> Option<Token> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "secret")]
        access_token: Secret,
        scope: Option<String>,
        expires_in: Option<u64>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let value = answer.access_token;
    bearer(&value).filter(|_| !value.is_empty())?;
    let end = answer.expires_in.and_then(|seconds| asked.checked_add(Duration::from_secs(seconds)));
    Some(Token::new(value, answer.scope, end.map_or(Life::Unknown, Life::Until)))
}

/// Reads a text that is wiped even where what comes after it is refused.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// Reads OAuth's form of an error. Anything else is named by what it is, not repeated: it may be a page of HTML.
fn read_refusal(body: &[u8]) -> (String, String) {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<String>,
        error_description: Option<String>,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) => (
            answer.error.unwrap_or_else(|| "error".to_owned()),
            answer.error_description.unwrap_or_else(|| "no description".to_owned()),
        ),
        Err(_) => ("error".to_owned(), "the answer is not in OAuth's form".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_ten_seconds_before_its_end() {
        let asked = Instant::now();
        let fresh = |seconds: u64| {
            let body = format!(r#"{{"access_token":"t","expires_in":{seconds}}}"#);
            read_token(body.as_bytes(), asked).unwrap().is_fresh()
        };
        assert!(fresh(86_400));
        assert!(fresh(12));
        assert!(!fresh(10));
        assert!(!fresh(0));
        assert!(read_token(br#"{"access_token":"t"}"#, asked).unwrap().is_fresh(), "no expiry: until a 401");
        assert!(read_token(br#"{"access_token":""}"#, asked).is_none());
        assert!(read_token(br#"{"access_token":"a\nb"}"#, asked).is_none());
    }
}
