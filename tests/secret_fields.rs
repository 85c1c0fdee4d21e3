//! Secrets of every kind, in answers that the offline tenant does not give: hidden whoever asks, and however.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use auth0_host::{CallOptions, Credentials, ErrorCode, Host, Policy, Settings, Tenant};
use auth0_tests::memory_sink::MemorySink;
use auth0_tests::{OfflineTenant, Tree as _, host, program, text, told};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const DOMAIN: &str = "acme.eu.auth0.com";

/// A tenant that answers what it is told to, by method and path in any of its spellings.
struct Scripted {
    address: SocketAddr,
    secret_sink: MemorySink,
}

impl Scripted {
    async fn start(answers: &[(&str, Value)]) -> Self {
        let answers: HashMap<String, Value> =
            answers.iter().map(|(request, answer)| ((*request).to_owned(), answer.clone())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, answers) = (listener.local_addr().unwrap(), Arc::new(answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&answers)));
            }
        });
        Self { address, secret_sink: MemorySink::default() }
    }

    async fn connect_to(&self, host: &Host) -> Tenant {
        let settings = Settings::new(DOMAIN.parse().unwrap())
            .base_url(format!("http://{}", self.address).parse().unwrap())
            .credentials(Credentials::token("token"))
            .policy(Policy::unrestricted())
            .secret_sink(self.secret_sink.clone());
        host.tenant(settings).await.unwrap()
    }

    async fn connect(&self) -> Tenant {
        self.connect_to(host()).await
    }
}

/// Reads one request as a careless gateway would, decoding twice, and answers it.
async fn answer(mut stream: TcpStream, answers: Arc<HashMap<String, Value>>) {
    let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
    let head = loop {
        match stream.read(&mut chunk).await {
            Ok(count @ 1..) => read.extend_from_slice(&chunk[..count]),
            _ => return,
        }
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break head.to_owned();
        }
    };
    let mut words = head.split([' ', '?']);
    let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
    let path = path
        .replace("%25", "%")
        .replace("%2D", "-")
        .replace("%7C", "|")
        .replace("%2F", "/")
        .replace("//", "/");
    let path = path.trim_start_matches("/api/v2").trim_end_matches('/').to_lowercase();
    let found = answers.get(&format!("{method} {path}"));
    let (status, body) =
        found.map_or((404, json!({"statusCode": 404, "error": path})), |body| (200, body.clone()));
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let _ = stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
}

fn stream() -> Value {
    json!({
        "id": "lst_1", "name": "to SIEM", "type": "datadog", "status": "active",
        "sink": {"datadogRegion": "eu", "datadogApiKey": "canary-datadog"},
    })
}

fn user() -> Value {
    json!({
        "user_id": "auth0|1", "email": "ana@acme.example",
        "identities": [
            {"provider": "auth0", "user_id": "1", "connection": "Users", "isSocial": false},
            {"provider": "github", "user_id": "99", "connection": "github", "isSocial": true,
             "access_token": "canary-access", "refresh_token": "canary-refresh"},
        ],
        "user_metadata": {"refresh_token": "the workflow's own"},
    })
}

fn handle(path: &str) -> String {
    format!("auth0-secret://{DOMAIN}/{path}")
}

#[tokio::test]
async fn a_new_recovery_code_is_in_the_sink_and_the_result_has_its_handle() {
    let tenant = OfflineTenant::start().await;
    let users = tenant.run("list-users", json!({"limit": 1})).await;
    let id = text(&auth0_tests::items(&users)[0], "user_id").to_owned();
    let outcome = tenant.connection.call("users.regenerateRecoveryCode", json!({"id": id})).await;
    let all = tenant.secret_sink.all();
    assert_eq!((all.len(), all[0].len()), (1, 24), "{outcome:?}");
    assert!(!told(&outcome).contains(&all[0]));
    let result = outcome.result.unwrap().tree();
    let handle = text(&result, "recovery_code");
    assert!(handle.contains("/users/auth0%7C") && handle.ends_with("/recovery_code"), "{handle}");
    assert_eq!(tenant.secret_sink.get(handle).as_ref(), Some(&all[0]));
}

#[tokio::test]
async fn without_a_sink_no_recovery_code_is_made() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.run("list-users", json!({"limit": 1})).await;
    let id = text(&auth0_tests::items(&user)[0], "user_id").to_owned();
    let settings = auth0_tests::settings(&tenant.emulator);
    let connection = host().tenant(settings).await.unwrap();
    let error = auth0_tests::refused(&connection, "users.regenerateRecoveryCode", json!({"id": id})).await;
    assert_eq!(error.code, ErrorCode::PolicyDenied, "{error}");
    assert!(error.to_string().contains("secret_sink"), "{error}");
    assert!(tenant.lines().iter().all(|line| !line.starts_with("POST")), "{:?}", tenant.lines());
}

#[tokio::test]
async fn a_scim_token_is_in_the_sink_by_its_own_id() {
    let tenant = Scripted::start(&[(
        "POST /connections/con_1/scim-configuration/tokens",
        json!({"token_id": "tok_1", "token": "canary-scim", "scopes": ["get:users"]}),
    )])
    .await;
    let connection = tenant.connect().await;
    let made =
        connection.run("connections.scimConfiguration.tokens.create", json!({"id": "con_1"})).await.unwrap();
    let name = handle("connections/con_1/scim-configuration/tokens/tok_1/token");
    assert_eq!(made, json!({"token_id": "tok_1", "token": name, "scopes": ["get:users"]}));
    assert_eq!(tenant.secret_sink.get(&name).as_deref(), Some("canary-scim"));
}

#[tokio::test]
async fn what_the_tenant_shows_is_hidden_whichever_action_asks_and_revealed_on_request() {
    let tenant = Scripted::start(&[
        ("GET /log-streams/lst_1", stream()),
        ("GET /log-streams", json!([stream()])),
        ("GET /users/auth0|1", user()),
        ("GET /users", json!({"start": 0, "limit": 50, "length": 1, "total": 1, "users": [user()]})),
    ])
    .await;
    let connection = tenant.connect().await;
    let custom = |path: &str| json!({"method": "GET", "path": path});
    let (sink, identity) = ("log-streams/lst_1/sink", "users/auth0%7C1/identities/github%7C99");
    for (action, input, handles, kept) in [
        ("logStreams.get", json!({"id": "lst_1"}), vec![format!("{sink}/datadogApiKey")], "\"eu\""),
        ("logStreams.list", json!({}), vec![format!("{sink}/datadogApiKey")], "\"eu\""),
        ("custom-request", custom("/api/v2/log-streams"), vec![format!("{sink}/datadogApiKey")], "\"eu\""),
        ("custom-request", custom("/api/v2/log%2Dstreams"), vec![format!("{sink}/datadogApiKey")], "\"eu\""),
        (
            "custom-request",
            custom("/api/v2/LOG-STREAMS/lst_1"),
            vec![format!("{sink}/datadogApiKey")],
            "\"eu\"",
        ),
        (
            "get-user",
            json!({"user_id": "auth0|1"}),
            vec![format!("{identity}/access_token"), format!("{identity}/refresh_token")],
            "the workflow's own",
        ),
        (
            "list-users",
            json!({}),
            vec![format!("{identity}/access_token"), format!("{identity}/refresh_token")],
            "the workflow's own",
        ),
    ] {
        let outcome = connection.call(action, input.clone()).await;
        assert!(!told(&outcome).contains("canary"), "{action} {input}: {outcome:?}");
        let result = outcome.result.unwrap().to_string();
        assert!(result.contains(kept), "{action} {input}: {result}");
        for path in handles {
            assert!(result.contains(&format!("\"{}\"", handle(&path))), "{action} {input}: {result}");
        }
        let options = CallOptions::new().reveal_secrets();
        let revealed = connection.call_with(action, input, options).await.result.unwrap().to_string();
        assert!(revealed.contains("canary") && !revealed.contains("auth0-secret"), "{action}: {revealed}");
    }
    assert_eq!(tenant.secret_sink.all(), [""; 0], "what is only shown goes nowhere");
}

#[tokio::test]
async fn the_policy_for_refresh_tokens_of_an_application_is_no_secret() {
    let policy = json!({"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 3});
    let client =
        json!({"client_id": "abc", "name": "Portal", "client_secret": "canary", "refresh_token": policy});
    let tenant = Scripted::start(&[("GET /clients/abc", client)]).await;
    for (action, input) in
        [("clients.get", json!({"id": "abc"})), ("get-application", json!({"client_id": "abc"}))]
    {
        let shown = tenant.connect().await.run(action, input).await.unwrap().tree();
        assert_eq!(shown["refresh_token"], policy, "{action}: {shown}");
        assert_eq!(shown["client_secret"], handle("clients/abc/client_secret"), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_spells_the_path_its_own_way_gets_no_secret() {
    /// The hostile component, compiled once.
    fn hostile() -> &'static Host {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(|| Host::with_trusted_component_file(program::hostile()).build().unwrap())
    }
    let tenant = Scripted::start(&[
        ("GET /log-streams", json!([stream()])),
        ("GET /users/auth0|1", user()),
        ("POST /users/auth0|1/recovery-code-regeneration", json!({"recovery_code": "canary-code"})),
    ])
    .await;
    let attacker = tenant.connect_to(hostile()).await;
    for (method, path, denied) in [
        ("GET", "/api/v2/log-streams", false),
        ("GET", "/api/v2/log-streams/", true),
        ("GET", "/api/v2//log-streams", true),
        ("GET", "/api/v2/Log-Streams", false),
        ("GET", "/api/v2/log%2Dstreams", false),
        ("GET", "/api/v2/log%252Dstreams", false),
        ("GET", "/api/v2/log-streams?fields=sink", false),
        ("GET", "/api/v2/users/auth0%7C1", false),
        ("GET", "/api/v2/users/auth0%257C1", false),
        ("GET", "/api/v2/users%2Fauth0%7C1", false),
        ("POST", "/api/v2/users/auth0%7C1/recovery-code-regeneration", false),
        ("POST", "/api/v2/users/auth0%7C1/recovery%252Dcode-regeneration", false),
        ("POST", "/api/v2/users/auth0%7C1%2Frecovery-code-regeneration", false),
    ] {
        let request = json!({
            "method": method, "scheme": "http", "authority": tenant.address.to_string(), "path": path,
            "headers": [["accept-encoding", "gzip"], ["range", "bytes=0-9"]],
        });
        let answer = attacker.run("send", request).await.unwrap().tree();
        assert!(!answer.to_string().contains("canary"), "{method} {path}: {answer}");
        // It is refused for its path, or answered with the handle in the place of the secret: no other error will do.
        let got = answer["body"].as_str().is_some_and(|body| body.contains("auth0-secret://"));
        let refused = answer == json!({"error": "ErrorCode::HttpRequestDenied"});
        assert_eq!((got, refused), (!denied, denied), "{method} {path}: {answer}");
    }
    assert_eq!(
        tenant.secret_sink.all(),
        ["canary-code"],
        "a later code takes the place of the one before it"
    );
}
