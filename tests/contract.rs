//! What the built file says of itself: exports, imports, size, metadata.

use std::collections::BTreeMap;

use auth0_embedded_component::COMPONENT;
use auth0_tests::{curated, host, program};
use wasm_metadata::Payload;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{InterfaceId, Resolve, WorldItem};

/// All that the component may import (ARCHITECTURE.md). Anything more is a power that every engine has to grant.
const IMPORTS: [&str; 9] = [
    "wasi:cli/environment@0.2",
    "wasi:clocks/monotonic-clock@0.2",
    "wasi:clocks/wall-clock@0.2",
    "wasi:http/outgoing-handler@0.2",
    "wasi:http/types@0.2",
    "wasi:io/error@0.2",
    "wasi:io/poll@0.2",
    "wasi:io/streams@0.2",
    "wasi:random/random@0.2",
];

/// The most that the project promises: every engine fetches, hashes and compiles the file.
const MOST_BYTES: usize = 1_600_000;

fn decoded() -> (Resolve, wit_parser::WorldId) {
    match decode(COMPONENT).expect("the component carries its types") {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => panic!("a package of WIT is no component"),
    }
}

fn interfaces<'a>(
    resolve: &Resolve,
    items: impl Iterator<Item = &'a WorldItem>,
) -> BTreeMap<String, InterfaceId> {
    items
        .map(|item| match item {
            WorldItem::Interface { id, .. } => (resolve.id_of(*id).expect("interfaces have names"), *id),
            other => panic!("only interfaces cross the border: {other:?}"),
        })
        .collect()
}

/// `wasi:io/poll@0.2.9` without its patch version, which moves with the bindings.
fn without_patch(name: &str) -> String {
    name.rsplit_once('.').map_or_else(|| name.to_owned(), |(head, _)| head.to_owned())
}

/// Functions and types of an interface.
fn members(resolve: &Resolve, interface: InterfaceId) -> (Vec<String>, Vec<String>) {
    let interface = &resolve.interfaces[interface];
    let mut functions: Vec<String> = interface.functions.keys().cloned().collect();
    let mut types: Vec<String> = interface.types.keys().cloned().collect();
    functions.sort();
    types.sort();
    (functions, types)
}

#[test]
fn the_component_imports_what_the_design_lists_and_nothing_else() {
    let (resolve, world) = decoded();
    let imports = interfaces(&resolve, resolve.worlds[world].imports.values());
    let mut found: Vec<String> = imports.keys().map(|name| without_patch(name)).collect();
    found.sort();
    assert_eq!(found, IMPORTS);
}

#[test]
fn the_component_exports_the_interfaces_of_the_contract_with_all_their_functions() {
    let mut contract = Resolve::default();
    let (package, _) = contract.push_dir(program::root().join("wit")).expect("the contract is WIT");
    let promised = contract.packages[package].interfaces.clone();
    let (resolve, world) = decoded();
    let exports = interfaces(&resolve, resolve.worlds[world].exports.values());
    let names: Vec<String> = exports.keys().cloned().collect();
    let mut expected: Vec<String> = promised.values().filter_map(|id| contract.id_of(*id)).collect();
    expected.sort();
    assert_eq!(names, expected);
    for (name, interface) in promised {
        let built = exports[&contract.id_of(interface).expect("interfaces have names")];
        assert_eq!(members(&resolve, built), members(&contract, interface), "{name}");
    }
}

#[test]
fn every_item_of_the_contract_says_what_it_is_and_since_when() {
    let mut contract = Resolve::default();
    let (package, _) = contract.push_dir(program::root().join("wit")).expect("the contract is WIT");
    let mut silent = Vec::new();
    for (name, interface) in &contract.packages[package].interfaces {
        let interface = &contract.interfaces[*interface];
        let mut look = |what: String, docs: Option<&str>| {
            if docs.is_none_or(|docs| docs.trim().is_empty()) {
                silent.push(what);
            }
        };
        look(name.clone(), interface.docs.contents.as_deref());
        for (function, item) in &interface.functions {
            look(format!("{name}.{function}"), item.docs.contents.as_deref());
            assert!(
                matches!(item.stability, wit_parser::Stability::Stable { .. }),
                "{name}.{function} has no @since"
            );
        }
        for (kind, id) in &interface.types {
            let item = &contract.types[*id];
            // What is used from another interface is documented there.
            if !matches!(item.kind, wit_parser::TypeDefKind::Type(wit_parser::Type::Id(_))) {
                look(format!("{name}.{kind}"), item.docs.contents.as_deref());
            }
        }
    }
    assert!(silent.is_empty(), "without a word: {}", silent.join(", "));
}

#[test]
fn every_typed_function_is_a_curated_action_too_and_the_other_way_round() {
    let (resolve, world) = decoded();
    let exports = interfaces(&resolve, resolve.worlds[world].exports.values());
    let mut typed: Vec<String> = exports
        .iter()
        .filter(|(name, _)| !name.contains("/actions@"))
        .flat_map(|(_, interface)| members(&resolve, *interface).0)
        .collect();
    typed.sort();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut listed = runtime.block_on(curated());
    listed.sort();
    assert_eq!(typed, listed);
}

#[test]
fn the_component_is_small() {
    let size = COMPONENT.len();
    assert!(size <= MOST_BYTES, "{size} bytes");
}

#[test]
fn the_component_says_name_version_licence_and_where_it_comes_from() {
    let Payload::Component { metadata, .. } = Payload::from_binary(COMPONENT).unwrap() else {
        panic!("no component");
    };
    assert_eq!(metadata.name.as_deref(), Some("auth0-connector"));
    let text = |field: Option<String>, what: &str| field.unwrap_or_else(|| panic!("no {what}"));
    assert_eq!(text(metadata.version.map(|field| field.to_string()), "version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text(metadata.licenses.map(|field| field.to_string()), "licences"), "MIT OR Apache-2.0");
    assert!(text(metadata.description.map(|field| field.to_string()), "description").contains("Auth0"));
    let revision = text(metadata.revision.map(|field| field.to_string()), "revision");
    let digits = revision.strip_prefix("sha256:").unwrap_or_else(|| panic!("{revision} is no digest"));
    assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{revision}");
}

#[test]
fn the_component_holds_no_path_of_the_machine_that_built_it() {
    let holds = |text: &str| COMPONENT.windows(text.len()).any(|window| window == text.as_bytes());
    for path in ["/.cargo/registry", "/work/", "/home/", "/root/", "/Users/"] {
        assert!(!holds(path), "{path}");
    }
}

#[test]
fn the_host_runs_the_component_that_the_repository_carries() {
    let info = host().component();
    assert_eq!(info.size, COMPONENT.len());
    let mut imports: Vec<String> = info.imports.iter().map(|name| without_patch(name)).collect();
    imports.sort();
    assert_eq!(imports, IMPORTS);
}
