//! Writes `docs/secret-fields.md`.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let table = auth0_catalog::secret_table(&auth0_catalog::read()?, &auth0_catalog::undocumented_secrets()?);
    fs::write(Path::new(auth0_catalog::FOLDER).join("../docs/secret-fields.md"), table)?;
    Ok(())
}
