//! The package as registries and tools take it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wit_parser::{PackageId, Resolve, SourceMap, UnresolvedPackageGroup, WorldId};

use super::component::{self, Border};
use super::wasi::Facts;
use super::{CONNECTOR, released, schemas};

/// The name of the binary package, and without the ending that of the folder with its text.
pub const BINARY: &str = "connector-auth0.wasm";

/// The line behind which the imports of the component belong.
const WORLD_BEGINS: &str = "world connector {\n";

/// The whole package: the contract, what the component imports, and WASI.
#[derive(Debug)]
pub struct Package {
    /// Texts by their path in the package's folder.
    files: BTreeMap<PathBuf, String>,
    /// The schemas of its JSON, by name.
    schemas: Vec<(String, String)>,
    resolve: Resolve,
    package: PackageId,
    facts: Facts,
}

impl Package {
    /// Put the package together: the contract of this checkout with what this component imports.
    ///
    /// Texts are taken as they are written, so that documentation and order stay; only the imports are added. WASI's
    /// packages stand whole in `deps/`, since they refer to each other.
    ///
    /// # Errors
    ///
    /// Something is not WIT, the component imports what the crate `wasip2` does not have, or cargo cannot be asked.
    pub fn assemble(root: &Path, component: &[u8]) -> Result<Self> {
        let facts = Facts::find(root)?;
        let imports = Border::of_component(component)?.imports;
        let mut files = BTreeMap::new();
        let mut amended = 0;
        for (name, text) in texts(&released::contract(root))? {
            let imports = || imports.iter().map(|import| format!("    import {import};\n"));
            let begin = || std::iter::once(WORLD_BEGINS.to_owned()).chain(imports()).collect::<String>();
            amended += text.matches(WORLD_BEGINS).count();
            files.insert(PathBuf::from(name), text.replacen(WORLD_BEGINS, &begin(), 1));
        }
        if amended != 1 {
            bail!("the line `{}` stands {amended} times in wit/, and not once", WORLD_BEGINS.trim_end());
        }
        for (name, text) in texts(&facts.wasi)? {
            files.insert(Path::new("deps").join(name), text);
        }
        let (resolve, package) = parse(&files)?;
        let schemas = schemas::texts(&released::contract(root))?;
        Ok(Self { files, schemas, resolve, package, facts })
    }

    /// Make sure that a component is the package's world `connector`: with these imports and exports, of these types.
    ///
    /// # Errors
    ///
    /// It is not, or the crate that carries the contract has another version than the package.
    pub fn check(&self, component: &[u8]) -> Result<()> {
        component::check(&self.resolve, self.world(CONNECTOR)?, component)?;
        let package = self.resolve.packages.get(self.package).context("the package is not there")?;
        let version = package.name.version.as_ref().map(ToString::to_string).unwrap_or_default();
        if version != self.facts.version {
            bail!("wit/Cargo.toml has the version {}, and wit/world.wit {version}", self.facts.version);
        }
        Ok(())
    }

    /// Encode the package as registries take it, with its documentation.
    ///
    /// # Errors
    ///
    /// It cannot be encoded, or its crate's description or licence cannot be added.
    pub fn binary(&self) -> Result<Vec<u8>> {
        let bytes =
            wit_component::encode(&self.resolve, self.package).context("the package cannot be encoded")?;
        let mut metadata = AddMetadata::default();
        metadata.version = AddMetadataField::Set(self.facts.version.parse()?);
        metadata.description = AddMetadataField::Set(self.facts.description.parse()?);
        metadata.licenses = AddMetadataField::Set(self.facts.license.parse()?);
        metadata.to_wasm(&bytes).context("cannot add metadata to the package")
    }

    /// Write the package below a folder, and answer where its text and its binary are. Texts that are no longer of the
    /// package are removed.
    ///
    /// # Errors
    ///
    /// The package cannot be encoded, or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(PathBuf, PathBuf)> {
        let binary = folder.join(BINARY);
        let text = binary.with_extension("");
        for part in [text.clone(), text.join("deps")] {
            fs::create_dir_all(&part).with_context(|| format!("cannot create {}", part.display()))?;
            for (name, _) in texts(&part)? {
                let stale = part.join(name);
                fs::remove_file(&stale).with_context(|| format!("cannot remove {}", stale.display()))?;
            }
        }
        let schemas =
            self.schemas.iter().map(|(name, content)| (Path::new(schemas::FOLDER).join(name), content));
        let files = self.files.iter().map(|(name, content)| (name.clone(), content));
        fs::create_dir_all(text.join(schemas::FOLDER)).context("cannot create the folder of the schemas")?;
        for (name, content) in files.chain(schemas) {
            let path = text.join(name);
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
        fs::write(&binary, self.binary()?).with_context(|| format!("cannot write {}", binary.display()))?;
        Ok((text, binary))
    }

    /// The packages, for tools that are libraries.
    pub fn resolve(&self) -> &Resolve {
        &self.resolve
    }

    /// Find a world of the package.
    ///
    /// # Errors
    ///
    /// The package has none of this name.
    pub fn world(&self, name: &str) -> Result<WorldId> {
        let package = self.resolve.packages.get(self.package).context("the package is not there")?;
        package.worlds.get(name).copied().with_context(|| format!("there is no world `{name}`"))
    }
}

/// Read the WIT files of a folder, in the order of their names.
pub(super) fn texts(folder: &Path) -> Result<Vec<(String, String)>> {
    read_all(folder, "wit")
}

/// Read the files of a folder with one extension, in the order of their names.
pub(super) fn read_all(folder: &Path, wanted: &str) -> Result<Vec<(String, String)>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == wanted) {
            let name = path.file_name().and_then(|name| name.to_str()).with_context(cannot)?.to_owned();
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            texts.push((name, text));
        }
    }
    texts.sort();
    Ok(texts)
}

fn parse(files: &BTreeMap<PathBuf, String>) -> Result<(Resolve, PackageId)> {
    let mut contract = SourceMap::default();
    let mut dependencies = Vec::new();
    for (path, text) in files {
        let name = path.display().to_string();
        if path.starts_with("deps") {
            let mut sources = SourceMap::default();
            sources.push_str(&name, text.as_str());
            dependencies.push(group(sources)?);
        } else {
            contract.push_str(&name, text.as_str());
        }
    }
    let mut resolve = Resolve::new();
    let package = resolve.push_groups(group(contract)?, dependencies).map_err(anyhow::Error::from);
    Ok((resolve, package?))
}

fn group(sources: SourceMap) -> Result<UnresolvedPackageGroup> {
    sources.parse().map_err(|(sources, error)| {
        let place = error.render(&sources);
        anyhow::Error::from(error).context(place)
    })
}
