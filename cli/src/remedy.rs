//! What would allow what was refused, in the words of this program: its options, variables and commands.

use auth0_host::{Denial, Remedy};

/// Returns what was refused, and how to allow it at a shell.
pub(crate) fn sentence(denial: &Denial) -> String {
    match denial.remedy() {
        Some(remedy) => format!("{}; {}{}", denial.rule(), remedy.lead_in(), words(remedy)),
        None => denial.rule().to_string(),
    }
}

fn words(remedy: &Remedy) -> String {
    match remedy {
        Remedy::CheckActionId => "check the action's id: `auth0-host actions` lists all of them".to_owned(),
        Remedy::AllowCallToWrite => "start `auth0-host mcp` with --write".to_owned(),
        Remedy::SetCredentials => {
            "set AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, or AUTH0_TOKEN (docs/credentials.md)".to_owned()
        }
        Remedy::SetMailCredentials { provider } if provider.takes_key() => {
            format!("set AUTH0_EMAIL_PROVIDER={} and AUTH0_EMAIL_API_KEY (docs/email.md)", provider.name())
        }
        Remedy::SetMailCredentials { .. } => "set its AUTH0_EMAIL_… variables (docs/email.md)".to_owned(),
        Remedy::WidenGrant { action, .. } => {
            format!("widen the application's grant (`auth0-host scopes {action} --grant` prints it)")
        }
        Remedy::AllowReach { deny } => format!("give --policy a file with the line `{}`", deny.policy_line()),
        Remedy::AgreeToReach => {
            "run it with `auth0-host run`, or start `auth0-host mcp` with --confirm never".to_owned()
        }
        Remedy::SetSecretSink => {
            "give --secret-dir or --secret-command, or have `auth0-host run --reveal` show the secret"
                .to_owned()
        }
        Remedy::RetrySecrets | Remedy::FixSecretSink => "fix the sink, then retry".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use auth0_host::DeniedBy;

    use super::*;

    #[test]
    fn no_word_of_the_library_s_interface_is_printed_at_a_shell() {
        for remedy in [
            Remedy::CheckActionId,
            Remedy::AllowCallToWrite,
            Remedy::SetCredentials,
            Remedy::WidenGrant { action: "get-user".to_owned(), scopes: Vec::new() },
            Remedy::SetSecretSink,
            Remedy::AllowReach { deny: auth0_host::ReachSet::NONE },
            Remedy::AgreeToReach,
            Remedy::RetrySecrets,
            Remedy::FixSecretSink,
            Remedy::ChangeRule,
            Remedy::AllowNetwork,
        ] {
            let expected = format!("; {}{}", remedy.lead_in(), words(&remedy));
            let sentence = sentence(&Denial::new(DeniedBy::NoMail).or(remedy));
            assert!(sentence.ends_with(&expected) && !sentence.contains("::"), "{sentence}");
        }
    }
}
