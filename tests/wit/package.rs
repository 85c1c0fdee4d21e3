//! The whole package: what is in it, and which components are what it says.

use std::fs;
use std::path::{Path, PathBuf};

use auth0_embedded_component::COMPONENT;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{ManglingAndAbi, Resolve, Stability, TypeDefKind, WorldId, WorldItem};
use xtask::contract::component::Border;
use xtask::contract::{BINARY, CONNECTOR, PLUGIN, Package};

use crate::workspace::{Folder, package, root};

/// A component of a world, which does nothing.
fn dummy(resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// A component of the world `connector` after a change of what it imports and exports.
fn altered(change: impl FnOnce(&mut Resolve, WorldId)) -> Vec<u8> {
    let package = package();
    let world = package.world(CONNECTOR).unwrap();
    let mut resolve = package.resolve().clone();
    change(&mut resolve, world);
    dummy(&resolve, world)
}

fn refusal(package: &Package, component: &[u8]) -> String {
    format!("{:#}", package.check(component).expect_err("it is another component"))
}

#[test]
fn the_component_that_is_carried_is_what_the_package_says() {
    package().check(COMPONENT).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn a_component_of_the_world_is_accepted() {
    let component = altered(|_, _| {});
    package().check(&component).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn a_component_that_imports_more_or_less_than_the_package_says_is_refused() {
    let package = package();
    let more = altered(|resolve, world| {
        let (_, cli) = resolve.packages.iter().find(|(_, package)| package.name.name == "cli").unwrap();
        let id = cli.interfaces["exit"];
        let item = resolve.worlds[world].imports.values().next().unwrap().clone();
        let WorldItem::Interface { stability, external_id, docs, span, .. } = item else { unreachable!() };
        let item = WorldItem::Interface { id, stability, external_id, docs, span };
        resolve.worlds[world].imports.insert(wit_parser::WorldKey::Interface(id), item);
    });
    let error = refusal(&package, &more);
    assert!(error.contains("has imports that the package has not: `wasi:cli/exit@"), "{error}");
    let less = altered(|resolve, world| {
        resolve.worlds[world].imports.retain(|key, _| {
            matches!(key, wit_parser::WorldKey::Interface(id)
            if resolve.interfaces[*id].name.as_deref() != Some("wall-clock"))
        });
    });
    let error = refusal(&package, &less);
    assert!(error.contains("lacks imports of the package: `wasi:clocks/wall-clock@"), "{error}");
}

#[test]
fn a_component_without_an_interface_or_with_another_type_is_refused() {
    let package = package();
    let without = altered(|resolve, world| {
        resolve.worlds[world].exports.retain(|key, _| {
            matches!(key, wit_parser::WorldKey::Interface(id)
            if resolve.interfaces[*id].name.as_deref() != Some("tenant"))
        });
    });
    let error = refusal(&package, &without);
    assert!(error.contains("lacks exports of the package: `connector:auth0/tenant@"), "{error}");
    let other = altered(|resolve, _| {
        for (_, item) in resolve.types.iter_mut() {
            if let (Some("session"), TypeDefKind::Record(record)) = (item.name.as_deref(), &mut item.kind) {
                record.fields.pop();
            }
        }
    });
    let error = refusal(&package, &other);
    assert!(error.contains("other types than the package"), "{error}");
}

#[test]
fn the_binary_package_is_the_text_with_its_documentation_and_dates() {
    let folder = Folder::new("package");
    let (text, binary) = package().write(folder.path()).unwrap();
    assert_eq!(binary, folder.path().join(BINARY));
    let DecodedWasm::WitPackage(resolve, id) = decode(&fs::read(binary).unwrap()).unwrap() else {
        panic!("this is no package of WIT");
    };
    let mut read = Resolve::new();
    let (package, _) = read.push_dir(&text).unwrap();
    let (found, wanted) = (&resolve.packages[id], &read.packages[package]);
    assert_eq!(found.name, wanted.name);
    let texts = |resolve: &Resolve, id| {
        let package: &wit_parser::Package = &resolve.packages[id];
        let mut texts = Vec::new();
        for (name, interface) in &package.interfaces {
            let interface = &resolve.interfaces[*interface];
            texts.push((name.clone(), interface.docs.clone(), interface.stability.clone()));
            for (function, item) in &interface.functions {
                texts.push((format!("{name}.{function}"), item.docs.clone(), item.stability.clone()));
            }
            for (kind, item) in &interface.types {
                let item = &resolve.types[*item];
                texts.push((format!("{name}.{kind}"), item.docs.clone(), item.stability.clone()));
                if let TypeDefKind::Record(record) = &item.kind {
                    let fields = record.fields.iter();
                    texts.extend(
                        fields.map(|field| (field.name.clone(), field.docs.clone(), Stability::Unknown)),
                    );
                }
            }
        }
        texts.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        texts
    };
    let (found, wanted) = (texts(&resolve, id), texts(&read, package));
    assert!(wanted.iter().any(|(_, docs, _)| docs.contents.is_some()));
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.len(), wanted.len());
}

#[test]
fn the_world_for_engines_that_bind_nothing_else_imports_nothing() {
    let package = package();
    let world = package.world(PLUGIN).unwrap();
    let border = Border::of_component(&dummy(package.resolve(), world)).unwrap();
    assert!(border.imports.is_empty(), "{border:?}");
    let names: Vec<_> = border.exports.iter().filter_map(|name| name.split(['/', '@']).nth(1)).collect();
    assert_eq!(names, ["actions", "types"]);
}

#[test]
fn a_package_that_is_written_again_holds_nothing_of_the_one_before() {
    let folder = Folder::new("stale");
    let (text, _) = package().write(folder.path()).unwrap();
    fs::write(text.join("stale.wit"), "interface stale {}").unwrap();
    fs::write(text.join("deps/stale.wit"), "package a:b;").unwrap();
    package().write(folder.path()).unwrap();
    assert!(!text.join("stale.wit").exists() && !text.join("deps/stale.wit").exists());
    let schema = fs::read_to_string(text.join("schema/action-list.json")).unwrap();
    assert_eq!(schema, fs::read_to_string(root().join("wit/schema/action-list.json")).unwrap());
}

/// The files with WIT below a folder, but for what was built there.
fn wit_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            let is_built = name == "node_modules" || path.join("CACHEDIR.TAG").exists();
            if !is_built && !name.starts_with('.') {
                wit_files(&path, found);
            }
        } else if name.ends_with(".wit") {
            found.push(path);
        }
    }
}

/// A copy could be of another version than the component's imports.
#[test]
fn wasi_is_not_copied_into_the_repository() {
    let mut files = Vec::new();
    wit_files(root(), &mut files);
    assert!(files.iter().any(|path| path.ends_with("wit/world.wit")), "{files:?}");
    for path in files {
        assert!(!fs::read_to_string(&path).unwrap().contains("package wasi:"), "{}", path.display());
    }
}
