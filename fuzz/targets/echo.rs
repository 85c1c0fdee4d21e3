//! A credential in an answer, on its way to the component.
//!
//! One byte says how long the credential is, one how large the pieces are that the answer comes in, and one whether the
//! credential is put into the answer; then the credential comes, then the answer. An answer without it comes out as it
//! went in; of one with it no part comes out from which it could be put together.
#![no_main]

use auth0_egress::fuzzing::without_echo;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([length, size, put], rest)) = data.split_first_chunk::<3>() else { return };
    let (credential, body) = rest.split_at(rest.len().min(usize::from(*length)));
    let Ok(credential) = std::str::from_utf8(credential) else { return };
    let mut body = body.to_vec();
    if put & 1 == 1 {
        let at = usize::from(put >> 1) % (body.len() + 1);
        body.splice(at..at, credential.bytes());
    }
    let has = |hay: &[u8]| {
        !credential.is_empty() && hay.windows(credential.len()).any(|window| window == credential.as_bytes())
    };
    match without_echo(credential, &body, usize::from(*size) + 1) {
        Ok(clean) => {
            assert_eq!(clean, body);
            assert!(credential.len() < 8 || !has(&body), "{credential:?}");
        }
        Err(before) => {
            assert!(body.starts_with(&before));
            assert!(!has(&before), "{credential:?}");
        }
    }
});
