//! The server over HTTP: for clients of this machine that have the token, and for no web page.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use auth0_tests::{OfflineTenant, encoded};
use serde_json::json;

use super::clients::{Server, calls_over_http};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PERSON: &str = "tom.becker@acme.example";

const INITIALIZE: &str = r#"{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
    "capabilities": {}, "clientInfo": {"name": "auth0-tests", "version": "1"}}}"#;

/// A server that listens, with what it printed until then. Killed with the test.
struct Listening {
    process: Child,
    url: String,
    printed: String,
}

impl Listening {
    fn start(server: &Server) -> Self {
        let mut command = server.process();
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut printed = String::new();
        // Takes no byte of what comes after the line.
        let mut stderr = BufReader::with_capacity(1, process.stderr.take().unwrap());
        let url = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended: {printed}");
            printed += &line;
            if let Some(url) = line.strip_prefix("MCP server: ") {
                break url.trim().to_owned();
            }
        };
        process.stderr = Some(stderr.into_inner());
        Self { process, url, printed }
    }

    fn authority(&self) -> &str {
        self.url.strip_prefix("http://").and_then(|url| url.strip_suffix("/mcp")).unwrap()
    }

    /// Sends a POST to `path` with these headers, and returns the status and the session's id.
    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Option<String>) {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\ncontent-length: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "host") {
            request += &format!("host: {}\r\n", self.authority());
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.authority()).unwrap();
        stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
        // A server that has refused does not read on.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = BufReader::new(stream).lines().map_while(Result::ok);
        let status = answer.next().unwrap();
        let session = answer
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix("mcp-session-id: ").map(str::to_owned));
        (status.split(' ').nth(1).unwrap().parse().unwrap(), session)
    }

    /// Ends it as a service manager does, and returns the exit code with all that it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let code = self.process.wait().unwrap().code();
        let mut printed = std::mem::take(&mut self.printed);
        for stream in [
            self.process.stderr.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read>),
            self.process.stdout.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read>),
        ] {
            stream.into_iter().for_each(|mut stream| drop(stream.read_to_string(&mut printed)));
        }
        (code, printed)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_client_with_the_token_works_as_over_stdio() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let options = ["--write", "--http", "127.0.0.1:0", "--max-result-bytes", "4000"];
    let server = Listening::start(&Server::of(&tenant, &options).env("AUTH0_MCP_TOKEN", TOKEN));
    let calls = json!([
        {"tool": "delete-user", "arguments": {"user_id": user}},
        {"readOn": {"tool": "list-users", "arguments": {"limit": 8}}},
    ]);
    let headers = json!({"Authorization": format!("Bearer {TOKEN}")});
    let session = calls_over_http(&server.url, headers.clone(), Some("accept"), calls.clone()).await;
    session.content(0);
    assert_eq!(session.asked().len(), 1);
    assert!(session.result(1)["pieces"].as_array().unwrap().len() > 1);
    assert_eq!(tenant.lines()[0], format!("DELETE /api/v2/users/{}", encoded(&user)));

    let session = calls_over_http(&server.url, headers, None, calls).await;
    assert_eq!(session.refusal(0).0, "declined", "another session, another client");
    let wrong = json!({"Authorization": format!("Bearer {TOKEN}0")});
    let refused = calls_over_http(&server.url, wrong, None, json!([])).await;
    assert_eq!(refused.0["failed"]["code"], 401, "{refused:?}");

    let (code, printed) = server.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains(TOKEN), "{printed}");
}

#[tokio::test]
async fn who_comes_from_elsewhere_is_refused_before_a_session_begins() {
    let tenant = OfflineTenant::start().await;
    let server = Listening::start(&Server::of(&tenant, &["--http"]).env("AUTH0_MCP_TOKEN", TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    let own = ("authorization", bearer.as_str());
    let large = format!("{{\"padding\": \"{}\"}}", "x".repeat(4_200_000));
    for (path, headers, body, status) in [
        ("/mcp", &[][..], INITIALIZE, 401),
        ("/mcp", &[("authorization", "Bearer wrong")], INITIALIZE, 401),
        ("/mcp", &[("authorization", TOKEN)], INITIALIZE, 401),
        ("/other", &[], INITIALIZE, 401),
        ("/mcp", &[own, ("origin", "https://evil.example")], INITIALIZE, 403),
        ("/mcp", &[own, ("origin", "http://localhost:3000")], INITIALIZE, 403),
        ("/mcp", &[own, ("origin", "null")], INITIALIZE, 403),
        ("/mcp", &[own, ("host", "evil.example")], INITIALIZE, 403),
        ("/mcp", &[own, ("host", "127.0.0.1.evil.example")], INITIALIZE, 403),
        ("/other", &[own], INITIALIZE, 404),
        ("/mcp", &[own, ("mcp-session-id", "made-up")], INITIALIZE, 404),
        ("/mcp", &[own], &large, 413),
        ("/mcp", &[own, ("host", "localhost")], INITIALIZE, 200),
    ] {
        let (answered, session) = server.post(path, headers, body);
        assert_eq!(answered, status, "{path} {headers:?}");
        assert_eq!(session.is_some(), status == 200, "{path} {headers:?}");
    }
    assert!(tenant.control.requests().is_empty());
}

#[tokio::test]
async fn a_session_too_many_takes_the_place_of_the_one_that_was_silent_longest() {
    let tenant = OfflineTenant::start().await;
    let server = Listening::start(&Server::of(&tenant, &["--http"]).env("AUTH0_MCP_TOKEN", TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    let own = ("authorization", bearer.as_str());
    let begin = || server.post("/mcp", &[own], INITIALIZE).1.unwrap();
    let ping = |id: &str| {
        let ping = r#"{"jsonrpc": "2.0", "id": 2, "method": "ping"}"#;
        server.post("/mcp", &[own, ("mcp-session-id", id)], ping).0
    };
    let sessions: Vec<String> = (0..16).map(|_| begin()).collect();
    assert_eq!(ping(&sessions[0]), 200);
    begin();
    // The first one was heard since, so the second has gone.
    let there: Vec<u16> = sessions.iter().map(|id| ping(id)).collect();
    assert_eq!((there[0], there[1]), (200, 404));
    assert!(there[2..].iter().all(|status| *status == 200), "{there:?}");
}

/// Guards against any process of the machine that connects and says nothing: it took the places of those who have the token.
#[tokio::test]
async fn connections_without_a_token_do_not_use_up_the_agents_places() {
    let tenant = OfflineTenant::start().await;
    let server = Listening::start(&Server::of(&tenant, &["--http"]).env("AUTH0_MCP_TOKEN", TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    let mut silent: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(server.authority()).unwrap()).collect();
    for _ in 0..20 {
        assert_eq!(server.post("/mcp", &[("authorization", &bearer)], INITIALIZE).0, 200);
    }
    // The oldest of them had to go, and the newest is there.
    assert_eq!(silent[0].read(&mut [0]).unwrap_or(0), 0);
    let newest = silent.last_mut().unwrap();
    newest.write_all(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    newest.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_token_is_made_and_printed_once_where_none_is_given() {
    let tenant = OfflineTenant::start().await;
    let server = Listening::start(&Server::of(&tenant, &["--http"]));
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    assert_eq!(server.post("/mcp", &[], INITIALIZE).0, 401);
    let (code, printed) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(printed.matches("Authorization: Bearer ").count(), 1, "{printed}");
}
