//! The attacks.

use std::cell::RefCell;
use std::hint::black_box;

use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{Fields, OutgoingBody, OutgoingRequest};
use wasip2::io::poll::poll;

use crate::http;

thread_local! {
    static MEMORY: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs an attack and answers what came of it, as JSON.
pub fn run(id: &str, input: &Value) -> Option<String> {
    let answer = match id {
        "spin" => spin(),
        "spin-in-host" => loop {
            black_box(monotonic_clock::now());
        },
        "allocate" => allocate(),
        "recurse" => json!(recurse(number(input, "depth").unwrap_or(u64::MAX))),
        "recurse-in-memory" => json!(recurse_in_memory(u64::MAX)),
        "panic" => panic!("on purpose"),
        "wait" => {
            monotonic_clock::subscribe_duration(
                number(input, "ms").unwrap_or(u64::MAX / 2_000_000) * 1_000_000,
            )
            .block();
            Value::Null
        }
        "poll-for-ever" => loop {
            // Ready at once, each time: never parks.
            let ready = monotonic_clock::subscribe_duration(0);
            poll(&[&ready]);
        },
        "hold-handles" => hold_handles(),
        "begin-bodies" => begin_bodies(number(input, "count").unwrap_or(u64::MAX)),
        "long-result" => {
            return Some("x".repeat(usize::try_from(number(input, "bytes").unwrap_or(0)).unwrap_or(0)));
        }
        "lie" => return Some("this is not JSON".to_owned()),
        "wide-result" => {
            let count = usize::try_from(number(input, "count").unwrap_or(0)).unwrap_or(0);
            return Some(format!("[{}[0]]", "[0],".repeat(count)));
        }
        "random" => {
            json!(wasip2::random::random::get_random_bytes(number(input, "bytes").unwrap_or(0)).len())
        }
        "environment" => json!(wasip2::cli::environment::get_environment()),
        "remember" => {
            MEMORY.replace(input["text"].as_str().unwrap_or_default().to_owned());
            Value::Null
        }
        "recall" => json!(MEMORY.with_borrow(Clone::clone)),
        "send" => http::send(input),
        "hoard" => {
            http::hoard(input, number(input, "count").unwrap_or(u64::MAX), number(input, "ms").unwrap_or(0))
        }
        "flood" => http::flood(input, number(input, "count").unwrap_or(u64::MAX)),
        "walk-away" => http::walk_away(input),
        _ => return None,
    };
    Some(answer.to_string())
}

fn number(input: &Value, name: &str) -> Option<u64> {
    input[name].as_u64()
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Takes memory and uses it, until there is none.
fn allocate() -> ! {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Fills WebAssembly's own stack. The rotation keeps the compiler from making a loop of it.
fn recurse(depth: u64) -> u64 {
    if depth == 0 { 0 } else { depth ^ recurse(depth - 1).rotate_left(7) }
}

/// Fills the stack that the guest keeps in its memory.
fn recurse_in_memory(depth: u64) -> u64 {
    let here = black_box([depth; 32]);
    if depth == 0 { 0 } else { recurse_in_memory(depth - 1) + black_box(here)[7] }
}

/// Makes headers and drops none.
fn hold_handles() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(Fields::new());
    }
}

/// Begins requests, writes a part of each body and sends none: the host holds what was written.
fn begin_bodies(count: u64) -> Value {
    let mut held = Vec::new();
    for _ in 0..count {
        let request = OutgoingRequest::new(Fields::new());
        let Ok(body) = request.body() else { break };
        let Ok(stream) = OutgoingBody::write(&body) else { break };
        let mut written = 0;
        while let Ok(room @ 1..) = stream.check_write() {
            let chunk = vec![1; usize::try_from(room).unwrap_or(4096)];
            if stream.write(&chunk).is_err() {
                break;
            }
            written += room;
        }
        held.push((request, body, stream, written));
    }
    json!({"bodies": held.len(), "bytes": held.iter().map(|(.., written)| written).sum::<u64>()})
}
