//! Faults on purpose: what a network, an overloaded tenant or a broken proxy does to a caller.

use serde::{Deserialize, Serialize};

/// A fault, the requests that it hits, and how often.
///
/// In JSON (for `POST /__emulator/faults`):
/// `{"method":"POST","path_prefix":"/api/v2/users","times":1,"kind":{"delay":{"ms":200}}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only requests with this method; any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests whose raw path starts so, e.g. `/api/v2/users` or `/oauth/token`; any when absent.
    #[serde(default)]
    pub path_prefix: Option<String>,
    /// What happens.
    pub kind: FaultKind,
    /// How many requests it hits before it is gone; all of them when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// How many requests it lets pass first; none when absent.
    #[serde(default)]
    pub after: Option<u32>,
    /// Whether it hits only some of the requests, by chance; all of them when absent.
    #[serde(default)]
    pub chance: Option<Chance>,
}

/// A share of the requests, chosen by chance that repeats: from the same seed the same of the requests that it could
/// hit, counted in the order of their arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    /// How many of 1000 requests it hits, in the long run.
    pub per_mille: u16,
    /// Any number.
    #[serde(default)]
    pub seed: u64,
}

impl Chance {
    /// Returns whether request number `count` is one of them.
    fn hits(self, count: u64) -> bool {
        // One step of SplitMix64 (Steele, Lea and Flood, 2014): well mixed, and no state beside the count.
        let mut z = self.seed.wrapping_add(count.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % 1000 < u64::from(self.per_mille)
    }
}

impl Fault {
    /// Makes a fault that hits every request.
    pub fn new(kind: FaultKind) -> Self {
        Self { method: None, path_prefix: None, kind, times: None, after: None, chance: None }
    }

    /// Limits the fault to a method and a path prefix.
    #[must_use]
    pub fn on(mut self, method: &str, path_prefix: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path_prefix = Some(path_prefix.to_owned());
        self
    }

    /// Limits the fault to a path prefix.
    #[must_use]
    pub fn at(mut self, path_prefix: &str) -> Self {
        self.path_prefix = Some(path_prefix.to_owned());
        self
    }

    /// Limits the number of requests that the fault hits.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets the first requests pass that it could hit.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.after = Some(requests);
        self
    }

    /// Hits so many of 1000 requests, by chance that repeats from the same seed.
    #[must_use]
    pub fn chance(mut self, per_mille: u16, seed: u64) -> Self {
        self.chance = Some(Chance { per_mille, seed });
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.times != Some(0)
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_prefix.as_deref().is_none_or(|prefix| path.starts_with(prefix))
    }
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FaultKind {
    /// The request is processed, its answer comes this much later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is reset as soon as the head of the request is there; nothing is processed.
    ResetBeforeRead,
    /// The request is read **and processed**, then the connection is reset: the answer is lost.
    ResetAfterRead,
    /// The request is read and thrown away, then the connection is reset.
    ResetAfterReadUnprocessed,
    /// The request is processed; the answer ends in the middle of its body.
    Truncate,
    /// The request is processed; the answer's body is not JSON although its type says so.
    Malformed,
    /// The request is processed; the body comes in eight chunks with pauses.
    SlowBody {
        /// Milliseconds before each chunk.
        ms_per_chunk: u64,
    },
    /// Another status instead of the true answer.
    Status {
        /// The status to answer.
        status: u16,
        /// The body to answer; Auth0's error form when absent.
        #[serde(default)]
        body: Option<String>,
        /// A `Retry-After` header, in seconds.
        #[serde(default)]
        retry_after: Option<u32>,
        /// Whether the request is processed all the same, as behind a gateway that gave up.
        #[serde(default)]
        after_processing: bool,
    },
    /// A 429 with Auth0's body and headers; nothing is processed.
    TooManyRequests {
        /// A `Retry-After` header, in seconds; Auth0 documents none for the Management API.
        #[serde(default)]
        retry_after: Option<u32>,
        /// `x-ratelimit-reset` this many seconds from now; one second when absent.
        #[serde(default)]
        reset_in: Option<u32>,
    },
    /// 401 as for an expired token; nothing is processed.
    ExpiredToken,
    /// 401 as for a token whose key the tenant no longer has; nothing is processed.
    RevokedToken,
}

/// The faults that wait for their requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Waiting>);

/// A fault, and how many requests it has been asked about.
#[derive(Debug)]
struct Waiting {
    fault: Fault,
    asked: u64,
}

impl Waiting {
    /// Returns whether the request that comes now is hit, if it fits.
    fn strikes(&mut self, method: &str, path: &str) -> bool {
        if !self.fault.fits(method, path) {
            return false;
        }
        let count = self.asked;
        self.asked += 1;
        count >= u64::from(self.fault.after.unwrap_or(0))
            && self.fault.chance.is_none_or(|chance| chance.hits(count))
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(Waiting { fault, asked: 0 });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the first fault that hits this request.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<FaultKind> {
        let waiting =
            self.0.iter_mut().find_map(|waiting| waiting.strikes(method, path).then_some(waiting))?;
        if let Some(times) = &mut waiting.fault.times {
            *times = times.saturating_sub(1);
        }
        let kind = waiting.fault.kind.clone();
        self.0.retain(|waiting| waiting.fault.times != Some(0));
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_as_often_as_it_says_and_only_where_it_says() {
        let mut faults = Faults::default();
        faults.add(Fault::new(FaultKind::Truncate).on("POST", "/api/v2/users").times(2));
        assert_eq!(faults.take("GET", "/api/v2/users"), None);
        assert_eq!(faults.take("POST", "/api/v2/roles"), None);
        assert!(faults.take("POST", "/api/v2/users").is_some());
        assert!(faults.take("POST", "/api/v2/users/x").is_some());
        assert_eq!(faults.take("POST", "/api/v2/users"), None);
    }

    #[test]
    fn a_fault_can_let_requests_pass_first() {
        let mut faults = Faults::default();
        faults.add(Fault::new(FaultKind::Truncate).at("/api/v2/logs").after(1).times(1));
        assert_eq!(faults.take("GET", "/api/v2/logs"), None);
        assert_eq!(faults.take("GET", "/api/v2/users"), None);
        assert!(faults.take("GET", "/api/v2/logs").is_some());
        assert_eq!(faults.take("GET", "/api/v2/logs"), None);
    }

    #[test]
    fn a_share_of_the_requests_is_the_same_from_the_same_seed_and_about_as_large_as_asked() {
        let hit = |per_mille, seed| {
            let mut faults = Faults::default();
            faults.add(Fault::new(FaultKind::Truncate).chance(per_mille, seed));
            (0..10_000).map(|_| faults.take("GET", "/").is_some()).collect::<Vec<_>>()
        };
        let count = |per_mille, seed| hit(per_mille, seed).into_iter().filter(|hit| *hit).count();
        assert_eq!(hit(50, 7), hit(50, 7));
        assert_ne!(hit(50, 7), hit(50, 8));
        for seed in 0..20 {
            assert!((400..600).contains(&count(50, seed)), "{}", count(50, seed));
        }
        assert_eq!((count(0, 1), count(1000, 1)), (0, 10_000));
    }

    #[test]
    fn a_request_that_one_fault_passes_over_can_be_hit_by_the_next() {
        let mut faults = Faults::default();
        faults.add(Fault::new(FaultKind::Truncate).chance(0, 1));
        faults.add(Fault::new(FaultKind::Malformed));
        assert_eq!(faults.take("GET", "/"), Some(FaultKind::Malformed));
    }

    #[test]
    fn the_json_form_is_the_documented_one() {
        let json = r#"{"method":"POST","path_prefix":"/api/v2/users","times":1,"kind":{"delay":{"ms":200}}}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!(fault, Fault::new(FaultKind::Delay { ms: 200 }).on("POST", "/api/v2/users").times(1));
        let some: Fault = serde_json::from_str(
            r#"{"kind":"reset_after_read","after":1,"chance":{"per_mille":50,"seed":7}}"#,
        )
        .unwrap();
        assert_eq!(some, Fault::new(FaultKind::ResetAfterRead).after(1).chance(50, 7));
        let unit: Fault = serde_json::from_str(r#"{"kind":"reset_after_read"}"#).unwrap();
        assert_eq!(unit.kind, FaultKind::ResetAfterRead);
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"truncate","path":"/x"}"#).is_err());
    }
}
