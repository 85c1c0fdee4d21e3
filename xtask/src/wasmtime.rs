//! The real wasmtime command line, which the end-to-end tests drive.
//!
//! Built from crates.io into the target folder, with only the features that the tests need: about six minutes on two
//! cores, against fifteen with all of them. A wasmtime of the machine's own is not used: another version checks other
//! rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask::peers;

use crate::process;
use crate::workspace::Workspace;

/// The version that the host embeds too.
const VERSION: &str = "48.0.8";

/// `run`, on components, with HTTP; `cache` so that the tests compile the component once.
const FEATURES: &str = "run,cranelift,component-model,wasi-http,cache";

/// As the tests of the workspace are built: what is waited for is its compiler.
const PROFILE: &str = "dev";

/// Make sure that it is there, and answer where: in the user's cache, for all checkouts.
pub(crate) fn install(workspace: &Workspace) -> Result<PathBuf> {
    let from = format!("{VERSION} {FEATURES} {PROFILE}");
    let folder = peers::cached("wasmtime", from.as_bytes(), |folder| {
        process::say(&format!(
            "building wasmtime {VERSION} into {} (about four minutes, once)",
            folder.display()
        ));
        let build = folder.join("build");
        let mut cargo = workspace.cargo("install");
        cargo
            .args(["wasmtime-cli", "--version", VERSION, "--locked", "--no-default-features"])
            .args(["--features", FEATURES, "--profile", PROFILE, "--no-track", "--root"])
            .arg(folder)
            .arg("--target-dir")
            .arg(&build);
        process::run(&mut cargo).context("wasmtime cannot be installed")?;
        if !works(&program(folder)) {
            bail!("{} was installed but is not wasmtime {VERSION}", program(folder).display());
        }
        // Some gigabytes that nothing reads any more.
        fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))
    })?;
    Ok(program(&folder))
}

fn program(folder: &Path) -> PathBuf {
    folder.join("bin").join(format!("wasmtime{}", std::env::consts::EXE_SUFFIX))
}

fn works(program: &Path) -> bool {
    program.exists()
        && process::output(Command::new(program).arg("--version"))
            .is_ok_and(|version| version.split_whitespace().nth(1) == Some(VERSION))
}
