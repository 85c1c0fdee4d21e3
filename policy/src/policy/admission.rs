//! Whether any request of an operation can leave, for whoever explains a policy.
//!
//! A policy is asked about single requests when they leave. Whoever reads it wants to know of all that an operation can
//! send: whether some rule lets one through, be it for one id only, and whether the members of its body that matter may
//! be written.

use std::collections::BTreeSet;

use super::{
    Policy, RequestLine,
    request_rule::{ApiMethod, RequestRule},
};
use crate::{
    action::ApiRequest,
    denial::{Denial, DeniedBy, Remedy},
    reach::{self, Operation, Row},
};

/// What of an operation's reach the policy lets through.
#[derive(Debug)]
pub(super) struct OpenReach {
    pub(super) operation: &'static Operation,
    pub(super) row: &'static Row,
    /// The members that may be written, of those of the row.
    pub(super) members: Vec<&'static str>,
}

impl Policy {
    /// Checks that some request of an operation may leave; parameters of its path stand in braces.
    ///
    /// # Errors
    ///
    /// [`Denial`], with what refuses all of them.
    pub fn admits(&self, request: &ApiRequest) -> Result<(), Denial> {
        let Ok(own) = format!("{} {}", request.method, request.path).parse::<RequestRule>() else {
            return Ok(());
        };
        self.ways(&own).map(drop)?;
        let line = RequestLine::of(&request.method, &request.path);
        match own.methods.contains(&ApiMethod::Get) {
            true => Ok(()),
            false => self.reach.check(&line, reach::of_pattern(&request.method, &request.path)),
        }
    }

    /// Lists the reaches that are let through, by operation.
    pub(super) fn open_reach(&self) -> Vec<OpenReach> {
        let mut open = Vec::new();
        for operation in reach::operations() {
            let request = ApiRequest::new(operation.method, format!("/api/v2{}", operation.path));
            let Ok(own) = format!("{} {}", request.method, request.path).parse::<RequestRule>() else {
                continue;
            };
            if self.admits(&request).is_err() {
                continue;
            }
            let ways = self.ways(&own).unwrap_or_default();
            let denied = |row: &&Row| row.reach.is_some_and(|reach| !self.reach.denied.contains(reach));
            for row in operation.rows.iter().filter(denied) {
                let may_write = |member: &&&str| ways.iter().any(|way| self.may_write(way, member));
                let members: Vec<_> = row.members.iter().filter(may_write).copied().collect();
                if row.members.is_empty() || !members.is_empty() {
                    open.push(OpenReach { operation, row, members });
                }
            }
        }
        open
    }

    /// Returns the requests of an operation that rules let through, as rules: the operation's own, or the narrower ones that
    /// are allowed.
    fn ways(&self, own: &RequestRule) -> Result<Vec<RequestRule>, Denial> {
        let method = own.methods.iter().next().copied().unwrap_or(ApiMethod::Get);
        let line = || RequestLine::of(method.name(), &own.path.to_string());
        if self.read_only && method != ApiMethod::Get {
            return Err(Denial::new(DeniedBy::RequestWrites(line())).or(Remedy::AllowWriting));
        }
        let narrowed = |rule: &RequestRule| match own.path.covers(&rule.path) {
            true => RequestRule { methods: BTreeSet::from([method]), path: rule.path.clone() },
            false => own.clone(),
        };
        let allowed: Vec<RequestRule> = match &self.requests.allow {
            None => vec![own.clone()],
            Some(rules) => {
                let about = rules.iter().filter(|rule| rule.value.overlaps(own));
                about.map(|rule| narrowed(&rule.value)).collect()
            }
        };
        if allowed.is_empty() {
            let denied = DeniedBy::RequestNotAllowed { request: line(), as_decoded: false };
            return Err(Denial::new(denied).or(Remedy::AllowRequest { rule: own.to_string() }));
        }
        let denies = |way: &RequestRule| self.requests.deny.iter().find(|rule| rule.value.covers(way));
        let left: Vec<_> = allowed.iter().filter(|way| denies(way).is_none()).cloned().collect();
        match (left.is_empty(), allowed.iter().find_map(denies)) {
            (true, Some(rule)) => {
                let denied = DeniedBy::RequestRule { request: line(), rule: rule.to_string() };
                Err(Denial::new(denied).or(Remedy::ChangeRule))
            }
            _ => Ok(left),
        }
    }

    /// Returns whether some of these requests may write a member.
    fn may_write(&self, way: &RequestRule, member: &str) -> bool {
        let mut restricting = self.fields.iter().filter(|rule| rule.on.value.covers(way));
        restricting.all(|rule| rule.fields.permit(member))
    }
}
