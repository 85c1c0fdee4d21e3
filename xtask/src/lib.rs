//! What commands and tests share: the WIT package as it is published, and the programs of other languages that are tried
//! with it. Everything else of `cargo xtask` is in the program.

#![deny(missing_docs)]

pub mod contract;
pub mod peers;
