//! The packages that are published, as a registry would have them.

use std::fs;

use crate::cargo::{compile, output, published, root, target, turn};
use crate::project;

#[test]
fn what_is_published_can_be_packaged_and_the_packaged_library_runs_an_action() {
    let _turn = turn();
    let packages = published();
    let names = packages.iter().flat_map(|package| ["--package", &package.name]);
    // A checkout with changes is tested as it is. Offline, so that nothing is looked for in a registry: these packages may
    // not be there, or others of their names.
    output(compile(root(), "package").args(["--allow-dirty", "--offline"]).args(names));
    let folder = |name: &str| {
        let package = packages.iter().find(|package| package.name == name);
        let version = &package.unwrap_or_else(|| panic!("{name} is not published")).version;
        target().join("package").join(format!("{name}-{version}"))
    };
    let program = fs::read_to_string(folder("auth0-host").join("examples/embed.rs"))
        .expect("the example is packaged with the library");
    // The packages in the registry's place, and nothing else of the workspace.
    let patches = packages
        .iter()
        .filter(|package| !["auth0-mcp", "auth0-host-cli"].contains(&package.name.as_str()))
        .map(|package| format!("{} = {{ path = {:?} }}\n", package.name, folder(&package.name)));
    let dependencies = format!(
        "auth0-emulator = \"0.1\"\nauth0-host = \"0.1\"\n\n[patch.crates-io]\n{}",
        patches.collect::<String>()
    );
    let users = project::run("registry-dependency", &dependencies, &program, |_| None);
    assert_eq!(users["items"].as_array().map(Vec::len), Some(2), "{users}");
    assert!(users["items"][0]["email"].is_string(), "{users}");
}
