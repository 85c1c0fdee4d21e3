//! Handles that would be written as secrets.

use super::{
    lexer::{Event, Lexer, NotJson, Scalar},
    pattern::{Last, Pattern},
    rules::members_below,
};
use crate::secrets::SCHEME;

/// An object or a list of a body that is open.
struct Frame {
    object: bool,
    /// How far along each pattern the way has come.
    way: Vec<u8>,
    /// Whether it is a secret itself, or part of one.
    secret: bool,
    /// Whether it is metadata, or part of it.
    metadata: bool,
}

/// Returns whether a body sets a secret to a handle: a workflow that writes back what it read. Everybody may know a
/// handle. What stands in metadata is the workflow's own affair.
pub(crate) fn writes_handle(path: &str, body: &[u8]) -> bool {
    // Most bodies have nothing like it, and are not parsed. JSON may escape the slashes, and any letter as `\u0061`.
    let scheme = SCHEME.trim_end_matches("//").as_bytes();
    let has = |part: &[u8]| memchr::memmem::find(body, part).is_some();
    (has(scheme) || has(br"\u")) && find(&members_below(path), body) == Ok(true)
}

fn find(patterns: &[&'static Pattern], body: &[u8]) -> Result<bool, NotJson> {
    let (mut lexer, mut at, mut found) = (Lexer::new(), 0, false);
    let mut frames: Vec<Frame> = Vec::new();
    lexer.begin(body)?;
    while let Some(event) = lexer.next(body, &mut at)? {
        match event {
            Event::Open { object, .. } => {
                let frame = match frames.last() {
                    None => Frame { object, way: vec![0; patterns.len()], secret: false, metadata: false },
                    Some(above) => Frame {
                        object,
                        way: if above.object {
                            below(patterns, above, lexer.name())
                        } else {
                            above.way.clone()
                        },
                        secret: is_secret(patterns, above, lexer.name(), Some(object)),
                        metadata: above.metadata || above.object && lexer.name().ends_with(b"metadata"),
                    },
                };
                frames.push(frame);
            }
            Event::Close { .. } => drop(frames.pop()),
            Event::Begin { scalar: Scalar::Text, .. } => lexer.keep(SCHEME.len()),
            Event::End { .. } => {
                // Longer texts are kept up to there.
                let handle = lexer.beginning() == SCHEME.as_bytes();
                found |= handle
                    && frames.last().is_some_and(|above| {
                        let metadata = above.metadata || above.object && lexer.name().ends_with(b"metadata");
                        !metadata && is_secret(patterns, above, lexer.name(), None)
                    });
            }
            Event::Begin { .. } | Event::Name => {}
        }
    }
    if lexer.is_whole() { Ok(found) } else { Err(NotJson) }
}

/// Returns whether a value is a secret, or part of one: an object, a list, or neither.
fn is_secret(patterns: &[&'static Pattern], above: &Frame, name: &[u8], object: Option<bool>) -> bool {
    let is = |(pattern, at): (&&'static Pattern, &u8)| {
        usize::from(*at) == pattern.above.len()
            && match pattern.last {
                Last::Member(member) => member.as_bytes() == name,
                Last::Text(member) => member.as_bytes() == name && object != Some(true),
                Last::Any => true,
                Last::AnyBut(member) => member.as_bytes() != name,
            }
    };
    above.secret || above.object && patterns.iter().zip(&above.way).any(is)
}

fn below(patterns: &[&'static Pattern], above: &Frame, name: &[u8]) -> Vec<u8> {
    let step = |(pattern, at): (&&'static Pattern, &u8)| {
        at + u8::from(pattern.above.get(usize::from(*at)).is_some_and(|member| member.as_bytes() == name))
    };
    patterns.iter().zip(&above.way).map(step).collect()
}
