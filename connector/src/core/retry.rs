//! Whether to try again, and when: a pure decision, so that it can be tested by table and by property.
//!
//! A 429 was refused before anything happened, so any method may be repeated. 5xx and lost connections are repeated
//! only where repeating is harmless. Never past the deadline: an engine has its own durable timer, we have not.

use super::request::Method;

/// First wait where the tenant names none; doubled each time. The constant of all official SDKs (facts, section 3).
const FIRST_WAIT_MS: u64 = 1000;

/// Longest wait without the tenant's word; the official SDKs' cap.
const LONGEST_WAIT_MS: u64 = 60_000;

/// What happened to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// 429, with the wait that the tenant asked for.
    Throttled {
        /// From `Retry-After`, else from `x-ratelimit-reset`.
        wait_ms: Option<u64>,
    },
    /// 5xx.
    ServerError,
    /// The request may have been processed; no answer came.
    Lost,
    /// The request never left, or was refused below HTTP.
    NotSent,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Wait, then send again.
    Again {
        /// How long to wait.
        wait_ms: u64,
    },
    /// Report the failure.
    Stop,
}

/// Decides after attempt number `made` (1 for the first). `jitter` is any random number.
pub(crate) fn decide(
    method: Method,
    attempt: Attempt,
    made: u32,
    max_retries: u32,
    remaining_ms: u64,
    jitter: u64,
) -> Decision {
    let allowed = match attempt {
        Attempt::Throttled { .. } | Attempt::NotSent => true,
        Attempt::ServerError | Attempt::Lost => method.is_repeatable(),
    };
    if !allowed || made > max_retries {
        return Decision::Stop;
    }
    let wait_ms = match attempt {
        // The tenant's word is a lower bound: a little later never hurts, a little earlier is another 429.
        Attempt::Throttled { wait_ms: Some(wait_ms) } if wait_ms > 0 => wait_ms.saturating_add(jitter % 100),
        // No word, or a time that has passed already: a clock that is ahead must not make this a storm.
        _ => backoff_ms(made, jitter),
    };
    // A wait that ends at the deadline leaves no time for the request itself.
    if wait_ms >= remaining_ms { Decision::Stop } else { Decision::Again { wait_ms } }
}

/// 1 s · 2ⁿ, capped, then up to 10 % less or more, so that many callers do not come back together.
fn backoff_ms(made: u32, jitter: u64) -> u64 {
    let wait = FIRST_WAIT_MS.saturating_mul(1 << made.saturating_sub(1).min(16)).min(LONGEST_WAIT_MS);
    wait - wait / 10 + jitter % (wait / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Method; 5] = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];

    #[test]
    fn a_429_is_repeated_for_every_method_after_the_tenants_word() {
        for method in ALL {
            let decision = decide(method, Attempt::Throttled { wait_ms: Some(2500) }, 1, 2, 30_000, 0);
            assert_eq!(decision, Decision::Again { wait_ms: 2500 });
        }
    }

    #[test]
    fn a_lost_write_is_never_repeated() {
        for attempt in [Attempt::Lost, Attempt::ServerError] {
            for method in [Method::Post, Method::Patch] {
                assert_eq!(decide(method, attempt, 1, 10, u64::MAX, 7), Decision::Stop);
            }
            for method in [Method::Get, Method::Put, Method::Delete] {
                assert!(matches!(decide(method, attempt, 1, 2, 30_000, 7), Decision::Again { .. }));
            }
        }
    }

    #[test]
    fn a_reset_in_the_past_is_no_reason_to_come_back_at_once() {
        let decision = decide(Method::Post, Attempt::Throttled { wait_ms: Some(0) }, 1, 2, 30_000, 0);
        assert_eq!(decision, Decision::Again { wait_ms: 900 });
    }

    #[test]
    fn retries_end() {
        assert_eq!(decide(Method::Get, Attempt::ServerError, 3, 2, u64::MAX, 0), Decision::Stop);
        assert_eq!(decide(Method::Get, Attempt::ServerError, 1, 0, u64::MAX, 0), Decision::Stop);
    }

    proptest! {
        #[test]
        fn no_wait_reaches_the_deadline(
            method in 0_usize..5, wait in proptest::option::of(any::<u64>()), made in 1_u32..40,
            remaining in any::<u64>(), jitter in any::<u64>(),
        ) {
            let attempt = Attempt::Throttled { wait_ms: wait };
            if let Decision::Again { wait_ms } = decide(ALL[method], attempt, made, 40, remaining, jitter) {
                prop_assert!(wait_ms < remaining);
                prop_assert!(wait_ms >= wait.unwrap_or(0).max(u64::from(wait.unwrap_or(0) == 0) * 900));
                if wait.unwrap_or(0) == 0 {
                    prop_assert!(wait_ms <= LONGEST_WAIT_MS + LONGEST_WAIT_MS / 10);
                }
            }
        }
    }
}
