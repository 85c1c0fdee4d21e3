//! Secrets in the tenant's answers, and how they leave them.
//!
//! [`RULES`] says which answers hold one. Such an answer is read as a whole and each secret replaced by its handle, before
//! the guest gets any of it. One that the tenant has made just now goes into the connection's sink; one that it merely
//! shows (it can be shown again) is left out and goes nowhere.
//!
//! A request that makes a secret runs in a task of its own from the moment that it is on a connection: the call may be
//! dropped, stopped or out of time before the answer is there, and the secret is in force all the same.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, header, response::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error as WasiError, WasiBody};
use zeroize::Zeroizing;

use super::{
    Answer, Outgoing,
    body::AnswerBody,
    destination::percent_decode,
    own,
    transport::{Timeouts, Transport, Whereabouts},
};
use crate::{
    call::RequestEntry,
    secret::Secret,
    secrets::{
        SCHEME, SecretName, SinkError,
        deliveries::{Deliveries, Turn, Undelivered},
    },
};

/// An answer that comes later than its call has time still brings the secret into the sink. The slowest recorded answers
/// took 6 s (facts, section 9); gateways give up after 60 s.
const LATE_ANSWER: Duration = Duration::from_secs(60);

/// What the secrets of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Made by this request: nobody else has them.
    Made,
    /// The tenant's own, shown: it shows them again.
    Shown,
}

/// An answer with secrets in it.
struct Rule {
    method: Method,
    /// Segments below `/api/v2`; `*` is any one.
    path: &'static [&'static str],
    collection: &'static str,
    /// The member that names what the secret belongs to.
    id: &'static str,
    /// The member that is the secret, however deep in the answer.
    member: &'static str,
    holds: Holds,
}

const fn of_client(method: Method, path: &'static [&'static str], holds: Holds) -> Rule {
    Rule { method, path, collection: "clients", id: "client_id", member: "client_secret", holds }
}

/// Which answers hold secrets (facts, section 6).
static RULES: [Rule; 7] = [
    of_client(Method::POST, &["clients", "*", "rotate-secret"], Holds::Made),
    of_client(Method::POST, &["clients"], Holds::Made),
    of_client(Method::POST, &["clients", "cimd", "register"], Holds::Made),
    of_client(Method::PATCH, &["clients", "*"], Holds::Shown),
    of_client(Method::GET, &["clients"], Holds::Shown),
    of_client(Method::GET, &["clients", "*"], Holds::Shown),
    of_client(Method::GET, &["clients", "*", "*"], Holds::Shown),
];

/// The rule for an answer, with the id that its path names.
pub(super) struct Expected {
    rule: &'static Rule,
    id: String,
}

impl Expected {
    /// Looks for the rule of a request to the Management API. Spellings that a server may take for the same path are
    /// taken for it here: encoded letters, upper case, empty segments.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let path = path.strip_prefix("/api/v2/")?;
        let decoded = percent_decode(path.as_bytes());
        let decoded = String::from_utf8_lossy(&decoded);
        let segments: Vec<&str> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
        let fits = |rule: &&Rule| {
            rule.method == *method
                && rule.path.len() == segments.len()
                && rule
                    .path
                    .iter()
                    .zip(&segments)
                    .all(|(wanted, found)| *wanted == "*" || wanted.eq_ignore_ascii_case(found))
        };
        let rule = RULES.iter().find(fits)?;
        Some(Self { rule, id: segments.get(1).map_or_else(String::new, |id| (*id).to_owned()) })
    }

    pub(super) fn holds(&self) -> Holds {
        self.rule.holds
    }

    /// Takes the secrets out of a body, which is no JSON where this answers `None`.
    fn take(&self, body: &[u8], deliveries: &Deliveries) -> Option<(Bytes, Vec<(SecretName, Secret)>)> {
        if body.is_empty() {
            return Some((Bytes::new(), Vec::new()));
        }
        let mut answer: Value = serde_json::from_slice(body).ok()?;
        let mut taken = Vec::new();
        self.take_from(&mut answer, &self.id, deliveries, &mut taken);
        Some((Bytes::from(answer.to_string()), taken))
    }

    /// Goes no deeper than the parser, which stops at 128 levels.
    fn take_from(
        &self,
        value: &mut Value,
        id: &str,
        deliveries: &Deliveries,
        taken: &mut Vec<(SecretName, Secret)>,
    ) {
        let Rule { collection, id: id_member, member, .. } = self.rule;
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.take_from(item, id, deliveries, taken));
            }
            Value::Object(object) => {
                let own = object.get(*id_member).and_then(Value::as_str).map(str::to_owned);
                let id = own.as_deref().unwrap_or(id);
                for (name, value) in object {
                    let empty = value.is_null() || value.as_str() == Some("");
                    if name != member {
                        self.take_from(value, id, deliveries, taken);
                    } else if !empty {
                        let name = deliveries.name(collection, id, member);
                        let secret = match std::mem::replace(value, Value::String(name.to_string())) {
                            Value::String(secret) => Secret::new(secret),
                            other => Secret::new(other.to_string()),
                        };
                        taken.push((name, secret));
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Whether a body sets a secret to a handle: a workflow that writes back what it read. Everybody may know a handle.
pub(super) fn writes_handle(body: &[u8]) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(within),
            Value::Object(object) => object.iter().any(|(name, value)| {
                let secret = RULES.iter().any(|rule| rule.member == name);
                (secret && value.as_str().is_some_and(|text| text.starts_with(SCHEME))) || within(value)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    // Most bodies have nothing like it, and are not parsed. JSON may escape the slashes.
    let scheme = SCHEME.trim_end_matches("//").as_bytes();
    body.windows(scheme.len()).any(|window| window == scheme)
        && serde_json::from_slice(body).is_ok_and(|value| within(&value))
}

/// Reads a body into memory that is wiped.
async fn read(body: &mut AnswerBody) -> Result<Zeroizing<Vec<u8>>, WasiError> {
    /// Room for an application as the tenant answers it.
    const USUAL_BYTES: usize = 16 * 1024;
    let mut answer = Zeroizing::new(Vec::with_capacity(USUAL_BYTES));
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame?.into_data() else { continue };
        let length = answer.len() + data.len();
        if length > answer.capacity() {
            // By hand, since a vector that grows by itself leaves its old copy behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * length));
            larger.extend_from_slice(&answer);
            answer = larger;
        }
        answer.extend_from_slice(&data);
    }
    Ok(answer)
}

/// Hides the secrets that an answer shows.
pub(super) async fn hide(
    response: Response<AnswerBody>,
    expected: &Expected,
    deliveries: &Deliveries,
) -> Answer {
    let (head, mut body) = response.into_parts();
    if !head.status.is_success() {
        return Ok(Response::from_parts(head, body.boxed_unsync()));
    }
    Ok(match read(&mut body).await {
        Ok(answer) => {
            let clean =
                expected.take(&answer, deliveries).map_or_else(|| unreadable(&body), |(clean, _)| clean);
            own(with_length(Response::from_parts(head, clean)))
        }
        Err(error) => broken(head, error),
    })
}

/// Stands in for an answer that may hold a secret and is no JSON. The guest takes it for what it is: no JSON.
fn unreadable(body: &AnswerBody) -> Bytes {
    const WITHHELD: &str = "the answer was withheld: it may hold a secret, and it is no JSON";
    body.failed("withheld", WITHHELD);
    Bytes::from_static(WITHHELD.as_bytes())
}

/// Hands on that a body broke off, where the guest would have met it: after the head.
fn broken(head: Parts, error: WasiError) -> Response<WasiBody> {
    struct Broken(Option<WasiError>);
    impl Body for Broken {
        type Data = Bytes;
        type Error = WasiError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, WasiError>>> {
            Poll::Ready(self.0.take().map(Err))
        }
    }
    Response::from_parts(head, Broken(Some(error)).boxed_unsync())
}

fn with_length(mut response: Response<Bytes>) -> Response<Bytes> {
    let length = response.body().len();
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// A request that makes a secret, with all that it needs to outlive its call.
struct Sending {
    transport: Transport,
    request: Request<Full<Bytes>>,
    request_bytes: usize,
    timeouts: Timeouts,
    entry: RequestEntry,
    requests: Arc<AtomicU64>,
    response_limit: u64,
    expected: Expected,
    deliveries: Arc<Deliveries>,
    turn: Turn,
}

/// The answer without its secrets, and what of them the sink did not take.
struct Kept {
    response: Response<WasiBody>,
    undelivered: Option<Undelivered>,
}

impl Sending {
    /// Sends, reads and delivers. Stops where the caller goes before the request is on a connection.
    async fn run(self, gone: oneshot::Receiver<Infallible>) -> Result<Kept, WasiError> {
        let Self { transport, request, entry, requests, expected, deliveries, turn, .. } = self;
        let on_connection = AtomicBool::new(false);
        let response = {
            let sending = transport.send(request, self.timeouts, |whereabouts| match whereabouts {
                Whereabouts::OnConnection => {
                    entry.sent(self.request_bytes);
                    requests.fetch_add(1, Ordering::Relaxed);
                    on_connection.store(true, Ordering::Relaxed);
                }
                Whereabouts::HandedBack => {
                    entry.handed_back();
                    requests.fetch_sub(1, Ordering::Relaxed);
                    on_connection.store(false, Ordering::Relaxed);
                }
            });
            let mut sending = std::pin::pin!(sending);
            tokio::select! {
                biased;
                sent = &mut sending => sent,
                _ = gone => {
                    if !on_connection.load(Ordering::Relaxed) {
                        return Err(WasiError::ConnectionTimeout);
                    }
                    sending.await
                }
            }
        };
        let response = response.map_err(|error| {
            entry.failed(error.code(), error.to_string());
            error.to_wasi()
        })?;
        entry.answered(response.status());
        let (head, body) = response.into_parts();
        let mut body = AnswerBody::new(body, entry, Some(LATE_ANSWER), self.response_limit);
        let answer = match read(&mut body).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Kept { response: broken(head, error), undelivered: None }),
        };
        let (clean, taken) = if head.status.is_success() {
            expected.take(&answer, &deliveries).unwrap_or_else(|| (unreadable(&body), Vec::new()))
        } else {
            (Bytes::copy_from_slice(&answer), Vec::new())
        };
        // The request ends here; what the sink takes is not its time.
        drop(body);
        let mut undelivered: Option<Undelivered> = None;
        for (name, secret) in taken {
            if let Err(source) = deliveries.deliver(name.clone(), secret, &turn).await {
                undelivered.get_or_insert_with(|| Undelivered { names: Vec::new(), source }).names.push(name);
            }
        }
        Ok(Kept { response: own(with_length(Response::from_parts(head, clean))), undelivered })
    }
}

impl Outgoing<'_> {
    /// Sends a request that makes a secret, and answers when the sink has the secret or has refused it.
    pub(super) async fn send_and_keep(
        &self,
        turn: Turn,
        expected: Expected,
        entry: RequestEntry,
        request: Request<Full<Bytes>>,
        timeouts: Timeouts,
    ) -> Answer {
        let deliveries = &self.egress.deliveries;
        let sending = Sending {
            transport: self.egress.transport.clone(),
            request_bytes: request.body().size_hint().lower() as usize,
            request,
            timeouts: Timeouts { answer: timeouts.answer.max(LATE_ANSWER), ..timeouts },
            entry,
            requests: Arc::clone(&self.egress.requests),
            response_limit: self.egress.limits.response_body_bytes,
            expected,
            deliveries: Arc::clone(deliveries),
            turn,
        };
        // Dropped with this future: the task learns that nobody waits for it.
        let (here, gone) = oneshot::channel();
        let task = tokio::spawn(sending.run(gone));
        let ended = tokio::time::timeout(timeouts.answer, task).await;
        drop(here);
        match ended {
            Ok(Ok(kept)) => {
                let Kept { response, undelivered } = kept?;
                if let Some(undelivered) = undelivered {
                    self.call.undelivered(undelivered);
                }
                Ok(response)
            }
            Ok(Err(_)) => {
                let names = deliveries.pending().into_iter().map(|pending| pending.name).collect();
                let source = Arc::new(SinkError::Engine("the sink panicked"));
                self.call.undelivered(Undelivered { names, source });
                Err(WasiError::ConnectionTerminated)
            }
            Err(_) => Err(WasiError::HttpResponseTimeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(request: &str) -> Option<Holds> {
        let (method, path) = request.split_once(' ').unwrap();
        Expected::of(&method.parse().unwrap(), path).map(|expected| expected.holds())
    }

    #[test]
    fn answers_with_secrets_are_known_in_every_spelling_that_a_server_may_take() {
        for (request, expected) in [
            ("POST /api/v2/clients/abc/rotate-secret", Some(Holds::Made)),
            ("POST /api/v2/clients/abc/rotate-secret/", Some(Holds::Made)),
            ("POST /api/v2//clients//abc//rotate-secret", Some(Holds::Made)),
            ("POST /api/v2/Clients/abc/ROTATE-SECRET", Some(Holds::Made)),
            ("POST /api/v2/%63lients/abc/rotate%2Dsecret", Some(Holds::Made)),
            ("POST /api/v2/clients/abc%2Frotate-secret", Some(Holds::Made)),
            ("POST /api/v2/clients", Some(Holds::Made)),
            ("POST /api/v2/clients/cimd/register", Some(Holds::Made)),
            ("GET /api/v2/clients", Some(Holds::Shown)),
            ("GET /api/v2/clients/", Some(Holds::Shown)),
            ("GET /api/v2/clients/abc", Some(Holds::Shown)),
            ("GET /api/v2/clients/search", Some(Holds::Shown)),
            ("PATCH /api/v2/clients/abc", Some(Holds::Shown)),
            ("DELETE /api/v2/clients/abc", None),
            ("GET /api/v2/users", None),
            ("GET /api/v2/clients-of-ours", None),
            ("POST /api/v2/clients/abc/credentials", None),
            ("GET /clients/abc", None),
        ] {
            assert_eq!(holds(request), expected, "{request}");
        }
    }

    #[test]
    fn secrets_are_taken_out_however_deep_they_are_and_named_by_what_they_belong_to() {
        let deliveries = Deliveries::new("acme.eu.auth0.com", None);
        let expected = Expected::of(&Method::GET, "/api/v2/clients/path-id").unwrap();
        let body = json!({
            "total": 3,
            "clients": [
                {"client_secret": "canary-1", "client_id": "one", "name": "client_secret"},
                {"client_id": "two", "nested": {"client_secret": "canary-2"}},
                {"client_id": "public", "client_secret": null},
            ],
            "client_secret": ["canary-3"],
        });
        let (clean, taken) = expected.take(body.to_string().as_bytes(), &deliveries).unwrap();
        let clean = std::str::from_utf8(&clean).unwrap();
        assert!(!clean.contains("canary"), "{clean}");
        let told: Vec<_> = taken.iter().map(|(name, secret)| (name.id(), secret.expose())).collect();
        assert_eq!(told, [("one", "canary-1"), ("two", "canary-2"), ("path-id", "[\"canary-3\"]")]);
        let clean: Value = serde_json::from_str(clean).unwrap();
        assert_eq!(clean["clients"][0]["client_secret"], taken[0].0.to_string());
        assert_eq!(clean["clients"][2], body["clients"][2]);
        assert!(expected.take(b"{\"client_secret\": \"canary", &deliveries).is_none(), "cut off");
        let twice = br#"{"client_secret": "canary-4", "client_secret": "canary-5"}"#;
        let (clean, _) = expected.take(twice, &deliveries).unwrap();
        assert!(!std::str::from_utf8(&clean).unwrap().contains("canary"));
    }

    #[test]
    fn a_handle_is_not_taken_for_a_secret_and_may_stand_elsewhere() {
        let handle = "auth0-secret://acme.eu.auth0.com/clients/abc/client_secret";
        assert!(writes_handle(json!({"a": [{"client_secret": handle}]}).to_string().as_bytes()));
        for harmless in [
            json!({"client_metadata": {"secret_is_at": handle}}).to_string(),
            json!({"client_secret": "a real one"}).to_string(),
            handle.to_owned(),
            String::new(),
        ] {
            assert!(!writes_handle(harmless.as_bytes()), "{harmless}");
        }
    }
}
