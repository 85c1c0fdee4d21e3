//! A value that must not be seen.
//!
//! A `String` that holds a client secret ends up in a log sooner or later: through a derived `Debug`, an error that
//! quotes its input, a struct that is serialised. `Secret` has none of those ways out.

use std::fmt;

use zeroize::Zeroizing;

/// A client secret, token or key: not printable, not serialisable, wiped from memory on drop.
///
/// ```
/// # use auth0_egress::secret::Secret;
/// let secret = Secret::new("as the dashboard shows it");
/// assert!(!format!("{secret:?}").contains("dashboard"));
/// assert_eq!(secret.expose().len(), 25);
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// Shows the secret. Each use of this method is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_neither_the_secret_nor_its_length() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
        assert_eq!(format!("{:#?}", Secret::new("")), "Secret(…)");
    }
}
