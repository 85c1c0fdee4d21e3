//! A project of a user's, in a folder that has nothing to do with the workspace.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use serde_json::Value;

use crate::cargo::{compile, output, root};

/// Outside the workspace, and the same for each run: what was compiled from there is not compiled again.
pub(crate) fn folder(name: &str) -> PathBuf {
    let mut hash = DefaultHasher::new();
    root().hash(&mut hash);
    std::env::temp_dir().join(format!("auth0-packaging-{:016x}", hash.finish())).join(name)
}

/// Makes a project with these dependencies in its manifest and this program, runs it, and returns what it printed.
///
/// It gets the workspace's lock file, with the sources of the workspace's packages where `source` has some: so it is built
/// from what was tested, whatever has been published since, and cargo has nothing to ask a registry.
pub(crate) fn run(
    name: &str,
    dependencies: &str,
    program: &str,
    source: impl Fn(&str) -> Option<String>,
) -> Value {
    let folder = folder(name);
    fs::create_dir_all(folder.join("src")).expect("the folder for temporary files takes a folder");
    let write = |file: &str, text: &str| {
        fs::write(folder.join(file), text).unwrap_or_else(|error| panic!("{file}: {error}"));
    };
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             serde_json = \"1\"\ntokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n{dependencies}"
        ),
    );
    write("src/main.rs", program);
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the workspace has a lock file");
    write("Cargo.lock", &with_sources(&lock, source));
    let printed = output(&mut compile(&folder, "run"));
    serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("the program prints JSON ({error}): {printed}"))
}

/// Adds the source to each package of a lock file that has none.
fn with_sources(lock: &str, source: impl Fn(&str) -> Option<String>) -> String {
    let add = |package: &str| {
        let field = |name: &str| {
            let begin = format!("{name} = \"");
            package.lines().find_map(|line| line.strip_prefix(begin.as_str())?.strip_suffix('"'))
        };
        match (field("name"), field("version"), field("source")) {
            (Some(name), Some(version), None) if let Some(source) = source(name) => {
                let version = format!("version = \"{version}\"\n");
                package.replacen(&version, &format!("{version}source = \"{source}\"\n"), 1)
            }
            _ => package.to_owned(),
        }
    };
    lock.split("[[package]]").map(add).collect::<Vec<_>>().join("[[package]]")
}

#[test]
fn packages_of_the_workspace_get_a_source_and_no_others() {
    let lock = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\ndependencies = [\n \"serde\",\n]\n\n\
        [[package]]\nname = \"serde\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n";
    let expected = lock.replace("\"0.1.0\"\n", "\"0.1.0\"\nsource = \"git+y\"\n");
    assert_eq!(with_sources(lock, |_| Some("git+y".to_owned())), expected);
    assert_eq!(with_sources(lock, |_| None), lock);
}
