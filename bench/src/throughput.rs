//! Many callers at once.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::{
    callers::{CALLERS, Callers, Each, Way},
    latency::round,
};

/// Measures calls per second at [`CALLERS`] callers. The ways take turns of the same length.
pub(crate) async fn measure(callers: &Callers, rounds: usize, round_ms: u64) -> Result<Each<f64>> {
    let mut done = Each::<(usize, Duration)>::default();
    // The first round opens what there is to open, and does not count.
    for round in 0..=rounds {
        for way in Way::ALL {
            let (calls, time) = one_round(callers, way, Duration::from_millis(round_ms)).await?;
            if round > 0 {
                let sum = done.get_mut(way);
                *sum = (sum.0 + calls, sum.1 + time);
            }
        }
    }
    Ok(done.map(|(calls, time)| round(*calls as f64 / time.as_secs_f64())))
}

/// Calls until the time is over; the calls that are under way then are waited for, and count.
async fn one_round(callers: &Callers, way: Way, time: Duration) -> Result<(usize, Duration)> {
    let begun = Instant::now();
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
    Ok((calls, begun.elapsed()))
}
