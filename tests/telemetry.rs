//! Spans, metrics and what they must not hold: on stderr for `RUST_LOG`, at a collector for `OTEL_*`.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use auth0_emulator::{Fault, FaultKind};
use auth0_tests::program::{Said, auth0_host, run};
use auth0_tests::{OfflineTenant, eventually};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric;
use prost::Message as _;
use serde_json::{Value, json};

/// Path and body of a request.
type Post = (String, Vec<u8>);

/// A collector that keeps what it was sent.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Post>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<_>>>::default();
        let kept = Arc::clone(&bodies);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream.unwrap());
                    while let Some((path, body)) = request(&mut stream) {
                        kept.lock().unwrap().push((path, body));
                        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                    }
                });
            }
        });
        Self { url, bodies }
    }

    fn sent_to(&self, path: &str) -> Vec<Vec<u8>> {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().filter(|(found, _)| found == path).map(|(_, body)| body.clone()).collect()
    }

    /// The spans by name, with their attributes, and the service's name.
    fn spans(&self) -> (BTreeMap<String, Attributes>, Vec<String>) {
        let (mut spans, mut services) = (BTreeMap::new(), Vec::new());
        for body in self.sent_to("/v1/traces") {
            for resource in ExportTraceServiceRequest::decode(&*body).unwrap().resource_spans {
                let of_resource = attributes(&resource.resource.unwrap_or_default().attributes);
                services.extend(of_resource.get("service.name").cloned());
                for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    spans.insert(span.name, attributes(&span.attributes));
                }
            }
        }
        (spans, services)
    }

    fn has_spans(&self, names: &[&str]) -> bool {
        let (spans, _) = self.spans();
        names.iter().all(|name| spans.contains_key(*name))
    }

    /// The metrics by name: unit, and the attributes of each data point.
    fn metrics(&self) -> BTreeMap<String, (String, Vec<Attributes>)> {
        let mut metrics = BTreeMap::new();
        for body in self.sent_to("/v1/metrics") {
            let resources = ExportMetricsServiceRequest::decode(&*body).unwrap().resource_metrics;
            let scopes = resources.into_iter().flat_map(|resource| resource.scope_metrics);
            for metric in scopes.flat_map(|scope| scope.metrics) {
                let points = match metric.data.unwrap() {
                    metric::Data::Sum(sum) => {
                        sum.data_points.iter().map(|p| attributes(&p.attributes)).collect()
                    }
                    metric::Data::Histogram(histogram) => {
                        histogram.data_points.iter().map(|p| attributes(&p.attributes)).collect()
                    }
                    other => panic!("{}: {other:?}", metric.name),
                };
                metrics.insert(metric.name, (metric.unit, points));
            }
        }
        metrics
    }
}

/// Reads one request with a `Content-Length`; `None` at the end of the connection.
fn request(stream: &mut impl std::io::BufRead) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((path, body))
}

type Attributes = BTreeMap<String, String>;

fn attributes(list: &[KeyValue]) -> Attributes {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    list.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

fn on(tenant: &OfflineTenant, arguments: &[&str]) -> Command {
    let mut command = auth0_host();
    let emulator = &tenant.emulator;
    command.args(arguments).env("AUTH0_DOMAIN", emulator.domain()).env("AUTH0_BASE_URL", emulator.base_url());
    command.env("AUTH0_CLIENT_ID", emulator.client_id()).env("AUTH0_CLIENT_SECRET", emulator.client_secret());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

async fn say(mut command: Command) -> Said {
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

/// What came of an attempt, and what its collector was sent.
///
/// A command gives a collector three seconds at its end. On a machine that stands still for as long nothing arrives, or a
/// part; then another attempt is made, with a collector of its own: three at most.
async fn collected<T>(
    all_there: impl Fn(&Collector) -> bool,
    attempt: impl AsyncFn(&Collector) -> T,
) -> (T, Collector) {
    for _ in 0..2 {
        let collector = Collector::start();
        let outcome = attempt(&collector).await;
        if all_there(&collector) {
            return (outcome, collector);
        }
        eprintln!("not all arrived, so once more");
    }
    let collector = Collector::start();
    (attempt(&collector).await, collector)
}

#[tokio::test]
async fn a_collector_gets_spans_and_metrics_of_a_run_and_neither_secrets_nor_persons() {
    let tenant = OfflineTenant::start().await;
    let (said, collector) = collected(
        |sent| sent.has_spans(&["list-users"]) && !sent.metrics().is_empty(),
        async |collector| {
            let mut command = on(&tenant, &["run", "list-users", "q=email:mira.olsen@acme.example"]);
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url).env("OTEL_SERVICE_NAME", "joiners");
            say(command).await
        },
    )
    .await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}");

    let (spans, services) = collector.spans();
    assert_eq!(services, ["joiners"]);
    let call = &spans["list-users"];
    assert_eq!((call["auth0.action"].as_str(), call["auth0.outcome"].as_str()), ("list-users", "done"));
    let request = &spans["GET /api/v2/users"];
    for (name, expected) in [
        ("http.request.method", "GET"),
        ("url.template", "/api/v2/users"),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(request[name], expected, "{name}");
    }

    let metrics = collector.metrics();
    for (name, unit, attribute, value) in [
        ("auth0.calls", "{call}", "auth0.outcome", "done"),
        ("auth0.call.duration", "s", "auth0.action", "list-users"),
        ("http.client.request.duration", "s", "http.response.status_code", "200"),
        ("auth0.token.fetches", "{fetch}", "auth0.token.result", "fetched"),
    ] {
        let (found, points) =
            metrics.get(name).unwrap_or_else(|| panic!("{name} is among {:?}", metrics.keys()));
        assert_eq!(found, unit, "{name}");
        assert!(
            points.iter().any(|point| point.get(attribute).is_some_and(|v| v == value)),
            "{name}: {points:?}"
        );
    }
    assert!(metrics.contains_key("auth0.instances") && metrics.contains_key("auth0.connections.opened"));

    for (path, body) in collector.bodies.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(body);
        for unwanted in ["mira", "acme.example", "eyJ", "Bearer", tenant.emulator.client_secret()] {
            assert!(!text.contains(unwanted), "{path}: {unwanted}");
        }
    }
    let traced = tenant.control.requests().iter().any(|request| request.header("traceparent").is_some());
    assert!(!traced, "Auth0 gets no trace context");
}

#[tokio::test]
async fn an_error_is_on_the_spans_of_call_and_request() {
    let tenant = OfflineTenant::start().await;
    let (said, collector) = collected(
        |sent| sent.has_spans(&["get-user"]),
        async |collector| {
            let mut command = on(&tenant, &["run", "get-user", "user_id=samlp|acme|jane@acme.example"]);
            command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{}/v1/traces", collector.url));
            say(command).await
        },
    )
    .await;
    assert_eq!(said.code, Some(1), "{said:#?}");
    let (spans, services) = collector.spans();
    assert_eq!(
        (spans["get-user"]["error.type"].as_str(), services),
        ("not-found", vec!["auth0-host".to_owned()])
    );
    assert_eq!(spans["GET /api/v2/users/{id}"]["error.type"], "404");
    assert!(collector.metrics().is_empty(), "traces alone were asked for");
}

#[tokio::test]
async fn a_collector_that_is_not_there_changes_neither_result_nor_exit_code() {
    let tenant = OfflineTenant::start().await;
    let mut command = on(&tenant, &["run", "list-roles", "limit=1"]);
    let said = say({
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
        command
    })
    .await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}");
    assert!(said.json()["items"].is_array());
}

#[tokio::test]
async fn a_collector_that_never_answers_does_not_keep_a_command_from_ending() {
    let tenant = OfflineTenant::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (accepted, held) = std::sync::mpsc::channel();
    thread::spawn(move || listener.incoming().try_for_each(|stream| accepted.send(stream)));
    let mut command = on(&tenant, &["run", "list-roles", "limit=1"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
    // Twenty times what the command waits.
    let said = tokio::time::timeout(Duration::from_secs(60), say(command)).await.unwrap();
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.json()["items"].is_array());
    assert!(held.recv_timeout(Duration::from_secs(30)).is_ok(), "the collector was asked");
}

#[cfg(unix)]
#[tokio::test]
async fn a_run_that_is_interrupted_has_its_spans_and_its_audit_record() {
    let tenant = OfflineTenant::start().await;
    tenant.control.inject(Fault::new(FaultKind::Delay { ms: 60_000 }).on("GET", "/api/v2/roles"));
    let audit = std::env::temp_dir().join(format!("auth0-telemetry-{}.ndjson", std::process::id()));
    let (said, collector) = collected(
        |sent| sent.has_spans(&["list-roles", "GET /api/v2/roles"]),
        async |collector| {
            tenant.control.reset_counters();
            let _ = std::fs::remove_file(&audit);
            let mut command = on(&tenant, &["run", "list-roles", "--audit", audit.to_str().unwrap()]);
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            // Recorded when it is read, before the delay.
            eventually("the request arrives", || !tenant.seen().is_empty()).await;
            assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
            Said::from(tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap())
        },
    )
    .await;
    assert_eq!(said.code, Some(130), "{said:#?}");
    let (spans, _) = collector.spans();
    let call = spans.get("list-roles").unwrap_or_else(|| panic!("the call is among {:?}", spans.keys()));
    assert_eq!((call["auth0.outcome"].as_str(), call["error.type"].as_str()), ("stopped", "closed"));
    assert_eq!(spans["GET /api/v2/roles"]["error.type"], "broken-off");
    let record: Value = serde_json::from_str(&std::fs::read_to_string(&audit).unwrap()).unwrap();
    std::fs::remove_file(&audit).unwrap();
    assert_eq!((&record["stopped"], &record["call"]), (&json!("closed"), &json!(call["auth0.call.id"])));
}

#[tokio::test]
async fn a_host_that_a_component_made_up_is_not_traced() {
    let tenant = OfflineTenant::start().await;
    let hostile = auth0_tests::program::hostile();
    let url = json!({"scheme": "https", "authority": "mira-olsen-acme.example:1985", "path": "/mira"});
    let (_, collector) = collected(
        |sent| sent.has_spans(&["GET /{id}"]),
        async |collector| {
            let mut command = on(&tenant, &["run", "send", "--input", &url.to_string(), "--component"]);
            command.arg(&hostile).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
            say(command).await
        },
    )
    .await;
    let (spans, _) = collector.spans();
    let request = &spans["GET /{id}"];
    assert_eq!((request["server.address"].as_str(), request["error.type"].as_str()), ("*", "policy-denied"));
    for (path, body) in collector.bodies.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(body);
        assert!(!text.contains("mira") && !text.contains("1985"), "{path}: {text}");
    }
}

#[tokio::test]
async fn spans_are_printed_where_rust_log_asks_for_them_and_hold_no_secrets_and_no_persons() {
    let tenant = OfflineTenant::start().await;
    let search = ["run", "list-users", "q=email:mira.olsen@acme.example"];
    let mut command = on(&tenant, &search);
    let said = say({
        command.env("RUST_LOG", "trace");
        command
    })
    .await;
    assert_eq!(said.code, Some(0), "{said:#?}");
    for wanted in
        ["auth0.action=\"list-users\"", "url.template=/api/v2/users", "token fetch", "connection opened"]
    {
        assert!(said.err.contains(wanted), "{wanted}: {}", said.err);
    }
    for unwanted in ["mira", "acme.example", "eyJ", "Bearer", tenant.emulator.client_secret(), "\u{1b}"] {
        assert!(!said.err.contains(unwanted), "{unwanted}: {}", said.err);
    }
    assert_eq!(say(on(&tenant, &search)).await.err, "", "nothing is printed by default");
}
