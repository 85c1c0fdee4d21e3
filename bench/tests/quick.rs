//! The benchmark itself, with few samples: that each part measures something, not what it measures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that failed")]
#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

#[test]
fn a_short_run_prints_one_object_with_all_figures_and_one_token_does_for_all_calls() {
    let bench = std::path::Path::new(env!("CARGO_BIN_EXE_auth0-bench"));
    let program = bench.with_file_name("auth0-host");
    assert!(program.is_file(), "{} is not built: run `cargo xtask test`, which makes it", program.display());
    let output = Command::new(bench).args(["--quick", "--json", "--program"]).arg(program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    for group in ["latency_p50_us", "latency_p99_us", "throughput_rps", "cpu_us_per_call"] {
        for way in ["native", "warm", "fresh", "wasmtime_default"] {
            assert!(report[group][way].as_f64().unwrap() > 0.0, "{group}.{way}: {report}");
        }
    }
    for way in ["native", "warm", "fresh", "wasmtime_default"] {
        let (p50, p99) = (&report["latency_p50_us"][way], &report["latency_p99_us"][way]);
        assert!(p50.as_f64().unwrap() <= p99.as_f64().unwrap(), "{way}: {report}");
    }
    for figure in ["/instantiate_us", "/start_ms/cold", "/start_ms/cached", "/kib_per_call_in_flight"] {
        assert!(report.pointer(figure).unwrap().as_f64().unwrap() > 0.0, "{figure}: {report}");
    }
    assert_eq!(report["tokens"], 1);
    let connections = report["connections"].as_u64().unwrap();
    assert!((1..=32).contains(&connections), "{connections}");
}
