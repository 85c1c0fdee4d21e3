//! The WebAssembly side: one engine and one compiled component per host, one instance per call.
//!
//! An instance lives for one call. Nothing that one call leaves behind – memory, handles, a half-sent request – can
//! reach another, and dropping the store is a cancellation that no guest can refuse. The price, measured before the
//! project began, is some 5 to 7 µs for the instance and the touching of fresh pages.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreLimits,
    StoreLimitsBuilder,
    component::{Component, HasData, HasSelf, Linker, ResourceTable},
};
use wasmtime_wasi::{
    WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
    cli::{WasiCli, WasiCliView as _},
    clocks::{WasiClocks, WasiClocksView as _},
    p2::bindings::{cli, clocks, random},
    random::WasiRandom,
};
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpView, p2::bindings as http};

use crate::{
    action::{ActionDescription, ActionSummary, Effect},
    bindings::{self, RunnerPre},
    component::{self, ComponentInfo},
    egress::GuestHttp,
    error::{ActionError, Error, ErrorKind},
};

/// Instances that may live at once. The allocator's own default; the address space for it is reserved at start, the
/// memory is not.
const POOL_SIZE: u32 = 1000;
/// A component is made of some core modules: the guest, and the adapters of its imports and exports.
const CORE_INSTANCES_PER_COMPONENT: u32 = 4;
/// Linear memory of one instance. The component reads answers of at most 8 MB and JSON of at most 500,000 elements; the
/// worst of both takes below 100 MB. The pool reserves addresses for it, not memory.
const MEMORY_BYTES: usize = 128 * 1024 * 1024;
/// Largest input that is handed to the component, which refuses it too, but first has to hold it: a body of 1 MB
/// (Auth0's limit), escaped, and the rest.
const MAX_INPUT_BYTES: usize = 4_000_000;
/// Pages of a slot that are zeroed rather than given back. Measured: 2.4 → 2.0 of a native call's time.
const MEMORY_KEEP_RESIDENT: usize = 2 * 1024 * 1024;
/// The same for the stack that a call runs on.
const STACK_KEEP_RESIDENT: usize = 128 * 1024;
/// The same for tables.
const TABLE_KEEP_RESIDENT: usize = 64 * 1024;

/// The component, compiled and linked.
pub(crate) struct Runtime {
    pre: RunnerPre<Guest>,
    /// The pool answers an error when it is used up; callers wait here instead.
    slots: Semaphore,
}

impl Runtime {
    /// Compiles a component. Takes some hundred milliseconds of processor time.
    pub(crate) fn new(bytes: &[u8]) -> Result<(Self, ComponentInfo), Error> {
        component::check_bytes(bytes)?;
        let engine = engine()?;
        let invalid = |problem: &str, source| Error::InvalidComponent {
            problem: problem.to_owned(),
            source: Some(source),
        };
        let component = Component::from_binary(&engine, bytes)
            .map_err(|source| invalid("it does not compile", source))?;
        let info = component::inspect(&component, bytes)?;
        let linker = linker(&engine).map_err(Error::Engine)?;
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|source| invalid("an import has another shape than this host offers", source))?;
        let pre = RunnerPre::new(pre)
            .map_err(|source| invalid("it does not export `auth0:management/actions@0.1.0`", source))?;
        Ok((Self { pre, slots: Semaphore::new(POOL_SIZE as usize) }, info))
    }

    /// Runs an action in an instance of its own.
    pub(crate) async fn run(&self, guest: Guest, action: &str, input: &Value) -> Result<Value, Error> {
        let input = input.to_string();
        if input.len() > MAX_INPUT_BYTES {
            return Err(Error::Action(ActionError::new(
                ErrorKind::InvalidInput,
                format!(
                    "an input of {} bytes refused: the tenant takes bodies of at most 1 MB, an action at most {} MB",
                    input.len(),
                    MAX_INPUT_BYTES / 1_000_000
                ),
            )));
        }
        let answer = self
            .with_instance(guest, async |runner, store| {
                runner.auth0_management_actions().call_run_action(store, action, &input).await
            })
            .await?;
        let text = answer.map_err(action_error)?;
        parse_json(&text, "the result of the action is not JSON")
    }

    /// Lists the actions.
    pub(crate) async fn list(&self) -> Result<Vec<ActionSummary>, Error> {
        let list = self
            .with_instance(Guest::sealed(), async |runner, store| {
                runner.auth0_management_actions().call_list_actions(store).await
            })
            .await?;
        Ok(list
            .into_iter()
            .map(|action| ActionSummary {
                id: action.id,
                title: action.title,
                group: action.group,
                effect: effect(action.effect),
            })
            .collect())
    }

    /// Describes an action.
    pub(crate) async fn describe(&self, action: &str) -> Result<ActionDescription, Error> {
        let found = self
            .with_instance(Guest::sealed(), async |runner, store| {
                runner.auth0_management_actions().call_describe_action(store, action).await
            })
            .await?
            .map_err(action_error)?;
        Ok(ActionDescription {
            id: found.id,
            title: found.title,
            description: found.description,
            group: found.group,
            effect: effect(found.effect),
            idempotent: found.idempotent,
            scopes: found.scopes,
            input_schema: parse_json(&found.input_schema, "the schema of the input is not JSON")?,
            output_schema: parse_json(&found.output_schema, "the schema of the output is not JSON")?,
        })
    }

    /// Makes an instance, uses it once and throws it away.
    async fn with_instance<T>(
        &self,
        guest: Guest,
        call: impl AsyncFnOnce(&bindings::Runner, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Error> {
        // The semaphore is never closed; without a permit the pool itself would answer.
        let _slot = self.slots.acquire().await;
        let mut store = Store::new(self.pre.engine(), guest);
        store.limiter(|guest| &mut guest.limits);
        let runner = self.pre.instantiate_async(&mut store).await.map_err(Error::Instantiation)?;
        call(&runner, &mut store).await.map_err(Error::Trap)
    }
}

fn engine() -> Result<Engine, Error> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(POOL_SIZE)
        .total_core_instances(POOL_SIZE * CORE_INSTANCES_PER_COMPONENT)
        .total_memories(POOL_SIZE)
        .total_tables(POOL_SIZE * CORE_INSTANCES_PER_COMPONENT)
        .total_stacks(POOL_SIZE)
        .max_memory_size(MEMORY_BYTES)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    engine_with(pool)
}

/// The pool reserves terabytes of addresses. Containers and small machines may not grant them, and there instances are
/// made one by one. Any other error of the pool is a mistake in its settings, which must not pass for that.
fn engine_with(pool: PoolingAllocationConfig) -> Result<Engine, Error> {
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    match Engine::new(&config) {
        Err(error) if refused_by_the_system(&error) => {
            let mut config = Config::new();
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config).map_err(Error::Engine)
        }
        result => result.map_err(Error::Engine),
    }
}

/// Knows an error of the operating system at the root of one of wasmtime's. Its type is that of wasmtime's own version
/// of rustix, or `io::Error` on Windows; both write `(os error 12)`.
fn refused_by_the_system(error: &wasmtime::Error) -> bool {
    error.chain().last().is_some_and(|cause| cause.to_string().contains("(os error "))
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
    random::random::add_to_linker::<Guest, WasiRandom>(l, |guest| guest.wasi.random())?;
    cli::environment::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    http::http::outgoing_handler::add_to_linker::<Guest, WasiHttp>(l, Guest::http)?;
    let options = http::LinkOptions::default();
    http::http::types::add_to_linker::<Guest, WasiHttp>(l, &(&options).into(), Guest::http)?;
    bindings::auth0::management::types::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    Ok(linker)
}

struct Tables;

impl HasData for Tables {
    type Data<'a> = &'a mut ResourceTable;
}

/// What one instance can reach.
pub(crate) struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http_ctx: WasiHttpCtx,
    http: GuestHttp,
    limits: StoreLimits,
}

impl Guest {
    /// Gives an instance its environment and its way out.
    pub(crate) fn new(environment: &[(String, String)], http: GuestHttp) -> Self {
        Self {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().envs(environment).build(),
            http_ctx: WasiHttpCtx::new(),
            http,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_BYTES).build(),
        }
    }

    /// Gives an instance nothing: for the questions that need no tenant.
    fn sealed() -> Self {
        Self::new(&[], GuestHttp::sealed())
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http, table: &mut self.table, ctx: &mut self.http_ctx }
    }
}

impl bindings::auth0::management::types::Host for Guest {}

fn parse_json(text: &str, problem: &str) -> Result<Value, Error> {
    serde_json::from_str(text)
        .map_err(|source| Error::Contract { problem: problem.to_owned(), source: Some(source) })
}

fn effect(effect: bindings::Effect) -> Effect {
    match effect {
        bindings::Effect::Read => Effect::Read,
        bindings::Effect::Create => Effect::Create,
        bindings::Effect::Update => Effect::Update,
        bindings::Effect::Delete => Effect::Delete,
        bindings::Effect::Send => Effect::Send,
    }
}

fn action_error(error: bindings::ActionFailure) -> Error {
    use bindings::ActionFailure as Case;

    let (kind, problem, scopes, retry_after_ms) = match error {
        Case::InvalidInput(problem) => (ErrorKind::InvalidInput, problem, Vec::new(), None),
        Case::Unauthenticated(problem) => (ErrorKind::Unauthenticated, problem, Vec::new(), None),
        Case::Forbidden(missing) => (ErrorKind::Forbidden, missing.problem, missing.scopes, None),
        Case::Missing(problem) => (ErrorKind::Missing, problem, Vec::new(), None),
        Case::Conflict(problem) => (ErrorKind::Conflict, problem, Vec::new(), None),
        Case::Throttled(throttling) => {
            (ErrorKind::Throttled, throttling.problem, Vec::new(), throttling.retry_after_ms)
        }
        Case::Rejected(problem) => (ErrorKind::Rejected, problem, Vec::new(), None),
        Case::Unavailable(problem) => (ErrorKind::Unavailable, problem, Vec::new(), None),
        Case::OutcomeUnknown(problem) => (ErrorKind::OutcomeUnknown, problem, Vec::new(), None),
        Case::Unreachable(problem) => (ErrorKind::Unreachable, problem, Vec::new(), None),
        Case::Denied(problem) => (ErrorKind::Denied, problem, Vec::new(), None),
        Case::Other(problem) => (ErrorKind::Other, problem, Vec::new(), None),
    };
    Error::Action(ActionError {
        kind,
        message: problem.message,
        status: problem.status,
        error_code: problem.error_code,
        request_id: problem.request_id,
        scopes,
        retry_after_ms,
    })
}

/// Shares the runtime between a host and its connections.
pub(crate) type SharedRuntime = Arc<Runtime>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two slots, so that only the settings can be at fault.
    fn small() -> PoolingAllocationConfig {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_memories(2)
            .total_tables(2)
            .total_stacks(2)
            .total_core_instances(2)
            .total_component_instances(2);
        pool
    }

    #[test]
    fn a_machine_that_does_not_grant_the_pool_s_addresses_runs_without_it() {
        let mut vast = small();
        // 2^20 memories of 4 GiB: more than 2^47, which is all that a process on x86-64 or arm64 has.
        vast.total_memories(1 << 20);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(vast.clone()));
        let error = Engine::new(&config).err().unwrap();
        assert!(refused_by_the_system(&error), "{error:?}");
        engine_with(vast).unwrap();
    }

    #[test]
    fn a_mistake_in_the_pool_s_settings_is_an_error_and_says_what_it_is() {
        let mut wrong = small();
        wrong.max_memory_size(1 << 40);
        let Err(Error::Engine(source)) = engine_with(wrong) else { panic!("it was taken") };
        assert!(format!("{source:#}").contains("maximum memory size"), "{source:#}");
    }
}
