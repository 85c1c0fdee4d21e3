//! Exports: the contract's records to the actions' inputs, Auth0's objects to the contract's records. Nothing is decided
//! here; the typed functions and the JSON interface run the same actions.

use auth0_connector::core::error as connector;
use bindings::exports::connector::auth0::types as wit;

mod actions;
mod glue;

#[allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "generated"
)]
#[allow(unsafe_code, reason = "generated: the canonical ABI is raw memory")]
mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "connector" });

    use super::Connector;

    export!(Connector);
}

/// What the component is made of.
struct Connector;

/// Turns an error into the contract's.
fn error(error: connector::Error) -> wit::Error {
    wit::Error {
        disposition: match error.code.disposition() {
            connector::Disposition::FixInput => wit::Disposition::FixInput,
            connector::Disposition::FixAccess => wit::Disposition::FixAccess,
            connector::Disposition::RetryLater => wit::Disposition::RetryLater,
            connector::Disposition::VerifyFirst => wit::Disposition::VerifyFirst,
            connector::Disposition::GiveUp => wit::Disposition::GiveUp,
        },
        code: error.code.as_str().to_owned(),
        message: error.message,
        status: error.status,
        error_code: error.error_code,
        request_id: error.request_id,
        retry_after_ms: error.retry_after_ms,
        scopes: error.scopes,
        details: None,
    }
}
