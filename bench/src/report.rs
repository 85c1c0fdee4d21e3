//! What is printed.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::{callers::Each, latency::Refused, start::StartMs, throughput::PeerFigures};

/// All figures of one run. The JSON form is what a version promises; members may be added.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) latency_p50_us: Each<f64>,
    pub(crate) latency_p99_us: Each<f64>,
    /// Of calls that send nothing.
    pub(crate) refused_p50_us: Refused,
    pub(crate) throughput_rps: Each<f64>,
    /// Processor time of the calling process, user and system, with as many callers.
    pub(crate) cpu_us_per_call: Each<f64>,
    /// Auth0's SDKs against the same server, where they were asked for.
    pub(crate) peers: Vec<PeerFigures>,
    pub(crate) instantiate_us: f64,
    pub(crate) start_ms: StartMs,
    /// Growth of the resident set, with pages that instances share counted once for all.
    pub(crate) kib_per_call_in_flight: f64,
    /// The same, with such a page counted for each instance that maps it.
    pub(crate) kib_rss_per_call_in_flight: f64,
    pub(crate) connections: u64,
    pub(crate) tokens: u64,
}

/// One aim: what it is about, what was measured, the bound.
struct Aim {
    what: String,
    measured: f64,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    fn met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.measured <= most,
            Bound::AtLeast(least) => self.measured >= least,
        }
    }
}

impl Report {
    pub(crate) fn json(&self) -> Result<String> {
        Ok(format!("{}\n", serde_json::to_string(self)?))
    }

    fn aims(&self) -> Vec<Aim> {
        let aim = |what: &str, measured, bound| Aim { what: what.to_owned(), measured, bound };
        let (cpu, p50, rps) = (&self.cpu_us_per_call, &self.latency_p50_us, &self.throughput_rps);
        let peers = self.peers.iter().map(|peer| {
            let bound = if peer.name == "npm auth0" { Bound::AtMost(0.33) } else { Bound::AtMost(1.0) };
            Aim {
                what: format!("processor time, fresh ÷ {}", peer.name),
                measured: cpu.fresh / peer.cpu_us_per_call,
                bound,
            }
        });
        let own = [
            aim("processor time, fresh ÷ native", cpu.fresh / cpu.native, Bound::AtMost(1.6)),
            aim("latency, fresh instance ÷ native", p50.fresh / p50.native, Bound::AtMost(1.5)),
            aim("latency, warm instance ÷ native", p50.warm / p50.native, Bound::AtMost(1.25)),
            aim("calls per second, fresh ÷ native", rps.fresh / rps.native, Bound::AtLeast(0.65)),
            aim("a call that sends nothing, fresh, µs", self.refused_p50_us.fresh, Bound::AtMost(25.0)),
            aim("making an instance, µs", self.instantiate_us, Bound::AtMost(10.0)),
            aim("cached start to first request, ms", self.start_ms.cached, Bound::AtMost(25.0)),
            aim("KiB for a call in flight", self.kib_per_call_in_flight, Bound::AtMost(200.0)),
            aim("tokens fetched", self.tokens as f64, Bound::AtMost(1.0)),
            aim("connections opened", self.connections as f64, Bound::AtMost(32.0)),
        ];
        own.into_iter().chain(peers).collect()
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |columns: [&str; 5]| {
            let [name, native, warm, fresh, default] = columns;
            let _ = writeln!(text, "{name:<36}{native:>10}{warm:>10}{fresh:>10}{default:>18}");
        };
        line(["", "native", "warm", "fresh", "wasmtime default"]);
        for (name, each) in [
            ("latency, median (µs)", &self.latency_p50_us),
            ("latency, 99th percentile (µs)", &self.latency_p99_us),
            ("calls per second, 32 callers", &self.throughput_rps),
            ("processor time a call (µs)", &self.cpu_us_per_call),
        ] {
            let whole = each.map(|figure| format!("{figure:.0}"));
            line([name, &whole.native, &whole.warm, &whole.fresh, &whole.wasmtime_default]);
            let ratio = each.map(|figure| format!("{:.2}", figure / each.native));
            line(["  ÷ native", &ratio.native, &ratio.warm, &ratio.fresh, &ratio.wasmtime_default]);
        }
        let Refused { warm, fresh } = &self.refused_p50_us;
        let (warm, fresh) = (format!("{warm:.0}"), format!("{fresh:.0}"));
        line(["  of it without a request (µs)", "", &warm, &fresh, ""]);
        for peer in &self.peers {
            let PeerFigures { name, throughput_rps, cpu_us_per_call } = peer;
            let _ = writeln!(
                text,
                "{name}: {throughput_rps:.0} calls per second, {cpu_us_per_call:.0} µs of processor time a call"
            );
        }
        let _ = writeln!(text, "\nstart to first request, no cached code: {:.0} ms", self.start_ms.cold);
        let _ = writeln!(
            text,
            "resident for a call in flight: {:.0} KiB; with pages that calls share counted for each: {:.0} KiB\n",
            self.kib_per_call_in_flight, self.kib_rss_per_call_in_flight
        );
        for aim in self.aims() {
            let (relation, bound) = match aim.bound {
                Bound::AtMost(bound) => ("≤", bound),
                Bound::AtLeast(bound) => ("≥", bound),
            };
            let verdict = if aim.met() { "met" } else { "MISSED" };
            let (what, measured) = (aim.what, aim.measured);
            let _ = writeln!(text, "{what:<36}{measured:>10.2}  {relation} {bound:<6} {verdict}");
        }
        text
    }
}
