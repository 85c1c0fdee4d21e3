//! The table in the form that the component carries (`catalog/src/binary.rs` writes it and says how it looks).
//!
//! Nothing is read at start: a search reads the names that it compares, and one record where it finds it. What a damaged
//! form would say is not there, instead of a panic; a test compares every record with the files.

use super::operation::{Answer, Body, BodyForm, Format, Kind, Member, Operation, Paging, Stage};
use crate::catalog::Effect;
use crate::core::request::Method;

static FORM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/operations.bin"));

/// Bytes of the head, and of each number in it and in the indexes.
const WORD: usize = 4;
const HEAD: usize = 4 * WORD;

/// Returns all operations, in the order of their names.
pub fn all() -> impl Iterator<Item = Operation> {
    (0..count()).filter_map(operation)
}

/// Returns the names of all operations, in their order, and reads nothing else of them.
pub fn names() -> impl Iterator<Item = &'static str> {
    (0..count()).filter_map(|number| record(number)?.text())
}

/// Finds an operation by its name.
pub fn find(name: &str) -> Option<Operation> {
    let (mut low, mut high) = (0, count());
    while low < high {
        let middle = low.midpoint(high);
        match record(middle)?.text()?.cmp(name) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return operation(middle),
        }
    }
    None
}

fn word(at: usize) -> Option<usize> {
    let bytes = FORM.get(at..at.checked_add(WORD)?)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

fn count() -> usize {
    word(WORD).unwrap_or_default()
}

fn text(number: usize) -> Option<&'static str> {
    let pool = word(2 * WORD)?;
    let end = |number: usize| word(HEAD + WORD * number);
    let start = if number == 0 { 0 } else { end(number - 1)? };
    std::str::from_utf8(FORM.get(pool + start..pool + end(number)?)?).ok()
}

fn record(number: usize) -> Option<Reader> {
    let start = word(HEAD + WORD * (word(0)? + number))?;
    Some(Reader { rest: FORM.get(word(3 * WORD)? + start..)? })
}

/// What is left of a record.
struct Reader {
    rest: &'static [u8],
}

impl Reader {
    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }

    fn text(&mut self) -> Option<&'static str> {
        text(self.number()?)
    }

    fn each<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.number()?).map(|_| read(self)).collect()
    }

    fn texts(&mut self) -> Option<Vec<&'static str>> {
        self.each(Self::text)
    }

    fn maybe(&mut self) -> Option<Option<usize>> {
        Some(self.number()?.checked_sub(1))
    }

    fn maybe_signed(&mut self) -> Option<Option<i64>> {
        let Some(folded) = self.maybe()? else { return Some(None) };
        let half = i64::try_from(folded >> 1).ok()?;
        Some(Some(if folded & 1 == 1 { -half - 1 } else { half }))
    }

    fn kind(&mut self) -> Option<Kind> {
        Some(match self.number()? {
            0 => Kind::Any,
            1 => {
                let format = match self.number()? {
                    0 => Format::Any,
                    1 => Format::Email,
                    2 => Format::DateTime,
                    3 => Format::Uuid,
                    4 => Format::Sort,
                    5 => Format::Day,
                    6 => Format::Ascii,
                    _ => return None,
                };
                Kind::Text(format, self.maybe()?)
            }
            2 => Kind::OneOf(self.texts()?),
            3 => Kind::OneOfMany(self.number()?),
            4 => Kind::Names(self.texts()?, self.maybe()?),
            5 => Kind::Integer(self.maybe_signed()?, self.maybe_signed()?),
            6 => Kind::Number,
            7 => Kind::Flag,
            8 => Kind::Object,
            9 => Kind::TextOrInteger,
            10 => Kind::List(Box::new(self.kind()?)),
            11 => Kind::File,
            _ => return None,
        })
    }

    fn member(&mut self) -> Option<Member> {
        let name = self.text()?;
        let flags = self.number()?;
        let kind = self.kind()?;
        Some(Member { name, required: flags & 1 != 0, null: flags & 2 != 0, kind, meaning: self.text()? })
    }
}

fn operation(number: usize) -> Option<Operation> {
    let mut from = record(number)?;
    let name = from.text()?;
    let method = match from.number()? {
        0 => Method::Get,
        1 => Method::Post,
        2 => Method::Put,
        3 => Method::Patch,
        4 => Method::Delete,
        _ => return None,
    };
    let (path, title, note) = (from.text()?, from.text()?, from.text()?);
    let stage = match from.number()? {
        0 => Stage::Ga,
        1 => Stage::Ea,
        2 => Stage::Beta,
        3 => Stage::Unknown,
        _ => return None,
    };
    let effect = match from.number()? {
        0 => Effect::Read,
        1 => Effect::Create,
        2 => Effect::Update,
        3 => Effect::Delete,
        4 => Effect::Send,
        _ => return None,
    };
    let flags = from.number()?;
    let flag = |bit: usize| flags & (1 << bit) != 0;
    let paging = match from.number()? {
        0 => Paging::None,
        1 => Paging::Offset,
        2 => Paging::Checkpoint,
        3 => Paging::Either,
        _ => return None,
    };
    let (page_size, beyond) = (from.number()?, from.text()?);
    let scopes = from.each(Reader::texts)?;
    let scopes_for = from.each(|from| Some((from.text()?, from.text()?)))?;
    let answer = match from.number()? {
        0 => Answer::Unknown,
        1 => Answer::Object(from.texts()?),
        2 => Answer::Rows(Some(from.text()?).filter(|member| !member.is_empty())),
        3 => Answer::Array,
        4 => Answer::Number,
        5 => Answer::Events,
        _ => return None,
    };
    let path_members = from.each(Reader::member)?;
    let query = from.each(Reader::member)?;
    let form = match from.number()? {
        0 => None,
        1 => Some(BodyForm::Closed),
        2 => Some(BodyForm::Open),
        3 => Some(BodyForm::List),
        4 => Some(BodyForm::Multipart),
        _ => return None,
    };
    let body = match form {
        None => None,
        Some(form) => Some(Body { form, at_least: from.number()?, members: from.each(Reader::member)? }),
    };
    Some(Operation {
        name,
        method,
        path,
        title,
        note,
        stage,
        effect,
        idempotent: flag(0),
        whole: flag(1),
        totals: flag(2),
        handles_personal_data: flag(3),
        paging,
        page_size,
        beyond,
        scopes,
        scopes_for,
        answer,
        path_members,
        query,
        body,
    })
}

#[cfg(test)]
mod tests;
