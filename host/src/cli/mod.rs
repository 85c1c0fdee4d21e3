//! The command line: what may be said, and where it goes.

mod actions;
mod connect;
mod emulator;
mod exit;
mod input;
mod print;
mod run;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

pub(crate) use self::exit::{Exit, Failure};

/// What to run, and how to reach the tenant.
#[derive(Debug, Parser)]
#[command(
    name = "auth0-host",
    version,
    about = "Runs actions of the Auth0 connector, a sandboxed WebAssembly component",
    after_help = ENVIRONMENT,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const ENVIRONMENT: &str = "\
Environment:
  AUTH0_DOMAIN, AUTH0_BASE_URL        as --domain and --base-url
  AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET  the application that acts (or --client-secret-file)
  AUTH0_TOKEN                         a Management API token instead
  AUTH0_EMAIL_API_KEY                 key of the tenant's mail provider, for send-email
  AUTH0_AUDIENCE, AUTH0_CUSTOM_DOMAIN, AUTH0_DEADLINE_MS, AUTH0_MAX_RETRIES, AUTH0_EMAIL_BASE_URL

Exit codes:
  0  done
  1  the action answered an error
  2  usage or invalid input
  3  the host failed
  130  stopped by Ctrl-C: the outcome is unknown

Examples:
  auth0-host --emulator run list-users q='email:mira*' per_page=5
  auth0-host actions roles
  AUTH0_DOMAIN=acme.eu.auth0.com AUTH0_TOKEN=… auth0-host run get-user user_id='auth0|507f1f77'";

/// Options of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Globals {
    /// The tenant: acme.eu.auth0.com [env: AUTH0_DOMAIN]
    #[arg(long, global = true, value_name = "DOMAIN", help_heading = "Tenant")]
    pub(crate) domain: Option<String>,
    /// Reach the tenant at another address; http only for a loopback address [env: AUTH0_BASE_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = "Tenant")]
    pub(crate) base_url: Option<String>,
    /// Use an offline tenant inside this process, with the demo's users; no account is needed
    #[arg(long, global = true, help_heading = "Tenant", conflicts_with_all = ["domain", "base_url", "ca_cert", "client_secret_file"])]
    pub(crate) emulator: bool,
    /// Read the client secret from this file (AUTH0_CLIENT_ID names the application)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Tenant")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Trust the certificate authorities in this PEM file besides the machine's own
    #[arg(long, global = true, value_name = "FILE", help_heading = "Tenant")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Run this component instead of the built-in one
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// Print each request that left the sandbox to stderr
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an action; its result is printed as JSON
    Run(run::Run),
    /// List the actions
    Actions(actions::List),
    /// Say what an action does and what it takes
    Describe(actions::Describe),
    /// Run the main job: joiners, movers and leavers from a CSV file
    Demo(crate::demo::DemoArgs),
    /// Serve an offline tenant until Ctrl-C
    Emulator(emulator::Serve),
    /// Print a script that teaches a shell to complete this command
    #[command(
        after_help = "Example:\n  auth0-host completions bash > ~/.local/share/bash-completion/completions/auth0-host"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Does what was asked and says how it ended.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let Arguments { globals, command } = arguments;
    // The emulator and the demo end by Ctrl-C in their own ways.
    let command = match command {
        Command::Emulator(serve) => return exit::code(emulator::run(&serve).await, exit::report_text),
        Command::Demo(args) => return exit::code(demo(&globals, &args).await, exit::report_text),
        command => command,
    };
    let (running, report): (_, fn(&Failure)) = match &command {
        Command::Run(run) => (
            format!("whether `{}` changed anything is unknown; look before trying again", run.action),
            exit::report_json,
        ),
        _ => ("nothing was changed".to_owned(), exit::report_text),
    };
    tokio::select! {
        result = dispatch(globals, command) => exit::code(result, report),
        Ok(()) = tokio::signal::ctrl_c() => exit::code(Err(Failure::Interrupted { consequence: running }), report),
    }
}

async fn dispatch(globals: Globals, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(run) => run::run(&globals, run).await,
        Command::Actions(list) => actions::list(&globals, &list).await,
        Command::Describe(describe) => actions::describe(&globals, &describe).await,
        Command::Demo(args) => demo(&globals, &args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "auth0-host", &mut script);
            print::stdout(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
        Command::Emulator(serve) => emulator::run(&serve).await,
    }
}

async fn demo(globals: &Globals, args: &crate::demo::DemoArgs) -> Result<Exit, Failure> {
    let host = connect::host(globals).await?;
    let target = connect::Target::open(&host, globals).await?;
    let code = crate::demo::run(args, &host, &target.connection, &target.tenant()).await;
    target.close().await;
    Ok(Exit::Other(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn globals_stand_before_or_after_the_command() {
        for line in [
            "auth0-host --emulator -v run get-user user_id=1",
            "auth0-host run --emulator get-user user_id=1 -v",
            "auth0-host run get-user user_id=1 --emulator -v",
        ] {
            let globals = parse(line).unwrap().globals;
            assert!(globals.emulator && globals.verbose, "{line}");
        }
    }

    #[test]
    fn a_command_line_that_contradicts_itself_is_refused() {
        for line in [
            "auth0-host run",
            "auth0-host run get-user --emulator --domain acme.auth0.com",
            "auth0-host run get-user --client-secret hunter2",
            "auth0-host run get-user --token hunter2",
            "auth0-host emulator --tls",
            "auth0-host emulator --ca-out ca.pem",
            "auth0-host emulator --port 99999",
            "auth0-host nonsense",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
