//! Build the guest and make it a component.
//!
//! The guest is a core module for `wasm32-unknown-unknown`; the `wit-component` crate wraps it with the types that
//! wit-bindgen left in it. No adapter is added, so what the component imports is exactly what the guest uses.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use wasm_metadata::{AddMetadata, AddMetadataField, Payload};
use wit_component::ComponentEncoder;

use crate::inputs::Inputs;
use crate::interface::Interface;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::{COMPONENT, Workspace};
use crate::{process, remap};

/// The name that the component carries, and that engines and registries show.
const NAME: &str = "auth0-connector";

/// The component is fetched, hashed and compiled by every engine: 1.6 MB is what the project promises.
const LIMIT: usize = 1_600_000;

/// The package of the component that the sandbox is tested with.
const HOSTILE: &str = "auth0-guests";

/// Build `target/component/auth0.wasm`, and the file that the repository carries where the compiler is the one that it
/// has to be built with: the host, its tests and the benchmark run that one. Files are left alone where they would not
/// change, so that what embeds them is not rebuilt.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let toolchain = Toolchain::find(workspace)?;
    let path = workspace.component();
    let component = build_with(workspace, &toolchain, &path)?;
    let pinned = workspace.pinned_rust()?;
    if toolchain.is_official(workspace, &pinned)? {
        let carried = workspace.carried();
        if write_if_changed(&carried, &component)? {
            process::say(&format!("{} has changed: commit it with what it changed by", carried.display()));
        }
    } else {
        process::say(&format!(
            "the host carries {}, which this compiler does not write; auth0-host --component {} runs this build",
            workspace.carried().display(),
            path.display()
        ));
    }
    Ok(path)
}

/// Build the component and compare it with the one that the repository carries: to the byte with the compiler that it
/// has to be built with, in what an engine sees of it with any other.
pub(crate) fn check(workspace: &Workspace) -> Result<ExitCode> {
    let toolchain = Toolchain::find(workspace)?;
    let pinned = workspace.pinned_rust()?;
    let built = build_with(workspace, &toolchain, &workspace.component())?;
    let path = workspace.carried();
    let carried = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let official = toolchain.is_official(workspace, &pinned)?;
    let carried_as = format!("{} ({})", path.display(), revision(&carried)?);
    let what_to_do = format!("run `cargo xtask component` with rustup's Rust {pinned}, and commit the file");
    if official && carried != built {
        // Of the same inputs there is one component: then the build is at fault and not the file.
        let why = if revision(&carried)? == revision(&built)? {
            "is of these sources and still not what is built from them: the build depends on this machine"
        } else {
            "is of other sources than these"
        };
        process::say(&format!("{carried_as} {why}; {what_to_do}"));
        return Ok(ExitCode::FAILURE);
    }
    let (wanted, found) = (Interface::of(&carried)?, Interface::of(&built)?);
    if wanted != found {
        process::say(&format!(
            "{carried_as} {wanted}; these sources make a component that {found}; {what_to_do}"
        ));
        return Ok(ExitCode::FAILURE);
    }
    let how =
        if official { "to the byte" } else { "in imports and exports; this compiler's bytes are its own" };
    process::say(&format!("{carried_as} is what these sources make, {how}"));
    Ok(ExitCode::SUCCESS)
}

/// Build `target/component/hostile.wasm` beside it, which the tests of the sandbox load.
pub(crate) fn build_hostile(workspace: &Workspace) -> Result<()> {
    process::say("building the hostile component");
    let module = build_module(workspace, &Toolchain::find(workspace)?, HOSTILE)?;
    write_if_changed(&workspace.component().with_file_name("hostile.wasm"), &componentize(&module.bytes)?)?;
    Ok(())
}

/// Build with both ways to a Rust that builds for WebAssembly, and compare. The second way must not rot while
/// everybody uses the first. Where Debian's Rust cannot be had this is no failure: it says so, and why.
pub(crate) fn compare(workspace: &Workspace) -> Result<()> {
    let toolchain = match Toolchain::debian(workspace) {
        Ok(toolchain) => toolchain,
        Err(error) => {
            process::say(&format!("SKIPPED: the build with Debian's Rust was not tried: {error:#}"));
            return Ok(());
        }
    };
    let usual = workspace.component();
    let usual = fs::read(&usual).with_context(|| format!("cannot read {}", usual.display()))?;
    // Beside the component that the tests load, not in its place: they would run with another one.
    let path = workspace.component().with_file_name("auth0.debian.wasm");
    let found = Interface::of(&build_with(workspace, &toolchain, &path)?)?;
    let wanted = Interface::of(&usual)?;
    if found != wanted {
        bail!("with Debian's Rust the component {found}; with the other it {wanted}");
    }
    process::say("the component of Debian's Rust has the same imports and exports, and is within the limit");
    Ok(())
}

/// Build into a file, and answer the component.
fn build_with(workspace: &Workspace, toolchain: &Toolchain, path: &Path) -> Result<Vec<u8>> {
    process::say("building the component");
    let inputs = Inputs::read(workspace, toolchain)?;
    let module = build_module(workspace, toolchain, COMPONENT)?;
    inputs.cover(&module.dep_info, workspace.root(), &module.target)?;
    let component = describe(workspace, &inputs, &componentize(&module.bytes)?)?;
    let news = if write_if_changed(path, &component)? { "" } else { ", unchanged" };
    process::say(&format!("{}: {}{news}; imports:", path.display(), size(component.len())));
    for import in Interface::of(&component)?.imports {
        process::say(&format!("  {import}"));
    }
    if component.len() > LIMIT {
        bail!("the component has {} bytes; {LIMIT} is the limit", component.len());
    }
    Ok(component)
}

/// Say how large a component is, and how much of the limit that is; rounded up, so that 100 % is not within it by luck.
fn size(bytes: usize) -> String {
    format!("{bytes} bytes, {} % of the limit of {LIMIT}", (bytes * 100).div_ceil(LIMIT))
}

/// A core module, as cargo built it.
struct Module {
    bytes: Vec<u8>,
    /// What cargo says that it was made from.
    dep_info: String,
    /// The target folder.
    target: PathBuf,
}

fn build_module(workspace: &Workspace, toolchain: &Toolchain, package: &str) -> Result<Module> {
    // `rustc --crate-type` and not `build`: where a package is a library for native tests too, cargo would not do the
    // link-time optimisation.
    let (mut cargo, folder) = toolchain.cargo(workspace, "rustc");
    cargo.args(["--package", package, "--lib", "--crate-type", "cdylib", "--profile", "guest"]);
    // Whatever the caller's flags and settings are, the guest is built with these. A stack of 1 MiB that lies first in
    // memory, so that an overflow traps, is what the target does by itself.
    cargo
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", remap::flags(workspace, toolchain, &folder)?);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PROFILE_")) {
            cargo.env_remove(name);
        }
    }
    process::run(&mut cargo)?;
    let file = package.replace('-', "_");
    let path = folder.join(TARGET).join("guest").join(file).with_extension("wasm");
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let path = path.with_extension("d");
    let dep_info = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Module { bytes, dep_info, target: folder })
}

fn componentize(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .context("the guest's module carries no usable component types")?
        .encode()
        .context("the guest's module does not make a component")
}

fn describe(workspace: &Workspace, inputs: &Inputs, component: &[u8]) -> Result<Vec<u8>> {
    let package = workspace.component_package()?;
    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(NAME.to_owned());
    metadata.version = AddMetadataField::Set(package.version.parse()?);
    metadata.description = AddMetadataField::Set(package.description.parse()?);
    metadata.licenses = AddMetadataField::Set(package.license.parse()?);
    metadata.revision = AddMetadataField::Set(inputs.digest().parse()?);
    metadata.to_wasm(component).context("cannot add metadata to the component")
}

/// Read the revision that a component carries.
fn revision(component: &[u8]) -> Result<String> {
    let payload = Payload::from_binary(component).context("the component's metadata cannot be read")?;
    let revision = payload.metadata().revision.as_ref().map(ToString::to_string);
    Ok(revision.unwrap_or_else(|| "of no revision".to_owned()))
}

/// Replace the file in one step, if its content differs.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    let folder = path.parent().with_context(|| format!("{} is in no folder", path.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&temporary, content).with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_tells_how_much_of_the_limit_is_used() {
        assert_eq!(size(800_000), "800000 bytes, 50 % of the limit of 1600000");
        assert_eq!(size(LIMIT), "1600000 bytes, 100 % of the limit of 1600000");
        assert_eq!(size(LIMIT + 1), "1600001 bytes, 101 % of the limit of 1600000");
    }

    #[test]
    fn an_unchanged_file_keeps_its_time_of_change() {
        let folder = env::temp_dir().join(format!("xtask-component-{}", std::process::id()));
        let path = folder.join("nested/auth0.wasm");
        assert!(write_if_changed(&path, b"one").unwrap());
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(!write_if_changed(&path, b"one").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert!(write_if_changed(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
        fs::remove_dir_all(folder).unwrap();
    }
}
