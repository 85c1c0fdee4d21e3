//! The tenant's policy: whether there is one, and whether it fits the component.

use super::{Check, Finding, Topic, Verdict};
use crate::{error::Error, host::Host, policy::Policy};

/// Looks at the policy. Without one nothing is wrong: an operator who runs the calls alone needs none.
pub(super) async fn examine(host: &Host, policy: &Policy) -> Result<Finding, Error> {
    let finding = |verdict, found: String| Finding::new(Check::Policy, verdict, found);
    let rules = match policy.rules() {
        0 => {
            let found = "no rules: calls may do everything that the credentials allow";
            return Ok(finding(Verdict::Ok, found.to_owned()));
        }
        1 => "1 rule".to_owned(),
        rules => format!("{rules} rules"),
    };
    if !policy.is_about_actions() {
        return Ok(finding(Verdict::Ok, rules));
    }
    let actions = host.known_actions().await?;
    Ok(match policy.permit(actions) {
        Ok(permitted) => {
            let left = actions.iter().filter(|action| permitted.check(&action.id).is_ok()).count();
            finding(Verdict::Ok, format!("{rules}; {left} of {} actions may be run", actions.len()))
        }
        Err(error) => finding(Verdict::Fail, error.to_string())
            .advise("correct it: until then no tenant is opened")
            .about(Topic::Policy),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_policy_is_told_by_what_it_leaves_and_one_that_does_not_fit_the_component_fails() {
        let host = Host::with_trusted_component(auth0_embedded_component::COMPONENT).build().unwrap();
        for (text, verdict, hint) in [
            ("", Verdict::Ok, "no rules"),
            ("allow_loopback = true", Verdict::Ok, "1 rule"),
            ("[requests]\nallow = ['GET /api/v2/users', 'GET /api/v2/roles']", Verdict::Ok, "2 rules"),
            ("[actions]\nallow = ['get-user', 'list-users']", Verdict::Ok, "2 rules; 2 of "),
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
