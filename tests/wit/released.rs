//! The versions that were released, as this repository keeps them.

use std::fs;
use std::path::Path;
use std::process::Command;

use xtask::contract::released::{Release, differences, release, versions};

use crate::workspace::{Folder, root};

#[test]
fn the_contract_keeps_what_its_released_versions_promise() {
    assert!(!versions(root()).unwrap().is_empty(), "there is nothing to compare with");
    let found = differences(root()).unwrap_or_else(|error| panic!("{error:#}"));
    let lines: String = found.iter().map(|difference| format!("{difference}\n")).collect();
    assert!(
        found.is_empty(),
        "{lines}Where the version is in no tag yet, `cargo xtask wit --release` writes it anew."
    );
}

/// A repository with a contract of one function.
fn repository(name: &str) -> Folder {
    let folder = Folder::new(name);
    fs::create_dir(folder.path().join("wit")).unwrap();
    contract(&folder, "0.2.0", "/// Counts.\n    count: func() -> u32;");
    git(folder.path(), &["init", "--quiet"]);
    folder
}

fn contract(folder: &Folder, version: &str, functions: &str) {
    let text = format!("package connector:auth0@{version};\n\ninterface users {{\n    {functions}\n}}\n");
    fs::write(folder.path().join("wit/world.wit"), text).unwrap();
}

fn git(folder: &Path, args: &[&str]) {
    let who = ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"];
    let status = Command::new("git").args(who).args(args).current_dir(folder).status().unwrap();
    assert!(status.success(), "git {args:?}");
}

fn tag(folder: &Folder) {
    git(folder.path(), &["add", "wit"]);
    git(folder.path(), &["commit", "--quiet", "--message", "release"]);
    git(folder.path(), &["tag", "v0.1.0"]);
}

#[test]
fn a_version_is_written_anew_until_a_tag_contains_it() {
    let folder = repository("release");
    assert!(matches!(release(folder.path()).unwrap(), Release::Written(_)));
    assert!(matches!(release(folder.path()).unwrap(), Release::Unchanged(_)));
    contract(&folder, "0.2.0", "count: func() -> u64;");
    assert!(matches!(release(folder.path()).unwrap(), Release::Written(_)));
    tag(&folder);
    contract(&folder, "0.2.0", "/// Counts users.\n    count: func() -> u64;");
    assert!(matches!(release(folder.path()).unwrap(), Release::Kept(_)));
    contract(&folder, "0.2.0", "count: func() -> u32;");
    let error = release(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains(
            "0.2.0 is tagged, and differs:\ninterface `users`: the function `count` has the result"
        ),
        "{error}"
    );
    contract(&folder, "0.3.0", "count: func() -> u32;");
    assert!(matches!(release(folder.path()).unwrap(), Release::Written(_)));
    assert_eq!(versions(folder.path()).unwrap().len(), 2);
}

#[test]
fn a_version_that_breaks_an_earlier_one_is_not_written() {
    let folder = repository("breaking");
    release(folder.path()).unwrap();
    contract(&folder, "0.2.1", "add: func() -> u32;");
    let error = release(folder.path()).unwrap_err().to_string();
    assert!(error.contains("the function `count` is gone"), "{error}");
    assert!(!folder.path().join("wit/released/0.2.1").exists());
}
