//! What a new version of the package may change.
//!
//! A caller is compiled against one version and meets another: the registry gives it a later one, or the component was
//! updated under it. An engine links the two where their versions are compatible by semver, and in the component model that
//! works only where each item the caller knows is still there with exactly the type that it had. A record with one field
//! more is another type, and so is an enum with one case more. So there are additions of whole items, and nothing else.
//!
//! `wit_component::semver_check` decides the same in the end and is asked too, but not as its arguments are named. It is
//! written for the worlds that guests *import*: its `new` may ask for more and offer less. This package is *exported* by
//! the component, where that would accept a function that is gone and refuse one that was added. Asked the other way
//! round, it answers whether what is offered now can stand where the old was expected. Its answers name neither interface
//! nor function, hence the comparison before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result, bail};
use semver::{BuildMetadata, Prerelease, Version, VersionReq};
use wit_component::semver_check;
use wit_parser::{Resolve, WorldId};

use super::shape::{Connections, Interface, Item, Member, Shape, push};

/// Something that differs from a released version and may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The interface or the world.
    pub part: Part,
    /// What is different there.
    pub change: Change,
    /// The released version.
    pub released: Version,
    /// The lowest version that may have this change.
    pub allowed_from: Version,
}

/// A part of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// An interface.
    Interface(String),
    /// A world.
    World(String),
}

/// What became of a part of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The part is gone.
    Gone,
    /// The part is new, which a released version may not become.
    New,
    /// An item is gone.
    ItemGone(ItemName),
    /// An item is new where none may be added.
    ItemNew(ItemName),
    /// An item is another one than it was.
    ItemAltered(ItemName, Alteration),
    /// Something new that does not say since when it is there.
    Undated {
        /// The item; the part itself where there is none.
        item: Option<ItemName>,
        /// What it says.
        since: Option<Version>,
    },
    /// A world that fits nowhere that the old one fitted, in the words of `wit-component`.
    Structure(String),
}

/// An item, such as the function `get-user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemName {
    /// `function`, `record`, `import`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// How an item was altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// It was something else, a record or a variant.
    Kind {
        /// What it is now.
        is: &'static str,
    },
    /// A field, case or parameter is gone; the result is written without a name.
    MemberGone(ItemName),
    /// A field, case or parameter is new.
    MemberNew(ItemName),
    /// It has another type.
    MemberAltered {
        /// Which.
        member: ItemName,
        /// The type that it had.
        was: String,
        /// The type that it has.
        is: String,
    },
    /// The same in another order.
    Order,
}

/// What a version owes to a released one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// The same version: nothing but documentation may differ.
    Same,
    /// A later one that takes its place: all that was there still is.
    Compatible,
    /// Another line of versions.
    Nothing,
}

/// Compare a package with one that was released. Empty: it may be released after that, or was.
///
/// # Errors
///
/// The packages cannot be compared: their names differ, or there is a later version that the package comes too late for.
pub fn compare(released: &Shape, current: &Shape) -> Result<Vec<Difference>> {
    if released.name != current.name {
        bail!("{} is no version of {}", current.name, released.name);
    }
    let duty = duty(&released.version, &current.version)?;
    if duty == Duty::Nothing {
        return Ok(Vec::new());
    }
    let mut comparison = Comparison { released, current, duty, found: Vec::new() };
    comparison.interfaces();
    comparison.worlds();
    if comparison.found.is_empty() {
        comparison.structure()?;
    }
    Ok(comparison.found)
}

/// Later versions owe something to those that an engine takes them for, and the engine goes by the same rule: 0.2.1 for
/// 0.2.0, 1.3.0 for 1.2.0, a pre-release for nothing but itself.
pub(super) fn duty(released: &Version, current: &Version) -> Result<Duty> {
    if released == current {
        return Ok(Duty::Same);
    }
    let compatible = |with: &Version, version: &Version| -> Result<bool> {
        Ok(VersionReq::parse(&format!("^{with}"))?.matches(version))
    };
    if compatible(current, released)? {
        bail!("{current} cannot be released after {released}: raise the version above it");
    }
    Ok(if compatible(released, current)? { Duty::Compatible } else { Duty::Nothing })
}

/// The lowest version that owes nothing to this one.
pub(super) fn breaking_after(version: &Version) -> Version {
    let (major, minor, patch) = match (version.major, version.minor, version.patch) {
        (0, 0, patch) => (0, 0, patch + 1),
        (0, minor, _) => (0, minor + 1, 0),
        (major, ..) => (major + 1, 0, 0),
    };
    Version { major, minor, patch, pre: Prerelease::EMPTY, build: BuildMetadata::EMPTY }
}

/// The lowest version that may add to this one.
pub(super) fn next_after(version: &Version) -> Version {
    Version { patch: version.patch + 1, ..version.clone() }
}

struct Comparison<'a> {
    released: &'a Shape,
    current: &'a Shape,
    duty: Duty,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn interfaces(&mut self) {
        let (released, current) = (self.released, self.current);
        for (name, was, is) in pairs(&released.interfaces, &current.interfaces) {
            let part = Part::Interface(name.clone());
            match (was, is) {
                (Some(_), None) => self.refuse(part, Change::Gone),
                (None, Some(is)) => self.added_interface(&part, is),
                (Some(was), Some(is)) => {
                    self.items(&part, &was.types, &is.types, true);
                    self.items(&part, &was.functions, &is.functions, true);
                }
                (None, None) => {}
            }
        }
    }

    fn added_interface(&mut self, part: &Part, interface: &Interface) {
        if self.duty == Duty::Same {
            return self.refuse(part.clone(), Change::New);
        }
        self.dated(part, None, interface.since.as_ref());
        for (name, item) in interface.types.iter().chain(&interface.functions) {
            self.dated(part, Some(item.named(name)), item.since.as_ref());
        }
    }

    fn worlds(&mut self) {
        let (released, current) = (self.released, self.current);
        for (name, was, is) in pairs(&released.worlds, &current.worlds) {
            let part = Part::World(name.clone());
            match (was, is) {
                (Some(_), None) => self.refuse(part, Change::Gone),
                (None, Some(_)) if self.duty == Duty::Same => self.refuse(part, Change::New),
                (None, Some(is)) => self.dated(&part, None, is.since.as_ref()),
                (Some(was), Some(is)) => self.world(&part, was, is),
                (None, None) => {}
            }
        }
    }

    /// What is offered may grow. What is asked for may not: an engine that has what the old version asked for would not
    /// have this. Nor may it shrink within a version.
    fn world(&mut self, part: &Part, was: &Connections, is: &Connections) {
        self.items(part, &was.exports, &is.exports, false);
        for (name, was, is) in pairs(&was.imports, &is.imports) {
            let import = ItemName { kind: "import", name: name.clone() };
            match (was, is) {
                (None, Some(_)) => self.refuse(part.clone(), Change::ItemNew(import)),
                (Some(_), None) if self.duty == Duty::Same => {
                    self.refuse(part.clone(), Change::ItemGone(import));
                }
                (Some(was), Some(is)) => {
                    if let Some(alteration) = altered(was, is) {
                        self.refuse(part.clone(), Change::ItemAltered(import, alteration));
                    }
                }
                _ => {}
            }
        }
    }

    /// Compare items that callers use. Those of a world are interfaces, which say themselves since when they are there.
    fn items(&mut self, part: &Part, was: &BTreeMap<String, Item>, is: &BTreeMap<String, Item>, dated: bool) {
        for (name, was, is) in pairs(was, is) {
            match (was, is) {
                (Some(was), None) => self.refuse(part.clone(), Change::ItemGone(was.named(name))),
                (None, Some(is)) if self.duty == Duty::Same => {
                    self.refuse(part.clone(), Change::ItemNew(is.named(name)));
                }
                (None, Some(is)) if dated => self.dated(part, Some(is.named(name)), is.since.as_ref()),
                (Some(was), Some(is)) => {
                    if let Some(alteration) = altered(was, is) {
                        self.refuse(part.clone(), Change::ItemAltered(was.named(name), alteration));
                    }
                }
                _ => {}
            }
        }
    }

    /// Something new has to say that it was not in the released version: bindings of that version leave it out by this.
    fn dated(&mut self, part: &Part, item: Option<ItemName>, since: Option<&Version>) {
        if since.is_none_or(|since| *since <= self.released.version || *since > self.current.version) {
            self.refuse(part.clone(), Change::Undated { item, since: since.cloned() });
        }
    }

    fn refuse(&mut self, part: Part, change: Change) {
        let released = self.released.version.clone();
        let allowed_from = match change {
            Change::New | Change::ItemNew(_) if self.duty == Duty::Same && !change.is_import() => {
                next_after(&released)
            }
            Change::Undated { .. } => self.current.version.clone(),
            _ => breaking_after(&released),
        };
        self.found.push(Difference { part, change, released, allowed_from });
    }

    /// Ask `wit-component`, which sees what the comparison may have overlooked.
    fn structure(&mut self) -> Result<()> {
        for name in self.released.worlds.keys() {
            let (resolve, was, is) = self.both(name)?;
            // Reversed on purpose: see the top of this file.
            let (expected, offered) = (was, is);
            if let Err(error) = semver_check(resolve, offered, expected) {
                self.refuse(Part::World(name.clone()), Change::Structure(format!("{error:#}")));
            }
        }
        Ok(())
    }

    /// Read a world of both versions into one set.
    fn both(&self, world: &str) -> Result<(Resolve, WorldId, WorldId)> {
        let mut resolve = Resolve::new();
        let is = push(&mut resolve, &self.current.sources, None)?;
        // Two packages of one version would be one. `semver_check` takes no notice of versions.
        let other = Version::new(u64::MAX, 0, 0);
        let was = push(&mut resolve, &self.released.sources, Some(other))?;
        let find = |package| -> Result<WorldId> {
            let package = resolve.packages.get(package).context("a package that was read is not there")?;
            package.worlds.get(world).copied().with_context(|| format!("there is no world `{world}`"))
        };
        let (was, is) = (find(was)?, find(is)?);
        Ok((resolve, was, is))
    }
}

/// Pair what two versions have under a name.
fn pairs<'a, T>(
    was: &'a BTreeMap<String, T>,
    is: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, Option<&'a T>, Option<&'a T>)> {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    names.into_iter().map(|name| (name, was.get(name), is.get(name)))
}

/// Find the first way in which an item is not what it was.
fn altered(was: &Item, is: &Item) -> Option<Alteration> {
    if was.kind != is.kind {
        return Some(Alteration::Kind { is: is.kind });
    }
    let find = |item: &Item, wanted: &Member| {
        item.members.iter().find(|member| member.name == wanted.name && member.kind == wanted.kind).cloned()
    };
    for member in &was.members {
        match find(is, member) {
            None => return Some(Alteration::MemberGone(member.named())),
            Some(now) if now.of != member.of => {
                let (member, was) = (member.named(), member.of.clone());
                return Some(Alteration::MemberAltered { member, was, is: now.of });
            }
            Some(_) => {}
        }
    }
    if let Some(new) = is.members.iter().find(|member| find(was, member).is_none()) {
        return Some(Alteration::MemberNew(new.named()));
    }
    (was.members != is.members).then_some(Alteration::Order)
}

impl Item {
    fn named(&self, name: &str) -> ItemName {
        ItemName { kind: self.kind, name: name.to_owned() }
    }
}

impl Member {
    fn named(&self) -> ItemName {
        ItemName { kind: self.kind, name: self.name.clone() }
    }
}

impl Change {
    fn is_import(&self) -> bool {
        matches!(self, Self::ItemNew(item) if item.kind == "import")
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "interface `{name}`"),
            Self::World(name) => write!(f, "world `{name}`"),
        }
    }
}

impl fmt::Display for ItemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { f.write_str(self.kind) } else { write!(f, "{} `{}`", self.kind, self.name) }
    }
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { is } => write!(f, "is of the kind `{is}` now"),
            Self::MemberGone(member) => write!(f, "no longer has the {member}"),
            Self::MemberNew(member) => write!(f, "has a new {member}"),
            Self::MemberAltered { member, was, is } => write!(f, "has the {member} as `{is}`, was `{was}`"),
            Self::Order => f.write_str("has its parts in another order"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, change, released, allowed_from } = self;
        match change {
            Change::Gone => write!(
                f,
                "{part} is gone, and callers of {released} use it: put it back, with `@deprecated` where it is to be \
                 left; or raise the version to {allowed_from}"
            ),
            Change::New => write!(
                f,
                "{part} is new, and {released} is released without it: raise the version to {allowed_from}"
            ),
            Change::ItemGone(item) => write!(
                f,
                "{part}: the {item} is gone, and callers of {released} use it: put it back, with `@deprecated` where \
                 it is to be left; or raise the version to {allowed_from}"
            ),
            Change::ItemNew(item) => write!(
                f,
                "{part}: the {item} is new, and {released} is released without it: raise the version to \
                 {allowed_from}"
            ),
            Change::ItemAltered(item, alteration) => write!(
                f,
                "{part}: the {item} {alteration}, and callers of {released} know it as it was: leave it, and add \
                 another beside it under a new name; or raise the version to {allowed_from}"
            ),
            Change::Undated { item, since } => {
                write!(f, "{part}")?;
                if let Some(item) = item {
                    write!(f, ": the {item}")?;
                }
                f.write_str(" is new in this version and says ")?;
                match since {
                    Some(since) => write!(f, "`@since(version = {since})`")?,
                    None => f.write_str("nothing of it")?,
                }
                write!(f, ": write `@since(version = {allowed_from})` above it")
            }
            Change::Structure(why) => write!(
                f,
                "{part} does not fit where that of {released} was expected: undo what was changed, or raise the \
                 version to {allowed_from} ({why})"
            ),
        }
    }
}
