//! Rate limits per plan: token buckets with Auth0's sizes and headers.
//!
//! The tenant-wide bucket of the Management API is checked first, then the bucket of the endpoint. Figures: facts sheet,
//! section 3, which quotes Auth0's published tables.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use jiff::Timestamp;

/// The subscription whose limits the tenant keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plan {
    /// 2 requests at once, 2 per second.
    Free,
    /// 50 requests at once, 16 per second, and smaller buckets for some endpoints.
    Enterprise,
    /// No limits, for tests that are about something else.
    #[default]
    Unlimited,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "free",
            Self::Enterprise => "enterprise",
            Self::Unlimited => "unlimited",
        })
    }
}

impl FromStr for Plan {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        match text.to_ascii_lowercase().as_str() {
            "free" => Ok(Self::Free),
            "enterprise" => Ok(Self::Enterprise),
            "unlimited" => Ok(Self::Unlimited),
            _ => Err(UnknownPlan(text.to_owned())),
        }
    }
}

/// A plan that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown plan `{0}`: one of free, enterprise, unlimited")]
pub struct UnknownPlan(String);

/// A bucket's size and its refill per second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    burst: f64,
    per_second: f64,
}

const fn rate(burst: f64, per_second: f64) -> Rate {
    Rate { burst, per_second }
}

/// What a bucket says about itself in headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Unix seconds of the next refill.
    pub(crate) reset: i64,
}

/// The verdict on one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unlimited,
    Pass(Standing),
    /// The tenant-wide bucket is empty.
    GlobalEmpty(Standing),
    /// The endpoint's bucket is empty.
    EndpointEmpty(Standing),
}

#[derive(Debug)]
struct Bucket {
    rate: Rate,
    level: f64,
    at: Instant,
}

/// All buckets of a tenant.
#[derive(Debug)]
pub(crate) struct Limits {
    plan: Plan,
    buckets: BTreeMap<&'static str, Bucket>,
    reported: Option<Instant>,
}

impl Limits {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, buckets: BTreeMap::new(), reported: None }
    }

    /// Takes a token for a Management API request.
    pub(crate) fn management(&mut self, key: &str) -> Verdict {
        let global = match self.plan {
            Plan::Unlimited => return Verdict::Unlimited,
            Plan::Free => rate(2.0, 2.0),
            Plan::Enterprise => rate(50.0, 16.0),
        };
        let (passed, standing) = self.take("management", global);
        if !passed {
            return Verdict::GlobalEmpty(standing);
        }
        if let Some((name, rate)) = self.endpoint(key) {
            let (passed, own) = self.take(name, rate);
            return if passed { Verdict::Pass(own) } else { Verdict::EndpointEmpty(own) };
        }
        Verdict::Pass(standing)
    }

    /// How many days the plan keeps the tenant's log.
    pub(crate) fn log_retention_days(&self) -> i64 {
        match self.plan {
            Plan::Free => 1,
            Plan::Enterprise | Plan::Unlimited => 30,
        }
    }

    /// Whether an empty bucket is worth a log row: the first of each minute is.
    pub(crate) fn worth_reporting(&mut self) -> bool {
        let quiet = self.reported.is_some_and(|at| at.elapsed().as_secs() < 60);
        if !quiet {
            self.reported = Some(Instant::now());
        }
        !quiet
    }

    /// Takes a token for a request to the token endpoint.
    pub(crate) fn authentication(&mut self) -> Verdict {
        let rate = match self.plan {
            Plan::Unlimited => return Verdict::Unlimited,
            Plan::Free => rate(30.0, 30.0),
            Plan::Enterprise => rate(100.0, 100.0),
        };
        let (passed, standing) = self.take("oauth/token", rate);
        if passed { Verdict::Pass(standing) } else { Verdict::GlobalEmpty(standing) }
    }

    /// The endpoint buckets that are published for Free and Enterprise; per-minute figures as a share of a second.
    fn endpoint(&self, key: &str) -> Option<(&'static str, Rate)> {
        let (method, path) = key.split_once(' ')?;
        let read = method == "GET";
        let minute = |burst: f64, per_minute: f64| rate(burst, per_minute / 60.0);
        let enterprise = self.plan == Plan::Enterprise;
        Some(match path {
            "/organizations" if enterprise && read => ("organizations read", minute(10.0, 100.0)),
            "/organizations/{id}" if enterprise && read => ("organization read", minute(10.0, 100.0)),
            "/organizations/name/{name}" if enterprise => ("organization by name", minute(20.0, 200.0)),
            "/organizations" | "/organizations/{id}" if enterprise => {
                ("organizations write", minute(5.0, 150.0))
            }
            "/users/{id}/organizations" if enterprise => ("user organizations", minute(40.0, 500.0)),
            "/emails/provider" if read => {
                ("email provider read", if enterprise { minute(15.0, 150.0) } else { minute(5.0, 25.0) })
            }
            "/emails/provider" => {
                ("email provider write", if enterprise { minute(10.0, 100.0) } else { minute(5.0, 25.0) })
            }
            path if path.starts_with("/email-templates") && read => {
                ("email templates read", if enterprise { minute(15.0, 150.0) } else { minute(10.0, 50.0) })
            }
            path if path.starts_with("/email-templates") => {
                ("email templates write", if enterprise { minute(10.0, 100.0) } else { minute(5.0, 25.0) })
            }
            _ => return None,
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "levels are small and not negative"
    )]
    fn take(&mut self, name: &'static str, rate: Rate) -> (bool, Standing) {
        let now = Instant::now();
        let bucket = self.buckets.entry(name).or_insert(Bucket { rate, level: rate.burst, at: now });
        let refill = now.duration_since(bucket.at).as_secs_f64() * bucket.rate.per_second;
        bucket.level = (bucket.level + refill).min(bucket.rate.burst);
        bucket.at = now;
        let passed = bucket.level >= 1.0;
        if passed {
            bucket.level -= 1.0;
        }
        // Whole seconds, as the header has no others: a caller that waits for them finds a token.
        let wait = ((1.0 - bucket.level).max(0.0) / bucket.rate.per_second).ceil() as i64;
        let standing = Standing {
            limit: bucket.rate.burst as u64,
            remaining: bucket.level as u64,
            reset: Timestamp::now().as_second() + wait.max(1),
        };
        (passed, standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_plan_passes_two_and_refuses_the_third() {
        let mut limits = Limits::new(Plan::Free);
        assert!(
            matches!(limits.management("GET /users"), Verdict::Pass(s) if s.limit == 2 && s.remaining == 1)
        );
        assert!(matches!(limits.management("GET /users"), Verdict::Pass(_)));
        assert!(matches!(limits.management("GET /users"), Verdict::GlobalEmpty(s) if s.remaining == 0));
    }

    #[test]
    fn enterprise_has_a_smaller_bucket_for_the_email_provider() {
        let mut limits = Limits::new(Plan::Enterprise);
        let refused = (0..20)
            .filter(|_| matches!(limits.management("POST /emails/provider"), Verdict::EndpointEmpty(_)));
        assert_eq!(refused.count(), 10);
    }

    #[test]
    fn plans_parse_from_their_names() {
        for plan in [Plan::Free, Plan::Enterprise, Plan::Unlimited] {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        assert!("gold".parse::<Plan>().unwrap_err().to_string().contains("`gold`"));
    }
}
