//! Where WASI's WIT is, and what cargo says of the contract's crate.
//!
//! The crate `wasip2`, which the component's bindings of WASI come from, carries the WIT that they were generated from. No
//! copy of it is kept here: it could be of another version than the component's imports.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The package that is the component.
const COMPONENT: &str = "auth0-component";

/// The package that carries the contract.
const CONTRACT: &str = "auth0-contract";

/// What is needed of `cargo metadata`.
#[derive(Debug)]
pub(super) struct Facts {
    /// The folder with a file for each package of WASI.
    pub(super) wasi: PathBuf,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) license: String,
}

impl Facts {
    /// Ask cargo about the workspace in a folder.
    pub(super) fn find(root: &Path) -> Result<Self> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args(["metadata", "--format-version=1"]).current_dir(root).stdin(Stdio::null());
        let output = command.output().context("cannot start `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Self::read(&serde_json::from_slice(&output.stdout).context("`cargo metadata` printed no JSON")?)
    }

    fn read(metadata: &Value) -> Result<Self> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let list = |value: &Value, path: &str| {
            value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let packages = list(metadata, "/packages");
        let package = |key: &str, wanted: &str| {
            packages
                .iter()
                .find(|package| package.get(key).is_some_and(|value| value == wanted))
                .with_context(|| format!("cargo knows no package `{wanted}`"))
        };
        let field = |value: &Value, key: &str| {
            text(value, key).with_context(|| format!("cargo says nothing of the {key} of a package"))
        };
        // There may be several versions of it; the component is built with one.
        let component = field(package("name", COMPONENT)?, "id")?;
        let node = list(metadata, "/resolve/nodes")
            .into_iter()
            .find(|node| node.get("id").is_some_and(|id| *id == component));
        let wasip2 = list(&node.context("cargo does not say what the component depends on")?, "/deps")
            .iter()
            .find(|dependency| dependency.get("name").is_some_and(|name| name == "wasip2"))
            .and_then(|dependency| text(dependency, "pkg"))
            .with_context(|| {
                format!("{COMPONENT} does not depend on the crate wasip2, which has WASI's WIT")
            })?;
        let manifest = field(package("id", &wasip2)?, "manifest_path")?;
        let folder = Path::new(&manifest).parent().context("the crate wasip2 is in no folder")?;
        let contract = package("name", CONTRACT)?;
        Ok(Self {
            wasi: folder.join("wit/deps"),
            version: field(contract, "version")?,
            description: field(contract, "description")?,
            license: field(contract, "license")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasi_is_taken_from_the_version_of_the_crate_that_the_component_is_built_with() {
        let metadata = serde_json::json!({
            "packages": [
                { "name": "wasip2", "id": "w1", "manifest_path": "/r/wasip2-1.0.0/Cargo.toml" },
                { "name": "wasip2", "id": "w2", "manifest_path": "/r/wasip2-2.0.0/Cargo.toml" },
                { "name": "auth0-component", "id": "c" },
                { "name": "auth0-contract", "id": "k", "version": "0.2.0", "description": "d", "license": "l" },
            ],
            "resolve": { "nodes": [
                { "id": "other", "deps": [{ "name": "wasip2", "pkg": "w1" }] },
                { "id": "c", "deps": [{ "name": "serde", "pkg": "s" }, { "name": "wasip2", "pkg": "w2" }] },
            ] },
        });
        let facts = Facts::read(&metadata).unwrap();
        assert_eq!(facts.wasi, Path::new("/r/wasip2-2.0.0/wit/deps"));
        assert_eq!(facts.version, "0.2.0");
        assert!(Facts::read(&serde_json::json!({})).is_err());
    }
}
