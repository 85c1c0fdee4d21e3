//! `multipart/form-data` (RFC 7578), for the operation that takes a file.

use serde_json::{Map, Value};

use super::operation::{Body, Kind};
use crate::core::error::Error;
use crate::core::request::Body as RequestBody;

/// Largest file of an import. At 512,000 bytes the tenant answers 413 (facts, section 4).
const LARGEST_FILE: usize = 500_000;

/// Writes the members of a body as the parts of a form; files get the name of their member.
///
/// # Errors
/// `invalid-input` for a file that is too large.
pub(super) fn encode(body: &Body, members: &Map<String, Value>) -> Result<RequestBody, Error> {
    let mut parts = Vec::new();
    for member in &body.members {
        let Some(value) = members.get(member.name) else { continue };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let head = if member.kind == Kind::File {
            if text.len() > LARGEST_FILE {
                return Err(Error::refused(format!(
                    "`{}`: {} bytes refused: an import takes a file of at most {LARGEST_FILE}; split it",
                    member.name,
                    text.len()
                )));
            }
            format!("name=\"{0}\"; filename=\"{0}.json\"\r\ncontent-type: application/json", member.name)
        } else {
            format!("name=\"{}\"", member.name)
        };
        parts.push((head, text));
    }
    let boundary = boundary(&parts);
    let mut bytes = String::new();
    for (head, text) in parts {
        bytes += &format!("--{boundary}\r\ncontent-disposition: form-data; {head}\r\n\r\n{text}\r\n");
    }
    bytes += &format!("--{boundary}--\r\n");
    Ok(RequestBody {
        content_type: format!("multipart/form-data; boundary={boundary}").into(),
        bytes: bytes.into_bytes(),
    })
}

/// Finds a boundary that no part holds; by search, since a random one would only probably not be in what somebody made
/// on purpose.
fn boundary(parts: &[(String, String)]) -> String {
    let mut number = 0_u32;
    loop {
        let boundary = format!("auth0-connector-{number}");
        if !parts.iter().any(|(_, text)| text.contains(&boundary)) {
            return boundary;
        }
        number += 1;
    }
}
