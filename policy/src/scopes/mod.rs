//! Which scopes actions need, and what that means for a token.
//!
//! Least privilege is a matter of arithmetic once each action tells what it needs: the smallest set of scopes that
//! meets every need, why each is in it, what a token lacks of it, and what a token has that nobody uses. All of it is
//! worked out here, without a tenant; `auth0-host scopes`, the scopes check of `doctor` and the check before a call's
//! first request use the same code.

mod hitting_set;
mod power;
mod sources;

use std::collections::BTreeSet;

use serde::Serialize;

pub use self::sources::{SourceError, parse_action_ids};
use self::{hitting_set::AnyOf, power::is_for_applications};
use crate::action::{ActionSummary, CUSTOM_REQUEST, ScopeRequirement};

/// The scopes that a set of actions needs.
///
/// ```
/// # use auth0_policy::{action::{ActionSummary, ScopeRequirement}, scopes::ScopePlan};
/// // `Host::find_actions` has the actions of the component.
/// let mut action = ActionSummary::new("get-user");
/// action.scopes = vec![ScopeRequirement::new(vec!["read:users".to_owned()], None)];
/// let plan = ScopePlan::new([&action], false);
/// assert_eq!(plan.names(), ["read:users"]);
/// assert_eq!(plan.compare(["read:roles"]).lacking[0].scope, "read:users");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScopePlan {
    /// The actions, in the order they were given.
    pub actions: Vec<String>,
    /// The smallest set that runs them.
    pub scopes: Vec<PlannedScope>,
    /// What only a part of an action needs, and the set does not meet: grant it where that part is used.
    pub optional: Vec<OptionalScope>,
    /// Actions whose requests the caller chooses, so that their scopes cannot be known.
    pub unknowable: Vec<String>,
    /// Whether no smaller set will do. False only where a component names so many scopes that the search was cut short.
    pub is_smallest: bool,
    #[serde(skip)]
    needs: Vec<Need>,
}

/// A scope of the smallest set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedScope {
    /// The scope.
    pub scope: String,
    /// What it is there for.
    pub needed_by: Vec<Reason>,
}

/// What a scope is needed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// The action.
    pub action: String,
    /// Scopes that would do instead.
    pub instead: Vec<String>,
    /// The part of the action that needs it, where the rest does without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_for: Option<String>,
}

/// What a part of an action needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OptionalScope {
    /// The action.
    pub action: String,
    /// Any one of these scopes will do.
    pub any_of: Vec<String>,
    /// The part that needs one.
    pub required_for: String,
}

/// What a token has, held against a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScopeDiff {
    /// What the token may do.
    pub granted: Vec<String>,
    /// The smallest set that it lacks.
    pub lacking: Vec<PlannedScope>,
    /// Granted scopes that serve only a part of an action.
    pub required_for_parts: Vec<String>,
    /// Granted scopes that no action of the plan needs.
    pub unused: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    action: String,
    any_of: BTreeSet<String>,
    required_for: Option<String>,
}

impl Need {
    fn is_met_by(&self, scopes: &BTreeSet<&str>) -> bool {
        self.any_of.iter().any(|scope| scopes.contains(scope.as_str()))
    }

    /// Returns the scopes to choose from.
    fn choices(&self) -> AnyOf<'_> {
        choices(&self.any_of)
    }
}

/// Leaves out what is no use to an application, where there is something else.
fn choices<'a>(any_of: impl IntoIterator<Item = &'a String> + Copy) -> AnyOf<'a> {
    let all = || any_of.into_iter().map(String::as_str);
    let useful: AnyOf<'_> = all().filter(|scope| is_for_applications(scope)).collect();
    if useful.is_empty() { all().collect() } else { useful }
}

impl ScopePlan {
    /// Plans for these actions. What only parts of them need is planned too where `with_parts` says so.
    pub fn new<'a>(actions: impl IntoIterator<Item = &'a ActionSummary>, with_parts: bool) -> Self {
        let mut plan = Self {
            actions: Vec::new(),
            scopes: Vec::new(),
            optional: Vec::new(),
            unknowable: Vec::new(),
            is_smallest: true,
            needs: Vec::new(),
        };
        for ActionSummary { id, scopes, .. } in actions {
            if plan.actions.contains(id) {
                continue;
            }
            plan.actions.push(id.clone());
            if id == CUSTOM_REQUEST {
                plan.unknowable.push(id.clone());
            }
            // A need of nothing is none.
            plan.needs.extend(scopes.iter().filter(|need| !need.any_of.is_empty()).map(|need| Need {
                action: id.clone(),
                any_of: need.any_of.iter().cloned().collect(),
                required_for: need.required_for.clone(),
            }));
        }
        let wanted = plan.needs.iter().filter(|need| with_parts || need.required_for.is_none());
        let (scopes, is_smallest) = planned(wanted);
        let chosen: BTreeSet<&str> = scopes.iter().map(|planned| planned.scope.as_str()).collect();
        plan.optional = plan
            .needs
            .iter()
            .filter(|need| !need.is_met_by(&chosen))
            .filter_map(|need| {
                Some(OptionalScope {
                    action: need.action.clone(),
                    any_of: need.any_of.iter().cloned().collect(),
                    required_for: need.required_for.clone()?,
                })
            })
            .collect();
        (plan.scopes, plan.is_smallest) = (scopes, is_smallest);
        plan
    }

    /// Holds what a token may do against the plan.
    pub fn compare<'a>(&self, granted: impl IntoIterator<Item = &'a str>) -> ScopeDiff {
        let granted: BTreeSet<&str> = granted.into_iter().collect();
        let (always, parts): (Vec<&Need>, Vec<&Need>) =
            self.needs.iter().partition(|need| need.required_for.is_none());
        let (met, unmet): (Vec<&Need>, Vec<&Need>) =
            always.into_iter().partition(|need| need.is_met_by(&granted));
        let of_granted = |need: &&Need| -> AnyOf<'_> {
            granted.iter().copied().filter(|scope| need.any_of.contains(*scope)).collect()
        };
        let used = hitting_set::choose(met.iter().map(of_granted)).scopes;
        let part: BTreeSet<&str> =
            parts.iter().flat_map(of_granted).filter(|scope| !used.contains(scope)).collect();
        let owned = |scopes: &mut dyn Iterator<Item = &str>| scopes.map(str::to_owned).collect();
        ScopeDiff {
            lacking: planned(unmet).0,
            unused: owned(
                &mut granted.iter().copied().filter(|scope| !used.contains(scope) && !part.contains(scope)),
            ),
            required_for_parts: owned(&mut part.iter().copied()),
            granted: owned(&mut granted.iter().copied()),
        }
    }

    /// Returns the names of the smallest set.
    pub fn names(&self) -> Vec<&str> {
        self.scopes.iter().map(|planned| planned.scope.as_str()).collect()
    }
}

/// Chooses scopes, with the reasons for each.
fn planned<'a>(needs: impl IntoIterator<Item = &'a Need>) -> (Vec<PlannedScope>, bool) {
    let needs: Vec<&Need> = needs.into_iter().collect();
    let choice = hitting_set::choose(needs.iter().map(|need| need.choices()));
    let reasons = |scope: &str| -> Vec<Reason> {
        let about = needs.iter().filter(|need| need.any_of.contains(scope));
        about
            .map(|need| Reason {
                action: need.action.clone(),
                instead: need.any_of.iter().filter(|other| *other != scope).cloned().collect(),
                required_for: need.required_for.clone(),
            })
            .collect()
    };
    let scopes = choice
        .scopes
        .iter()
        .map(|scope| PlannedScope { scope: (*scope).to_owned(), needed_by: reasons(scope) });
    (scopes.collect(), choice.is_smallest)
}

/// Returns the smallest set of scopes that a token lacks for an action; nothing where it has enough. `granted` says of a
/// scope whether the token has it.
pub fn lacking(needs: &[ScopeRequirement], granted: impl Fn(&str) -> bool) -> Vec<String> {
    let unmet = needs.iter().filter(|need| {
        need.required_for.is_none()
            && !need.any_of.is_empty()
            && !need.any_of.iter().any(|scope| granted(scope))
    });
    hitting_set::choose(unmet.map(|need| choices(&need.any_of)))
        .scopes
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> [ActionSummary; 5] {
        [
            ActionSummary::needing("get-user", &[(&["read:users", "read:current_user"], None)]),
            ActionSummary::needing(
                "get-application",
                &[
                    (&["read:clients", "read:client_keys"], None),
                    (&["read:client_keys"], Some("`client_secret`")),
                ],
            ),
            ActionSummary::needing(
                "assign-user-roles",
                &[(&["update:users"], None), (&["read:roles"], None)],
            ),
            ActionSummary::needing("custom-request", &[]),
            ActionSummary::needing("odd", &[(&[], None)]),
        ]
    }

    fn scopes(planned: &[PlannedScope]) -> Vec<&str> {
        planned.iter().map(|planned| planned.scope.as_str()).collect()
    }

    #[test]
    fn a_plan_is_the_smallest_set_with_its_reasons_and_parts_are_apart() {
        let plan = ScopePlan::new(&some(), false);
        assert_eq!(plan.names(), ["read:clients", "read:roles", "read:users", "update:users"]);
        assert_eq!(plan.unknowable, ["custom-request"]);
        let [optional] = plan.optional.as_slice() else { panic!("{:?}", plan.optional) };
        assert_eq!(
            (optional.action.as_str(), optional.required_for.as_str()),
            ("get-application", "`client_secret`")
        );
        let clients = plan.scopes.first().unwrap().needed_by.first().unwrap();
        assert_eq!(
            (clients.action.as_str(), clients.instead.as_slice()),
            ("get-application", &["read:client_keys".to_owned()][..])
        );
        // What the part needs is enough for the whole: one scope, not two.
        let plan = ScopePlan::new(&some(), true);
        assert_eq!(plan.names(), ["read:client_keys", "read:roles", "read:users", "update:users"]);
        assert!(plan.optional.is_empty());
        assert_eq!(ScopePlan::new(some().iter().chain(&some()), false).actions.len(), 5, "each action once");
    }

    #[test]
    fn a_token_is_told_what_it_lacks_and_what_nobody_uses() {
        let plan = ScopePlan::new(&some(), false);
        for (granted, lacking, parts, unused) in [
            (&[][..], &["read:clients", "read:roles", "read:users", "update:users"][..], &[][..], &[][..]),
            (&["read:users", "read:clients", "read:roles", "update:users"], &[], &[], &[]),
            // One will do, and the other serves a part.
            (
                &["read:users", "read:clients", "read:client_keys", "read:roles", "update:users"],
                &[],
                &["read:client_keys"],
                &[],
            ),
            (
                &["read:client_keys", "read:stats"],
                &["read:roles", "read:users", "update:users"],
                &[],
                &["read:stats"],
            ),
        ] {
            let report = plan.compare(granted.iter().copied());
            assert_eq!(scopes(&report.lacking), lacking, "{granted:?}");
            assert_eq!(
                (report.required_for_parts, report.unused),
                (owned(parts), owned(unused)),
                "{granted:?}"
            );
        }
    }

    fn owned(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    #[test]
    fn of_a_call_only_what_it_cannot_do_without_is_lacking() {
        let [user, application, roles, custom, odd] = some();
        for (action, granted, expected) in [
            (&user, "", &["read:users"][..]),
            (&user, "read:users read:roles", &[]),
            (&user, "read:current_user", &[]),
            (&application, "read:clients", &[]),
            (&application, "read:users", &["read:clients"]),
            (&roles, "read:users", &["read:roles", "update:users"]),
            (&roles, "update:users", &["read:roles"]),
            (&custom, "", &[]),
            (&odd, "", &[]),
        ] {
            let has = |scope: &str| granted.split(' ').any(|granted| granted == scope);
            assert_eq!(lacking(&action.scopes, has), expected, "{} with {granted:?}", action.id);
        }
    }
}
