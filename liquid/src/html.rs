//! Filters that make text fit for HTML and for links, or take it out again.

use super::budget::Sink;
use super::error::Fault;
use super::filters::Call;
use super::value::Value;

type Answer<'a> = Result<Value<'a>, Fault>;

const ENTITIES: [(char, &str); 5] =
    [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&#34;"), ('\'', "&#39;")];

pub(super) fn escape<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let mut draft = call.draft();
    put_escaped(&call.text()?, &mut draft)?;
    Ok(draft.finish().into())
}

/// Escapes what is not escaped yet.
pub(super) fn escape_once<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?;
    let mut plain = call.draft();
    let mut rest: &str = &text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.put(before)?;
        let entity = ENTITIES.iter().find_map(|(char, entity)| {
            entity.strip_prefix('&').and_then(|entity| after.strip_prefix(entity)).map(|rest| (*char, rest))
        });
        let (char, next) = entity.unwrap_or(('&', after));
        plain.put_char(char)?;
        rest = next;
    }
    plain.put(rest)?;
    let mut draft = call.draft();
    put_escaped(&plain.finish(), &mut draft)?;
    Ok(draft.finish().into())
}

fn put_escaped(text: &str, sink: &mut dyn Sink) -> Result<(), Fault> {
    for char in text.chars() {
        match ENTITIES.iter().find(|(plain, _)| *plain == char) {
            Some((_, entity)) => sink.put(entity)?,
            None => sink.put_char(char)?,
        }
    }
    Ok(())
}

/// Encodes as JavaScript's `encodeURIComponent`, with `+` for a blank.
pub(super) fn url_encode<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |digit: u8| HEX.get(usize::from(digit)).copied().map_or('0', char::from);

    let mut draft = call.draft();
    for byte in call.text()?.bytes() {
        match byte {
            b' ' => draft.put("+")?,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => draft.put_char(byte.into())?,
            _ if byte.is_ascii_alphanumeric() => draft.put_char(byte.into())?,
            _ => {
                draft.put("%")?;
                draft.put_char(hex(byte >> 4))?;
                draft.put_char(hex(byte & 15))?;
            }
        }
    }
    Ok(draft.finish().into())
}

pub(super) fn url_decode<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit(), digit());
                high.zip(low)
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
                    .ok_or_else(|| call.refuse("needs two hexadecimal digits behind each `%`"))?
            }
            other => other,
        });
    }
    let decoded = String::from_utf8(bytes).map_err(|_| call.refuse("decodes UTF-8 only"))?;
    let mut draft = call.draft();
    draft.put(&decoded)?;
    Ok(draft.finish().into())
}

pub(super) fn newline_to_br<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?;
    let mut draft = call.draft();
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_some() {
            draft.put(line.strip_suffix('\r').unwrap_or(line))?;
            draft.put("<br />\n")?;
        } else {
            draft.put(line)?;
        }
    }
    Ok(draft.finish().into())
}

/// Drops scripts, styles, comments and tags.
pub(super) fn strip_html<'a>(call: &Call<'a, '_>) -> Answer<'a> {
    let text = call.text()?;
    let mut blocks = vec![("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">")];
    let mut draft = call.draft();
    let mut rest: &str = &text;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at_checked(start).unwrap_or_default();
        draft.put(before)?;
        rest = tag;
        let mut index = 0;
        let after = loop {
            let Some((opener, closer)) = blocks.get(index).copied() else { break None };
            match tag.strip_prefix(opener).map(|inside| inside.split_once(closer)) {
                Some(Some((_, after))) => break Some(after),
                // Without its end here it has none further on: never look for it again.
                Some(None) => drop(blocks.remove(index)),
                None => index += 1,
            }
        };
        match after {
            Some(after) => rest = after,
            None => break,
        }
    }
    draft.put(rest)?;
    Ok(draft.finish().into())
}
