//! `auth0-host`: the Auth0 connector at a shell.
//!
//! Arguments, printing and exit codes only; everything else is in the libraries.

// `print` escapes what could steer a terminal; nothing goes past it.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod actions;
mod compile;
mod connect;
mod core_dump;
mod credentials;
mod demo;
mod describe;
mod doctor;
mod emulator;
mod exit;
mod file;
mod form;
mod input;
mod mail;
mod manifest;
mod mcp;
mod policy;
mod pretty;
mod print;
mod reference;
mod remedy;
mod run;
mod scopes;
mod secret_file;
mod secrets;
mod signals;
mod telemetry;
mod version;

use std::{ffi::OsString, path::PathBuf, process::ExitCode, thread, time::Duration};

use auth0_host::{Disposition, Tenant};
use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};

pub(crate) use self::exit::{Exit, Failure};

fn main() -> ExitCode {
    core_dump::off();
    if let Some(code) = compile::child() {
        return code;
    }
    let arguments = match read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    // A guest that does not yield holds a thread: another one has to see Ctrl-C and the clock.
    let threads = thread::available_parallelism().map_or(2, |count| count.get().max(2));
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                print::stderr(format_args!("error: the runtime could not be started: {error}"));
                return Exit::Host.into();
            }
        };
    let exit = runtime.block_on(run(arguments));
    // Nor must it keep the process from ending.
    runtime.shutdown_background();
    exit
}

/// What to run, and how to reach the tenant.
#[derive(Debug, Parser)]
#[command(
    name = "auth0-host",
    version = version::version(),
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

/// In lines of at most 78 letters, so that no terminal breaks them.
const ENVIRONMENT: &str = "\
Environment; an option comes before its variable; an empty value
counts as unset:
  AUTH0_DOMAIN, AUTH0_BASE_URL, AUTH0_PLAN, AUTH0_POLICY, AUTH0_AUDIT,
  AUTH0_SECRET_DIR, AUTH0_SECRET_COMMAND
                         as the options of these names
  AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET
                         the application that acts
  AUTH0_PRIVATE_KEY      its private key (PEM) instead of the secret
  AUTH0_PRIVATE_KEY_ALG, AUTH0_PRIVATE_KEY_ID
                         RS256, RS384 or PS256, and the key's id, as registered
  AUTH0_TOKEN            a Management API token instead
  AUTH0_CLIENT_SECRET_FILE, AUTH0_PRIVATE_KEY_FILE, AUTH0_TOKEN_FILE
                         files that hold them
  AUTH0_AUDIENCE         audience of tokens
  AUTH0_CUSTOM_DOMAIN    domain of the links in emails and tickets
  AUTH0_DEADLINE_MS      time for a whole call, 1 to 3600000; 30000
  AUTH0_MAX_RETRIES      repetitions of a request, 0 to 10; 2
  AUTH0_EMAIL_PROVIDER, AUTH0_EMAIL_API_KEY
                         the tenant's email provider (sendgrid, mailgun,
                         mandrill, sparkpost, resend) and its key; SES, Azure,
                         Microsoft 365 and SMTP have AUTH0_EMAIL_SES_…,
                         _AZURE_…, _MS365_… and _SMTP_…: see docs/email.md
  AUTH0_EMAIL_BASE_URL   another address for the email provider
  AUTH0_CACHE            folder for compiled code, or off
  RUST_LOG               print spans and events, such as auth0_host=debug

Exit codes:
  0  done
  1  the action answered an error
  2  usage or invalid input
  3  the host failed
  130  stopped by Ctrl-C: the outcome is unknown

Examples:
  auth0-host --emulator run list-users q='email:mira*' limit=5
  auth0-host actions roles
  auth0-host --domain acme.eu.auth0.com doctor";

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
    #[arg(long, global = true, help_heading = "Tenant", conflicts_with_all = ["domain", "base_url", "ca_cert", "client_secret_file", "private_key_file", "token_file"])]
    pub(crate) emulator: bool,
    #[command(flatten)]
    pub(crate) credentials: credentials::CredentialFiles,
    /// Hold every call to the rules in this TOML file, or to none with the word `unrestricted`; where absent, calls that run
    /// code, exfiltrate, escalate or weaken are denied. `auth0-host policy check` explains it [env: AUTH0_POLICY]
    #[arg(long, global = true, value_name = "FILE|unrestricted")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) secrets: secrets::SecretOptions,
    /// Trust the certificate authorities in this PEM file besides the machine's own
    #[arg(long, global = true, value_name = "FILE", help_heading = "Tenant")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// The tenant's subscription, for its rate limits: free, enterprise, …; where absent, the tenant's answers tell. An
    /// offline tenant keeps them [env: AUTH0_PLAN]
    #[arg(long, global = true, value_name = "PLAN", help_heading = "Tenant")]
    pub(crate) plan: Option<auth0_host::RatePlan>,
    /// Append a record of each call to this file, as a line of JSON [env: AUTH0_AUDIT]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Run this component instead of the built-in one; it is compiled in a process with limits
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// Compile the component at each start, and keep nothing of it on disk
    #[arg(long, global = true)]
    pub(crate) no_cache: bool,
    /// Print each request that left the sandbox to stderr
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// The tenant, once it is open: closed when the command ends, however it ends.
    #[arg(skip)]
    pub(crate) opened: connect::Opened,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an action; its result is printed as JSON
    Run(run::Run),
    /// List the actions
    Actions(actions::List),
    /// Show what an action does and what it takes
    Describe(describe::Describe),
    /// Compute the minimum token scopes for some actions, and compare a token with them
    Scopes(scopes::Arguments),
    /// Show the component manifest: digest, imports, actions, egress, data, limits
    Manifest(manifest::Arguments),
    /// Explain a policy file, or test it
    #[command(subcommand)]
    Policy(policy::Command),
    /// Run the main job: joiners, movers and leavers from a CSV file
    Demo(crate::demo::DemoArgs),
    /// Diagnose a tenant: what is wrong, and what to do about it
    Doctor(doctor::Doctor),
    /// Serve the actions to an agent, as tools of the Model Context Protocol
    Mcp(mcp::Mcp),
    /// Serve an offline tenant until Ctrl-C
    Emulator(emulator::Serve),
    /// Generate shell completions
    #[command(
        after_help = "Example:\n  auth0-host completions bash > ~/.local/share/bash-completion/completions/auth0-host"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Reads the command line. Where that is all there is to do – help, the version, misuse – it is done, and the code to
/// end with is answered.
pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Arguments, ExitCode> {
    let line: Vec<OsString> = line.into_iter().collect();
    Arguments::from_line(&line).map_err(|error| {
        if error.use_stderr() && is_run(&line) {
            let text = error.render().to_string();
            let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned();
            return exit::code(Err(Failure::Usage(message)), exit::report_json);
        }
        // Whoever closed the stream does not want to know.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
    })
}

impl Arguments {
    fn from_line(line: &[OsString]) -> Result<Self, clap::Error> {
        let arguments = Self::try_parse_from(line)?;
        // clap compares the options before the command and those behind it only among themselves.
        let globals = &arguments.globals;
        let contradiction = [
            ("--domain", globals.domain.is_some()),
            ("--base-url", globals.base_url.is_some()),
            ("--ca-cert", globals.ca_cert.is_some()),
        ];
        let mut contradiction = contradiction.into_iter().chain(globals.credentials.given());
        match contradiction.find(|(_, given)| globals.emulator && *given) {
            Some((option, _)) => Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                format!("the argument '--emulator' cannot be used with '{option}'"),
            )),
            None => Ok(arguments),
        }
    }
}

/// Whether a line that cannot be used asks for `run`, whose errors are for programs: its first word that is neither an
/// option nor an option's value.
fn is_run(line: &[OsString]) -> bool {
    let command = Arguments::command();
    let takes_value = |word: &str| {
        let mut options = command.get_arguments().filter(|option| option.get_action().takes_values());
        options.any(|option| option.get_long().is_some_and(|name| word.strip_prefix("--") == Some(name)))
    };
    let mut words = line.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if takes_value(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return word == "run";
        }
    }
    false
}

/// Does what was asked and says how it ended.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    const NOTHING: &str = "nothing was changed";
    let Arguments { globals, command } = arguments;
    let telemetry = telemetry::Telemetry::begin();
    let opened = globals.opened.clone();
    let (result, report): (_, fn(&Failure)) = match command {
        Command::Run(run) => {
            let consequence =
                format!("whether `{}` changed anything is unknown; verify before retrying", run.action);
            let running = async move { run::run(&globals, run).await };
            let mut result = interruptible(running, ctrl_c(), &opened, &consequence).await;
            if let Err(Failure::Interrupted { consequence, disposition }) = &mut result
                && opened.tenant().is_none_or(|tenant| tenant.stats().requests == 0)
            {
                "nothing was sent".clone_into(consequence);
                *disposition = Disposition::RetryLater;
            }
            (with_secrets_home(result, opened.tenant()).await, exit::report_json)
        }
        Command::Actions(list) => {
            let listing = async move { actions::list(&globals, &list).await };
            (interruptible(listing, ctrl_c(), &opened, NOTHING).await, exit::report_text)
        }
        Command::Describe(describe) => {
            let describing = async move { describe::describe(&globals, &describe).await };
            (interruptible(describing, ctrl_c(), &opened, NOTHING).await, exit::report_text)
        }
        Command::Scopes(arguments) => {
            let planning = async move { scopes::run(&globals, &arguments).await };
            (interruptible(planning, ctrl_c(), &opened, NOTHING).await, exit::report_text)
        }
        Command::Manifest(arguments) => {
            let reading = async move { manifest::run(&globals, &arguments).await };
            (interruptible(reading, ctrl_c(), &opened, NOTHING).await, exit::report_text)
        }
        Command::Policy(policy::Command::Check(check)) => {
            let checking = async move { policy::check(&globals, &check).await };
            (interruptible(checking, ctrl_c(), &opened, NOTHING).await, exit::report_text)
        }
        Command::Doctor(arguments) => {
            let examining = async move { doctor::run(&globals, &arguments).await };
            (interruptible(examining, ctrl_c(), &opened, NOTHING).await, exit::report_text)
        }
        // These end by Ctrl-C in their own ways.
        Command::Mcp(serve) => (mcp::run(&globals, serve).await, exit::report_text),
        Command::Demo(args) => (demo(&globals, &args).await, exit::report_text),
        Command::Emulator(serve) => (emulator::run(&serve, globals.plan).await, exit::report_text),
        Command::Completions { shell } => (completions(shell), exit::report_text),
    };
    opened.close().await;
    telemetry.end().await;
    exit::code(result, report)
}

/// Waits for Ctrl-C, a request to terminate or a terminal that is closed; for ever, where none can be heard.
async fn ctrl_c() {
    let Ok(ended) = signals::ended() else { return std::future::pending().await };
    ended.await;
}

/// How long an interrupted command waits for its work to be dropped: that takes microseconds, a tick of the engine where
/// a component computes, and no command hangs where it does not happen at all.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// Works until the work is done or the signal comes.
///
/// The work is a task of its own: a guest that computes without end does not yield to a signal that is waited for in
/// the same task.
async fn interruptible(
    work: impl Future<Output = Result<Exit, Failure>> + Send + 'static,
    signal: impl Future<Output = ()>,
    opened: &connect::Opened,
    consequence: &str,
) -> Result<Exit, Failure> {
    let mut task = tokio::spawn(work);
    tokio::select! {
        done = &mut task => done.unwrap_or_else(|error| Err(Failure::Afterwards(error.into()))),
        () = signal => {
            opened.close().await;
            task.abort();
            // What was under way is dropped in its own task, and its spans end there.
            let _ = tokio::time::timeout(SHUTDOWN_GRACE, task).await;
            Err(Failure::Interrupted {
                consequence: consequence.to_owned(),
                disposition: Disposition::VerifyFirst,
            })
        }
    }
}

/// Does not end before secrets that an interrupted action had made are somewhere; a second Ctrl-C does.
async fn with_secrets_home(
    mut result: Result<Exit, Failure>,
    tenant: Option<&Tenant>,
) -> Result<Exit, Failure> {
    if let (Err(Failure::Interrupted { consequence, .. }), Some(tenant)) = (&mut result, tenant) {
        tokio::select! {
            home = secrets::drain_secrets(tenant) => {
                if let Err(location) = home {
                    *consequence = format!("{consequence}; {location}");
                }
            }
            () = ctrl_c() => {}
        }
    }
    result
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "auth0-host", &mut script);
    print::bytes(&script)?;
    Ok(Exit::Done)
}

async fn demo(globals: &Globals, args: &crate::demo::DemoArgs) -> Result<Exit, Failure> {
    let host = connect::host(globals).await?;
    let mut globals = globals.clone();
    // The offline tenant ends with the demo, and so do the secrets that it makes.
    let passing = std::env::temp_dir().join(format!("auth0-demo-{}", std::process::id()));
    if globals.emulator && !globals.secrets.named(&|name| std::env::var(name).ok()) {
        globals.secrets.secret_dir = Some(passing.clone());
    }
    let target = connect::Target::open_for(&host, &globals, args.reach(globals.emulator)).await?;
    let code = crate::demo::run(args, &host, &target.tenant, &target.demo_tenant()).await;
    let home = secrets::drain_secrets(&target.tenant).await;
    target.close().await;
    let _ = std::fs::remove_dir_all(&passing);
    home.map_err(|location| Failure::Afterwards(anyhow::anyhow!(location)))?;
    Ok(Exit::Other(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::from_line(&words(line))
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
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
            "auth0-host --emulator run get-user --domain acme.auth0.com",
            "auth0-host --domain acme.auth0.com run get-user --emulator",
            "auth0-host --emulator run get-user --base-url http://127.0.0.1:1",
            "auth0-host --ca-cert ca.pem run --emulator get-user",
            "auth0-host --emulator run get-user --client-secret-file secret",
            "auth0-host run get-user --emulator --private-key-file key",
            "auth0-host --token-file token run get-user --emulator",
            "auth0-host describe",
            "auth0-host describe get-user --all",
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

    #[test]
    fn what_is_wrong_with_a_run_is_told_to_programs_and_the_rest_to_people() {
        for (line, expected) in [
            ("auth0-host run", true),
            ("auth0-host -v --domain run run get-user --nonsense", true),
            ("auth0-host --domain=run run", true),
            ("auth0-host --nonsense run", true),
            ("auth0-host --domain run actions", false),
            ("auth0-host describe run --nonsense", false),
            ("auth0-host", false),
            ("auth0-host --domain", false),
        ] {
            assert_eq!(is_run(&words(line)), expected, "{line}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_never_yields_ends_by_a_signal_all_the_same() {
        use std::sync::mpsc;
        let (_done, end) = mpsc::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        // Holds its thread until this test is over, as a guest that computes without end does.
        let work = async move {
            let _ = began.send(());
            let _ = end.recv_timeout(Duration::from_secs(60));
            Ok(Exit::Done)
        };
        let signal = async move { begun.await.unwrap() };
        let failure = interruptible(work, signal, &connect::Opened::default(), "unknown").await.unwrap_err();
        assert!(matches!(failure, Failure::Interrupted { .. }));
    }
}
