//! Which actions a rule is about: an id, or ids with `*` for any run of characters.

use std::{fmt, str::FromStr};

/// An id of an action, or a pattern of ids: `get-user`, `list-*`, `organizations.*`.
///
/// ```
/// # use auth0_policy::policy::ActionPattern;
/// let pattern: ActionPattern = "organizations.*".parse()?;
/// assert!(pattern.matches("organizations.members.list") && !pattern.matches("get-user"));
/// # Ok::<(), auth0_policy::policy::ActionPatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPattern(String);

impl ActionPattern {
    /// Returns whether it is about an action.
    pub fn matches(&self, id: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = id.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            match rest.find(piece).and_then(|at| rest.get(at + piece.len()..)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Returns the id where it is about one action only.
    pub(super) fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an action id, such as get-user or organizations.members.list; `*` stands for any characters"
)]
pub struct ActionPatternError(String);

impl FromStr for ActionPattern {
    type Err = ActionPatternError;

    fn from_str(text: &str) -> Result<Self, ActionPatternError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'*');
        if text.is_empty() || text.contains("**") || !text.bytes().all(known) {
            return Err(ActionPatternError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, id, expected) in [
            ("get-user", "get-user", true),
            ("get-user", "get-user-roles", false),
            ("get-*", "get-user", true),
            ("get-*", "get-", true),
            ("get-*", "forget-user", false),
            ("*-user", "delete-user", true),
            ("*-user", "delete-user-sessions", false),
            ("*user*", "list-users", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*-*-*", "get-user-roles", true),
            ("*-*-*", "get-user", false),
            ("*", "anything", true),
            ("users.*", "users.roles.list", true),
            ("users.*", "users-by-email", false),
            ("*.delete", "users.delete", true),
            ("*.delete", "users.deleteAll", false),
        ] {
            assert_eq!(pattern.parse::<ActionPattern>().unwrap().matches(id), expected, "{pattern} {id}");
        }
    }

    #[test]
    fn what_no_id_looks_like_is_refused() {
        for text in ["", "get_user", "get user", "get-user?", "**", "users/*", "[a-z]*", "get-üser"] {
            assert!(text.parse::<ActionPattern>().is_err(), "{text:?} was taken");
        }
    }
}
