//! The egress: the only way out of the sandbox.
//!
//! Every request of a guest passes here, in this order: may it go there ([`destination`]), does the tenant's policy
//! allow it ([`auth0_policy`]), does the rate limit allow it now ([`governor`]), what may it carry (`keyring`,
//! [`token`]), and then out ([`transport`]). Of the answer, the guest does not get the secrets that are in it
//! (`redaction`). Nothing in here knows what an action is: the rules hold for whatever a component builds, its own
//! mistakes and those of a hostile one included.
#![deny(missing_docs)]

mod body;
pub mod call;
pub mod credentials;
mod echo;
mod flood;
#[cfg(feature = "test-support")]
pub mod fuzzing;
pub mod governor;
mod keyring;
pub mod limits;
mod mail;
pub mod mail_credentials;
#[cfg(feature = "bench")]
mod native;
#[cfg(any(test, feature = "test-support"))]
pub mod needles;
#[cfg(not(any(test, feature = "test-support")))]
mod needles;
pub mod private_key;
mod redaction;
pub mod request_observer;
pub mod resolver;
pub mod secret;
pub mod secrets;
mod send_error;
pub mod settings;
pub mod settings_error;
pub mod telemetry;
pub mod token;
mod transmission;
pub mod transport;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, Limited};

use auth0_policy::{
    action, address, base_url, bounded_text, denial, destination, domain, mail_provider, policy,
    private_path, reach, scopes,
};

pub use self::{
    body::HttpBody,
    redaction::Progress,
    send_error::{RequestOptions, SendError},
};
use self::{
    body::{AnswerBody, InFlightBody},
    destination::{Destination, Destinations},
    echo::Echo,
    governor::{Admission, Counts, Governor, RateLimited},
    keyring::{Keyring, MailKeyError, SyntheticResponse},
    mail::{MailContext, Mailer},
    redaction::{Expected, Guard, Pattern},
    resolver::Resolver,
    settings::EgressSettings,
    settings_error::SettingsError,
    token::{Token, TokenEndpoint, TokenError, TokenSource},
    transmission::Transmission,
    transport::{CONNECT_TIMEOUT, Timeouts, Transport, TransportError, tls_config},
};
use crate::{
    action::ApiRequest,
    call::{CallContext, DENIED, InFlightPermit, RequestEntry},
    denial::{Denial, DeniedBy, Remedy},
    limits::RequestLimits,
    policy::{Policy, check_agreed_reach, check_reading},
    secrets::deliveries::Deliveries,
};

/// Returns the names of the secrets in the answers of an operation of the Management API.
pub fn secrets_in_answers_of(request: &ApiRequest) -> Vec<String> {
    redaction::named(&request.method, &request.path)
}

/// Returns what is a secret in the input of an action that sends these requests, or one to a path of the caller's
/// choice, with what is a secret everywhere.
pub fn secrets_in_inputs_of(requests: &[ApiRequest], path: &str) -> Progress {
    let path = path.split('?').next().unwrap_or_default();
    // A custom request may leave the beginning out.
    let whole = format!("/api/v2/{}", path.trim_start_matches('/'));
    let below = [path, &whole].into_iter().flat_map(redaction::members_below);
    Progress::new(secrets_brought_in_by(requests).chain(below))
}

/// Returns those that are known of the requests themselves.
pub fn secrets_brought_in_by(requests: &[ApiRequest]) -> impl Iterator<Item = &'static Pattern> {
    requests.iter().flat_map(|request| redaction::brought_in(&request.method, &request.path))
}

/// How long the host waits for an answer to a question of its own, as for a token.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest of them is a tenant's discovery document, some 4 KB.
const MAX_ASK_ANSWER: usize = 1024 * 1024;
/// Auth0's errors are some hundred bytes; what is longer is dropped with its connection.
const MAX_REFUSAL_BODY: usize = 64 * 1024;

/// Everything that one tenant sends goes through one of these.
#[derive(Debug)]
pub struct Egress {
    destinations: Destinations,
    policy: Policy,
    /// The application that the tenant acts as.
    own_application: Option<String>,
    governor: Governor,
    /// For what leaves to the tenant's Authentication API.
    authentication: Governor,
    limits: RequestLimits,
    keyring: Keyring,
    mailer: Option<Mailer>,
    transport: Transport,
    /// How long to wait for an answer where the guest does not say.
    deadline: Duration,
    requests: Arc<AtomicU64>,
    deliveries: Arc<Deliveries>,
}

/// What the requests of a tenant are held to.
#[cfg_attr(test, derive(Default))]
struct Rules {
    policy: Policy,
    limits: RequestLimits,
    governor: Governor,
}

/// An answer, or why there is none.
pub type Answer = Result<Response<HttpBody>, SendError>;

impl Egress {
    /// Opens the egress of one tenant. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] where a setting cannot be used.
    pub fn open(settings: EgressSettings) -> Result<Self, SettingsError> {
        let EgressSettings {
            domain,
            tenant,
            credentials,
            audience,
            application,
            email_credentials,
            email_base_url,
            ca_pem,
            roots,
            policy,
            limits,
            header_bytes,
            secret_sink,
            rate_plan,
            rate_headroom,
            deadline,
        } = settings;
        let resolver = Resolver::new(policy.addresses().clone());
        let tls = tls_config(roots, ca_pem.as_deref())?;
        let transport = Transport::new(tls, resolver.clone(), header_bytes);
        let endpoint = TokenEndpoint {
            uri: format!("{tenant}/oauth/token")
                .parse()
                .map_err(|_| SettingsError::Value { name: "the base URL" })?,
            resource: ("audience", audience),
            transport: transport.clone(),
        };
        let source = TokenSource::new(credentials, endpoint, &domain);
        let context = MailContext {
            transport: &transport,
            resolver: &resolver,
            stand_in: email_base_url.as_ref(),
            ca_pem: ca_pem.as_deref(),
            tenant: &domain,
        };
        let (mail_key, mailer) = Mailer::open(email_credentials, context)?;
        let access = mail::access(mail_key.as_ref(), mailer.as_ref());
        let rules = Rules { policy, limits, governor: Governor::new(rate_plan, rate_headroom) };
        let destinations = Destinations::new(tenant, email_base_url).mail(access);
        let mut egress = Self::new(destinations, Keyring::new(source, mail_key), transport, deadline, rules);
        egress.mailer = mailer;
        egress.own_application = application;
        egress.deliveries = Deliveries::new(domain.as_str(), secret_sink);
        Ok(egress)
    }

    /// Builds an egress. What may leave is decided when it is made, and not by a call that may be forgotten.
    fn new(
        destinations: Destinations,
        keyring: Keyring,
        transport: Transport,
        deadline: Duration,
        rules: Rules,
    ) -> Self {
        let deliveries = Deliveries::new(destinations.tenant().host(), None);
        let Rules { policy, limits, governor } = rules;
        Self {
            destinations,
            policy,
            own_application: None,
            authentication: Governor::of_authentication(governor.plan()),
            governor,
            limits,
            keyring,
            mailer: None,
            transport,
            deadline,
            requests: Arc::default(),
            deliveries,
        }
    }

    /// Returns the deliveries of new secrets to the sink.
    pub fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// Counts the requests sent so far, token requests not included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns the governor, which keeps the tenant's rate limits.
    pub fn governor(&self) -> &Governor {
        &self.governor
    }

    /// Returns the resolver that the transport uses.
    pub fn resolver(&self) -> &Resolver {
        self.transport.resolver()
    }

    /// Returns what keeping the rate limits has cost so far.
    pub fn pace_counts(&self) -> Counts {
        self.governor.counts() + self.authentication.counts()
    }

    /// Counts the tokens fetched so far.
    pub fn tokens_fetched(&self) -> u64 {
        self.keyring.tenant().map_or(0, TokenSource::fetched)
    }

    /// Counts the connections opened so far.
    pub fn connections_opened(&self) -> u64 {
        self.transport.connections_opened() + self.mailer.as_ref().map_or(0, Mailer::connections_opened)
    }

    /// Returns a token of the tenant, after a fetch where there is none; nothing without credentials.
    pub async fn token(&self) -> Option<Result<Arc<Token>, TokenError>> {
        Some(self.keyring.tenant()?.token().await)
    }

    /// Returns whether the host speaks for an application of the tenant.
    pub fn has_credentials(&self) -> bool {
        self.keyring.tenant().is_some()
    }

    /// Asks the tenant a question of the host's own: a `GET` of a path, with or without a token.
    ///
    /// It passes neither policy nor rate limit, which is safe for three reasons. No guest can call it: a component
    /// reaches the egress through [`Egress::send`] only. It can only read, and only at the tenant itself. And the
    /// path is a constant of the program that begins with a slash, so that nothing from outside can choose it, or turn
    /// it into another host.
    ///
    /// # Errors
    ///
    /// [`TransportError`] where no answer came, or one of more than 1 MB.
    pub async fn ask(
        &self,
        path: &'static str,
        authorization: Option<HeaderValue>,
    ) -> Result<(http::response::Parts, Bytes), TransportError> {
        if !path.starts_with('/') {
            return Err(TransportError::Connect(format!("`{path}` is not a path")));
        }
        let mut request = Request::new(Full::default());
        let url = format!("{}{path}", self.destinations.tenant());
        *request.uri_mut() = url.parse().map_err(|_| TransportError::Connect(format!("no URL: {url}")))?;
        if let Some(value) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let timeouts = Timeouts { connect: CONNECT_TIMEOUT, answer: ASK_TIMEOUT };
        let (head, body) = self.transport.send(request, timeouts, |_| ()).await?.into_parts();
        let body = tokio::time::timeout(ASK_TIMEOUT, Limited::new(body, MAX_ASK_ANSWER).collect()).await;
        match body {
            Ok(Ok(body)) => Ok((head, body.to_bytes())),
            Ok(Err(error)) => Err(TransportError::Terminated(error.to_string())),
            Err(_) => Err(TransportError::ResponseTimeout),
        }
    }

    /// Sends one request of a guest when it has its permit.
    pub async fn send(
        &self,
        request: Request<HttpBody>,
        options: RequestOptions,
        call: &CallContext,
        permit: InFlightPermit,
    ) -> Answer {
        let budget = TimeBudget::begin(options.first_byte_timeout.unwrap_or(self.deadline).min(call.left()));
        if call.count_request() > self.limits.requests {
            let denial = Denial::new(DeniedBy::RequestLimit { limit: self.limits.requests });
            // Not written down one by one: a flood would fill the host's memory instead of the tenant's.
            call.denied(denial.or(Remedy::RaiseLimit { limit: "requests" }));
            return Err(SendError::HttpRequestDenied);
        }
        let permit = budget.before_sending(permit).await.ok_or(SendError::ConnectionTimeout)?;
        let answer = self.send_in_flight(request, options, budget, call).await?;
        Ok(answer.map(|body| InFlightBody::new(body, permit).boxed_unsync()))
    }

    async fn send_in_flight(
        &self,
        request: Request<HttpBody>,
        options: RequestOptions,
        budget: TimeBudget,
        call: &CallContext,
    ) -> Answer {
        let (mut head, body) = request.into_parts();
        let destination = match self.destinations.classify(&head.method, &head.uri) {
            Ok(route) => {
                head.uri = route.uri(&head.uri).map_err(|_| SendError::HttpRequestUriInvalid)?;
                route.destination
            }
            Err(denial) => {
                let entry = if self.destinations.has(&head.uri) {
                    call.log.open(&head.method, &head.uri)
                } else {
                    call.log.open_unknown_destination(&head.method, &head.uri)
                };
                return deny(call, entry, denial);
            }
        };
        let tenant = self.keyring.tenant();
        if let (Destination::TokenEndpoint, Some(source)) = (destination, tenant) {
            let read = body::collect(body, self.limits.request_body_bytes, body::Whole::of(&head));
            budget.before_sending(read).await.ok_or(SendError::ConnectionTimeout)??;
            return broker(source, budget, call).await;
        }
        let entry = call.log.open(&head.method, &head.uri);
        let read = body::collect(body, self.limits.request_body_bytes, body::Whole::of(&head));
        let mut body = match budget.before_sending(read).await {
            Some(Ok(body)) => body,
            Some(Err(error)) => {
                entry.failed("body", format!("not sent: its body was refused: {error}"));
                return Err(error);
            }
            None => {
                entry.failed("body", "not sent: its body did not arrive in time");
                return Err(SendError::ConnectionTimeout);
            }
        };
        let Parts { method, uri, headers, .. } = &head;
        let own = self.own_application.as_deref();
        let reading = if call.options.read_only { check_reading(destination, method) } else { Ok(()) };
        let checked =
            reading.and_then(|()| self.policy.check_request(destination, method, uri, headers, &body));
        let checked = checked.and_then(|()| self.policy.check_own_application(own, method, uri));
        let agreed = call.options.agreed_reach.filter(|_| destination == Destination::ManagementApi);
        let checked = checked.and_then(|()| match agreed {
            Some(agreed) => check_agreed_reach(agreed, method, uri, headers, &body),
            None => Ok(()),
        });
        if let Err(denial) = checked {
            return deny(call, entry, denial);
        }
        if destination == Destination::ManagementApi && redaction::writes_handle(uri.path(), &body) {
            return deny(call, entry, Denial::new(DeniedBy::SecretHandle).or(Remedy::SendSecret));
        }
        if destination == Destination::ManagementApi {
            // What the host has to read it must not be answered packed, nor in pieces.
            for name in [header::ACCEPT_ENCODING, header::TE, header::RANGE, header::IF_RANGE] {
                head.headers.remove(name);
            }
        }
        // The length is counted anew from what is really sent.
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::TRANSFER_ENCODING);
        // Without credentials too: a guest's own would take out to a stranger's account what it has read.
        head.headers.remove(header::AUTHORIZATION);
        let outgoing = Outgoing { egress: self, options, budget, call, destination };
        match (destination, tenant) {
            (Destination::ManagementApi, Some(source)) => {
                outgoing.with_token(source, entry, head, &body).await
            }
            (Destination::Mail(provider), _) => {
                mail::keep_plain_headers(&mut head.headers);
                if let Err(MailKeyError(problem)) =
                    self.keyring.apply_mail_key(provider, &mut head.headers, &mut body)
                {
                    return deny(call, entry, Denial::new(DeniedBy::MailKey(problem)).or(Remedy::SendObject));
                }
                outgoing.mail(provider, entry, head, &body).await
            }
            (Destination::ManagementApi | Destination::TokenEndpoint | Destination::ChangePassword, _) => {
                outgoing.once(entry, &head, &body, None).await
            }
        }
    }
}

/// Refuses a request, and keeps the refusal for the call's error.
fn deny(call: &CallContext, entry: RequestEntry, denial: Denial) -> Answer {
    entry.failed(DENIED, format!("denied: {denial}"));
    call.denied(denial);
    Err(SendError::HttpRequestDenied)
}

/// Answers a guest that asks for a token: it learns what the token may do and how long, and never has it.
async fn broker(source: &TokenSource, budget: TimeBudget, call: &CallContext) -> Answer {
    match budget.for_token(source.token()).await {
        Ok(token) => Ok(synthetic(keyring::describe_token(&token))),
        Err(TokenError::NoCredential(error)) => Ok(synthetic(keyring::lacking_oauth(error))),
        Err(TokenError::Refused(refusal)) => Ok(synthetic(keyring::refused_oauth(&refusal))),
        Err(TokenError::NotReached(error)) => Err(not_sent(call, &error)),
        Err(TokenError::Late) => Err(SendError::ConnectionTimeout),
    }
}

/// The time that a guest gives to one request.
///
/// The guest's own clock runs from before ours, and when it ends the guest can only say "sent, no answer". So what
/// comes before sending ends a little earlier than the whole: the host, which knows that nothing was sent, speaks
/// first.
#[derive(Clone, Copy, Debug)]
struct TimeBudget {
    begun: Instant,
    whole: Duration,
}

/// What the guest needs to hear of it and to end its call: twice the worst that a timer came late on two cores with six
/// busy processes (median 3 ms, 99th percentile 29 ms, worst of 836 53 ms).
const LEAST_MARGIN: Duration = Duration::from_millis(100);
/// The part of a long time that is kept for it: one in twenty.
const MARGIN_PART: u32 = 20;

impl TimeBudget {
    fn begin(whole: Duration) -> Self {
        Self { begun: Instant::now(), whole }
    }

    /// Returns what is left for a request that is not sent yet.
    fn to_send(self) -> Duration {
        // Of a time so short that it is all margin, half.
        let margin = (self.whole / MARGIN_PART).max(LEAST_MARGIN).min(self.whole / 2);
        self.whole.saturating_sub(margin).saturating_sub(self.begun.elapsed())
    }

    /// Returns what is left for the answer.
    fn to_answer(self) -> Duration {
        self.whole.saturating_sub(self.begun.elapsed())
    }

    /// Waits for something without which the request is not sent; `None` where it takes too long.
    async fn before_sending<T>(self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.to_send(), work).await.ok()
    }

    async fn for_token(
        self,
        fetch: impl Future<Output = Result<Arc<Token>, TokenError>>,
    ) -> Result<Arc<Token>, TokenError> {
        self.before_sending(fetch).await.unwrap_or(Err(TokenError::Late))
    }
}

/// One request on its way.
struct Outgoing<'a> {
    egress: &'a Egress,
    options: RequestOptions,
    budget: TimeBudget,
    call: &'a CallContext,
    destination: Destination,
}

impl Outgoing<'_> {
    /// Sends with the tenant's token, and once more with another where the tenant refuses that.
    async fn with_token(
        &self,
        source: &TokenSource,
        entry: RequestEntry,
        mut head: Parts,
        body: &Bytes,
    ) -> Answer {
        let token = match self.budget.for_token(source.token()).await {
            Ok(token) => token,
            Err(error) => return self.without_token(&entry, &error),
        };
        let token = match self.with_scopes(source, token).await {
            Ok(token) => token,
            Err(lacking) => {
                entry.failed(
                    "insufficient-scope",
                    format!("not sent: the token lacks {}", lacking.join(", ")),
                );
                return Ok(synthetic(keyring::forbidden(&lacking)));
            }
        };
        if let Err(denial) = self.check_own_application(&head, &token) {
            return deny(self.call, entry, denial);
        }
        authorize(&mut head, &token);
        let answer = self.once(entry, &head, body, self.echo(&token)).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // A refused token did nothing, so the request can be repeated whatever its method.
        let Some(another) = source.another(&token) else { return Ok(answer) };
        telemetry::another_token(self.call.span());
        // Read to its end, so that the connection can carry the repetition.
        let _ = Limited::new(answer.into_body(), MAX_REFUSAL_BODY).collect().await;
        let entry = self.call.log.open(&head.method, &head.uri);
        match self.budget.for_token(another).await {
            Ok(token) => {
                if let Err(denial) = self.check_own_application(&head, &token) {
                    return deny(self.call, entry, denial);
                }
                authorize(&mut head, &token);
                self.once(entry, &head, body, self.echo(&token)).await
            }
            Err(error) => self.without_token(&entry, &error),
        }
    }

    /// Refuses to write the application that a token is for: a vault may hand out another one's than it did.
    fn check_own_application(&self, head: &Parts, token: &Token) -> Result<(), Denial> {
        if self.destination != Destination::ManagementApi {
            return Ok(());
        }
        let check =
            |own: &String| self.egress.policy.check_own_application(Some(own), &head.method, &head.uri);
        token.applications().iter().try_for_each(check)
    }

    /// Returns what the answer to a request with a token must not repeat.
    fn echo(&self, token: &Token) -> Option<Arc<Echo>> {
        token.echo(self.call.options.reveal_secrets)
    }

    /// Returns a token that has the scopes which the action needs, as far as that is known: what would end half-way for
    /// want of a scope is not begun, and nothing of it is sent afterwards.
    async fn with_scopes(&self, source: &TokenSource, token: Arc<Token>) -> Result<Arc<Token>, Vec<String>> {
        if self.destination != Destination::ManagementApi {
            return Ok(token);
        }
        let checked = self.call.check_scopes(self.wide_enough(source, Arc::clone(&token))).await?;
        // A token that was taken while another request waited for a wider one.
        Ok(if self.call.lacking(&token).is_empty() { token } else { checked })
    }

    async fn wide_enough(&self, source: &TokenSource, token: Arc<Token>) -> Result<Arc<Token>, Vec<String>> {
        let lacking = self.call.lacking(&token);
        if lacking.is_empty() {
            return Ok(token);
        }
        let Some(wider) = source.wider(&token) else { return Err(lacking) };
        telemetry::another_token(self.call.span());
        match self.budget.for_token(wider).await {
            Ok(token) => {
                let lacking = self.call.lacking(&token);
                if lacking.is_empty() { Ok(token) } else { Err(lacking) }
            }
            // The old token is enough to know that.
            Err(_) => Err(lacking),
        }
    }

    /// Answers why a request was not sent, in a form that the guest makes a good error of.
    fn without_token(&self, entry: &RequestEntry, error: &TokenError) -> Answer {
        entry.failed("no-token", error.to_string());
        match error {
            TokenError::NoCredential(error) => Ok(synthetic(keyring::lacking_management(*error))),
            TokenError::Refused(refusal) if matches!(self.destination, Destination::Mail(_)) => {
                mail::refused(refusal)
            }
            TokenError::Refused(refusal) => Ok(synthetic(keyring::refused_management(refusal))),
            TokenError::NotReached(error) => Err(not_sent(self.call, error)),
            TokenError::Late => Err(SendError::ConnectionTimeout),
        }
    }

    /// Sends as it is when the rate limit allows, and writes down where it got to.
    async fn once(&self, entry: RequestEntry, head: &Parts, body: &Bytes, echo: Option<Arc<Echo>>) -> Answer {
        let expected = self.expected_secrets(head);
        let making = expected.as_ref().filter(|expected| expected.makes(body)).map(Expected::subject);
        let mut guard = None;
        if making.is_some() {
            match self.budget.before_sending(self.egress.deliveries.begin()).await {
                Some(Ok(begun)) => guard = Some(begun),
                Some(Err(denial)) => return deny(self.call, entry, denial),
                None => {
                    entry.failed("secret-sink", "not sent: the secret sink was busy for too long");
                    return Err(SendError::ConnectionTimeout);
                }
            }
        }
        let admission = match self.admission(head).await {
            Ok(admission) => admission,
            Err(rate_limited) => {
                entry.failed("rate-limited", rate_limited.message.clone());
                return Ok(synthetic(keyring::rate_limited(&rate_limited)));
            }
        };
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        let connect = self.options.connect_timeout.unwrap_or(CONNECT_TIMEOUT).min(CONNECT_TIMEOUT);
        let timeouts =
            Timeouts { connect: connect.min(self.budget.to_send()), answer: self.budget.to_answer() };
        let transmission = Transmission {
            transport: self.egress.transport.clone(),
            request,
            timeouts,
            entry,
            requests: Arc::clone(&self.egress.requests),
        };
        let answer = Guard {
            expected,
            echo,
            deliveries: Arc::clone(&self.egress.deliveries),
            charges: Arc::clone(&self.call.charges),
            cpu: self.egress.limits.cpu,
        };
        let answer = match (making, guard) {
            (Some(subject), Some(guard)) => self.send_and_deliver(transmission, subject, answer, guard).await,
            _ => self.send_and_hide(transmission, answer).await,
        }?;
        if let Some(admission) = admission {
            self.egress.governor.observe(admission, answer.status(), answer.headers());
        }
        Ok(answer)
    }

    /// Sends a request that makes no secret, and leaves secrets out of the answer that it shows.
    async fn send_and_hide(&self, transmission: Transmission, answer: Guard) -> Answer {
        let (response, entry) = transmission.send(&AtomicBool::default()).await.map_err(|error| {
            keep_denial(self.call, &error);
            error.to_send_error()
        })?;
        let between_bytes = self.options.between_bytes_timeout.unwrap_or(self.egress.deadline);
        let limit = self.egress.limits.response_body_bytes;
        let until = tokio::time::Instant::now() + self.budget.to_send();
        answer
            .hand_on(response.map(|body| AnswerBody::new(body, entry, Some(between_bytes), limit)), until)
            .await
    }

    /// Returns what is to be taken out of the answer; nothing where the caller wants to see it.
    fn expected_secrets(&self, head: &Parts) -> Option<Expected> {
        if self.destination != Destination::ManagementApi || self.call.options.reveal_secrets {
            return None;
        }
        Expected::of(&head.method, head.uri.path())
    }

    /// Waits until the rate limit lets the request go. Only the tenant has one.
    ///
    /// What is rate-limited is told to come back after the time that the guest gave it, at the earliest: it is not
    /// admitted before, and a guest would wait and try again in vain.
    async fn admission(&self, head: &Parts) -> Result<Option<Admission>, RateLimited> {
        let governor = match self.destination {
            Destination::ManagementApi => &self.egress.governor,
            Destination::ChangePassword => &self.egress.authentication,
            Destination::TokenEndpoint | Destination::Mail(_) => return Ok(None),
        };
        let (priority, max_wait) = (self.call.options.priority, self.budget.to_send());
        let begun = Instant::now();
        let admission = governor.admit(&head.method, &head.uri, priority, max_wait).await;
        telemetry::rate_limit_waited(self.call.span(), begun, admission.is_ok());
        admission.map(Some).map_err(|rate_limited| RateLimited {
            retry_after: rate_limited.retry_after.max(self.budget.to_answer()),
            ..rate_limited
        })
    }
}

fn authorize(head: &mut Parts, token: &Token) {
    if let Some(value) = token.authorization() {
        head.headers.insert(header::AUTHORIZATION, value);
    }
}

/// A token request that was lost says nothing about the guest's request, which was not sent. A code that reads as
/// "sent, no answer" would turn a create into `outcome-unknown`.
fn not_sent(call: &CallContext, error: &TransportError) -> SendError {
    keep_denial(call, error);
    if error.may_have_been_sent() { SendError::ConnectionTimeout } else { error.to_send_error() }
}

/// Where an address was refused, the guest learns that and no more; the call's error says which rule it was.
fn keep_denial(call: &CallContext, error: &TransportError) {
    if let TransportError::Prohibited(prohibited) = error {
        call.denied(prohibited.clone().into());
    }
}

fn synthetic(answer: SyntheticResponse) -> Response<HttpBody> {
    answer.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

#[cfg(test)]
mod tests;
