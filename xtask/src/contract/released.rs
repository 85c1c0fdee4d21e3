//! The versions of the package that were released, as text in `wit/released/`.
//!
//! What a version promises can only be held against what it was. The repository keeps that itself: a registry may not be
//! reachable from where a change is checked.
//!
//! A version is written before its release, in the last commit, and may be written again until a tag of the repository
//! contains it: up to then nobody was promised anything. So no name of a tag has to be agreed on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use semver::Version;

use super::evolution::{Difference, compare};
use super::package::texts;
use super::shape::Shape;

/// What became of the text of a version.
#[derive(Debug, PartialEq, Eq)]
pub enum Release {
    /// It was written.
    Written(PathBuf),
    /// It was there, the same to the byte.
    Unchanged(PathBuf),
    /// It was there and is tagged; only documentation differs, and stays as it was released.
    Kept(PathBuf),
}

/// The folder of the contract in a checkout.
pub(super) fn contract(root: &Path) -> PathBuf {
    root.join("wit")
}

fn folder(root: &Path) -> PathBuf {
    contract(root).join("released")
}

/// Compare the contract of a checkout with every version that was released. Empty: it may be released.
///
/// # Errors
///
/// A package cannot be read, is in a folder of another version's name, or cannot be compared.
pub fn differences(root: &Path) -> Result<Vec<Difference>> {
    differences_from(root, |_| true)
}

fn differences_from(root: &Path, which: impl Fn(&Version) -> bool) -> Result<Vec<Difference>> {
    let current = Shape::read(&contract(root))?;
    let mut differences = Vec::new();
    for (version, path) in versions(root)?.into_iter().filter(|(version, _)| which(version)) {
        let released = Shape::read(&path)?;
        if released.version != version {
            bail!("{} holds the version {}", path.display(), released.version);
        }
        differences.extend(compare(&released, &current)?);
    }
    Ok(differences)
}

/// List the released versions with their folders, the oldest first.
///
/// # Errors
///
/// The folder cannot be read, or something in it has no version for a name.
pub fn versions(root: &Path) -> Result<Vec<(Version, PathBuf)>> {
    let folder = folder(root);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let cannot = || format!("cannot read {}", folder.display());
    let mut versions = Vec::new();
    for entry in fs::read_dir(&folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str()).with_context(cannot)?;
            let version =
                name.parse().with_context(|| format!("{} is named after no version", path.display()))?;
            versions.push((version, path));
        }
    }
    versions.sort();
    Ok(versions)
}

/// Write the contract of a checkout as the text of its version.
///
/// # Errors
///
/// It may not take the place of an earlier version, or its own version is tagged and was another.
pub fn release(root: &Path) -> Result<Release> {
    let current = Shape::read(&contract(root))?;
    let refusals = differences_from(root, |version| *version != current.version)?;
    if !refusals.is_empty() {
        bail!("{}", lines(&refusals));
    }
    let path = folder(root).join(current.version.to_string());
    let (wanted, found) = (texts(&contract(root))?, if path.exists() { texts(&path)? } else { Vec::new() });
    if wanted == found {
        return Ok(Release::Unchanged(path));
    }
    if !found.is_empty() && is_tagged(root, &current.version)? {
        let differences = differences_from(root, |version| *version == current.version)?;
        if !differences.is_empty() {
            bail!("{} is tagged, and differs:\n{}", current.version, lines(&differences));
        }
        return Ok(Release::Kept(path));
    }
    fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
    for (name, _) in &found {
        fs::remove_file(path.join(name)).with_context(|| format!("cannot remove {name}"))?;
    }
    for (name, text) in &wanted {
        fs::write(path.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(Release::Written(path))
}

fn lines(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Returns whether a tag contains the text of a version, as far as this repository has its tags. Where git cannot tell,
/// nothing is written over.
fn is_tagged(root: &Path, version: &Version) -> Result<bool> {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(args).current_dir(root).stdin(Stdio::null());
        git.output().context("git cannot be asked whether the version is tagged")
    };
    let tags = git(&["tag", "--list"])?;
    if !tags.status.success() {
        let why = String::from_utf8_lossy(&tags.stderr);
        bail!("git cannot tell whether the version is tagged: {}", why.trim());
    }
    for tag in String::from_utf8_lossy(&tags.stdout).lines() {
        // From the folder that the command runs in, wherever the repository's root is.
        let path = format!("refs/tags/{tag}:./wit/released/{version}");
        if git(&["cat-file", "-e", &path])?.status.success() {
            return Ok(true);
        }
    }
    Ok(false)
}
