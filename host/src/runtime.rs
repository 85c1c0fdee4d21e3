//! The WebAssembly side: one engine and one compiled component per host, one instance per call.
//!
//! An instance lives for one call. Nothing that one call leaves behind – memory, handles, a half-sent request – can
//! reach another, and dropping the store is a cancellation that no guest can refuse. The price, measured before the
//! project began, is some 5 to 7 µs for the instance and the touching of fresh pages.

mod convert;
mod engine;
mod guest;
mod http;
mod instances;
mod outgoing;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use auth0_contract::wasmtime::{Plugin, PluginPre};
use tokio::sync::OnceCell;
use wasmtime::{
    Engine, Store, StoreContextMut, Trap,
    component::{HasData, Linker, Resource, ResourceTable, ResourceTableError},
};
use wasmtime_wasi::{
    clocks::WasiClocks,
    p2::bindings::{cli, clocks, random},
    random::WasiRandom,
};
use wasmtime_wasi_http::{
    WasiHttp, WasiHttpView as _,
    p2::{
        bindings::{
            self as wasi_http,
            http::types::{HostOutgoingRequest as _, Method},
        },
        types::HostOutgoingRequest as OutgoingRequest,
    },
};

pub use self::instances::InstancePolicy;
use self::{
    engine::{compiler, engine},
    instances::{Alive, Instance},
};
pub(crate) use self::{
    guest::{Environment, Guest},
    http::GuestHttp,
    instances::Reuse,
};
use crate::{
    action::{ActionDescription, ActionFilter, ActionSummary, ScopeRequirement},
    call::{LONGEST_AUTHORITY, LONGEST_METHOD},
    code_cache::{CodeCache, CodeReport, Compile},
    component::{self, ComponentInfo},
    engine_error::EngineError,
    error::{ActionError, Error, ErrorCode},
    json::Json,
    limits::Limit,
};

/// Instances that may live at once where nothing else is said. The allocator's own default; the address space for it is
/// reserved at start, the memory is not.
pub(crate) const DEFAULT_INSTANCES: u32 = 1000;
/// Largest input that is handed to the component, which refuses it too, but first has to hold it: a body of 1 MB
/// (Auth0's limit), escaped, and the rest.
const MAX_INPUT_BYTES: usize = 4_000_000;
/// How long the component may take to tell of its actions, which it does in milliseconds.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The component, compiled and linked.
pub(crate) struct Runtime {
    pre: PluginPre<Guest>,
    alive: Alive,
    tenants: AtomicU64,
    /// What each action needs, asked once.
    needs: OnceCell<HashMap<String, Arc<[ScopeRequirement]>>>,
}

/// Instances of a host, as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct HostStats {
    /// Instances alive: those of calls under way, and warm ones.
    pub instances: usize,
    /// Warm instances that wait for a call.
    pub instances_idle: usize,
}

impl Runtime {
    /// Compiles a component, which takes most of a second of processor time, or loads it from the cache.
    pub(crate) fn new(
        bytes: &[u8],
        instances: u32,
        cache: &CodeCache,
        compile: Compile,
    ) -> Result<(Self, ComponentInfo, CodeReport), Error> {
        Self::with_engine(engine(instances)?, bytes, instances, cache, compile)
    }

    /// Compiles a component into the cache, for a later [`Runtime::new`], of this process or another one.
    pub(crate) fn precompile(bytes: &[u8], cache: &CodeCache) -> Result<CodeReport, Error> {
        component::check(bytes)?;
        cache.keep(&compiler()?, bytes, component::digest(bytes).as_ref())
    }

    /// As [`Runtime::new`], with an engine that is there.
    pub(crate) fn with_engine(
        engine: Engine,
        bytes: &[u8],
        instances: u32,
        cache: &CodeCache,
        compile: Compile,
    ) -> Result<(Self, ComponentInfo, CodeReport), Error> {
        let invalid = |problem: &str, source: wasmtime::Error| Error::InvalidComponent {
            problem: problem.to_owned(),
            source: Some(EngineError::new(source)),
        };
        let digest = component::digest(bytes);
        let (component, code) =
            cache.component(&engine, bytes, digest.as_ref(), compile, component::check)?;
        let info = component::inspect(&component, bytes, &digest);
        let linker = linker(&engine).map_err(|error| Error::Engine(EngineError::new(error)))?;
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|source| invalid("an import has another shape than this host offers", source))?;
        let pre = PluginPre::new(pre)
            .map_err(|source| invalid(&format!("it does not export `{}`", component::ACTIONS), source))?;
        Ok((
            Self { pre, alive: Alive::new(instances), tenants: AtomicU64::new(0), needs: OnceCell::new() },
            info,
            code,
        ))
    }

    /// Returns a number that no other tenant of this host has.
    pub(crate) fn next_tenant(&self) -> u64 {
        self.tenants.fetch_add(1, Ordering::Relaxed)
    }

    /// Throws away the instances that were kept for a tenant.
    pub(crate) fn forget(&self, tenant: u64) {
        self.alive.forget(tenant);
    }

    /// Counts the instances.
    pub(crate) fn stats(&self) -> HostStats {
        let (instances, instances_idle) = self.alive.count();
        HostStats { instances, instances_idle }
    }

    /// Runs an action, after a wait for room of at most `wait`. The guest is made when there is room: how much time it
    /// has left is known only then.
    pub(crate) async fn run(
        &self,
        guest: impl FnOnce() -> Guest,
        reuse: Reuse,
        wait: Duration,
        action: &str,
        input: &Json,
    ) -> Result<Json, Error> {
        if input.as_str().len() > MAX_INPUT_BYTES {
            return Err(Error::from(ActionError::new(
                ErrorCode::InvalidInput,
                format!(
                    "an input of {} bytes refused: the tenant takes bodies of at most 1 MB, an action at most {} MB",
                    input.as_str().len(),
                    MAX_INPUT_BYTES / 1_000_000
                ),
            )));
        }
        // The bindings take a `String`.
        let input = input.to_string();
        let mut instance = match self.alive.take(reuse) {
            Some(mut instance) => {
                instance.store.data_mut().renew(guest());
                instance.store.set_epoch_deadline(1);
                instance
            }
            None => self.instance(wait, guest).await?,
        };
        let Instance { store, plugin, .. } = &mut instance;
        let answer =
            plugin.connector_auth0_actions().call_run_action(store, action, &input).await.map_err(stopped)?;
        let result = match answer {
            Ok(text) => convert::json(text, "the result of the action"),
            Err(error) => Err(convert::error(error)),
        };
        // An instance that broke the contract is thrown away, like one that was stopped.
        if !matches!(result, Err(Error::Contract { .. })) {
            self.alive.keep(reuse, instance);
        }
        result
    }

    /// Lists the actions.
    pub(crate) async fn list(&self, filter: &ActionFilter) -> Result<Vec<ActionSummary>, Error> {
        let filter = convert::filter(filter)?;
        let list = self
            .ask(async |plugin, store| {
                plugin.connector_auth0_actions().call_list_actions(store, &filter).await
            })
            .await?
            .map_err(convert::error)?;
        convert::list(list)
    }

    /// Returns what a token has to be allowed for an action. The component is asked once; `None` where it lists no such
    /// action, or does not answer in this time.
    pub(crate) async fn needs(&self, action: &str, within: Duration) -> Option<Arc<[ScopeRequirement]>> {
        let ask = async {
            let actions = self.list(&ActionFilter::default()).await?;
            Ok::<_, Error>(actions.into_iter().map(|action| (action.id, action.scopes.into())).collect())
        };
        let known = tokio::time::timeout(within, self.needs.get_or_try_init(|| ask)).await.ok()?.ok()?;
        known.get(action).cloned()
    }

    /// Describes an action.
    pub(crate) async fn describe(&self, action: &str) -> Result<ActionDescription, Error> {
        let found = self
            .ask(async |plugin, store| {
                plugin.connector_auth0_actions().call_describe_action(store, action).await
            })
            .await?
            .map_err(convert::error)?;
        convert::description(found)
    }

    /// Asks the component something that needs no tenant.
    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Plugin, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Error> {
        let asking = async {
            let mut instance = self.instance(QUESTION_TIMEOUT, Guest::sealed).await?;
            question(&instance.plugin, &mut instance.store).await.map_err(stopped)
        };
        tokio::time::timeout(QUESTION_TIMEOUT, asking)
            .await
            .unwrap_or(Err(Error::Timeout { after: QUESTION_TIMEOUT }))
    }

    /// Makes an instance and throws it away.
    #[cfg(feature = "bench")]
    pub(crate) async fn instantiate(&self) -> Result<(), Error> {
        self.instance(QUESTION_TIMEOUT, Guest::sealed).await.map(drop)
    }

    /// Makes an instance, when there is room for it.
    async fn instance(&self, wait: Duration, guest: impl FnOnce() -> Guest) -> Result<Instance, Error> {
        let slot = self.alive.slot(wait).await?;
        let mut store = guest().into_store(self.pre.engine());
        let plugin = self.pre.instantiate_async(&mut store).await.map_err(not_made)?;
        Ok(Instance::new(store, plugin, slot))
    }
}

/// Returns why no instance came about. One that traps in a start function does so each time: that is the component's
/// doing, and not want of room, after which a caller would try again for ever.
fn not_made(error: wasmtime::Error) -> Error {
    if limit(&error).is_some() || error.is::<Trap>() {
        stopped(error)
    } else {
        Error::Instantiation(EngineError::new(error))
    }
}

/// Returns why a guest was stopped.
fn stopped(error: wasmtime::Error) -> Error {
    match limit(&error) {
        Some(limit) => Error::Limit { limit },
        None => Error::Trap(EngineError::new(error)),
    }
}

/// Finds the limit that a guest went past.
fn limit(error: &wasmtime::Error) -> Option<Limit> {
    if let Some(limit) = error.downcast_ref::<Limit>() {
        return Some(*limit);
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        return Some(Limit::Handles);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Some(Limit::Stack),
        _ => None,
    }
}

/// Offers exactly the interfaces of [`component::OFFERED_IMPORTS`], one by one: no stdio, no exit, no file system, no
/// sockets, no incoming HTTP.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    wasmtime_wasi_io::bindings::wasi::io::error::add_to_linker::<Guest, Tables>(l, |guest| &mut guest.table)?;
    wasmtime_wasi_io::bindings::wasi::io::poll::add_to_linker::<Guest, Tables>(l, |guest| &mut guest.table)?;
    wasmtime_wasi_io::bindings::wasi::io::streams::add_to_linker::<Guest, Tables>(l, |guest| {
        &mut guest.table
    })?;
    clocks::monotonic_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    clocks::wall_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    random::random::add_to_linker::<Guest, WasiRandom>(l, Guest::random)?;
    cli::environment::add_to_linker::<Guest, Variables>(l, |guest| &mut guest.environment)?;
    let options = wasi_http::LinkOptions::default();
    wasi_http::http::types::add_to_linker::<Guest, WasiHttp>(l, &(&options).into(), Guest::http)?;
    bound_request_parts(l)?;
    outgoing::add_to_linker(l)?;
    Ok(linker)
}

/// The name under which wasmtime-wasi-http offers what is replaced here; tests ask for each.
const TYPES: &str = "wasi:http/types@0.2.12";

/// wasmtime-wasi-http 48 bounds the path and the headers of a request that a guest prepares (`set_path_with_query`,
/// `set_field_size_limit`), and neither its method nor its authority: with as many requests as there are handles, each
/// with a method as long as a function's arguments may be, a guest would hold gigabytes of the host's memory. These
/// refuse what is longer than any, as WASI has it for a part that is no good, and hand on the rest.
fn bound_request_parts(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: StoreContextMut<'_, Guest>, (request, method): (Resource<OutgoingRequest>, Method)| {
            if matches!(&method, Method::Other(name) if name.len() > LONGEST_METHOD) {
                return Ok((Err(()),));
            }
            store.data_mut().http().set_method(request, method).map(|result| (result,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, Guest>,
         (request, authority): (Resource<OutgoingRequest>, Option<String>)| {
            if authority.as_ref().is_some_and(|authority| authority.len() > LONGEST_AUTHORITY) {
                return Ok((Err(()),));
            }
            store.data_mut().http().set_authority(request, authority).map(|result| (result,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

struct Tables;

impl HasData for Tables {
    type Data<'a> = &'a mut ResourceTable;
}

struct Variables;

impl HasData for Variables {
    type Data<'a> = &'a mut Environment;
}

/// Shares the runtime between a host and its tenants.
pub(crate) type SharedRuntime = Arc<Runtime>;
