//! Puts the table of operations into the form that the component carries.

use std::{env, error::Error, fs, path::Path};

#[expect(clippy::disallowed_methods, reason = "runs where the component is built, not where it runs")]
fn main() -> Result<(), Box<dyn Error>> {
    for source in auth0_catalog::sources()? {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let folder = env::var("OUT_DIR")?;
    fs::write(Path::new(&folder).join("operations.bin"), auth0_catalog::encode(&auth0_catalog::read()?))?;
    Ok(())
}
