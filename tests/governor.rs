//! The tenant's rate limits are kept: no 429 is met, hardly any of the allowed rate is left unused, and a call that cannot
//! wait is told at once.

use std::time::Duration;

use auth0_emulator::{Emulator, Plan, Seed};
use auth0_host::{CallOptions, Connection, Error, ErrorKind, RatePlan, Settings};
use auth0_tests::{host, settings};
use serde_json::json;

const CALLERS: usize = 50;
const CALLS: usize = 200;
/// Far more than the 100 s that 200 calls take at 2 per second.
const PATIENCE: Duration = Duration::from_secs(600);

async fn tenant(plan: Plan, tune: impl FnOnce(Settings) -> Settings) -> (Emulator, Connection) {
    let emulator = Emulator::builder().seed(Seed::demo()).plan(plan).start().await.unwrap();
    let connection = host().connect(tune(settings(&emulator))).unwrap();
    (emulator, connection)
}

/// The milliseconds of the day in `2026-11-21T10:00:00.000Z`.
fn milliseconds(at: &str) -> f64 {
    let part = |from: usize, to: usize| at[from..to].parse::<f64>().unwrap();
    ((part(11, 13) * 60.0 + part(14, 16)) * 60.0 + part(17, 23)) * 1000.0
}

/// Makes 200 calls from 50 callers, and compares what the server counted with what it allows.
async fn keeps_the_rate(plan: Plan, burst: f64, per_second: f64) {
    // The connection is not told the plan: the first answer tells.
    let (emulator, connection) = tenant(plan, |settings| settings.deadline(PATIENCE).max_retries(0)).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS / CALLERS {
                    connection.run("list-roles", json!({})).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let seen = emulator.control().requests();
    let seen: Vec<_> = seen.iter().filter(|request| request.path == "/api/v2/roles").collect();
    assert_eq!(seen.len(), CALLS);
    assert!(seen.iter().all(|request| request.status == Some(200)));
    assert_eq!(connection.stats().rate_refused, 0);

    let mut times: Vec<f64> = seen.iter().map(|request| milliseconds(&request.at)).collect();
    times.sort_by(f64::total_cmp);
    // Over midnight the day begins anew.
    let took = (times[CALLS - 1] - times[0]).rem_euclid(86_400_000.0) / 1000.0;
    let allowed = burst + per_second * took;
    let used = CALLS as f64 / allowed;
    eprintln!("{plan}: {CALLS} requests in {took:.2} s, {allowed:.1} allowed: {:.1} % used", used * 100.0);
    assert!(used >= 0.95, "{CALLS} of {allowed:.1} that {plan} allows in {took:.2} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_of_fifty_callers_on_the_free_plan_meet_no_429_and_use_95_percent_of_the_rate() {
    keeps_the_rate(Plan::Free, 2.0, 2.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_rate_is_kept_as_well() {
    keeps_the_rate(Plan::PrivateCloudDev, 20.0, 20.0).await;
}

#[tokio::test]
async fn a_tenant_s_first_answer_tells_its_plan() {
    for (plan, action, expected) in [
        (Plan::Free, "list-roles", RatePlan::Free),
        (Plan::Essentials, "list-users", RatePlan::Essentials),
        (Plan::Enterprise, "list-roles", RatePlan::Enterprise),
        (Plan::EnterpriseNonProduction, "list-roles", RatePlan::EnterpriseNonProduction),
        (Plan::PrivateCloudDev, "list-users", RatePlan::PrivateCloudDev),
        (Plan::Unlimited, "list-users", RatePlan::Auto),
    ] {
        let (_emulator, connection) = tenant(plan, |settings| settings).await;
        connection.run(action, json!({})).await.unwrap();
        assert_eq!(connection.rate_plan(), expected, "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_cannot_wait_ends_at_once_and_says_when_to_come_back() {
    let plan = |settings: Settings| settings.rate_plan(RatePlan::Free).deadline(PATIENCE);
    let (emulator, connection) = tenant(Plan::Free, plan).await;
    // 30 wait, 15 s in all; then somebody comes who has 5 s.
    let waiting: Vec<_> = (0..32)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.run("list-roles", json!({})).await })
        })
        .collect();
    while connection.stats().rate_waits < 30 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let options = CallOptions::new().deadline(Duration::from_secs(5));
    let outcome = connection.call_with("create-role", json!({"name": "Auditor"}), options).await;
    let Err(Error::Action(error)) = outcome.result else { panic!("throttled") };
    assert_eq!((error.kind, error.status), (ErrorKind::Throttled, Some(429)));
    assert!(error.message.contains("requests wait for it"), "{}", error.message);
    // Not before its own deadline: it has been told that its turn comes later.
    let after = error.retry_after_ms.unwrap();
    assert!((5000..=16_000).contains(&after), "{after}");
    // Neither waited for nor tried again.
    let [request] = outcome.requests.as_slice() else { panic!("{:?}", outcome.requests) };
    assert!(!request.sent, "{request:?}");
    assert!(outcome.elapsed < Duration::from_secs(5));
    assert_eq!(connection.stats().rate_throttled, 1);
    assert!(
        !emulator
            .control()
            .requests()
            .iter()
            .any(|request| request.method == "POST" && request.path == "/api/v2/roles")
    );
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
