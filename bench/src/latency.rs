//! One call after the other.

use std::time::Instant;

use anyhow::Result;
use auth0_host::Host;
use serde::Serialize;

use crate::callers::{Callers, Each, Way};

/// Calls of each way before anything is measured: connections, tokens, warm instances, page tables.
const WARM_UP: usize = 50;

/// Measures the time of a call, in microseconds: median and 99th percentile.
pub(crate) async fn measure(callers: &Callers, calls: usize) -> Result<(Each<f64>, Each<f64>)> {
    let mut times = Each::<Vec<f64>>::default();
    for round in 0..WARM_UP + calls {
        for way in Way::ALL {
            let begun = Instant::now();
            callers.call(way).await?;
            if round >= WARM_UP {
                times.get_mut(way).push(begun.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    Ok((times.map(|times| percentile(times, 0.5)), times.map(|times| percentile(times, 0.99))))
}

/// A call that is refused for its input: all that a call costs but for its request.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Refused {
    pub(crate) warm: f64,
    pub(crate) fresh: f64,
}

/// Measures calls that send nothing, in microseconds: median.
pub(crate) async fn refused(callers: &Callers, calls: usize) -> Result<Refused> {
    let (mut warm, mut fresh) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + calls {
        for (way, times) in [(Way::Warm, &mut warm), (Way::Fresh, &mut fresh)] {
            let begun = Instant::now();
            callers.refused(way).await?;
            if round >= WARM_UP {
                times.push(begun.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    Ok(Refused { warm: percentile(&warm, 0.5), fresh: percentile(&fresh, 0.5) })
}

/// Measures making and dropping an instance, in microseconds: median.
pub(crate) async fn instantiate(host: &Host, instances: usize) -> Result<f64> {
    let mut times = Vec::new();
    for round in 0..WARM_UP + instances {
        let begun = Instant::now();
        auth0_host::bench::instantiate(host).await?;
        if round >= WARM_UP {
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(percentile(&times, 0.5))
}

/// The smallest value that so large a part of all is not above; zero where there are none.
pub(crate) fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default();
    round(value)
}

/// Rounds to a tenth: more digits than that are noise.
pub(crate) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.5), 50.0);
        assert_eq!(percentile(&hundred, 0.99), 99.0);
        assert_eq!(percentile(&[7.0], 0.99), 7.0);
        assert_eq!(percentile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
