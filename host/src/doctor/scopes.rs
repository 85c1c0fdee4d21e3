//! Which actions a token's scopes allow.

use super::{Check, Finding, Topic, Verdict};
use crate::{
    action::{ActionFilter, ActionKind, ActionSummary},
    scopes::{PlannedScope, ScopePlan, lacking},
    tenant::Tenant,
};

/// Compares what the actions need with what the token has.
pub(super) async fn examine(tenant: &Tenant, granted: Option<&str>) -> Finding {
    let Some(granted) = granted else {
        return Finding::new(
            Check::Scopes,
            Verdict::Warn,
            "the token does not list its scopes, so they were not compared",
        );
    };
    let granted: Vec<&str> = granted.split_ascii_whitespace().collect();
    // The curated actions: of all operations of the API, a tenant needs the scopes of those that it uses.
    let curated = ActionFilter { kind: Some(ActionKind::Curated), ..ActionFilter::default() };
    let actions = match tenant.runtime().list(&curated).await {
        Ok(actions) => actions,
        Err(error) => return Finding::new(Check::Scopes, Verdict::Fail, error.to_string()),
    };
    judge(&actions, &granted)
}

fn judge(actions: &[ActionSummary], granted: &[&str]) -> Finding {
    let has = |scope: &str| granted.contains(&scope);
    let allowed = actions.iter().filter(|action| lacking(&action.scopes, has).is_empty()).count();
    let report = ScopePlan::new(actions, false).compare(granted.iter().copied());
    let unused = match report.unused.len() {
        0 => String::new(),
        1 => "; 1 granted scope is needed by none of them but custom-request".to_owned(),
        count => format!("; {count} granted scopes are needed by none of them but custom-request"),
    };
    let found =
        format!("{} granted; they allow {allowed} of {} actions{unused}", granted.len(), actions.len());
    if report.lacking.is_empty() {
        return Finding::new(Check::Scopes, Verdict::Ok, found);
    }
    let list: Vec<String> = report
        .lacking
        .iter()
        .map(|PlannedScope { scope, needed_by, .. }| {
            let actions: Vec<&str> = needed_by.iter().map(|reason| reason.action.as_str()).collect();
            format!("{scope} ({})", actions.join(", "))
        })
        .collect();
    // An action that needs no scope, such as custom-request, is no use to a token that has none.
    let verdict = if granted.is_empty() { Verdict::Fail } else { Verdict::Warn };
    Finding::new(Check::Scopes, verdict, found)
        .advise(format!("grant what your workflows use of: {}", list.join("; ")))
        .about(Topic::Grant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::ScopeRequirement;

    fn action(id: &str, needs: &[&[&str]]) -> ActionSummary {
        let need =
            |any_of: &&[&str]| ScopeRequirement::new(any_of.iter().map(ToString::to_string).collect(), None);
        let mut action = ActionSummary::new(id);
        action.scopes = needs.iter().map(need).collect();
        action
    }

    #[test]
    fn what_is_lacking_is_named_with_the_actions_that_need_it() {
        let actions = [
            action("get-user", &[&["read:users"]]),
            action("list-logs", &[&["read:logs", "read:logs_users"]]),
            action("assign-user-roles", &[&["update:users"], &["read:roles"]]),
            action("custom-request", &[]),
        ];
        let finding = judge(&actions, &["read:users", "read:logs", "read:roles", "read:stats"]);
        assert_eq!(finding.verdict, Verdict::Warn);
        assert_eq!(
            finding.found,
            "4 granted; they allow 3 of 4 actions; 1 granted scope is needed by none of them but custom-request"
        );
        assert_eq!(
            finding.advice.unwrap(),
            "grant what your workflows use of: update:users (assign-user-roles)"
        );
        let every = ["read:users", "read:logs", "read:roles", "update:users"];
        assert_eq!(judge(&actions, &every).verdict, Verdict::Ok);
        assert_eq!(judge(&actions, &[]).verdict, Verdict::Fail);
    }
}
