//! A hostile component costs one call and nothing else. The guest that attacks is `tests/guests`.

use std::fs;
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auth0_emulator::{Emulator, Fault, FaultKind, Seed};
use auth0_host::{
    AuditFile, AuditSink, BusyScope, CallOptions, Error, ErrorCode, Host, HostBuilder, InstancePolicy, Limit,
    Limits, Settings, Tenant,
};
use auth0_tests::{Tree as _, eventually, program, settings};
use serde_json::{Value, json};

/// The rooms of the shared host. Tests that count instances have hosts of their own.
fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| builder().build().expect("the hostile component runs on this machine"))
}

fn builder() -> HostBuilder {
    Host::with_trusted_component_file(program::hostile())
}

/// Processor time for what is to run into another limit, on a slow machine too.
const AMPLE_CPU: Duration = Duration::from_secs(20);

/// Limits that an attack runs into soon.
fn tight() -> Limits {
    Limits::new()
        .cpu(Duration::from_millis(200))
        .memory_bytes(16 << 20)
        .handles(64)
        .requests(20)
        .request_body_bytes(100_000)
        .response_body_bytes(200_000)
        .hostcall_bytes(1 << 20)
}

/// A tenant, and an attacker who is connected to it.
struct Arena {
    emulator: Emulator,
    attacker: Tenant,
}

impl Arena {
    async fn new() -> Self {
        Self::tuned(|settings| settings.limits(tight())).await
    }

    async fn tuned(tune: impl FnOnce(Settings) -> Settings) -> Self {
        Self::on(host(), tune).await
    }

    async fn on(host: &Host, tune: impl FnOnce(Settings) -> Settings) -> Self {
        let emulator = Emulator::builder().seed(Seed::demo()).start().await.expect("a tenant starts");
        let attacker = host.tenant(tune(settings(&emulator))).await.expect("the settings go together");
        Self { emulator, attacker }
    }

    fn authority(&self) -> &str {
        self.emulator.base_url().split_once("://").expect("a URL has a scheme").1
    }

    /// A request to the tenant, as the guest takes it.
    fn request(&self, more: Value) -> Value {
        let mut request = json!({"scheme": "http", "authority": self.authority(), "path": "/api/v2/users"});
        for (name, value) in more.as_object().expect("an object") {
            request[name] = value.clone();
        }
        request
    }

    /// Requests to the Management API that the tenant saw.
    fn seen(&self) -> usize {
        let seen = self.emulator.control().requests();
        seen.iter().filter(|request| request.path.starts_with("/api/v2/")).count()
    }

    /// What a call that must end in an error ended in.
    async fn attack(&self, attack: &str, input: Value) -> Error {
        match self.attacker.run(attack, input).await {
            Ok(value) => panic!("`{attack}` was let through: {value}"),
            Err(error) => error,
        }
    }
}

fn limit(error: &Error) -> Option<Limit> {
    match error {
        Error::Limit { limit } => Some(*limit),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attack_ends_its_own_call_with_its_own_error() {
    let brief = Arena::new().await;
    for attack in ["spin", "spin-in-host", "poll-for-ever"] {
        let error = brief.attack(attack, json!({})).await;
        assert_eq!(limit(&error), Some(Limit::Cpu), "{attack}: {error:?}");
    }
    let arena = Arena::tuned(|settings| settings.limits(tight().cpu(AMPLE_CPU))).await;
    for (attack, expected) in [
        ("allocate", Limit::Memory),
        ("recurse", Limit::Stack),
        ("hold-handles", Limit::Handles),
        ("begin-bodies", Limit::Handles),
    ] {
        let error = arena.attack(attack, json!({})).await;
        assert_eq!(limit(&error), Some(expected), "{attack}: {error:?}");
    }
    for (attack, input, said) in [
        ("panic", json!({}), "unreachable"),
        ("recurse-in-memory", json!({}), "out of bounds"),
        ("long-result", json!({"bytes": 1_048_577}), "fuel"),
        ("random", json!({"bytes": 1_000_000_000_u64}), "exceeds limit"),
    ] {
        let error = arena.attack(attack, input).await;
        let Error::Trap(cause) = &error else { panic!("{attack}: {error:?}") };
        assert!(format!("{cause:?}").contains(said), "{attack}: {cause:?}");
    }
    let error = arena.attack("lie", json!({})).await;
    assert!(matches!(error, Error::Contract { .. }), "{error:?}");
    // And the connections serve on.
    for arena in [brief, arena] {
        let answer = arena
            .attacker
            .run("send", arena.request(json!({})))
            .await
            .expect("an honest call is served")
            .tree();
        assert_eq!(answer["status"], 200, "{answer}");
    }
}

/// Guards against one guest that holds a thread: with as many of them as there are threads nobody else would run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_while_more_guests_than_threads_compute_without_end() {
    let own = builder().build().expect("the component runs");
    let arena = Arena::on(&own, |settings| {
        settings.limits(tight().cpu(Duration::from_secs(600))).deadline(Duration::from_secs(600))
    })
    .await;
    let spinning: Vec<_> = (0..4)
        .map(|_| {
            let attacker = arena.attacker.clone();
            tokio::spawn(async move { attacker.run("spin", json!({})).await })
        })
        .collect();
    eventually("they spin", || own.stats().instances >= 4).await;
    for _ in 0..20 {
        let answer = arena.attacker.run("send", arena.request(json!({}))).await.expect("it is served").tree();
        assert_eq!(answer["status"], 200, "{answer}");
    }
    assert!(spinning.iter().all(|task| !task.is_finished()), "they were there all the while");
    // Only a task that gives its thread back can be stopped from outside.
    for task in spinning {
        task.abort();
        assert!(task.await.expect_err("it was stopped").is_cancelled());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_at_its_deadline_whatever_its_guest_waits_for() {
    let arena = Arena::tuned(|settings| settings.limits(tight()).deadline(Duration::from_millis(300))).await;
    let error = arena.attack("wait", json!({})).await;
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    // Reads an answer that comes in drops.
    let drops = Fault::new(FaultKind::SlowBody { ms_per_chunk: 60_000 }).at("/api/v2/users");
    arena.emulator.control().inject(drops);
    let outcome = arena.attacker.call("send", arena.request(json!({}))).await;
    match &outcome.result {
        Err(Error::Timeout { .. }) => {}
        Ok(answer) => assert!(answer.tree()["error"].is_string(), "{answer}"),
        Err(error) => panic!("{error:?}"),
    }
    assert!(outcome.requests.iter().all(|request| request.bytes_received < 10_000), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_ends_at_the_limit_and_the_log_does_not_grow_with_it() {
    let arena = Arena::tuned(|settings| settings.limits(tight().cpu(AMPLE_CPU))).await;
    let outcome = arena.attacker.call("flood", arena.request(json!({"count": 500}))).await;
    let answer = outcome.result.expect("refusals are the guest's to see").tree();
    assert_eq!(answer["refused"], 480, "{answer}");
    assert_eq!((arena.seen(), outcome.requests.len()), (20, 20));

    // Requests that no destination of the connection gets count as well.
    let elsewhere = json!({"authority": "evil.example", "count": 500});
    let outcome = arena.attacker.call("flood", elsewhere).await;
    assert_eq!(outcome.result.expect("refusals are the guest's to see").tree()["refused"], 500);
    assert_eq!(outcome.requests.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_their_limits_pass_in_neither_direction() {
    let arena = Arena::tuned(|settings| settings.limits(tight().cpu(AMPLE_CPU))).await;
    let large = arena.request(json!({"method": "POST", "body_bytes": 100_001}));
    let answer = arena.attacker.run("send", large).await.expect("a refusal is the guest's to see").tree();
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("BodySize")), "{answer}");
    assert_eq!(arena.seen(), 0);

    let body = Some("x".repeat(200_001));
    let long = FaultKind::Status { status: 200, body, retry_after: None, after_processing: false };
    arena.emulator.control().inject(Fault::new(long).at("/api/v2/users"));
    let answer =
        arena.attacker.run("send", arena.request(json!({}))).await.expect("it is the guest's to see").tree();
    assert_eq!(answer["status"], 200);
    assert!(answer["error"].is_string() && answer["body"].is_null(), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_s_headers_beyond_the_limit_do_not_reach_the_guest() {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the host connects");
        let _ = stream.read(&mut [0; 4096]);
        let _ =
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-long: {}\r\n\r\n", "x".repeat(100_000));
        let _ = stream.flush();
        // Open until the host has made up its mind.
        let _ = stream.read(&mut [0; 1]);
    });
    let settings = Settings::new("tenant.example".parse().expect("a domain"))
        .base_url(format!("http://{address}").parse().expect("a URL"));
    let attacker = host().tenant(settings).await.expect("the settings go together");
    let request = json!({"scheme": "http", "authority": address.to_string(), "path": "/api/v2/users"});
    let outcome = attacker.call("send", request).await;
    let answer = outcome.result.as_ref().expect("it is the guest's to see").tree();
    assert!(answer["error"].is_string() && answer["headers"].is_null(), "{outcome:?}");
    assert!(outcome.requests[0].sent && outcome.requests[0].status.is_none(), "{outcome:?}");
    drop((outcome, attacker));
    server.join().expect("the server ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_half_way_leaves_nothing() {
    let own = builder().build().expect("the component runs");
    let arena = Arena::on(&own, |settings| settings).await;
    let delay = Fault::new(FaultKind::Delay { ms: 60_000 }).at("/api/v2/users");
    arena.emulator.control().inject(delay);
    for (attack, input) in [
        ("wait", json!({})),
        ("spin", json!({})),
        ("send", arena.request(json!({}))),
        ("flood", arena.request(json!({"count": 5}))),
    ] {
        let attacker = arena.attacker.clone();
        let call = tokio::spawn(async move { attacker.call(attack, input).await });
        eventually("it runs", || own.stats().instances == 1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        call.abort();
        assert!(call.await.expect_err("it was dropped").is_cancelled());
        eventually("its instance is gone", || own.stats().instances == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_walks_away_from_its_request_takes_the_request_with_it() {
    let arena = Arena::new().await;
    let delay = Fault::new(FaultKind::Delay { ms: 60_000 }).at("/api/v2/users");
    arena.emulator.control().inject(delay);
    let outcome = arena.attacker.call("walk-away", arena.request(json!({}))).await;
    assert_eq!(outcome.result.expect("the guest ended"), json!({"begun": true}));
    assert!(outcome.requests.iter().all(|request| request.status.is_none()), "{:?}", outcome.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_those_allowed_at_once_wait_and_then_are_busy() {
    let own = builder().concurrent_calls(2).build().expect("the component runs");
    let limits = tight().concurrent_calls(1).queue_timeout(Duration::from_millis(100));
    let arena = Arena::on(&own, |settings| settings.limits(limits.clone())).await;
    let other =
        own.tenant(settings(&arena.emulator).limits(limits.clone())).await.expect("a second connection");
    let third = own.tenant(settings(&arena.emulator).limits(limits)).await.expect("a third connection");
    let wait = |connection: &Tenant| {
        let connection = connection.clone();
        tokio::spawn(async move { connection.run("wait", json!({})).await })
    };
    let first = wait(&arena.attacker);
    eventually("the first runs", || own.stats().instances == 1).await;
    let error = arena.attack("recall", json!({})).await;
    assert!(matches!(error, Error::Busy { scope: BusyScope::Tenant, limit: 1, .. }), "{error:?}");

    let second = wait(&other);
    eventually("the second runs", || own.stats().instances == 2).await;
    let error = third.run("recall", json!({})).await.expect_err("there is no room");
    assert!(matches!(error, Error::Busy { scope: BusyScope::Host, limit: 2, .. }), "{error:?}");

    // A place that becomes free is taken by who waits for it.
    first.abort();
    eventually("it is gone", || own.stats().instances == 1).await;
    let patient = own.tenant(settings(&arena.emulator)).await.expect("one that waits for longer");
    patient.run("recall", json!({})).await.expect("there is room");
    second.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_instance_knows_nothing_of_the_last_call() {
    let arena = Arena::new().await;
    arena.attacker.run("remember", json!({"text": "a secret"})).await.expect("it is done");
    assert_eq!(arena.attacker.run("recall", json!({})).await.expect("it is done"), json!(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_instance_serves_its_own_connection_only_and_not_after_a_bad_end() {
    let own = builder().build().expect("the component runs");
    // `spin` uses all of it up, and nothing else comes near.
    let limits = tight().cpu(Duration::from_secs(2));
    let warm = |settings: Settings| settings.limits(limits.clone()).instances(InstancePolicy::warm());
    let arena = Arena::on(&own, warm).await;
    let other = own.tenant(warm(settings(&arena.emulator))).await.expect("a second connection");
    let run = async |connection: &Tenant, attack: &str, input: Value| connection.run(attack, input).await;

    run(&arena.attacker, "remember", json!({"text": "mine"})).await.expect("it is done");
    assert_eq!(own.stats().instances_idle, 1);
    assert_eq!(run(&arena.attacker, "recall", json!({})).await.expect("it is done"), json!("mine"));
    assert_eq!(run(&other, "recall", json!({})).await.expect("it is done"), json!(""));
    assert_eq!(run(&arena.attacker, "recall", json!({})).await.expect("it is done"), json!("mine"));

    // Each call has its own environment, processor time and request count.
    let options = CallOptions::new().deadline(Duration::from_secs(25));
    let environment = arena.attacker.call_with("environment", json!({}), options).await.result;
    let environment = environment.expect("done").tree();
    let deadline = environment.as_array().into_iter().flatten().find(|pair| pair[0] == "AUTH0_DEADLINE_MS");
    let deadline: u64 = deadline.and_then(|pair| pair[1].as_str()?.parse().ok()).expect("it is there");
    assert!((10_000..=25_000).contains(&deadline), "{deadline}");
    for _ in 0..3 {
        let answer = run(&arena.attacker, "flood", arena.request(json!({"count": 15}))).await;
        assert_eq!(answer.expect("it is done"), json!({"refused": 0}));
    }
    assert_eq!(run(&arena.attacker, "recall", json!({})).await.expect("it is done"), json!("mine"));

    for bad in ["panic", "spin", "walk-away", "lie"] {
        run(&arena.attacker, "remember", json!({"text": bad})).await.expect("it is done");
        let _ = run(&arena.attacker, bad, arena.request(json!({}))).await;
        assert_eq!(
            run(&arena.attacker, "recall", json!({})).await.expect("it is done"),
            json!(""),
            "after {bad}"
        );
    }

    // The connection's end is theirs.
    drop(arena.attacker);
    drop(other);
    eventually("none is left", || own.stats().instances == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_instances_that_wait_give_way_to_calls() {
    let own = builder().concurrent_calls(2).build().expect("the component runs");
    let arena = Arena::on(&own, |settings| settings.instances(InstancePolicy::warm())).await;
    let third = own.tenant(settings(&arena.emulator)).await.expect("a connection");
    let (one, two) = tokio::join!(
        arena.attacker.run("wait", json!({"ms": 3_000})),
        arena.attacker.run("wait", json!({"ms": 3_000}))
    );
    one.and(two).expect("both are done");
    assert_eq!(own.stats().instances_idle, 2);
    third.run("recall", json!({})).await.expect("there is room");
    assert_eq!(own.stats().instances_idle, 1);
}

/// Guards against what a guest asks for in vain and the host keeps: in the request, in the log, in the audit trail.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_and_an_authority_of_megabytes_are_refused_at_the_door_and_the_call_has_its_record() {
    let path = std::env::temp_dir().join(format!("auth0-sandbox-audit-{}.ndjson", std::process::id()));
    let _ = fs::remove_file(&path);
    let file = AuditFile::open(&path).expect("a file can be written").refuse_calls_without_it();
    let file = Arc::new(file);
    let sink = Arc::clone(&file) as Arc<dyn AuditSink>;
    let arena = Arena::tuned(|settings| settings.audit(sink)).await;
    let refused = async |input: Value, part: &str| {
        let outcome = arena.attacker.call("send", input).await;
        let answer = outcome.result.expect("a refusal is the guest's to see").tree();
        assert_eq!(answer["error"], format!("the host refused the {part}"));
        assert!(outcome.requests.is_empty(), "{:?}", outcome.requests);
    };
    refused(arena.request(json!({"method": "X".repeat(3 << 20)})), "method").await;
    refused(arena.request(json!({"authority": "x".repeat(3 << 20)})), "authority").await;
    // What is short enough is refused by the rules, and kept as short as it came.
    for input in [
        json!({"method": "X".repeat(20)}),
        json!({"authority": "x".repeat(260)}),
        json!({"authority": "evil.example", "path": format!("/{}", "x".repeat(60_000))}),
    ] {
        let outcome = arena.attacker.call("send", arena.request(input)).await;
        assert!(outcome.result.expect("a refusal is the guest's to see").tree()["error"].is_string());
        let request = &outcome.requests[0];
        let bytes = request.method.len() + request.authority.len() + request.path.len();
        assert!(bytes < 3_000 && request.error.as_ref().is_some_and(|error| error.len() < 3_000), "{bytes}");
    }
    // A flush gives up after two seconds.
    file.flush().await;
    let written = || fs::read_to_string(&path).expect("it was written");
    eventually("there is a record for each call", || written().lines().count() >= 5).await;
    let text = written();
    let _ = fs::remove_file(&path);
    assert_eq!((text.lines().count(), file.lost()), (5, 0), "a record for each call");
    assert!(text.len() < 10_000, "{} bytes", text.len());
    assert_eq!(arena.seen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_would_be_many_times_its_size_is_kept_as_text_and_not_read() {
    let arena = Arena::tuned(|settings| settings).await;
    let wide = arena.attacker.run("wide-result", json!({"count": 7_000_000})).await.expect("text is cheap");
    let problem = wide.to_value().expect_err("a tree of it would take gigabytes").to_string();
    assert!(problem.contains("at most 1000000"), "{problem}");
    let answer = arena.attacker.run("wide-result", json!({"count": 1000})).await.expect("it is read").tree();
    assert_eq!(answer.as_array().map(Vec::len), Some(1001));
}

/// Guards against one window for all answers of an HTTP/2 connection: whoever does not read uses it up for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_hold_up_no_other_call_of_their_connection() {
    let emulator = Emulator::builder().seed(Seed::demo()).tls(true).start().await.expect("a tenant starts");
    let ca = emulator.ca_pem().expect("it has an authority").as_bytes().to_vec();
    // As long as the hoards and all that the others do, also on a slow machine.
    let patient = settings(&emulator).ca_pem(ca).deadline(Duration::from_secs(120));
    let attacker = host().tenant(patient).await.expect("the settings go together");
    let arena = Arena { emulator, attacker };
    let long = FaultKind::Status {
        status: 200,
        body: Some("x".repeat(2_000_000)),
        retry_after: None,
        after_processing: false,
    };
    arena.emulator.control().inject(Fault::new(long).at("/api/v2/users"));
    // Twelve in each of two calls; eight of a call are under way at once, and each would have 2 MB.
    let request = |more| arena.request(more);
    let hoards: Vec<_> = (0..2)
        .map(|_| {
            let attacker = arena.attacker.clone();
            let input = request(json!({"scheme": "https", "count": 12, "ms": 15_000}));
            tokio::spawn(async move { attacker.run("hoard", input).await })
        })
        .collect();
    eventually("the answers are on their way", || arena.seen() == 16).await;
    for _ in 0..20 {
        let honest = request(json!({"scheme": "https", "path": "/api/v2/clients"}));
        let answer = arena.attacker.run("send", honest).await.expect("it is served").tree();
        assert!(answer["status"] == 200 && answer["body"].is_string(), "{answer}");
    }
    // Counted before the hoards end: each answer that they drop makes room for a request that waits.
    let users = arena.emulator.control().requests();
    let users = users.iter().filter(|request| request.path == "/api/v2/users").count();
    assert_eq!(users, 16, "the others had no place");
    assert!(hoards.iter().all(|hoard| !hoard.is_finished()), "they were there all the while");
    for hoard in hoards {
        let answer = hoard.await.expect("it ends").expect("it is the guest's to see");
        assert_eq!(answer, json!({"begun": 12, "answered": 8}));
    }
    assert_eq!(arena.attacker.stats().connections_opened, 1, "one connection carried them all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_room_gets_that_of_an_instance_that_would_be_kept() {
    let own = builder().concurrent_calls(1).build().expect("the component runs");
    let arena = Arena::on(&own, |settings| settings.instances(InstancePolicy::warm())).await;
    let other = own.tenant(settings(&arena.emulator)).await.expect("a connection");
    // The first call asks the component what its actions need, which takes an instance too.
    other.run("recall", json!({})).await.expect("there is room");
    let attacker = arena.attacker.clone();
    let busy = tokio::spawn(async move { attacker.run("wait", json!({"ms": 300})).await });
    eventually("it runs", || own.stats().instances == 1).await;
    // Waits while the only room is in use; nobody calls for as long as it waits.
    let options = CallOptions::new().deadline(Duration::from_secs(20));
    other.call_with("recall", json!({}), options).await.result.expect("there is room");
    busy.await.expect("it ends").expect("it is done");
    assert_eq!(own.stats().instances_idle, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_nobody_calls_is_gone_at_its_age() {
    let own = builder().build().expect("the component runs");
    let brief = InstancePolicy::Warm { max_calls: 1000, max_age: Duration::from_secs(10) };
    let arena = Arena::on(&own, |settings| settings.instances(brief)).await;
    arena.attacker.run("recall", json!({})).await.expect("it is done").tree();
    assert_eq!(own.stats().instances_idle, 1);
    // Nobody calls: the instance gives its place back by itself.
    eventually("it is gone", || own.stats().instances == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_s_errors_do_not_pass_for_the_action_s() {
    let arena = Arena::new().await;
    let error = arena.attack("no-such-attack", json!({})).await;
    assert!(matches!(&error, Error::Action(error) if error.code == ErrorCode::NotFound), "{error:?}");
    let error = arena.attack("spin", json!({})).await;
    assert!(error.to_string().contains("limit `cpu`"), "{error}");
}

/// What the process has of files and memory.
#[cfg(target_os = "linux")]
fn held() -> (usize, u64) {
    let files = fs::read_dir("/proc/self/fd").expect("Linux lists them").count();
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is a line");
    let kib = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    (files, kib)
}

/// In a process of its own (cargo runs this test's module with others, whose memory would count too), see below.
#[cfg(target_os = "linux")]
#[test]
fn nothing_leaks_over_100_000_hostile_calls_beside_an_honest_caller_who_is_always_served() {
    const CALLS: usize = 100_000;
    /// Eight callers with eight requests under way: their sockets are kept for a while, and both ends are in this process.
    const KEPT_SOCKETS: usize = 8 * 8 * 2;
    const MARK: &str = "AUTH0_TESTS_HOSTILE_CALLS";
    if std::env::var_os(MARK).is_none() {
        // The same test binary, this test alone.
        let this = std::env::current_exe().expect("a test knows where it is");
        let name =
            "sandbox::nothing_leaks_over_100_000_hostile_calls_beside_an_honest_caller_who_is_always_served";
        let output = std::process::Command::new(this)
            .args(["--exact", name, "--nocapture"])
            .env(MARK, "1")
            .output()
            .expect("it can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let own = builder().build().expect("the component runs");
        let limits = tight().cpu(Duration::from_millis(10)).hostcall_bytes(LARGEST_RESULT);
        let arena = Arena::on(&own, |settings| settings.limits(limits)).await;
        let attacks = own.actions().await.expect("the component tells its attacks");
        for attack in attacks {
            let mut tried = FREQUENT.iter().chain(&RARE).map(|(id, _)| *id);
            assert!(tried.any(|id| id == attack.id), "`{}` is in neither list", attack.id);
        }
        let mut before = None;
        for round in 0..10 {
            let honest = Honest::begin(&own, &arena).await;
            let callers: Vec<_> =
                (0..8).map(|caller| misbehave(&arena, round * 8 + caller, CALLS / 80)).collect();
            for caller in callers {
                caller.await.expect("a caller ends");
            }
            honest.end().await;
            eventually("no instance is left", || own.stats().instances == 0).await;
            let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
            eventually("the tasks end", || tasks() < 100).await;
            arena.emulator.control().reset_counters();
            // The first round warms pools and allocators up.
            match (round, before) {
                (1, _) => before = Some(held()),
                (_, Some((files, kib))) => {
                    let (files_now, kib_now) = held();
                    assert!(files_now <= files + KEPT_SOCKETS, "{files} files were open, now {files_now}");
                    assert!(kib_now < kib + 64 * 1024, "{kib} KiB were resident, now {kib_now}");
                }
                _ => {}
            }
        }
    });
}

/// One who calls again and again, on a connection of its own, and must be served each time.
#[cfg(target_os = "linux")]
struct Honest {
    over: tokio::sync::watch::Sender<bool>,
    task: tokio::task::JoinHandle<usize>,
}

#[cfg(target_os = "linux")]
impl Honest {
    async fn begin(host: &Host, arena: &Arena) -> Self {
        let connection = host.tenant(settings(&arena.emulator)).await.expect("the settings go together");
        let request = arena.request(json!({"path": "/api/v2/clients"}));
        let (over, ending) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(async move {
            let mut served = 0;
            while !*ending.borrow() {
                let answer = connection.run("send", request.clone()).await.expect("it is served").tree();
                assert!(answer["status"] == 200 && answer["body"].is_string(), "{answer}");
                served += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            served
        });
        Self { over, task }
    }

    async fn end(self) {
        self.over.send_replace(true);
        assert!(self.task.await.expect("each call was served") > 0, "it ran beside the attacks");
    }
}

#[cfg(target_os = "linux")]
const LARGEST_RESULT: usize = 5 << 20;

/// What a call of the leak test does, by the name of its attack.
#[cfg(target_os = "linux")]
type Attempt = (&'static str, fn(&Arena) -> Value);

/// Attacks that take next to no time.
#[cfg(target_os = "linux")]
const FREQUENT: [Attempt; 9] = [
    ("panic", |_| json!({})),
    ("lie", |_| json!({})),
    ("send", |_| json!({"authority": "evil.example"})),
    ("hold-handles", |_| json!({})),
    ("recurse-in-memory", |_| json!({})),
    ("random", |_| json!({"bytes": 1_000_000_000_u64})),
    ("environment", |_| json!({})),
    ("remember", |_| json!({"text": "x".repeat(1000)})),
    ("recall", |_| json!({})),
];

/// Attacks that use up processor time or memory, send, or wait: one call in twelve.
#[cfg(target_os = "linux")]
const RARE: [Attempt; 14] = [
    ("allocate", |_| json!({})),
    ("begin-bodies", |_| json!({"count": 4})),
    ("flood", |_| json!({"authority": "evil.example", "count": 30})),
    ("hoard", |arena| arena.request(json!({"count": 12, "ms": 2}))),
    ("long-result", |_| json!({"bytes": LARGEST_RESULT + 1})),
    ("poll-for-ever", |_| json!({})),
    ("recurse", |_| json!({})),
    ("send", |arena| arena.request(json!({}))),
    ("send", |arena| arena.request(json!({"method": "X".repeat(100_000)}))),
    ("spin", |_| json!({})),
    ("spin-in-host", |_| json!({})),
    ("wait", |_| json!({})),
    ("walk-away", |arena| arena.request(json!({}))),
    ("wide-result", |_| json!({"count": 600_000})),
];

/// Attacks so often, each time in another way.
#[cfg(target_os = "linux")]
fn misbehave(arena: &Arena, seed: usize, calls: usize) -> tokio::task::JoinHandle<()> {
    const ONE_IN: usize = 12;
    let attacker = arena.attacker.clone();
    let inputs = |attempts: &[Attempt]| -> Vec<(&'static str, Value)> {
        attempts.iter().map(|(id, input)| (*id, input(arena))).collect()
    };
    let (frequent, rare) = (inputs(&FREQUENT), inputs(&RARE));
    tokio::spawn(async move {
        for call in 0..calls {
            let turn = seed * 31 + call;
            let (attack, input) = match turn % ONE_IN {
                0 => &rare[turn / ONE_IN % rare.len()],
                _ => &frequent[turn % frequent.len()],
            };
            let running = attacker.call(attack, input.clone());
            if *attack == "wait" {
                // Dropped half-way.
                let _ = tokio::time::timeout(Duration::from_millis(2), running).await;
            } else {
                running.await;
            }
        }
    })
}
