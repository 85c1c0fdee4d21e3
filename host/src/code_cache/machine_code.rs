//! The one unsafe step of this crate: bytes become machine code of this process.
//!
//! wasmtime checks that the bytes are for its version and settings. It does not check, and cannot, that they are what
//! its compiler made: whoever writes them can do everything that this process can. So they come as [`Unsealed`] and in
//! no other way.
#![expect(
    unsafe_code,
    reason = "wasmtime marks loading compiled code as unsafe; the argument is at the one use"
)]

use wasmtime::{Engine, component::Component};

use super::entry::Unsealed;

impl Unsealed {
    /// Makes a component of the code.
    ///
    /// # Errors
    ///
    /// Where the code is not for this engine, or no component.
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `Component::deserialize` asks for bytes that came from `Component::serialize` unmodified.
        // - Who wrote them: `folder.rs` reads a file only if file and folder belong to this user and nobody else may
        //   write or read them, so it was written as this user, and there `code_cache.rs` writes nothing but what
        //   `Component::serialize` gave it.
        // - Unmodified, and for this component and an engine such as this one: `Unsealed` exists only where the
        //   SHA-256 over the key and these very bytes matched. They are in memory since then, and nobody's but ours:
        //   a file mapped into memory could change behind the check.
        unsafe { Component::deserialize(engine, self.code()) }
    }
}
