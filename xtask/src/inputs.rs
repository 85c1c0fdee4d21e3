//! What the component is made from, as one digest.
//!
//! The component carries it as its revision. A commit would not do: the file lies in the repository beside what it is
//! built from, so that the commit which has it cannot be known when it is built, and a commit says nothing of changes that
//! are not committed. Nor would the whole lock file: the component would change with a dependency that it does not have.
//!
//! Left out is what a build must not depend on, and a check holds it to: folders, the machine, and the caller's settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::process;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{COMPONENT, Workspace};

/// Files and folders of the component's sources: what cargo, the build script and the bindings' macro read.
const SOURCES: [&str; 15] = [
    "catalog/Cargo.toml",
    "catalog/members.toml",
    "catalog/operations",
    "catalog/reach.toml",
    "catalog/secrets.toml",
    "catalog/src",
    "component/Cargo.toml",
    "component/build",
    "component/build.rs",
    "component/src",
    "connector/Cargo.toml",
    "connector/build.rs",
    "connector/src",
    "liquid/Cargo.toml",
    "liquid/src",
];

/// What lies among them and is no source: a version that is released would change the component which it is of.
const NO_SOURCES: [&str; 1] = ["wit/released"];

/// Everything that the bytes of the component follow from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    /// Sources by their path from the workspace's root, with `/` on every system.
    files: BTreeMap<String, Vec<u8>>,
    /// The packages that the build takes.
    packages: BTreeSet<Locked>,
    /// What the workspace's manifest says of the guest: its profile, and what its packages inherit.
    manifest: String,
    /// What the compiler says of itself.
    toolchain: String,
}

/// A package as the lock file has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Locked {
    name: String,
    version: String,
    /// The checksum from the registry, or the commit from git; empty for the workspace's own.
    checksum: String,
}

impl Inputs {
    /// Read them from the checkout.
    pub(crate) fn read(workspace: &Workspace, toolchain: &Toolchain) -> Result<Self> {
        let mut files = BTreeMap::new();
        for source in SOURCES {
            add_files(&workspace.root().join(source), source, &mut files)?;
        }
        add_contract(&workspace.root().join("wit"), &mut files)?;
        let packages = packages(workspace)?;
        let text = read(&workspace.root().join("Cargo.toml"))?;
        let manifest = guest_part(text.parse().context("Cargo.toml is not TOML")?, &packages).to_string();
        Ok(Self { files, packages, manifest, toolchain: without_host(&toolchain.version(workspace)?) })
    }

    /// Make sure that all that a build has read counts: a folder more, and its changes would not show in the digest.
    pub(crate) fn cover(&self, dep_info: &str, root: &Path, target: &Path) -> Result<()> {
        let is_input = |path: &String| {
            let folder = format!("{path}/");
            self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
        };
        let read = read_by_build(dep_info, root, target);
        match read.iter().find(|path| !is_input(path)) {
            Some(path) => {
                bail!("the component is built from {path} too: add it to SOURCES in xtask/src/inputs.rs")
            }
            None if read.is_empty() => bail!("cargo does not say what the component was built from"),
            None => Ok(()),
        }
    }

    /// Return the digest: `sha256:` and 64 hexadecimal digits.
    ///
    /// Every part stands behind its length, so that no two sets of inputs are the same sequence of bytes.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Lengthened::default();
        hash.count(self.files.len());
        for (path, content) in &self.files {
            hash.part(path.as_bytes());
            hash.part(content);
        }
        hash.count(self.packages.len());
        for Locked { name, version, checksum } in &self.packages {
            for text in [name, version, checksum] {
                hash.part(text.as_bytes());
            }
        }
        hash.part(self.manifest.as_bytes());
        hash.part(self.toolchain.as_bytes());
        let digits: String = hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digits}")
    }
}

/// Add the files of the contract: beside them lie those of the crate that carries it, which the component is not made from.
fn add_contract(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let name = path.file_name().and_then(|name| name.to_str()).context("a name that is not UTF-8")?;
            add_files(&path, &format!("wit/{name}"), files)?;
        }
    }
    Ok(())
}

/// Name the files below a folder that cargo says a build has read, by their path from there, with `/` on every system.
/// `dep_info` is what cargo writes beside a product: the product, a colon, and all that it was made from, with blanks in
/// names behind a backslash.
fn read_by_build(dep_info: &str, root: &Path, target: &Path) -> Vec<String> {
    let (_, sources) = dep_info.split_once(": ").unwrap_or_default();
    let sources = sources.trim_end().replace("\\ ", "\0");
    let below = |source: &str| {
        let source = PathBuf::from(source.replace('\0', " "));
        let path = source.strip_prefix(root).ok().filter(|_| !source.starts_with(target))?;
        let parts: Option<Vec<_>> = path.iter().map(|part| part.to_str()).collect();
        Some(parts?.join("/"))
    };
    sources.split(' ').filter_map(below).collect()
}

/// A hash of parts, each behind its length.
#[derive(Default)]
struct Lengthened(Sha256);

impl Lengthened {
    fn count(&mut self, number: usize) {
        // As wide on every machine.
        self.0.update((number as u64).to_be_bytes());
    }

    fn part(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Read a file, or all below a folder but what editors and systems leave there.
fn add_files(path: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    if !path.is_dir() {
        files.insert(name.to_owned(), fs::read(path).with_context(cannot)?);
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let own = entry.file_name();
        let own = own.to_str().with_context(|| format!("{own:?} in {name} is no name of a source"))?;
        let name = format!("{name}/{own}");
        if !own.starts_with('.') && !own.ends_with('~') && !NO_SOURCES.contains(&name.as_str()) {
            add_files(&entry.path(), &name, files)?;
        }
    }
    Ok(())
}

/// Name the packages that the build takes, the features of other packages of the workspace left aside.
fn packages(workspace: &Workspace) -> Result<BTreeSet<Locked>> {
    let mut cargo = workspace.cargo("tree");
    cargo.args(["--package", COMPONENT, "--target", TARGET, "--edges", "normal,build", "--prefix", "none"]);
    let tree = process::output(&mut cargo)?;
    let lock = read(&workspace.root().join("Cargo.lock"))?.parse().context("Cargo.lock is not TOML")?;
    Ok(with_checksums(&tree, &checksums(&lock)))
}

/// Take `name version checksum` from the lock file.
fn checksums(lock: &Table) -> BTreeSet<Locked> {
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    let text = |package: &Value, key| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    packages
        .map(|package| {
            // A package from git has no checksum; the commit is in its source.
            let checksum = match text(package, "checksum") {
                checksum if checksum.is_empty() => text(package, "source"),
                checksum => checksum,
            };
            Locked { name: text(package, "name"), version: text(package, "version"), checksum }
        })
        .collect()
}

/// Read lines such as `serde_json v1.0.154` or `thiserror-impl v2.0.21 (proc-macro) (*)`, and look the checksums up.
fn with_checksums(tree: &str, locked: &BTreeSet<Locked>) -> BTreeSet<Locked> {
    let named = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    let used: BTreeSet<_> = tree.lines().filter_map(named).collect();
    let is_used = |package: &&Locked| used.contains(&(package.name.clone(), package.version.clone()));
    locked.iter().filter(is_used).cloned().collect()
}

/// Take from the workspace's manifest what the guest's packages inherit, and the guest's profile.
fn guest_part(mut manifest: Table, packages: &BTreeSet<Locked>) -> Table {
    let mut part = Table::new();
    if let Some(Value::Table(mut workspace)) = manifest.remove("workspace") {
        part.extend(workspace.remove_entry("package"));
        if let Some(Value::Table(dependencies)) = workspace.remove("dependencies") {
            let used = |name: &String| packages.iter().any(|package| package.name == *name);
            part.extend(dependencies.into_iter().filter(|(name, _)| used(name)));
        }
    }
    if let Some(Value::Table(mut profiles)) = manifest.remove("profile") {
        part.extend(["guest", "release"].into_iter().filter_map(|name| profiles.remove_entry(name)));
    }
    part
}

/// Leave out what the compiler runs on: what it makes for the guest is the same everywhere.
fn without_host(version: &str) -> String {
    version.lines().filter(|line| !line.starts_with("host: ")).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done to the inputs, in words and in code.
    type Change = (&'static str, fn(&mut Inputs));

    fn entry(parts: [&str; 3]) -> Locked {
        let [name, version, checksum] = parts.map(str::to_owned);
        Locked { name, version, checksum }
    }

    fn inputs() -> Inputs {
        let file = |(path, content): (&str, &str)| (path.to_owned(), content.as_bytes().to_vec());
        Inputs {
            files: [("a.rs", "one"), ("b.rs", "two")].map(file).into(),
            packages: [entry(["serde", "1.0.0", "5e"]), entry(["toml", "1.2.0", "70"])].into(),
            manifest: "[guest]\nlto = true\n".to_owned(),
            toolchain: "rustc 1.95.0".to_owned(),
        }
    }

    #[test]
    fn a_digest_is_that_of_the_same_inputs_whatever_order_they_are_found_in() {
        let mut other = inputs();
        other.files = other.files.into_iter().rev().collect();
        other.packages = other.packages.into_iter().rev().collect();
        assert_eq!(other.digest(), inputs().digest());
        let digest = inputs().digest();
        let digits = digest.strip_prefix("sha256:").unwrap();
        assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    }

    #[test]
    fn whatever_changes_in_the_inputs_changes_the_digest() {
        let changes: [Change; 10] = [
            ("a byte of a file", |inputs| inputs.files.get_mut("a.rs").unwrap()[0] = b'O'),
            ("the name of a file", |inputs| {
                let content = inputs.files.remove("b.rs").unwrap();
                inputs.files.insert("c.rs".to_owned(), content);
            }),
            ("the file that a byte is in", |inputs| {
                inputs.files.insert("a.rs".to_owned(), b"onet".to_vec());
                inputs.files.insert("b.rs".to_owned(), b"wo".to_vec());
            }),
            ("a byte between a path and its content", |inputs| {
                let content = inputs.files.remove("b.rs").unwrap();
                inputs.files.insert("b.rst".to_owned(), content[1..].to_vec());
            }),
            ("an empty file", |inputs| {
                inputs.files.insert("empty.rs".to_owned(), Vec::new());
            }),
            ("a version", |inputs| {
                inputs.packages.remove(&entry(["serde", "1.0.0", "5e"]));
                inputs.packages.insert(entry(["serde", "1.0.1", "5e"]));
            }),
            ("a checksum", |inputs| {
                inputs.packages.remove(&entry(["serde", "1.0.0", "5e"]));
                inputs.packages.insert(entry(["serde", "1.0.0", "5f"]));
            }),
            ("a dependency more", |inputs| {
                inputs.packages.insert(entry(["syn", "3.0.9", "51"]));
            }),
            ("the profile", |inputs| inputs.manifest = "[guest]\nlto = false\n".to_owned()),
            ("the compiler", |inputs| inputs.toolchain = "rustc 1.96.0".to_owned()),
        ];
        let mut seen = BTreeSet::from([inputs().digest()]);
        for (what, change) in changes {
            let mut changed = inputs();
            change(&mut changed);
            assert!(seen.insert(changed.digest()), "{what}");
        }
    }

    #[test]
    fn packages_are_those_of_the_tree_with_the_checksums_of_the_lock_file() {
        let lock = "[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"5e\"\n\
            [[package]]\nname = \"serde\"\nversion = \"0.9.0\"\nchecksum = \"00\"\n\
            [[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\
            [[package]]\nname = \"forked\"\nversion = \"2.0.0+spec\"\nsource = \"git+https://x.example#c0ffee\"\n\
            [[package]]\nname = \"wasmtime\"\nversion = \"48.0.0\"\nchecksum = \"4a\"\n";
        let tree = "own v0.1.0 (/home/someone)\nserde v1.0.0\nforked v2.0.0+spec (proc-macro) (*)\nserde v1.0.0 (*)\n";
        let expected = [
            entry(["forked", "2.0.0+spec", "git+https://x.example#c0ffee"]),
            entry(["own", "0.1.0", ""]),
            entry(["serde", "1.0.0", "5e"]),
        ];
        assert_eq!(with_checksums(tree, &checksums(&lock.parse().unwrap())), expected.into());
    }

    #[test]
    fn of_the_manifest_only_what_is_for_the_guest_counts() {
        let packages = BTreeSet::from([entry(["own", "0.1.0", ""])]);
        let part = |text: &str| guest_part(text.parse().unwrap(), &packages).to_string();
        let manifest = "[workspace.package]\nversion = \"0.1.0\"\n[workspace.dependencies]\nown = { path = \"own\" }\n\
            other = { path = \"other\" }\n[profile.guest]\nlto = true\n[profile.dev]\nopt-level = 1\n";
        let before = part(manifest);
        for same in ["other = { path = \"elsewhere\" }", "opt-level = 2"] {
            let old =
                if same.starts_with("other") { "other = { path = \"other\" }" } else { "opt-level = 1" };
            assert_eq!(part(&manifest.replace(old, same)), before, "{same}");
        }
        for (old, other) in [("lto = true", "lto = false"), ("0.1.0", "0.2.0"), ("\"own\"", "\"mine\"")] {
            assert_ne!(part(&manifest.replace(old, other)), before, "{other}");
        }
    }

    #[test]
    fn a_source_that_does_not_count_is_found_in_what_cargo_says() {
        let (root, target) = (Path::new("/my work"), Path::new("/my work/target"));
        let cover = |line: &str| inputs().cover(line, root, target);
        assert!(
            cover("/t/x.wasm: /my\\ work/a.rs /my\\ work/b.rs /my\\ work/target/out.bin /home/c.rs\n")
                .is_ok()
        );
        let error = cover("/t/x.wasm: /my\\ work/a.rs /my\\ work/new/c.rs\n").unwrap_err().to_string();
        assert!(error.contains(" new/c.rs "), "{error}");
        assert!(cover("").is_err() && cover("/t/x.wasm: /elsewhere/a.rs\n").is_err());
    }

    #[test]
    fn the_machine_that_compiles_does_not_count() {
        let version =
            |host: &str| format!("rustc 1.95.0 (59807616e 2026-04-14)\nhost: {host}\nLLVM version: 22.1.2\n");
        assert_eq!(without_host(&version("x86_64-linux")), without_host(&version("aarch64-darwin")));
        assert_eq!(without_host("rustc 1\nhost: x\nLLVM version: 2\n"), "rustc 1\nLLVM version: 2\n");
    }
}
