//! Which actions a policy leaves, once it is known which there are.

use std::collections::BTreeMap;

use super::{ActionPattern, Located, Policy, PolicyError, Rules};
use crate::{
    action::{ActionSummary, CUSTOM_REQUEST, Effect},
    denial::{Denial, DeniedBy, Remedy},
};

/// The decision for each action.
#[derive(Clone, Debug)]
pub enum PermittedActions {
    /// No rule is about actions.
    All,
    /// The answer for each action there is.
    Known(BTreeMap<String, Result<(), Denial>>),
}

impl PermittedActions {
    /// Checks that an action may be run.
    pub fn check(&self, action: &str) -> Result<(), Denial> {
        match self {
            Self::All => Ok(()),
            Self::Known(actions) => actions
                .get(action)
                .cloned()
                .unwrap_or_else(|| Err(Denial::new(DeniedBy::UnknownAction).or(Remedy::CheckActionId))),
        }
    }
}

impl Policy {
    /// Returns whether the component has to be asked which actions there are.
    pub fn is_about_actions(&self) -> bool {
        self.read_only || self.actions != Rules::default()
    }

    /// Works out what the rules about actions mean for the actions that there are.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for a rule that is about no action, or has no effect.
    pub fn permit(&self, all: &[ActionSummary]) -> Result<PermittedActions, PolicyError> {
        let mut named = self.actions.allow.iter().flatten().chain(&self.actions.deny);
        if let Some(rule) = named.find(|rule| !all.iter().any(|action| rule.value.matches(&action.id))) {
            let kind =
                if rule.value.exact().is_some() { "there is no such action" } else { "it matches no action" };
            let hint = near(&rule.value.to_string(), all);
            return Err(rule.error(format!("{rule}: {kind}{hint}; see the list of actions")));
        }
        let decisions: Vec<_> = all.iter().map(|action| (action, self.decide(action))).collect();
        for rule in self.actions.allow.iter().flatten() {
            let mut about = decisions.iter().filter(|(action, _)| rule.value.matches(&action.id));
            if !about.clone().any(|(_, decision)| decision.is_ok()) {
                let reason = about.find_map(|(_, decision)| decision.as_ref().err());
                let reason = reason.map_or_else(String::new, |denial| denial.rule().to_string());
                return Err(rule.error(format!("{rule} has no effect: {reason}")));
            }
        }
        for rule in &self.actions.deny {
            let takes_away =
                |action: &ActionSummary| rule.value.matches(&action.id) && self.allows(&action.id);
            if !all.iter().any(takes_away) {
                return Err(rule.error(format!("{rule} has no effect: no action that it matches is allowed")));
            }
        }
        if !decisions.iter().any(|(_, decision)| decision.is_ok()) {
            return Err(PolicyError::new("the policy allows no action"));
        }
        if !self.is_about_actions() {
            return Ok(PermittedActions::All);
        }
        let known = decisions.into_iter().map(|(action, decision)| (action.id.clone(), decision));
        Ok(PermittedActions::Known(known.collect()))
    }

    fn allows(&self, id: &str) -> bool {
        let matches = |rules: &[Located<ActionPattern>]| rules.iter().any(|rule| rule.value.matches(id));
        self.actions.allow.as_deref().is_none_or(matches)
    }

    fn decide(&self, action: &ActionSummary) -> Result<(), Denial> {
        let ActionSummary { id, effect, .. } = action;
        let action = || id.clone();
        if let Some(rule) = self.actions.deny.iter().find(|rule| rule.value.matches(id)) {
            let rule = DeniedBy::ActionRule { action: action(), rule: rule.to_string() };
            return Err(Denial::new(rule).or(Remedy::ChangeRule));
        }
        if !self.allows(id) {
            return Err(Denial::new(DeniedBy::ActionNotAllowed { action: action() })
                .or(Remedy::AllowAction { action: action() }));
        }
        // What a custom request does is for the rules about requests, which are told its method.
        if self.read_only && *effect != Effect::Read && id != CUSTOM_REQUEST {
            return Err(Denial::new(DeniedBy::ActionWrites { action: action(), effect: *effect })
                .or(Remedy::AllowWriting));
        }
        Ok(())
    }
}

/// Names actions that are spelled nearly like a pattern, else those that share a word with it.
fn near(pattern: &str, all: &[ActionSummary]) -> String {
    let distance = |id: &str| strsim::osa_distance(pattern, id);
    let mut spelled: Vec<&str> = all.iter().map(|action| action.id.as_str()).collect();
    spelled.retain(|id| distance(id) * 3 <= id.len());
    spelled.sort_by_key(|id| distance(id));
    let words: Vec<&str> = pattern.split(['-', '*']).filter(|word| word.len() > 2).collect();
    let shares = |id: &str| {
        id.split('-')
            .filter(|word| words.iter().any(|own| word.starts_with(own) || own.starts_with(word)))
            .count()
    };
    let mut near: Vec<_> = all.iter().map(|action| (shares(&action.id), action.id.as_str())).collect();
    near.retain(|(count, _)| *count > 0);
    near.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let near = if spelled.is_empty() { near.into_iter().map(|(_, id)| id).collect() } else { spelled };
    let near: Vec<&str> = near.into_iter().take(3).collect();
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) }
}
