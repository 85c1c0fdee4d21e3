//! The form that the component carries: small, and searched without being read as a whole.
//!
//! ```text
//! u32 count of texts, u32 count of operations, u32 offset of the pool, u32 offset of the records
//! u32 end of each text in the pool
//! u32 start of each record, in the order of the operations' names
//! the pool: all texts once, one behind the other
//! the records
//! ```
//!
//! Numbers in records are LEB128 without sign; a text is its number. `connector/src/operations/table.rs` reads it, and a
//! test there compares all that it reads with the files.

use std::collections::BTreeMap;

use crate::{Answer, Body, BodyForm, Effect, Format, Kind, Known, Member, Operation, Paging, Stage, Type};

/// Makes the form of a table that is in the order of its names.
pub fn encode(operations: &[Operation]) -> Vec<u8> {
    // Numbers below 128 take one byte: the texts that are used most come first.
    let mut counted = Pool::Counting(BTreeMap::new());
    operations.iter().for_each(|operation| drop(record(operation, &mut counted)));
    let Pool::Counting(counts) = counted else { return Vec::new() };
    let mut texts: Vec<(usize, String)> = counts.into_iter().map(|(text, count)| (count, text)).collect();
    texts.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let numbers = texts.iter().enumerate().map(|(number, (_, text))| (text.clone(), number)).collect();
    let mut pool = Pool::Numbering(numbers);

    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    for (_, text) in &texts {
        bytes.extend_from_slice(text.as_bytes());
        ends.push(bytes.len());
    }
    let (mut starts, mut records) = (Vec::new(), Vec::new());
    for operation in operations {
        starts.push(records.len());
        records.extend(record(operation, &mut pool));
    }
    let pool_at = 4 * (4 + ends.len() + starts.len());
    let records_at = pool_at + bytes.len();
    let head = [ends.len(), starts.len(), pool_at, records_at];
    let mut form = Vec::new();
    for number in head.iter().chain(&ends).chain(&starts) {
        form.extend_from_slice(&u32::try_from(*number).unwrap_or(u32::MAX).to_le_bytes());
    }
    form.extend(bytes);
    form.extend(records);
    form
}

/// The texts: first how often each is used, then the number of each.
enum Pool {
    Counting(BTreeMap<String, usize>),
    Numbering(BTreeMap<String, usize>),
}

/// A record under way.
struct Writer<'a> {
    bytes: Vec<u8>,
    pool: &'a mut Pool,
}

impl Writer<'_> {
    fn number(&mut self, number: usize) {
        let mut rest = number;
        loop {
            let low = u8::try_from(rest & 0x7f).unwrap_or_default();
            rest >>= 7;
            if rest == 0 {
                return self.bytes.push(low);
            }
            self.bytes.push(low | 0x80);
        }
    }

    fn text(&mut self, text: &str) {
        let number = match self.pool {
            Pool::Counting(counts) => {
                *counts.entry(text.to_owned()).or_default() += 1;
                0
            }
            Pool::Numbering(numbers) => numbers.get(text).copied().unwrap_or_default(),
        };
        self.number(number);
    }

    fn texts(&mut self, texts: &[String]) {
        self.number(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    /// 0 for nothing, else one more than the number.
    fn maybe(&mut self, number: Option<usize>) {
        self.number(number.map_or(0, |number| number + 1));
    }

    /// Numbers with a sign: 0, -1, 1, -2, … become 0, 1, 2, 3, …
    fn maybe_signed(&mut self, number: Option<i64>) {
        let folded = |number: i64| {
            let twice = number.unsigned_abs().saturating_mul(2);
            usize::try_from(if number < 0 { twice - 1 } else { twice }).unwrap_or(usize::MAX >> 1)
        };
        self.maybe(number.map(folded));
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Any => self.number(0),
            Kind::Text { format, longest } => {
                self.number(1);
                self.number(match format {
                    Format::Any => 0,
                    Format::Email => 1,
                    Format::DateTime => 2,
                    Format::Uuid => 3,
                    Format::Sort => 4,
                    Format::Day => 5,
                    Format::Ascii => 6,
                });
                self.maybe(longest.and_then(|longest| usize::try_from(longest).ok()));
            }
            Kind::OneOf(values) => {
                self.number(2);
                self.texts(values);
            }
            Kind::OneOfMany(count) => {
                self.number(3);
                self.number((*count).into());
            }
            Kind::Names { names, longest } => {
                self.number(4);
                self.texts(names);
                self.maybe(longest.and_then(|longest| usize::try_from(longest).ok()));
            }
            Kind::Integer { least, most } => {
                self.number(5);
                self.maybe_signed(*least);
                self.maybe_signed(*most);
            }
            Kind::Number => self.number(6),
            Kind::Flag => self.number(7),
            Kind::Object => self.number(8),
            Kind::TextOrInteger => self.number(9),
            Kind::List(of) => {
                self.number(10);
                self.kind(of);
            }
            Kind::File => self.number(11),
        }
    }

    fn members(&mut self, members: &[Member]) {
        self.number(members.len());
        for Member { name, required, kind: Type { kind, null }, meaning } in members {
            self.text(name);
            self.number(usize::from(*required) | usize::from(*null) << 1);
            self.kind(kind);
            self.text(meaning);
        }
    }
}

fn record(operation: &Operation, pool: &mut Pool) -> Vec<u8> {
    let mut to = Writer { bytes: Vec::new(), pool };
    to.text(&operation.name);
    to.number(match operation.method.as_str() {
        "GET" => 0,
        "POST" => 1,
        "PUT" => 2,
        "PATCH" => 3,
        _ => 4,
    });
    to.text(&operation.path);
    to.text(&operation.title);
    to.text(operation.note.as_deref().unwrap_or_default());
    to.number(match operation.stage {
        Stage::Ga => 0,
        Stage::Ea => 1,
        Stage::Beta => 2,
        Stage::Unknown => 3,
    });
    to.number(match operation.effect {
        Effect::Read => 0,
        Effect::Create => 1,
        Effect::Update => 2,
        Effect::Delete => 3,
        Effect::Send => 4,
    });
    let flags = [
        operation.idempotent,
        operation.known == Known::Whole,
        operation.totals,
        operation.handles_personal_data,
    ];
    to.number(flags.iter().enumerate().map(|(bit, set)| usize::from(*set) << bit).sum());
    to.number(match operation.paging {
        Paging::None => 0,
        Paging::Offset => 1,
        Paging::Checkpoint => 2,
        Paging::Both => 3,
    });
    to.number(operation.page_size.unwrap_or(100).into());
    to.text(operation.beyond.as_deref().unwrap_or_default());
    to.number(operation.scopes.len());
    operation.scopes.iter().for_each(|group| to.texts(group));
    to.number(operation.scopes_for.len());
    for (scope, part) in &operation.scopes_for {
        to.text(scope);
        to.text(part);
    }
    match &operation.answer {
        Answer::Unknown => to.number(0),
        Answer::Object(members) => {
            to.number(1);
            to.texts(members);
        }
        Answer::Rows(member) => {
            to.number(2);
            to.text(member.as_deref().unwrap_or_default());
        }
        Answer::Array => to.number(3),
        Answer::Number => to.number(4),
        Answer::Events => to.number(5),
    }
    to.members(&operation.path_members);
    to.members(&operation.query);
    match &operation.body {
        None => to.number(0),
        Some(Body { form, at_least, members }) => {
            to.number(match form {
                BodyForm::Closed => 1,
                BodyForm::Open => 2,
                BodyForm::List => 3,
                BodyForm::Multipart => 4,
            });
            to.number((*at_least).into());
            to.members(members);
        }
    }
    to.bytes
}
