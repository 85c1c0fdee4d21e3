//! Where things are, and what Cargo.toml says of the component.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

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

    /// The component that the host embeds. Always in the workspace's own `target`, wherever cargo builds, so that the
    /// host's build script and the tests know the place.
    pub(crate) fn component(&self) -> PathBuf {
        self.root.join("target/component/auth0.wasm")
    }

    /// Where programs are installed that only development needs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
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

    /// Read what `component/Cargo.toml` says, inherited values included.
    pub(crate) fn component_package(&self) -> Result<Package> {
        let mut cargo = self.cargo("metadata");
        cargo.args(["--no-deps", "--format-version=1"]);
        let metadata: Value = serde_json::from_str(&process::output(&mut cargo)?)?;
        let package = metadata
            .get("packages")
            .and_then(Value::as_array)
            .and_then(|all| all.iter().find(|p| p.get("name").is_some_and(|name| name == "auth0-component")))
            .context("the workspace has no package `auth0-component`")?;
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

    /// The last commit that changed what the component is made from, if this is a git checkout. Not the checkout's
    /// own commit: the component, and with it the host, would be rebuilt for a change of a document.
    pub(crate) fn component_revision(&self) -> Option<String> {
        let mut git = self.command("git");
        git.args(["log", "-1", "--format=%H", "--"]);
        git.args(["component", "connector", "liquid", "catalog", "wit", "Cargo.toml", "Cargo.lock"]);
        let revision = process::output(&mut git).ok()?.trim().to_owned();
        (!revision.is_empty()).then_some(revision)
    }
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
