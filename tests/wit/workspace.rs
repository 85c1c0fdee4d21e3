//! The checkout, the package that it makes, and folders to work in.

use std::fs;
use std::path::{Path, PathBuf};

use auth0_embedded_component::COMPONENT;
use xtask::contract::Package;

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package lies in the workspace")
}

/// The package of this checkout, with the imports of the component that is carried.
pub(crate) fn package() -> Package {
    Package::assemble(root(), COMPONENT).unwrap_or_else(|error| panic!("{error:#}"))
}

/// A folder of a test's own, which is gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("auth0-wit-tests-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("there is a folder for temporary files");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
