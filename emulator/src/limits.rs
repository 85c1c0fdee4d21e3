//! Rate limits per plan: token buckets with Auth0's sizes and headers.
//!
//! The tenant-wide bucket of the Management API is checked first, then the bucket of the endpoint. Figures: facts
//! sheet, section 3, which quotes Auth0's published tables.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use jiff::Timestamp;

/// The subscription whose limits the tenant keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Plan {
    /// 2 requests at once, 2 per second.
    Free,
    /// Buckets per endpoint; all other endpoints share 10 requests at once, 150 per minute.
    Essentials,
    /// The limits of [`Plan::Essentials`].
    Professional,
    /// 50 requests at once, 16 per second, and smaller buckets for some endpoints.
    Enterprise,
    /// 10 requests at once, 2 per second, and the smaller buckets of [`Plan::Enterprise`].
    EnterpriseNonProduction,
    /// 20 requests at once, 20 per second: the smallest private cloud.
    PrivateCloudDev,
    /// No limits, for tests that are about something else.
    #[default]
    Unlimited,
}

const NAMES: [(Plan, &str); 7] = [
    (Plan::Free, "free"),
    (Plan::Essentials, "essentials"),
    (Plan::Professional, "professional"),
    (Plan::Enterprise, "enterprise"),
    (Plan::EnterpriseNonProduction, "enterprise-nonproduction"),
    (Plan::PrivateCloudDev, "private-cloud-dev"),
    (Plan::Unlimited, "unlimited"),
];

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(plan, _)| plan == self).map(|(_, name)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl FromStr for Plan {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        let named = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        named.map(|(plan, _)| *plan).ok_or_else(|| UnknownPlan(text.to_owned()))
    }
}

/// A plan that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown plan `{0}`: one of {names}", names = NAMES.map(|(_, name)| name).join(", "))]
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
            Plan::Essentials | Plan::Professional => minute(10.0, 150.0),
            Plan::Enterprise => rate(50.0, 16.0),
            Plan::EnterpriseNonProduction => rate(10.0, 2.0),
            Plan::PrivateCloudDev => rate(20.0, 20.0),
        };
        let endpoint = self.endpoint(key);
        // On Essentials and Professional only endpoints without a bucket of their own share one.
        let shares = endpoint.is_none() || !matches!(self.plan, Plan::Essentials | Plan::Professional);
        let shared = shares.then(|| self.take("management", global));
        if let Some((false, standing)) = shared {
            return Verdict::GlobalEmpty(standing);
        }
        match (endpoint.map(|(name, rate)| self.take(name, rate)), shared) {
            (Some((true, own)), _) => Verdict::Pass(own),
            (Some((false, own)), _) => Verdict::EndpointEmpty(own),
            (None, Some((_, standing))) => Verdict::Pass(standing),
            (None, None) => Verdict::Unlimited,
        }
    }

    /// How many days the plan keeps the tenant's log.
    pub(crate) fn log_retention_days(&self) -> i64 {
        match self.plan {
            Plan::Free => 1,
            Plan::Essentials => 5,
            Plan::Professional => 10,
            Plan::Enterprise | Plan::EnterpriseNonProduction | Plan::PrivateCloudDev | Plan::Unlimited => 30,
        }
    }

    /// Returns whether an empty bucket is worth a log row: the first of each minute is.
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
            Plan::Essentials | Plan::Professional => rate(25.0, 25.0),
            // [?] Of a private cloud's development tenant and of non-production ones no figure is published: as production.
            Plan::Enterprise | Plan::EnterpriseNonProduction | Plan::PrivateCloudDev => rate(100.0, 100.0),
        };
        let (passed, standing) = self.take("oauth/token", rate);
        if passed { Verdict::Pass(standing) } else { Verdict::GlobalEmpty(standing) }
    }

    /// The bucket of an endpoint; per-minute figures as a share of a second.
    fn endpoint(&self, key: &str) -> Option<(&'static str, Rate)> {
        let (method, path) = key.split_once(' ')?;
        match self.plan {
            Plan::Free => free(method, path),
            Plan::Essentials | Plan::Professional => essentials(method, path),
            Plan::Enterprise | Plan::EnterpriseNonProduction => enterprise(method, path),
            Plan::PrivateCloudDev | Plan::Unlimited => None,
        }
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

const fn minute(burst: f64, per_minute: f64) -> Rate {
    rate(burst, per_minute / 60.0)
}

fn free(method: &str, path: &str) -> Option<(&'static str, Rate)> {
    Some(match (method, path) {
        ("GET", "/emails/provider") => ("email provider read", minute(5.0, 25.0)),
        (_, "/emails/provider") => ("email provider write", minute(5.0, 25.0)),
        ("GET", path) if is_template(path) => ("email templates read", minute(10.0, 50.0)),
        (_, path) if is_template(path) => ("email templates write", minute(5.0, 25.0)),
        _ => return None,
    })
}

fn essentials(method: &str, path: &str) -> Option<(&'static str, Rate)> {
    Some(match (method, path) {
        ("GET", "/users" | "/users/{id}") => ("users read", minute(40.0, 500.0)),
        ("POST", "/users") | ("PATCH", "/users/{id}") => ("users write", minute(20.0, 200.0)),
        ("DELETE", "/users/{id}") => ("users delete", minute(20.0, 200.0)),
        ("GET", "/logs" | "/logs/{id}") => ("logs read", minute(10.0, 100.0)),
        ("GET", "/clients" | "/clients/{id}") => ("clients read", minute(5.0, 100.0)),
        ("GET", "/connections" | "/connections/{id}") => ("connections read", minute(5.0, 50.0)),
        ("GET", "/organizations") => ("organizations read", minute(5.0, 50.0)),
        ("GET", "/organizations/{id}") => ("organization read", minute(20.0, 200.0)),
        ("GET", "/organizations/name/{name}") => ("organization by name", minute(10.0, 100.0)),
        (_, "/organizations" | "/organizations/{id}") => ("organizations write", minute(5.0, 25.0)),
        // The same figures.
        _ => return free(method, path),
    })
}

fn enterprise(method: &str, path: &str) -> Option<(&'static str, Rate)> {
    Some(match (method, path) {
        ("GET", "/organizations") => ("organizations read", minute(10.0, 100.0)),
        ("GET", "/organizations/{id}") => ("organization read", minute(10.0, 100.0)),
        ("GET", "/organizations/name/{name}") => ("organization by name", minute(20.0, 200.0)),
        (_, "/organizations" | "/organizations/{id}") => ("organizations write", minute(5.0, 150.0)),
        ("GET", "/users/{id}/organizations") => ("user organizations", minute(40.0, 500.0)),
        ("GET", "/emails/provider") => ("email provider read", minute(15.0, 150.0)),
        (_, "/emails/provider") => ("email provider write", minute(10.0, 100.0)),
        ("GET", path) if is_template(path) => ("email templates read", minute(15.0, 150.0)),
        (_, path) if is_template(path) => ("email templates write", minute(10.0, 100.0)),
        _ => return None,
    })
}

fn is_template(path: &str) -> bool {
    path.starts_with("/email-templates")
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
    fn on_essentials_an_endpoint_with_its_own_bucket_uses_no_other() {
        let mut limits = Limits::new(Plan::Essentials);
        for _ in 0..40 {
            assert!(matches!(limits.management("GET /users"), Verdict::Pass(s) if s.limit == 40));
        }
        assert!(matches!(limits.management("GET /users"), Verdict::EndpointEmpty(_)));
        for _ in 0..10 {
            assert!(matches!(limits.management("GET /roles"), Verdict::Pass(s) if s.limit == 10));
        }
        assert!(matches!(limits.management("GET /roles"), Verdict::GlobalEmpty(_)));
    }

    #[test]
    fn plans_parse_from_their_names() {
        for (plan, _) in NAMES {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        assert!("gold".parse::<Plan>().unwrap_err().to_string().contains("`gold`"));
    }
}
