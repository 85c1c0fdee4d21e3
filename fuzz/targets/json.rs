//! The JSON interface as an engine calls it: any id, any input, any answer. The first line is the id, the second the answer, the
//! rest the input.
#![no_main]

use auth0_component::core::response::Response;
use auth0_fuzz::Tenant;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some((id, rest)) = text.split_once('\n') else { return };
    let (answer, input) = rest.split_once('\n').unwrap_or((rest, ""));
    let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
    let status = status.parse().unwrap_or(200).clamp(100, 599);
    let answer = Response { status, body: body.as_bytes().to_vec(), ..Response::default() };
    let mut tenant = Tenant::answering([answer]);
    match tenant.run(id, input) {
        Ok(output) => assert!(output.is_object(), "{id}: {output}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
