//! Which reaches a policy denies.
//!
//! A restriction like the others: it holds whatever rules allow, so that `* /api/v2/**` does not open what nobody had in
//! mind. Where nobody says anything it is [`ReachSet::DENIED_BY_DEFAULT`], and `deny_reach = []` is said aloud.

use std::fmt;

use http::HeaderMap;

use super::{
    Located, Policy, PolicyError,
    builder::List,
    located::Position,
    request_path::RequestPath,
    request_rule::{ApiMethod, RequestRule},
};
use crate::{
    denial::{Denial, DeniedBy, Malformed, Remedy, RequestLine},
    reach::{self, Judgement, Reach, ReachSet},
};

/// What is denied, and who said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReachRule {
    pub(super) denied: ReachSet,
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody.
    Default,
    /// `deny_reach`, with its position where a file has it.
    Written(Option<Position>),
}

impl Default for ReachRule {
    fn default() -> Self {
        Self { denied: ReachSet::DENIED_BY_DEFAULT, origin: Origin::Default }
    }
}

impl fmt::Display for ReachRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Default => f.write_str("the default policy"),
            Origin::Written(None) => f.write_str("the policy's `deny_reach`"),
            Origin::Written(Some(at)) => write!(f, "the policy's `deny_reach` (line {})", at.line),
        }
    }
}

impl ReachRule {
    /// Denies nothing.
    pub(super) const OPEN: Self = Self { denied: ReachSet::NONE, origin: Origin::Written(None) };

    /// Reads what the file or the builder says.
    pub(super) fn read(written: Option<List>, read_only: bool) -> Result<Self, PolicyError> {
        let Some(List { at, entries }) = written else { return Ok(Self::default()) };
        if read_only {
            let problem = "`deny_reach` has no effect: the policy is read-only, and what reads has no reach";
            return Err(PolicyError { at, problem: problem.to_owned() });
        }
        let mut denied = ReachSet::NONE;
        for entry in entries {
            let reach: Located<Reach> = entry.try_map(|text| text.parse())?;
            if denied.contains(reach.value) {
                return Err(reach.error(format!("{reach} is listed twice")));
            }
            denied = denied.with(reach.value);
        }
        Ok(Self { denied, origin: Origin::Written(at) })
    }

    /// Checks that none of these is denied.
    pub(super) fn check(&self, request: &RequestLine, judgements: Vec<Judgement>) -> Result<(), Denial> {
        let left = judgements.iter().fold(self.denied, |left, judgement| left.without(judgement.reach));
        let denied = judgements.into_iter().find(|judgement| self.denied.contains(judgement.reach));
        match denied {
            None => Ok(()),
            Some(judgement) => {
                let rule = DeniedBy::Reach { request: request.clone(), judgement, rule: self.to_string() };
                Err(Denial::new(rule).or(Remedy::AllowReach { deny: left }))
            }
        }
    }
}

/// Holds a request to what its call was agreed to, whatever the policy allows.
///
/// # Errors
///
/// [`Denial`], where it can do more.
pub fn check_agreed_reach(
    agreed: ReachSet,
    method: &http::Method,
    uri: &http::Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Denial> {
    let known = ApiMethod::read(method)?;
    if known == ApiMethod::Get {
        return Ok(());
    }
    let path =
        RequestPath::read(uri.path()).map_err(|problem| Denial::malformed(Malformed::Path(problem)))?;
    let judgements = reach::of_request(known.name(), &path, headers, body);
    match judgements.into_iter().find(|judgement| !agreed.contains(judgement.reach)) {
        None => Ok(()),
        Some(judgement) => {
            let request = RequestLine::new(method, uri.path());
            Err(Denial::new(DeniedBy::ReachNotAgreed { request, judgement }).or(Remedy::AgreeToReach))
        }
    }
}

impl Policy {
    /// Checks what a request can do beyond what it says.
    pub(super) fn check_reach(
        &self,
        method: ApiMethod,
        path: &RequestPath,
        headers: &HeaderMap,
        body: &[u8],
        request: &RequestLine,
    ) -> Result<(), Denial> {
        if method == ApiMethod::Get || self.reach.denied.is_empty() {
            return Ok(());
        }
        self.reach.check(request, reach::of_request(method.name(), path, headers, body))
    }

    /// Refuses a rule that allows nothing but what is denied for its reach.
    pub(super) fn check_rule_by_reach(&self, rule: &Located<RequestRule>) -> Result<(), PolicyError> {
        if self.reach.denied.is_empty()
            || rule.value.methods.contains(&ApiMethod::Get)
            || rule.value.path.is_change_password()
        {
            return Ok(());
        }
        let mut first: Option<Denial> = None;
        let mut left = self.reach.denied;
        for (request, operation) in self.operations_of(&rule.value) {
            match self.reach.check(&request, operation) {
                Ok(()) => return Ok(()),
                Err(denial) => {
                    if let Some(Remedy::AllowReach { deny }) = denial.remedy() {
                        left = left.iter().filter(|reach| deny.contains(*reach)).collect();
                    }
                    first.get_or_insert(denial);
                }
            }
        }
        let Some(denial) = first else { return Ok(()) };
        let remedy = Remedy::AllowReach { deny: left };
        Err(rule.error(format!("{rule} has no effect: {}; {}{remedy}", denial.rule(), remedy.lead_in())))
    }

    /// The writing operations that a rule is about, each with what all its requests can do; the rule itself where it is
    /// about none that is known.
    fn operations_of(&self, rule: &RequestRule) -> Vec<(RequestLine, Vec<Judgement>)> {
        let known: Vec<_> = reach::operations()
            .iter()
            .filter_map(|operation| {
                let text = format!("{} /api/v2{}", operation.method, operation.path);
                let own: RequestRule = text.parse().ok()?;
                rule.overlaps(&own).then(|| {
                    (
                        RequestLine::of(operation.method, &format!("/api/v2{}", operation.path)),
                        operation.whole(),
                    )
                })
            })
            .collect();
        if !known.is_empty() {
            return known;
        }
        let methods = rule.methods.iter();
        methods
            .map(|method| {
                let path = rule.path.to_string();
                let judged = reach::of_pattern(method.name(), &path);
                (RequestLine::of(method.name(), &path), judged)
            })
            .collect()
    }
}
