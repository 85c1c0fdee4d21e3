//! Keys made at test time, so that none lies in the repository.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A pair of RSA keys.
#[derive(Debug)]
pub struct Pair(KeyPair);

impl Pair {
    /// Makes a new pair of 2048 bits.
    pub fn generate() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).expect("this machine makes keys"))
    }

    /// The private key, PKCS#8 as PEM.
    pub fn private_pem(&self) -> String {
        let der = AsDer::<Pkcs8V1Der>::as_der(&self.0).expect("a key has a form");
        pem("PRIVATE KEY", der.as_ref())
    }

    /// The public key, as Auth0 takes it.
    pub fn public_pem(&self) -> String {
        let der = AsDer::<PublicKeyX509Der>::as_der(self.0.public_key()).expect("a key has a form");
        pem("PUBLIC KEY", der.as_ref())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
