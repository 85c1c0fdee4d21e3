//! Finds the connector that the library embeds.
//!
//! It does not build the connector: a cargo inside a cargo waits for its own lock, and hides its errors. `cargo xtask
//! component` does that.

use std::{env, path::Path, process::exit};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let component = Path::new(&root).join("../target/component/auth0.wasm");
    println!("cargo::rerun-if-changed={}", component.display());
    match component.canonicalize() {
        Ok(found) => println!("cargo::rustc-env=AUTH0_COMPONENT={}", found.display()),
        Err(error) => {
            println!("cargo::error=the component {} is not there ({error})", component.display());
            println!("cargo::error=build it first: cargo xtask component");
            exit(1);
        }
    }
}
