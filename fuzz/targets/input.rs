//! The input of an operation: whatever it is, a refusal or requests that stay where they belong. The first two bytes choose the
//! operation, the rest is the input.
#![no_main]

use auth0_connector::core::error::Code;
use auth0_connector::operations;
use auth0_fuzz::Tenant;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((number, input)) = data.split_at_checked(2) else { return };
    let Ok(input) = std::str::from_utf8(input) else { return };
    let number = usize::from(number[0]) * 256 + usize::from(number[1]);
    let name = operations::names().nth(number % operations::names().count());
    let Some(operation) = name.and_then(operations::find) else { panic!("each name is an operation's") };
    let mut tenant = Tenant::default();
    let result = tenant.run(operation.name, input);
    let segments = operation.path.split('/').count() + 2;
    for request in &tenant.seen {
        let (method, path) = request.split_once(' ').unwrap_or_default();
        assert_eq!(method, operation.method.as_str());
        let path = path.split('?').next().unwrap_or_default();
        assert_eq!(path.split('/').count(), segments, "{}: {path}", operation.name);
    }
    if let Err(error) = result {
        assert_eq!(error.code == Code::InvalidInput, tenant.seen.is_empty(), "{}: {error}", operation.name);
    }
});
