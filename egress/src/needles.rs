//! What a secret looks like when it is found where it must not be: as it is, and in the spellings that programs give it.
//!
//! For tests alone (feature `test-support`): the host's own, which reads the guest's memory, and the end-to-end test that
//! reads everything else.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// Spellings to look for.
#[derive(Clone, Debug, Default)]
pub struct Needles(Vec<(String, Vec<u8>)>);

/// A shorter spelling would be found by chance.
const SHORTEST: usize = 8;

impl Needles {
    /// Adds a secret under a name that may be printed.
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        let percent: String = secret
            .iter()
            .map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() || b"-_.~*".contains(byte) => {
                    char::from(*byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let escaped = String::from_utf8_lossy(secret).escape_debug().to_string();
        let mut spellings = vec![
            ("as it is", secret.to_vec()),
            ("in a URL", percent.clone().into_bytes()),
            ("in a form", percent.replace("%20", "+").into_bytes()),
            ("escaped", escaped.into_bytes()),
            ("in hex", hex.clone().into_bytes()),
            ("in upper hex", hex.to_uppercase().into_bytes()),
        ];
        // Base64 writes a text in three ways, by where in a longer one it stands.
        for shift in 0..3 {
            let text = STANDARD_NO_PAD.encode([&vec![0; shift], secret].concat());
            // The first and last characters depend on the neighbours.
            let first = (shift * 8).div_ceil(6);
            let last = (shift + secret.len()) * 8 / 6;
            let inner = text.get(first..last).unwrap_or_default();
            spellings.push(("in base64", inner.as_bytes().to_vec()));
            spellings.push(("in base64url", inner.replace('+', "-").replace('/', "_").into_bytes()));
        }
        for (how, spelling) in spellings {
            let known = self.0.iter().any(|(_, known)| *known == spelling);
            if spelling.len() >= SHORTEST && !known {
                self.0.push((format!("{name} {how}"), spelling));
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
            ] {
                assert!(!needles.found_in(&hay).is_empty(), "{}", String::from_utf8_lossy(&hay));
            }
        }
        assert!(needles.found_in(b"can+ary/se cre and nothing more").is_empty());
    }
}
