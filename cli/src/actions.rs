//! `actions`: what there is, read from the component itself.

use auth0_host::{ActionFilter, ActionKind, ActionSummary, Effect, Stage};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Exit, Failure, Globals, connect, print, print::Styles, reference};

/// Arguments of `actions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Only those that have all of these words in id, title, group or path
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Only those of this family, such as users
    #[arg(long)]
    group: Option<String>,
    /// Only those that do this to the tenant
    #[arg(long, value_parser = ["read", "create", "update", "delete", "send"])]
    effect: Option<String>,
    /// Only those that are as ready as this: generally available, early access, beta, or unknown
    #[arg(long, value_parser = ["ga", "ea", "beta", "unknown"])]
    stage: Option<String>,
    /// Only those for which this scope plays a part, such as read:users
    #[arg(long)]
    scope: Option<String>,
    /// Only those that are made for one purpose, such as get-user
    #[arg(long)]
    curated: bool,
    /// Only the operations of the Management API, such as users.get
    #[arg(long, conflicts_with = "curated")]
    operations: bool,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
    /// Print the reference of them, with requests, scopes and fields, as Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

const EXAMPLES: &str = "\
Examples:
  auth0-host actions --curated
  auth0-host actions organization member
  auth0-host actions --effect delete --group users
  auth0-host actions --scope read:client_keys
  auth0-host actions --json delete
  auth0-host actions --markdown --group roles";

/// Lists the actions.
pub(crate) async fn list(globals: &Globals, arguments: &List) -> Result<Exit, Failure> {
    let host = connect::host(globals).await?;
    let mut filter = ActionFilter::default();
    filter.text = Some(arguments.words.join(" ")).filter(|text| !text.is_empty());
    filter.group.clone_from(&arguments.group);
    filter.scope.clone_from(&arguments.scope);
    filter.effect = named::<Effect>(arguments.effect.as_deref());
    filter.stage = named::<Stage>(arguments.stage.as_deref());
    filter.kind = match (arguments.curated, arguments.operations) {
        (true, _) => Some(ActionKind::Curated),
        (_, true) => Some(ActionKind::Operation),
        (false, false) => None,
    };
    let actions = host.find_actions(&filter).await?;
    if arguments.json {
        print::json(&actions)?;
    } else if actions.is_empty() {
        print::stderr(format_args!("no action matches; `auth0-host actions` lists all of them"));
    } else if arguments.markdown {
        let mut described = Vec::with_capacity(actions.len());
        for action in &actions {
            described.push(host.describe(&action.id).await?);
        }
        print::stdout(&reference::page(&described))?;
    } else {
        print::stdout(&table(&actions, Styles::of_stdout()))?;
    }
    Ok(Exit::Done)
}

/// Reads what clap has held against the same names.
fn named<T: DeserializeOwned>(name: Option<&str>) -> Option<T> {
    serde_json::from_value(Value::from(name?)).ok()
}

fn table(actions: &[ActionSummary], styles: Styles) -> String {
    let width = actions.iter().map(|action| action.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    let mut group = "";
    for action in actions {
        if action.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = &action.group;
            text += &format!("{gap}{}\n", styles.bold(&print::line(group)));
        }
        let ActionSummary { effect, stage, .. } = action;
        let (id, title) = (print::line(&action.id), print::line(&action.title));
        let stage = if *stage == Stage::Ga { String::new() } else { styles.dim(&format!("  ({stage})")) };
        text += &format!("  {id:width$}  {}  {title}{stage}\n", styles.dim(&format!("{effect:6}")));
    }
    text
}
