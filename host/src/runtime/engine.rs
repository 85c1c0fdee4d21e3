//! The engine: its pool of instances, and its clock.

use std::{thread, time::Duration};

use wasmtime::{Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{engine_error::EngineError, error::Error, limits::MOST_MEMORY_BYTES};

/// A component is made of some core modules: the guest, and the adapters of its imports and exports. The connector has
/// three.
pub(super) const CORE_INSTANCES_PER_COMPONENT: u32 = 4;
/// The limit of memory is one memory's, so there must be no second one.
pub(super) const MEMORIES_PER_COMPONENT: u32 = 1;
/// The guest's functions, and those that its adapters lend it. The limit of elements is one table's.
pub(super) const TABLES_PER_COMPONENT: u32 = 2;
/// Pages of a slot that are zeroed rather than given back. Measured: 2.4 → 2.0 of a native call's time.
const MEMORY_KEEP_RESIDENT: usize = 2 * 1024 * 1024;
/// The same for the stack that a call runs on.
const STACK_KEEP_RESIDENT: usize = 128 * 1024;
/// The same for tables.
const TABLE_KEEP_RESIDENT: usize = 64 * 1024;

/// How often a guest that computes is looked at. A call that computes for longer gives its thread back this often, so
/// this is also what it can add to the wait of others on the same thread.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Makes an engine with room for so many instances at once, and starts its clock.
pub(super) fn engine(instances: u32) -> Result<Engine, Error> {
    let engine = engine_with(pool(instances))?;
    start_ticker(engine.weak())?;
    Ok(engine)
}

/// Makes an engine that compiles for the others and runs nothing: without the pool, whose addresses a process under limits
/// does not get, and without a clock.
pub(super) fn compiler() -> Result<Engine, Error> {
    Engine::new(&config()).map_err(engine_error)
}

/// The settings that code depends on.
fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config
}

/// One clock for all calls: a thread for each would cost more than what it watches. It ends with the engine.
fn start_ticker(engine: EngineWeak) -> Result<(), Error> {
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("auth0-host-epoch".to_owned()).spawn(tick).map(drop).map_err(engine_error)
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .total_memories(instances.saturating_mul(MEMORIES_PER_COMPONENT))
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .total_tables(instances.saturating_mul(TABLES_PER_COMPONENT))
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .total_stacks(instances)
        .max_memory_size(MOST_MEMORY_BYTES)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The pool reserves terabytes of addresses. Containers and small machines may not grant them, and there instances are
/// made one by one. Any other error of the pool is a mistake in its settings, which must not pass for that.
fn engine_with(pool: PoolingAllocationConfig) -> Result<Engine, Error> {
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    match Engine::new(&config) {
        Err(error) if refused_by_the_system(&error) => {
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config).map_err(engine_error)
        }
        result => result.map_err(engine_error),
    }
}

fn engine_error(error: impl Into<wasmtime::Error>) -> Error {
    Error::Engine(EngineError::new(error))
}

/// Knows an error of the operating system at the root of one of wasmtime's. Its type is that of wasmtime's own version
/// of rustix, or `io::Error` on Windows; both write `(os error 12)`.
fn refused_by_the_system(error: &wasmtime::Error) -> bool {
    error.chain().last().is_some_and(|cause| cause.to_string().contains("(os error "))
}

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
    fn code_of_the_engine_that_only_compiles_runs_in_one_that_has_a_pool() {
        let component = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
        let compiled = compiler().unwrap().precompile_component(&component).unwrap();
        assert_eq!(compiled, engine_with(small()).unwrap().precompile_component(&component).unwrap());
    }

    #[test]
    fn a_mistake_in_the_pool_s_settings_is_an_error_and_says_what_it_is() {
        let mut wrong = small();
        wrong.max_memory_size(1 << 40);
        let Err(Error::Engine(source)) = engine_with(wrong) else { panic!("it was taken") };
        assert!(format!("{source:#}").contains("maximum memory size"), "{source:#}");
    }
}
