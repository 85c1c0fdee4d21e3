//! What fuzzing reaches of the egress (feature `test-support`).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;

use crate::{
    echo::{Echo, EchoStream},
    redaction::mask_in_pieces,
    secrets::deliveries::Deliveries,
};

/// Masks an answer that comes in pieces of a size; `None` where it is withheld.
pub fn mask(method: &Method, path: &str, body: &[u8], size: usize) -> Option<Vec<u8>> {
    mask_in_pieces(method, path, body, size, Deliveries::new("t", None), Duration::from_secs(60))
}

/// Hands a body on that comes in pieces of a size; what went before is in the error where it is withheld.
///
/// # Errors
///
/// The body has the credential in it.
pub fn without_echo(credential: &str, body: &[u8], size: usize) -> Result<Vec<u8>, Vec<u8>> {
    let Some(echo) = Echo::of(&[credential]) else { return Ok(body.to_vec()) };
    let (mut stream, mut out) = (EchoStream::new(Arc::clone(&echo)), Vec::<Bytes>::new());
    for piece in body.chunks(size.max(1)) {
        if !stream.push(Bytes::copy_from_slice(piece), &mut out) {
            return Err(out.concat());
        }
    }
    out.extend(stream.finish());
    Ok(out.concat())
}
