//! `auth0-host`: the Auth0 connector at a shell.
//!
//! Arguments, printing and exit codes only; everything else is in the library.

mod cli;
mod demo;
mod mcp;

use std::{process::ExitCode, thread};

fn main() -> ExitCode {
    let arguments = match cli::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    // A guest that does not yield holds a thread: another one has to see Ctrl-C and the clock.
    let threads = thread::available_parallelism().map_or(2, |count| count.get().max(2));
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("error: the runtime could not be started: {error}");
                return cli::Exit::Host.into();
            }
        };
    let exit = runtime.block_on(cli::run(arguments));
    // Nor must it keep the process from ending.
    runtime.shutdown_background();
    exit
}
