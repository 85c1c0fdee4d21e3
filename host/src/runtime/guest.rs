//! What one instance can reach, and what it may use.

use std::{sync::Arc, time::Duration};

use wasmtime::{ResourceLimiter, Store, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{
    WasiCtx, WasiCtxBuilder,
    clocks::{WasiClocksCtx, WasiClocksCtxView},
    p2::bindings::cli::environment,
    random::WasiRandomCtx,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    GuestHttp,
    engine::{CORE_INSTANCES_PER_COMPONENT, MEMORIES_PER_COMPONENT, TABLES_PER_COMPONENT, TICK},
};
use crate::limits::{Limit, Limits};

/// Random bytes that an instance may ask for at once. The connector asks for eight.
const MOST_RANDOM_BYTES: u64 = 64 * 1024;

/// The state behind one instance.
pub(crate) struct Guest {
    pub(super) table: ResourceTable,
    pub(super) environment: Environment,
    clocks: WasiClocksCtx,
    /// Made for the first call that asks for it, which few do: seeding its generators takes longer than the rest of a
    /// guest.
    random: Option<WasiCtx>,
    http_ctx: WasiHttpCtx,
    pub(super) http: GuestHttp,
    meter: Meter,
}

impl Guest {
    /// Gives an instance its environment, its way out and its limits.
    pub(crate) fn new(environment: Environment, http: GuestHttp, limits: &Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let mut http_ctx = WasiHttpCtx::new();
        http_ctx.set_field_size_limit(limits.header_bytes);
        let clocks = WasiClocksCtx::default();
        Self { table, environment, clocks, random: None, http_ctx, http, meter: Meter::new(limits) }
    }

    /// Gives an instance nothing: for the questions that need no tenant.
    pub(super) fn sealed() -> Self {
        Self::new(Environment::default(), GuestHttp::sealed(), &Limits::default())
    }

    /// Puts the guest into a store that holds it to its limits.
    pub(super) fn into_store(self, engine: &wasmtime::Engine) -> Store<Self> {
        let (hostcall_bytes, handles) = (self.meter.hostcall_bytes, self.meter.handles);
        let mut store = Store::new(engine, self);
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(hostcall_bytes);
        // Handles that are lent for the time of a function count here, and those of the guest's own resources. The host's
        // table, which has an error of its own, is to be full first.
        store.set_max_component_handles(handles.saturating_mul(2));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| store.data_mut().meter.tick());
        store
    }

    /// Gives a used instance what a new call has: another environment and way out, and its processor time anew.
    pub(super) fn renew(&mut self, next: Self) {
        let Self { table, environment, http, meter, .. } = next;
        (self.table, self.environment, self.http, self.meter) = (table, environment, http, meter);
    }

    /// Takes the way out away, so that nothing of a call outlives it.
    pub(super) fn seal(&mut self) {
        self.http = GuestHttp::sealed();
        self.environment = Environment::default();
    }

    /// Whether the guest still holds something of the call.
    pub(super) fn holds_handles(&self) -> bool {
        !self.table.is_empty()
    }
}

/// The guest's environment variables: those of its tenant, and those of the call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) tenant: Arc<[(String, String)]>,
    pub(crate) call: Option<(String, String)>,
}

impl environment::Host for Environment {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.tenant.iter().chain(&self.call).cloned().collect())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

/// Counts what an instance uses. What goes past a limit ends the call, with that limit as its error: a guest that is told
/// "no" instead would end in a panic that says nothing.
struct Meter {
    memory_bytes: usize,
    table_elements: usize,
    hostcall_bytes: usize,
    handles: usize,
    ticks_left: u64,
}

impl Meter {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            hostcall_bytes: limits.hostcall_bytes,
            handles: limits.handles,
            ticks_left: ticks(limits.cpu),
        }
    }

    /// Called in a guest that computes, once for each tick of the clock that it sees.
    fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        match self.ticks_left.checked_sub(1) {
            Some(left) => {
                self.ticks_left = left;
                Ok(UpdateDeadline::Yield(1))
            }
            None => Err(Limit::Cpu.into()),
        }
    }
}

fn ticks(cpu: Duration) -> u64 {
    u64::try_from(cpu.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired <= self.memory_bytes { Ok(true) } else { Err(Limit::Memory.into()) }
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired <= self.table_elements { Ok(true) } else { Err(Limit::Table.into()) }
    }

    // The pool holds a component to the same; it is not there on every machine.

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_COMPONENT as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_COMPONENT as usize
    }
}

impl Guest {
    pub(super) fn clocks(&mut self) -> WasiClocksCtxView<'_> {
        WasiClocksCtxView { ctx: &mut self.clocks, table: &mut self.table }
    }

    pub(super) fn random(&mut self) -> &mut WasiRandomCtx {
        let made = || WasiCtxBuilder::new().max_random_size(MOST_RANDOM_BYTES).build();
        self.random.get_or_insert_with(made).random()
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http, table: &mut self.table, ctx: &mut self.http_ctx }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker};

    use super::*;
    use crate::{
        error::{Disposition, Error},
        runtime::{engine::engine, limit, not_made},
    };

    /// Runs a core module's start function, which is the first that a hostile component can do.
    async fn start(module: &str, limits: &Limits) -> wasmtime::Result<()> {
        start_often(&engine(1).unwrap(), module, 1, limits).await
    }

    /// Makes so many instances of a core module in one component.
    async fn start_often(
        engine: &wasmtime::Engine,
        module: &str,
        times: usize,
        limits: &Limits,
    ) -> wasmtime::Result<()> {
        let instances = "(core instance (instantiate $m))".repeat(times);
        let text = format!("(component (core module $m {module}) {instances})");
        let component = Component::new(engine, wat::parse_str(text).unwrap())?;
        let mut store = Guest::new(Environment::default(), GuestHttp::sealed(), limits).into_store(engine);
        Linker::new(engine).instantiate_async(&mut store, &component).await.map(drop)
    }

    #[tokio::test]
    async fn a_component_that_attacks_while_it_is_instantiated_is_stopped_too() {
        let limits = Limits::new().cpu(Duration::from_millis(50)).memory_bytes(1 << 20).table_elements(100);
        for (module, expected) in [
            ("(func $f (loop br 0)) (start $f)", Limit::Cpu),
            ("(memory 1) (func $f (loop (drop (memory.grow (i32.const 1))) br 0)) (start $f)", Limit::Memory),
            (
                "(table $t 1 funcref)
                 (func $f (loop (drop (table.grow $t (ref.null func) (i32.const 1))) br 0)) (start $f)",
                Limit::Table,
            ),
            ("(func $f (call $f)) (start $f)", Limit::Stack),
            // At once, without growing.
            ("(memory 17)", Limit::Memory),
            ("(table 101 funcref)", Limit::Table),
        ] {
            let error = start(module, &limits).await.unwrap_err();
            assert_eq!(limit(&error), Some(expected), "{module}: {error:?}");
        }
        start("(memory 16) (table 100 funcref)", &limits).await.unwrap();
    }

    /// Guards against an engine that tries for ever: only what another call gives back comes with time.
    #[tokio::test]
    async fn a_trap_in_a_start_function_is_the_component_s_and_a_full_pool_is_not() {
        let limits = Limits::default();
        let trap = not_made(start("(func $f unreachable) (start $f)", &limits).await.unwrap_err());
        assert!(matches!(trap, Error::Trap(_)), "{trap:?}");
        assert_eq!(trap.disposition(), Disposition::VerifyFirst);
        let looping = "(func $f (call $f)) (start $f)";
        let stack = not_made(start(looping, &limits).await.unwrap_err());
        assert!(matches!(stack, Error::Limit { limit: Limit::Stack }), "{stack:?}");

        let engine = engine(1).unwrap();
        let component = Component::new(
            &engine,
            wat::parse_str("(component (core module $m) (core instance (instantiate $m)))").unwrap(),
        );
        let (component, linker) = (component.unwrap(), Linker::new(&engine));
        let store = || Guest::new(Environment::default(), GuestHttp::sealed(), &limits).into_store(&engine);
        let (mut first, mut second) = (store(), store());
        linker.instantiate_async(&mut first, &component).await.unwrap();
        let full = not_made(linker.instantiate_async(&mut second, &component).await.unwrap_err());
        assert!(matches!(full, Error::Instantiation(_)), "{full:?}");
        assert_eq!(full.disposition(), Disposition::RetryLater);
    }

    /// Guards the limits of memory and table, which are those of one memory and one table.
    #[tokio::test]
    async fn a_component_with_more_memories_tables_or_modules_than_the_connector_is_refused() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let on_demand = wasmtime::Engine::new(&config).unwrap();
        for engine in [engine(10).unwrap(), on_demand] {
            for (module, allowed) in [("(memory 1)", 1), ("(table 1 funcref)", 2), ("", 4)] {
                let limits = Limits::default();
                let start = |times| start_often(&engine, module, times, &limits);
                start(allowed).await.unwrap();
                start(allowed + 1).await.unwrap_err();
                start(100).await.unwrap_err();
            }
            start_often(&engine, "(memory 1) (memory 1)", 1, &Limits::default()).await.unwrap_err();
        }
    }
}
