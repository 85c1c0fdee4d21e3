//! Values, conditions and filter chains: what stands inside `{{ }}` and behind the name of a tag.
//!
//! The grammar is LiquidJS's, its leniency included (`{{ a b }}` is `a`), since a template that Auth0 accepts must
//! not be refused here. Conditions are kept in postfix order, so that a long chain of `and` needs no stack.

use std::rc::Rc;

use super::budget::{Bound, MAX_DEPTH};
use super::error::{Fault, snippet};
use super::filters::{self, Filter};
use super::scan::is_blank;
use super::value::{Text, Value};

/// A value as written: a literal, a path into the variables, or a range.
#[derive(Debug)]
pub(super) enum Operand<'t> {
    Literal(Value<'t>),
    /// A variable, or a property of a literal, and the way down from it.
    Path {
        base: Option<Box<Operand<'t>>>,
        names: Vec<Operand<'t>>,
    },
    Range(Box<(Operand<'t>, Operand<'t>)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Contains,
    Not,
    And,
    Or,
}

impl Operator {
    /// Longer spellings before their beginnings.
    const SPELLINGS: &'static [(&'static str, Operator)] = &[
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        (">=", Self::GreaterOrEqual),
        ("<=", Self::LessOrEqual),
        (">", Self::Greater),
        ("<", Self::Less),
        ("contains", Self::Contains),
        ("not", Self::Not),
        ("and", Self::And),
        ("or", Self::Or),
    ];

    /// `and` and `or` bind alike, and to the right: `a and b or c` is `a and (b or c)`.
    fn precedence(self) -> u8 {
        match self {
            Self::And | Self::Or => 0,
            Self::Not => 1,
            _ => 2,
        }
    }
}

/// One step of a condition in postfix order.
#[derive(Debug)]
pub(super) enum Step<'t> {
    Operand(Operand<'t>),
    Operator(Operator),
}

/// A filter and the values it is given.
#[derive(Debug)]
pub(super) struct FilterCall<'t> {
    pub(super) filter: &'static Filter,
    pub(super) arguments: Vec<Operand<'t>>,
    pub(super) named: Vec<(&'t str, Operand<'t>)>,
}

/// A value or condition and the filters it runs through.
#[derive(Debug)]
pub(super) struct Filtered<'t> {
    pub(super) steps: Vec<Step<'t>>,
    pub(super) filters: Vec<FilterCall<'t>>,
    /// As written.
    pub(super) source: &'t str,
}

/// Returns what names are made of.
pub(super) fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '?') || (!char.is_ascii() && !is_blank(char))
}

/// Reads the inside of a tag or output from left to right.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    rest: &'t str,
    depth: u32,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, rest: text, depth: 0 }
    }

    /// Returns the position, for [`Cursor::since`] and [`Cursor::rewind`].
    pub(super) fn mark(&self) -> &'t str {
        self.rest
    }

    /// Returns what was read since a mark.
    pub(super) fn since(&self, mark: &'t str) -> &'t str {
        mark.get(..mark.len().saturating_sub(self.rest.len())).unwrap_or_default()
    }

    pub(super) fn rewind(&mut self, mark: &'t str) {
        self.rest = mark;
    }

    pub(super) fn is_done(&mut self) -> bool {
        self.skip_blank();
        self.rest.is_empty()
    }

    pub(super) fn skip_blank(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    /// Takes a character or word if it comes next.
    pub(super) fn eat(&mut self, piece: &str) -> bool {
        match self.rest.strip_prefix(piece) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips everything up to and including a mark; to the end if there is none.
    pub(super) fn skip_past(&mut self, piece: &str) {
        self.rest = self.rest.split_once(piece).map_or("", |(_, rest)| rest);
    }

    pub(super) fn expected(&self, expected: &'static str) -> Fault {
        let found = if self.rest.is_empty() { self.text } else { self.rest };
        Fault::Syntax { expected, found: snippet(found) }
    }

    /// Reads a name; empty if there is none.
    pub(super) fn word(&mut self) -> &'t str {
        self.skip_blank();
        self.word_here()
    }

    fn word_here(&mut self) -> &'t str {
        let end = self.rest.find(|char| !is_word(char)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        word
    }

    /// Reads a name that must be there.
    pub(super) fn name(&mut self, expected: &'static str) -> Result<&'t str, Fault> {
        match self.word() {
            "" => Err(self.expected(expected)),
            name => Ok(name),
        }
    }

    /// Reads a value or condition with its filters.
    pub(super) fn filtered(&mut self) -> Result<Filtered<'t>, Fault> {
        self.skip_blank();
        let mark = self.rest;
        let steps = self.condition()?;
        if steps.is_empty() {
            return Err(self.expected("a value"));
        }
        let mut filters = Vec::new();
        while let Some(filter) = self.filter()? {
            filters.push(filter);
        }
        Ok(Filtered { steps, filters, source: self.since(mark).trim_end_matches(is_blank) })
    }

    fn condition(&mut self) -> Result<Vec<Step<'t>>, Fault> {
        let mut steps = Vec::new();
        let mut pending: Vec<Operator> = Vec::new();
        loop {
            if let Some(operator) = self.operator() {
                while let Some(last) = pending.pop_if(|last| last.precedence() > operator.precedence()) {
                    steps.push(Step::Operator(last));
                }
                pending.push(operator);
            } else if let Some(operand) = self.value()? {
                steps.push(Step::Operand(operand));
            } else {
                break;
            }
        }
        while let Some(last) = pending.pop() {
            steps.push(Step::Operator(last));
        }
        Ok(steps)
    }

    fn operator(&mut self) -> Option<Operator> {
        self.skip_blank();
        let (spelling, operator) =
            Operator::SPELLINGS.iter().find(|(spelling, _)| self.rest.starts_with(spelling))?;
        let rest = self.rest.strip_prefix(spelling)?;
        if spelling.ends_with(is_word) && rest.starts_with(is_word) {
            return None;
        }
        self.rest = rest;
        Some(*operator)
    }

    fn filter(&mut self) -> Result<Option<FilterCall<'t>>, Fault> {
        if self.is_done() || self.rest.starts_with([',', ')']) {
            return Ok(None);
        }
        if !self.eat("|") {
            return Err(self.expected("`|` and a filter, or the end"));
        }
        let name = self.word();
        if name.is_empty() {
            return if self.is_done() { Ok(None) } else { Err(self.expected("the name of a filter")) };
        }
        let filter = filters::find(name).ok_or_else(|| Fault::UnknownFilter { filter: name.to_owned() })?;
        let mut call = FilterCall { filter, arguments: Vec::new(), named: Vec::new() };
        self.skip_blank();
        if self.eat(":") {
            loop {
                self.skip_blank();
                let mark = self.rest;
                if let Some(value) = self.value()? {
                    let key = self.since(mark);
                    self.skip_blank();
                    if self.eat(":") {
                        let value = self.value()?.ok_or_else(|| self.expected("a value"))?;
                        call.named.push((key, value));
                    } else {
                        call.arguments.push(value);
                    }
                }
                self.skip_blank();
                if !self.eat(",") {
                    break;
                }
            }
        }
        if !self.rest.is_empty() && !self.rest.starts_with(['|', ')', ',']) {
            return Err(self.expected("`:`, `,`, `|` or the end after a filter"));
        }
        if call.arguments.len() < filter.least_arguments {
            return Err(Fault::Filter { filter: filter.name, rule: "needs a value: `| filter: value`" });
        }
        Ok(Some(call))
    }

    /// Reads a value, if one comes next.
    pub(super) fn value(&mut self) -> Result<Option<Operand<'t>>, Fault> {
        self.skip_blank();
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err(Fault::Bound(Bound::Depth));
        }
        let base = match self.literal().or_else(|| self.number()) {
            Some(literal) => Some(Operand::Literal(literal)),
            None => match self.quoted()? {
                Some(text) => Some(Operand::Literal(text)),
                None => self.range()?,
            },
        };
        let names = self.names(base.is_none())?;
        self.depth = self.depth.saturating_sub(1);
        Ok(if names.is_empty() { base } else { Some(Operand::Path { base: base.map(Box::new), names }) })
    }

    fn required_value(&mut self) -> Result<Operand<'t>, Fault> {
        self.value()?.ok_or_else(|| self.expected("a value"))
    }

    fn literal(&mut self) -> Option<Value<'t>> {
        let end = self.rest.find(|char| !is_word(char)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        let literal = match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "nil" | "null" => Value::Nil,
            "empty" => Value::Empty,
            "blank" => Value::Blank,
            _ => return None,
        };
        self.rest = rest;
        Some(literal)
    }

    fn number(&mut self) -> Option<Value<'t>> {
        let mut seen_point = false;
        let mut end = 0;
        let mut chars = self.rest.char_indices().peekable();
        if let Some((_, '+' | '-')) = chars.peek() {
            chars.next();
            end = 1;
        }
        let mut digits = false;
        while let Some((at, char)) = chars.next() {
            match char {
                '0'..='9' => digits = true,
                // `1..5` is a range.
                '.' if chars.peek().is_none_or(|(_, next)| *next != '.') => {
                    if seen_point || !digits {
                        return None;
                    }
                    seen_point = true;
                }
                _ => break,
            }
            end = at.saturating_add(1);
        }
        let (number, rest) = self.rest.split_at_checked(end)?;
        if !digits || rest.starts_with(is_word) {
            return None;
        }
        self.rest = rest;
        Some(Value::Number(super::number::parse(number)))
    }

    fn quoted(&mut self) -> Result<Option<Value<'t>>, Fault> {
        let Some(quote) = self.rest.chars().next().filter(|char| matches!(char, '"' | '\'')) else {
            return Ok(None);
        };
        let mut escaped = false;
        for (at, char) in self.rest.char_indices().skip(1) {
            if char == quote && !escaped {
                let inside = self.rest.get(1..at).unwrap_or_default();
                self.rest = self.rest.get(at.saturating_add(1)..).unwrap_or_default();
                return Ok(Some(Value::Text(unescape(inside))));
            }
            escaped = char == '\\' && !escaped;
        }
        Err(self.expected("a closing quote"))
    }

    fn range(&mut self) -> Result<Option<Operand<'t>>, Fault> {
        if !self.eat("(") {
            return Ok(None);
        }
        let low = self.required_value()?;
        self.skip_blank();
        if !self.eat("..") {
            return Err(self.expected("a range such as `(1..5)`; parentheses cannot group conditions"));
        }
        let high = self.required_value()?;
        self.skip_blank();
        if !self.eat(")") {
            return Err(self.expected("`)` at the end of the range"));
        }
        Ok(Some(Operand::Range(Box::new((low, high)))))
    }

    fn names(&mut self, first_is_bare: bool) -> Result<Vec<Operand<'t>>, Fault> {
        let bare = |name: &'t str| Operand::Literal(Value::Text(Text::Borrowed(name)));
        let mut names = Vec::new();
        loop {
            if self.eat("[") {
                names.push(self.value()?.unwrap_or_else(|| bare("")));
                if !self.rest.contains(']') {
                    return Err(self.expected("`]`"));
                }
                self.skip_past("]");
                continue;
            }
            if first_is_bare && names.is_empty() {
                let name = self.word_here();
                if !name.is_empty() {
                    names.push(bare(name));
                    continue;
                }
            }
            if self.rest.starts_with('.') && !self.rest.starts_with("..") {
                self.eat(".");
                let name = self.word_here();
                if !name.is_empty() {
                    names.push(bare(name));
                    continue;
                }
            }
            return Ok(names);
        }
    }

    /// Reads `name: value` pairs and single names, parted by commas or blanks.
    pub(super) fn settings(&mut self) -> Result<Vec<(&'t str, Option<Operand<'t>>)>, Fault> {
        let mut settings = Vec::new();
        loop {
            self.skip_blank();
            self.eat(",");
            let name = self.word();
            if name.is_empty() {
                return Ok(settings);
            }
            self.skip_blank();
            let value = if self.eat(":") { self.value()? } else { None };
            settings.push((name, value));
        }
    }
}

/// Resolves the escapes of a quoted text, which are JavaScript's.
fn unescape(inside: &str) -> Text<'_> {
    if !inside.contains('\\') {
        return Text::Borrowed(inside);
    }
    // In UTF-16, since `\u` names its units.
    let mut units: Vec<u16> = Vec::with_capacity(inside.len());
    let mut chars = inside.chars().peekable();
    while let Some(char) = chars.next() {
        let mut push = |char: char| units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
        if char != '\\' {
            push(char);
            continue;
        }
        match chars.next() {
            Some('b') => push('\u{8}'),
            Some('f') => push('\u{c}'),
            Some('n') => push('\n'),
            Some('r') => push('\r'),
            Some('t') => push('\t'),
            Some('v') => push('\u{b}'),
            Some(code @ ('u' | '0'..='7')) => {
                let (radix, most) = if code == 'u' { (16, 4) } else { (8, 2) };
                let mut unit = code.to_digit(8).unwrap_or(0);
                for _ in 0..most {
                    let Some(digit) = chars.peek().and_then(|char| char.to_digit(radix)) else { break };
                    unit = unit.wrapping_mul(radix).wrapping_add(digit);
                    chars.next();
                }
                units.push(u16::try_from(unit & 0xffff).unwrap_or_default());
            }
            Some(other) => push(other),
            None => {}
        }
    }
    Text::Shared(Rc::from(String::from_utf16_lossy(&units)))
}
