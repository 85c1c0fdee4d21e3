//! Build the guest and make it a component.
//!
//! The guest is a core module for `wasm32-unknown-unknown`; the `wit-component` crate wraps it with the types that
//! wit-bindgen left in it. No adapter is added, so what the component imports is exactly what the guest uses.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::process;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::Workspace;

/// The name that the component carries, and that engines and registries show.
const NAME: &str = "auth0-connector";

/// The component is fetched, hashed and compiled by every engine: 1.6 MB is what the project promises.
const LIMIT: usize = 1_600_000;

/// The package of the component.
const COMPONENT: &str = "auth0-component";

/// The package of the component that the sandbox is tested with.
const HOSTILE: &str = "auth0-guests";

/// Build `target/component/auth0.wasm`. The file is left alone where it would not change, so that what embeds it is
/// not rebuilt.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let path = workspace.component();
    build_with(workspace, &Toolchain::find(workspace)?, &path)?;
    Ok(path)
}

/// Build `target/component/hostile.wasm` beside it, which the tests of the sandbox load.
pub(crate) fn build_hostile(workspace: &Workspace) -> Result<()> {
    process::say("building the hostile component");
    let module = build_module(workspace, &Toolchain::find(workspace)?, HOSTILE)?;
    write_if_changed(&workspace.component().with_file_name("hostile.wasm"), &componentize(&module)?)?;
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
    // Beside the component that the host embeds, not in its place: the host would be built anew.
    let path = workspace.component().with_file_name("auth0.debian.wasm");
    let found = build_with(workspace, &toolchain, &path)?;
    let wanted = imports(&usual)?;
    if found != wanted {
        bail!("with Debian's Rust the component imports {found:?}; with the other it imports {wanted:?}");
    }
    process::say("the component of Debian's Rust has the same imports, and is within the limit");
    Ok(())
}

/// Build into a file, and answer what the component imports.
fn build_with(workspace: &Workspace, toolchain: &Toolchain, path: &Path) -> Result<Vec<String>> {
    process::say("building the component");
    let module = build_module(workspace, toolchain, COMPONENT)?;
    let component = describe(workspace, &componentize(&module)?)?;
    let news = if write_if_changed(path, &component)? { "" } else { ", unchanged" };
    process::say(&format!("{}: {}{news}; imports:", path.display(), size(component.len())));
    let imports = imports(&component)?;
    for import in &imports {
        process::say(&format!("  {import}"));
    }
    if component.len() > LIMIT {
        bail!("the component has {} bytes; {LIMIT} is the limit", component.len());
    }
    Ok(imports)
}

/// Say how large a component is, and how much of the limit that is; rounded up, so that 100 % is not within it by luck.
fn size(bytes: usize) -> String {
    format!("{bytes} bytes, {} % of the limit of {LIMIT}", (bytes * 100).div_ceil(LIMIT))
}

fn build_module(workspace: &Workspace, toolchain: &Toolchain, package: &str) -> Result<Vec<u8>> {
    // `rustc --crate-type` and not `build`: with the rlib that native tests need beside it, cargo would not do the
    // link-time optimisation.
    let (mut cargo, folder) = toolchain.cargo(workspace, "rustc");
    cargo.args(["--package", package, "--lib", "--crate-type", "cdylib", "--profile", "guest"]);
    // Whatever the caller's flags are, the guest is built with these.
    cargo.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", guest_flags(workspace));
    process::run(&mut cargo)?;
    let file = package.replace('-', "_");
    let module = folder.join(TARGET).join("guest").join(file).with_extension("wasm");
    fs::read(&module).with_context(|| format!("cannot read {}", module.display()))
}

/// Flags of the guest's compiler. A stack of 1 MiB that lies first in memory, so that an overflow traps, is what the
/// target does by itself. Paths of this machine are taken out of the messages of panics: they would make the file
/// differ from machine to machine.
fn guest_flags(workspace: &Workspace) -> OsString {
    let mut flags = OsString::new();
    let mut remap = |from: &Path, to: &str| {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    remap(workspace.root(), "/auth0");
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    if let Some(home) = home {
        remap(&home, "/cargo");
    }
    flags
}

fn componentize(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .context("the guest's module carries no usable component types")?
        .encode()
        .context("the guest's module does not make a component")
}

fn describe(workspace: &Workspace, component: &[u8]) -> Result<Vec<u8>> {
    let package = workspace.component_package()?;
    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(NAME.to_owned());
    metadata.version = AddMetadataField::Set(package.version.parse()?);
    metadata.description = AddMetadataField::Set(package.description.parse()?);
    metadata.licenses = AddMetadataField::Set(package.license.parse()?);
    match workspace.component_revision() {
        Some(revision) => metadata.revision = AddMetadataField::Set(revision.parse()?),
        None => process::say("not a git checkout: the component carries no revision"),
    }
    metadata.to_wasm(component).context("cannot add metadata to the component")
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

/// Name what the component imports.
fn imports(component: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(names)
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
