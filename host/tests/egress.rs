//! What the built component makes of a way out that is blocked: the guest's own clock against the host's.
#![cfg(feature = "embedded-component")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics is a test that failed"
)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use auth0_host::{Credentials, Error, ErrorCode, Host, Outcome, Settings};
use serde_json::json;
use tokio::{io::AsyncReadExt as _, net::TcpListener};

/// Compiled once for all tests of this file.
fn host() -> Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::new().unwrap()).clone()
}

/// A server that takes connections and reads, and never says a word.
struct Silent {
    address: SocketAddr,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Silent {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let read = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&read);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
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

    /// Creates a role in a tenant that is reached here.
    async fn create_role(&self, scheme: &str, credentials: Credentials) -> Outcome {
        let settings = Settings::new("acme.eu.auth0.com".parse().unwrap())
            .base_url(format!("{scheme}://{}", self.address).parse().unwrap())
            .credentials(credentials)
            .deadline(DEADLINE);
        host().tenant(settings).await.unwrap().call("create-role", json!({"name": "auditor"})).await
    }
}

/// A twentieth of it, by which the host speaks before the guest's own clock, is many times what a busy machine is late by.
const DEADLINE: Duration = Duration::from_secs(6);
/// By when a call has ended that was not sent: the host ends the wait at 95 % of the time.
const NOT_SENT: Duration = DEADLINE;
/// By when any call has ended: the host gives a component two seconds more.
const ANY: Duration = Duration::from_secs(7);

/// Creates a role in a tenant that never says a word. A call that ended later than `by` shows nothing: the machine stood
/// still when the clocks ran out. Then another one is made; three at most.
async fn create_role(scheme: &str, credentials: fn() -> Credentials, by: Duration) -> (Silent, Outcome) {
    let attempt = async || {
        let server = Silent::start().await;
        let outcome = server.create_role(scheme, credentials()).await;
        (server, outcome)
    };
    for _ in 0..2 {
        let (server, outcome) = attempt().await;
        if outcome.elapsed < by {
            return (server, outcome);
        }
        eprintln!("{:?} instead of {by:?}, so once more", outcome.elapsed);
    }
    attempt().await
}

fn kind(outcome: &Outcome) -> ErrorCode {
    match &outcome.result {
        Err(Error::Action(error)) => error.code.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_waited_for_a_silent_token_endpoint_is_unreachable_not_unknown() {
    let (server, outcome) =
        create_role("http", || Credentials::client_secret("id", "secret"), NOT_SENT).await;
    assert_eq!(kind(&outcome), ErrorCode::Unreachable, "{:?}", outcome.result);
    assert!(server.saw("POST /oauth/token") && !server.saw("/api/v2/roles"));
    assert!(!outcome.requests.is_empty());
    assert!(outcome.requests.iter().all(|request| !request.sent), "{:?}", outcome.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_handshake_is_never_answered_is_unreachable_not_unknown() {
    let (server, outcome) = create_role("https", || Credentials::token("canary"), NOT_SENT).await;
    assert_eq!(kind(&outcome), ErrorCode::Unreachable, "{:?}", outcome.result);
    assert_eq!(server.read.lock().unwrap().first(), Some(&0x16), "a TLS handshake came");
    assert!(!server.saw("canary"));
    assert!(!outcome.requests.is_empty());
    assert!(outcome.requests.iter().all(|request| !request.sent), "{:?}", outcome.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_was_sent_and_never_answered_is_unknown_and_sent_once() {
    let (server, outcome) = create_role("http", || Credentials::token("token"), ANY).await;
    assert_eq!(kind(&outcome), ErrorCode::OutcomeUnknown, "{:?}", outcome.result);
    let seen = String::from_utf8_lossy(&server.read.lock().unwrap()).matches("POST /api/v2/roles").count();
    assert_eq!(seen, 1);
    let told: Vec<_> =
        outcome.requests.iter().map(|request| (request.sent, request.bytes_sent > 0)).collect();
    assert_eq!(told, [(true, true)]);
}
