//! The packages that are published, as a registry would have them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::{Package, compile, output, published, root, target, turn};
use crate::project;

/// Takes away what cargo has unpacked and compiled of the packages when they were checked last.
///
/// A package needs others of them, which it gets as from a registry; and what a registry has under a version never changes,
/// so cargo would go on with those of last time.
fn forget(packages: &[Package]) {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).expect("cargo has a home");
    // A registry that is a folder has no host that its name could begin with.
    let folders = list(&home.join("registry/src")).into_iter().filter(|path| name(path).starts_with('-'));
    for (registry, package) in
        folders.flat_map(|path| packages.iter().map(move |package| (path.clone(), package)))
    {
        let _ = fs::remove_dir_all(registry.join(format!("{}-{}", package.name, package.version)));
    }
    let debug = target().join("debug");
    let libraries = list(&debug.join("deps")).into_iter().filter(|path| name(path).starts_with("auth0_"));
    let scripts = list(&debug.join("build")).into_iter().filter(|path| name(path).starts_with("auth0-"));
    for made_of in libraries.chain(scripts.flat_map(|folder| list(&folder))) {
        let (name, folder) = (name(&made_of), debug.join(".fingerprint"));
        let Some((_, hash)) = name.strip_suffix(".d").and_then(|name| name.rsplit_once('-')) else {
            continue;
        };
        if fs::read_to_string(&made_of).is_ok_and(|text| text.contains("/registry/src/-")) {
            for package in packages {
                let _ = fs::remove_dir_all(folder.join(format!("{}-{hash}", package.name)));
            }
        }
    }
}

#[test]
fn what_is_published_can_be_packaged_and_the_packaged_library_runs_an_action() {
    let _turn = turn();
    let packages = published();
    let names = packages.iter().flat_map(|package| ["--package", &package.name]);
    forget(&packages);
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
