//! `policy`: what a policy file means, before it is used.

use std::path::{Path, PathBuf};

use auth0_host::{Denial, Policy};

use super::{Exit, Failure, Globals, connect, file, print};

/// Arguments of `policy`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Explain a policy file, or test actions and requests against it
    Check(Check),
}

/// Arguments of `policy check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    /// The policy: a TOML file
    file: PathBuf,
    /// Test whether this request may leave; instead of the path, a URL of an email provider can be given
    #[arg(long = "request", value_name = "METHOD PATH")]
    requests: Vec<String>,
    /// The JSON body of these requests, or @FILE
    #[arg(long, value_name = "JSON|@FILE", requires = "requests")]
    body: Option<String>,
    /// Test whether this action may be run
    #[arg(long = "action", value_name = "ACTION")]
    actions: Vec<String>,
}

const EXAMPLES: &str = "\
Nothing is sent, and no tenant is needed.

Exit codes:
  0  the policy is in order, and what was asked about is allowed
  1  something that was asked about is denied
  2  the file, or the command line, cannot be used

Examples:
  auth0-host policy check policy.toml
  auth0-host policy check policy.toml --action delete-user
  auth0-host policy check policy.toml --request 'GET /api/v2/users/auth0|507f'
  auth0-host policy check policy.toml --request 'POST /api/v2/users' --body @u.json";

/// Reads a policy file.
pub(crate) fn read(path: &Path) -> Result<Policy, Failure> {
    let text = file::text(path, file::POLICY).map_err(|error| {
        Failure::Usage(format!("the policy {} could not be read: {error}", path.display()))
    })?;
    Policy::from_toml(&text)
        .map_err(|error| Failure::Usage(format!("the policy {}: {error}", path.display())))
}

/// Explains or tests.
pub(crate) async fn check(globals: &Globals, arguments: &Check) -> Result<Exit, Failure> {
    let policy = read(&arguments.file)?;
    let actions = connect::host(globals).await?.actions().await?;
    let report = policy
        .report(&actions)
        .map_err(|error| Failure::Usage(format!("the policy {}: {error}", arguments.file.display())))?;
    if arguments.requests.is_empty() && arguments.actions.is_empty() {
        print::stdout(&report.to_string())?;
        return Ok(Exit::Done);
    }
    let body = body(arguments.body.as_deref())?;
    let mut exit = Exit::Done;
    let mut tell = |what: &str, decision: Result<(), Denial>| match decision {
        Ok(()) => format!("allowed: {what}\n"),
        Err(denial) => {
            exit = Exit::Action;
            format!("denied: {what}\n  {denial}\n")
        }
    };
    let mut lines = String::new();
    for action in &arguments.actions {
        if !actions.iter().any(|known| known.id == *action) {
            return Err(super::run::unknown(action, &actions));
        }
        lines += &tell(action, report.test_action(action));
    }
    for request in &arguments.requests {
        lines += &tell(request, policy.test_request(request, &body));
    }
    print::stdout(&lines)?;
    Ok(exit)
}

fn body(argument: Option<&str>) -> Result<Vec<u8>, Failure> {
    match argument {
        None => Ok(Vec::new()),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => file::bytes(path.as_ref(), file::INPUT)
                .map_err(|error| Failure::Usage(format!("--body: {path} could not be read: {error}"))),
            None => Ok(text.as_bytes().to_vec()),
        },
    }
}
