//! What a variable or a filter yields: JavaScript's values, as far as Liquid can see them.
//!
//! Values borrow from the variables and from the template wherever they can, and share what filters made, so that
//! copying one costs nothing and `assign` cannot multiply memory.

use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::budget::{Budget, Draft, Sink};
use super::error::Fault;
use super::number;

#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    /// `nil`, and whatever does not exist.
    Nil,
    /// The literal `empty`, which equals every empty text, list and object.
    Empty,
    /// The literal `blank`, which also equals `false`, `nil` and white space.
    Blank,
    Bool(bool),
    Number(f64),
    Text(Text<'a>),
    List(List<'a>),
    Object(&'a Map<String, Json>),
    Loop(LoopState),
}

/// A text from the template or the variables, or one that a filter made.
#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// A list from the variables, or one that a filter or a range made.
#[derive(Debug, Clone)]
pub(super) enum List<'a> {
    Borrowed(&'a [Json]),
    Shared(Rc<[Value<'a>]>),
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Borrowed(items) => items.len(),
            Self::Shared(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Borrowed(items) => items.get(index).map(Value::from),
            Self::Shared(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Value<'a>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// Where a loop is: what `forloop` and `tablerowloop` show.
#[derive(Debug, Clone)]
pub(super) struct LoopState {
    /// Iterations completed.
    pub(super) index: usize,
    pub(super) length: usize,
    /// Columns of a `tablerow`.
    pub(super) columns: Option<f64>,
    /// `variable-collection`, as written.
    pub(super) name: Rc<str>,
}

impl LoopState {
    pub(super) fn row(&self) -> f64 {
        (self.index as f64 / self.columns.unwrap_or(f64::NAN)).floor() + 1.0
    }

    pub(super) fn column(&self) -> f64 {
        self.index as f64 % self.columns.unwrap_or(f64::NAN)
    }

    fn property<'a>(&self, key: &str) -> Value<'a> {
        let number = |count: usize| Value::Number(count as f64);
        let left = self.length.saturating_sub(self.index);
        match (key, self.columns) {
            ("index", _) => number(self.index + 1),
            ("index0" | "i", _) => number(self.index),
            ("first", _) => Value::Bool(self.index == 0),
            ("last", _) => Value::Bool(left == 1),
            ("rindex", _) => number(left),
            ("rindex0", _) => number(left.saturating_sub(1)),
            ("length", _) => number(self.length),
            ("name", _) => Value::Text(Text::Shared(Rc::clone(&self.name))),
            ("cols", Some(columns)) => Value::Number(columns),
            ("row", Some(_)) => Value::Number(self.row()),
            ("col0", Some(_)) => Value::Number(self.column()),
            ("col", Some(_)) => Value::Number(self.column() + 1.0),
            ("col_first", Some(_)) => Value::Bool(self.column() == 0.0),
            ("col_last", Some(columns)) => Value::Bool(self.column() + 1.0 == columns),
            _ => Value::Nil,
        }
    }

    fn to_json(&self) -> String {
        let Self { index, length, columns, name } = self;
        let columns =
            columns.map(|columns| format!(",\"cols\":{}", number::format(columns))).unwrap_or_default();
        format!("{{\"i\":{index},\"length\":{length},\"name\":{}{columns}}}", Json::from(&**name))
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(truth) => Self::Bool(*truth),
            // One that is too large for a double is infinite, as in JavaScript.
            Json::Number(number) => {
                let text = || number.to_string().parse().unwrap_or(f64::NAN);
                Self::Number(number.as_f64().unwrap_or_else(text))
            }
            Json::String(text) => Self::Text(Text::Borrowed(text)),
            Json::Array(items) => Self::List(List::Borrowed(items)),
            Json::Object(map) => Self::Object(map),
        }
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Text::Shared(Rc::from(text)))
    }
}

impl<'a> From<Vec<Value<'a>>> for Value<'a> {
    fn from(items: Vec<Value<'a>>) -> Self {
        Self::List(List::Shared(Rc::from(items)))
    }
}

impl<'a> Value<'a> {
    /// Everything but `nil` and `false` is true; so are `0` and `""`.
    pub(super) fn is_truthy(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// Reads as JavaScript's unary plus does; NaN where there is no number.
    pub(super) fn to_number(&self, budget: &Budget) -> Result<f64, Fault> {
        Ok(match self {
            Self::Number(number) => *number,
            Self::Bool(truth) => f64::from(u8::from(*truth)),
            Self::Text(text) => {
                budget.work(text.len())?;
                number::parse(text)
            }
            Self::Empty | Self::Blank => 0.0,
            Self::List(list) => match (list.len(), list.get(0)) {
                (0, _) => 0.0,
                (1, Some(only @ (Self::Number(_) | Self::Text(_)))) => return only.to_number(budget),
                _ => f64::NAN,
            },
            Self::Nil | Self::Object(_) | Self::Loop(_) => f64::NAN,
        })
    }

    /// Reads as the arithmetic filters do: 0 where there is no number.
    pub(super) fn to_number_or_zero(&self, budget: &Budget) -> Result<f64, Fault> {
        let number = self.to_number(budget)?;
        Ok(if number.is_nan() { 0.0 } else { number })
    }

    /// Writes the value as `{{ }}` does: nothing for `nil`, lists without a separator.
    pub(super) fn write(&self, sink: &mut dyn Sink) -> Result<(), Fault> {
        self.write_joined("", sink)
    }

    /// Writes the value with `separator` between the elements of lists.
    pub(super) fn write_joined(&self, separator: &str, sink: &mut dyn Sink) -> Result<(), Fault> {
        match self {
            Self::Nil | Self::Empty | Self::Blank => Ok(()),
            Self::Bool(truth) => sink.put(if *truth { "true" } else { "false" }),
            Self::Number(value) => sink.put(&number::format(*value)),
            Self::Text(text) => sink.put(text),
            Self::Object(_) => sink.put("[object Object]"),
            Self::Loop(state) => sink.put(&state.to_json()),
            Self::List(list) => {
                // The elements may all be empty.
                sink.budget().elements(list.len())?;
                for (index, item) in list.iter().enumerate() {
                    if index > 0 {
                        sink.put(separator)?;
                    }
                    item.write_joined(separator, sink)?;
                }
                Ok(())
            }
        }
    }

    /// Returns the value as a text, as `{{ }}` would write it.
    pub(super) fn to_text(&self, budget: &Budget) -> Result<Text<'a>, Fault> {
        match self {
            Self::Text(text) => {
                budget.work(text.len())?;
                Ok(text.clone())
            }
            Self::Nil => Ok(Text::Borrowed("")),
            _ => {
                let mut draft = Draft::new(budget);
                self.write(&mut draft)?;
                Ok(Text::Shared(Rc::from(draft.finish())))
            }
        }
    }

    /// Returns the elements that filters work on: a list as it is, nothing for `nil`, and anything else alone.
    pub(super) fn to_list(&self, budget: &Budget) -> Result<List<'a>, Fault> {
        match self {
            Self::List(list) => {
                budget.elements(list.len())?;
                Ok(list.clone())
            }
            Self::Nil => Ok(List::Borrowed(&[])),
            other => Ok(List::Shared(Rc::from([other.clone()]))),
        }
    }

    /// Returns the elements that loops walk: also the `[key, value]` pairs of an object; a text is one element.
    pub(super) fn to_items(&self, budget: &Budget) -> Result<List<'a>, Fault> {
        match self {
            Self::List(list) => Ok(list.clone()),
            Self::Text(text) if !text.is_empty() => Ok(List::Shared(Rc::from([self.clone()]))),
            Self::Object(map) => {
                budget.elements(map.len().saturating_mul(3))?;
                let pair = |(key, value): (&'a String, &'a Json)| {
                    Value::from(vec![Value::Text(Text::Borrowed(key)), Value::from(value)])
                };
                Ok(List::Shared(map.iter().map(pair).collect()))
            }
            _ => Ok(List::Borrowed(&[])),
        }
    }

    /// Reads a property: of objects by name, of lists and texts by index, and `size`, `first`, `last`.
    pub(super) fn property(&self, key: &Value<'a>, budget: &Budget) -> Result<Value<'a>, Fault> {
        match (key, self) {
            (Self::Text(name), _) => self.property_named(name, budget),
            (Self::Number(index), Self::List(list)) => Ok(list_element(list, *index)),
            (Self::Number(index), _) => self.property_named(&number::format(*index), budget),
            _ => Ok(Self::Nil),
        }
    }

    fn property_named(&self, name: &str, budget: &Budget) -> Result<Value<'a>, Fault> {
        // Names may be texts of users, and each lookup reads the whole of one.
        budget.work(name.len())?;
        Ok(match self {
            Self::Object(map) => match (map.get(name), name) {
                (Some(value), _) => Self::from(value),
                (None, "size") => Self::Number(map.len() as f64),
                (None, _) => Self::Nil,
            },
            Self::List(list) => match name {
                "size" | "length" => Self::Number(list.len() as f64),
                "first" => list_element(list, 0.0),
                "last" => list_element(list, -1.0),
                _ => index_in(name).and_then(|index| list.get(index)).unwrap_or(Self::Nil),
            },
            Self::Text(text) => match name {
                "size" | "length" => {
                    budget.work(text.len())?;
                    Self::Number(utf16_len(text) as f64)
                }
                _ => match index_in(name) {
                    Some(index) => {
                        budget.work(text.len())?;
                        text.chars().nth(index).map_or(Self::Nil, |found| Self::from(found.to_string()))
                    }
                    None => Self::Nil,
                },
            },
            Self::Loop(state) => state.property(name),
            Self::Nil | Self::Empty | Self::Blank | Self::Bool(_) | Self::Number(_) => Self::Nil,
        })
    }

    /// Follows a path of names parted by dots, as `map` and `sort` take it.
    pub(super) fn at_path(&self, path: &str, budget: &Budget) -> Result<Value<'a>, Fault> {
        let mut value = self.clone();
        for name in path.split('.') {
            budget.step()?;
            value = value.property_named(name, budget)?;
        }
        Ok(value)
    }

    /// Compares as `==` does: no conversion between kinds, lists element by element, objects by identity.
    pub(super) fn equals(&self, other: &Self, budget: &Budget) -> Result<bool, Fault> {
        Ok(match (self, other) {
            (Self::Blank, value) | (value, Self::Blank) => value.is_blank(budget)?,
            (Self::Empty, value) | (value, Self::Empty) => value.is_empty(),
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => {
                if left.len() == right.len() {
                    budget.work(left.len())?;
                }
                **left == **right
            }
            (Self::Object(left), Self::Object(right)) => std::ptr::eq(*left, *right),
            (Self::List(left), Self::List(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                budget.elements(left.len())?;
                for (left, right) in left.iter().zip(right.iter()) {
                    if !left.equals(&right, budget)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => false,
        })
    }

    /// Orders as `<` does: texts by their UTF-16, everything else as numbers; `None` where neither works. Lists and
    /// objects count as the texts that JavaScript makes of them.
    pub(super) fn compare(&self, other: &Self, budget: &Budget) -> Result<Option<Ordering>, Fault> {
        Ok(match (self.primitive(budget)?, other.primitive(budget)?) {
            (Self::Nil | Self::Empty | Self::Blank, _) | (_, Self::Nil | Self::Empty | Self::Blank) => None,
            (Self::Text(left), Self::Text(right)) => {
                budget.work(left.len().min(right.len()))?;
                Some(left.encode_utf16().cmp(right.encode_utf16()))
            }
            (left, right) => left.to_number(budget)?.partial_cmp(&right.to_number(budget)?),
        })
    }

    fn primitive(&self, budget: &Budget) -> Result<Self, Fault> {
        if !matches!(self, Self::List(_) | Self::Object(_) | Self::Loop(_)) {
            return Ok(self.clone());
        }
        let mut draft = Draft::new(budget);
        self.write_joined(",", &mut draft)?;
        Ok(Self::from(draft.finish()))
    }

    /// Returns whether a list has an element, or a text a part.
    pub(super) fn contains(&self, part: &Self, budget: &Budget) -> Result<bool, Fault> {
        match self {
            Self::List(list) => {
                budget.elements(list.len())?;
                for item in list.iter() {
                    if item.equals(part, budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Text(text) if !matches!(part, Self::Nil) => {
                budget.work(text.len())?;
                Ok(text.contains(&*part.to_text(budget)?))
            }
            Self::Empty | Self::Blank => Ok(part.is_empty() || matches!(part, Self::Empty | Self::Blank)),
            _ => Ok(false),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.len() == 0,
            Self::Object(map) => map.is_empty(),
            _ => false,
        }
    }

    fn is_blank(&self, budget: &Budget) -> Result<bool, Fault> {
        Ok(match self {
            Self::Nil | Self::Bool(false) => true,
            Self::Text(text) => {
                budget.work(text.len())?;
                text.chars().all(super::text::is_space)
            }
            other => other.is_empty(),
        })
    }
}

/// Counts as JavaScript's `length` does.
pub(super) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Returns an element; a negative index counts from the end.
fn list_element<'a>(list: &List<'a>, index: f64) -> Value<'a> {
    let index = if index < 0.0 { list.len() as f64 + index } else { index };
    if index < 0.0 || index.fract() != 0.0 {
        return Value::Nil;
    }
    list.get(index as usize).unwrap_or(Value::Nil)
}

/// Reads a property name that JavaScript would take for an index: digits without a leading zero.
fn index_in(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    if plain { name.parse().ok() } else { None }
}
