//! What a caller can do about an error.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a caller can do about an error. Closed, as the contract's: no later version adds a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// The input has to change. Nothing was changed in the tenant.
    FixInput,
    /// A credential, a grant, a policy or the tenant's plan has to change. Nothing was changed in the tenant.
    FixAccess,
    /// The same call can succeed later. Nothing was changed in the tenant.
    RetryLater,
    /// The change may have happened. Look in the tenant before the call is repeated.
    VerifyFirst,
    /// Repeating the call does not help; the message says what is known.
    GiveUp,
}

impl Disposition {
    /// Returns the name that the contract gives it: `verify-first`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixInput => "fix-input",
            Self::FixAccess => "fix-access",
            Self::RetryLater => "retry-later",
            Self::VerifyFirst => "verify-first",
            Self::GiveUp => "give-up",
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_and_display_name_a_disposition_alike() {
        for disposition in [
            Disposition::FixInput,
            Disposition::FixAccess,
            Disposition::RetryLater,
            Disposition::VerifyFirst,
            Disposition::GiveUp,
        ] {
            assert_eq!(serde_json::to_value(disposition).unwrap(), disposition.to_string());
        }
    }
}
