//! What a component imports and exports, and whether that is what a world says.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use wit_component::targets;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

/// The names of what crosses the border of a component or a world.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Border {
    /// What it asks for: `wasi:io/poll@0.2.12`.
    pub imports: BTreeSet<String>,
    /// What it offers: `connector:auth0/users@0.2.0`.
    pub exports: BTreeSet<String>,
}

impl Border {
    /// Read them from a component.
    ///
    /// # Errors
    ///
    /// The bytes are no component.
    pub fn of_component(component: &[u8]) -> Result<Self> {
        match decode(component).context("the types of the component cannot be read")? {
            DecodedWasm::Component(resolve, world) => Self::of_world(&resolve, world),
            DecodedWasm::WitPackage(..) => bail!("this is a package of WIT and no component"),
        }
    }

    /// Read them from a world, with what it imports because of its imports.
    pub(super) fn of_world(resolve: &Resolve, world: WorldId) -> Result<Self> {
        let world = resolve.worlds.get(world).context("there is no such world")?;
        let names = |items: &mut dyn Iterator<Item = &WorldKey>| {
            items.map(|key| resolve.name_world_key(key)).collect::<BTreeSet<_>>()
        };
        // A type that a world uses from an interface is no import of its own.
        let mut imports = world
            .imports
            .iter()
            .filter(|(_, item)| !matches!(item, WorldItem::Type { .. }))
            .map(|(key, _)| key);
        Ok(Self { imports: names(&mut imports), exports: names(&mut world.exports.keys()) })
    }
}

/// Make sure that a component is what a world says: with the same imports and exports, of the same types.
///
/// The component model would accept fewer imports and more exports. Then the package would name interfaces that nobody has
/// to provide, and callers would find functions that no package describes.
pub(super) fn check(resolve: &Resolve, world: WorldId, component: &[u8]) -> Result<()> {
    let (said, found) = (Border::of_world(resolve, world)?, Border::of_component(component)?);
    same("imports", &said.imports, &found.imports)?;
    same("exports", &said.exports, &found.exports)?;
    targets(resolve, world, component)
        .context("an interface of the component has other types than the package")
}

fn same(what: &str, said: &BTreeSet<String>, found: &BTreeSet<String>) -> Result<()> {
    let list =
        |names: Vec<&String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let (missing, more) = (list(said.difference(found).collect()), list(found.difference(said).collect()));
    match (missing.is_empty(), more.is_empty()) {
        (true, true) => Ok(()),
        (false, true) => bail!("the component lacks {what} of the package: {missing}"),
        (true, false) => bail!("the component has {what} that the package has not: {more}"),
        (false, false) => bail!("the {what} of the component are {more}, where the package has {missing}"),
    }
}
