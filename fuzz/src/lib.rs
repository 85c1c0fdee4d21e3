//! What the fuzz targets share: a tenant that answers what it is given, and what must hold of every request.

use std::collections::VecDeque;

use auth0_connector::catalog;
use auth0_connector::client::{Client, SendError, Transport, WireRequest};
use auth0_connector::core::error::Error;
use auth0_connector::core::response::Response;
use auth0_connector::settings::Settings;
use auth0_connector::token::TokenCache;
use serde_json::Value;

const TENANT: &str = "acme.eu.auth0.com";

/// A tenant whose answers are given, and which looks at each request.
#[derive(Default)]
pub struct Tenant {
    answers: VecDeque<Response>,
    clock_ms: u64,
    /// `METHOD path?query` of each request.
    pub seen: Vec<String>,
}

impl Tenant {
    /// Makes a tenant that gives these answers, and then empty ones.
    pub fn answering(answers: impl IntoIterator<Item = Response>) -> Self {
        Self { answers: answers.into_iter().collect(), ..Self::default() }
    }

    /// Runs an action.
    pub fn run(&mut self, id: &str, input: &str) -> Result<Value, Error> {
        let settings = Settings::read([("AUTH0_DOMAIN", TENANT), ("AUTH0_MAX_RETRIES", "0")])
            .expect("the settings are right");
        let mut tokens = TokenCache::new();
        let action = catalog::find(id)?;
        catalog::run(&mut Client::new(self, &settings, &mut tokens), &action, input)
    }
}

impl Transport for Tenant {
    fn send(&mut self, request: &WireRequest<'_>, _: u64) -> Result<Response, SendError> {
        // Emails go to their provider, by the paths that it has.
        if request.origin.authority == TENANT {
            check(&request.path_and_query);
        }
        for (name, value) in &request.headers {
            assert!(
                name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()),
                "{name:?}"
            );
            assert!(!value.bytes().any(|byte| byte < 0x20 && byte != b'\t'), "{name}: {value:?}");
            assert!(!["host", "cookie"].contains(&name.as_str()), "{name}");
        }
        self.seen.push(format!("{} {}", request.method.as_str(), request.path_and_query));
        self.clock_ms += 10;
        Ok(self.answers.pop_front().unwrap_or(Response { status: 200, ..Response::default() }))
    }

    fn monotonic_ms(&mut self) -> u64 {
        self.clock_ms
    }

    fn unix_ms(&mut self) -> i64 {
        1_740_823_200_000
    }

    fn sleep_ms(&mut self, ms: u64) {
        self.clock_ms += ms;
    }

    fn random(&mut self) -> u64 {
        0
    }
}

/// Asserts that a request line stays within the Management API, however often someone decodes it.
pub fn check(path_and_query: &str) {
    assert!(path_and_query.bytes().all(|byte| byte.is_ascii_graphic()), "{path_and_query:?}");
    let (path, _) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    // The token, and the one that asks for an email, are the Authentication API's.
    let elsewhere = ["/oauth/token", "/dbconnections/change_password"].contains(&path);
    assert!(path.starts_with("/api/v2/") || elsewhere, "{path}");
    let mut text = path.to_owned();
    for _ in 0..4 {
        let walks = text.split(['/', '\\']).any(|part| matches!(part.split(';').next(), Some("." | "..")));
        assert!(!walks, "{path}");
        text = decoded(&text);
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
