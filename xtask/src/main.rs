//! `cargo xtask …`: everything about this project that is more than plain cargo.
//!
//! A contributor on a fresh machine needs two commands, `cargo xtask demo` and `cargo xtask test`. Both first make sure
//! that there is a Rust that can build for WebAssembly and that the component which the host carries is built from the
//! sources as they are: cargo cannot express that a crate needs another crate's product for another target.

mod bench;
mod component;
mod demo;
mod fuzz;
mod host;
mod inputs;
mod interface;
mod process;
mod reference;
mod remap;
mod test;
mod toolchain;
mod wasmtime;
mod wit;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use workspace::Workspace;

const COMMANDS: &str = "\
Usage: cargo xtask COMMAND

Commands:
  component            Build the component, target/component/auth0.wasm, and the hostile one for the tests; with the pinned
                       Rust of rustup, also the committed embedded-component/auth0.wasm
  component --check    Build it and compare with embedded-component/auth0.wasm: byte by byte with that Rust, imports and
                       exports only with another
  compare              Build it with Debian's Rust too, where available, and compare; requires a built component
  bench [--json]       Measure the cost of the sandbox against a native client; --peers: and against Auth0's SDKs;
                       --quick: few samples; --workers N
  demo [ARGS]          Run the main job on the offline tenant; ARGS go to `auth0-host --emulator demo`
  test [ARGS]          Run all tests; ARGS go to `cargo test`
  wasmtime             Install the wasmtime command line that the tests drive, into the user's cache
  fuzz [TARGET]        Fuzz the readers of input and answers, 60 s per target; --seconds N: another time
  wit [--out DIR]      Write the WIT package for registries and tools, into target/wit or DIR
  wit --check          Compare it with the carried component and with the versions in wit/released/
  wit --release        Write wit/released/VERSION, unless that version is tagged
  reference [--check]  Generate the reference pages in docs/ from the component and the catalogue; --check: only compare

AUTH0_WASM_TOOLCHAIN=rustup|debian selects the Rust toolchain for WebAssembly.";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    match (command.as_deref(), rest.as_slice()) {
        (Some("component"), []) => {
            let workspace = Workspace::load()?;
            component::build(&workspace)?;
            component::build_hostile(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        (Some("component"), [flag]) if flag == "--check" => component::check(&Workspace::load()?),
        (Some("compare"), []) => {
            component::compare(&Workspace::load()?)?;
            Ok(ExitCode::SUCCESS)
        }
        (Some("wasmtime"), []) => {
            let program = wasmtime::install(&Workspace::load()?)?;
            println!("{}", program.display());
            Ok(ExitCode::SUCCESS)
        }
        (Some("bench"), args) => bench::run(&Workspace::load()?, args),
        (Some("demo"), args) => demo::run(&Workspace::load()?, args),
        (Some("fuzz"), args) => fuzz::run(&Workspace::load()?, args),
        (Some("test"), args) => test::run(&Workspace::load()?, args),
        (Some("wit"), args) => wit::run(&Workspace::load()?, args),
        (Some("reference"), []) => reference::write(&Workspace::load()?),
        (Some("reference"), [flag]) if flag == "--check" => reference::check(&Workspace::load()?),
        (Some("help" | "--help" | "-h"), _) => {
            println!("{COMMANDS}");
            Ok(ExitCode::SUCCESS)
        }
        (None, _) => {
            eprintln!("{COMMANDS}");
            Ok(ExitCode::from(2))
        }
        (Some(command @ ("component" | "compare" | "wasmtime" | "reference")), rest) => {
            eprintln!("xtask: `{command}` does not take `{}`\n\n{COMMANDS}", rest.join(" "));
            Ok(ExitCode::from(2))
        }
        (Some(unknown), _) => {
            eprintln!("xtask: unknown command `{unknown}`\n\n{COMMANDS}");
            Ok(ExitCode::from(2))
        }
    }
}
