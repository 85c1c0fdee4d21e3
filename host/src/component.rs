//! The component's file: checks before anything compiles it, and what it says of itself.

mod size;

use std::fmt::Write as _;

use aws_lc_rs::digest::Digest;
use serde::Serialize;
use wasmparser::{BinaryReader, ComponentName, ComponentNameSectionReader, Encoding, Parser, Payload};
use wasmtime::component::Component;

use self::size::Sizes;
use crate::error::Error;

/// The largest file that is taken for a component. The connector has a budget of 1.2 MB; sixteen times that leaves room
/// for debug builds.
pub const MAX_COMPONENT_BYTES: usize = 20 * 1024 * 1024;

/// The interface that makes a component a connector.
pub(crate) const ACTIONS: &str = "connector:auth0/actions@0.2.0";

/// What the host links. A component that wants more is refused when it is loaded, not when it first calls.
pub(crate) const OFFERED_IMPORTS: [&str; 9] = [
    "wasi:http/types",
    "wasi:http/outgoing-handler",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:cli/environment",
];

/// What is known of the component without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ComponentInfo {
    /// Size of the file in bytes.
    pub size: usize,
    /// SHA-256 of the file: `sha256:…`.
    pub digest: String,
    /// The name it gives itself.
    pub name: Option<String>,
    /// The version it gives itself.
    pub version: Option<String>,
    /// What it says that it is.
    pub description: Option<String>,
    /// Its licences, as an SPDX expression.
    pub licenses: Option<String>,
    /// Its home page.
    pub homepage: Option<String>,
    /// The revision of its sources.
    pub revision: Option<String>,
    /// What it can reach, by interface.
    pub imports: Vec<String>,
    /// What it offers, by interface.
    pub exports: Vec<String>,
}

/// Refuses what is not the connector, or would take a compiler long, before a compiler reads it: by its form, its sizes,
/// its imports and its exports.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Error> {
    check_form(bytes).and_then(|()| check_content(bytes)).map_err(refused)
}

fn refused(problem: String) -> Error {
    Error::InvalidComponent { problem, source: None }
}

/// Checks length and first bytes.
fn check_form(bytes: &[u8]) -> Result<(), String> {
    let refuse = Err::<(), String>;
    if bytes.len() > MAX_COMPONENT_BYTES {
        return refuse(format!("{} bytes, and at most {MAX_COMPONENT_BYTES} are taken", bytes.len()));
    }
    if !bytes.starts_with(b"\0asm") {
        return refuse("it does not begin with the bytes of WebAssembly".to_owned());
    }
    if Parser::is_core_wasm(bytes) {
        return refuse(
            "it is a core module, not a component: build it with `cargo xtask component`".to_owned(),
        );
    }
    if !Parser::is_component(bytes) {
        return refuse("its version of the component format is not known".to_owned());
    }
    Ok(())
}

/// Takes the SHA-256 of a component's file.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
}

/// Reads the file to its end.
fn check_content(bytes: &[u8]) -> Result<(), String> {
    Sizes::of(bytes)?;
    let unreadable = |error| format!("it cannot be read: {error}");
    let (mut depth, mut is_connector) = (0_u32, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(unreadable)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let name = import.map_err(unreadable)?.name.name;
                    let interface = name.split('@').next().unwrap_or_default();
                    if !OFFERED_IMPORTS.contains(&interface) {
                        return Err(format!("it imports `{name}`, which this host does not offer"));
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    is_connector |= export.map_err(unreadable)?.name.name == ACTIONS;
                }
            }
            _ => {}
        }
    }
    if is_connector { Ok(()) } else { Err(format!("it does not export `{ACTIONS}`")) }
}

/// Reads what the compiled component says of itself.
pub(crate) fn inspect(component: &Component, bytes: &[u8], digest: &Digest) -> ComponentInfo {
    let engine = component.engine();
    let component_type = component.component_type();
    let imports: Vec<String> = component_type.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let exports: Vec<String> = component_type.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let mut hex = "sha256:".to_owned();
    for byte in digest.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    let mut info = metadata(bytes);
    (info.size, info.digest, info.imports, info.exports) = (bytes.len(), hex, imports, exports);
    info
}

/// Reads what a component says of itself out of the outermost custom sections, which are those of an OCI image (the
/// `wasm-metadata` crate writes them). Sections that do not parse count as absent: they are for display.
fn metadata(bytes: &[u8]) -> ComponentInfo {
    let (mut info, mut depth) = (ComponentInfo::default(), 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::Version { encoding: Encoding::Component | Encoding::Module, .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::CustomSection(section)) if depth == 1 => {
                let text = || std::str::from_utf8(section.data()).ok().map(str::to_owned);
                match section.name() {
                    "component-name" => {
                        let reader = ComponentNameSectionReader::new(BinaryReader::new(section.data(), 0));
                        for part in reader.into_iter().flatten() {
                            if let ComponentName::Component { name, .. } = part {
                                info.name = Some(name.to_owned());
                            }
                        }
                    }
                    "version" => info.version = text(),
                    "description" => info.description = text(),
                    "licenses" => info.licenses = text(),
                    "homepage" => info.homepage = text(),
                    "revision" => info.revision = text(),
                    _ => {}
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_component_is_refused_before_it_is_compiled() {
        for (bytes, reason) in [
            (&b""[..], "does not begin"),
            (b"\0as", "does not begin"),
            (b"#!/bin/sh", "does not begin"),
            (b"\0asm\x01\0\0\0", "core module"),
            (b"\0asm\xff\xff\xff\xff", "not known"),
        ] {
            let error = check(bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{bytes:?}: {error}");
        }
        let error = check(&vec![0; MAX_COMPONENT_BYTES + 1]).unwrap_err().to_string();
        assert!(error.contains("at most"), "{error}");
    }

    #[test]
    fn imports_and_exports_are_checked_before_anything_is_compiled() {
        check(auth0_embedded_component::COMPONENT).unwrap();
        for (component, problem) in [
            ("(component)", "does not export `connector:auth0/actions@0.2.0`"),
            (
                "(component (import \"wasi:filesystem/types@0.2.0\" (instance)))",
                "imports `wasi:filesystem/types@0.2.0`",
            ),
            ("(component (import \"run\" (func)))", "imports `run`"),
            // What a nested component wants is wired by the outer one, and what it offers is not the outer one's.
            (
                "(component (component (instance $i) (export \"connector:auth0/actions@0.2.0\" (instance $i))))",
                "does not export",
            ),
        ] {
            let error = check(&wat::parse_str(component).unwrap()).unwrap_err().to_string();
            assert!(error.contains(problem), "{component}: {error}");
        }
    }
}
