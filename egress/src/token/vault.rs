//! Tokens by way of an engine's own vault.

use std::{fmt, sync::Arc, time::Instant};

use super::{
    Life, Token, bearer,
    cache::{Fetch, Fetching},
    grant::{ANSWER_TIMEOUT, Proof, TokenEndpoint},
};
use crate::{
    credentials::{Credential, CredentialError, CredentialSource},
    secret::Secret,
};

/// Asks the vault for a credential, and makes a token of it.
pub(crate) struct FromSource {
    pub(crate) source: Arc<dyn CredentialSource>,
    pub(crate) endpoint: TokenEndpoint,
    /// The audience of assertions that a key of the vault signs.
    pub(crate) assertion_audience: String,
}

impl fmt::Debug for FromSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An engine's type may print what it holds.
        f.debug_struct("FromSource").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Fetch for FromSource {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.source.credential()).await;
            match asked.unwrap_or(Err(CredentialError::unavailable("the vault did not answer in time")))? {
                Credential::Token { token, expires_in } => Ok(usable(token, expires_in)?),
                Credential::ClientSecret { client_id, client_secret } => {
                    self.endpoint.fetch(&client_id, &Proof::Secret(client_secret)).await
                }
                Credential::PrivateKey { client_id, key } => {
                    let proof = Proof::Key { key, audience: self.assertion_audience.clone() };
                    self.endpoint.fetch(&client_id, &proof).await
                }
            }
        })
    }
}

fn usable(token: Secret, expires_in: Option<std::time::Duration>) -> Result<Token, CredentialError> {
    if token.is_empty() || bearer(&token).is_none() {
        return Err(CredentialError::refused("the vault's token is empty or cannot stand in a header"));
    }
    let mut token = Token::of_unknown_origin(token);
    if let Some(end) = expires_in.and_then(|life| Instant::now().checked_add(life)) {
        token.life = Life::Until(end);
    }
    Ok(token)
}
