//! What the host had added to a request, in answers to it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::token::Token;

const TOKEN: &str =
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvd25AY2xpZW50cyJ9.canaryKx7Rv0dQT2mY3xLw5Zq1A9hBu4eXs8cVfKp6tWyG";
const KEY: &str = "SG.canary0dQT2mY3xkLw5Zq.h-B_u4eXs9cVfKp6tWyG8oNiDrMz";
const CLIENT_SECRET: &str = "canary-client-secret-h-B_u4eXs9cVfKp6tWyG8oNiDrMz";

/// A server that answers what it is told, in pieces, each when the one before was surely read.
struct Echoing(SocketAddr);

impl Echoing {
    /// `head` and `pieces` have `@` where the value of the header `authorization` comes.
    async fn start(head: &'static str, pieces: Vec<String>, spell: fn(&str) -> String) -> Self {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut chunk, mut read) = ([0; 4096], String::new());
                while !read.contains("\r\n\r\n") {
                    let count = stream.read(&mut chunk).await.unwrap();
                    read.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
                }
                let line = read.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
                let echo = spell(line.rsplit(' ').next().unwrap());
                let head = format!("HTTP/1.1 {}transfer-encoding: chunked\r\n\r\n", head.replace('@', &echo));
                stream.write_all(head.as_bytes()).await.unwrap();
                for piece in pieces.iter().map(|piece| piece.replace('@', &echo)) {
                    // Each byte a chunk of its own, unless they are too many.
                    for part in piece.as_bytes().chunks(if piece.len() > 10_000 { 10_000 } else { 1 }) {
                        let size = format!("{:x}\r\n", part.len());
                        stream.write_all(&[size.as_bytes(), part, b"\r\n"].concat()).await.unwrap();
                    }
                }
                stream.write_all(b"0\r\n\r\n").await.unwrap();
            }
        });
        Self(address)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0)
    }

    fn egress(&self) -> Egress {
        let mail = Some(self.url("").parse().unwrap());
        let destinations = Destinations::new(self.url("").parse().unwrap(), mail)
            .mail(MailAccess::Key(MailProvider::SendGrid));
        let key = MailKey { provider: MailProvider::SendGrid, key: Secret::new(KEY) };
        unruled(destinations, Keyring::new(Some(fixed(TOKEN)), Some(key)), plain(), Duration::from_secs(5))
    }
}

#[tokio::test]
async fn an_answer_that_repeats_a_credential_is_withheld_in_head_and_body_of_tenants_and_email_providers() {
    let as_it_is: fn(&str) -> String = str::to_owned;
    let spellings: [fn(&str) -> String; 5] = [
        as_it_is,
        |text| STANDARD.encode(format!("authorization: Bearer {text}")),
        |text| text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        |text| text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        |text| text.replace('/', r"\/"),
    ];
    let body = r#"{"headers":{"authorization":"Bearer @"},"name":"x"}"#;
    let mut cases = Vec::new();
    for spell in spellings {
        cases.push(("200 OK\r\n", body, spell));
    }
    cases.push(("400 Bad Request\r\n", body, as_it_is));
    cases.push(("500 Internal Server Error\r\n", "<pre>@</pre>", as_it_is));
    cases.push(("200 OK\r\nx-debug: Bearer @\r\n", "{}", as_it_is));
    cases.push(("302 Found\r\nlocation: https://elsewhere.example/?token=@\r\n", "", as_it_is));
    for (head, body, spell) in cases {
        for (method, path) in [
            (Method::GET, "/api/v2/roles"),
            (Method::GET, "/api/v2/users"),
            (Method::POST, "/api/v2/roles"),
            (Method::POST, "/v3/mail/send"),
        ] {
            let server = Echoing::start(head, vec![body.to_owned()], spell).await;
            let (egress, call) = (server.egress(), CallContext::default());
            let ask = request(method.clone(), &server.url(path), "{}");
            let answer = egress.send_in(ask, RequestOptions::default(), &call).await.unwrap();
            let what = format!("{method} {path} {head} {body}");
            assert_eq!(answer.status().as_str(), &head[..3], "{what}");
            let headers = format!("{:?}", answer.headers());
            let got = answer.into_body().collect().await.unwrap().to_bytes();
            let got = std::str::from_utf8(&got).unwrap();
            assert!(got.starts_with("the answer was withheld: it repeats a credential"), "{what}: {got}");
            assert!(!headers.contains("anary"), "{what}: {headers}");
            assert_eq!(call.facts().withheld, Some(got), "{what}");
            assert_eq!(call.log.records()[0].error.as_deref(), Some(got), "{what}");
        }
    }
}

#[tokio::test]
async fn of_an_answer_that_streams_no_part_of_a_credential_is_handed_on() {
    let padding = "x".repeat(400_000);
    let body = vec![format!(r#"{{"padding":"{padding}"#), r#"","echo":"@"}"#.to_owned()];
    for path in ["/api/v2/roles", "/api/v2/clients"] {
        let server = Echoing::start("200 OK\r\n", body.clone(), str::to_owned).await;
        let (egress, call) = (server.egress(), CallContext::default());
        let ask = request(Method::GET, &server.url(path), "");
        let mut answer = egress.send_in(ask, RequestOptions::default(), &call).await.unwrap().into_body();
        let mut got = Vec::new();
        let error = loop {
            match answer.frame().await.unwrap() {
                Ok(frame) => got.extend_from_slice(frame.data_ref().unwrap()),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("the host failed"), "{error:?}");
        let got = String::from_utf8(got).unwrap();
        assert!(got.len() > 300_000 && !got.contains("anary"), "{}", &got[got.len() - 100..]);
        assert!(call.facts().withheld.unwrap().contains("repeats a credential"));
    }
}

#[tokio::test]
async fn the_secret_that_a_token_was_fetched_with_is_looked_for_too_unless_secrets_are_to_be_shown() {
    let tenant = Server::start(|seen, before| {
        Some(match seen.request.as_str() {
            "POST /oauth/token" => token_or(seen, before, 200),
            _ => (200, json!({"name": CLIENT_SECRET, "client_secret": CLIENT_SECRET})),
        })
    })
    .await;
    let transport = plain();
    let source = fetched(&tenant.url("/oauth/token"), CLIENT_SECRET, &transport);
    let egress = tenant.egress_with(Some(source), transport, false);
    let ask = || request(Method::GET, &tenant.url("/api/v2/clients/abc"), "");
    let (_, got) = send(&egress, ask()).await.unwrap();
    assert!(got.starts_with("the answer was withheld"), "{got}");
    let call = CallContext::new(Instant::now() + Duration::from_secs(5), CallOptions::new().reveal_secrets());
    let answer = egress.send_in(ask(), RequestOptions::default(), &call).await.unwrap();
    let got = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(std::str::from_utf8(&got).unwrap().contains(CLIENT_SECRET));
}

#[tokio::test]
async fn the_own_application_in_a_list_is_masked_and_the_list_is_handed_on() {
    let tenant = Server::start(|seen, before| {
        Some(match seen.request.as_str() {
            "POST /oauth/token" => token_or(seen, before, 200),
            _ => (200, json!([{"client_id": "own", "client_secret": CLIENT_SECRET}])),
        })
    })
    .await;
    let transport = plain();
    let source = fetched(&tenant.url("/oauth/token"), CLIENT_SECRET, &transport);
    let egress = tenant.egress_with(Some(source), transport, false);
    let (_, got) = send(&egress, request(Method::GET, &tenant.url("/api/v2/clients"), "")).await.unwrap();
    assert!(got.contains("/clients/own/client_secret") && !got.contains("canary"), "{got}");
}

#[tokio::test]
async fn the_own_application_is_the_one_of_the_token_that_is_about_to_be_used() {
    let tenant = Server::tenant().await;
    // One that fetches its tokens, and one whose token comes from elsewhere and names it.
    let fetching = tenant.egress(false);
    let given = tenant.egress_with(Some(fixed(TOKEN)), plain(), false);
    for (egress, own) in [(&fetching, "id"), (&given, "own")] {
        for (method, path) in [
            (Method::PATCH, format!("/api/v2/clients/{own}")),
            (Method::POST, format!("/api/v2/clients/{own}/credentials")),
            (Method::DELETE, format!("/api/v2/clients/{own}%3Bx")),
        ] {
            let call = CallContext::default();
            let write = request(method, &tenant.url(&path), "{}");
            let error = egress.send_in(write, RequestOptions::default(), &call).await.unwrap_err();
            assert!(matches!(error, SendError::HttpRequestDenied), "{path}: {error:?}");
            assert!(matches!(call.denial().unwrap().rule(), DeniedBy::OwnApplication(_)), "{path}");
        }
        let other = request(Method::PATCH, &tenant.url("/api/v2/clients/other"), "{}");
        assert_eq!(send(egress, other).await.unwrap().0, 200);
    }
    assert_eq!(tenant.count("PATCH /api/v2/clients/other"), 2);
    assert!(
        tenant
            .seen()
            .iter()
            .all(|seen| !seen.request.contains("/clients/own") && !seen.request.contains("/clients/id"))
    );
    assert_eq!(Token::of_unknown_origin(Secret::new("opaque")).applications(), [""; 0]);
}
