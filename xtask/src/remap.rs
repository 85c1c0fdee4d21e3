//! Names for this machine's folders in what the compiler writes.
//!
//! Messages of panics hold paths of sources, and those would differ from machine to machine: with the checkout's folder,
//! cargo's home, the mirror that a registry was replaced by (its folder below `registry/src` has a name of its own), and
//! with whether the source of the standard library is installed, which the compiler then names instead of its own. So each
//! gets a name here that only depends on what it is.
//!
//! Measured (x86_64 Linux, Rust 1.95.0): two builds that shared nothing made the same bytes: another checkout, target folder
//! and rustup home, once with crates.io's own folder and without the standard library's source, once from vendored
//! packages in folders without versions and with that source.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// Make the compiler's flags, for a build into this target folder, in the form of `CARGO_ENCODED_RUSTFLAGS`.
pub(crate) fn flags(workspace: &Workspace, toolchain: &Toolchain, target: &Path) -> Result<OsString> {
    // Of several that match the compiler takes the last: from the outer folders to the inner ones.
    let mut names: Vec<(PathBuf, String)> = Vec::new();
    if let Some(home) = cargo_home() {
        names.push((home, "/cargo".to_owned()));
    }
    names.push((workspace.root().clone(), "/auth0".to_owned()));
    names.push((target.to_owned(), "/target".to_owned()));
    for package in workspace.strangers()? {
        names.push((package.folder, format!("/cargo/{}-{}", package.name, package.version)));
    }
    let sysroot = process::output(toolchain.rustc(workspace).args(["--print", "sysroot"]))?;
    let version = toolchain.version(workspace)?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.context("the compiler names no commit that it was built from")?;
    names.push((Path::new(sysroot.trim()).join("lib/rustlib/src/rust"), format!("/rustc/{commit}")));
    Ok(encoded(&names))
}

fn cargo_home() -> Option<PathBuf> {
    let set = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    set.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

fn encoded(names: &[(PathBuf, String)]) -> OsString {
    let mut flags = OsString::new();
    for (folder, name) in names {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_one_behind_the_other_as_cargo_reads_them() {
        let names =
            [("/home/a b/auth0", "/auth0"), ("/t", "/target")].map(|(from, to)| (from.into(), to.to_owned()));
        let expected = "--remap-path-prefix=/home/a b/auth0=/auth0\u{1f}--remap-path-prefix=/t=/target";
        assert_eq!(encoded(&names), OsString::from(expected));
    }
}
