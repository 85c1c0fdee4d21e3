//! `run`: one action, JSON in, JSON out.

use auth0_host::{ActionSummary, CallOptions, RequestRecord};

use super::{Exit, Failure, Globals, connect, form, input, print, secrets};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// The action, such as get-user; `auth0-host actions` lists them
    pub(crate) action: String,
    /// The input: a JSON object, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    input: Option<String>,
    /// Print secrets that the tenant makes or shows, instead of handles; none goes to --secret-dir or --secret-command
    #[arg(long)]
    reveal: bool,
    /// Ask for the fields on the terminal: those that must be given, then those that may be; what is given already is not
    /// asked for. A write is confirmed
    #[arg(long)]
    interactive: bool,
    /// Members of the input; they go over those of --input. A value that is JSON is taken as JSON, anything else as
    /// text; where the action takes text alone, a number is text too
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<String>,
}

const EXAMPLES: &str = "\
The result is printed as indented JSON on stdout, an error as one line of JSON on stderr:
  {\"error\":{\"disposition\":\"fix-input\",\"code\":\"not-found\",\"message\":\"…\",\"status\":404}}
Scripts branch on the disposition: fix-input, fix-access, retry-later,
verify-first or give-up. Codes that no action answers: usage (exit code 2),
host (3), interrupted (130).

Examples:
  auth0-host run get-user user_id='auth0|507f1f77'
  auth0-host run list-users q='email:*@acme.com' limit=5
  auth0-host run update-user user_id='auth0|507f1f77' changes='{\"blocked\": true}'
  auth0-host run create-user --input @user.json
  jq -n '{name: \"auditor\"}' | auth0-host run create-role --input -
  auth0-host run create-user connection=Username-Password-Authentication --interactive
  auth0-host --emulator -v run test-connection";

impl Run {
    /// Returns the words of the command line that are neither the action nor its input, as they were given.
    fn other_words(&self) -> Vec<String> {
        let mut words = std::env::args().skip(1);
        let mut others = Vec::new();
        let mut said = ["run", &self.action].into_iter().peekable();
        while let Some(word) = words.next() {
            if word == "--input" {
                words.next();
            } else if said.next_if_eq(&word.as_str()).is_none()
                && word != "--interactive"
                && word != "--"
                && !word.starts_with("--input=")
                && !self.pairs.contains(&word)
            {
                others.push(word);
            }
        }
        others
    }
}

/// Runs an action.
pub(crate) async fn run(globals: &Globals, arguments: Run) -> Result<Exit, Failure> {
    if arguments.interactive && arguments.input.as_deref() == Some("-") {
        return Err(Failure::Usage("--interactive reads answers from stdin, so --input cannot".to_owned()));
    }
    let mut input = input::gather(arguments.input.as_deref(), &arguments.pairs).await?;
    let host = connect::host(globals).await?;
    let actions = host.actions().await?;
    if !actions.iter().any(|action| action.id == arguments.action) {
        return Err(unknown(&arguments.action, &actions));
    }
    if input::may_be_meant_as_text(&input, &arguments.pairs) {
        let description = host.describe(&arguments.action).await?;
        input::keep_texts(&mut input, &arguments.pairs, &description.input_schema);
    }
    let target = connect::Target::open(&host, globals).await?;
    // Nobody fills in a form for what the policy refuses; the call tells why.
    if arguments.interactive && target.tenant.permits(&arguments.action).is_ok() {
        let description = host.describe(&arguments.action).await?;
        let form = form::ask(description, input.to_values()?, arguments.other_words()).await?;
        input = input.filled_in(form);
    }
    let options = if arguments.reveal { CallOptions::new().reveal_secrets() } else { CallOptions::new() };
    let outcome = target.tenant.call_with(&arguments.action, input, options).await;
    if globals.verbose {
        outcome
            .requests
            .iter()
            .for_each(|request| print::stderr(format_args!("{}", print::line(&line(request)))));
    }
    let home = secrets::drain_secrets(&target.tenant).await;
    target.close().await;
    home.map_err(|location| Failure::Afterwards(anyhow::anyhow!(location)))?;
    print::result(&outcome.result?)?;
    Ok(Exit::Done)
}

/// Returns what a request was in one line.
fn line(request: &RequestRecord) -> String {
    let milliseconds = request.elapsed.as_secs_f64() * 1e3;
    let end = match (request.status, &request.error) {
        (Some(status), None) => status.to_string(),
        (Some(status), Some(error)) => format!("{status}, {error}"),
        (None, error) => error.clone().unwrap_or_default(),
    };
    let RequestRecord { method, authority, path, bytes_sent, bytes_received, .. } = request;
    format!(
        "{method} {authority}{path} → {end} ({milliseconds:.1} ms, {bytes_sent} B out, {bytes_received} B in)"
    )
}

/// Refuses an action that does not exist, and names those that are spelled like it.
pub(crate) fn unknown(action: &str, actions: &[ActionSummary]) -> Failure {
    let near = nearest(action, actions.iter().map(|action| action.id.as_str()));
    let hint = if near.is_empty() { String::new() } else { format!(" Did you mean {}?", near.join(", ")) };
    Failure::Usage(format!("there is no action `{action}`.{hint} `auth0-host actions` lists all of them"))
}

/// Names at most three that are close: a third of the letters may differ or be swapped, or one is part of the other.
fn nearest<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let mut near: Vec<(usize, &str)> = all
        .filter_map(|candidate| {
            let distance = strsim::osa_distance(&name, candidate);
            let part = name.len() >= 3 && candidate.contains(&name);
            (part || distance * 3 <= candidate.len()).then_some((distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_action_is_answered_by_the_nearest_names() {
        let all =
            ["get-user", "list-user-roles", "list-users", "create-user", "get-log", "rotate-client-secret"];
        let near = |name| nearest(name, all.into_iter());
        assert_eq!(near("get-usr").first(), Some(&"get-user"));
        assert_eq!(near("get_user").first(), Some(&"get-user"));
        assert_eq!(near("GetUser").first(), Some(&"get-user"));
        assert_eq!(near("secret"), ["rotate-client-secret"]);
        assert!(near("zzzzzzzz").is_empty());
    }
}
