//! The list of crates that `deny.toml` lets be there in two versions is the list of those that are.
//!
//! `cargo deny check` says the same and more, but has to be installed, and tells only who runs it.

#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use semver::{Version, VersionReq};
use toml::Value;

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn texts<'a>(deny: &'a Value, table: &str, key: &str) -> Vec<&'a str> {
    deny.get(table)
        .unwrap()
        .get(key)
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

/// The versions of each crate that is built for one of the targets, with all features: what `cargo deny` looks at.
/// `Cargo.lock` has crates too that no target and no feature of ours needs.
fn versions(targets: &[&str]) -> BTreeMap<String, BTreeSet<Version>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    // What only tests need does not count.
    cargo.args(["tree", "--locked", "--workspace", "--all-features", "--edges", "normal,build"]);
    cargo.args(["--prefix", "none", "--format", "{p}"]);
    cargo.args(targets.iter().flat_map(|target| ["--target", *target]));
    let output = cargo.current_dir(root()).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut versions = BTreeMap::<_, BTreeSet<_>>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(" v").unwrap();
        let version = rest.split(' ').next().unwrap().parse().unwrap();
        versions.entry(name.to_owned()).or_default().insert(version);
    }
    versions
}

/// A crate, the versions of it that are let be, and why.
fn skip(entry: &Value) -> (&str, VersionReq, &str) {
    let (name, version) = entry["crate"].as_str().unwrap().split_once('@').unwrap();
    (name, version.parse().unwrap(), entry.get("reason").and_then(Value::as_str).unwrap_or_default())
}

#[test]
fn each_crate_in_two_versions_has_its_reason_in_deny_toml_and_nothing_else_has() {
    let deny = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let deny: Value = toml::from_str(&deny).unwrap();
    let versions = versions(&texts(&deny, "graph", "targets"));
    let skips: Vec<_> = deny["bans"]["skip"].as_array().unwrap().iter().map(skip).collect();
    let mut wrong = Vec::new();
    for (name, found) in versions.iter().filter(|(_, found)| found.len() > 1) {
        let skipped =
            |version: &&Version| skips.iter().any(|(skip, of, _)| skip == name && of.matches(version));
        let left: Vec<_> = found.iter().filter(|version| !skipped(version)).map(Version::to_string).collect();
        if left.len() > 1 {
            wrong.push(format!(
                "{name} is there as {}: give one of them an entry in `skip`, with who needs it",
                left.join(" and ")
            ));
        }
    }
    for (name, of, reason) in &skips {
        let found = versions.get(*name).filter(|found| found.len() > 1);
        if !found.is_some_and(|found| found.iter().any(|version| of.matches(version))) {
            wrong.push(format!(
                "{name} {of} is not there beside another version: take its entry out of `skip`"
            ));
        }
        if reason.is_empty() {
            wrong.push(format!("{name} {of} is skipped without a reason"));
        }
    }
    assert!(wrong.is_empty(), "deny.toml:\n{}", wrong.join("\n"));
}
