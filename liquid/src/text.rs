//! Filters on text.

use super::budget::Sink;
use super::error::Fault;
use super::filters::Call;
use super::value::{Text, Value};

type Answer<'a> = Result<Value<'a>, Fault>;

/// White space as JavaScript's `trim` and `\s` know it: Rust's, with the byte order mark and without NEL.
pub(super) fn is_space(char: char) -> bool {
    (char.is_whitespace() && char != '\u{85}') || char == '\u{feff}'
}

pub(super) fn append<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let mut draft = call.draft();
    call.input.write(&mut draft)?;
    call.argument(0).write(&mut draft)?;
    Ok(draft.finish().into())
}

pub(super) fn prepend<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let mut draft = call.draft();
    call.argument(0).write(&mut draft)?;
    call.input.write(&mut draft)?;
    Ok(draft.finish().into())
}

pub(super) fn capitalize<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?;
    let mut chars = text.chars();
    let mut draft = call.draft();
    if let Some(first) = chars.next() {
        for upper in first.to_uppercase() {
            draft.put_char(upper)?;
        }
    }
    draft.put(&chars.as_str().to_lowercase())?;
    Ok(draft.finish().into())
}

pub(super) fn upcase<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    made(call, &call.text()?.to_uppercase())
}

pub(super) fn downcase<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    made(call, &call.text()?.to_lowercase())
}

pub(super) fn strip<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    trim(call, true, true)
}

pub(super) fn lstrip<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    trim(call, true, false)
}

pub(super) fn rstrip<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    trim(call, false, true)
}

/// Cuts white space, or the given characters, at the ends.
fn trim<'a>(call: &Call<'a, '_>, left: bool, right: bool) -> Answer<'a> {
    /// More characters than anyone strips; each is compared with each character of the text.
    const MAX_SET: usize = 64;

    let text = call.text()?;
    let set = call.text_argument(0)?;
    if set.chars().nth(MAX_SET).is_some() {
        return Err(call.refuse("strips at most 64 different characters"));
    }
    let drop = |char: char| if set.is_empty() { is_space(char) } else { set.contains(char) };
    let mut rest: &str = &text;
    if left {
        rest = rest.trim_start_matches(drop);
    }
    if right {
        rest = rest.trim_end_matches(drop);
    }
    made(call, rest)
}

pub(super) fn strip_newlines<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?.replace("\r\n", "").replace('\n', "");
    made(call, &text)
}

/// Splits; without a separator into characters. Empty pieces at the end are dropped, as Ruby does.
pub(super) fn split<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let (text, separator) = (call.text()?, call.text_argument(0)?);
    let mut pieces: Vec<Value<'a>> = Vec::new();
    let mut kept = 0;
    let mut add = |piece: &str| {
        call.budget.elements(1)?;
        let mut draft = call.draft();
        draft.put(piece)?;
        pieces.push(draft.finish().into());
        if !piece.is_empty() {
            kept = pieces.len();
        }
        Ok(())
    };
    if separator.is_empty() {
        text.chars().try_for_each(|char| add(char.encode_utf8(&mut [0; 4])))?;
    } else {
        text.split(&*separator).try_for_each(add)?;
    }
    pieces.truncate(kept);
    Ok(pieces.into())
}

pub(super) fn replace<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let (text, pattern, replacement) = (call.text()?, call.text_argument(0)?, call.text_argument(1)?);
    replaced(call, &text, &pattern, &replacement)
}

pub(super) fn remove<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let (text, pattern) = (call.text()?, call.text_argument(0)?);
    replaced(call, &text, &pattern, "")
}

fn replaced<'a>(call: &Call<'a, '_>, text: &str, pattern: &str, replacement: &str) -> Answer<'a> {
    let mut draft = call.draft();
    if pattern.is_empty() {
        // As `split('').join(replacement)`: between the characters.
        let mut buffer = [0; 4];
        for (index, char) in text.chars().enumerate() {
            draft.put(if index == 0 { "" } else { replacement })?;
            draft.put(char.encode_utf8(&mut buffer))?;
        }
    } else {
        for (index, piece) in text.split(pattern).enumerate() {
            draft.put(if index == 0 { "" } else { replacement })?;
            draft.put(piece)?;
        }
    }
    Ok(draft.finish().into())
}

pub(super) fn replace_first<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    first_replaced(call, &call.text_argument(1)?)
}

pub(super) fn remove_first<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    first_replaced(call, "")
}

fn first_replaced<'a>(call: &Call<'a, '_>, replacement: &str) -> Answer<'a> {
    let (text, pattern) = (call.text()?, call.text_argument(0)?);
    let mut draft = call.draft();
    match text.split_once(&*pattern) {
        Some((before, after)) => {
            draft.put(before)?;
            draft.put(replacement)?;
            draft.put(after)?;
        }
        None => draft.put(&text)?,
    }
    Ok(draft.finish().into())
}

/// Cuts to a number of characters, the ellipsis included.
pub(super) fn truncate<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?;
    let length = call.given(0).map_or(Ok(50.0), |given| given.to_number(call.budget))?;
    let ellipsis = ellipsis(call)?;
    let count = text.chars().count() as f64;
    if count <= length || text.is_empty() {
        return Ok(call.input.clone());
    }
    let kept = length - ellipsis.chars().count() as f64;
    let mut draft = call.draft();
    let end = text.char_indices().nth(kept.max(0.0) as usize).map_or(text.len(), |(at, _)| at);
    draft.put(text.get(..end).unwrap_or_default())?;
    draft.put(&ellipsis)?;
    Ok(draft.finish().into())
}

/// Cuts to a number of words. LiquidJS adds the ellipsis also where the text has exactly that many.
pub(super) fn truncatewords<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?;
    let most = call.given(0).map_or(Ok(15.0), |given| given.to_number(call.budget))?;
    let most = if most <= 0.0 { 1 } else { most as usize };
    let ellipsis = ellipsis(call)?;
    let mut draft = call.draft();
    let mut count: usize = 0;
    let mut rest = text.trim_start_matches(is_space);
    loop {
        let end = rest.find(is_space).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or_default();
        if count < most {
            draft.put(if count == 0 { "" } else { " " })?;
            draft.put(word)?;
        }
        count = count.saturating_add(1);
        if after.is_empty() {
            break;
        }
        rest = after.trim_start_matches(is_space);
    }
    if count >= most {
        draft.put(&ellipsis)?;
    }
    Ok(draft.finish().into())
}

fn ellipsis<'a>(call: &Call<'a, '_>) -> Result<Text<'a>, Fault> {
    call.given(1).map_or(Ok(Text::Borrowed("...")), |given| given.to_text(call.budget))
}

/// Pays for a text that the standard library made; it is at most three times what was read and paid for.
fn made<'a>(call: &Call<'a, '_>, text: &str) -> Answer<'a> {
    let mut draft = call.draft();
    draft.put(text)?;
    Ok(draft.finish().into())
}
