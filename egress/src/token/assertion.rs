//! The signed statement with which an application proves itself instead of a secret (`private_key_jwt`, RFC 7523).
//!
//! Limits of Auth0 (facts, section 1): the audience is the tenant's issuer as one text, `jti` is used once and has at
//! most 64 characters, `exp` lies at most five minutes ahead, and the whole has at most 2048 bytes.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use crate::{domain::Domain, private_key::PrivateKey, secret::Secret};

/// What Auth0 advises. It must live through the way to the tenant, and is used once.
const LIFETIME: Duration = Duration::from_secs(60);
/// Auth0 refuses a longer one.
const MAX_BYTES: usize = 2048;
/// 128 bits, so that no two are alike.
const ID_BYTES: usize = 16;

/// The audience of a tenant's assertions.
pub(crate) fn audience(domain: &Domain) -> String {
    format!("https://{domain}/")
}

/// There is no `iat`: it proves nothing beside `exp`, and where this machine's clock is more than 10 s ahead the tenant
/// would refuse it.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    exp: u64,
}

/// Why there is no assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsignable(pub &'static str);

/// Signs a new assertion, good for one use.
pub(crate) fn sign(key: &PrivateKey, client_id: &str, audience: &str) -> Result<Secret, Unsignable> {
    let mut random = [0_u8; ID_BYTES];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Unsignable("this machine has no random numbers"))?;
    let mut jti = String::with_capacity(2 * ID_BYTES);
    for byte in random {
        // Writing to a String cannot fail.
        let _ = write!(jti, "{byte:02x}");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let exp = (now + LIFETIME).as_secs();
    let claims = Claims { iss: client_id, sub: client_id, aud: audience, jti, exp };
    let assertion = key.sign(&claims).map_err(|_| Unsignable("the private key cannot sign"))?;
    if assertion.expose().len() > MAX_BYTES {
        return Err(Unsignable(
            "the signed assertion has more than 2048 bytes, which Auth0 refuses: use a shorter key or key id",
        ));
    }
    Ok(assertion)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::Value;

    use super::*;
    use crate::private_key::{SigningAlgorithm, tests::fresh_pem};

    fn part(assertion: &Secret, index: usize) -> Value {
        let part = assertion.expose().split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_has_what_auth0_asks_for_and_an_id_of_its_own() {
        let key = PrivateKey::from_pem(&fresh_pem()).unwrap();
        let audience = audience(&"acme.eu.auth0.com".parse().unwrap());
        let [first, second] = [0, 1].map(|_| sign(&key, "the-id", &audience).unwrap());
        let claims = part(&first, 1);
        assert_eq!((&claims["iss"], &claims["sub"]), (&"the-id".into(), &"the-id".into()));
        assert_eq!(claims["aud"], "https://acme.eu.auth0.com/");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let exp = claims["exp"].as_u64().unwrap();
        assert!((now..=now + 300).contains(&exp), "{exp}");
        let ids = [&first, &second].map(|assertion| part(assertion, 1)["jti"].as_str().unwrap().to_owned());
        assert_ne!(ids[0], ids[1]);
        assert!(ids[0].len() <= 64 && first.expose().len() <= MAX_BYTES);
    }

    #[test]
    fn the_header_names_the_algorithm_and_the_key_where_it_has_a_name() {
        let pem = fresh_pem();
        for algorithm in SigningAlgorithm::ALL {
            let key = PrivateKey::from_pem(&pem).unwrap().algorithm(algorithm);
            let header = part(&sign(&key, "id", "aud").unwrap(), 0);
            assert_eq!((&header["alg"], header.get("kid")), (&algorithm.as_str().into(), None));
            let named = key.key_id("key-1").unwrap();
            assert_eq!(part(&sign(&named, "id", "aud").unwrap(), 0)["kid"], "key-1");
        }
    }

    #[test]
    fn what_auth0_would_refuse_for_its_length_is_not_sent() {
        let key = PrivateKey::from_pem(&fresh_pem()).unwrap();
        let error = sign(&key, &"x".repeat(1000), "aud").unwrap_err();
        assert!(error.0.contains("2048"), "{}", error.0);
    }
}
