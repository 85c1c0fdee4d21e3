//! How the host proves to a tenant who it is.
//!
//! A proof that is known when the tenant is made is a value ([`Credentials`]). One that an engine's vault hands out,
//! and may replace, is asked for when a token is needed ([`CredentialSource`]). Either way it ends in the host: what
//! becomes of it is a token in the tenant's cache, and no guest sees one or the other.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use crate::{private_key::PrivateKey, secret::Secret, settings_error::SettingsError};

/// How the host proves to the tenant who it is. The component never gets to see it.
///
/// ```
/// # use auth0_egress::credentials::Credentials;
/// let credentials = Credentials::client_secret("client id", "client secret");
/// assert_eq!(credentials.client_id(), Some("client id"));
/// assert!(!format!("{credentials:?}").contains("client secret"));
/// // A token that the engine fetches and replaces by itself.
/// let token = Credentials::token("eyJhbGciOi…");
/// ```
///
/// A key is [`PrivateKey`], a vault that is asked each time [`CredentialSource`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// Nothing: requests leave without `Authorization`.
    None,
    /// A token that someone else fetched. It is not renewed.
    Token(Secret),
    /// An application's id and secret: tokens are fetched and renewed with them.
    ClientSecret {
        /// Id of the application. Not a secret.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// An application's id and private key: tokens are fetched and renewed with assertions that the key signs
    /// (`private_key_jwt`, RFC 7523). The key itself is never sent.
    PrivateKey {
        /// Id of the application. Not a secret.
        client_id: String,
        /// The key whose public half the application is registered with.
        key: PrivateKey,
    },
    /// An engine's own vault, asked each time that a token is needed.
    Source(Arc<dyn CredentialSource>),
}

impl Credentials {
    /// Fetches tokens with an application's id and secret.
    pub fn client_secret(client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self::ClientSecret { client_id: client_id.into(), client_secret: client_secret.into() }
    }

    /// Fetches tokens with an application's id and private key.
    pub fn private_key(client_id: impl Into<String>, key: PrivateKey) -> Self {
        Self::PrivateKey { client_id: client_id.into(), key }
    }

    /// Uses a token as it is.
    pub fn token(token: impl Into<Secret>) -> Self {
        Self::Token(token.into())
    }

    /// Asks an engine's own vault.
    pub fn source(source: impl CredentialSource + 'static) -> Self {
        Self::Source(Arc::new(source))
    }

    /// Sends requests without credentials.
    pub fn none() -> Self {
        Self::None
    }

    /// Refuses what could not be sent, before anything is.
    pub fn check(&self) -> Result<(), SettingsError> {
        let printable = |name, text: &str| {
            let sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            if sendable { Ok(()) } else { Err(SettingsError::Value { name }) }
        };
        match self {
            // A vault's answer is checked when it is given.
            Self::None | Self::Source(_) => {}
            Self::Token(token) => printable("the token (given without `Bearer`)", token.expose())?,
            Self::ClientSecret { client_id, client_secret } => {
                printable("the client id", client_id)?;
                // Sent in a form body: anything but nothing can travel.
                if client_secret.is_empty() {
                    return Err(SettingsError::Value { name: "the client secret" });
                }
            }
            Self::PrivateKey { client_id, .. } => printable("the client id", client_id)?,
        }
        Ok(())
    }

    /// Returns the application that acts, where that is known beforehand.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::ClientSecret { client_id, .. } | Self::PrivateKey { client_id, .. } => Some(client_id),
            Self::None | Self::Token(_) | Self::Source(_) => None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token(token) => f.debug_tuple("Token").field(token).finish(),
            Self::ClientSecret { client_id, client_secret } => f
                .debug_struct("ClientSecret")
                .field("client_id", client_id)
                .field("client_secret", client_secret)
                .finish(),
            Self::PrivateKey { client_id, key } => {
                f.debug_struct("PrivateKey").field("client_id", client_id).field("key", key).finish()
            }
            // An engine's type may print what it holds.
            Self::Source(_) => f.write_str("Source(…)"),
        }
    }
}

/// What a [`CredentialSource`] hands out: a token as it is, or what the host fetches tokens with. `Debug` shows ids and
/// no secret.
///
/// ```
/// # use std::time::Duration;
/// # use auth0_egress::credentials::Credential;
/// let token = Credential::Token { token: "eyJhbGciOi…".into(), expires_in: Some(Duration::from_secs(3600)) };
/// assert!(!format!("{token:?}").contains("eyJ"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A Management API token. Used until `expires_in` has passed, or, where that is unknown, until the end that it
    /// names itself as a JWT, or until the tenant refuses it.
    Token {
        /// The token, without `Bearer`.
        token: Secret,
        /// How long it lives from now on.
        expires_in: Option<Duration>,
    },
    /// An application's id and secret.
    ClientSecret {
        /// Id of the application.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// An application's id and private key.
    PrivateKey {
        /// Id of the application.
        client_id: String,
        /// Its key.
        key: PrivateKey,
    },
}

/// The future of [`CredentialSource::credential`].
pub type CredentialFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Credential, CredentialError>> + Send + 'a>>;

/// An engine's own vault.
///
/// Asked once for any number of calls that need a token: for the first, shortly before a token's end, and after the
/// tenant refused a token (401). What it hands out last is what counts, so a secret that was replaced in the vault is
/// picked up without opening the tenant anew. An answer that takes longer than 10 seconds counts as
/// [`CredentialError::unavailable`].
///
/// ```
/// # use auth0_egress::credentials::{
/// #     Credential, CredentialError, CredentialFuture, CredentialSource, Credentials,
/// # };
/// struct Vault;
///
/// impl Vault {
///     async fn read(&self, _name: &str) -> std::io::Result<String> {
///         Ok("the secret as it is now".to_owned())
///     }
/// }
///
/// impl CredentialSource for Vault {
///     fn credential(&self) -> CredentialFuture<'_> {
///         Box::pin(async {
///             let secret = self.read("auth0/acme").await;
///             // The vault's own error is dropped: it may repeat a secret.
///             let secret = secret.map_err(|_| CredentialError::unavailable("the vault did not answer"))?;
///             Ok(Credential::ClientSecret { client_id: "client id".to_owned(), client_secret: secret.into() })
///         })
///     }
/// }
///
/// let credentials = Credentials::source(Vault);
/// ```
pub trait CredentialSource: Send + Sync {
    /// Returns what to authenticate with, as it is now.
    fn credential(&self) -> CredentialFuture<'_>;
}

impl<T: CredentialSource + ?Sized> CredentialSource for Arc<T> {
    fn credential(&self) -> CredentialFuture<'_> {
        (**self).credential()
    }
}

/// Why a vault hands out nothing.
///
/// The sentence is a constant of the program: it ends up in errors and logs, and a text that is put together at run
/// time may have a secret in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct CredentialError {
    kind: Kind,
    problem: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Refused,
    Unavailable,
}

impl CredentialError {
    /// Makes the error that there is no credential, and asking again will not help: calls end with `unauthenticated`.
    pub fn refused(problem: &'static str) -> Self {
        Self { kind: Kind::Refused, problem }
    }

    /// Makes the error that the vault cannot answer now: calls end with `unavailable`, and may be repeated.
    pub fn unavailable(problem: &'static str) -> Self {
        Self { kind: Kind::Unavailable, problem }
    }

    /// Returns whether asking again later may help.
    pub fn is_unavailable(&self) -> bool {
        self.kind == Kind::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Leaky;

    impl CredentialSource for Leaky {
        fn credential(&self) -> CredentialFuture<'_> {
            Box::pin(async { Err(CredentialError::refused("no such entry")) })
        }
    }

    #[test]
    fn a_debug_print_of_credentials_shows_the_application_and_no_secret() {
        let printed = format!(
            "{:?} {:?} {:?} {:?}",
            Credentials::client_secret("the-id", "canary"),
            Credentials::token("canary"),
            Credentials::source(Leaky),
            Credential::Token { token: "canary".into(), expires_in: None },
        );
        assert!(printed.contains("the-id") && !printed.contains("canary"), "{printed}");
    }
}
