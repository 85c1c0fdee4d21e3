//! Credentials that come back.
//!
//! A gateway in front of a tenant, a debugging proxy or an email provider may repeat a request in its answer, and with it
//! what the host had added: a guest would have it that never should. So each answer, its head too, is searched for
//! that, as it is and in the spellings of [`needles`](crate::needles), and is withheld where it is found.
//!
//! What is searched for is made once for a credential and kept with it. It is a copy of parts of it that is not wiped:
//! the search has it in tables of its own.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bytes::Bytes;
use http::HeaderMap;
use zeroize::Zeroizing;

use crate::{
    needles::{SHORTEST, spellings},
    redaction::across,
};

/// How much of a long credential is looked for at a time: 144 bits of base64, which nothing has by chance.
const PART: usize = 24;
/// From how long on a credential is looked for in parts: below, one part would leave too little of it out.
const LONG: usize = 2 * PART;

/// What is looked for in answers.
pub(crate) struct Echo {
    automaton: AhoCorasick,
    /// What must not be handed on while more of it may follow.
    needles: Vec<Zeroizing<Vec<u8>>>,
    /// The bytes that they begin with.
    starts: [u64; 4],
    longest: usize,
}

impl Echo {
    /// Looks for these; `None` where none of them is long enough to be found other than by chance.
    pub(crate) fn of(credentials: &[&str]) -> Option<Arc<Self>> {
        let mut needles: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for part in credentials.iter().flat_map(|credential| parts(credential)) {
            for (_, spelling) in spellings(part) {
                if !needles.contains(&spelling) {
                    needles.push(spelling);
                }
            }
        }
        let longest = needles.iter().map(|needle| needle.len()).max()?;
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .kind(Some(AhoCorasickKind::DFA))
            .build(needles.iter().map(|needle| needle.as_slice()));
        let mut starts = [0_u64; 4];
        for first in needles.iter().filter_map(|needle| needle.first()) {
            if let Some(word) = starts.get_mut(usize::from(first >> 6)) {
                *word |= 1 << (first & 63);
            }
        }
        Some(Arc::new(Self { automaton: built.ok()?, needles, starts, longest }))
    }

    /// Returns whether an answer's head, or what follows its body, has one of them.
    pub(crate) fn is_in_head(&self, headers: &HeaderMap) -> bool {
        headers.iter().any(|(name, value)| {
            let has = |bytes: &[u8]| bytes.len() >= SHORTEST && self.automaton.is_match(bytes);
            has(value.as_bytes()) || has(name.as_str().as_bytes())
        })
    }

    /// Returns whether a text has one of them.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        self.automaton.is_match(text)
    }

    /// Returns whether a body that came in pieces has one of them.
    pub(crate) fn is_in_pieces(&self, pieces: &[Bytes]) -> bool {
        across(pieces, self.longest, |bytes| self.automaton.is_match(bytes))
    }

    /// Returns how many bytes at the end of a text may be the beginning of one of them.
    fn begun_in(&self, text: &[u8]) -> usize {
        let most = text.len().min(self.longest.saturating_sub(1));
        let tail = text.get(text.len() - most..).unwrap_or_default();
        let begins = |rest: &[u8]| {
            rest.first().is_some_and(|first| {
                self.starts.get(usize::from(first >> 6)).is_some_and(|word| word >> (first & 63) & 1 == 1)
            }) && self.needles.iter().any(|needle| needle.starts_with(rest))
        };
        (0..tail.len()).find(|at| tail.get(*at..).is_some_and(begins)).map_or(0, |at| tail.len() - at)
    }
}

impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Echo(…)")
    }
}

/// Takes from a credential what is looked for: the beginning, the middle and the end, or all of a short one.
fn parts(credential: &str) -> Vec<&[u8]> {
    // Header and claims of a JWT are no secret, and other tokens of the tenant begin with the same.
    let secret = match credential.rsplit_once('.') {
        Some((claims, signature)) if claims.contains('.') && signature.len() >= PART => signature,
        _ => credential,
    };
    let secret = secret.as_bytes();
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    if secret.len() <= LONG {
        return vec![secret];
    }
    let last = secret.len() - PART;
    [0, last / 2, last].into_iter().filter_map(|from| secret.get(from..from + PART)).collect()
}

/// Searches a body that streams through.
pub(crate) struct EchoStream {
    echo: Arc<Echo>,
    /// The end of what came, which may be the beginning of a credential.
    held: Bytes,
}

impl EchoStream {
    pub(crate) fn new(echo: Arc<Echo>) -> Self {
        Self { echo, held: Bytes::new() }
    }

    /// Adds to `out` what of this can be handed on; `false` where a credential is in it.
    #[must_use]
    pub(crate) fn push(&mut self, mut piece: Bytes, out: &mut impl Extend<Bytes>) -> bool {
        if piece.is_empty() {
            return true;
        }
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let most = piece.len().min(self.echo.longest);
            let border = [&held, piece.get(..most).unwrap_or_default()].concat();
            if self.echo.is_in(&border) {
                return false;
            }
            if piece.len() < self.echo.longest {
                piece = Bytes::from(border);
            } else {
                out.extend([held]);
            }
        }
        if self.echo.is_in(&piece) {
            return false;
        }
        self.held = piece.split_off(piece.len() - self.echo.begun_in(&piece));
        if !piece.is_empty() {
            out.extend([piece]);
        }
        true
    }

    /// Ends the body: what is held back was no credential.
    pub(crate) fn finish(&mut self) -> Option<Bytes> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    const KEY: &str = "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";

    fn jwt() -> String {
        let signature: String = (0..342_u32).map(|n| char::from(b'A' + (n * n % 23) as u8)).collect();
        format!("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FjbWUuZXUuYXV0aDAuY29tLyJ9.{signature}")
    }

    /// What a guest gets of a body that is cut there; nothing where it is withheld, with what it got before.
    fn streamed(echo: &Arc<Echo>, body: &[u8], cut: usize) -> Result<Vec<u8>, Vec<u8>> {
        let (mut stream, mut out) = (EchoStream::new(Arc::clone(echo)), Vec::<Bytes>::new());
        let (first, second) = body.split_at(cut);
        for piece in [first, second] {
            if !stream.push(Bytes::copy_from_slice(piece), &mut out) {
                return Err(out.concat());
            }
        }
        out.extend(stream.finish());
        Ok(out.concat())
    }

    #[test]
    fn a_credential_is_found_in_each_spelling_wherever_the_body_is_cut_and_no_part_of_it_before() {
        for (credential, secret) in
            [(KEY, KEY), ("can+ary/se cret", "can+ary/se cret"), (&jwt(), &jwt()[70..])]
        {
            let echo = Echo::of(&[credential]).unwrap();
            let hex: String = credential.bytes().map(|byte| format!("{byte:02X}")).collect();
            for spelling in [
                credential.to_owned(),
                STANDARD.encode(credential),
                STANDARD.encode(format!("a{credential}")),
                STANDARD.encode(format!("ab{credential}")),
                hex,
                credential.replace('+', "%2B").replace('/', "%2F").replace(' ', "%20"),
                credential.replace('/', r"\/"),
            ] {
                let body = format!(r#"{{"headers":{{"authorization":"Bearer {spelling}"}},"a":1}}"#);
                for cut in 0..body.len() {
                    let before = streamed(&echo, body.as_bytes(), cut).unwrap_err();
                    let before = String::from_utf8(before).unwrap();
                    // Of a JWT, all but the signature may have gone before.
                    assert!(!before.contains(&secret[secret.len() - 8..]), "{spelling} {cut}: {before}");
                }
            }
        }
    }

    #[test]
    fn what_only_begins_like_a_credential_passes_byte_for_byte() {
        let echo = Echo::of(&[KEY, &jwt()]).unwrap();
        for body in [
            KEY[..23].to_owned(),
            format!("{}x{}", &KEY[..23], &KEY[46..]),
            jwt()[..80].to_owned(),
            format!("{}{}", &KEY[..1], &KEY[..10]),
            String::new(),
        ] {
            for cut in 0..body.len() {
                assert_eq!(streamed(&echo, body.as_bytes(), cut).unwrap(), body.as_bytes(), "{cut}");
            }
        }
    }

    #[test]
    fn a_part_of_a_signature_that_could_be_completed_is_found_too() {
        let (echo, jwt) = (Echo::of(&[&jwt()]).unwrap(), jwt());
        for echoed in [&jwt[..jwt.len() - 10], &jwt[jwt.len() - 40..], &jwt[..120]] {
            assert!(echo.is_in(echoed.as_bytes()), "{echoed}");
        }
        assert!(!echo.is_in(&jwt.as_bytes()[..70]), "header and claims alone are no secret");
    }

    #[test]
    fn a_head_that_repeats_a_credential_is_known() {
        let echo = Echo::of(&[KEY]).unwrap();
        let head = |value: &str| HeaderMap::from_iter([(http::header::WARNING, value.parse().unwrap())]);
        assert!(echo.is_in_head(&head(&format!("199 - \"bad key {KEY}\""))));
        assert!(echo.is_in_head(&head(&STANDARD.encode(KEY))));
        assert!(!echo.is_in_head(&head("199 - \"bad key\"")));
    }

    #[test]
    fn what_is_too_short_to_be_found_but_by_chance_is_not_looked_for() {
        assert!(Echo::of(&["t1", ""]).is_none());
        assert!(Echo::of(&[]).is_none());
    }
}
