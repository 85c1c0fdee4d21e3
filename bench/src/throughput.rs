//! Many callers at once: calls per second, and processor time a call.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    callers::{CALLERS, Callers, Each, Way},
    latency::round,
    peers::Peer,
};

/// What was done in some time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    pub(crate) calls: usize,
    pub(crate) time: Duration,
    /// Of the calling process, user and system.
    pub(crate) cpu: Duration,
}

impl Round {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.time += other.time;
        self.cpu += other.cpu;
    }

    fn per_second(&self) -> f64 {
        round(self.calls as f64 / self.time.as_secs_f64())
    }

    fn cpu_us(&self) -> f64 {
        round(self.cpu.as_secs_f64() * 1e6 / self.calls as f64)
    }
}

/// Calls of an SDK of Auth0's.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct PeerFigures {
    pub(crate) name: &'static str,
    pub(crate) throughput_rps: f64,
    pub(crate) cpu_us_per_call: f64,
}

/// What [`CALLERS`] callers do.
pub(crate) struct Throughput {
    pub(crate) rps: Each<f64>,
    pub(crate) cpu_us: Each<f64>,
    pub(crate) peers: Vec<PeerFigures>,
}

/// Measures [`CALLERS`] callers. The ways, and the SDKs, take turns of the same length.
pub(crate) async fn measure(
    callers: &Callers,
    peers: &mut [Peer],
    rounds: usize,
    round_ms: u64,
) -> Result<Throughput> {
    let time = Duration::from_millis(round_ms);
    let mut done = Each::<Round>::default();
    let mut peers_done = vec![Round::default(); peers.len()];
    // The first round opens what there is to open, and does not count.
    for number in 0..=rounds {
        for way in Way::ALL {
            let round = one_round(callers, way, time).await?;
            if number > 0 {
                done.get_mut(way).add(round);
            }
        }
        for (peer, sum) in peers.iter_mut().zip(&mut peers_done) {
            let round = peer.round(time).await?;
            if number > 0 {
                sum.add(round);
            }
        }
    }
    let figures = |(peer, round): (&Peer, &Round)| PeerFigures {
        name: peer.name,
        throughput_rps: round.per_second(),
        cpu_us_per_call: round.cpu_us(),
    };
    Ok(Throughput {
        rps: done.map(Round::per_second),
        cpu_us: done.map(Round::cpu_us),
        peers: peers.iter().zip(&peers_done).map(figures).collect(),
    })
}

/// Calls in one way, after a short round that warms up.
pub(crate) async fn only(callers: &Callers, way: Way, time: Duration) -> Result<String> {
    one_round(callers, way, time / 10).await?;
    let round = one_round(callers, way, time).await?;
    Ok(format!(
        "{:.0} calls per second, {:.1} µs of processor time a call",
        round.per_second(),
        round.cpu_us()
    ))
}

/// Calls until the time is over; the calls that are under way then are waited for, and count.
async fn one_round(callers: &Callers, way: Way, time: Duration) -> Result<Round> {
    let (begun, used) = (Instant::now(), cpu_used()?);
    let mut tasks = JoinSet::new();
    for _ in 0..CALLERS {
        let callers = callers.clone();
        tasks.spawn(async move {
            let mut calls = 0;
            while begun.elapsed() < time {
                callers.call(way).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = 0;
    while let Some(task) = tasks.join_next().await {
        calls += task??;
    }
    Ok(Round { calls, time: begun.elapsed(), cpu: cpu_used()?.saturating_sub(used) })
}

/// Returns the processor time of this process so far. The server has one of its own.
fn cpu_used() -> Result<Duration> {
    Ok(Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?)
}
