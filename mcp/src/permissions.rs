//! Which actions an agent gets, before any policy is asked.

use auth0_host::{ActionPattern, ActionSummary, Effect};

/// What the options of the command allow. Denying comes first, whatever is allowed; writing needs its own word.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// Whether actions may do more than read.
    pub write: bool,
    /// Only these, where there are any.
    pub allow: Vec<ActionPattern>,
    /// None of these.
    pub deny: Vec<ActionPattern>,
}

/// Why an action is not offered, and which option would offer it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the action `{action}` is denied: `auth0-host mcp` was started with --deny '{pattern}'")]
    Denied { action: String, pattern: ActionPattern },
    #[error(
        "the action `{action}` is not among those that are allowed: start `auth0-host mcp` with --allow '{action}' too"
    )]
    NotAllowed { action: String },
    #[error(
        "this server only reads, and the effect of the action `{action}` is {effect}: to allow it, start `auth0-host mcp` \
         with --write"
    )]
    ReadOnly { action: String, effect: Effect },
}

impl Permissions {
    /// Checks whether an action is offered.
    pub(super) fn check(&self, action: &ActionSummary) -> Result<(), Refusal> {
        let id = || action.id.clone();
        if let Some(pattern) = self.denied_by(&action.id) {
            return Err(Refusal::Denied { action: id(), pattern: pattern.clone() });
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|pattern| pattern.matches(&action.id)) {
            return Err(Refusal::NotAllowed { action: id() });
        }
        if !self.write && action.effect != Effect::Read {
            return Err(Refusal::ReadOnly { action: id(), effect: action.effect });
        }
        Ok(())
    }

    /// Returns the pattern that denies an action.
    pub(super) fn denied_by(&self, id: &str) -> Option<&ActionPattern> {
        self.deny.iter().find(|pattern| pattern.matches(id))
    }

    /// Returns the first pattern that is about no action: a mistyped one that protects nothing is worse than none.
    pub(super) fn idle<'a>(&'a self, actions: &[ActionSummary]) -> Option<&'a ActionPattern> {
        let matches_any = |pattern: &ActionPattern| actions.iter().any(|action| pattern.matches(&action.id));
        self.deny.iter().chain(&self.allow).find(|pattern| !matches_any(pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::tests::summary;

    fn permissions(write: bool, allow: &[&str], deny: &[&str]) -> Permissions {
        let patterns =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<ActionPattern>>();
        Permissions { write, allow: patterns(allow), deny: patterns(deny) }
    }

    #[test]
    fn denying_wins_and_writing_needs_its_own_word() {
        for (write, allow, deny, id, effect, option) in [
            (false, &[][..], &[][..], "get-user", Effect::Read, None),
            (false, &[], &[], "delete-user", Effect::Delete, Some("--write")),
            (false, &[], &[], "create-user", Effect::Create, Some("--write")),
            (false, &[], &[], "update-user", Effect::Update, Some("--write")),
            (false, &[], &[], "send-email", Effect::Send, Some("--write")),
            (true, &[], &[], "delete-user", Effect::Delete, None),
            // To name an action is not to let it write.
            (false, &["delete-user"], &[], "delete-user", Effect::Delete, Some("--write")),
            (true, &["get-*"], &[], "get-user", Effect::Read, None),
            (true, &["get-*"], &[], "delete-user", Effect::Delete, Some("--allow 'delete-user'")),
            (true, &["get-*", "delete-user"], &[], "delete-user", Effect::Delete, None),
            (true, &["delete-user"], &["delete-*"], "delete-user", Effect::Delete, Some("--deny 'delete-*'")),
            (true, &["*"], &["*"], "get-user", Effect::Read, Some("--deny '*'")),
        ] {
            let result = permissions(write, allow, deny).check(&summary(id, effect));
            let case = format!("{write} {allow:?} {deny:?} {id}: {result:?}");
            match option {
                None => assert!(result.is_ok(), "{case}"),
                Some(option) => assert!(result.unwrap_err().to_string().contains(option), "{case}"),
            }
        }
    }

    #[test]
    fn a_pattern_that_is_about_nothing_is_found() {
        let all = [summary("get-user", Effect::Read)];
        assert_eq!(permissions(false, &["get-*"], &[]).idle(&all), None);
        for (allow, deny) in [(&["get-user", "get-usr"][..], &[][..]), (&[], &["get-usr"])] {
            assert_eq!(permissions(false, allow, deny).idle(&all).unwrap().to_string(), "get-usr");
        }
    }
}
