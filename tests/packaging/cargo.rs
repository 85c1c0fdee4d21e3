//! The cargo that runs the tests, and what it says of the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The folder that the tests were built into: what they have compiled is not compiled again.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(3).expect("test binaries lie in target/PROFILE/deps").to_owned()
}

/// A cargo command that compiles in this folder, with the workspace's profile, which it finds only below the workspace.
pub(crate) fn compile(folder: &Path, subcommand: &str) -> Command {
    let mut command = cargo(folder, &[subcommand]);
    for config in [".cargo/config.toml", "tests/packaging/profile.toml"] {
        command.arg("--config").arg(root().join(config));
    }
    command
}

/// A cargo command in this folder. What cargo has told this test about its own package is no setting of another one.
pub(crate) fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").expect("cargo runs the tests"));
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_the_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if of_the_test.iter().any(|begin| text.starts_with(begin)) || text.starts_with("AUTH0_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command that must succeed, and returns what it printed. What it reports goes where the test's own words go.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{report}", output.status);
    eprintln!("{report}");
    String::from_utf8(output.stdout).expect("programs print UTF-8")
}

/// Waits for its turn to compile.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// The packages that are published: those that do not say that they are not.
pub(crate) fn published() -> Vec<Package> {
    let metadata = output(&mut cargo(root(), &["metadata", "--no-deps", "--format-version=1"]));
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a workspace has packages");
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .filter(|package| package["publish"].is_null())
        .map(|package| Package { name: text(package, "name"), version: text(package, "version") })
        .collect()
}
