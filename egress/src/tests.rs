//! What a server sees of the egress.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Mutex, atomic::AtomicBool},
};

use http::{Method, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use serde_json::{Value, json};

use super::{
    action::ScopeRequirement,
    address::AddressRules,
    destination::{Destinations, MailAccess},
    keyring::{Keyring, MailKey},
    mail_provider::MailProvider,
    resolver::Resolver,
    token::{ClientCredentials, Proof, TokenCache, TokenEndpoint, TokenSource},
    transport::tls_config,
    *,
};
use crate::{
    call::{CallOptions, RequestRecord},
    reach::{Reach, ReachSet},
    request_observer::RequestObserver,
    secret::Secret,
};

mod echoes;
mod secrets;
mod vault;

const SECRET: &str = "canary-secret";
const MAIL_KEY: &str = "canary-key";

impl Egress {
    fn acting_as(mut self, application: Option<String>) -> Self {
        self.own_application = application;
        self
    }

    fn deliver_to(mut self, deliveries: Arc<Deliveries>) -> Self {
        self.deliveries = deliveries;
        self
    }

    fn govern(mut self, policy: Policy, governor: Governor, limits: RequestLimits) -> Self {
        (self.policy, self.governor, self.limits) = (policy, governor, limits);
        self
    }

    async fn send_in(
        &self,
        request: Request<HttpBody>,
        options: RequestOptions,
        call: &CallContext,
    ) -> Answer {
        Egress::send(self, request, options, call, call.in_flight_permit()).await
    }
}

/// A way out that is held to no rules: what they do has tests of its own.
fn unruled(destinations: Destinations, keyring: Keyring, transport: Transport, deadline: Duration) -> Egress {
    let rules = Rules { policy: Policy::unrestricted(), ..Rules::default() };
    Egress::new(destinations, keyring, transport, deadline, rules)
}

#[derive(Clone, Debug)]
struct Seen {
    request: String,
    host: Option<String>,
    authorization: Option<String>,
    /// What the guest may have asked for that the host could not read.
    packing: Vec<String>,
    body: String,
}

/// `None` hangs up without an answer.
type Reply = Option<(u16, Value)>;

struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serves on loopback. The answer may depend on the request and on how many of the kind there were before.
    async fn start(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::<Seen>::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let text =
                            |name| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
                        let seen = Seen {
                            request: format!("{} {}", head.method, head.uri.path()),
                            host: text(header::HOST),
                            authorization: text(header::AUTHORIZATION),
                            packing: [header::ACCEPT_ENCODING, header::TE, header::RANGE, header::IF_RANGE]
                                .into_iter()
                                .filter_map(text)
                                .collect(),
                            body: String::from_utf8(body.to_vec()).unwrap(),
                        };
                        let before = {
                            let mut log = log.lock().unwrap();
                            let before = log.iter().filter(|other| other.request == seen.request).count();
                            log.push(seen.clone());
                            before
                        };
                        // Long enough for callers to pile up.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        let (status, body) = answer(&seen, before).ok_or("hang up")?;
                        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
                        *response.status_mut() = StatusCode::from_u16(status).unwrap();
                        if status == 429 {
                            let minute = header::HeaderValue::from_static("60");
                            response.headers_mut().insert(header::RETRY_AFTER, minute);
                        }
                        if status == 302 {
                            let elsewhere = header::HeaderValue::from_static("/api/v2/elsewhere");
                            response.headers_mut().insert(header::LOCATION, elsewhere);
                        }
                        Ok::<_, &'static str>(response)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, seen }
    }

    /// A tenant: the n-th token is `tn`, and everything else is answered by 200.
    async fn tenant() -> Self {
        Self::start(|seen, before| Some(token_or(seen, before, 200))).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn count(&self, request: &str) -> usize {
        self.seen().iter().filter(|seen| seen.request == request).count()
    }

    fn egress(&self, mail: bool) -> Arc<Egress> {
        let transport = plain();
        let source = fetched(&self.url("/oauth/token"), SECRET, &transport);
        self.egress_with(Some(source), transport, mail)
    }

    fn egress_with(&self, source: Option<TokenSource>, transport: Transport, mail: bool) -> Arc<Egress> {
        self.egress_for_mail(source, transport, mail, mail.then_some(MailProvider::SendGrid))
    }

    /// The way out with a stand-in for the providers, or none, and the key of one of them, or none.
    fn egress_for_mail(
        &self,
        source: Option<TokenSource>,
        transport: Transport,
        stand_in: bool,
        provider: Option<MailProvider>,
    ) -> Arc<Egress> {
        let mail_url = stand_in.then(|| self.url("").parse().unwrap());
        let access = provider.map_or(MailAccess::None, MailAccess::Key);
        let destinations = Destinations::new(self.url("").parse().unwrap(), mail_url).mail(access);
        let key = provider.map(|provider| MailKey { provider, key: Secret::new(MAIL_KEY) });
        let keyring = Keyring::new(source, key);
        Arc::new(unruled(destinations, keyring, transport, Duration::from_secs(5)))
    }
}

fn fetched(endpoint: &str, secret: &str, transport: &Transport) -> TokenSource {
    let endpoint = TokenEndpoint {
        uri: endpoint.parse().unwrap(),
        resource: ("audience", "aud".to_owned()),
        transport: transport.clone(),
    };
    let proof = Proof::Secret(Secret::new(secret));
    TokenSource::Fetched(TokenCache::new(ClientCredentials { endpoint, client_id: "id".to_owned(), proof }))
}

fn fixed(token: &str) -> TokenSource {
    TokenSource::Static(Arc::new(Token::of_unknown_origin(Secret::new(token))))
}

/// A server that takes connections and reads, and never says a word.
struct Silent {
    address: SocketAddr,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Silent {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let read = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&read);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    use tokio::io::AsyncReadExt as _;
                    let mut chunk = [0; 4096];
                    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                        log.lock().unwrap().extend_from_slice(&chunk[..count]);
                    }
                });
            }
        });
        Self { address, read }
    }

    fn saw(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.read.lock().unwrap()).contains(text)
    }
}

/// What a guest with so much time asks for.
fn within(time: Duration) -> RequestOptions {
    let time = Some(time);
    RequestOptions { connect_timeout: time, first_byte_timeout: time, between_bytes_timeout: time }
}

/// What a guest with little time asks for: enough for what is to be written by then, on a machine that stands still for
/// a while.
fn hasty() -> RequestOptions {
    within(Duration::from_secs(5))
}

fn plain() -> Transport {
    let tls = tls_config(RootCertStore::empty(), None).unwrap();
    Transport::new(tls, Resolver::new(AddressRules::default()), 32 * 1024)
}

fn token_or(seen: &Seen, before: usize, status: u16) -> (u16, Value) {
    if seen.request == "POST /oauth/token" {
        let token = format!("t{}", before + 1);
        (
            200,
            json!({"access_token": token, "scope": "read:users", "expires_in": 86_400, "token_type": "Bearer"}),
        )
    } else {
        (status, json!({}))
    }
}

fn request(method: Method, url: &str, body: &str) -> Request<HttpBody> {
    let body = Full::new(Bytes::from(body.to_owned())).map_err(|never: Infallible| match never {});
    Request::builder().method(method).uri(url).body(body.boxed_unsync()).unwrap()
}

async fn send(egress: &Egress, request: Request<HttpBody>) -> Result<(u16, String), SendError> {
    let answer = egress.send_in(request, RequestOptions::default(), &CallContext::default()).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}

#[tokio::test]
async fn one_token_and_few_connections_serve_any_number_of_calls() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(false);
    let calls = (0..20).map(|_| {
        let (egress, request) = (Arc::clone(&egress), request(Method::GET, &tenant.url("/api/v2/users"), ""));
        tokio::spawn(async move { send(&egress, request).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().0, 200);
    }
    assert_eq!(tenant.count("POST /oauth/token"), 1);
    assert_eq!((egress.tokens_fetched(), egress.requests()), (1, 20));
    let api: Vec<Seen> =
        tenant.seen().into_iter().filter(|seen| seen.request == "GET /api/v2/users").collect();
    assert!(api.iter().all(|seen| seen.authorization.as_deref() == Some("Bearer t1")), "{api:?}");

    let opened = egress.connections_opened();
    for _ in 0..10 {
        send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    }
    assert_eq!(egress.connections_opened(), opened, "calls in a row use the connections that are there");
}

/// Guards a write of an action that cannot be done as a whole, against a guest that goes on after the first refusal.
#[tokio::test]
async fn of_a_call_whose_scopes_are_lacking_no_request_to_the_api_is_sent_also_not_a_later_one() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(false);
    let call = CallContext::default();
    let need = |scope| serde_json::from_value::<ScopeRequirement>(json!({"any_of": [scope]})).unwrap();
    call.needs([need("read:users"), need("create:users")].into());
    let send = |method| {
        let request = request(method, &tenant.url("/api/v2/users"), "{}");
        egress.send_in(request, RequestOptions::default(), &call)
    };
    // At once too: the second one waits for what comes of the first.
    for (first, second) in [(send(Method::GET), send(Method::POST)), (send(Method::GET), send(Method::POST))]
    {
        let (first, second) = tokio::join!(first, second);
        assert_eq!([first.unwrap().status(), second.unwrap().status()], [StatusCode::FORBIDDEN; 2]);
    }
    let records = call.log().records();
    assert!(records.len() == 4 && records.iter().all(|record| !record.sent), "{records:?}");
    assert_eq!(call.facts().lacking, ["create:users"]);
    assert_eq!(tenant.seen().len(), tenant.count("POST /oauth/token"), "nothing but the token was asked for");
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_take_the_token_along() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(false);
    let hasty = request(Method::GET, &tenant.url("/api/v2/users"), "");
    let left = tokio::time::timeout(Duration::from_millis(5), send(&egress, hasty)).await;
    assert!(left.is_err(), "the token takes 20 ms");
    send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    assert_eq!(tenant.count("POST /oauth/token"), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_request_repeated_with_its_body() {
    let tenant = Server::start(|seen, before| {
        let status = if seen.authorization.as_deref() == Some("Bearer t1") { 401 } else { 201 };
        Some(token_or(seen, before, status))
    })
    .await;
    let egress = tenant.egress(false);
    let answer =
        send(&egress, request(Method::POST, &tenant.url("/api/v2/users"), "{\"a\":1}")).await.unwrap();
    assert_eq!(answer.0, 201);
    let posts: Vec<Seen> =
        tenant.seen().into_iter().filter(|seen| seen.request == "POST /api/v2/users").collect();
    assert_eq!(posts.len(), 2);
    assert!(posts.iter().all(|seen| seen.body == "{\"a\":1}"));
    assert_eq!(tenant.count("POST /oauth/token"), 2);
}

#[tokio::test]
async fn a_tenant_that_refuses_every_token_is_asked_twice_and_no_more() {
    let tenant = Server::start(|seen, before| Some(token_or(seen, before, 401))).await;
    let egress = tenant.egress(false);
    let answer = send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    assert_eq!((answer.0, tenant.count("GET /api/v2/users")), (401, 2));

    let fixed = tenant.egress_with(Some(fixed("static")), plain(), false);
    let answer = send(&fixed, request(Method::GET, &tenant.url("/api/v2/roles"), "")).await.unwrap();
    assert_eq!(
        (answer.0, tenant.count("GET /api/v2/roles")),
        (401, 1),
        "a token from elsewhere has no successor"
    );
}

#[tokio::test]
async fn a_refusal_by_the_token_endpoint_reaches_every_caller_and_nothing_is_sent() {
    let tenant = Server::start(|_, _| {
        let description = format!("Unauthorized {SECRET}");
        Some((401, json!({"error": "access_denied", "error_description": description})))
    })
    .await;
    let egress = tenant.egress(false);
    let url = tenant.url("/api/v2/users");
    let create = || send(&egress, request(Method::POST, &url, "{}"));
    for answer in [tokio::join!(create(), create())].into_iter().flat_map(|(a, b)| [a, b]) {
        let (status, body) = answer.unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["statusCode"], &body["error"]), (401, &json!(401), &json!("Unauthorized")));
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("access_denied: Unauthorized") && !message.contains(SECRET), "{message}");
    }
    assert_eq!(tenant.count("POST /oauth/token"), 1, "who waits together is refused together");
    assert_eq!(tenant.count("POST /api/v2/users"), 0);
}

#[tokio::test]
async fn a_lost_token_answer_is_not_taken_for_a_lost_create() {
    let tenant = Server::start(|_, _| None).await;
    let egress = tenant.egress(false);
    let error = send(&egress, request(Method::POST, &tenant.url("/api/v2/users"), "{}")).await.unwrap_err();
    assert!(matches!(error, SendError::ConnectionTimeout), "{error:?} would read as `sent, no answer`");
    assert_eq!(tenant.count("POST /api/v2/users"), 0);
}

#[tokio::test]
async fn a_guest_that_asks_for_a_token_learns_what_it_may_do_and_does_not_get_it() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(false);
    let (status, body) =
        send(&egress, request(Method::POST, &tenant.url("/oauth/token"), "grant_type=x")).await.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!((&body["scope"], &body["token_type"]), (&json!("read:users"), &json!("Bearer")));
    assert!(body["expires_in"].as_u64().unwrap() > 86_000);
    assert!(body.get("access_token").is_none());
    assert!(
        tenant.seen().iter().all(|seen| !seen.body.contains("grant_type=x")),
        "the guest's body was forwarded"
    );
}

#[tokio::test]
async fn each_destination_gets_its_own_credential_and_no_other() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(true);
    for (path, expected) in [
        ("/v3/mail/send", Some(format!("Bearer {MAIL_KEY}"))),
        ("/dbconnections/change_password", None),
        ("/api/v2/users", Some("Bearer t1".to_owned())),
    ] {
        let mut request = request(Method::POST, &tenant.url(path), "{}");
        let forged = header::HeaderValue::from_static("Bearer forged");
        request.headers_mut().insert(header::AUTHORIZATION, forged);
        send(&egress, request).await.unwrap();
        let seen = tenant.seen().pop().unwrap();
        assert_eq!((seen.request, seen.authorization), (format!("POST {path}"), expected));
    }
}

const MAILS: [(MailProvider, &str, Option<&str>); 5] = [
    (MailProvider::SendGrid, "/v3/mail/send", Some("Bearer canary-key")),
    (MailProvider::SparkPost, "/api/v1/transmissions", Some("canary-key")),
    (MailProvider::Mailgun, "/v3/mg.acme.com/messages", Some("Basic YXBpOmNhbmFyeS1rZXk=")),
    (MailProvider::Mandrill, "/api/1.0/messages/send", None),
    (MailProvider::Resend, "/emails", Some("Bearer canary-key")),
];

#[tokio::test]
async fn a_mail_key_goes_to_its_provider_and_to_no_other_whichever_the_guest_names() {
    let tenant = Server::tenant().await;
    for (owner, own_path, expected) in MAILS {
        let egress = tenant.egress_for_mail(Some(fixed("t")), plain(), true, Some(owner));
        for (_, path, _) in MAILS {
            let before = tenant.seen().len();
            let forged = r#"{"key":"forged","message":{}}"#;
            let (answer, denial) = attempt(&egress, request(Method::POST, &tenant.url(path), forged)).await;
            let new = tenant.seen().split_off(before);
            if path != own_path {
                assert!(matches!(answer, Err(SendError::HttpRequestDenied)), "{owner:?} {path}: {answer:?}");
                assert!(denial.unwrap().contains(&format!("; those for {owner} are")), "{path}");
                assert!(new.is_empty(), "{new:?}");
                continue;
            }
            answer.unwrap();
            assert_eq!(new[0].authorization.as_deref(), expected, "{owner:?}");
            let keyed = owner == MailProvider::Mandrill;
            let body = if keyed { r#"{"message":{},"key":"canary-key"}"# } else { forged };
            assert_eq!(new[0].body, body, "{owner:?}");
        }
    }
}

#[tokio::test]
async fn without_a_mail_key_no_mail_host_is_reached_with_whatever_a_guest_has_of_its_own() {
    let tenant = Server::tenant().await;
    let stranger = header::HeaderValue::from_static("Bearer of-a-stranger");
    for source in [None, Some(fixed("t"))] {
        let egress = tenant.egress_for_mail(source, plain(), true, None);
        for (_, path, _) in MAILS {
            let mut mail = request(Method::POST, &tenant.url(path), r#"{"key":"of-a-stranger"}"#);
            mail.headers_mut().insert(header::AUTHORIZATION, stranger.clone());
            let (answer, denial) = attempt(&egress, mail).await;
            assert!(matches!(answer, Err(SendError::HttpRequestDenied)), "{path}: {answer:?}");
            assert!(denial.unwrap().contains("are configured; to allow it"), "{path}");
        }
    }
    assert!(tenant.seen().is_empty(), "{:?}", tenant.seen());
}

#[tokio::test]
async fn a_mail_for_mandrill_that_the_key_cannot_be_put_into_does_not_leave() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress_for_mail(None, plain(), true, Some(MailProvider::Mandrill));
    let mail = request(Method::POST, &tenant.url("/api/1.0/messages/send"), "key=of-a-stranger");
    let (answer, denial) = attempt(&egress, mail).await;
    assert!(matches!(answer, Err(SendError::HttpRequestDenied)), "{answer:?}");
    assert!(denial.unwrap().contains("must be a JSON object"));
    assert!(tenant.seen().is_empty());
}

#[tokio::test]
async fn a_guest_s_own_credential_does_not_leave_where_the_host_has_none() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress_with(None, plain(), false);
    for (method, path) in [(Method::GET, "/api/v2/users"), (Method::POST, "/dbconnections/change_password")] {
        let mut ask = request(method, &tenant.url(path), "");
        let forged = header::HeaderValue::from_static("Bearer forged");
        ask.headers_mut().insert(header::AUTHORIZATION, forged);
        send(&egress, ask).await.unwrap();
        assert_eq!(tenant.seen().pop().unwrap().authorization, None, "{path}");
    }
}

#[tokio::test]
async fn a_guest_that_is_refused_a_token_again_and_again_costs_the_token_endpoint_one_request() {
    let tenant = Server::start(|_, _| Some((429, json!({"error": "too_many_requests"})))).await;
    let egress = tenant.egress(false);
    for path in ["/api/v2/users", "/oauth/token", "/api/v2/roles", "/oauth/token"] {
        let (status, _) = send(&egress, request(Method::POST, &tenant.url(path), "{}")).await.unwrap();
        assert_eq!(status, 429, "{path}");
    }
    assert_eq!((tenant.count("POST /oauth/token"), tenant.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_guest_cannot_burn_the_limit_of_the_authentication_api_and_the_management_api_is_not_held_up() {
    /// With so little time the turns to come are too late.
    const TIME_BUDGET: Duration = Duration::from_millis(900);
    let tenant = Server::tenant().await;
    let egress = tenant.egress_with(Some(fixed("t")), plain(), false);
    let mut calls = tokio::task::JoinSet::new();
    let begun = Instant::now();
    for _ in 0..20 {
        let reset = request(Method::POST, &tenant.url("/dbconnections/change_password"), "{}");
        let egress = Arc::clone(&egress);
        calls.spawn(async move { egress.send_in(reset, within(TIME_BUDGET), &CallContext::default()).await });
    }
    let answers = calls.join_all().await;
    // Where the machine stood still meanwhile, one more for each second that went by, and one whose turn came too late.
    let elapsed = begun.elapsed();
    let allowed = 10 + usize::try_from(elapsed.as_secs()).unwrap();
    let late = answers.iter().filter(|answer| answer.is_err()).count();
    assert!(late == 0 || elapsed >= TIME_BUDGET, "{answers:?}");
    let refused = answers.iter().flatten().filter(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
    let refused =
        refused.inspect(|answer| assert!(answer.headers().contains_key(header::RETRY_AFTER))).count();
    let sent = tenant.count("POST /dbconnections/change_password");
    assert!(sent <= allowed, "{sent} of {allowed} were sent");
    assert!(sent + refused + late >= 20, "{sent} were sent, {refused} refused, {late} late");
    assert_eq!(usize::try_from(egress.pace_counts().rate_limited).unwrap(), refused);
    send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
}

#[tokio::test]
async fn a_guest_cannot_give_itself_the_application_that_the_connection_acts_as() {
    let tenant = Server::tenant().await;
    let destinations = Destinations::new(tenant.url("").parse().unwrap(), None);
    let keyring = Keyring::new(Some(fixed("t")), None);
    let egress = unruled(destinations, keyring, plain(), Duration::from_secs(5));
    let egress = egress.acting_as(Some("own".to_owned()));
    for (method, path) in [
        (Method::PATCH, "/api/v2/clients/own"),
        (Method::POST, "/api/v2/clients/own/credentials"),
        (Method::PATCH, "/api/v2/clients/%6Fwn"),
    ] {
        let write = request(method, &tenant.url(path), r#"{"client_secret":"mine"}"#);
        let (answer, denial) = attempt(&egress, write).await;
        assert!(matches!(answer, Err(SendError::HttpRequestDenied)), "{path}: {answer:?}");
        assert!(denial.unwrap().contains("use another application"), "{path}");
    }
    assert!(tenant.seen().is_empty());
    let other = request(Method::PATCH, &tenant.url("/api/v2/clients/other"), "{}");
    assert_eq!(attempt(&egress, other).await.0.unwrap(), 200);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let tenant = Server::start(|seen, before| Some(token_or(seen, before, 302))).await;
    let egress = tenant.egress(false);
    let answer = send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    assert_eq!((answer.0, tenant.count("GET /api/v2/elsewhere")), (302, 0));
}

#[tokio::test]
async fn what_is_denied_is_written_down_and_not_sent() {
    let tenant = Server::tenant().await;
    let other = Server::tenant().await;
    let egress = tenant.egress(false);
    let log = CallContext::default();
    let denied = request(Method::GET, &other.url("/api/v2/users?q=jane"), "");
    let error = egress.send_in(denied, RequestOptions::default(), &log).await.unwrap_err();
    assert!(matches!(error, SendError::HttpRequestDenied));
    assert!(other.seen().is_empty() && tenant.seen().is_empty());
    let record = log.log.records().remove(0);
    assert_eq!((record.path.as_str(), record.status), ("/api/v2/users?q", None));
    assert!(record.error.unwrap().starts_with("denied"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_it_is_sent() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(false);
    let body = "x".repeat(RequestLimits::default().request_body_bytes + 1);
    let error = send(&egress, request(Method::POST, &tenant.url("/api/v2/users"), &body)).await.unwrap_err();
    assert!(matches!(error, SendError::HttpRequestBodySize(_)), "{error:?}");
    assert!(tenant.seen().is_empty());
}

#[tokio::test]
async fn no_secret_is_in_a_debug_print() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(true);
    send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    let text = format!("{egress:#?}");
    assert!(!text.contains("canary") && !text.contains("t1"), "{text}");
}

#[tokio::test]
async fn a_post_that_waited_for_a_silent_token_endpoint_is_not_sent_and_says_so() {
    let (tenant, endpoint) = (Server::tenant().await, Silent::start().await);
    let transport = plain();
    let source = fetched(&format!("http://{}/oauth/token", endpoint.address), SECRET, &transport);
    let egress = tenant.egress_with(Some(source), transport, false);
    let log = CallContext::default();
    let create = request(Method::POST, &tenant.url("/api/v2/users"), "{}");
    let error = egress.send_in(create, hasty(), &log).await.unwrap_err();
    assert!(matches!(error, SendError::ConnectionTimeout), "{error:?} would read as `sent, no answer`");
    assert!(endpoint.saw("POST /oauth/token"));
    assert!(tenant.seen().is_empty());
    let record = log.log.records().remove(0);
    assert_eq!((record.sent, record.bytes_sent, egress.requests()), (false, 0, 0));
    assert!(record.error.unwrap().starts_with("not sent"));
    assert!(record.elapsed >= Duration::from_millis(100), "the wait is in the record: {:?}", record.elapsed);
}

#[tokio::test]
async fn a_guest_that_asks_a_silent_token_endpoint_hears_it_from_the_host() {
    let endpoint = Silent::start().await;
    let transport = plain();
    let source = fetched(&format!("http://{}/oauth/token", endpoint.address), SECRET, &transport);
    let tenant = Server::tenant().await;
    let egress = tenant.egress_with(Some(source), transport, false);
    let ask = request(Method::POST, &tenant.url("/oauth/token"), "");
    let options = within(Duration::from_millis(300));
    let error = egress.send_in(ask, options, &CallContext::default()).await.unwrap_err();
    assert!(matches!(error, SendError::ConnectionTimeout), "{error:?}");
}

#[tokio::test]
async fn a_post_whose_connection_never_came_is_not_sent_and_says_so() {
    let tenant = Silent::start().await;
    let base = format!("https://{}", tenant.address);
    let keyring = Keyring::new(Some(fixed("canary-token")), None);
    let destinations = Destinations::new(base.parse().unwrap(), None);
    let egress = unruled(destinations, keyring, plain(), Duration::from_secs(5));
    let log = CallContext::default();
    let create = request(Method::POST, &format!("{base}/api/v2/users"), "{}");
    let error = egress.send_in(create, hasty(), &log).await.unwrap_err();
    assert!(matches!(error, SendError::ConnectionTimeout), "{error:?} would read as `sent, no answer`");
    assert_eq!(tenant.read.lock().unwrap().first(), Some(&0x16), "a TLS handshake and nothing else came");
    assert!(!tenant.saw("canary"));
    assert_eq!((log.log.records().remove(0).sent, egress.requests()), (false, 0));
}

#[tokio::test]
async fn a_post_that_was_sent_and_not_answered_stays_unknown() {
    let tenant = Silent::start().await;
    let base = format!("http://{}", tenant.address);
    let keyring = Keyring::new(Some(fixed("t")), None);
    let destinations = Destinations::new(base.parse().unwrap(), None);
    let egress = unruled(destinations, keyring, plain(), Duration::from_secs(5));
    let log = CallContext::default();
    let create = request(Method::POST, &format!("{base}/api/v2/users"), "{}");
    let error = egress.send_in(create, hasty(), &log).await.unwrap_err();
    assert!(matches!(error, SendError::HttpResponseTimeout), "{error:?}");
    assert!(tenant.saw("POST /api/v2/users"));
    let record = log.log.records().remove(0);
    assert_eq!((record.sent, record.bytes_sent, egress.requests()), (true, 2, 1));
}

#[test]
fn what_comes_before_sending_ends_before_the_guest_s_own_clock_does() {
    for (whole, margin) in
        [(30_000, 1_500), (3_000, 150), (1_000, 100), (300, 100), (100, 50), (1, 1), (0, 0)]
    {
        let budget = TimeBudget::begin(Duration::from_millis(whole));
        let bound = Duration::from_millis(whole - margin);
        assert!(budget.to_send() <= bound.max(budget.whole / 2), "{whole}");
        assert!(budget.to_send() <= budget.to_answer(), "{whole}");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_echoes_the_form_does_not_spread_the_secret() {
    let tenant = Server::start(|seen, _| {
        let description = format!("cannot read: {}", seen.body);
        Some((400, json!({"error": "invalid_request", "error_description": description})))
    })
    .await;
    let transport = plain();
    let source = fetched(&tenant.url("/oauth/token"), "can+ary/secret=", &transport);
    let egress = tenant.egress_with(Some(source), transport, false);
    let log = CallContext::default();
    let mut said = String::new();
    for path in ["/api/v2/users", "/oauth/token"] {
        let ask = request(Method::POST, &tenant.url(path), "{}");
        let answer = egress.send_in(ask, RequestOptions::default(), &log).await.unwrap();
        said += std::str::from_utf8(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    }
    said += &format!("{:?}", log.log.records());
    assert!(tenant.seen()[0].body.contains("can%2Bary%2Fsecret%3D"), "{:?}", tenant.seen());
    assert!(said.contains("invalid_request") && said.contains("withheld"), "{said}");
    assert!(!said.contains("can%2B") && !said.contains("can+ary"), "{said}");
}

#[tokio::test]
async fn a_guest_s_spelling_of_the_authority_does_not_leave() {
    let tenant = Server::tenant().await;
    let port = tenant.address.port();
    let base = format!("http://localhost:{port}");
    let keyring = Keyring::new(Some(fixed("t")), None);
    let destinations = Destinations::new(base.parse().unwrap(), None);
    let egress = unruled(destinations, keyring, plain(), Duration::from_secs(5));
    for authority in [format!("LOCALHOST:{port}"), format!("localhost:0{port}"), format!("localhost:{port}")]
    {
        send(&egress, request(Method::GET, &format!("http://{authority}/api/v2/users"), "")).await.unwrap();
    }
    let hosts: Vec<_> = tenant.seen().into_iter().map(|seen| seen.host.unwrap()).collect();
    assert_eq!(hosts, [0; 3].map(|_| format!("localhost:{port}")));
    assert_eq!(egress.connections_opened(), 1, "one destination is one key of the pool");
}

/// Guards against a request that would be echoed with its token, tunnelled, or read as another one than the rules saw.
#[tokio::test]
async fn of_all_methods_those_of_the_api_leave_as_they_are_written_and_no_other_does() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress_with(Some(fixed("t")), plain(), false);
    let ask = |method: &str| request(method.parse().unwrap(), &tenant.url("/api/v2/users"), "");
    for method in [
        "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "M-SEARCH", "PURGE", "get", "Get", "Post", "post",
        "delete", "head", "X",
    ] {
        let call = CallContext::default();
        let error = egress.send_in(ask(method), RequestOptions::default(), &call).await.unwrap_err();
        assert!(matches!(error, SendError::HttpRequestDenied), "{method}: {error:?}");
        let denial = call.denial().unwrap();
        assert_eq!(denial.rule(), &DeniedBy::Method, "{method}");
        let record = call.log.records().remove(0);
        assert_eq!((record.sent, record.error), (false, Some(format!("denied: {denial}"))), "{method}");
    }
    assert!(tenant.seen().is_empty(), "{:?}", tenant.seen());
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let call = CallContext::default();
        let answer = egress.send_in(ask(method), RequestOptions::default(), &call).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{method}");
        assert_eq!(tenant.count(&format!("{method} /api/v2/users")), 1, "{method}");
    }
    assert_eq!(tenant.seen().len(), 6);
}

#[tokio::test]
async fn a_record_tells_what_was_sent_from_what_was_not() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(false);
    let log = CallContext::default();
    let large = "x".repeat(RequestLimits::default().request_body_bytes + 1);
    for body in ["{}", large.as_str()] {
        let create = request(Method::POST, &tenant.url("/api/v2/users"), body);
        let _ = egress.send_in(create, RequestOptions::default(), &log).await;
    }
    let gone = Server { address: closed_port().await, seen: Arc::default() };
    let unreachable = gone.egress_with(Some(fixed("t")), plain(), false);
    let create = request(Method::POST, &gone.url("/api/v2/users"), "{}");
    unreachable.send_in(create, RequestOptions::default(), &log).await.unwrap_err();

    let records = log.log.records();
    let told: Vec<_> = records.iter().map(|record| (record.sent, record.bytes_sent, record.status)).collect();
    assert_eq!(told, [(true, 2, Some(200)), (false, 0, None), (false, 0, None)]);
    assert!(records[1].error.as_ref().unwrap().contains("body was refused"), "{:?}", records[1]);
    assert_eq!(tenant.count("POST /api/v2/users"), 1);
    assert_eq!((egress.requests(), unreachable.requests()), (1, 0));
}

async fn closed_port() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Sends as a hostile component would: straight into the egress.
async fn attempt(egress: &Egress, request: Request<HttpBody>) -> (Result<u16, SendError>, Option<String>) {
    let call = CallContext::default();
    let answer = egress.send_in(request, RequestOptions::default(), &call).await;
    (answer.map(|answer| answer.status().as_u16()), call.denial().map(|denial| format!("denied: {denial}")))
}

#[tokio::test]
async fn a_component_that_builds_its_own_requests_is_held_to_the_policy() {
    let tenant = Server::tenant().await;
    let policy = Policy::builder()
        .allow_request("GET,PATCH /api/v2/users/{id}")
        .fields("PATCH /api/v2/users/{id}", ["nickname"])
        .build()
        .unwrap();
    let transport = plain();
    let source = fetched(&tenant.url("/oauth/token"), SECRET, &transport);
    let egress = unruled(
        Destinations::new(tenant.url("").parse().unwrap(), None),
        Keyring::new(Some(source), None),
        transport,
        Duration::from_secs(5),
    )
    .govern(policy, Governor::default(), RequestLimits::default());
    let json = "application/json";
    for (method, path, content_type, header, body) in [
        (Method::DELETE, "/api/v2/users/x", json, None, ""),
        (Method::GET, "/api/v2/clients", json, None, ""),
        (Method::GET, "/api/v2/users/x%2Froles", json, None, ""),
        (Method::GET, "/api/v2/users//x", json, None, ""),
        (Method::GET, "/api/v2/users/x/", json, None, ""),
        (Method::POST, "/dbconnections/change_password", json, None, "{}"),
        (Method::POST, "/dbconnections/signup", json, None, "{}"),
        (Method::GET, "/userinfo", json, None, ""),
        (Method::PATCH, "/api/v2/users/x", json, None, "{\"blocked\":true}"),
        (Method::PATCH, "/api/v2/users/x", json, None, "{\"nickname\":1,\"nickname\":2}"),
        (Method::PATCH, "/api/v2/users/x", "application/x-www-form-urlencoded", None, "blocked=true"),
        (
            Method::PATCH,
            "/api/v2/users/x",
            "application/x-www-form-urlencoded",
            None,
            "{\"nickname\":\"&blocked=1\"}",
        ),
        (Method::PATCH, "/api/v2/users/x", json, Some("x-http-method-override"), "{\"nickname\":\"n\"}"),
        (Method::GET, "/api/v2/users/x?_method=DELETE", json, None, ""),
    ] {
        let mut request = request(method.clone(), &tenant.url(path), body);
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        if let Some(name) = header {
            request.headers_mut().insert(name, "DELETE".parse().unwrap());
        }
        let (answer, denial) = attempt(&egress, request).await;
        assert!(matches!(answer, Err(SendError::HttpRequestDenied)), "{method} {path} {body}: {answer:?}");
        assert!(denial.is_some_and(|reason| reason.starts_with("denied: ")), "{method} {path} {body}");
    }
    assert!(tenant.seen().is_empty(), "{:?}", tenant.seen());

    let mut request = request(Method::PATCH, &tenant.url("/api/v2/users/x"), "{\"nickname\":\"n\"}");
    request.headers_mut().insert(header::CONTENT_TYPE, json.parse().unwrap());
    assert_eq!(attempt(&egress, request).await.0.unwrap(), 200);
    assert_eq!(tenant.count("PATCH /api/v2/users/x"), 1);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_for_the_token_and_for_the_request() {
    let resolver = |_: &str| vec!["169.254.169.254".parse().unwrap(), "10.0.0.1".parse().unwrap()];
    let tls = || tls_config(RootCertStore::empty(), None).unwrap();
    for with_secret in [true, false] {
        let transport = Transport::new(tls(), Resolver::fake(AddressRules::default(), resolver), 32 * 1024);
        let source = match with_secret {
            true => fetched("https://acme.auth0.com/oauth/token", SECRET, &transport),
            false => fixed("t"),
        };
        let domain = "acme.auth0.com".parse().unwrap();
        let egress = unruled(
            Destinations::new(crate::base_url::BaseUrl::of_domain(&domain), None),
            Keyring::new(Some(source), None),
            transport,
            Duration::from_secs(5),
        );
        let request = request(Method::POST, "https://acme.auth0.com/api/v2/users", "{}");
        let (answer, denial) = attempt(&egress, request).await;
        assert!(matches!(answer, Err(SendError::DestinationIpProhibited)), "{answer:?}");
        let denial = denial.unwrap();
        assert!(denial.contains("acme.auth0.com is at 10.0.0.1, a private address"), "{denial}");
        assert!(denial.contains("allowed_networks"), "{denial}");
    }
}

#[tokio::test]
async fn a_credential_in_a_guest_s_trailers_does_not_leave() {
    let tenant = Silent::start().await;
    let base = format!("http://{}", tenant.address);
    let destinations = Destinations::new(base.parse().unwrap(), None);
    let egress = unruled(destinations, Keyring::new(Some(fixed("t")), None), plain(), Duration::from_secs(5));
    let (head, body) = request(Method::POST, &format!("{base}/api/v2/users"), "{}").into_parts();
    let forged = header::HeaderValue::from_static("Bearer forged");
    let trailers = http::HeaderMap::from_iter([(header::AUTHORIZATION, forged)]);
    let body = body.with_trailers(std::future::ready(Some(Ok(trailers)))).boxed_unsync();
    let _ = egress.send_in(Request::from_parts(head, body), hasty(), &CallContext::default()).await;
    assert!(tenant.saw("POST /api/v2/users") && tenant.saw("Bearer t") && !tenant.saw("forged"));
}

/// Writes down what it hears; a watcher without a list panics.
struct Watcher(Option<Mutex<Vec<Heard>>>);

/// Method and path, and the status where there was one.
type Heard = (String, Option<u16>);

impl RequestObserver for Watcher {
    fn begun(&self, request: &RequestRecord) {
        self.ended(request);
    }

    fn ended(&self, request: &RequestRecord) {
        let list = self.0.as_ref().unwrap();
        list.lock().unwrap().push((format!("{} {}", request.method, request.path), request.status));
    }
}

#[tokio::test]
async fn an_observer_hears_of_each_request_while_the_call_runs() {
    // Longer than what is looked through before it is handed on.
    let tenant = Server::start(|_, _| Some((200, json!(vec!["x"; 300_000])))).await;
    let egress = tenant.egress_with(Some(fixed("t")), plain(), false);
    let watcher = Arc::new(Watcher(Some(Mutex::default())));
    let options = CallOptions::new().observer(Arc::clone(&watcher));
    let call = CallContext::new(Instant::now() + Duration::from_secs(60), options);
    let ask = request(Method::GET, &tenant.url("/api/v2/roles?name_filter=jane"), "");
    let answer = egress.send_in(ask, RequestOptions::default(), &call).await.unwrap();
    let heard = || watcher.0.as_ref().unwrap().lock().unwrap().clone();
    let line = || "GET /api/v2/roles?name_filter".to_owned();
    assert_eq!(heard(), [(line(), None)], "its body was not read yet");
    answer.into_body().collect().await.unwrap();
    assert_eq!(heard(), [(line(), None), (line(), Some(200))]);
}

#[tokio::test]
async fn an_observer_that_panics_changes_nothing() {
    let tenant = Server::tenant().await;
    let egress = tenant.egress(false);
    let options = CallOptions::new().observer(Watcher(None));
    let call = CallContext::new(Instant::now() + Duration::from_secs(60), options);
    let ask = request(Method::GET, &tenant.url("/api/v2/users"), "");
    let answer = egress.send_in(ask, RequestOptions::default(), &call).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer);
    assert_eq!(call.log.records()[0].status, Some(200));
}

#[tokio::test]
async fn a_request_that_can_do_more_than_was_agreed_to_does_not_leave_whatever_the_policy_allows() {
    let tenant = Server::tenant().await;
    let transport = plain();
    let source = fetched(&tenant.url("/oauth/token"), SECRET, &transport);
    let egress = unruled(
        Destinations::new(tenant.url("").parse().unwrap(), None),
        Keyring::new(Some(source), None),
        transport,
        Duration::from_secs(5),
    );
    let deadline = Instant::now() + Duration::from_secs(5);
    let agreed = ReachSet::NONE.with(Reach::TakesOver);
    let call = CallContext::new(deadline, CallOptions::new().agreed_reach(agreed));
    let json = |method: Method, path: &str, body: &str| {
        let mut request = request(method, &tenant.url(path), body);
        request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        request
    };
    for (method, path, body) in [
        (Method::POST, "/api/v2/client-grants", "{}"),
        (Method::PATCH, "/api/v2/users/x", "{\"app_metadata\":{}}"),
        (Method::POST, "/api/v2/what-auth0-adds-next", "{}"),
    ] {
        let ask = json(method, path, body);
        let error = egress.send_in(ask, RequestOptions::default(), &call).await.unwrap_err();
        assert!(matches!(error, SendError::HttpRequestDenied), "{path}: {error:?}");
        let denial = call.denial().unwrap();
        assert!(matches!(denial.rule(), DeniedBy::ReachNotAgreed { .. }), "{path}: {denial}");
    }
    assert!(tenant.seen().is_empty(), "{:?}", tenant.seen());
    let ask = json(Method::PATCH, "/api/v2/users/x", "{\"email\":\"a@b.c\"}");
    let _ = egress.send_in(ask, RequestOptions::default(), &call).await.unwrap();
    assert!(!tenant.seen().is_empty(), "what was agreed to leaves");
}
