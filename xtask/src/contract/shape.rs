//! A WIT package as far as a caller can notice it: names, types and order, without documentation and without the version
//! in its name.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use semver::Version;
use wit_component::WitPrinter;
use wit_parser::{
    Function, FunctionKind, InterfaceId, PackageId, Resolve, SourceMap, Stability, Type, TypeDef,
    TypeDefKind, TypeId, TypeOwner, WorldId, WorldItem, WorldKey,
};

/// A package, read for comparison.
#[derive(Debug)]
pub struct Shape {
    /// Namespace and name: `connector:auth0`.
    pub name: String,
    /// The version that it has.
    pub version: Version,
    pub(super) interfaces: BTreeMap<String, Interface>,
    pub(super) worlds: BTreeMap<String, Connections>,
    pub(super) sources: SourceMap,
}

/// The items of an interface by their names.
#[derive(Debug, Default)]
pub(super) struct Interface {
    pub(super) since: Option<Version>,
    pub(super) types: BTreeMap<String, Item>,
    pub(super) functions: BTreeMap<String, Item>,
}

/// What a world asks for and offers, by name.
#[derive(Debug, Default)]
pub(super) struct Connections {
    pub(super) since: Option<Version>,
    pub(super) imports: BTreeMap<String, Item>,
    pub(super) exports: BTreeMap<String, Item>,
}

/// A type or a function.
#[derive(Debug)]
pub(super) struct Item {
    /// `record`, `enum`, `function`; of a world also `interface`.
    pub(super) kind: &'static str,
    /// Fields, cases, parameters and the result, in their order: a caller depends on that too.
    pub(super) members: Vec<Member>,
    pub(super) since: Option<Version>,
}

/// A part of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// `field`, `case`, `parameter`, `result`, `definition`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The type as WIT writes it; empty where there is none.
    pub(super) of: String,
}

impl Shape {
    /// Read the package in a folder.
    ///
    /// # Errors
    ///
    /// What is there is not WIT, has no version, or needs packages that are not there.
    pub fn read(folder: &Path) -> Result<Self> {
        let cannot = || format!("cannot read the WIT package in {}", folder.display());
        let mut sources = SourceMap::default();
        sources.push_dir(folder).with_context(cannot)?;
        Self::of(sources).with_context(cannot)
    }

    /// Read a package that is one text.
    ///
    /// # Errors
    ///
    /// As those of [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self> {
        let mut sources = SourceMap::default();
        sources.push_str("package.wit", text);
        Self::of(sources)
    }

    fn of(sources: SourceMap) -> Result<Self> {
        let mut resolve = Resolve::new();
        let id = push(&mut resolve, &sources, None)?;
        let reader = Reader { resolve: &resolve, package: id };
        let package = resolve.packages.get(id).context("a package that was just read is not there")?;
        let version = package.name.version.clone();
        let version = version.with_context(|| format!("{} has no version", package.name))?;
        let mut interfaces = BTreeMap::new();
        for (name, id) in &package.interfaces {
            interfaces.insert(name.clone(), reader.interface(*id)?);
        }
        let mut worlds = BTreeMap::new();
        for (name, id) in &package.worlds {
            worlds.insert(name.clone(), reader.world(*id)?);
        }
        let name = format!("{}:{}", package.name.namespace, package.name.name);
        Ok(Self { name, version, interfaces, worlds, sources })
    }
}

/// Read sources into a set of packages, under another version where one is given.
pub(super) fn push(
    resolve: &mut Resolve,
    sources: &SourceMap,
    version: Option<Version>,
) -> Result<PackageId> {
    let mut group = sources.clone().parse().map_err(|(sources, error)| {
        let place = error.render(&sources);
        anyhow::Error::from(error).context(place)
    })?;
    if version.is_some() {
        group.main.name.version = version;
    }
    Ok(resolve.push_group(group)?)
}

/// Reads the items of a package.
#[derive(Clone, Copy)]
struct Reader<'a> {
    resolve: &'a Resolve,
    package: PackageId,
}

impl Reader<'_> {
    fn interface(self, id: InterfaceId) -> Result<Interface> {
        let found = self.resolve.interfaces.get(id).context("an interface is not in its package")?;
        let types = found.types.iter().map(|(name, id)| Ok((name.clone(), self.type_item(*id)?)));
        let functions =
            found.functions.iter().map(|(name, function)| Ok((name.clone(), self.function(function)?)));
        Ok(Interface {
            since: since(&found.stability),
            types: types.collect::<Result<_>>()?,
            functions: functions.collect::<Result<_>>()?,
        })
    }

    fn world(self, id: WorldId) -> Result<Connections> {
        let world = self.resolve.worlds.get(id).context("a world is not in its package")?;
        let read = |(key, item): (&WorldKey, &WorldItem)| -> Result<(String, Item)> {
            let item = match item {
                WorldItem::Interface { stability, .. } => {
                    Item { kind: "interface", members: Vec::new(), since: since(stability) }
                }
                WorldItem::Function(function) => self.function(function)?,
                WorldItem::Type { id, .. } => self.type_item(*id)?,
            };
            Ok((self.key(key), item))
        };
        Ok(Connections {
            since: since(&world.stability),
            imports: world.imports.iter().map(read).collect::<Result<_>>()?,
            exports: world.exports.iter().map(read).collect::<Result<_>>()?,
        })
    }

    /// Name an import or export. An interface of the package itself goes by its own name alone: in its whole name is the
    /// version, in which two packages to be compared differ anyhow.
    fn key(self, key: &WorldKey) -> String {
        let own = match key {
            WorldKey::Interface(id) => self.resolve.interfaces.get(*id),
            WorldKey::Name(_) => None,
        };
        own.filter(|interface| interface.package == Some(self.package))
            .and_then(|interface| interface.name.clone())
            .unwrap_or_else(|| self.resolve.name_world_key(key))
    }

    fn function(self, function: &Function) -> Result<Item> {
        let kind = match function.kind {
            FunctionKind::Freestanding | FunctionKind::Method(_) | FunctionKind::Static(_) => "function",
            FunctionKind::AsyncFreestanding | FunctionKind::AsyncMethod(_) | FunctionKind::AsyncStatic(_) => {
                "async function"
            }
            FunctionKind::Constructor(_) => "constructor",
        };
        let mut members = Vec::new();
        for parameter in &function.params {
            members.push(self.member("parameter", &parameter.name, Some(&parameter.ty))?);
        }
        if function.result.is_some() {
            members.push(self.member("result", "", function.result.as_ref())?);
        }
        Ok(Item { kind, members, since: since(&function.stability) })
    }

    fn type_item(self, id: TypeId) -> Result<Item> {
        let item = self.resolve.types.get(id).context("a type is not in its package")?;
        let kind = match item.kind {
            TypeDefKind::Record(_)
            | TypeDefKind::Variant(_)
            | TypeDefKind::Enum(_)
            | TypeDefKind::Flags(_)
            | TypeDefKind::Resource => item.kind.as_str(),
            // `type name = …`, whatever it stands for.
            _ => "type",
        };
        let members = match &item.kind {
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|field| self.member("field", &field.name, Some(&field.ty)))
                .collect::<Result<_>>()?,
            TypeDefKind::Variant(variant) => variant
                .cases
                .iter()
                .map(|case| self.member("case", &case.name, case.ty.as_ref()))
                .collect::<Result<_>>()?,
            TypeDefKind::Enum(cases) => {
                cases.cases.iter().map(|case| self.member("case", &case.name, None)).collect::<Result<_>>()?
            }
            TypeDefKind::Flags(flags) => {
                flags.flags.iter().map(|flag| self.member("flag", &flag.name, None)).collect::<Result<_>>()?
            }
            // Its functions stand with those of the interface.
            TypeDefKind::Resource => Vec::new(),
            _ => vec![Member { kind: "definition", name: String::new(), of: self.definition(item)? }],
        };
        Ok(Item { kind, members, since: since(&item.stability) })
    }

    /// Write what stands to the right of `type name =`, or where a used type comes from.
    fn definition(self, item: &TypeDef) -> Result<String> {
        if let TypeDefKind::Type(Type::Id(id)) = &item.kind {
            let origin = self.resolve.types.get(*id).context("a type is not in its package")?;
            if let (TypeOwner::Interface(from), Some(name)) = (origin.owner, &origin.name)
                && item.owner != origin.owner
            {
                return Ok(format!("{}.{{{name}}}", self.key(&WorldKey::Interface(from))));
            }
        }
        // A name would be written instead of what it stands for.
        let mut unnamed = self.resolve.clone();
        let id = unnamed.types.alloc(TypeDef { name: None, ..item.clone() });
        written(&unnamed, &Type::Id(id))
    }

    fn member(self, kind: &'static str, name: &str, of: Option<&Type>) -> Result<Member> {
        let of = of.map(|of| written(self.resolve, of)).transpose()?.unwrap_or_default();
        Ok(Member { kind, name: name.to_owned(), of })
    }
}

fn since(stability: &Stability) -> Option<Version> {
    match stability {
        Stability::Stable { since, .. } => Some(since.clone()),
        Stability::Unknown | Stability::Unstable { .. } => None,
    }
}

/// Write a type as WIT does.
fn written(resolve: &Resolve, of: &Type) -> Result<String> {
    let mut printer = WitPrinter::default();
    printer.print_type_name(resolve, of)?;
    Ok(printer.output.to_string())
}
