//! The real wasmtime command line, which the end-to-end tests drive.
//!
//! Built from crates.io into the target folder, with only the features that the tests need: about six minutes on two
//! cores, against fifteen with all of them. A wasmtime of the machine's own is not used: another version checks other
//! rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// The version that the host embeds too.
const VERSION: &str = "48.0.8";

/// `run`, on components, with HTTP; `cache` so that the tests compile the component once.
const FEATURES: &str = "run,cranelift,component-model,wasi-http,cache";

/// Make sure that it is there, and answer where. An install that was interrupted goes on where it stopped.
pub(crate) fn install(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.tools().join(format!("wasmtime-{VERSION}"));
    let program = folder.join("bin").join(format!("wasmtime{}", std::env::consts::EXE_SUFFIX));
    let build = workspace.tools().join("build");
    if !works(&program) {
        process::say(&format!("installing wasmtime {VERSION} into {} (minutes, once)", folder.display()));
        let mut cargo = workspace.cargo("install");
        cargo
            .args(["wasmtime-cli", "--version", VERSION, "--locked", "--no-default-features"])
            .args(["--features", FEATURES, "--force", "--root"])
            .arg(&folder)
            .arg("--target-dir")
            .arg(&build);
        process::run(&mut cargo).context("wasmtime cannot be installed")?;
        if !works(&program) {
            bail!("{} was installed but is not wasmtime {VERSION}", program.display());
        }
    }
    // Some gigabytes that nothing reads any more.
    if build.exists() {
        fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))?;
    }
    Ok(program)
}

fn works(program: &Path) -> bool {
    program.exists()
        && process::output(Command::new(program).arg("--version"))
            .is_ok_and(|version| version.split_whitespace().nth(1) == Some(VERSION))
}
