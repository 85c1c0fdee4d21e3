//! The Auth0 connector: actions on the Auth0 Management API.
//!
//! Free of WASI and of the contract's types, which are the component's, so that everything here runs natively under
//! test. One direction down: an action builds [`core`] requests, [`client`] sends them with token, retries and
//! deadline, a [`client::Transport`] moves bytes.

#![deny(missing_docs)]

pub(crate) mod action;
pub(crate) mod actions;
pub mod catalog;
pub mod client;
pub mod core;
pub mod describe;
pub(crate) mod input;
pub(crate) mod list;
pub(crate) mod mail;
pub mod operations;
pub mod settings;
pub mod token;
