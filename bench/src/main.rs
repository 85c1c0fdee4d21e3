//! Measures what the sandbox costs.
//!
//! Four callers ask the same server for the same user: a native client with the host's own transport, a warm instance,
//! a fresh instance for each call, and the same component on a transport such as wasmtime's default. They take turns,
//! so that what else happens on the machine happens to all of them. The server is the offline tenant, in a process of
//! its own, over TLS.

mod callers;
mod default_transport;
mod in_flight;
mod latency;
mod peers;
mod report;
mod start;
mod tenant;
mod throughput;
mod traffic;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    callers::{Callers, Way},
    peers::Installed,
    report::Report,
    tenant::BenchTenant,
};

const USAGE: &str = "\
Usage: auth0-bench [--json] [--quick] [--workers N] [--program FILE] [--only WAY]
                   [--node FOLDER] [--python PROGRAM]

  --json          Print one JSON object instead of a table
  --quick         Take few samples, to check that everything works
  --workers N     Threads for the callers; default: one per processor
  --program FILE  The auth0-host to measure; default: the one beside this program
  --only WAY      Call for four seconds as native, warm, fresh or wasmtime-default, for a profiler to watch
  --node FOLDER   Compare with the npm package auth0 in FOLDER/node_modules
  --python PROGRAM  Compare with auth0-python, as this Python has it";

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Calls of each caller, one after the other.
    latency_calls: usize,
    /// Rounds of each caller, and how long a round is.
    throughput_rounds: usize,
    throughput_round_ms: u64,
    instances: usize,
    cold_starts: usize,
    cached_starts: usize,
    calls_in_flight: usize,
    traffic_calls: usize,
}

impl Plan {
    /// Enough samples that two runs on a quiet machine differ by some percent.
    const FULL: Self = Self {
        latency_calls: 2000,
        throughput_rounds: 10,
        throughput_round_ms: 500,
        instances: 5000,
        cold_starts: 5,
        cached_starts: 31,
        calls_in_flight: 1000,
        traffic_calls: 10_000,
    };
    const QUICK: Self = Self {
        latency_calls: 20,
        throughput_rounds: 1,
        throughput_round_ms: 50,
        instances: 50,
        cold_starts: 1,
        cached_starts: 3,
        calls_in_flight: 50,
        traffic_calls: 200,
    };
}

/// What the command line asks for.
enum Task {
    Measure {
        json: bool,
        plan: Plan,
        workers: Option<NonZeroUsize>,
        program: PathBuf,
        peers: Installed,
        only: Option<Way>,
    },
    /// In a process of its own, since memory that earlier calls touched is not asked for again.
    InFlight,
    Help,
}

fn main() -> ExitCode {
    let done = read(std::env::args().skip(1)).and_then(|task| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if let Task::Measure { workers: Some(workers), .. } = &task {
            builder.worker_threads(workers.get());
        }
        let runtime = builder.enable_all().build()?;
        runtime.block_on(async move {
            match task {
                Task::Measure { only: Some(way), program, .. } => only(way, program).await,
                Task::Measure { json, plan, program, peers, .. } => measure(json, plan, program, peers).await,
                Task::InFlight => in_flight::child().await,
                Task::Help => {
                    println!("{USAGE}");
                    Ok(())
                }
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("auth0-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Task> {
    let (mut json, mut plan, mut workers, mut program) = (false, Plan::FULL, None, None);
    let (mut peers, mut only) = (Installed::default(), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => json = true,
            "--quick" => plan = Plan::QUICK,
            "--workers" => {
                let count = words.next().and_then(|count| count.parse().ok());
                workers = Some(count.context("--workers needs a number, from 1")?);
            }
            "--program" => program = Some(words.next().context("--program needs a file")?.into()),
            "--only" => {
                let way = words.next().and_then(|name| Way::named(&name));
                only = Some(way.context("--only needs native, warm, fresh or wasmtime-default")?);
            }
            "--node" => peers.node = Some(words.next().context("--node needs a folder")?.into()),
            "--python" => peers.python = Some(words.next().context("--python needs a program")?.into()),
            in_flight::CHILD => return Ok(Task::InFlight),
            "--help" | "-h" => return Ok(Task::Help),
            other => bail!("unknown option `{other}`\n\n{USAGE}"),
        }
    }
    let program = program.map_or_else(beside, Ok)?;
    Ok(Task::Measure { json, plan, workers, program, peers, only })
}

fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program cannot find its own path")?;
    Ok(own.with_file_name(format!("auth0-host{}", std::env::consts::EXE_SUFFIX)))
}

async fn measure(json: bool, plan: Plan, program: PathBuf, peers: Installed) -> Result<()> {
    let tenant = BenchTenant::start(program).await?;
    // As a task, since a call in an engine is one too: the thread that blocks on a runtime is woken more slowly.
    let report = tokio::spawn(async move { all(&tenant, plan, &peers).await }).await??;
    print!("{}", if json { report.json()? } else { report.table() });
    Ok(())
}

/// Calls in one way.
async fn only(way: Way, program: PathBuf) -> Result<()> {
    let tenant = BenchTenant::start(program).await?;
    let callers = Callers::open(&tenant).await?;
    println!("{}", throughput::only(&callers, way, Duration::from_secs(4)).await?);
    Ok(())
}

async fn all(tenant: &BenchTenant, plan: Plan, peers: &Installed) -> Result<Report> {
    let say = |what: &str| eprintln!("auth0-bench: {what}");
    say("starting the program");
    let start_ms = start::measure(tenant, plan.cold_starts, plan.cached_starts).await?;
    say("calls in flight");
    let in_flight = in_flight::measure(tenant, plan.calls_in_flight).await?;
    let callers = Callers::open(tenant).await?;
    say("instances");
    let instantiate_us = latency::instantiate(callers.host(), plan.instances).await?;
    say("calls that send nothing");
    let refused_p50_us = latency::refused(&callers, plan.latency_calls).await?;
    say("one call after the other");
    let (latency_p50_us, latency_p99_us) = latency::measure(&callers, plan.latency_calls).await?;
    say("32 callers at once");
    let mut peers = peers.start(&tenant.address, callers.user()).await?;
    let throughput =
        throughput::measure(&callers, &mut peers, plan.throughput_rounds, plan.throughput_round_ms).await?;
    drop(peers);
    say("connections and tokens");
    let traffic = traffic::measure(tenant, callers.host(), plan.traffic_calls).await?;
    Ok(Report {
        latency_p50_us,
        latency_p99_us,
        refused_p50_us,
        throughput_rps: throughput.rps,
        cpu_us_per_call: throughput.cpu_us,
        peers: throughput.peers,
        instantiate_us,
        start_ms,
        kib_per_call_in_flight: in_flight.pss,
        kib_rss_per_call_in_flight: in_flight.rss,
        connections: traffic.connections,
        tokens: traffic.tokens,
    })
}
