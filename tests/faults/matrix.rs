//! Every fault on every request of every action: how it ends, what the server saw, and what became of the tenant.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use auth0_emulator::{Emulator, Fault, FaultKind, Seed, SeenRequest};
use auth0_host::{CallOptions, ErrorCode, Outcome};
use auth0_tests::{OfflineTenant, Tree as _, curated, text};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    kinds::{End, Hits, LONG_WAIT_S, Row, rows},
    plan::{PLANS, Plan, Step, prepare},
};

/// Cells that run at once. They mostly wait: for the second before a repetition, or for their deadline.
const AT_ONCE: usize = 64;
/// Time for a call that does not meet its deadline: none should come near.
const AMPLE: Duration = Duration::from_secs(60);
/// Time for a call that meets it: long enough to get to the fault on a machine that is busy with other tests.
const SHORT: Duration = Duration::from_secs(6);
/// The same for one that did not get there, or ended too late to say anything: the machine stood still for seconds.
const LONGER: Duration = Duration::from_secs(20);
/// How many of those run at once.
const RERUN_CONCURRENCY: usize = 8;

/// Starts a tenant with what the demo has, and makes ready for the action.
async fn tenant(keys: &Emulator, plan: &Plan) -> OfflineTenant {
    let emulator = Emulator::builder().seed(Seed::demo()).signing_key_of(keys).start().await.unwrap();
    let tenant = OfflineTenant::on(emulator, |settings| settings.deadline(AMPLE).max_retries(1)).await;
    prepare(&tenant, plan).await;
    tenant
}

/// The requests of an action that met no fault, with real ids in their paths.
async fn dry_run(keys: &Emulator, plan: &Plan) -> Result<Vec<SeenRequest>, String> {
    let tenant = tenant(keys, plan).await;
    let rows = written(&tenant);
    tenant.run(plan.action(), (plan.input)(&tenant)).await;
    let seen: Vec<_> =
        tenant.control.requests().into_iter().filter(|seen| seen.path != "/oauth/token").collect();
    let shown: Vec<_> = seen.iter().map(shape).collect();
    let planned: Vec<_> = plan.steps.iter().map(|step| step.request.to_owned()).collect();
    let writes = plan.steps.iter().filter(|step| step.method() != "GET").count();
    if (&shown, written(&tenant) - rows) == (&planned, writes) {
        Ok(seen)
    } else {
        let found = written(&tenant) - rows;
        Err(format!("{} makes {shown:?} and leaves {found} writes, not {planned:?} and {writes}", plan.name))
    }
}

/// Method and path, with `{}` for ids, as the table writes it.
fn shape(seen: &SeenRequest) -> String {
    let template = seen.route.as_ref().unwrap_or(&seen.path);
    let fixed = ["google-oauth2", "verify_email"];
    let parts =
        template.split('/').zip(seen.path.split('/')).map(|(part, real)| match part.starts_with('{') {
            true if !fixed.contains(&real) => "{}",
            true => real,
            false => part,
        });
    format!("{} {}", seen.method, parts.collect::<Vec<_>>().join("/"))
}

/// How many writes the tenant and the email provider have taken: each leaves a row in the log, or a mail.
fn written(tenant: &OfflineTenant) -> usize {
    // `scpr` is for the one write that is not the Management API's: the mail that resets a password.
    let kinds = ["sapi", "scpr"].map(Value::from);
    let rows = tenant.control.logs().iter().filter(|row| kinds.contains(&row["type"])).count();
    rows + tenant.control.outbox().len()
}

/// What a write can change.
fn contents(tenant: &OfflineTenant) -> Value {
    let users = tenant.control.users();
    let ids: Vec<_> = users.iter().map(|user| user["user_id"].as_str().unwrap()).collect();
    let roles: Vec<_> = ids.iter().map(|id| tenant.control.user_roles(id)).collect();
    let logins: Vec<_> = ids.iter().map(|id| tenant.control.live_logins(id)).collect();
    json!([users, roles, logins, tenant.control.roles(), tenant.control.clients()])
}

fn count<'a>(requests: impl IntoIterator<Item = &'a SeenRequest>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seen in requests {
        *counts.entry(shape(seen)).or_default() += 1;
    }
    counts
}

/// Where a fault goes that is to hit a request like this one. Ids are the same in every tenant of the demo's seed, but
/// for those of log rows, which are times.
fn aim(seen: &SeenRequest) -> &str {
    const LOGS: &str = "/api/v2/logs/";
    if seen.path.starts_with(LOGS) { LOGS } else { &seen.path }
}

/// A request of an action, a fault that it meets, and the time of a call that the fault outlasts.
#[derive(Clone)]
struct Cell {
    keys: Arc<Emulator>,
    plan: &'static Plan,
    dry: Arc<[SeenRequest]>,
    at: usize,
    rows: Arc<Vec<Row>>,
    row: usize,
    short: Duration,
}

/// What was not as it should be.
#[derive(Default)]
struct Wrong {
    says: Vec<String>,
    /// Whether more was written than may be: no matter of time.
    grave: bool,
}

/// Runs the action of a cell.
async fn run(Cell { keys, plan, dry, at, rows, row, short }: Cell) -> Wrong {
    let (keys, row) = (&*keys, &rows[row]);
    let (step, target) = (&plan.steps[at], &dry[at]);
    let tenant = tenant(keys, plan).await;
    let (before, rows) = (contents(&tenant), written(&tenant));
    let input = (plan.input)(&tenant);
    let path = aim(target);
    let earlier = dry[..at].iter().filter(|seen| seen.method == target.method && seen.path.starts_with(path));
    let fault = Fault::new(row.kind.clone()).on(&target.method, path).after(earlier.count() as u32);
    tenant.control.inject(if row.hits == Hits::First { fault.times(1) } else { fault });
    let deadline = if row.outlasts { short } else { AMPLE };
    // A secret that the connection has no place for stays in the result; what becomes of it is not the matter here.
    let options = CallOptions::new().deadline(deadline).reveal_secrets();
    let outcome = tenant.connection.call_with(plan.action(), input, options).await;

    let mut wrong = Wrong::default();
    let mut check = |what: &str, found: String, wanted: String| {
        if found != wanted {
            wrong.says.push(format!(
                "{}, {} ({}): {what}: {found}, not {wanted}",
                plan.name, step.request, row.name
            ));
        }
    };
    let (end, seen) = row.expected(step);
    let goes_on = end == End::Done || step.noted;
    check("end", found(&outcome, step), end.name());
    let mut requests = tenant.control.requests();
    requests.retain(|seen| seen.path != "/oauth/token");
    let through = if goes_on { dry.len() } else { at + 1 };
    let mut expected = count(&dry[..through]);
    *expected.get_mut(&shape(target)).unwrap() += seen - 1;
    check("requests", format!("{:?}", count(&requests)), format!("{expected:?}"));
    let sent = outcome.requests.iter().filter(|record| record.sent).count();
    check("requests that the host tells of", sent.to_string(), requests.len().to_string());
    let others = plan.steps[..through].iter().enumerate();
    let others = others.filter(|(other, step)| *other != at && step.method() != "GET").count();
    let writes = row.writes(step, seen) + others;
    let wrote = written(&tenant) - rows;
    check("writes", wrote.to_string(), writes.to_string());
    if writes == 0 {
        check("contents", contents(&tenant).to_string(), before.to_string());
    }
    if let Err(auth0_host::Error::Action(error)) = &outcome.result {
        match (&row.kind, &error.code) {
            (FaultKind::Status { status, .. }, ErrorCode::Unavailable) => {
                check("status", format!("{:?}", error.status), format!("{:?}", Some(*status)));
            }
            (FaultKind::TooManyRequests { retry_after, reset_in }, ErrorCode::RateLimited)
                if (*retry_after).or(*reset_in) == Some(LONG_WAIT_S) =>
            {
                // A reset is a whole second of the tenant's clock, and a busy machine takes its time.
                let wait = u64::from(LONG_WAIT_S) * 1000;
                let near = error.retry_after_ms.is_some_and(|ms| (wait - 60_000..=wait + 1000).contains(&ms));
                check("the wait is told", format!("{near} {:?}", error.retry_after_ms), {
                    format!("true {:?}", error.retry_after_ms)
                });
            }
            _ => {}
        }
    }
    wrong.grave = wrote > writes;
    wrong
}

/// How it ended; where a failure is noted in the result, that failure.
fn found(outcome: &Outcome, step: &Step) -> String {
    match &outcome.result {
        Ok(result) if step.noted && result.tree()["stamp_error"].is_object() => {
            text(&result.tree()["stamp_error"], "code").to_owned()
        }
        Ok(_) => End::Done.name(),
        Err(auth0_host::Error::Action(error)) => error.code.to_string(),
        Err(error) => format!("the host failed: {error:?}"),
    }
}

#[tokio::test]
async fn the_table_has_every_curated_action() {
    let mut named: Vec<_> = PLANS.iter().map(Plan::action).collect();
    named.dedup();
    let mut known = curated().await;
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_on_every_request_of_every_action_ends_as_the_table_says() {
    let keys = Arc::new(Emulator::builder().start().await.unwrap());
    let rows = Arc::new(rows());
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut cells = JoinSet::new();
    let mut wrong = Vec::new();
    for plan in PLANS {
        let dry = match dry_run(&keys, plan).await {
            Ok(seen) => Arc::<[SeenRequest]>::from(seen),
            Err(unplanned) => {
                wrong.push(unplanned);
                continue;
            }
        };
        for (at, row) in (0..dry.len()).flat_map(|at| (0..rows.len()).map(move |row| (at, row))) {
            let (keys, rows, dry) = (Arc::clone(&keys), Arc::clone(&rows), Arc::clone(&dry));
            let cell = Cell { keys, plan, dry, at, rows, row, short: SHORT };
            let turn = Arc::clone(&room).acquire_owned().await.unwrap();
            cells.spawn(async move {
                let wrong = run(cell.clone()).await;
                drop(turn);
                (cell, wrong)
            });
        }
    }
    let number = cells.len();
    let mut failed = cells.join_all().await;
    failed.retain(|(_, wrong)| !wrong.says.is_empty());
    // Once the machine stood still for all that ran then, and for no more.
    let all = failed.len() > AT_ONCE;
    let (certain, doubtful): (Vec<_>, Vec<_>) = failed.into_iter().partition(|(_, wrong)| all || wrong.grave);
    wrong.extend(certain.into_iter().flat_map(|(_, wrong)| wrong.says));
    // Again, and with more time: what is wrong twice is wrong.
    doubtful.iter().for_each(|(_, wrong)| eprintln!("once more: {}", wrong.says.join("; ")));
    for some in doubtful.chunks(RERUN_CONCURRENCY) {
        let again = some.iter().map(|(cell, _)| run(Cell { short: LONGER, ..cell.clone() }));
        wrong.extend(again.collect::<JoinSet<_>>().join_all().await.into_iter().flat_map(|wrong| wrong.says));
    }
    assert!(wrong.is_empty(), "{} of {number} cells:\n{}", wrong.len(), wrong.join("\n"));
}
