//! Secrets in the tenant's answers, and how they leave them.
//!
//! [`RULES`] says which answers hold one. Such an answer is read as a whole and each secret replaced by its handle, before
//! the guest gets any of it. One that the tenant has made just now goes into the connection's sink; one that it merely
//! shows (it can be shown again) is left out and goes nowhere.
//!
//! A request that makes a secret runs in a task of its own from the moment that it is on a connection: the call may be
//! dropped, stopped or out of time before the answer is there, and the secret is in force all the same. Where the answer
//! cannot be read, the call's error says that a secret is in force that nobody has. What was read of such an answer is not
//! kept: the next attempt would put it into the sink as the secret, and another rotation mends more than that.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response, header, response::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use super::{
    Answer, Outgoing,
    body::{AnswerBody, read_wiped},
    own,
    transport::{Timeouts, Transport, Whereabouts},
};
use crate::{
    call::RequestEntry,
    policy::request_path,
    secret::Secret,
    secrets::{
        SCHEME, SecretName,
        deliveries::{Deliveries, Turn},
        made::MadeSecrets,
    },
};

/// An answer that comes later than its call has time still brings the secret into the sink. The slowest recorded answers
/// took 6 s (facts, section 9); gateways give up after 60 s.
const LATE_ANSWER: Duration = Duration::from_secs(60);
/// What is read of an answer that holds a new secret even where the guest may have less. An application is some KB; this
/// leaves room for one with thousands of addresses.
const LEAST_ROOM: u64 = 2 * 1024 * 1024;

/// What the secrets of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Made by this request in place of another: nobody else has it.
    Replaced,
    /// Made by this request, but for what needs none: nobody else has it.
    Made,
    /// The tenant's own, shown: it shows them again.
    Shown,
}

/// An answer with secrets in it.
struct Rule {
    method: Method,
    /// Segments below `/api/v2`; `*` is any one, and the first of them the id of what the secret belongs to.
    path: &'static [&'static str],
    collection: &'static str,
    /// The member that names what the secret belongs to.
    id: &'static str,
    /// The member that is the secret: of the answer itself where it was made just now, however deep where it is shown.
    member: &'static str,
    holds: Holds,
}

const fn of_client(method: Method, path: &'static [&'static str], holds: Holds) -> Rule {
    Rule { method, path, collection: "clients", id: "client_id", member: "client_secret", holds }
}

/// Which answers hold secrets (facts, section 6).
static RULES: [Rule; 7] = [
    of_client(Method::POST, &["clients", "*", "rotate-secret"], Holds::Replaced),
    of_client(Method::POST, &["clients"], Holds::Made),
    of_client(Method::POST, &["clients", "cimd", "register"], Holds::Made),
    of_client(Method::PATCH, &["clients", "*"], Holds::Shown),
    of_client(Method::GET, &["clients"], Holds::Shown),
    of_client(Method::GET, &["clients", "*"], Holds::Shown),
    of_client(Method::GET, &["clients", "*", "*"], Holds::Shown),
];

impl Rule {
    /// Fits a path, and tells the id in it.
    fn fit(&self, method: &Method, path: &[String]) -> Option<String> {
        let [api, version, segments @ ..] = path else { return None };
        let below = api.eq_ignore_ascii_case("api") && version.eq_ignore_ascii_case("v2");
        if !below || self.method != *method || self.path.len() != segments.len() {
            return None;
        }
        let mut parts = self.path.iter().zip(segments);
        if !parts.clone().all(|(wanted, found)| *wanted == "*" || wanted.eq_ignore_ascii_case(found)) {
            return None;
        }
        Some(parts.find(|(wanted, _)| **wanted == "*").map_or_else(String::new, |(_, id)| id.clone()))
    }
}

/// The rule for an answer, with the id that its path names.
pub(super) struct Expected {
    rule: &'static Rule,
    id: String,
}

/// An answer without its secrets, and the one that is new.
struct Taken {
    clean: Bytes,
    made: Option<(SecretName, Secret)>,
}

impl Expected {
    /// Looks for the rule of a request to the Management API. Where its path can be read in more than one way, as by a
    /// gateway that decodes twice, any of them may be the one that counts.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let readings = request_path::all_readings(path);
        RULES.iter().find_map(|rule| {
            let id = readings.iter().find_map(|path| rule.fit(method, path))?;
            Some(Self { rule, id })
        })
    }

    /// Whether the request makes a secret.
    pub(super) fn makes(&self) -> bool {
        matches!(self.rule.holds, Holds::Replaced | Holds::Made)
    }

    /// Takes the secrets out of a body. `None` where the body is not what the tenant answers: no JSON, only a piece of it,
    /// or without the secret that must be in it.
    ///
    /// A new secret is the answer's own: whoever may write an application's metadata can put another `client_secret` there,
    /// and even a `client_id` beside it.
    fn take(&self, body: &[u8], deliveries: &Deliveries) -> Option<Taken> {
        let Rule { collection, id: id_member, member, holds, .. } = self.rule;
        let mut answer: Value = serde_json::from_slice(body).ok()?;
        let mut made = None;
        if self.makes() {
            let answer = answer.as_object_mut()?;
            let id = answer.get(*id_member).and_then(Value::as_str).unwrap_or(&self.id).to_owned();
            match answer.get_mut(*member).filter(|value| !is_empty(value)) {
                Some(_) if id.is_empty() => return None,
                Some(value) => {
                    let name = deliveries.name(collection, &id, member);
                    let secret = replace(value, &name);
                    made = Some((name, secret));
                }
                None if *holds == Holds::Replaced => return None,
                None => {}
            }
        }
        // Anything else may be a piece of an answer: a text alone may be a secret.
        if !answer.is_object() && !answer.is_array() {
            return None;
        }
        self.mask(&mut answer, &self.id, deliveries);
        Some(Taken { clean: Bytes::from(answer.to_string()), made })
    }

    /// Replaces what is left of secrets. Goes no deeper than the parser, which stops at 128 levels.
    fn mask(&self, value: &mut Value, id: &str, deliveries: &Deliveries) {
        let Rule { collection, id: id_member, member, .. } = self.rule;
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item, id, deliveries)),
            Value::Object(object) => {
                let own = object.get(*id_member).and_then(Value::as_str).map(str::to_owned);
                let id = own.as_deref().unwrap_or(id);
                for (name, value) in object {
                    if name != member {
                        self.mask(value, id, deliveries);
                    } else if !is_empty(value) {
                        drop(replace(value, &deliveries.name(collection, id, member)));
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Puts the handle in the place of a secret.
fn replace(value: &mut Value, name: &SecretName) -> Secret {
    match std::mem::replace(value, Value::String(name.to_string())) {
        Value::String(secret) => Secret::new(secret),
        other => Secret::new(other.to_string()),
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
    // Most bodies have nothing like it, and are not parsed. JSON may escape the slashes, and any letter as `\u0061`.
    let scheme = SCHEME.trim_end_matches("//").as_bytes();
    let has = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    (has(scheme) || has(br"\u")) && serde_json::from_slice(body).is_ok_and(|value| within(&value))
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
    Ok(match read_wiped(&mut body, |_| Ok(())).await {
        Ok(answer) => {
            let taken = expected.take(&answer, deliveries);
            let clean = taken.map_or_else(|| unreadable(&answer, &body), |taken| taken.clean);
            own(with_length(Response::from_parts(head, clean)))
        }
        Err(error) => broken(head, error),
    })
}

/// Stands in for an answer that may hold a secret and is not what the tenant answers. The guest takes it for what it is: no
/// JSON.
fn unreadable(answer: &[u8], body: &AnswerBody) -> Bytes {
    const WITHHELD: &str =
        "the answer was withheld: it may hold a secret, and it is not the JSON that the tenant answers";
    if answer.is_empty() {
        return Bytes::new();
    }
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
    made: Arc<MadeSecrets>,
    turn: Turn,
}

impl Sending {
    /// Sends, reads and delivers. Stops where the caller goes before the request is on a connection.
    async fn run(self, gone: oneshot::Receiver<Infallible>) -> Answer {
        let Self { transport, request, entry, requests, expected, deliveries, made, turn, .. } = self;
        let begun = Instant::now();
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
            if error.may_have_been_sent() {
                made.missed(&expected.id);
            }
            error.to_wasi()
        })?;
        entry.answered(response.status());
        let (head, body) = response.into_parts();
        let mut body = AnswerBody::new(body, entry, None, self.response_limit.max(LEAST_ROOM));
        // One time for head and body: what drips must not hold the turn.
        let left = self.timeouts.answer.saturating_sub(begun.elapsed());
        let read = tokio::time::timeout(left, read_wiped(&mut body, |_| Ok(()))).await;
        let read = read.unwrap_or_else(|_| {
            body.failed("stalled", "the answer broke off: it took too long");
            Err(WasiError::ConnectionReadTimeout)
        });
        let success = head.status.is_success();
        let (clean, secret) = match read {
            Err(error) => {
                if success {
                    made.missed(&expected.id);
                }
                return Ok(broken(head, error));
            }
            Ok(answer) if !success => (Bytes::copy_from_slice(&answer), None),
            Ok(answer) => match expected.take(&answer, &deliveries) {
                Some(taken) => (taken.clean, taken.made),
                None => {
                    made.missed(&expected.id);
                    (unreadable(&answer, &body), None)
                }
            },
        };
        let limit = self.response_limit;
        let too_long = clean.len() as u64 > limit;
        if too_long {
            body.failed("too-long", &format!("the answer has more than {limit} bytes"));
        }
        // The request ends here; what the sink takes is not its time.
        drop(body);
        if let Some((name, secret)) = secret {
            // Said beforehand: the call may end while the sink is at it.
            made.under_way(&name);
            match deliveries.deliver(name.clone(), secret, &turn).await {
                Ok(()) => made.delivered(&name),
                Err(source) => made.refused(&name, source),
            }
        }
        Ok(if too_long {
            broken(head, WasiError::HttpResponseBodySize(Some(limit)))
        } else {
            own(with_length(Response::from_parts(head, clean)))
        })
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
        let made = &self.call.made;
        let id = expected.id.clone();
        let sending = Sending {
            transport: self.egress.transport.clone(),
            request_bytes: request.body().size_hint().lower() as usize,
            request,
            timeouts: Timeouts { answer: timeouts.answer.max(LATE_ANSWER), ..timeouts },
            entry,
            requests: Arc::clone(&self.egress.requests),
            response_limit: self.egress.limits.response_body_bytes,
            expected,
            deliveries: Arc::clone(&self.egress.deliveries),
            made: Arc::clone(made),
            turn,
        };
        // Dropped with this future: the task learns that nobody waits for it.
        let (here, gone) = oneshot::channel();
        let task = tokio::spawn(sending.run(gone));
        let ended = tokio::time::timeout(timeouts.answer, task).await;
        drop(here);
        match ended {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                made.panicked(&id);
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
        Expected::of(&method.parse().unwrap(), path).map(|expected| expected.rule.holds)
    }

    #[test]
    fn answers_with_secrets_are_known_in_every_spelling_that_a_server_may_take() {
        for (request, expected) in [
            ("POST /api/v2/clients/abc/rotate-secret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/abc/rotate-secret/", Some(Holds::Replaced)),
            ("POST /api/v2//clients//abc//rotate-secret", Some(Holds::Replaced)),
            ("POST /api/v2/Clients/abc/ROTATE-SECRET", Some(Holds::Replaced)),
            ("POST /api/v2/%63lients/abc/rotate%2Dsecret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/abc/rotate%252Dsecret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/abc/rotate%25252dsecret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/abc%2Frotate-secret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/abc%252Frotate-secret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/abc%5Crotate-secret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/a%2Fb/rotate-secret", Some(Holds::Replaced)),
            ("POST /api/v2/clients/abc/rotate-secret%2F", Some(Holds::Replaced)),
            ("GET /api/v2/%2563lients", Some(Holds::Shown)),
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
        let taken = expected.take(body.to_string().as_bytes(), &deliveries).unwrap();
        assert!(taken.made.is_none(), "what is shown goes nowhere");
        let clean: Value = serde_json::from_slice(&taken.clean).unwrap();
        assert!(!clean.to_string().contains("canary"), "{clean}");
        let handle = |id| deliveries.name("clients", id, "client_secret").to_string();
        assert_eq!(clean["clients"][0]["client_secret"], handle("one"));
        assert_eq!(clean["clients"][1]["nested"]["client_secret"], handle("two"));
        assert_eq!(clean["clients"][2], body["clients"][2]);
        assert_eq!(clean["client_secret"], handle("path-id"));
        for piece in ["{\"client_secret\": \"canary", "\"canary\"", "", "\u{1f}gzip"] {
            assert!(expected.take(piece.as_bytes(), &deliveries).is_none(), "{piece}");
        }
        let twice = br#"{"client_secret": "canary-4", "client_secret": "canary-5"}"#;
        let clean = expected.take(twice, &deliveries).unwrap().clean;
        assert!(!std::str::from_utf8(&clean).unwrap().contains("canary"));
    }

    #[test]
    fn a_new_secret_is_the_answer_s_own_and_no_decoy_takes_its_place() {
        let deliveries = Deliveries::new("acme.eu.auth0.com", None);
        let rotation = Expected::of(&Method::POST, "/api/v2/clients/abc/rotate-secret").unwrap();
        let creation = Expected::of(&Method::POST, "/api/v2/clients").unwrap();
        let metadata = json!({"client_id": "abc", "client_secret": "known-to-attacker"});
        // Objects keep their members in the order of their names, as the parser of JSON does here: one decoy before
        // the secret, one after it.
        for (expected, answer, wanted) in [
            (
                &rotation,
                json!({"client_id": "abc", "client_secret": "canary", "a": metadata, "z": metadata}),
                Some(Some("abc")),
            ),
            (&rotation, json!({"client_secret": "canary", "z": metadata}), Some(Some("abc"))),
            (&rotation, json!({"client_id": "abc", "client_metadata": metadata}), None),
            (&rotation, json!({"client_id": "abc", "client_secret": null}), None),
            (&rotation, json!([{"client_id": "abc", "client_secret": "canary"}]), None),
            (&creation, json!({"client_id": "new", "client_secret": "canary"}), Some(Some("new"))),
            (&creation, json!({"client_id": "public", "client_metadata": metadata}), Some(None)),
            (&creation, json!({"client_secret": "canary"}), None),
        ] {
            let taken = expected.take(answer.to_string().as_bytes(), &deliveries);
            if let Some(taken) = &taken {
                let clean = std::str::from_utf8(&taken.clean).unwrap();
                assert!(!clean.contains("canary") && !clean.contains("attacker"), "{clean}");
            }
            let made = taken.map(|taken| taken.made);
            let made =
                made.as_ref().map(|made| made.as_ref().map(|(name, secret)| (name.id(), secret.expose())));
            assert_eq!(made, wanted.map(|id| id.map(|id| (id, "canary"))), "{answer}");
        }
    }

    #[test]
    fn a_handle_is_not_taken_for_a_secret_and_may_stand_elsewhere() {
        let handle = "auth0-secret://acme.eu.auth0.com/clients/abc/client_secret";
        assert!(writes_handle(json!({"a": [{"client_secret": handle}]}).to_string().as_bytes()));
        for escaped in [
            r#"{"client_secret": "\u0061uth0-secret://x"}"#,
            r#"{"client\u005fsecret": "auth0-secret:\/\/x"}"#,
            r#"{"client_secret": "auth0-secret\u003A\u002f/x"}"#,
        ] {
            assert!(writes_handle(escaped.as_bytes()), "{escaped}");
        }
        for harmless in [
            json!({"client_metadata": {"secret_is_at": handle}}).to_string(),
            json!({"client_secret": "a real one"}).to_string(),
            r#"{"name": "J\u00fcrgen", "client_secret": "a real one"}"#.to_owned(),
            handle.to_owned(),
            String::new(),
        ] {
            assert!(!writes_handle(harmless.as_bytes()), "{harmless}");
        }
    }
}
