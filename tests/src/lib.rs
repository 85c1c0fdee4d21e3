//! Shared set-up of the end-to-end tests: a tenant per test, one compiled component for all, and what the tenant saw.
//!
//! What a test claims is asserted on the server's side – requests and state – as well as on the answer: a client that
//! is wrong about what it did passes every test that asks only the client.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use auth0_emulator::{Control, Emulator, Listener, Seed, SeenRequest};
use auth0_host::{
    ActionError, ActionKind, ApiKeyProvider, Credentials, Error, Host, Json, Outcome, Policy, Settings,
    Tenant,
};
use serde_json::{Value, json};

use self::memory_sink::MemorySink;

pub mod keys;
pub mod library;
pub mod memory_sink;
pub mod program;

/// The database connection of every seed.
pub const DATABASE: &str = "Username-Password-Authentication";

/// A password that the policy `good` takes.
pub const PASSWORD: &str = "Sommer-2031-am-See";

/// The host that all tests of a binary share: compiling the component takes longer than any test.
pub fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::new().expect("the built component runs on this machine"))
}

/// The ids of the curated actions, in their order.
pub async fn curated() -> Vec<String> {
    let actions = host().actions().await.expect("the component tells its actions");
    let curated = actions.into_iter().filter(|action| action.kind == ActionKind::Curated);
    curated.map(|action| action.id).collect()
}

/// An offline tenant with a connection to it. Dropping it stops it.
#[derive(Debug)]
pub struct OfflineTenant {
    /// The server.
    pub emulator: Emulator,
    /// Its control surface.
    pub control: Control,
    /// The host's connection to it.
    pub connection: Tenant,
    /// Where the connections put secrets that the tenant makes.
    pub secret_sink: MemorySink,
}

impl OfflineTenant {
    /// Starts a tenant with the people of the demo.
    pub async fn start() -> Self {
        Self::with(Seed::demo()).await
    }

    /// Starts a tenant with these contents.
    pub async fn with(seed: Seed) -> Self {
        Self::tuned(seed, |settings| settings).await
    }

    /// Starts a tenant and changes the connection's settings.
    pub async fn tuned(seed: Seed, tune: impl FnOnce(Settings) -> Settings) -> Self {
        let emulator =
            Emulator::builder().seed(seed).start().await.expect("a tenant starts on any free port");
        Self::on(emulator, tune).await
    }

    /// Connects to a tenant that runs already.
    pub async fn on(emulator: Emulator, tune: impl FnOnce(Settings) -> Settings) -> Self {
        let secret_sink = MemorySink::default();
        let settings = settings(&emulator).secret_sink(secret_sink.clone());
        let connection = host().tenant(tune(settings)).await.expect("the settings go together");
        Self { control: emulator.control(), emulator, connection, secret_sink }
    }

    /// Opens a further connection, with its own settings.
    pub async fn connect(&self, tune: impl FnOnce(Settings) -> Settings) -> Tenant {
        let settings = settings(&self.emulator).secret_sink(self.secret_sink.clone());
        host().tenant(tune(settings)).await.expect("the settings go together")
    }

    /// Runs an action that must succeed.
    pub async fn run(&self, action: &str, input: Value) -> Value {
        match self.connection.run(action, input.clone()).await {
            Ok(result) => result.tree(),
            Err(error) => panic!("{action} {input}: {error} ({error:?})"),
        }
    }

    /// Runs an action that must answer an error.
    pub async fn refused(&self, action: &str, input: Value) -> ActionError {
        refused(&self.connection, action, input).await
    }

    /// Requests that the tenant saw, but for those for tokens.
    pub fn seen(&self) -> Vec<SeenRequest> {
        let mut requests = self.control.requests();
        requests.retain(|request| request.listener == Listener::Tenant && request.path != "/oauth/token");
        requests
    }

    /// Requests for tokens that the tenant saw.
    pub fn token_requests(&self) -> usize {
        self.control.requests().iter().filter(|request| request.path == "/oauth/token").count()
    }

    /// Requests that the email provider saw.
    pub fn mail_requests(&self) -> Vec<SeenRequest> {
        let mut requests = self.control.requests();
        requests.retain(|request| request.listener == Listener::Mail);
        requests
    }

    /// The only request that the tenant saw.
    pub fn only(&self) -> SeenRequest {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "one request, not {}", lines(&seen).join(", "));
        seen.remove(0)
    }

    /// Method, path and query of what the tenant saw.
    pub fn lines(&self) -> Vec<String> {
        lines(&self.seen())
    }

    /// The id of the user with this address.
    pub fn user(&self, email: &str) -> String {
        let user = self.control.user_by_email(email).unwrap_or_else(|| panic!("{email} is a user"));
        text(&user, "user_id").to_owned()
    }

    /// A user as stored.
    pub fn stored(&self, user_id: &str) -> Value {
        self.control.user(user_id).unwrap_or_else(|| panic!("{user_id} is a user"))
    }

    /// The id of the role of this name.
    pub fn role(&self, name: &str) -> String {
        text(&named(&self.control.roles(), name), "id").to_owned()
    }

    /// The id of the application of this name.
    pub fn application(&self, name: &str) -> String {
        text(&named(&self.control.clients(), name), "client_id").to_owned()
    }

    /// The id of the connection of this name.
    pub fn connection_id(&self, name: &str) -> String {
        text(&named(&self.control.connections(), name), "id").to_owned()
    }
}

/// Waits for what comes about by itself; the test fails where it does not. A minute is no figure of the product: a machine
/// that is busy with other things may stand still for seconds, and a test must not hang for ever.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes a call that is to meet its deadline while its request is under way.
///
/// Nothing is shown by a call whose request did not leave in time, or whose component could not speak before the host gave
/// it up: the machine stood still for seconds. Then another attempt is made, with a tenant of its own; three at most.
pub async fn at_its_deadline<T, F>(attempt: impl Fn() -> F) -> (T, Outcome)
where
    F: Future<Output = (T, Outcome)>,
{
    fn was_stopped(result: &Result<Json, Error>) -> bool {
        matches!(result, Err(Error::Timeout { .. }))
    }
    for _ in 0..2 {
        let (tenant, outcome) = attempt().await;
        if !was_stopped(&outcome.result) && outcome.requests.iter().any(|request| request.sent) {
            return (tenant, outcome);
        }
        eprintln!("the machine stood still, so once more: {outcome:?}");
    }
    attempt().await
}

/// Settings with which the host holds the credentials, as in production. Nothing is denied: what actions do and what
/// policies deny are tested apart, and the default has tests of its own.
pub fn settings(emulator: &Emulator) -> Settings {
    Settings::new(emulator.domain().parse().expect("the tenant has a domain"))
        .base_url(emulator.base_url().parse().expect("the tenant has a URL"))
        .credentials(Credentials::client_secret(emulator.client_id(), emulator.client_secret()))
        .policy(Policy::unrestricted())
        .email_base_url(emulator.mail_base_url().parse().expect("the stand-ins have a URL"))
        .email_api_key(ApiKeyProvider::SendGrid, emulator.mail_api_key())
}

/// Runs an action that must answer an error.
pub async fn refused(connection: &Tenant, action: &str, input: Value) -> ActionError {
    match connection.run(action, input.clone()).await {
        Ok(value) => panic!("{action} {input} was done: {value}"),
        Err(Error::Action(error)) => *error,
        Err(error) => panic!("{action} {input}: the host failed: {error} ({error:?})"),
    }
}

/// Reads what an action answered as a tree of values, to look into it.
pub trait Tree {
    /// Returns the tree.
    fn tree(&self) -> Value;
}

impl Tree for Json {
    fn tree(&self) -> Value {
        self.to_value().unwrap_or_else(|error| panic!("{self}: {error}"))
    }
}

/// Everything that a call tells whoever looks at it: its outcome as a log has it, and what the action answered.
pub fn told(outcome: &Outcome) -> String {
    let answer = outcome.result.as_ref().ok();
    format!("{outcome:?} {outcome:#?} {}", answer.map_or("", Json::as_str))
}

/// `METHOD path?query` of each request.
pub fn lines(requests: &[SeenRequest]) -> Vec<String> {
    requests.iter().map(line).collect()
}

/// `METHOD path?query`.
pub fn line(request: &SeenRequest) -> String {
    match &request.query {
        Some(query) => format!("{} {}?{query}", request.method, request.path),
        None => format!("{} {}", request.method, request.path),
    }
}

/// A user id as it must stand in a path.
pub fn encoded(user_id: &str) -> String {
    user_id.replace('|', "%7C")
}

/// A text member.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("`{key}` is a text in {value}"))
}

/// The items of a list's answer.
pub fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap_or_else(|| panic!("{list} is a list"))
}

/// A new user as `create-user` takes it.
pub fn newcomer(email: &str) -> Value {
    json!({"connection": DATABASE, "email": email, "password": PASSWORD})
}

fn named(objects: &[Value], name: &str) -> Value {
    let found = objects.iter().find(|object| object["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is there")).clone()
}
