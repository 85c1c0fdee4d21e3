//! `auth0-host`: the Auth0 connector at a shell.
//!
//! Arguments, printing and exit codes only; everything else is in the library.

mod cli;
mod demo;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime could not be started: {error}");
            return cli::Exit::Host.into();
        }
    };
    let exit = runtime.block_on(cli::run(arguments));
    // A guest that does not yield must not keep the process from ending.
    runtime.shutdown_background();
    exit
}
