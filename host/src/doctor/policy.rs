//! The tenant's policy: whether there is one, and whether it fits the component.

use std::collections::BTreeSet;

use super::{Check, Finding, Topic, Verdict};
use crate::{
    error::Error,
    host::Host,
    policy::{Policy, PolicyReport},
};

/// Looks at the policy. The default is in order; one that denies nothing works, and is worth a word.
pub(super) async fn examine(host: &Host, policy: &Policy) -> Result<Finding, Error> {
    let finding = |verdict, found: String| Finding::new(Check::Policy, verdict, found);
    if policy.is_unrestricted() {
        let found = "unrestricted: calls may do everything that the credentials allow, such as giving applications every \
                     scope, running code at log-in, and sending the tenant's data anywhere";
        return Ok(finding(Verdict::Warn, found.to_owned())
            .advise("set a policy that denies what the calls do not need")
            .about(Topic::Policy));
    }
    let rules = match policy.rules() {
        0 => "the default".to_owned(),
        1 => "1 rule".to_owned(),
        rules => format!("{rules} rules"),
    };
    let actions = host.known_actions().await?;
    let report = match policy.report(actions) {
        Ok(report) => report.with_requests(host.requests().await?),
        Err(error) => {
            return Ok(finding(Verdict::Fail, error.to_string())
                .advise("correct it: until then no tenant is opened")
                .about(Topic::Policy));
        }
    };
    let mut found = rules;
    if !policy.denied_reach().is_empty() {
        found += &format!("; requests with the reach {} are denied", policy.denied_reach());
    }
    if policy.is_about_actions() {
        let left = actions.iter().filter(|action| report.test_action(&action.id).is_ok()).count();
        found += &format!("; {left} of {} actions may be run", actions.len());
    }
    Ok(finding(Verdict::Ok, found + &stopped(&report)))
}

/// Says of how many actions, which may be run, a request is denied.
fn stopped(report: &PolicyReport) -> String {
    /// More are not read in one line; `PolicyReport` has all.
    const MOST: usize = 3;
    let denied = report.denied_requests();
    let actions: BTreeSet<&str> = denied.iter().map(|denied| denied.action.as_str()).collect();
    if actions.is_empty() {
        return String::new();
    }
    // Curated actions are those that people call by name.
    let mut named: Vec<&str> = actions.iter().copied().collect();
    named.sort_by_key(|id| id.contains('.'));
    let more = if named.len() > MOST { ", …" } else { "" };
    named.truncate(MOST);
    format!("; of {} that may be run a request is denied ({}{more})", actions.len(), named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_policy_is_told_by_what_it_leaves_and_one_that_does_not_fit_the_component_fails() {
        let host = Host::with_trusted_component(auth0_embedded_component::COMPONENT).build().unwrap();
        for (text, verdict, hint) in [
            (
                "",
                Verdict::Ok,
                "the default; requests with the reach runs-code, exfiltrates, escalates, weakens are denied",
            ),
            ("", Verdict::Ok, "that may be run a request is denied (rotate-client-secret, "),
            ("deny_reach = []", Verdict::Warn, "unrestricted"),
            (
                "deny_reach = ['takes-over']",
                Verdict::Ok,
                "1 rule; requests with the reach takes-over are denied",
            ),
            (
                "[actions]\nallow = ['get-user', 'delete-user']\n[requests]\nallow = ['GET /api/v2/users/{id}']",
                Verdict::Ok,
                "; of 1 that may be run a request is denied (delete-user)",
            ),
            ("allow_loopback = true", Verdict::Ok, "1 rule"),
            ("[requests]\nallow = ['GET /api/v2/users', 'GET /api/v2/roles']", Verdict::Ok, "2 rules"),
            ("[actions]\nallow = ['get-user', 'list-users']", Verdict::Ok, "2 rules; requests with"),
            ("[actions]\nallow = ['get-user', 'list-users']", Verdict::Ok, "; 2 of "),
            ("read_only = true", Verdict::Ok, "1 rule; "),
            ("[actions]\ndeny = ['destroy-*']", Verdict::Fail, "`destroy-*` (line 2): it matches no action"),
        ] {
            let policy = if text.is_empty() { Policy::default() } else { Policy::from_toml(text).unwrap() };
            let finding = examine(&host, &policy).await.unwrap();
            assert_eq!(finding.verdict, verdict, "{text}: {finding:?}");
            assert!(finding.found.contains(hint), "{text}: {finding:?}");
        }
    }
}
