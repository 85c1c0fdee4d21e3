//! The versions of the package that were released, as text in `wit/released/`.
//!
//! What a version promises can only be held against what it was. The repository keeps that itself: a registry may not be
//! reachable from where a change is checked.
//!
//! A version is written before its release, in the last commit, and may be written again until a tag of the repository
//! contains it: up to then nobody was promised anything. So no name of a tag has to be agreed on. From then on the tag is
//! what it is held to: who changes the package and its released text alike would otherwise pass every comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use semver::Version;

use super::evolution;
use super::package;
use super::schemas::{self, FOLDER, Schemas};
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

/// Something that breaks the promise of a released version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Of its WIT.
    Package(evolution::Difference),
    /// Of the schemas of its JSON.
    Schema(schemas::Difference),
}

/// A released text that is not what it was when it was tagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The file, from the repository's root.
    pub file: String,
    /// The oldest tag that contains the version.
    pub tag: String,
}

/// What the repository's tags say of the released texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// Those that are tagged were compared.
    Compared(Vec<Rewritten>),
    /// Nothing was compared, and why: there is no git, no repository or no tag.
    Unknown(String),
}

/// The folder of the contract in a checkout.
pub(super) fn contract(root: &Path) -> PathBuf {
    root.join("wit")
}

/// The folder of the released versions, from the root.
const RELEASED: &str = "wit/released";

fn folder(root: &Path) -> PathBuf {
    root.join(RELEASED)
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
    let current_schemas = Schemas::read(&contract(root), current.version.clone())?;
    let mut differences = Vec::new();
    for (version, path) in versions(root)?.into_iter().filter(|(version, _)| which(version)) {
        let released = Shape::read(&path)?;
        if released.version != version {
            bail!("{} holds the version {}", path.display(), released.version);
        }
        let found = evolution::compare(&released, &current)?;
        differences.extend(found.into_iter().map(Difference::Package));
        let found = schemas::compare(&Schemas::read(&path, version)?, &current_schemas)?;
        differences.extend(found.into_iter().map(Difference::Schema));
    }
    Ok(differences)
}

/// Compare the released texts with those of the oldest tag that contains each.
///
/// # Errors
///
/// A text cannot be read.
pub fn rewritten(root: &Path) -> Result<Tags> {
    let tagged = match tagged(root) {
        Ok(tagged) => tagged,
        Err(error) => return Ok(Tags::Unknown(format!("{error:#}"))),
    };
    if tagged.is_none() {
        return Ok(Tags::Unknown(
            "there is no tag here (`git fetch --tags` fetches those that there are)".into(),
        ));
    }
    let mut found = Vec::new();
    for (version, tag) in tagged.into_iter().flatten() {
        let path = format!("{RELEASED}/{version}");
        let (was, is) = (texts_of_tag(root, &tag, &path)?, texts_if_any(&root.join(&path))?);
        let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
        let differs = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
        found.extend(differs.map(|name| Rewritten { file: format!("{path}/{name}"), tag: tag.clone() }));
    }
    Ok(Tags::Compared(found))
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
/// It may not take the place of an earlier version, its own version is tagged and was another, or a text of a tagged
/// version was changed.
pub fn release(root: &Path) -> Result<Release> {
    let current = Shape::read(&contract(root))?;
    let refusals = differences_from(root, |version| *version != current.version)?;
    if !refusals.is_empty() {
        bail!("{}", lines(&refusals));
    }
    if let Tags::Compared(found) = rewritten(root)?
        && !found.is_empty()
    {
        bail!("{}", lines(&found));
    }
    let path = folder(root).join(current.version.to_string());
    let (wanted, found) = (texts(&contract(root))?, texts_if_any(&path)?);
    if wanted == found {
        return Ok(Release::Unchanged(path));
    }
    // Where git cannot tell, nothing is written over.
    if !found.is_empty() && tagged(root)?.is_some_and(|tagged| tagged.contains_key(&current.version)) {
        let differences = differences_from(root, |version| *version == current.version)?;
        if !differences.is_empty() {
            bail!("{} is tagged, and differs:\n{}", current.version, lines(&differences));
        }
        return Ok(Release::Kept(path));
    }
    for name in found.keys() {
        fs::remove_file(path.join(name)).with_context(|| format!("cannot remove {name}"))?;
    }
    for (name, text) in &wanted {
        let path = path.join(name);
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Release::Written(path))
}

fn lines(found: &[impl fmt::Display]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Read all that is promised of a package, its schemas below their folder.
fn texts(folder: &Path) -> Result<BTreeMap<String, String>> {
    let schemas = schemas::texts(folder)?.into_iter().map(|(name, text)| (format!("{FOLDER}/{name}"), text));
    Ok(package::texts(folder)?.into_iter().chain(schemas).collect())
}

fn texts_if_any(folder: &Path) -> Result<BTreeMap<String, String>> {
    if folder.exists() { texts(folder) } else { Ok(BTreeMap::new()) }
}

/// Read the same from a tag, in the folder of a version.
fn texts_of_tag(root: &Path, tag: &str, folder: &str) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for name in list(root, tag, folder, true)?.unwrap_or_default() {
        let of_package = match name.split_once('/') {
            Some((folder, file)) => folder == FOLDER && file.ends_with(".json"),
            None => name.ends_with(".wit"),
        };
        if of_package {
            let text = git(root, &["cat-file", "blob", &format!("{}/{name}", of_tag(tag, folder))])?;
            if !text.status.success() {
                bail!("git cannot read {folder}/{name} of the tag {tag}");
            }
            let text = String::from_utf8(text.stdout).with_context(|| format!("{name} is not UTF-8"))?;
            texts.insert(name, text);
        }
    }
    Ok(texts)
}

/// Find the oldest tag of each version that is in one, as far as this repository has its tags. None: it has no tags.
fn tagged(root: &Path) -> Result<Option<BTreeMap<Version, String>>> {
    let tags =
        git(root, &["for-each-ref", "--sort=creatordate", "--format=%(refname:lstrip=2)", "refs/tags"])?;
    if !tags.status.success() {
        bail!("git cannot tell what is tagged: {}", String::from_utf8_lossy(&tags.stderr).trim());
    }
    let tags = String::from_utf8_lossy(&tags.stdout);
    let mut tagged = BTreeMap::new();
    for tag in tags.lines() {
        for name in list(root, tag, RELEASED, false)?.unwrap_or_default() {
            if let Ok(version) = name.parse() {
                tagged.entry(version).or_insert_with(|| tag.to_owned());
            }
        }
    }
    Ok((!tags.trim().is_empty()).then_some(tagged))
}

/// List what a tag has in a folder, by names from there; nothing where it has no such folder.
fn list(root: &Path, tag: &str, folder: &str, below: bool) -> Result<Option<Vec<String>>> {
    let mut args = vec!["ls-tree", "--full-tree", "--name-only", "-z"];
    args.extend(below.then_some("-r"));
    let tree = of_tag(tag, folder);
    args.push(&tree);
    let found = git(root, &args)?;
    let names = String::from_utf8_lossy(&found.stdout);
    let names = names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(found.status.success().then_some(names))
}

/// Name a path of a tag: from the folder that the command runs in, wherever the repository's root is.
fn of_tag(tag: &str, path: &str) -> String {
    format!("refs/tags/{tag}:./{path}")
}

fn git(root: &Path, args: &[&str]) -> Result<Output> {
    let mut git = Command::new("git");
    git.args(args).current_dir(root).stdin(Stdio::null());
    git.output().context("git cannot be asked what is tagged")
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(difference) => difference.fmt(f),
            Self::Schema(difference) => difference.fmt(f),
        }
    }
}

impl fmt::Display for Rewritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, tag } = self;
        write!(
            f,
            "{file} is not what was released with the tag {tag}: `git checkout {tag} -- {file}` puts it back"
        )
    }
}
