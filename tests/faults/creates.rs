//! Ten thousand creates through a storm: nothing is done twice, and nothing that was reported is untrue.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use auth0_emulator::{Control, Fault, FaultKind, Seed};
use auth0_host::{Error, ErrorCode, RatePlan, Settings};
use auth0_tests::{OfflineTenant, Tree as _, newcomer, text};

const CREATES: usize = 10_000;
/// Callers at once; the storm keeps most of them waiting.
const CALLERS: usize = 48;
/// Short, so that the creates whose answer does not come in time do not hold the others up for long.
const DEADLINE: Duration = Duration::from_secs(6);
const USERS: &str = "/api/v2/users";
const TOKEN: &str = "/oauth/token";

/// What happens, how often in 1000 requests, and to which.
fn storm() -> Vec<(FaultKind, u16, &'static str)> {
    let status = |status, after_processing| FaultKind::Status {
        status,
        body: None,
        retry_after: None,
        after_processing,
    };
    vec![
        (FaultKind::ResetBeforeRead, 30, USERS),
        (FaultKind::ResetAfterRead, 30, USERS),
        (FaultKind::ResetAfterReadUnprocessed, 30, USERS),
        (FaultKind::Truncate, 30, USERS),
        (FaultKind::Malformed, 20, USERS),
        (FaultKind::SlowBody { ms_per_chunk: 5 }, 20, USERS),
        (FaultKind::Delay { ms: 100 }, 30, USERS),
        (FaultKind::Delay { ms: 600_000 }, 3, USERS),
        (status(500, false), 20, USERS),
        (status(500, true), 20, USERS),
        (status(502, false), 20, USERS),
        (status(502, true), 20, USERS),
        (status(503, false), 20, USERS),
        (status(504, true), 20, USERS),
        (FaultKind::TooManyRequests { retry_after: Some(0), reset_in: Some(0) }, 20, USERS),
        (FaultKind::TooManyRequests { retry_after: Some(60), reset_in: Some(0) }, 5, USERS),
        // Few, since a token whose fetch fails makes every caller wait a second.
        (FaultKind::ExpiredToken, 3, USERS),
        (FaultKind::RevokedToken, 3, USERS),
        (FaultKind::ResetAfterRead, 50, TOKEN),
        (FaultKind::Truncate, 20, TOKEN),
        (status(503, false), 50, TOKEN),
        (FaultKind::TooManyRequests { retry_after: Some(0), reset_in: Some(0) }, 20, TOKEN),
    ]
}

fn raise(control: &Control, seed: u64) {
    for (number, (kind, per_mille, path)) in storm().into_iter().enumerate() {
        // Each fault rolls its own dice.
        let seed = seed.wrapping_mul(31).wrapping_add(number as u64);
        control.inject(Fault::new(kind).on("POST", path).chance(per_mille, seed));
    }
}

fn address(number: usize) -> String {
    format!("storm-{number}@acme.example")
}

/// How a create ended: with an id, or with the kind of its error.
type Report = Result<String, ErrorCode>;

/// The host's way to say that the outcome is not known.
const STOPPED: ErrorCode = ErrorCode::OutcomeUnknown;

/// The requests of a create.
#[derive(Clone, Copy)]
struct Sent {
    /// Of which the host says that they were sent.
    all: usize,
    /// Those of them that were under way when the call's time ended: the tenant reads them later, or never.
    late: usize,
}

/// Runs a create, and tells its end and its requests.
async fn create(tenant: &OfflineTenant, number: usize) -> (Report, Sent) {
    let outcome = tenant.connection.call("create-user", newcomer(&address(number))).await;
    let sent: Vec<_> = outcome.requests.iter().filter(|record| record.sent).collect();
    // By 429, or by 401 for a token that another replaced.
    let refused = sent.iter().rev().skip(1).all(|record| matches!(record.status, Some(401 | 429)));
    assert!(refused, "only what was refused may be sent again: {sent:?}");
    let ended_by_time = outcome.elapsed + Duration::from_secs(1) >= DEADLINE;
    let unanswered = sent.last().is_some_and(|record| record.status.is_none());
    let sent = Sent { all: sent.len(), late: usize::from(ended_by_time && unanswered) };
    let report = match outcome.result {
        Ok(user) => Ok(text(&user.tree(), "user_id").to_owned()),
        Err(Error::Action(error)) => Err(error.code),
        // On a machine that is busy to its limits a component may be late by more than the host waits for it.
        Err(Error::Timeout { .. }) => Err(STOPPED),
        Err(error) => panic!("{}: the host failed: {error:?}", address(number)),
    };
    (report, sent)
}

async fn all(tenant: &Arc<OfflineTenant>) -> Vec<(Report, Sent)> {
    let next = Arc::new(AtomicUsize::new(0));
    let callers = (0..CALLERS).map(|_| {
        let (tenant, next) = (Arc::clone(tenant), Arc::clone(&next));
        tokio::spawn(async move {
            let mut ends = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= CREATES {
                    return ends;
                }
                ends.push((number, create(&tenant, number).await));
            }
        })
    });
    let mut ends = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        ends.extend(caller.await.unwrap());
    }
    ends.sort_unstable_by_key(|(number, _)| *number);
    ends.into_iter().map(|(_, end)| end).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_in_a_storm_leave_those_reported_created_and_at_most_those_reported_unknown() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    println!("seed of the storm: {seed}");
    // The tenant has no limits, and its 429s must strike one create each: a governor would hold all the others back.
    let tune = |settings: Settings| settings.deadline(DEADLINE).rate_plan(RatePlan::Unlimited);
    let tenant = Arc::new(OfflineTenant::tuned(Seed::empty(), tune).await);
    raise(&tenant.control, seed);
    let ends = all(&tenant).await;

    let mut there: HashMap<String, Vec<String>> = HashMap::new();
    for user in tenant.control.users() {
        there.entry(text(&user, "email").to_owned()).or_default().push(text(&user, "user_id").to_owned());
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, (report, _)) in ends.iter().enumerate() {
        let ids = there.remove(&address(number)).unwrap_or_default();
        let name = report.as_ref().map_or_else(ToString::to_string, |_| "created".to_owned());
        *told.entry(name).or_default() += 1;
        let right = match report {
            Ok(id) => ids == [id.as_str()],
            Err(ErrorCode::OutcomeUnknown) => ids.len() <= 1,
            Err(
                ErrorCode::RateLimited
                | ErrorCode::Unavailable
                | ErrorCode::Unreachable
                | ErrorCode::Unauthenticated,
            ) => ids.is_empty(),
            // A conflict too: the tenant takes an address once, so that a second create of it would end with one.
            Err(_) => false,
        };
        if !right {
            wrong.push(format!("{}: {report:?}, there: {ids:?}", address(number)));
        }
    }
    assert!(wrong.is_empty(), "seed {seed}: {told:?}\n{}", wrong.join("\n"));
    assert!(there.is_empty(), "seed {seed}: users that nobody asked for: {there:?}");
    // The storm was one.
    for kind in ["created", "outcome-unknown", "rate-limited", "unavailable"] {
        assert!(told.contains_key(kind), "seed {seed}: {told:?}");
    }

    let sent: usize = ends.iter().map(|(_, sent)| sent.all).sum();
    let late: usize = ends.iter().map(|(_, sent)| sent.late).sum();
    let mut seen = tenant.seen().len();
    let begun = Instant::now();
    while seen != sent && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        seen = tenant.seen().len();
    }
    assert!(
        (sent - late..=sent).contains(&seen),
        "seed {seed}: the host tells of each request that the tenant saw: {sent}, {late} of them late, not {seen}"
    );
}
