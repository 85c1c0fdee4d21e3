//! The Auth0 connector as a built WebAssembly component.
//!
//! A crate of its own, so that a host can be compiled from git or a registry: building the component takes a standard
//! library for WebAssembly, and a build script that calls cargo for it works on no machine but its author's. The file is
//! built by `cargo xtask component` from the sources beside it in the repository and committed with them; a check builds it
//! anew and compares every byte. Whom that does not satisfy builds the component himself and gives a host those bytes
//! instead.
//!
//! The component names its version and a digest of what it was built from in its own metadata, as OCI registries have
//! them (`version`, `revision`).

#![deny(missing_docs)]
#![no_std]

/// The component: a WASI 0.2 binary that exports the contract's interfaces.
///
/// ```
/// // The preamble of a component, which is not that of a core module.
/// assert!(auth0_embedded_component::COMPONENT.starts_with(b"\0asm\x0d\0\x01\0"));
/// ```
pub static COMPONENT: &[u8] = include_bytes!("../auth0.wasm");
