//! The WIT package as others take it: what its versions promise, and that languages other than Rust can use it.

mod bindings;
mod evolution;
mod package;
mod released;
mod schemas;
mod typed;
mod workspace;
