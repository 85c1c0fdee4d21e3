//! Measures what the sandbox costs.
fn main() {}
