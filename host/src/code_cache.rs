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
    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::PerUser => dirs::cache_dir().map(|cache| cache.join("auth0-host").join("code")),
            Self::Folder(path) => Some(path.clone()),
        }
    }

    /// Loads the component's code from the cache, else compiles it and keeps it. `digest` is the SHA-256 of `bytes`.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
        digest: &[u8],
    ) -> wasmtime::Result<(Component, CodeReport)> {
        let folder = self.folder();
        let mut problem = None;
        let private = match &folder {
            Some(path) => PrivateFolder::open(path).map_err(|error| problem = Some(error)).ok(),
            None => {
                if *self == Self::PerUser {
                    problem = Some("the user has no cache folder: set XDG_CACHE_HOME or HOME".to_owned());
                }
                None
            }
        };
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
        let component = Component::from_binary(engine, bytes)?;
        if let Some(private) = &private
            && let Err(error) = store(private, &key, &component)
        {
            problem = Some(error);
        }
        tracing::debug!(problem, "compiled the component");
        Ok((component, CodeReport { origin: CodeOrigin::Compiled, folder, problem }))
    }
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
