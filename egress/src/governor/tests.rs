use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const ROLES: &str = "https://acme.auth0.com/api/v2/roles";
const TEMPLATE: &str = "https://acme.auth0.com/api/v2/email-templates/verify_email";
const MINUTE: Duration = Duration::from_secs(60);

fn headers(limit: u32, remaining: u32) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-ratelimit-limit", HeaderValue::from(limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    headers
}

impl Governor {
    async fn ask(&self, url: &str, priority: Priority, max_wait: Duration) -> Result<Admission, RateLimited> {
        self.admit(&Method::GET, &url.parse().unwrap(), priority, max_wait).await
    }

    /// Lets a request go and be answered at once, without limits in its headers.
    async fn pass(&self, url: &str) -> Duration {
        let begun = Instant::now();
        drop(self.ask(url, Priority::Interactive, 10 * MINUTE).await.unwrap());
        begun.elapsed()
    }

    /// Lets whoever can run do so, and returns how many of the tasks are done.
    async fn settled<T>(tasks: &[tokio::task::JoinHandle<T>]) -> usize {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        tasks.iter().filter(|task| task.is_finished()).count()
    }

    fn spawn(&self, url: &'static str, priority: Priority) -> tokio::task::JoinHandle<Instant> {
        let governor = self.clone();
        tokio::spawn(async move {
            drop(governor.ask(url, priority, 10 * MINUTE).await.unwrap());
            Instant::now()
        })
    }
}

fn seconds(wait: Duration) -> f64 {
    (wait.as_secs_f64() * 100.0).round() / 100.0
}

#[tokio::test(start_paused = true)]
async fn requests_that_hang_hold_the_others_up_for_some_seconds_and_no_longer() {
    let governor = Governor::new(RatePlan::Free, 10);
    let begun = Instant::now();
    let ask = async || governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    let hanging = [ask().await, ask().await];
    let mut left = Vec::new();
    for _ in 0..4 {
        drop(ask().await);
        left.push(seconds(begun.elapsed()));
    }
    assert_eq!(left, [5.5, 6.0, 6.5, 7.0]);
    drop(hanging);
    governor.pass(ROLES).await;
    assert_eq!(seconds(begun.elapsed()), 7.5, "what was held to have arrived is not counted again");
}

#[tokio::test(start_paused = true)]
async fn the_free_plan_lets_two_go_and_then_two_a_second() {
    let governor = Governor::new(RatePlan::Free, 10);
    let begun = Instant::now();
    for expected in [0.0, 0.0, 0.5, 1.0, 1.5, 2.0] {
        governor.pass(ROLES).await;
        assert_eq!(seconds(begun.elapsed()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_is_not_refilled() {
    let governor = Governor::new(RatePlan::Free, 10);
    let slow = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    let slower = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    // The tenant may have its two tokens until these arrive: nothing is refilled meanwhile.
    let third = governor.spawn(ROLES, Priority::Interactive);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!third.is_finished());
    drop((slow, slower));
    let begun = Instant::now();
    assert_eq!(seconds(third.await.unwrap() - begun), 0.5);
}

#[tokio::test(start_paused = true)]
async fn the_default_is_as_slow_as_the_smallest_plan_until_an_answer_tells() {
    let governor = Governor::default();
    let first = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    let second = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let governor = governor.clone();
            // Not told to come back later: the answer may free all of them.
            let asking =
                async move { governor.ask(ROLES, Priority::Interactive, Duration::from_secs(1)).await };
            tokio::spawn(async { drop(asking.await.unwrap()) })
        })
        .collect();
    assert_eq!(Governor::settled(&waiting).await, 0);
    governor.observe(first, StatusCode::OK, &headers(50, 48));
    assert_eq!(governor.plan(), RatePlan::Enterprise);
    assert_eq!(Governor::settled(&waiting).await, 10);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_success_without_a_word_on_limits_ends_the_caution_and_a_refusal_does_not() {
    for (status, expected) in [(StatusCode::OK, 10), (StatusCode::FORBIDDEN, 0), (StatusCode::BAD_GATEWAY, 0)]
    {
        let governor = Governor::default();
        let first = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
        let _second = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
        let waiting: Vec<_> = (0..10).map(|_| governor.spawn(ROLES, Priority::Interactive)).collect();
        governor.observe(first, status, &HeaderMap::new());
        assert_eq!(Governor::settled(&waiting).await, expected, "{status}");
        // Limits that come later are learned all the same.
        let known = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
        governor.observe(known, StatusCode::OK, &headers(2, 0));
        assert_eq!(governor.plan(), RatePlan::Free);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_named_too_large_is_corrected_by_the_first_answer() {
    let governor = Governor::new(RatePlan::PrivateCloud500, 10);
    let first = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    governor.observe(first, StatusCode::OK, &headers(2, 1));
    assert_eq!(governor.plan(), RatePlan::Free);
    assert_eq!(seconds(governor.pass(ROLES).await), 0.0);
    assert_eq!(seconds(governor.pass(ROLES).await), 0.5);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_auth0_does_not_publish_makes_no_plan_faster() {
    let governor = Governor::new(RatePlan::Enterprise, 10);
    for (limit, remaining) in [(50, 49), (250, 249), (7, 6)] {
        let one = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
        governor.observe(one, StatusCode::OK, &headers(limit, remaining));
        assert_eq!(governor.plan(), RatePlan::Enterprise, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_of_a_contract_is_kept_whatever_the_tenant_shows() {
    let governor = Governor::new("4:60/min".parse().unwrap(), 0);
    for expected in [0.0, 0.0, 0.0, 0.0, 1.0, 1.0] {
        let begun = Instant::now();
        let one = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
        assert_eq!(seconds(begun.elapsed()), expected);
        governor.observe(one, StatusCode::OK, &headers(50, 40));
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_take_is_not_there_for_us() {
    let governor = Governor::new(RatePlan::Enterprise, 10);
    let first = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    governor.observe(first, StatusCode::OK, &headers(50, 5));
    // The reserve of 5 stays for the others: one token at 16 per second.
    assert_eq!(seconds(governor.pass(ROLES).await), 0.06);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_overtaken_takes_nothing_twice() {
    let governor = Governor::new(RatePlan::Enterprise, 0);
    let mut flying = Vec::new();
    for _ in 0..10 {
        flying.push(governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap());
    }
    // Answered in the wrong order, each with what was left when it was served.
    for (number, one) in flying.into_iter().enumerate().rev() {
        governor.observe(one, StatusCode::OK, &headers(50, 49 - u32::try_from(number).unwrap()));
    }
    for number in 0..40 {
        assert_eq!(governor.pass(ROLES).await, Duration::ZERO, "{number}");
    }
    assert!(governor.pass(ROLES).await > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn after_a_429_nobody_goes_before_the_bucket_refills() {
    let governor = Governor::new(RatePlan::Enterprise, 10);
    let one = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    let mut refusal = headers(50, 0);
    refusal.insert("retry-after", HeaderValue::from(3));
    governor.observe(one, StatusCode::TOO_MANY_REQUESTS, &refusal);
    let begun = Instant::now();
    let waiting: Vec<_> = (0..20).map(|_| governor.spawn(ROLES, Priority::Interactive)).collect();
    let rate_limited = governor.ask(ROLES, Priority::Interactive, Duration::from_secs(2)).await.unwrap_err();
    assert!(rate_limited.retry_after >= Duration::from_secs(3), "{rate_limited:?}");
    for task in waiting {
        assert!(task.await.unwrap() - begun >= Duration::from_secs(3));
    }
    assert_eq!(governor.counts().refused, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_wait_any_longer_is_told_when_that_turns_out_and_not_at_the_deadline() {
    for (status, report) in [
        (StatusCode::OK, headers(2, 1)),
        (StatusCode::TOO_MANY_REQUESTS, {
            let mut refusal = headers(2, 0);
            refusal.insert("retry-after", HeaderValue::from(30));
            refusal
        }),
    ] {
        let governor = Governor::default();
        let first = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
        let _second = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
        let waiting: Vec<_> = (0..100)
            .map(|_| {
                let governor = governor.clone();
                let max_wait = Duration::from_secs(10);
                tokio::spawn(
                    async move { governor.ask(ROLES, Priority::Interactive, max_wait).await.map(drop) },
                )
            })
            .collect();
        assert_eq!(Governor::settled(&waiting).await, 0);
        governor.observe(first, status, &report);
        let told = Governor::settled(&waiting).await;
        let still = if status.is_success() { 19..=21 } else { 0..=0 };
        assert!(still.contains(&(waiting.len() - told)), "{status}: {told} told");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_used_up_holds_back_no_other() {
    let governor = Governor::new(RatePlan::Free, 10);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        governor.pass(TEMPLATE).await;
    }
    let template = governor.spawn(TEMPLATE, Priority::Interactive);
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(510)).await;
        if template.is_finished() {
            return;
        }
        assert_eq!(governor.pass(ROLES).await, Duration::ZERO);
    }
    panic!("its own bucket refills");
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_go_in_the_order_in_which_they_came() {
    let governor = Governor::new(RatePlan::Free, 10);
    let mut tasks = Vec::new();
    for _ in 0..40 {
        tasks.push(governor.spawn(ROLES, Priority::Interactive));
        tokio::task::yield_now().await;
    }
    let mut times = Vec::new();
    for task in tasks {
        times.push(task.await.unwrap());
    }
    assert!(times.is_sorted());
    assert_eq!(seconds(*times.last().unwrap() - times[0]), 19.02);
    assert_eq!(governor.counts().waits, 38);
}

#[tokio::test(start_paused = true)]
async fn background_work_gives_way() {
    let governor = Governor::new(RatePlan::EnterpriseNonProduction, 10);
    // 10 at once, less a reserve of 1 and a share of 2.
    let background: Vec<_> = (0..12).map(|_| governor.spawn(ROLES, Priority::Background)).collect();
    assert_eq!(Governor::settled(&background).await, 7);
    let interactive: Vec<_> = (0..4).map(|_| governor.spawn(ROLES, Priority::Interactive)).collect();
    assert_eq!(Governor::settled(&interactive).await, 2);
    let mut last = Instant::now();
    for task in interactive {
        last = last.max(task.await.unwrap());
    }
    for task in background.into_iter().skip(7) {
        assert!(task.await.unwrap() > last);
    }
}

#[tokio::test(start_paused = true)]
async fn small_buckets_keep_no_reserve_and_starve_nobody() {
    for plan in [RatePlan::Free, "1:1/s".parse().unwrap()] {
        let governor = Governor::new(plan, 50);
        for priority in [Priority::Interactive, Priority::Background] {
            governor.ask(ROLES, priority, MINUTE).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_wait_is_told_at_once_when_to_come_back() {
    let governor = Governor::new(RatePlan::Free, 10);
    let waiting: Vec<_> = (0..22).map(|_| governor.spawn(ROLES, Priority::Interactive)).collect();
    assert_eq!(Governor::settled(&waiting).await, 2);
    let begun = Instant::now();
    let rate_limited = governor.ask(ROLES, Priority::Interactive, Duration::from_secs(10)).await.unwrap_err();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // 20 wait, and this would be the next: 21 tokens at 2 per second.
    assert_eq!(seconds(rate_limited.retry_after), 10.51);
    assert!(rate_limited.message.contains("20 requests wait"), "{}", rate_limited.message);
    assert_eq!(governor.counts().rate_limited, 1);
    tokio::time::sleep(rate_limited.retry_after).await;
    assert!(governor.ask(ROLES, Priority::Interactive, Duration::from_millis(1)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_the_place_to_the_next_and_no_token_is_lost() {
    let governor = Governor::new(RatePlan::Free, 10);
    let tasks: Vec<_> = (0..22).map(|_| governor.spawn(ROLES, Priority::Interactive)).collect();
    assert_eq!(Governor::settled(&tasks).await, 2);
    // All but the last, the one that keeps the time among them.
    tasks[..21].iter().for_each(tokio::task::JoinHandle::abort);
    let begun = Instant::now();
    let last = tasks.into_iter().next_back().unwrap();
    assert_eq!(seconds(last.await.unwrap() - begun), 0.5);
    // One that is dropped between its grant and its waking.
    let mut lost = Box::pin(governor.ask(ROLES, Priority::Interactive, MINUTE));
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut lost).await.is_err());
    tokio::time::advance(MINUTE).await;
    let first = governor.ask(ROLES, Priority::Interactive, MINUTE).await.unwrap();
    drop(lost);
    assert_eq!(governor.pass(ROLES).await, Duration::ZERO);
    drop(first);
}

/// What happens to one request in the simulation.
#[derive(Clone, Copy, Debug)]
struct Traveller {
    /// Milliseconds from the one before.
    after: u64,
    /// To the tenant, and back.
    there: u64,
    back: u64,
    priority: Priority,
    /// Gives up waiting after so long.
    max_wait: u64,
    /// Its answer is lost, and with it what it says.
    lost: bool,
}

fn travellers() -> impl Strategy<Value = Vec<Traveller>> {
    let one =
        (0_u64..400, 0_u64..900, 0_u64..900, any::<bool>(), 0_u64..20_000, proptest::bool::weighted(0.1));
    let traveller = one.prop_map(|(after, there, back, background, max_wait, lost)| {
        let priority = if background { Priority::Background } else { Priority::Interactive };
        Traveller { after, there, back, priority, max_wait, lost }
    });
    proptest::collection::vec(traveller, 1..120)
}

/// The tenant's side: a bucket that knows the truth.
#[derive(Debug)]
struct Truth {
    burst: f64,
    per_second: f64,
    level: f64,
    at: Instant,
    refused: usize,
}

impl Truth {
    fn serve(&mut self) -> HeaderMap {
        let now = Instant::now();
        let gone = (now - self.at).as_secs_f64();
        (self.level, self.at) = ((self.level + gone * self.per_second).min(self.burst), now);
        if self.level >= 1.0 {
            self.level -= 1.0;
        } else {
            self.refused += 1;
        }
        headers(self.burst as u32, self.level.floor() as u32)
    }
}

/// Sends all of them through one governor to one tenant, and answers when each was let go, and the refusals.
async fn travel(plan: RatePlan, truth: (f64, f64), all: Vec<Traveller>) -> (Vec<Instant>, usize) {
    let governor = Governor::new(plan, 10);
    let (burst, per_second) = truth;
    let truth = Truth { burst, per_second, level: burst, at: Instant::now(), refused: 0 };
    let truth = Arc::new(Mutex::new(truth));
    let mut tasks = Vec::new();
    for one in all {
        tokio::time::sleep(Duration::from_millis(one.after)).await;
        let (governor, truth) = (governor.clone(), Arc::clone(&truth));
        tasks.push(tokio::spawn(async move {
            let max_wait = Duration::from_millis(one.max_wait);
            // Some give up in the queue, some are told that it would be too long.
            let asking = governor.ask(ROLES, one.priority, 2 * max_wait);
            let admission = tokio::time::timeout(max_wait, asking).await.ok()?.ok()?;
            let left = Instant::now();
            tokio::time::sleep(Duration::from_millis(one.there)).await;
            let report = truth.lock().unwrap().serve();
            tokio::time::sleep(Duration::from_millis(one.back)).await;
            if !one.lost {
                governor.observe(admission, StatusCode::OK, &report);
            }
            Some(left)
        }));
    }
    let mut left = Vec::new();
    for task in tasks {
        left.extend(task.await.unwrap());
    }
    left.sort_unstable();
    let refused = truth.lock().unwrap().refused;
    // Nothing leaks: what was given up, lost or thrown away holds nothing back for ever.
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(governor.0.pace().waiting(), 0);
    assert_eq!(governor.pass(ROLES).await, Duration::ZERO);
    (left, refused)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn in_no_window_more_go_than_the_tenant_takes_and_the_tenant_refuses_none(all in travellers(), plan in 0_usize..4) {
        let (plan, burst, per_second) = [
            (RatePlan::Free, 2.0, 2.0),
            (RatePlan::EnterpriseNonProduction, 10.0, 2.0),
            (RatePlan::PrivateCloudDev, 20.0, 20.0),
            // Told by the tenant on the way.
            (RatePlan::Auto, 10.0, 2.0),
        ][plan];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (left, refused) = runtime.block_on(travel(plan, (burst, per_second), all));
        prop_assert_eq!(refused, 0);
        for (first, from) in left.iter().enumerate() {
            for (last, to) in left.iter().enumerate().skip(first) {
                let allowed = burst + per_second * (*to - *from).as_secs_f64();
                prop_assert!((last - first + 1) as f64 <= allowed + 1e-9, "{} of {allowed}", last - first + 1);
            }
        }
    }
}
