//! The component: what the contract exports, and what of WASI it stands on.
//!
//! Glue alone. Everything that decides is in `auth0-connector`, which knows neither the contract's types nor WASI and so
//! runs natively under test; this crate is for one target, and elsewhere it is empty.

#![deny(missing_docs)]

#[cfg(target_arch = "wasm32")]
mod export;
#[cfg(target_arch = "wasm32")]
mod wasi;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
