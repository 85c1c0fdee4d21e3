//! What a component asks of its host, and what it offers.
//!
//! Two compilers do not make the same bytes of the same sources. What must be the same all the same is what an engine
//! sees of the component.

use std::fmt;

use anyhow::Result;
use wasmparser::{Parser, Payload};

/// The names of what a component imports and exports, in its own order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

impl Interface {
    /// Read them from a component.
    pub(crate) fn of(component: &[u8]) -> Result<Self> {
        let mut interface = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        interface.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        interface.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(interface)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "imports [{}] and exports [{}]", self.imports.join(", "), self.exports.join(", "))
    }
}
