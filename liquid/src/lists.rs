//! Filters on lists, and those that take lists and texts alike.

use std::cmp::Ordering;

use super::budget::{Budget, Sink};
use super::error::Fault;
use super::filters::Call;
use super::render;
use super::value::{Value, utf16_len};

type Answer<'a> = Result<Value<'a>, Fault>;

/// Returns a part of a list or text; a negative beginning counts from the end.
pub(super) fn slice<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let (begin, length) = (call.number(0)?, if call.given(1).is_some() { call.number(1)? } else { 1.0 });
    match &call.input {
        Value::Nil => Ok(Value::from(Vec::new())),
        Value::List(_) => {
            let list = call.list()?;
            let begin = if begin < 0.0 { list.len() as f64 + begin } else { begin };
            if begin < 0.0 || length < 0.0 {
                return Ok(Value::from(Vec::new()));
            }
            let (start, end) = render::slice(0, list.len(), begin, begin + length);
            Ok(Value::from((start..end).filter_map(|index| list.get(index)).collect::<Vec<_>>()))
        }
        _ => {
            let text = call.text()?;
            let begin = if begin < 0.0 { text.chars().count() as f64 + begin } else { begin };
            if begin < 0.0 || length < 0.0 {
                return Ok(Value::from(String::new()));
            }
            let mut draft = call.draft();
            for char in text.chars().skip(begin as usize).take(length as usize) {
                draft.put_char(char)?;
            }
            Ok(draft.finish().into())
        }
    }
}

/// Returns one property of each element.
pub(super) fn map<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let (list, path) = (call.list()?, call.text_argument(0)?);
    let values = list.iter().map(|item| item.at_path(&path, call.budget)).collect::<Result<Vec<_>, _>>()?;
    Ok(values.into())
}

pub(super) fn sort<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    sorted(
        call,
        |key| Ok(key.clone()),
        |left, right, budget| Ok(left.compare(right, budget)?.unwrap_or(Ordering::Equal)),
    )
}

pub(super) fn sort_natural<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let lower = |key: &Value<'a>| match key {
        Value::Text(text) => {
            call.budget.work(text.len())?;
            Ok(Value::from(text.to_lowercase()))
        }
        other => Ok(other.clone()),
    };
    sorted(call, lower, |left, right, budget| {
        let (left, right) = (left.to_text(budget)?, right.to_text(budget)?);
        Ok(left.encode_utf16().cmp(right.encode_utf16()))
    })
}

/// Sorts by the elements or one property of theirs; `nil` goes last.
fn sorted<'a>(
    call: &Call<'a, '_>,
    prepare: impl Fn(&Value<'a>) -> Answer<'a>,
    compare: impl Fn(&Value<'a>, &Value<'a>, &Budget) -> Result<Ordering, Fault>,
) -> Answer<'a> {
    let list = call.list()?;
    let path = call.given(0).map(|path| path.to_text(call.budget)).transpose()?;
    call.budget.elements(list.len().saturating_mul(2))?;
    let mut items = Vec::with_capacity(list.len());
    for item in list.iter() {
        let key = match &path {
            Some(path) => item.at_path(path, call.budget)?,
            None => item.clone(),
        };
        items.push((prepare(&key)?, item));
    }
    let items = merge_sort(items, &|left: &(Value<'a>, Value<'a>), right| {
        call.budget.step()?;
        match (&left.0, &right.0) {
            (Value::Nil, Value::Nil) => Ok(Ordering::Equal),
            (Value::Nil, _) => Ok(Ordering::Greater),
            (_, Value::Nil) => Ok(Ordering::Less),
            (left, right) => compare(left, right, call.budget),
        }
    })?;
    Ok(items.into_iter().map(|(_, item)| item).collect::<Vec<_>>().into())
}

/// Sorts, keeping equals in order. The standard library's sort panics where an order contradicts itself, and
/// JavaScript's does as soon as numbers stand among texts.
fn merge_sort<T: Clone>(
    mut items: Vec<T>,
    compare: &dyn Fn(&T, &T) -> Result<Ordering, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut width = 1;
    while width < items.len() {
        let mut next = Vec::with_capacity(items.len());
        for pair in items.chunks(width.saturating_mul(2)) {
            let (left, right) = pair.split_at_checked(width).unwrap_or((pair, &[]));
            let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
            while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
                let taken = if compare(first, second)?.is_le() { left.next() } else { right.next() };
                next.extend(taken.cloned());
            }
            next.extend(left.chain(right).cloned());
        }
        items = next;
        width = width.saturating_mul(2);
    }
    Ok(items)
}

pub(super) fn first<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    end(call, |list| list.get(0), |text| text.chars().next())
}

pub(super) fn last<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    end(call, |list| list.get(list.len().wrapping_sub(1)), |text| text.chars().next_back())
}

fn end<'a>(
    call: &Call<'a, '_>,
    of_list: impl Fn(&super::value::List<'a>) -> Option<Value<'a>>,
    of_text: impl Fn(&str) -> Option<char>,
) -> Answer<'a> {
    Ok(match &call.input {
        Value::List(list) => of_list(list).unwrap_or(Value::Nil),
        Value::Text(text) => Value::from(of_text(text).map(String::from).unwrap_or_default()),
        _ => Value::from(String::new()),
    })
}

pub(super) fn join<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let list = call.list()?;
    let separator = match call.given(0) {
        Some(given) => given.to_text(call.budget)?,
        None => super::value::Text::Borrowed(" "),
    };
    let mut draft = call.draft();
    for (index, item) in list.iter().enumerate() {
        draft.put(if index == 0 { "" } else { &separator })?;
        // A list within the list is written as JavaScript writes it.
        item.write_joined(",", &mut draft)?;
    }
    Ok(draft.finish().into())
}

pub(super) fn reverse<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(call.list()?.iter().rev().collect::<Vec<_>>().into())
}

/// Counts the elements of a list, or the UTF-16 units of a text as JavaScript does.
pub(super) fn size<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    Ok(Value::Number(match &call.input {
        Value::List(list) => list.len() as f64,
        Value::Text(_) => utf16_len(&call.text()?) as f64,
        _ => 0.0,
    }))
}

/// Puts a value in place of what is missing, false or empty.
pub(super) fn default<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let missing = match &call.input {
        Value::Text(text) => text.is_empty(),
        Value::List(list) => list.len() == 0,
        Value::Empty | Value::Blank => true,
        Value::Bool(false) => !call.allow_false,
        other => !other.is_truthy(),
    };
    Ok(if missing { call.argument(0) } else { call.input.clone() })
}
