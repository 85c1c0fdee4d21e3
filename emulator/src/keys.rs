//! The tenant's signing key: RS256 tokens and the key set that proves them.
//!
//! The key is made at start, so that no private key ever sits in the repository.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Error;

/// An RSA key pair and its identifier.
pub(crate) struct Keys {
    pair: RsaKeyPair,
    kid: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Why a token is not what it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadToken {
    /// Not three base64url parts of JSON.
    Malformed,
    /// The signature is not the tenant's.
    Signature,
}

impl Keys {
    /// Makes a fresh 2048-bit key.
    pub(crate) fn generate() -> Result<Self, Error> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::Key)?;
        let digest = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        // Auth0's key ids are 21 base64url characters.
        let kid = URL_SAFE_NO_PAD.encode(digest.as_ref()).chars().take(21).collect();
        Ok(Self { pair, kid })
    }

    /// Signs claims as a JWT.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.kid});
        let message = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).ok()?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Answers the claims of a token that this key signed.
    pub(crate) fn open(&self, token: &str) -> Result<Value, BadToken> {
        open(
            token,
            |header| header.get("alg") == Some(&json!("RS256")),
            |message, signature| {
                let key =
                    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref());
                key.verify(message, signature).is_ok()
            },
        )
    }

    /// The public key as `/.well-known/jwks.json` shows it.
    pub(crate) fn jwks(&self) -> Value {
        let public = self.pair.public_key();
        let (n, e) = (public.modulus(), public.exponent());
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(n.big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(e.big_endian_without_leading_zero()),
        }]})
    }

    /// The public key in PEM, for tests that register it as a credential.
    #[cfg(test)]
    pub(crate) fn public_pem(&self) -> Option<String> {
        use aws_lc_rs::encoding::AsDer as _;
        let der = self.pair.public_key().as_der().ok()?;
        let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        Some(format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"))
    }
}

/// Answers the header and claims of a client assertion that `pem` verifies.
pub(crate) fn open_assertion(token: &str, pem: &str, alg: &str) -> Result<Value, BadToken> {
    let algorithm: &'static dyn VerificationAlgorithm = match alg {
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        _ => &RSA_PKCS1_2048_8192_SHA256,
    };
    let body: String =
        pem.lines().filter(|line| !line.starts_with("-----")).flat_map(|line| line.trim().chars()).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).map_err(|_| BadToken::Signature)?;
    open(
        token,
        |header| header.get("alg") == Some(&json!(alg)),
        |message, signature| UnparsedPublicKey::new(algorithm, &der).verify(message, signature).is_ok(),
    )
}

/// The claims of a token, unverified: to learn whose key must verify it.
pub(crate) fn peek(token: &str) -> Option<Value> {
    token.split('.').nth(1).and_then(decode)
}

fn open(
    token: &str,
    header_fits: impl Fn(&Value) -> bool,
    verify: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<Value, BadToken> {
    let (message, signature) = token.rsplit_once('.').ok_or(BadToken::Malformed)?;
    let (header, claims) = message.split_once('.').ok_or(BadToken::Malformed)?;
    let header = decode(header).ok_or(BadToken::Malformed)?;
    let claims = decode(claims).ok_or(BadToken::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| BadToken::Signature)?;
    if header_fits(&header) && verify(message.as_bytes(), &signature) {
        Ok(claims)
    } else {
        Err(BadToken::Signature)
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_with_the_key_that_signed_it() {
        let (ours, theirs) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let token = ours.sign(&json!({"sub": "x"})).unwrap();
        assert_eq!(ours.open(&token).unwrap()["sub"], "x");
        assert_eq!(theirs.open(&token), Err(BadToken::Signature));
        assert_eq!(ours.open("a.b"), Err(BadToken::Malformed));
        let none = token.rsplit_once('.').unwrap().0.to_owned() + ".";
        assert_eq!(ours.open(&none), Err(BadToken::Signature));
        assert!(open_assertion(&token, &ours.public_pem().unwrap(), "RS256").is_ok());
        assert!(open_assertion(&token, &theirs.public_pem().unwrap(), "RS256").is_err());
    }
}
