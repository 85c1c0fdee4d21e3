//! What can be decided without asking anyone: how a request is built, how an answer is read, which page comes next,
//! whether to try again. No I/O, no clock, no environment, so that all of it runs natively under test.

pub mod error;
pub mod events;
pub mod id;
pub mod json;
pub(crate) mod jwt;
pub(crate) mod paging;
pub mod path;
pub mod request;
pub mod response;
pub(crate) mod retry;
pub(crate) mod schema;
pub(crate) mod scope;
pub(crate) mod spelling;
pub(crate) mod timestamp;
