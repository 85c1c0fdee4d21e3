//! A token endpoint's answer without the proof that it was given.

use zeroize::Zeroizing;

use crate::{destination::percent_decode, secret::Secret};

/// Parameters that hold a proof. A text with one of them repeats the form.
const PROOFS: [&[u8]; 2] = [b"client_secret", b"client_assertion"];

/// Takes a secret out of the token endpoint's answer.
///
/// Where it stands as it is, it is cut out and the rest is kept, since the rest is what helps. A text that repeats the
/// form, or that has the secret in it in another spelling, is withheld as a whole: there are more spellings (hex digits
/// in either case, `+` or `%20`, encoded twice) than a list of them would have.
pub(super) fn without_secret(text: &str, secret: &Secret) -> String {
    let secret = secret.expose();
    if secret.is_empty() {
        return text.to_owned();
    }
    // A form has `+` for a space.
    let spaced = |text: &[u8]| -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect())
    };
    let needle = spaced(secret.as_bytes());
    let cut = Zeroizing::new(text.replace(secret, "[secret]"));
    let mut bytes = Zeroizing::new(cut.as_bytes().to_vec());
    loop {
        let plain = spaced(&bytes);
        let holds = |needle: &[u8]| plain.windows(needle.len()).any(|window| window == needle);
        if PROOFS.iter().any(|name| holds(name)) || holds(&needle) {
            return "[withheld: it repeats the request, and that holds the secret]".to_owned();
        }
        let decoded = Zeroizing::new(percent_decode(&bytes));
        // Decoding only ever shortens, so this ends.
        if decoded.len() == bytes.len() {
            return cut.as_str().to_owned();
        }
        bytes = decoded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_any_spelling_does_not_come_out_of_a_refusal() {
        let secret = Secret::new("can+ary/se cret=ü&\"%");
        for said in [
            "client_id=id&client_secret=can%2Bary%2Fse+cret%3D%C3%BC%26%22%25&audience=aud",
            "bad value can%2Bary%2Fse+cret%3D%C3%BC%26%22%25",
            "bad value can%2bary%2fse%20cret%3d%c3%bc%26%22%25",
            "bad value can%2Bary%2Fse%20cret%3D%C3%BC%26%22%25",
            "bad value can+ary/se%20cret=ü&\"%25",
            "bad value can+ary/se+cret=ü&\"%",
            "bad value can%252Bary%252Fse%2520cret%253D%25C3%25BC%2526%2522%2525",
            "bad value %63%61%6E%2Bary/se cret=ü&\"%25",
            "bad value client%5Fsecret=other",
            "client_id=id&client%5fsecret%3Dcan",
        ] {
            let clean = without_secret(said, &secret);
            assert!(clean.starts_with("[withheld"), "{said}: {clean}");
        }
        let clean = without_secret("Unauthorized can+ary/se cret=ü&\"% 100%", &secret);
        assert_eq!(clean, "Unauthorized [secret] 100%");
        for harmless in ["Unauthorized", "100% wrong", "a%20b", ""] {
            assert_eq!(without_secret(harmless, &secret), harmless);
        }
    }
}
