//! Where things are, and what Cargo.toml says of the component.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;
use crate::toolchain::TARGET;

/// The package of the component.
pub(crate) const COMPONENT: &str = "auth0-component";

/// The checkout that this command was started in.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// What the component's package says of itself.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) license: String,
}

/// A package from elsewhere, and where cargo has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stranger {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) folder: PathBuf,
}

impl Workspace {
    /// Find the checkout from the place of this crate.
    pub(crate) fn load() -> Result<Self> {
        // Asked at run time first: the binary may come from a target folder that several checkouts share.
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
        let root = PathBuf::from(&manifest)
            .parent()
            .map(PathBuf::from)
            .with_context(|| format!("{manifest:?} is not a folder of a workspace"))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &PathBuf {
        &self.root
    }

    /// The component as this machine built it last. Always in the workspace's own `target`, wherever cargo builds, so that
    /// the tests know the place.
    pub(crate) fn component(&self) -> PathBuf {
        self.root.join("target/component/auth0.wasm")
    }

    /// Where cargo builds.
    pub(crate) fn build(&self) -> PathBuf {
        target_dir().unwrap_or_else(|| self.root.join("target"))
    }

    /// A command that runs in the workspace's root.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this command, in the workspace's root.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.command(cargo());
        command.arg(subcommand);
        settle(&mut command, subcommand);
        command
    }

    /// The component as it is committed, for all who embed it.
    pub(crate) fn carried(&self) -> PathBuf {
        self.root.join("embedded-component/auth0.wasm")
    }

    /// The version of Rust that the workspace is built with.
    pub(crate) fn pinned_rust(&self) -> Result<String> {
        let path = self.root.join("rust-toolchain.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: toml::Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
        let channel = file.get("toolchain").and_then(|toolchain| toolchain.get("channel"));
        let channel = channel.and_then(toml::Value::as_str);
        Ok(channel.with_context(|| format!("{} pins no channel", path.display()))?.to_owned())
    }

    /// Read what `component/Cargo.toml` says, inherited values included.
    pub(crate) fn component_package(&self) -> Result<Package> {
        let mut cargo = self.cargo("metadata");
        cargo.args(["--no-deps", "--format-version=1"]);
        let metadata: Value = serde_json::from_str(&process::output(&mut cargo)?)?;
        let package = metadata
            .get("packages")
            .and_then(Value::as_array)
            .and_then(|all| {
                all.iter().find(|package| package.get("name").is_some_and(|name| name == COMPONENT))
            })
            .with_context(|| format!("the workspace has no package `{COMPONENT}`"))?;
        let field =
            |name: &str| {
                package.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| {
                    format!("component/Cargo.toml has no `{name}`, which the component carries")
                })
            };
        Ok(Package {
            version: field("version")?,
            description: field("description")?,
            license: field("license")?,
        })
    }

    /// Find the packages that are not the workspace's own and that may be compiled for the guest.
    pub(crate) fn strangers(&self) -> Result<Vec<Stranger>> {
        let mut cargo = self.cargo("metadata");
        cargo.args(["--filter-platform", TARGET, "--format-version=1"]);
        strangers(&serde_json::from_str(&process::output(&mut cargo)?)?)
    }
}

fn strangers(metadata: &Value) -> Result<Vec<Stranger>> {
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo names no packages")?;
    let has_source = |package: &&Value| package.get("source").is_some_and(Value::is_string);
    let read = |package: &Value| {
        let text = |key| package.get(key).and_then(Value::as_str);
        Some(Stranger {
            name: text("name")?.to_owned(),
            version: text("version")?.to_owned(),
            folder: Path::new(text("manifest_path")?).parent()?.to_owned(),
        })
    };
    let all = packages.iter().filter(has_source).map(read).collect::<Option<_>>();
    all.context("cargo names a package without version or folder")
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// `CARGO_TARGET_DIR`, seen from where the caller stands, as the cargo that built this program saw it.
fn target_dir() -> Option<PathBuf> {
    let folder = env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty())?;
    std::path::absolute(folder).ok()
}

/// Make a cargo command build where and what its caller's cargo does, whatever folder it runs in.
pub(crate) fn settle(command: &mut Command, subcommand: &str) {
    if let Some(folder) = target_dir() {
        command.env("CARGO_TARGET_DIR", folder);
    }
    // A developer who edits a Cargo.toml gets the lock file updated; a check of what was committed must not.
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    if in_ci && subcommand != "install" {
        command.arg("--locked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_a_package_that_has_a_source() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "own", "version": "0.1.0", "source": null, "manifest_path": "/w/own/Cargo.toml" },
            { "name": "serde", "version": "1.0.0", "source": "registry+x", "manifest_path": "/r/mirror/serde-1.0.0/Cargo.toml" },
        ] });
        let serde = Stranger {
            name: "serde".to_owned(),
            version: "1.0.0".to_owned(),
            folder: PathBuf::from("/r/mirror/serde-1.0.0"),
        };
        assert_eq!(strangers(&metadata).unwrap(), [serde]);
        assert!(strangers(&serde_json::json!({})).is_err());
    }
}
