//! How much a scope allows, as far as its name shows.
//!
//! Where several scopes will do, the one that allows the least is the one to grant. Auth0's scopes are `verb:resource`;
//! the verb says more than the resource, and of the resources those that hold secrets weigh most.

/// Scopes of tokens that a user holds for an account of their own. An application's token does nothing with them, so
/// they are never planned where there is a choice.
const OF_USERS: [&str; 3] = ["current_user", "current_user_metadata", "current_user_device_credentials"];

/// Ends of resources that show a part only.
const PARTS: [&str; 1] = ["_summary"];

/// Ends of resources that hold secrets.
const SECRETS: [&str; 5] = ["_keys", "_credentials", "_tokens", "_secrets", "_secret"];

/// Returns a measure of what a scope allows: a larger one allows more.
pub(super) fn power(scope: &str) -> u32 {
    let (verb, resource) = scope.split_once(':').unwrap_or(("", scope));
    let verb = match verb {
        "read" => 0,
        // What is made can be unmade.
        "create" => 10,
        "update" => 11,
        "delete" => 12,
        // `blacklist:tokens`, `trigger:…`: unlike the rest, so not to be preferred to it.
        _ => 13,
    };
    let ends = |ends: &[&str]| ends.iter().any(|end| resource.ends_with(end));
    verb + if ends(&PARTS) {
        0
    } else if ends(&SECRETS) {
        2
    } else {
        1
    }
}

/// Returns whether a scope is of use to an application.
pub(super) fn is_for_applications(scope: &str) -> bool {
    scope.split_once(':').is_none_or(|(_, resource)| !OF_USERS.contains(&resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_a_part_is_less_than_what_reads_all_and_that_less_than_what_reads_secrets_or_writes() {
        let rising = [
            "read:client_summary",
            "read:clients",
            "read:client_keys",
            "create:clients",
            "create:client_credentials",
            "update:client_keys",
            "blacklist:tokens",
        ];
        for pair in rising.windows(2) {
            assert!(power(pair[0]) <= power(pair[1]), "{pair:?}");
        }
        assert!(power("read:client_summary") < power("read:clients"));
        assert!(power("read:clients") < power("read:client_keys"));
        assert!(power("read:user_idp_tokens") < power("create:users"));
        assert!(power("update:clients") < power("update:client_keys"));
    }

    #[test]
    fn scopes_for_one_s_own_account_are_no_use_to_an_application() {
        assert!(!is_for_applications("read:current_user"));
        assert!(!is_for_applications("update:current_user_metadata"));
        assert!(is_for_applications("read:users") && is_for_applications("odd"));
    }
}
