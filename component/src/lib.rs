//! The Auth0 connector: Auth0 Management API actions as a WebAssembly component over `wasi:http`.
//!
//! Everything but [`wasi`](self) and the export glue is free of WASI and runs natively under test. One direction down:
//! an action builds [`core`] requests, [`client`] sends them with token, retries and deadline, a
//! [`client::Transport`] moves octets.

#![deny(missing_docs)]

pub mod actions;
pub mod catalog;
pub mod client;
pub mod core;
pub mod mail;
pub mod operations;
pub mod settings;
pub mod token;

#[cfg(target_arch = "wasm32")]
mod export;
#[cfg(target_arch = "wasm32")]
mod wasi;
