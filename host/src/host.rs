//! The component, ready to serve any number of tenants.

use std::{borrow::Cow, collections::BTreeMap, fs::File, io::Read as _, path::PathBuf, sync::Arc};

use rustls::RootCertStore;
use tokio::sync::OnceCell;

use crate::{
    action::{ActionDescription, ActionFilter, ActionSummary, ApiRequest},
    code_cache::{CodeCache, CodeReport, Compile},
    component::{ComponentInfo, MAX_COMPONENT_BYTES},
    egress::transport::machine_roots,
    engine_error::EngineError,
    error::{Error, SettingsError},
    policy::PermittedActions,
    runtime::{DEFAULT_INSTANCES, HostStats, Runtime, SharedRuntime},
    settings::Settings,
    tenant::Tenant,
};

/// The compiled component. Cheap to clone; clones are the same host.
///
/// A host begins with the connector that this library carries ([`Host::new`], [`Host::builder`]), or with one that is
/// given: trusted ([`Host::with_trusted_component`], [`Host::with_trusted_component_file`]), or compiled elsewhere
/// ([`Host::with_precompiled_component`]). Without the feature `embedded-component` there are only the latter.
///
/// ```
/// use auth0_host::Host;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), auth0_host::Error> {
/// let host = Host::builder().build_async().await?;
/// // What there is to run is known without a tenant.
/// let action = host.describe("get-user").await?;
/// assert_eq!(action.input_schema["required"], serde_json::json!(["user_id"]));
/// assert_eq!(action.scopes[0].any_of[0], "read:users");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    runtime: SharedRuntime,
    component: ComponentInfo,
    code: CodeReport,
    /// Read from the machine once, when the first tenant over TLS is opened.
    roots: OnceCell<RootCertStore>,
    /// Asked of the component once, when the first tenant has a policy about actions.
    actions: OnceCell<Vec<ActionSummary>>,
}

impl Host {
    /// Compiles the connector that this library carries. Takes most of a second of processor time;
    /// inside a runtime, [`HostBuilder::build_async`] does it beside the runtime's threads.
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] where this machine cannot run WebAssembly.
    #[cfg(feature = "embedded-component")]
    #[cfg_attr(docsrs, doc(cfg(feature = "embedded-component")))]
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Begins with the connector that this library carries.
    #[cfg(feature = "embedded-component")]
    #[cfg_attr(docsrs, doc(cfg(feature = "embedded-component")))]
    pub fn builder() -> HostBuilder {
        HostBuilder::of(Source::Bytes(auth0_embedded_component::COMPONENT.into()))
    }

    /// Begins with these bytes, a build of the connector that the caller trusts.
    ///
    /// They are compiled in this process. Compiling is work that whoever made them sizes: a tenth of a megabyte can
    /// occupy a processor for minutes, or gigabytes of memory. What is known to be too large is refused first, which is
    /// not all that is. So trust bytes that you have built, or whose digest you know; for others there is
    /// [`Host::with_precompiled_component`].
    pub fn with_trusted_component(bytes: impl Into<Cow<'static, [u8]>>) -> HostBuilder {
        HostBuilder::of(Source::Bytes(bytes.into()))
    }

    /// Begins with this file, a build of the connector that the caller trusts, as
    /// [`Host::with_trusted_component`] has it.
    pub fn with_trusted_component_file(path: impl Into<PathBuf>) -> HostBuilder {
        HostBuilder::of(Source::File(path.into()))
    }

    /// Begins with these bytes, a build of the connector that nobody vouches for. They are never compiled in this
    /// process: their code has to be in the code cache, or building ends with [`Error::NotPrecompiled`].
    ///
    /// Compile them in a process whose memory and processor time are limited, with [`HostBuilder::precompile`] and the
    /// same cache. What runs is held to the limits of a call, as any component is.
    pub fn with_precompiled_component(bytes: impl Into<Cow<'static, [u8]>>) -> HostBuilder {
        HostBuilder { compile: Compile::Never, ..HostBuilder::of(Source::Bytes(bytes.into())) }
    }

    /// Opens a tenant. Nothing is sent yet, and no thread of the runtime is blocked: what has to be read from the disk is
    /// read on a thread for blocking work of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] where a setting cannot be used, or the policy names actions that the component has not;
    /// those of the runtime where the component has to be asked for its actions.
    pub async fn tenant(&self, settings: Settings) -> Result<Tenant, Error> {
        let actions = match settings.policy.is_about_actions() {
            true => settings.policy.permit(self.known_actions().await?).map_err(SettingsError::Policy)?,
            false => PermittedActions::All,
        };
        let roots = match settings.needs_roots() {
            true => self.roots().await?.clone(),
            false => RootCertStore::empty(),
        };
        let host = Arc::clone(&self.0);
        // An email provider's settings may have it read certificates, too.
        blocking(move || Tenant::open(Arc::clone(&host.runtime), roots, &host.component, actions, settings))
            .await?
    }

    /// Returns the component's actions, which it is asked for once.
    pub(crate) async fn known_actions(&self) -> Result<&[ActionSummary], Error> {
        let actions = self.0.actions.get_or_try_init(|| self.actions()).await?;
        Ok(actions)
    }

    /// Returns the certificate authorities that this machine trusts, which are read once.
    pub(crate) async fn roots(&self) -> Result<&RootCertStore, Error> {
        self.0.roots.get_or_try_init(|| blocking(machine_roots)).await
    }

    /// Lists all actions: the curated ones (`get-user`), in the order of their families, then every operation of the
    /// Management API (`users.get`), in the order of their ids.
    ///
    /// # Errors
    ///
    /// Those of the runtime: the component needs no tenant for it.
    pub async fn actions(&self) -> Result<Vec<ActionSummary>, Error> {
        self.find_actions(&ActionFilter::default()).await
    }

    /// Lists the actions to which all of a filter applies.
    ///
    /// # Errors
    ///
    /// As [`Host::actions`].
    pub async fn find_actions(&self, filter: &ActionFilter) -> Result<Vec<ActionSummary>, Error> {
        self.0.runtime.list(filter).await
    }

    /// Describes an action, with the schemas of its input and output.
    ///
    /// # Errors
    ///
    /// [`Error::Action`] with the code `not-found` where there is no such action.
    pub async fn describe(&self, action: &str) -> Result<ActionDescription, Error> {
        self.0.runtime.describe(action).await
    }

    /// Returns the requests of each action, as the component says: [`PolicyReport::with_requests`] takes them. The component
    /// is asked for each action, which takes some milliseconds.
    ///
    /// [`PolicyReport::with_requests`]: crate::PolicyReport::with_requests
    ///
    /// # Errors
    ///
    /// As [`Host::actions`].
    pub async fn requests(&self) -> Result<BTreeMap<String, Vec<ApiRequest>>, Error> {
        let mut requests = BTreeMap::new();
        for action in self.known_actions().await? {
            requests.insert(action.id.clone(), self.describe(&action.id).await?.requests);
        }
        Ok(requests)
    }

    /// Counts the instances that are alive now.
    pub fn stats(&self) -> HostStats {
        self.0.runtime.stats()
    }

    /// Returns what is known of the component without running it.
    pub fn component(&self) -> &ComponentInfo {
        &self.0.component
    }

    #[cfg(feature = "bench")]
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// Returns whether the component was compiled or came from the code cache, and what was wrong with the cache.
    pub fn code(&self) -> &CodeReport {
        &self.0.code
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("component", &self.0.component).finish_non_exhaustive()
    }
}

/// What a [`Host`] is made of: its component, and how it uses the machine.
///
/// ```
/// use auth0_host::{CodeCache, Host};
///
/// // Room for eight calls at once, of all tenants together.
/// let host = Host::builder().concurrent_calls(8).code_cache(CodeCache::Off).build()?;
/// assert_eq!(host.stats().instances, 0);
/// # Ok::<(), auth0_host::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HostBuilder {
    component: Source,
    compile: Compile,
    concurrent_calls: u32,
    code_cache: CodeCache,
}

#[derive(Clone, Debug)]
enum Source {
    Bytes(Cow<'static, [u8]>),
    File(PathBuf),
}

impl HostBuilder {
    fn of(component: Source) -> Self {
        Self {
            component,
            compile: Compile::Here,
            concurrent_calls: DEFAULT_INSTANCES,
            code_cache: CodeCache::Off,
        }
    }

    /// Sets how many calls all tenants together may have at once; 1,000 where absent. More of them wait, and end
    /// with [`Error::Busy`] where that takes too long. For each, 6 GiB of addresses are reserved, and no memory; one that
    /// was in use keeps up to 2.3 MiB resident for the next call (2 MiB of memory, 128 KiB of stack, 64 KiB of each of two
    /// tables), so a host that was once full keeps so much for each of them.
    #[must_use]
    pub fn concurrent_calls(mut self, calls: u32) -> Self {
        self.concurrent_calls = calls;
        self
    }

    /// Keeps compiled code for the next start; [`CodeCache::Off`] where absent. Trouble with the cache is no error: the
    /// component is compiled, and [`Host::code`] says what the trouble was.
    #[must_use]
    pub fn code_cache(mut self, cache: CodeCache) -> Self {
        self.code_cache = cache;
        self
    }

    /// Compiles the component, unless its code is in the cache. Blocks: most of a second of processor time.
    ///
    /// # Errors
    ///
    /// [`Error::ComponentFile`] where the file cannot be read, [`Error::InvalidComponent`] where it is not the
    /// connector, [`Error::NotPrecompiled`] where it is not trusted and its code is not in the cache, [`Error::Engine`]
    /// where this machine cannot run WebAssembly.
    pub fn build(self) -> Result<Host, Error> {
        let (calls, cache) = (self.concurrent_calls.max(1), &self.code_cache);
        let (runtime, component, code) = Runtime::new(&self.component.read()?, calls, cache, self.compile)?;
        Ok(Host(Arc::new(Inner {
            runtime: Arc::new(runtime),
            component,
            code,
            roots: OnceCell::new(),
            actions: OnceCell::new(),
        })))
    }

    /// Compiles the component into the code cache and makes no host: for a process that does nothing else, and whose
    /// memory and processor time are limited. Where its code is in the cache already, nothing is compiled.
    ///
    /// ```no_run
    /// use auth0_host::{CodeCache, Host};
    ///
    /// // In a child process, after it has limited itself (`RLIMIT_AS`, `RLIMIT_CPU`):
    /// let cache = CodeCache::Folder("/var/cache/engine/auth0".into());
    /// let bytes = std::fs::read("/tmp/unknown.wasm")?;
    /// Host::with_trusted_component(bytes).code_cache(cache).precompile()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`HostBuilder::build`], and [`Error::CodeCache`] where the code cannot be kept.
    pub fn precompile(self) -> Result<CodeReport, Error> {
        Runtime::precompile(&self.component.read()?, &self.code_cache)
    }

    /// Compiles the component on a thread for blocking work of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`HostBuilder::build`].
    pub async fn build_async(self) -> Result<Host, Error> {
        blocking(|| self.build()).await?
    }
}

/// Works on a thread for blocking work. Fails where the work panicked, or the runtime is about to end.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Engine(EngineError::new(error)))
}

impl Source {
    /// Reads the bytes, but for those that are too many to be a component: also of a file that does not say how many it
    /// has, such as a pipe.
    fn read(&self) -> Result<Cow<'_, [u8]>, Error> {
        let path = match self {
            Self::Bytes(bytes) => return Ok(Cow::Borrowed(bytes)),
            Self::File(path) => path,
        };
        let failed = |source| Error::ComponentFile { path: path.clone(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_COMPONENT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > MAX_COMPONENT_BYTES {
            return Err(Error::InvalidComponent {
                problem: format!(
                    "{} has more than {MAX_COMPONENT_BYTES} bytes, and no more are taken",
                    path.display()
                ),
                source: None,
            });
        }
        Ok(Cow::Owned(bytes))
    }
}
