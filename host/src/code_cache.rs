//! Compiled code, kept for the next start.
//!
//! Compiling the connector takes most of a second of processor time, loading its machine code some milliseconds. But
//! whoever can write what is loaded here decides what this process executes, so the cache trusts little: a folder that
//! is this user's alone, files that are this user's alone, and a seal over the whole content that is checked before a
//! byte of it is used ([`entry`]). What does not pass is compiled anew. Without a usable folder everything works, only
//! slower at start.
//!
//! Not protected against: whoever runs as the same user or as root. They can replace this program as well.
//!
//! wasmtime's own cache was not taken: it neither looks at owners and modes of its folder nor at what a file holds.

mod entry;
mod folder;
mod machine_code;

use std::path::PathBuf;

use serde::Serialize;
use wasmtime::{Engine, component::Component};

use self::{entry::Key, folder::PrivateFolder};
use crate::{engine_error::EngineError, error::Error};

/// What is done where the cache has no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compile {
    /// The component is compiled in this process: its bytes are trusted.
    Here,
    /// Nothing: whoever made the bytes decides how long a compiler takes.
    Never,
}

/// Refuses bytes that are not to be compiled.
pub(crate) type Check = fn(&[u8]) -> Result<(), Error>;

/// Where compiled code is kept.
///
/// ```no_run
/// use auth0_host::{CodeCache, CodeOrigin, Host};
///
/// let host = Host::builder().code_cache(CodeCache::Folder("/var/cache/engine/auth0".into())).build()?;
/// // Trouble with the folder is no error: the component is compiled then.
/// if let Some(problem) = &host.code().problem {
///     eprintln!("{problem}");
/// }
/// assert!(matches!(host.code().origin, CodeOrigin::Compiled | CodeOrigin::Cached));
/// # Ok::<(), auth0_host::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeCache {
    /// Nowhere: the component is compiled at each start. What the library does unless it is told otherwise, since an
    /// embedder may not expect files.
    #[default]
    Off,
    /// In the user's cache: `$XDG_CACHE_HOME/auth0-host/code`, or what takes its place on the system.
    PerUser,
    /// In this folder. Where it does not exist it is made, for this user alone (0700).
    Folder(PathBuf),
}

/// How a host came by its machine code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CodeReport {
    /// Whether it was compiled.
    pub origin: CodeOrigin,
    /// The cache's folder, where one was asked for and its place is known.
    pub folder: Option<PathBuf>,
    /// Why the cache could not be used, or what was found broken in it; in words, with what to do.
    pub problem: Option<String>,
}

/// Where machine code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CodeOrigin {
    /// From the compiler.
    Compiled,
    /// From the cache.
    Cached,
}

impl CodeCache {
    /// Returns the folder; `None` where nothing is kept or the user has no cache.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::PerUser => dirs::cache_dir().map(|cache| cache.join("auth0-host").join("code")),
            Self::Folder(path) => Some(path.clone()),
        }
    }

    /// Opens the folder, where there is to be one.
    fn open(&self) -> Result<Option<PrivateFolder>, String> {
        match self.folder() {
            Some(path) => PrivateFolder::open(&path).map(Some),
            None if *self == Self::PerUser => {
                Err("the user has no cache folder: set XDG_CACHE_HOME or HOME".to_owned())
            }
            None => Ok(None),
        }
    }

    /// Loads the component's code from the cache, else compiles it and keeps it, where that may be done here. `digest` is
    /// the SHA-256 of `bytes`; `check` is asked about bytes that have no code yet, since code is there of such only as it
    /// let pass.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
        digest: &[u8],
        compile: Compile,
        check: Check,
    ) -> Result<(Component, CodeReport), Error> {
        let folder = self.folder();
        let mut problem = None;
        let private = self.open().unwrap_or_else(|error| {
            problem = Some(error);
            None
        });
        let key = Key::new(engine, digest);
        if let Some(private) = &private {
            match load(private, &key, engine) {
                Ok(Some(component)) => {
                    tracing::debug!(folder = %private.path().display(), "loaded compiled code from the cache");
                    return Ok((component, CodeReport { origin: CodeOrigin::Cached, folder, problem }));
                }
                Ok(None) => {}
                Err(error) => problem = Some(error),
            }
        }
        check(bytes)?;
        if compile == Compile::Never {
            return Err(Error::NotPrecompiled { problem });
        }
        let component = compiled(engine, bytes)?;
        if let Some(private) = &private
            && let Err(error) = store(private, &key, &component)
        {
            problem = Some(error);
        }
        tracing::debug!(problem, "compiled the component");
        Ok((component, CodeReport { origin: CodeOrigin::Compiled, folder, problem }))
    }

    /// Compiles a component and keeps its code, unless that is there already.
    pub(crate) fn keep(&self, engine: &Engine, bytes: &[u8], digest: &[u8]) -> Result<CodeReport, Error> {
        let unusable = |problem| Error::CodeCache { problem };
        let folder = self.folder();
        let private = self.open().map_err(unusable)?;
        let private = private.ok_or_else(|| unusable("there is none: name a folder".to_owned()))?;
        let key = Key::new(engine, digest);
        let (origin, problem) = match load(&private, &key, engine) {
            Ok(Some(_)) => (CodeOrigin::Cached, None),
            missing => {
                store(&private, &key, &compiled(engine, bytes)?).map_err(unusable)?;
                (CodeOrigin::Compiled, missing.err())
            }
        };
        Ok(CodeReport { origin, folder, problem })
    }
}

fn compiled(engine: &Engine, bytes: &[u8]) -> Result<Component, Error> {
    Component::from_binary(engine, bytes).map_err(|source| Error::InvalidComponent {
        problem: "it does not compile".to_owned(),
        source: Some(EngineError::new(source)),
    })
}

/// Loads an entry; `None` where there is none. An error says why one was not used: it will be replaced.
fn load(folder: &PrivateFolder, key: &Key, engine: &Engine) -> Result<Option<Component>, String> {
    let name = key.file_name();
    let Some(file) = folder.read(&name)? else { return Ok(None) };
    let path = || folder.path().join(&name);
    let code = file.unseal(key).ok_or_else(|| {
        format!("{} is damaged or not what its name says; it is replaced", path().display())
    })?;
    code.load(engine).map(Some).map_err(|error| format!("{} is not usable: {error:#}", path().display()))
}

fn store(folder: &PrivateFolder, key: &Key, component: &Component) -> Result<(), String> {
    let code = component.serialize().map_err(|error| format!("compiled code cannot be kept: {error:#}"))?;
    folder.write(&key.file_name(), &key.seal(&code))
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
