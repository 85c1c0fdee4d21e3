//! Ids that go into paths, parsed once at the edge.
//!
//! An id in one of these types has no empty or dot segment and no control character, so that building a path from it
//! cannot fail and cannot change which resource is meant.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::path::check_segment;

/// Why an id was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} refused: {reason}; expected {expected}")]
pub struct IdError {
    kind: &'static str,
    reason: &'static str,
    expected: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $kind:literal, $expected:literal, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Returns the id as it was.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check_segment(&text).and_then(|()| check(&text)) {
                    Ok(()) => Ok(Self(text)),
                    Err(reason) => Err(IdError { kind: $kind, reason, expected: $expected }),
                }
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "description": $expected })
            }
        }
    )*};
}

fn any(_: &str) -> Result<(), &'static str> {
    Ok(())
}

fn has_provider(text: &str) -> Result<(), &'static str> {
    match text.split_once('|') {
        Some((provider, id)) if !provider.is_empty() && !id.is_empty() => Ok(()),
        _ => Err("it has no provider part"),
    }
}

ids! {
    /// A user: `provider|id`. Without the provider part Auth0 answers 400 `invalid_uri`; it is refused here first.
    UserId: "user id", "a whole user id with its provider part, such as 'auth0|65f0c1e2a3b4c5d6e7f80912'", has_provider;
    /// A role: `rol_…`.
    RoleId: "role id", "a role id such as 'rol_V1StGXR8Z5jdHi6B'", any;
    /// An application's `client_id`.
    ClientId: "client id", "an application's client id of 32 characters", any;
    /// A connection: `con_…`.
    ConnectionId: "connection id", "a connection id such as 'con_V1StGXR8Z5jdHi6B'", any;
    /// A row of the log.
    LogId: "log id", "the log_id of a row of the tenant's log", any;
    /// A session.
    SessionId: "session id", "the id of a session of the user", any;
    /// An identity's id within its provider.
    IdentityUserId: "identity's user id", "the identity's id within its provider, without 'provider|'", any;
    /// An identity provider: `auth0`, `google-oauth2`.
    ProviderName: "provider", "an identity provider such as 'auth0' or 'google-oauth2'", any;
}

impl UserId {
    /// Splits at the first `|`: provider, and the id within it.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('|').unwrap_or((self.0.as_str(), ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_needs_a_provider_and_an_id() {
        for bad in ["", "abc", "|abc", "auth0|", "auth0|../x", "..|x/..", "auth0|a\nb"] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
        for good in ["auth0|abc", "samlp|corp|ana@example.org", "ad|CORP\\ana", "google-oauth2|1"] {
            assert!(good.parse::<UserId>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_refused_id_says_what_was_expected() {
        let text = "abc".parse::<UserId>().unwrap_err().to_string();
        assert!(text.contains("no provider part") && text.contains("auth0|"), "{text}");
    }
}
