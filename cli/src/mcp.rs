//! `mcp`: the actions as tools for an agent, until the client leaves or Ctrl-C.

use std::{path::PathBuf, sync::Arc};

use auth0_host::{ActionPattern, Secret};

use super::{Exit, Failure, Globals, connect, policy::PolicySource, secret_file, secrets, signals};
use auth0_mcp::{
    AccessToken, Confirm, Consent, DrainSecrets, HttpServer, LoopbackAddress, OpenError, Permissions,
    ResultBytes, Server, serve_stdio,
};

/// Arguments of `mcp`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Mcp {
    /// Offer actions that write too; without it, only those that read
    #[arg(long)]
    write: bool,
    /// Offer these actions only; `*` stands for any run of characters, and the option can be repeated
    #[arg(long, value_name = "PATTERN")]
    allow: Vec<ActionPattern>,
    /// Offer none of these actions, whatever is allowed
    #[arg(long, value_name = "PATTERN")]
    deny: Vec<ActionPattern>,
    /// What a person is asked about first, through the client
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    confirm: Confirm,
    /// Leave the question to a client that cannot ask it for this server (no elicitation); otherwise such calls are refused
    #[arg(long)]
    trust_client: bool,
    /// Cut results to this size; what is left is read with a cursor
    #[arg(long, value_name = "N", default_value_t = ResultBytes::DEFAULT)]
    max_result_bytes: ResultBytes,
    /// Serve clients of this machine over HTTP instead of stdin and stdout; at a free port of 127.0.0.1 where none is named
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:0")]
    http: Option<LoopbackAddress>,
    /// Take the bearer token of HTTP clients from this file instead of making one [env: AUTH0_MCP_TOKEN_FILE, or
    /// AUTH0_MCP_TOKEN for the token itself]
    #[arg(long, value_name = "FILE", requires = "http")]
    http_token_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
An agent gets the curated actions as tools, and the others through
search-actions, describe-action and run-action. docs/mcp.md says how to register
the server with a client, and what an agent cannot do.

Examples:
  auth0-host --emulator mcp
  auth0-host mcp --write --deny 'delete-*' --policy policy.toml
  auth0-host mcp --http 127.0.0.1:8765";

/// Serves agents.
pub(crate) async fn run(globals: &Globals, arguments: Mcp) -> Result<Exit, Failure> {
    let token = token(&arguments, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    // Before anything is served: a client may end us at once.
    let stop = signals::ended()
        .map_err(|error| Failure::Host(anyhow::Error::new(error).context("signals cannot be heard")))?;
    let host = connect::host(globals).await?;
    if connect::policy_source(globals) == PolicySource::Unrestricted {
        crate::print::stderr(format_args!(
            "warning: --policy unrestricted: what an agent gets a person to agree to may run code in the tenant, send its data \
             anywhere, give applications every scope, and switch its protections off"
        ));
    }
    let target = connect::Target::open(&host, globals).await?;
    let tenant = target.tenant.clone();
    let permissions = Permissions { write: arguments.write, allow: arguments.allow, deny: arguments.deny };
    let consent = Consent { confirm: arguments.confirm, trust_client: arguments.trust_client };
    let drain_secrets: DrainSecrets =
        Box::new(|tenant| Box::pin(async move { secrets::drain_secrets(&tenant).await }));
    let server =
        Server::open(host, tenant.clone(), permissions, consent, arguments.max_result_bytes, drain_secrets);
    let server = Arc::new(server.await.map_err(|error| match error {
        OpenError::Host(error) => error.into(),
        error => Failure::Usage(error.to_string()),
    })?);
    warn_of_equivalent_actions(&server).await?;
    let served = match arguments.http {
        None => serve_stdio(server, stop).await,
        Some(address) => serve_http(server, address, token, stop).await,
    };
    // What was under way is stopped by now, or is stopped here; only then is it known which secrets there are.
    tenant.close().await;
    let home = secrets::drain_secrets(&tenant).await;
    target.close().await;
    home.map_err(|location| Failure::Afterwards(anyhow::anyhow!(location)))?;
    served.map_err(Failure::Host)?;
    Ok(Exit::Done)
}

/// Warns whoever denied an action of what else does the same.
async fn warn_of_equivalent_actions(server: &Server) -> Result<(), Failure> {
    /// More lines are not read, and one is reason enough to look at the options.
    const MOST: usize = 5;
    let equivalent_actions = server.equivalent_actions().await?;
    for equivalent in equivalent_actions.iter().take(MOST) {
        crate::print::stderr(format_args!("warning: {equivalent}"));
    }
    if !equivalent_actions.is_empty() {
        let more = equivalent_actions.len().saturating_sub(MOST);
        let more = if more == 0 { String::new() } else { format!("and {more} more; ") };
        crate::print::stderr(format_args!(
            "warning: {more}deny these too, or deny the request itself in a policy file (--policy)"
        ));
    }
    Ok(())
}

async fn serve_http(
    server: Arc<Server>,
    address: LoopbackAddress,
    token: Option<AccessToken>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let http = HttpServer::bind(address).await?;
    crate::print::stderr(format_args!("MCP server: {http}"));
    let token = match token {
        Some(token) => token,
        None => {
            let token = AccessToken::generate()?;
            crate::print::stderr(format_args!(
                "Header of each request, until this server ends: Authorization: Bearer {}",
                token.expose()
            ));
            token
        }
    };
    http.serve(server, token, stop).await;
    Ok(())
}

/// Returns the token that somebody chose. The option comes before the environment.
fn token(arguments: &Mcp, variable: impl Fn(&str) -> Option<String>) -> Result<Option<AccessToken>, Failure> {
    const FILE: &str = "AUTH0_MCP_TOKEN_FILE";
    const VALUE: &str = "AUTH0_MCP_TOKEN";
    if arguments.http.is_none() {
        return Ok(None);
    }
    let (name, token) = match (&arguments.http_token_file, variable(FILE), variable(VALUE)) {
        (Some(path), _, _) => ("--http-token-file", secret_file::line("--http-token-file", path)?),
        (None, Some(_), Some(_)) => {
            return Err(Failure::Usage(format!("{FILE} and {VALUE} are both set: leave one out")));
        }
        (None, Some(path), None) => (FILE, secret_file::line(FILE, path.as_ref())?),
        (None, None, Some(token)) => (VALUE, Secret::new(token)),
        (None, None, None) => return Ok(None),
    };
    let chosen =
        AccessToken::chosen(token).map_err(|problem| Failure::Usage(format!("{name}: {problem}")))?;
    Ok(Some(chosen))
}
