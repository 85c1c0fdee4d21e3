//! What comes with each floor, and what may not come back.

use std::collections::BTreeSet;

use crate::cargo::{cargo, output, root};

/// The most crates that a dependency on the library may bring, those of its build included. It had 338 when command
/// line, MCP and SMTP were part of it, and has 228 since.
const MOST_CRATES: usize = 240;

/// What is for programs, or for features that are off: `*` stands for any rest of a name.
const NOT_IN_A_LIBRARY: [&str; 24] = [
    "anstyle*",
    "auth0-component",
    "auth0-connector",
    "auth0-emulator",
    "auth0-host-cli",
    "auth0-liquid",
    "auth0-mcp",
    "aws-sigv4",
    "aws-smithy*",
    "clap*",
    "crossterm",
    "csv*",
    "inquire",
    "jsonschema*",
    "lettre",
    "opentelemetry*",
    "prost*",
    "reqwest",
    "rmcp*",
    "rusqlite",
    "schemars*",
    "tracing-opentelemetry",
    "tracing-subscriber",
    "wit-bindgen*",
];

/// What the floors below the host do not need: the sandbox.
const SANDBOX: [&str; 4] = ["auth0-host", "cranelift*", "wasm*", "wit-*"];

/// A crate of a tree, with its features.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    features: Vec<String>,
}

/// Lists what is compiled for a package on this machine.
fn tree(arguments: &[&str]) -> BTreeSet<Crate> {
    let mut command = cargo(root(), &["tree", "--edges", "normal,build", "--prefix", "none"]);
    let text = output(command.args(["--format", "{p}|{f}"]).args(arguments));
    let read = |line: &str| {
        let (package, features) = line.split_once('|')?;
        let (name, rest) = package.split_once(" v")?;
        let version = rest.split(' ').next()?.to_owned();
        let features = features.trim_end_matches(" (*)").split(',').map(str::to_owned).collect();
        Some(Crate { name: name.to_owned(), version, features })
    };
    let tree: BTreeSet<Crate> = text.lines().filter_map(read).collect();
    // A tree that could not be read would pass for one that has nothing it must not have.
    assert!(tree.iter().any(|one| one.name == "serde_core" || one.name == "serde"), "{arguments:?}: {text}");
    tree
}

/// Names the crates that one of the patterns is about.
fn found<'a>(tree: &'a BTreeSet<Crate>, patterns: &[&str]) -> BTreeSet<&'a str> {
    let is = |name: &str, pattern: &&str| match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == *pattern,
    };
    let names = tree.iter().map(|entry| entry.name.as_str());
    names.filter(|name| patterns.iter().any(|pattern| is(name, pattern))).collect()
}

#[test]
fn a_dependency_on_the_library_brings_no_program() {
    let tree = tree(&["--package", "auth0-host"]);
    let crates: BTreeSet<_> = tree.iter().map(|entry| (&entry.name, &entry.version)).collect();
    eprintln!("auth0-host is {} crates", crates.len());
    assert!(crates.len() <= MOST_CRATES, "{} crates: {crates:?}", crates.len());
    let found = found(&tree, &NOT_IN_A_LIBRARY);
    assert!(found.is_empty(), "in the tree of auth0-host: {found:?}");
}

#[test]
fn the_egress_stands_without_the_sandbox_and_the_policy_without_the_egress() {
    assert_eq!(found(&tree(&["--package", "auth0-egress", "--all-features"]), &SANDBOX), BTreeSet::new());
    let policy = tree(&["--package", "auth0-policy", "--all-features"]);
    let above = ["auth0-egress", "hyper*", "rustls*", "tokio*"];
    assert_eq!(found(&policy, &[&SANDBOX[..], &above].concat()), BTreeSet::new());
}

#[test]
fn mail_through_smtp_and_ses_comes_with_its_features() {
    let mail = ["aws-sigv4", "lettre"];
    assert_eq!(found(&tree(&["--package", "auth0-egress"]), &mail), BTreeSet::new());
    for package in ["auth0-egress", "auth0-host"] {
        for (feature, name) in [("ses", "aws-sigv4"), ("smtp", "lettre")] {
            let tree = tree(&["--package", package, "--features", feature]);
            assert_eq!(found(&tree, &mail), BTreeSet::from([name]), "{package} with {feature}");
        }
    }
    assert_eq!(found(&tree(&["--package", "auth0-host-cli"]), &mail), BTreeSet::from(mail));
}

#[test]
fn the_command_is_built_without_exporters_unless_it_is_asked_for_them() {
    let exporters = ["opentelemetry*", "tracing-opentelemetry"];
    assert_eq!(found(&tree(&["--package", "auth0-host-cli"]), &exporters), BTreeSet::new());
}

#[test]
fn a_library_does_not_change_how_its_user_reads_floats_and_hands_out_no_errors_without_a_type() {
    let changes = ["arbitrary_precision", "float_roundtrip"];
    for package in ["auth0-host", "auth0-egress", "auth0-policy", "auth0-emulator"] {
        for json in tree(&["--package", package, "--all-features"]) {
            let changed = json.name == "serde_json"
                && json.features.iter().any(|feature| changes.contains(&feature.as_str()));
            assert!(!changed, "{package}: {json:?}");
        }
        let own = tree(&["--package", package, "--depth", "1"]);
        assert_eq!(found(&own, &["anyhow"]), BTreeSet::new(), "{package}");
    }
}
