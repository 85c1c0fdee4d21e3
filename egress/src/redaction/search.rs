//! The search for names of secrets, before anything is parsed.
//!
//! Nearly all answers have none of the names in them, and are passed on for that. All names are looked for at once, by
//! vector instructions where there are few enough, which is a small part of what receiving the bytes costs.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bytes::Bytes;

use super::lexer::Utf8;

/// How an escape of ASCII begins, which could spell a name: names are ASCII.
const ESCAPE: &str = r"\u00";

/// The names that one kind of answer may have secrets under.
pub(super) struct Search {
    /// A part of each; `None` where any name may be one.
    words: Option<&'static [&'static str]>,
    made: OnceLock<Option<Automaton>>,
}

struct Automaton {
    automaton: AhoCorasick,
    /// The longest word.
    longest: usize,
}

impl Search {
    pub(super) const fn new(words: Option<&'static [&'static str]>) -> Self {
        Self { words, made: OnceLock::new() }
    }

    fn automaton(&self) -> Option<&Automaton> {
        let make = || {
            let words = || self.words.into_iter().flatten().copied().chain([ESCAPE]);
            self.words?;
            let built = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .kind(Some(AhoCorasickKind::DFA))
                .build(words());
            // Too many words for it are no words: everything is parsed.
            Some(Automaton { automaton: built.ok()?, longest: words().map(str::len).max()? })
        };
        self.made.get_or_init(make).as_ref()
    }

    /// Returns whether a name may be in a text that came in pieces.
    fn may_be_in(&self, pieces: &[Bytes]) -> bool {
        self.automaton()
            .is_none_or(|made| across(pieces, made.longest, |bytes| made.automaton.is_match(bytes)))
    }
}

/// Returns whether there is nothing to look for in an answer that came in pieces: it is text, and none of the names is
/// in it, quoted or not. Where it is to be `whole`, it is an object or a list besides: a piece of one may be a secret
/// without its name.
pub(super) fn has_nothing(pieces: &[Bytes], searches: &[&Search], whole: bool) -> bool {
    let mut utf8 = Utf8::default();
    // Text of two bytes a letter has zeros in it.
    let text = pieces.iter().all(|piece| utf8.take(piece) && memchr::memchr(0, piece).is_none());
    text && utf8.is_whole()
        && (!whole || is_whole(pieces))
        && !searches.iter().any(|search| search.may_be_in(pieces))
}

/// Returns whether a text begins and ends as an object or as a list.
fn is_whole(pieces: &[Bytes]) -> bool {
    let first = pieces.iter().find_map(|piece| piece.trim_ascii_start().first());
    let last = pieces.iter().rev().find_map(|piece| piece.trim_ascii_end().last());
    matches!((first, last), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
}

/// Returns whether something is found in pieces or across their borders; it has `longest` bytes at most.
pub(crate) fn across(pieces: &[Bytes], longest: usize, found: impl Fn(&[u8]) -> bool) -> bool {
    let most = longest.saturating_sub(1);
    let mut before: Vec<u8> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if found(piece) {
            return true;
        }
        if !before.is_empty() {
            let mut border = std::mem::take(&mut before);
            border.extend_from_slice(piece.get(..most.min(piece.len())).unwrap_or_default());
            if found(&border) {
                return true;
            }
            if piece.len() < most {
                before = border;
            }
        }
        if index + 1 < pieces.len() {
            if piece.len() >= most {
                before.clear();
                before.extend_from_slice(piece.get(piece.len() - most..).unwrap_or_default());
            } else {
                if before.is_empty() {
                    before.extend_from_slice(piece);
                }
                let extra = before.len().saturating_sub(most);
                before.drain(..extra);
            }
        }
    }
    false
}
