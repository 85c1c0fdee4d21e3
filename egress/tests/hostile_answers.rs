//! What a hostile answer costs the host, and the other calls: in a process of its own, since memory is the process's.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that failed")]

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use auth0_egress::{
    Egress, HttpBody, RequestOptions,
    call::{CallContext, CallOptions},
    credentials::Credentials,
    governor::RatePlan,
    limits::RequestLimits,
    settings::EgressSettings,
};
use auth0_policy::policy::Policy;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What masking may add to the process: windows of eight answers, what a transport buffers, and room for a test's own.
const MOST_MEMORY: usize = 48 << 20;

/// Secrets below a hundred members with long names: 387 KB whose handles would be 13 MB.
fn nested_metadata() -> String {
    let name = "n".repeat(200);
    let secrets = vec![r#""client_secret":"x""#; 18_000].join(",");
    let (open, close) = (format!("{{\"{name}\":").repeat(100), "}".repeat(100));
    format!(r#"{{"client_id":"abc","client_metadata":{open}{{{secrets}}}{close}}}"#)
}

/// Answers by path: of `/api/v2/clients/nested` that, of `/api/v2/roles/small` a few bytes, and of all others 8 MB of
/// applications with a secret each.
async fn tenant() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let nested: Arc<str> = nested_metadata().into();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let nested = Arc::clone(&nested);
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                    let line = String::from_utf8_lossy(&chunk[..count]).into_owned();
                    let head = |length: usize| {
                        format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
                        )
                    };
                    if line.contains("/nested") {
                        let _ = stream.write_all(head(nested.len()).as_bytes()).await;
                        let _ = stream.write_all(nested.as_bytes()).await;
                    } else if line.contains("/small") {
                        let _ = stream.write_all(format!("{}{{}}", head(2)).as_bytes()).await;
                    } else {
                        let row = format!(
                            r#"{{"client_secret":"canary","name":"{}","client_id":"abc"}},"#,
                            "x".repeat(2000)
                        );
                        let (rows, last) = (4000, r#"{"client_id":"last"}]"#);
                        let _ = stream.write_all(head(1 + rows * row.len() + last.len()).as_bytes()).await;
                        let _ = stream.write_all(b"[").await;
                        for _ in 0..rows {
                            if stream.write_all(row.as_bytes()).await.is_err() {
                                return;
                            }
                        }
                        let _ = stream.write_all(last.as_bytes()).await;
                    }
                }
            });
        }
    });
    address
}

fn egress(address: SocketAddr) -> Egress {
    Egress::open(EgressSettings {
        domain: "acme.eu.auth0.com".parse().unwrap(),
        tenant: format!("http://{address}").parse().unwrap(),
        credentials: Credentials::token("a-token-that-is-not-echoed-0123456789"),
        audience: "aud".to_owned(),
        application: None,
        email_credentials: None,
        email_base_url: None,
        ca_pem: None,
        roots: RootCertStore::empty(),
        policy: Policy::default(),
        limits: RequestLimits::default(),
        header_bytes: 32 * 1024,
        secret_sink: None,
        rate_plan: RatePlan::Enterprise,
        rate_headroom: 0,
        deadline: Duration::from_secs(60),
    })
    .unwrap()
}

async fn get(egress: &Egress, address: SocketAddr, path: &str) -> HttpBody {
    let call = CallContext::new(Instant::now() + Duration::from_secs(60), CallOptions::new());
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    let request = Request::get(format!("http://{address}{path}")).body(body).unwrap();
    let permit = call.in_flight_permit();
    let answer = egress.send(request, RequestOptions::default(), &call, permit).await;
    answer.unwrap().into_body()
}

/// Bytes of this process in memory: now, and at most since the peak was reset.
fn resident(what: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() << 10
}

#[test]
fn hostile_answers_take_little_of_the_host_s_memory_and_other_calls_go_on_meanwhile() {
    // On one thread, so that whoever does not yield holds everybody up.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = tenant().await;
        let egress = Arc::new(egress(address));
        get(&egress, address, "/api/v2/roles/small").await.collect().await.unwrap();
        let _ = fs::write("/proc/self/clear_refs", "5");
        let before = resident("VmRSS");
        let grown = || resident("VmHWM").saturating_sub(before);

        for _ in 0..4 {
            let nested = get(&egress, address, "/api/v2/clients/nested").await;
            match nested.collect().await {
                Ok(answer) => assert!(answer.to_bytes().starts_with(b"the answer was withheld")),
                Err(error) => assert!(error.to_string().contains("failed"), "{error:?}"),
            }
        }
        assert!(grown() < MOST_MEMORY, "nested secrets took {} KB", grown() >> 10);

        // Eight answers that nobody reads.
        let mut unread = Vec::new();
        for _ in 0..8 {
            unread.push(get(&egress, address, "/api/v2/clients").await);
        }
        // And, while they are there, one that is read: small calls come and go before it ends.
        let ended = Arc::new(Mutex::new(Vec::new()));
        let mut long = get(&egress, address, "/api/v2/clients").await;
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..4 {
            let (egress, ended) = (Arc::clone(&egress), Arc::clone(&ended));
            calls.spawn(async move {
                get(&egress, address, "/api/v2/roles/small").await.collect().await.unwrap();
                ended.lock().unwrap().push(format!("small {number}"));
            });
        }
        let mut length = 0;
        while let Some(frame) = long.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(!data.windows(6).any(|window| window == b"canary"));
            length += data.len();
        }
        ended.lock().unwrap().push("long".to_owned());
        calls.join_all().await;
        assert!(length > 8_000_000, "{length}");
        let ended = ended.lock().unwrap();
        assert_eq!(ended.last().map(String::as_str), Some("long"), "{ended:?}");
        assert!(grown() < MOST_MEMORY, "unread answers took {} KB", grown() >> 10);
        drop(unread);
    });
}
