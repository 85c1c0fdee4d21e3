//! The key of an application that proves itself by signatures.
//!
//! A text is a key or it is refused when it is read, by signing with it: an elliptic key, an encrypted file or one that
//! is too short must not be found out at the first token of a night.

use std::fmt;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::secret::Secret;

/// How an assertion is signed. It must be what the application's credential was registered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

impl SigningAlgorithm {
    /// The three that Auth0 takes.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Rs384, Self::Ps256];

    /// Returns the name that JOSE gives it: `RS256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Ps256 => "PS256",
        }
    }

    fn jose(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Ps256 => Algorithm::PS256,
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for SigningAlgorithm {
    type Err = PrivateKeyError;

    fn from_str(text: &str) -> Result<Self, PrivateKeyError> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(PrivateKeyError::Algorithm)
    }
}

/// An RSA key that signs assertions (`private_key_jwt`). Not printable, wiped from memory on drop.
///
/// ```no_run
/// # use auth0_egress::{credentials::Credentials, private_key::{PrivateKey, SigningAlgorithm}, secret::Secret};
/// let pem = Secret::new(std::fs::read_to_string("/run/secrets/auth0.pem")?);
/// let key = PrivateKey::from_pem(&pem)?.algorithm(SigningAlgorithm::Rs384).key_id("2031-05")?;
/// let credentials = Credentials::private_key("client id", key);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PrivateKey {
    key: EncodingKey,
    algorithm: SigningAlgorithm,
    key_id: Option<String>,
}

/// Why a text is not a usable key. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// The file is protected by a password.
    #[error(
        "the private key is encrypted: give it without a password (`openssl pkey -in key.pem -out plain.pem`)"
    )]
    Encrypted,
    /// Not a PEM text with an RSA key.
    #[error(
        "this is not an RSA private key: give the whole PEM text, from `-----BEGIN PRIVATE KEY-----` or \
         `-----BEGIN RSA PRIVATE KEY-----` on"
    )]
    Format,
    /// A key that does not sign.
    #[error("the private key cannot sign: Auth0 takes RSA keys of 2048 bits and more")]
    Unusable,
    /// An algorithm that Auth0 does not take.
    #[error("unknown signing algorithm: Auth0 takes RS256, RS384 and PS256")]
    Algorithm,
    /// A key id that is no name.
    #[error("the key id is empty, longer than 255 characters, or not printable ASCII")]
    KeyId,
}

impl PrivateKey {
    /// Reads a PEM text, PKCS#8 or PKCS#1. It signs by RS256 unless [`PrivateKey::algorithm`] says otherwise.
    ///
    /// # Errors
    ///
    /// [`PrivateKeyError`] where it is no RSA key that can sign.
    pub fn from_pem(pem: &Secret) -> Result<Self, PrivateKeyError> {
        let text = pem.expose();
        if text.contains("ENCRYPTED") {
            return Err(PrivateKeyError::Encrypted);
        }
        let key = EncodingKey::from_rsa_pem(text.as_bytes()).map_err(|_| PrivateKeyError::Format)?;
        let key = Self { key, algorithm: SigningAlgorithm::default(), key_id: None };
        key.sign(&"trial").map_err(|_| PrivateKeyError::Unusable)?;
        Ok(key)
    }

    /// Signs by another algorithm.
    #[must_use]
    pub fn algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Names the key in each assertion (`kid`). Auth0 needs it only where an application has two keys.
    ///
    /// # Errors
    ///
    /// [`PrivateKeyError::KeyId`] where it cannot be a name.
    pub fn key_id(mut self, key_id: impl Into<String>) -> Result<Self, PrivateKeyError> {
        let key_id = key_id.into();
        if key_id.is_empty() || key_id.len() > 255 || !key_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(PrivateKeyError::KeyId);
        }
        self.key_id = Some(key_id);
        Ok(self)
    }

    /// Signs claims as a JWT.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> jsonwebtoken::errors::Result<Secret> {
        let mut header = Header::new(self.algorithm.jose());
        header.kid.clone_from(&self.key_id);
        jsonwebtoken::encode(&header, claims, &self.key).map(Secret::new)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::{
        encoding::{AsDer, Pkcs8V1Der},
        rsa::{KeyPair, KeySize},
    };
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    /// A fresh key as PEM, so that none lies in the repository.
    pub(crate) fn fresh_pem() -> Secret {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
        Secret::new(pem("PRIVATE KEY", der.as_ref()))
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let body = STANDARD.encode(der);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    /// The PKCS#1 key inside a PKCS#8 one: what follows the header of its OCTET STRING.
    fn pkcs1(pkcs8: &[u8]) -> &[u8] {
        // SEQUENCE, version, AlgorithmIdentifier of rsaEncryption, OCTET STRING with a length of two bytes.
        &pkcs8[26..]
    }

    #[test]
    fn both_forms_of_a_key_sign_alike() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
        let [eight, one] = [pem("PRIVATE KEY", der.as_ref()), pem("RSA PRIVATE KEY", pkcs1(der.as_ref()))]
            .map(|text| PrivateKey::from_pem(&Secret::new(text)).unwrap().sign(&"claims").unwrap());
        assert_eq!(eight.expose(), one.expose());
    }

    #[test]
    fn what_is_no_key_is_refused_by_what_it_is_and_not_repeated() {
        let ec = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----";
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\ncanary\n-----END ENCRYPTED PRIVATE KEY-----";
        for (text, expected) in [
            ("", PrivateKeyError::Format),
            ("canary", PrivateKeyError::Format),
            (ec, PrivateKeyError::Format),
            (locked, PrivateKeyError::Encrypted),
        ] {
            let error = PrivateKey::from_pem(&Secret::new(text)).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("canary"));
        }
        let key = PrivateKey::from_pem(&fresh_pem()).unwrap();
        for bad in ["", "a\nb", &"x".repeat(256)] {
            assert_eq!(key.clone().key_id(bad).unwrap_err(), PrivateKeyError::KeyId);
        }
        for unknown in ["", "rs256", "RS512", "HS256", "none"] {
            assert!(unknown.parse::<SigningAlgorithm>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn a_debug_print_of_a_key_shows_its_name_and_nothing_of_it() {
        let pem = fresh_pem();
        let key = PrivateKey::from_pem(&pem).unwrap().key_id("key-1").unwrap();
        let printed = format!("{key:?}");
        assert_eq!(printed, "PrivateKey { algorithm: Rs256, key_id: Some(\"key-1\"), .. }");
    }
}
