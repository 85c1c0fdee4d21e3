//! Sends the requests of one call: token, retries, deadline. The only code between an action and the transport.
//!
//! Generic over [`Transport`], so that it runs natively under test with a transport that plays a script, and so that
//! a build for WASI 0.3 has one file to replace.

use serde_json::Value;

use crate::core::error::{Code, Error};
use crate::core::request::{Body, Method, Request};
use crate::core::response::Response;
use crate::core::retry::{Attempt, Decision, decide};
use crate::settings::{Credentials, Origin, Settings};
use crate::token::{TokenCache, fetch_token};

/// Largest request body. Auth0 refuses payloads above 1 MB (facts, section 9).
const LARGEST_BODY: usize = 1_000_000;

/// Largest answer that is read. A page of 100 users at Auth0's soft limit of 10 KB is 1 MB; the answer, its JSON and the
/// output are in memory together, some seven times this.
pub const LARGEST_ANSWER: usize = 8_000_000;

/// What WASI does for the component, and nothing else.
pub trait Transport {
    /// Sends a request and reads the answer whole, within the time given.
    ///
    /// # Errors
    /// Where there was no whole answer.
    fn send(&mut self, request: &WireRequest<'_>, timeout_ms: u64) -> Result<Response, SendError>;

    /// A clock that only moves forward, in milliseconds from any start.
    fn monotonic_ms(&mut self) -> u64;

    /// The time of day, in milliseconds since the Unix epoch.
    fn unix_ms(&mut self) -> i64;

    /// Waits.
    fn sleep_ms(&mut self, ms: u64);

    /// Any number.
    fn random(&mut self) -> u64;
}

/// A request with everything decided. No `Debug`: it carries the token.
pub struct WireRequest<'a> {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub origin: &'a Origin,
    /// Path and query, encoded.
    pub path_and_query: String,
    /// All headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: &'a [u8],
    /// After how many server-sent events the answer is read no further.
    pub events: Option<usize>,
}

/// Why there was no whole answer.
#[derive(Clone, Debug)]
pub enum SendError {
    /// It never left, or was refused below HTTP: nothing has changed.
    NotSent(String),
    /// As [`SendError::NotSent`], for a reason that no repetition mends: a certificate that is not trusted.
    Unreachable(String),
    /// It may have been processed.
    Lost(String),
    /// The answer began and was cut.
    Cut {
        /// Status and headers of the answer.
        head: Response,
        /// What happened.
        message: String,
    },
    /// The answer is larger than what is read.
    TooLarge {
        /// Its status.
        status: u16,
    },
    /// The host's policy refused it.
    Denied(String),
    /// The transport refused the request or the answer for its form.
    Malformed(String),
}

/// Scopes of which any one is enough, and the part of the action that they are for where it can do without.
pub type AnyOf = (Vec<&'static str>, Option<&'static str>);

/// The requests of one call.
pub struct Client<'a> {
    transport: &'a mut dyn Transport,
    /// The connection's settings.
    pub settings: &'a Settings,
    tokens: &'a mut TokenCache,
    /// What the action needs: a request is not sent with a token that is known to lack it, and a refusal that names no scopes
    /// is told with these.
    pub needs: Vec<AnyOf>,
    ends_at_ms: u64,
}

impl<'a> Client<'a> {
    /// Begins a call: the deadline runs from now.
    pub fn new(transport: &'a mut dyn Transport, settings: &'a Settings, tokens: &'a mut TokenCache) -> Self {
        let ends_at_ms = transport.monotonic_ms().saturating_add(settings.deadline_ms);
        Self { transport, settings, tokens, needs: Vec::new(), ends_at_ms }
    }

    /// The time of day, in milliseconds since the Unix epoch.
    pub fn unix_ms(&mut self) -> i64 {
        self.transport.unix_ms()
    }

    /// Sends a request to the tenant and reads its answer as JSON; `null` where there is no body.
    ///
    /// # Errors
    /// As [`Client::send`]; `unexpected-answer` or `outcome-unknown` where a success carries no JSON.
    pub fn json(&mut self, request: &Request) -> Result<Value, Error> {
        let response = self.send(request)?;
        self.read(request, &response)
    }

    /// Reads the answer to a request as JSON; `null` where there is no body.
    ///
    /// # Errors
    /// `unexpected-answer` or `outcome-unknown` where a success carries no JSON.
    pub fn read(&self, request: &Request, response: &Response) -> Result<Value, Error> {
        response.json().map_err(|error| {
            let message =
                format!("the tenant answered {} with a body that is not JSON: {error}", response.status);
            // The write was accepted, yet what it made is not known.
            let code = if request.method.is_safe() { Code::UnexpectedAnswer } else { Code::OutcomeUnknown };
            Error::new(code, message).status(response.status)
        })
    }

    /// Sends a request to the tenant, with the token, and with repetitions where they are harmless.
    ///
    /// # Errors
    /// For any answer but 2xx, and where there was none.
    pub fn send(&mut self, request: &Request) -> Result<Response, Error> {
        let settings = self.settings;
        let mut refreshed = false;
        loop {
            let token = self.current_token()?;
            let mut headers = Vec::new();
            if let Some(token) = &token {
                headers.push(("authorization".to_owned(), format!("Bearer {token}")));
            }
            if let Some(domain) = &settings.custom_domain
                && takes_custom_domain(request.method, &request.path)
            {
                headers.push(("auth0-custom-domain".to_owned(), domain.as_str().to_owned()));
            }
            let result = self.exchange(request, &settings.origin, headers);
            // A token can be revoked with its application's grant: one that was fetched here is fetched anew, once.
            // The 401 proves that the request was not processed, so any method may be sent again.
            if result.as_ref().is_err_and(|error| error.code == Code::Unauthenticated)
                && matches!(settings.credentials, Credentials::Client { .. })
                && !refreshed
            {
                refreshed = true;
                self.tokens.clear();
                continue;
            }
            return result;
        }
    }

    /// Sends a request that carries no token: the token endpoint, an email provider.
    ///
    /// # Errors
    /// For any answer but 2xx, and where there was none.
    pub fn send_plain(&mut self, request: &Request, origin: &Origin) -> Result<Response, Error> {
        self.exchange(request, origin, Vec::new())
    }

    /// Sends a request without a token and gives any answer, whatever its status; for those whose errors have a form
    /// of their own. Repeats as [`Client::send`] does.
    ///
    /// # Errors
    /// Where there was no answer.
    pub fn send_raw(&mut self, request: &Request, origin: &Origin) -> Result<Response, Error> {
        self.attempts(request, origin, Vec::new())
    }

    fn exchange(
        &mut self,
        request: &Request,
        origin: &Origin,
        headers: Vec<(String, String)>,
    ) -> Result<Response, Error> {
        let response = self.attempts(request, origin, headers)?;
        if response.is_success() {
            return Ok(response);
        }
        let scopes: Vec<_> = self.needs.iter().flat_map(|(any_of, _)| any_of).copied().collect();
        Err(response.error(&scopes, request.method.is_safe(), self.transport.unix_ms()))
    }

    /// The retry loop: ends with an answer, of whatever status, or with the error for having none.
    fn attempts(
        &mut self,
        request: &Request,
        origin: &Origin,
        mut headers: Vec<(String, String)>,
    ) -> Result<Response, Error> {
        let body = request.body.as_ref().map_or(&[][..], |body| body.bytes.as_slice());
        if body.len() > LARGEST_BODY {
            return Err(Error::invalid(format!(
                "a body of {} bytes refused: Auth0 takes at most {LARGEST_BODY}",
                body.len()
            )));
        }
        headers.push((
            "user-agent".to_owned(),
            concat!("auth0-connector/", env!("CARGO_PKG_VERSION")).to_owned(),
        ));
        headers.push(("accept".to_owned(), "application/json".to_owned()));
        if let Some(Body { content_type, .. }) = &request.body {
            headers.push(("content-type".to_owned(), content_type.to_string()));
        }
        headers.retain(|(name, _)| request.headers.iter().all(|(own, _)| own != name));
        headers.extend(request.headers.iter().cloned());
        let wire = WireRequest {
            method: request.method,
            origin,
            path_and_query: request.path_and_query(),
            headers,
            body,
            events: request.events,
        };
        let mut made = 0;
        let mut before = Before::default();
        loop {
            let remaining_ms = self.remaining_ms();
            let result = if remaining_ms == 0 {
                Err(SendError::Unreachable(format!(
                    "the deadline of {} ms passed before the request could be sent",
                    self.settings.deadline_ms
                )))
            } else {
                match self.transport.send(&wire, remaining_ms) {
                    // A failure is told by its status; without its body it is still a 429 or a 404.
                    Err(SendError::Cut { head, .. }) if !head.is_success() => Ok(head),
                    result => result,
                }
            };
            made += 1;
            let attempt = match &result {
                Ok(response) => response.attempt(self.transport.unix_ms()),
                Err(SendError::NotSent(_)) => Some(Attempt::NotSent),
                Err(SendError::Lost(_) | SendError::Cut { .. }) => Some(Attempt::Lost),
                Err(
                    SendError::Unreachable(_)
                    | SendError::TooLarge { .. }
                    | SendError::Denied(_)
                    | SendError::Malformed(_),
                ) => None,
            };
            if let Some(attempt) = attempt {
                let jitter = self.transport.random();
                let remaining_ms = self.remaining_ms();
                let max_retries = self.settings.max_retries;
                if let Decision::Again { wait_ms } =
                    decide(request.method, attempt, made, max_retries, remaining_ms, jitter)
                {
                    before.add(attempt, result.as_ref().ok());
                    self.transport.sleep_ms(wait_ms);
                    continue;
                }
            }
            let end = result.map_err(|error| send_error(error, request.method));
            return if before.may_have_done(request.method, &end) {
                Err(in_doubt(request.method, &end))
            } else {
                end
            };
        }
    }

    /// Returns the token that requests carry, where the component has one.
    ///
    /// # Errors
    /// Where none can be fetched, and `forbidden` where it is known to lack what the action needs.
    pub fn current_token(&mut self) -> Result<Option<String>, Error> {
        match &self.settings.credentials {
            Credentials::Host => Ok(None),
            Credentials::Token(token) => Ok(Some(token.expose().to_owned())),
            Credentials::Client { id, secret } => {
                let now = self.transport.unix_ms();
                let kept = self.tokens.get(id, now);
                // A token that lacks a scope may be older than the grant that has it.
                let stale = !self.tokens.lacks(&self.needs).is_empty() && self.tokens.is_of_long_ago(now);
                let token = match kept {
                    Some(token) if !stale => token,
                    kept => match (fetch_token(self, id, secret), kept) {
                        (Ok(issued), _) => {
                            let now = self.transport.unix_ms();
                            self.tokens.put(id, issued, now)
                        }
                        // The old one is enough to know what is lacking.
                        (Err(_), Some(token)) => token,
                        (Err(error), None) => return Err(error),
                    },
                };
                let lacking = self.tokens.lacks(&self.needs);
                if lacking.is_empty() {
                    return Ok(Some(token));
                }
                let scopes = lacking.join(", ");
                // As the tenant would answer it, and as a host that holds the token does.
                let message = format!(
                    "the token lacks {scopes}, so the request was not sent; to allow it, widen the application's grant"
                );
                Err(Error {
                    status: Some(403),
                    error_code: Some("insufficient_scope".to_owned()),
                    scopes: lacking.into_iter().map(str::to_owned).collect(),
                    ..Error::new(Code::InsufficientScope, message)
                })
            }
        }
    }

    fn remaining_ms(&mut self) -> u64 {
        self.ends_at_ms.saturating_sub(self.transport.monotonic_ms())
    }
}

/// What the attempts before the last may have done to the tenant.
#[derive(Default)]
struct Before {
    /// One was lost, or answered by a 5xx other than 503.
    maybe_done: bool,
    /// One was answered 503, by which a server says that it did not take the request up.
    refused: bool,
}

impl Before {
    fn add(&mut self, attempt: Attempt, answer: Option<&Response>) {
        let refused = answer.is_some_and(|answer| answer.status == 503);
        self.refused |= refused;
        self.maybe_done |= !refused && matches!(attempt, Attempt::ServerError | Attempt::Lost);
    }

    /// Returns whether the end of the last attempt leaves open what became of the write: only a success settles it.
    fn may_have_done(&self, method: Method, end: &Result<Response, Error>) -> bool {
        let status = end.as_ref().ok().map(|answer| answer.status);
        let failed = status.is_none_or(|status| !(200..300).contains(&status));
        // What is not found may have been deleted by the attempt before, whatever that one's server said.
        let gone = self.refused && method == Method::Delete && matches!(status, Some(404 | 410));
        !method.is_safe() && failed && (self.maybe_done || gone)
    }
}

/// The error for a write whose first attempt may have done it, however the last one ended.
fn in_doubt(method: Method, end: &Result<Response, Error>) -> Error {
    let (status, last) = match end {
        Ok(answer) => (Some(answer.status), format!("was answered {}", answer.status)),
        Err(error) => (error.status, format!("failed: {error}")),
    };
    let message = format!(
        "outcome unknown after retry: the first {} failed, the repeated one {last}; verify before retrying",
        method.as_str()
    );
    Error { status, ..Error::new(Code::OutcomeUnknown, message) }
}

fn send_error(error: SendError, method: Method) -> Error {
    // What the answer would have said of a write is lost; that it was done is not sure either.
    let unread = |of_read| if method.is_safe() { of_read } else { Code::OutcomeUnknown };
    match error {
        SendError::NotSent(message) | SendError::Unreachable(message) => {
            Error::new(Code::Unreachable, message)
        }
        SendError::Denied(message) => Error::new(Code::PolicyDenied, message),
        SendError::Malformed(message) => Error::new(Code::UnexpectedAnswer, message),
        SendError::Lost(message) if method.is_safe() => Error::new(Code::Unreachable, message),
        SendError::Lost(message) => Error::new(
            Code::OutcomeUnknown,
            format!(
                "the {} was sent and its answer was lost ({message}): it may have happened; verify before retrying",
                method.as_str()
            ),
        ),
        SendError::Cut { head, message } => {
            let message = format!("the tenant answered {} and the answer was cut ({message})", head.status);
            Error::new(unread(Code::Unavailable), message).status(head.status)
        }
        SendError::TooLarge { status } => {
            let message = format!(
                "the answer ({status}) is larger than {LARGEST_ANSWER} bytes: ask for fewer rows or fields"
            );
            Error::new(unread(Code::UnexpectedAnswer), message).status(status)
        }
    }
}

/// The paths that take `auth0-custom-domain` (facts, section 9); SDKs send it on no other. Here and not only in the table of
/// operations, since curated actions and custom requests go there too.
pub(crate) fn takes_custom_domain(method: Method, path: &str) -> bool {
    let Some(path) = path.strip_prefix("/api/v2/") else { return false };
    let segments: Vec<_> = path.split('/').collect();
    match method {
        Method::Patch => matches!(segments.as_slice(), ["users", _]),
        Method::Post => matches!(
            segments.as_slice(),
            ["users"]
                | ["jobs", "verification-email"]
                | ["tickets", "email-verification" | "password-change"]
                | ["organizations", _, "invitations"]
                | ["guardian", "enrollments", "ticket"]
                | ["self-service-profiles", _, "sso-ticket"]
                | ["branding", "phone", "templates", _, "try"]
        ),
        Method::Get | Method::Put | Method::Delete => false,
    }
}

#[cfg(test)]
pub(crate) mod tests;
