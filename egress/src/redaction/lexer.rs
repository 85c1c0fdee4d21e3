//! JSON as it comes: a chunk at a time, and no tree.
//!
//! What a reader gets are the places at which something begins and ends. So what surrounds a secret is passed on as the
//! tenant wrote it, digits, escapes and blanks included, and a document takes no more memory than its depth.
//!
//! It is strict (RFC 8259), since a text that one reader takes for JSON and another does not is where secrets hide.

use memchr::memchr2;

use super::wiped::Wiped;

/// As deep as `serde_json` goes, with which the connector reads answers.
pub(super) const MAX_DEPTH: usize = 127;
/// What is kept of a name: the longest of the table has 30 letters, and ids have up to 255.
pub(super) const MAX_NAME: usize = 256;

/// What a document has where the lexer has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// An object or a list begins with the byte there.
    Open { object: bool, at: usize },
    /// It ends with the byte there.
    Close { at: usize },
    /// The name of a member was read: [`Lexer::name`].
    Name,
    /// A text, number or word begins with the byte there.
    Begin { scalar: Scalar, at: usize },
    /// It ended before the byte there.
    End { end: usize },
}

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Number,
    /// `true`, `false`, `null`.
    Word,
}

/// The bytes are not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotJson;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value, or the end of an empty list.
    Value {
        or_end: bool,
    },
    /// The name of a member, or the end of an empty object.
    Name {
        or_end: bool,
    },
    Colon,
    Text {
        name: bool,
    },
    Escape {
        name: bool,
    },
    Unicode {
        name: bool,
        digits: u8,
        unit: u16,
    },
    Number(Number),
    /// What is left of a word.
    Word(&'static [u8]),
    /// After a value.
    After,
}

/// How far a number has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Number {
    fn then(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus | Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::Sign,
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Self::Power,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Power)
    }
}

/// Reads one document.
#[derive(Debug)]
pub(super) struct Lexer {
    state: State,
    /// Which of the values that are open are objects, the innermost last.
    objects: u128,
    depth: usize,
    name: Wiped,
    text: Wiped,
    /// What is kept of the value that is being read.
    keep: usize,
    /// How long that value is as it is decoded.
    length: usize,
    /// The first half of a pair of `\u` escapes.
    high: Option<u16>,
    utf8: Utf8,
}

impl Lexer {
    pub(super) fn new() -> Self {
        Self {
            state: State::Value { or_end: false },
            objects: 0,
            depth: 0,
            name: Wiped::default(),
            text: Wiped::default(),
            keep: 0,
            length: 0,
            high: None,
            utf8: Utf8::default(),
        }
    }

    /// Counts the objects and lists that are open.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the last member's name, decoded, up to [`MAX_NAME`] bytes of it.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Keeps the value that has begun just now, up to so many bytes: [`Lexer::kept`].
    pub(super) fn keep(&mut self, most: usize) {
        self.keep = most;
    }

    /// Returns the value that has ended just now, where it was to be kept and is not longer: a text decoded, a number
    /// as it is.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        (self.length <= self.keep).then_some(&self.text)
    }

    /// Returns as much of that value as was to be kept.
    pub(super) fn beginning(&self) -> &[u8] {
        &self.text
    }

    /// Returns whether the value that has ended just now has nothing in it.
    pub(super) fn ended_empty(&self) -> bool {
        self.length == 0
    }

    /// Looks at a chunk as a whole, before its events are asked for.
    pub(super) fn begin(&mut self, chunk: &[u8]) -> Result<(), NotJson> {
        if self.utf8.take(chunk) { Ok(()) } else { Err(NotJson) }
    }

    /// Returns whether what was read is a whole document, once there is no more.
    pub(super) fn is_whole(&self) -> bool {
        self.depth == 0 && self.state == State::After && self.utf8.is_whole()
    }

    /// Goes on in a chunk from `at` to the next event; `None` where the chunk ends before.
    pub(super) fn next(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Event>, NotJson> {
        while let Some(&byte) = chunk.get(*at) {
            match self.state {
                State::Text { name } => {
                    let rest = chunk.get(*at..).unwrap_or_default();
                    let run = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                    let run = rest.get(..run).unwrap_or_default();
                    // All of them, so that it is done for many at once.
                    if run.iter().fold(false, |found, byte| found | (*byte < 0x20)) {
                        return Err(NotJson);
                    }
                    if !run.is_empty() {
                        self.add(name, run);
                    }
                    *at += run.len();
                    match chunk.get(*at) {
                        None => return Ok(None),
                        Some(b'"') => {
                            *at += 1;
                            self.unpaired(name);
                            if name {
                                self.state = State::Colon;
                                return Ok(Some(Event::Name));
                            }
                            self.state = State::After;
                            return Ok(Some(Event::End { end: *at }));
                        }
                        Some(_) => {
                            *at += 1;
                            self.state = State::Escape { name };
                        }
                    }
                }
                State::Escape { name } => {
                    *at += 1;
                    let decoded = match byte {
                        b'"' | b'\\' | b'/' => byte,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            self.state = State::Unicode { name, digits: 0, unit: 0 };
                            continue;
                        }
                        _ => return Err(NotJson),
                    };
                    self.add(name, &[decoded]);
                    self.state = State::Text { name };
                }
                State::Unicode { name, digits, unit } => {
                    *at += 1;
                    let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
                    let unit = unit << 4 | digit.ok_or(NotJson)?;
                    self.state = if digits < 3 {
                        State::Unicode { name, digits: digits + 1, unit }
                    } else {
                        self.unit(name, unit);
                        State::Text { name }
                    };
                }
                State::Number(number) => match number.then(byte) {
                    Some(number) => {
                        *at += 1;
                        self.add(false, &[byte]);
                        self.state = State::Number(number);
                    }
                    None if number.may_end() => {
                        self.state = State::After;
                        return Ok(Some(Event::End { end: *at }));
                    }
                    None => return Err(NotJson),
                },
                State::Word(left) => {
                    let (first, left) = left.split_first().ok_or(NotJson)?;
                    if *first != byte {
                        return Err(NotJson);
                    }
                    *at += 1;
                    self.length += 1;
                    self.state = State::Word(left);
                    if left.is_empty() {
                        self.state = State::After;
                        return Ok(Some(Event::End { end: *at }));
                    }
                }
                _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => *at += 1,
                State::Colon => {
                    if byte != b':' {
                        return Err(NotJson);
                    }
                    *at += 1;
                    self.state = State::Value { or_end: false };
                }
                State::Name { or_end } => {
                    *at += 1;
                    match byte {
                        b'"' => {
                            self.name.clear();
                            self.high = None;
                            self.state = State::Text { name: true };
                        }
                        b'}' if or_end => return self.close(*at - 1).map(Some),
                        _ => return Err(NotJson),
                    }
                }
                State::Value { or_end } => {
                    *at += 1;
                    return self.value(byte, *at - 1, or_end).map(Some);
                }
                State::After => {
                    *at += 1;
                    let in_object = self.objects & 1 == 1;
                    match byte {
                        _ if self.depth == 0 => return Err(NotJson),
                        b',' if in_object => self.state = State::Name { or_end: false },
                        b',' => self.state = State::Value { or_end: false },
                        b'}' if in_object => return self.close(*at - 1).map(Some),
                        b']' if !in_object => return self.close(*at - 1).map(Some),
                        _ => return Err(NotJson),
                    }
                }
            }
        }
        Ok(None)
    }

    fn value(&mut self, byte: u8, at: usize, or_end: bool) -> Result<Event, NotJson> {
        (self.keep, self.length, self.high) = (0, 0, None);
        self.text.clear();
        let scalar = match byte {
            b'{' | b'[' => {
                if self.depth == MAX_DEPTH {
                    return Err(NotJson);
                }
                let object = byte == b'{';
                self.depth += 1;
                self.objects = self.objects << 1 | u128::from(object);
                self.state =
                    if object { State::Name { or_end: true } } else { State::Value { or_end: true } };
                return Ok(Event::Open { object, at });
            }
            b']' if or_end => return self.close(at),
            b'"' => {
                self.state = State::Text { name: false };
                Scalar::Text
            }
            b't' => self.word(b"rue"),
            b'f' => self.word(b"alse"),
            b'n' => self.word(b"ull"),
            b'-' => self.number(byte, Number::Minus),
            b'0' => self.number(byte, Number::Zero),
            b'1'..=b'9' => self.number(byte, Number::Integer),
            _ => return Err(NotJson),
        };
        Ok(Event::Begin { scalar, at })
    }

    fn word(&mut self, left: &'static [u8]) -> Scalar {
        self.length = 1;
        self.state = State::Word(left);
        Scalar::Word
    }

    fn number(&mut self, first: u8, number: Number) -> Scalar {
        self.length = 1;
        self.text.push(&[first]);
        self.state = State::Number(number);
        Scalar::Number
    }

    fn close(&mut self, at: usize) -> Result<Event, NotJson> {
        self.depth = self.depth.checked_sub(1).ok_or(NotJson)?;
        self.objects >>= 1;
        self.state = State::After;
        Ok(Event::Close { at })
    }

    /// Adds decoded bytes to the name or the value that is being read.
    fn add(&mut self, name: bool, bytes: &[u8]) {
        self.unpaired(name);
        if name {
            let room = MAX_NAME.saturating_sub(self.name.len());
            self.name.push(bytes.get(..room.min(bytes.len())).unwrap_or_default());
            return;
        }
        self.length = self.length.saturating_add(bytes.len());
        let room = self.keep.saturating_sub(self.text.len());
        if room > 0 {
            self.text.push(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        }
    }

    /// Adds one unit of UTF-16.
    fn unit(&mut self, name: bool, unit: u16) {
        match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let letter = char::decode_utf16([high, unit]).next().and_then(Result::ok);
                let mut bytes = [0; 4];
                let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
                self.add(name, letter.encode_utf8(&mut bytes).as_bytes());
            }
            (before, _) => {
                self.high = before;
                self.unpaired(name);
                if (0xd800..=0xdbff).contains(&unit) {
                    self.high = Some(unit);
                } else {
                    let letter = char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
                    self.add(name, letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }

    /// Half a pair stands for a letter that is not known.
    fn unpaired(&mut self, name: bool) {
        if self.high.take().is_some() {
            self.add(name, "\u{fffd}".as_bytes());
        }
    }
}

/// Whether bytes that come in chunks are UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    begun: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Returns whether they are, with these.
    pub(super) fn take(&mut self, mut chunk: &[u8]) -> bool {
        while self.length > 0
            && let Some((first, rest)) = chunk.split_first()
        {
            let Some(place) = self.begun.get_mut(self.length) else { return false };
            *place = *first;
            self.length += 1;
            chunk = rest;
            match std::str::from_utf8(self.begun.get(..self.length).unwrap_or_default()) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        let Err(error) = std::str::from_utf8(chunk) else { return true };
        let rest = chunk.get(error.valid_up_to()..).unwrap_or_default();
        let Some(begun) = self.begun.get_mut(..rest.len()).filter(|_| error.error_len().is_none()) else {
            return false;
        };
        begun.copy_from_slice(rest);
        self.length = rest.len();
        true
    }

    /// Returns whether no letter is begun.
    pub(super) fn is_whole(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Whether a text that comes in chunks of one size is a whole document, and the names and kept texts in it.
    fn read(text: &[u8], size: usize) -> Option<Vec<String>> {
        let (mut lexer, mut found) = (Lexer::new(), Vec::new());
        for chunk in text.chunks(size) {
            lexer.begin(chunk).ok()?;
            let mut at = 0;
            while let Some(event) = lexer.next(chunk, &mut at).ok()? {
                let said = match event {
                    Event::Begin { .. } => {
                        lexer.keep(1 << 20);
                        continue;
                    }
                    Event::Name => lexer.name(),
                    Event::End { .. } => lexer.kept().unwrap(),
                    Event::Open { .. } | Event::Close { .. } => continue,
                };
                found.push(String::from_utf8(said.to_vec()).unwrap());
            }
        }
        // A number has no end of its own; an answer is an object or a list.
        lexer.is_whole().then_some(found)
    }

    #[test]
    fn what_is_json_is_told_from_what_is_not_however_it_is_cut() {
        for (text, whole) in [
            (&br#"{"a":[1,-0.5e+3,0,"x",true,false,null,{}],"b":{"c":[]}}"#[..], true),
            (b" [ ] \r\n\t", true),
            (br#"["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"]"#, true),
            ("[\"\u{e9}\u{1f600}\"]".as_bytes(), true),
            (b"", false),
            (b"{", false),
            (b"[1,]", false),
            (b"[,1]", false),
            (br#"{"a":1,}"#, false),
            (br#"{"a" 1}"#, false),
            (br#"{"a":}"#, false),
            (b"{a:1}", false),
            (b"{'a':1}", false),
            (b"[01]", false),
            (b"[1.]", false),
            (b"[-]", false),
            (b"[1e]", false),
            (b"[+1]", false),
            (b"[NaN]", false),
            (b"[nul]", false),
            (b"[nulll]", false),
            (b"[tru e]", false),
            (b"[1 2]", false),
            (b"[1]x", false),
            (b"[1][2]", false),
            (b"[}", false),
            (b"{]", false),
            (b"]", false),
            (br#"["\x"]"#, false),
            (br#"["\u12g4"]"#, false),
            (b"[\"\n\"]", false),
            (b"[\"\0\"]", false),
            (b"[\"\xff\"]", false),
            (b"[\"\xc3\"]", false),
            (b"[\"\xe9\xb4\"]", false),
            (b"\xef\xbb\xbf[]", false),
            (b"[/**/]", false),
        ] {
            for size in [1, 2, 3, 5, 1000] {
                assert_eq!(
                    read(text, size).is_some(),
                    whole,
                    "{:?} by {size}",
                    String::from_utf8_lossy(text)
                );
            }
        }
    }

    #[test]
    fn names_and_values_are_decoded() {
        let text = br#"{"a\u0062\n":"\ud83d\ude00\ud83dx\udc00","n":-1.50}"#;
        for size in [1, 7, 1000] {
            assert_eq!(read(text, size).unwrap(), ["ab\n", "\u{1f600}\u{fffd}x\u{fffd}", "n", "-1.50"]);
        }
    }

    #[test]
    fn a_document_is_as_deep_as_the_connector_reads() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [1, 126, 127, 128, 129, 1000] {
            let text = deep(depth);
            assert_eq!(
                read(text.as_bytes(), 64).is_some(),
                serde_json::from_str::<Value>(&text).is_ok(),
                "{depth}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_lexer_and_serde_agree(
            text in "[\\[\\]{}\":,0-2a\\\\u.e+\\- tfn]{0,24}|[\\[{](\"a\":|[\\[\\]{},0-1]|\"\"|-1e2){0,9}[\\]}]",
            size in 1_usize..9,
        ) {
            let whole = read(text.as_bytes(), size);
            let value = serde_json::from_str::<Value>(&text);
            // A number alone has no end; half a pair of escapes is refused by one and replaced by the other.
            if text.trim_start().starts_with(['[', '{']) && !text.contains(r"\u") {
                prop_assert_eq!(whole.is_some(), value.is_ok(), "{}", text);
            }
        }
    }
}
