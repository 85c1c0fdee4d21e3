//! Who may connect over HTTP: from which addresses, and with what.

use std::{net::SocketAddr, str::FromStr};

use anyhow::Context as _;
use auth0_host::Secret;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;

/// An address of this machine that only this machine reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopbackAddress(pub(super) SocketAddr);

impl FromStr for LoopbackAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address: SocketAddr =
            text.parse().map_err(|_| "give an address and a port, such as 127.0.0.1:8765".to_owned())?;
        if !address.ip().is_loopback() {
            return Err(format!(
                "{} can be reached from other machines: only loopback addresses (127.0.0.1, [::1]) are served. For a client \
                 elsewhere, forward a port over SSH, or let it start this command itself",
                address.ip()
            ));
        }
        Ok(Self(address))
    }
}

/// What a client has to show.
#[derive(Clone, Debug)]
pub struct AccessToken(Secret);

impl AccessToken {
    /// As many hexadecimal digits as 128 bits have.
    const SHORTEST: usize = 32;

    /// Takes one that somebody chose.
    ///
    /// # Errors
    ///
    /// Where it could be guessed, or does not fit a header.
    pub fn chosen(token: Secret) -> Result<Self, String> {
        let text = token.expose();
        if text.len() < Self::SHORTEST {
            return Err(format!(
                "the token has {} characters, and needs {} at least: `openssl rand -hex 32` makes one",
                text.len(),
                Self::SHORTEST
            ));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the token has characters that do not fit a header: use letters and digits".to_owned()
            );
        }
        Ok(Self(token))
    }

    /// Makes one for this run.
    pub fn generate() -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).ok().context("this machine has no randomness for a token")?;
        Ok(Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Shows it, once, to the person who started the server.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether an `Authorization` header has it. Takes as long for any other token of the same length.
    pub(super) fn is_shown_by(&self, header: Option<&HeaderValue>) -> bool {
        let Some((scheme, token)) = header.and_then(|value| value.to_str().ok()?.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer")
            && verify_slices_are_equal(token.trim().as_bytes(), self.0.expose().as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_served() {
        for (text, expected) in [
            ("127.0.0.1:0", true),
            ("127.8.9.1:8765", true),
            ("[::1]:8765", true),
            ("0.0.0.0:8765", false),
            ("[::]:8765", false),
            ("192.168.1.4:8765", false),
            ("[::ffff:127.0.0.1]:8765", false),
            ("localhost:8765", false),
            ("127.0.0.1", false),
            ("8765", false),
        ] {
            assert_eq!(text.parse::<LoopbackAddress>().is_ok(), expected, "{text}");
        }
        let problem = "0.0.0.0:1".parse::<LoopbackAddress>().unwrap_err();
        assert!(problem.contains("127.0.0.1") && problem.contains("SSH"), "{problem}");
    }

    #[test]
    fn the_token_is_taken_whole_or_not_at_all() {
        let text = "0123456789abcdef0123456789abcdef";
        let token = AccessToken::chosen(Secret::new(text)).unwrap();
        for (header, expected) in [
            (format!("Bearer {text}"), true),
            (format!("bearer {text}"), true),
            (format!("Bearer {text}0"), false),
            (format!("Bearer {}", &text[1..]), false),
            (format!("Basic {text}"), false),
            (text.to_owned(), false),
            ("Bearer ".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(
                token.is_shown_by(Some(&HeaderValue::from_str(&header).unwrap())),
                expected,
                "{header}"
            );
        }
        assert!(!token.is_shown_by(None));
        assert!(!format!("{token:?}").contains(text));
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused_and_generated_ones_differ() {
        for (text, hint) in
            [("hunter2", "openssl rand"), ("0123456789abcdef 0123456789abcdef", "header"), ("", "openssl")]
        {
            let problem = AccessToken::chosen(Secret::new(text)).unwrap_err();
            assert!(problem.contains(hint) && !problem.contains("hunter2"), "{problem}");
        }
        let [one, two] = [(); 2].map(|()| AccessToken::generate().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert!(AccessToken::chosen(Secret::new(one.expose())).is_ok());
    }
}
