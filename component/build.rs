//! Writes the typed exports: for each function of the contract's families, the glue to the action of the same name.
//!
//! Generated, so that an action is written once: its file in `connector/src/actions` and its function in `wit/` are all
//! there is. What the glue does is in `src/export/glue.rs`; what is made here is the list of members of each record, in
//! both directions.
#![expect(
    clippy::disallowed_methods,
    reason = "the guest has no environment of its own; its build script has"
)]

#[expect(clippy::indexing_slicing, reason = "an id indexes the arena of the `Resolve` that it came from")]
#[path = "build/families.rs"]
mod families;

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context as _;

/// The guest's memory from the start: 1 MiB of stack, its data, and a heap with room for a usual call. dlmalloc takes what is
/// there before it asks for more; more is a change of protection for the host, twice a call and under a lock of its whole
/// process.
const INITIAL_MEMORY: usize = 2 << 20;

fn main() -> anyhow::Result<()> {
    println!("cargo::rustc-link-arg-cdylib=--initial-memory={INITIAL_MEMORY}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let component = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let wit = component.parent().context("the component has no folder above it")?.join("wit");
    for entry in fs::read_dir(&wit)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("families.rs"), families::generate(&wit)?)?;
    Ok(())
}
