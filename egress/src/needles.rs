//! What a secret looks like when it is found where it must not be: as it is, and in the spellings that programs give it.
//!
//! The egress looks for these in answers (`echo`). [`Needles`] is for tests alone (feature `test-support`): the host's own,
//! which reads the guest's memory, and the end-to-end test that reads everything else.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

/// A shorter spelling would be found by chance.
pub(crate) const SHORTEST: usize = 8;

/// Lists the spellings of a secret that are long enough to be looked for, each with its name.
pub(crate) fn spellings(secret: &[u8]) -> Vec<(&'static str, Zeroizing<Vec<u8>>)> {
    let percent = |lower: bool| {
        let mut text = Zeroizing::new(String::with_capacity(3 * secret.len()));
        for byte in secret {
            // Writing to a String cannot fail.
            let _ = match *byte {
                plain if plain.is_ascii_alphanumeric() || b"-_.~*".contains(&plain) => {
                    text.write_char(char::from(plain))
                }
                byte if lower => write!(text, "%{byte:02x}"),
                byte => write!(text, "%{byte:02X}"),
            };
        }
        text
    };
    let hex = |upper: bool| {
        let mut text = Zeroizing::new(String::with_capacity(2 * secret.len()));
        for byte in secret {
            let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
        }
        text
    };
    let escaped = Zeroizing::new(String::from_utf8_lossy(secret).escape_debug().to_string());
    let slashed = Zeroizing::new(escaped.replace('/', r"\/"));
    let texts = [
        ("in a URL", percent(false)),
        ("in a URL in lower case", percent(true)),
        ("in a form", Zeroizing::new(percent(false).replace("%20", "+"))),
        ("in a form in lower case", Zeroizing::new(percent(true).replace("%20", "+"))),
        ("escaped", escaped),
        ("escaped with its slashes", slashed),
        ("in hex", hex(false)),
        ("in upper hex", hex(true)),
    ];
    let mut all = vec![("as it is", Zeroizing::new(secret.to_vec()))];
    all.extend(texts.into_iter().map(|(how, text)| (how, Zeroizing::new(text.as_bytes().to_vec()))));
    // Base64 writes a text in three ways, by where in a longer one it stands.
    for shift in 0..3 {
        let mut shifted = Zeroizing::new(vec![0; shift]);
        shifted.extend_from_slice(secret);
        let text = Zeroizing::new(STANDARD_NO_PAD.encode(&*shifted));
        // The first and last characters depend on the neighbours.
        let first = (shift * 8).div_ceil(6);
        let last = (shift + secret.len()) * 8 / 6;
        let inner = text.get(first..last).unwrap_or_default();
        all.push(("in base64", Zeroizing::new(inner.as_bytes().to_vec())));
        let url = Zeroizing::new(inner.replace('+', "-").replace('/', "_"));
        all.push(("in base64url", Zeroizing::new(url.as_bytes().to_vec())));
        all.push(("in base64 in a text", Zeroizing::new(inner.replace('/', r"\/").into_bytes())));
    }
    let mut different: Vec<(&'static str, Zeroizing<Vec<u8>>)> = Vec::with_capacity(all.len());
    for (how, spelling) in all {
        if spelling.len() >= SHORTEST && !different.iter().any(|(_, known)| **known == *spelling) {
            different.push((how, spelling));
        }
    }
    different
}

/// Spellings to look for.
#[cfg(any(test, feature = "test-support"))]
#[derive(Clone, Debug, Default)]
pub struct Needles(Vec<(String, Vec<u8>)>);

#[cfg(any(test, feature = "test-support"))]
impl Needles {
    /// Adds a secret under a name that may be printed.
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        for (how, spelling) in spellings(secret) {
            if !self.0.iter().any(|(_, known)| **known == **spelling) {
                self.0.push((format!("{name} {how}"), spelling.to_vec()));
            }
        }
    }

    /// Names what is found in a text or a memory.
    pub fn found_in(&self, hay: &[u8]) -> Vec<&str> {
        // By their first two bytes, so that megabytes are read once.
        let mut starts: Vec<Vec<usize>> = vec![Vec::new(); 1 << 16];
        for (index, (_, needle)) in self.0.iter().enumerate() {
            if let [first, second, ..] = needle.as_slice()
                && let Some(start) = starts.get_mut(usize::from(u16::from_be_bytes([*first, *second])))
            {
                start.push(index);
            }
        }
        let mut found: Vec<&str> = Vec::new();
        for (at, pair) in hay.windows(2).enumerate() {
            let [first, second] = pair else { continue };
            let start = starts.get(usize::from(u16::from_be_bytes([*first, *second])));
            for (name, needle) in start.into_iter().flatten().filter_map(|index| self.0.get(*index)) {
                let here = hay.get(at..).is_some_and(|rest| rest.starts_with(needle));
                if here && !found.contains(&name.as_str()) {
                    found.push(name);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn a_secret_is_found_in_each_spelling_and_at_any_place() {
        let secret = b"can+ary/se cret=\xc3\xbc";
        let mut needles = Needles::default();
        needles.add("it", secret);
        for before in ["", "a", "ab", "abc"] {
            let whole = [before.as_bytes(), secret, b"tail"].concat();
            let hex: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
            for hay in [
                whole.clone(),
                hex.to_uppercase().into_bytes(),
                hex.into_bytes(),
                STANDARD_NO_PAD.encode(&whole).into_bytes(),
                URL_SAFE_NO_PAD.encode(&whole).into_bytes(),
                format!("{before}can%2Bary%2Fse+cret%3D%C3%BC").into_bytes(),
                format!("{before}can%2Bary%2Fse%20cret%3D%C3%BC").into_bytes(),
                format!("{before}can%2bary%2fse%20cret%3d%c3%bc").into_bytes(),
                format!(r"{before}can+ary\/se cret=ü").into_bytes(),
            ] {
                assert!(!needles.found_in(&hay).is_empty(), "{}", String::from_utf8_lossy(&hay));
            }
        }
        assert!(needles.found_in(b"can+ary/se cre and nothing more").is_empty());
    }
}
