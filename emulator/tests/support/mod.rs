//! A small client: enough HTTP to look at a tenant from outside.

#![allow(dead_code, reason = "each test file uses its own part of the client")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that fails")]

use auth0_emulator::{Control, Emulator, Plan, Seed};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.json["errorCode"].as_str().unwrap_or_default()
    }
}

/// A running tenant with a client that holds a token.
pub(crate) struct Bench {
    pub(crate) tenant: Emulator,
    pub(crate) control: Control,
    pub(crate) client: Client<HttpConnector, Full<Bytes>>,
    pub(crate) token: String,
}

pub(crate) async fn demo() -> Bench {
    bench(Seed::demo(), Plan::Unlimited).await
}

pub(crate) async fn bench(seed: Seed, plan: Plan) -> Bench {
    let tenant = Emulator::builder().seed(seed).plan(plan).start().await.unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut bench = Bench { control: tenant.control(), tenant, client, token: String::new() };
    bench.token = bench.fresh_token().await;
    bench.control.reset_counters();
    bench
}

impl Bench {
    pub(crate) async fn fresh_token(&self) -> String {
        let body = json!({
            "grant_type": "client_credentials", "client_id": self.tenant.client_id(),
            "client_secret": self.tenant.client_secret(), "audience": self.tenant.audience(),
        });
        let answer = self.raw(Method::POST, "/oauth/token", &[], Some(body)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Answer, String> {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.tenant.base_url())
        };
        let mut request = Request::builder().method(method).uri(url);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(request.body(Full::from(bytes)).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.client.request(request).await.map_err(|error| format!("{error:?}"))?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status: parts.status, headers: parts.headers, text, json })
    }

    /// A Management API call with the bench's token.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.try_api(method, path, body).await.unwrap()
    }

    pub(crate) async fn try_api(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, String> {
        let bearer = format!("Bearer {}", self.token);
        let method = method.parse().unwrap();
        self.raw(method, &format!("/api/v2{path}"), &[("authorization", &bearer)], body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.api("GET", path, None).await
    }

    pub(crate) fn id(&self, email: &str) -> String {
        self.control.user_by_email(email).unwrap()["user_id"].as_str().unwrap().to_owned()
    }

    /// A user's path, its id percent-encoded.
    pub(crate) fn user(&self, email: &str) -> String {
        format!("/users/{}", self.id(email).replace('|', "%7C"))
    }

    pub(crate) fn client_named(&self, name: &str) -> String {
        let clients = self.control.clients();
        clients.iter().find(|client| client["name"] == name).unwrap()["client_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn role_id(&self, name: &str) -> String {
        let roles = self.control.roles();
        roles.iter().find(|role| role["name"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    }
}
