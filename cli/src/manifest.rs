//! `manifest`: what a marketplace, or whoever installs the component, has to know of it.

use std::{collections::BTreeMap, fmt::Write as _};

use auth0_host::Manifest;

use super::{Exit, Failure, Globals, connect, describe::wrap, print, print::Styles};

/// Arguments of `manifest`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print it as JSON, with each action; docs/manifest.schema.json is its schema
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
What the component says of itself is asked of the component; where it may go
and what it may use are this host's rules. No tenant is needed.

Examples:
  auth0-host manifest
  auth0-host manifest --json
  auth0-host --component other.wasm manifest";

/// Prints the manifest.
pub(crate) async fn run(globals: &Globals, arguments: &Arguments) -> Result<Exit, Failure> {
    let manifest = connect::host(globals).await?.manifest().await?;
    if arguments.json {
        print::json(&manifest)?;
    } else {
        print::stdout(&page(&manifest, Styles::of_stdout()))?;
    }
    Ok(Exit::Done)
}

fn page(manifest: &Manifest, styles: Styles) -> String {
    let component = &manifest.component;
    let unknown = || "not stated".to_owned();
    let mut text = format!(
        "{}\n",
        styles.bold(&print::line(component.name.as_deref().unwrap_or("a component without a name")))
    );
    for (name, value) in [
        ("version", component.version.clone()),
        ("licence", component.licenses.clone()),
        ("homepage", component.homepage.clone()),
        ("revision", component.revision.clone()),
        ("digest", Some(component.digest.clone())),
        ("size", Some(format!("{} bytes", component.size))),
        (
            "host",
            Some(format!("auth0-host {}, whose limits and rules of egress these are", manifest.host_version)),
        ),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:9} {}", print::line(&value.unwrap_or_else(unknown)));
    }
    let mut section = |heading: &str, lines: Vec<String>| {
        let _ = write!(text, "\n{}\n", styles.bold(heading));
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "  {}", print::line(line));
        });
    };
    section("Imports: what it can use of the machine", component.imports.clone());
    section("Exports", component.exports.clone());
    section(
        &format!("Actions: {}", manifest.actions.len()),
        vec![
            format!("effect    {}", counts(&manifest.effects)),
            format!("stage     {}", counts(&manifest.stages)),
            format!(
                "scopes    {} cover every action; `auth0-host scopes` tells how few yours need",
                manifest.scopes.len()
            ),
        ],
    );
    let reach = manifest.egress.iter().flat_map(|reach| {
        let requests = reach.requests.join(", ");
        let first = format!("{:9} {}", reach.destination, reach.origins.join(", "));
        [first, format!("          {requests}"), format!("          credential: {}", reach.credential)]
    });
    section("Egress: where it can go, and nowhere else", reach.collect());
    section(
        "Data",
        vec![
            format!("data      {} actions handle personal data", manifest.data.handles_personal_data.len()),
            format!(
                "secret    {} actions take a secret; {} return one, which the host replaces with a handle",
                manifest.data.secret_written.len(),
                manifest.data.secret_read.len()
            ),
            format!("anything  {}: its caller chooses the request", manifest.data.unknowable.join(", ")),
        ],
    );
    let mut reach: Vec<String> =
        manifest.reach.iter().map(|(name, actions)| format!("{name:14} {} actions", actions.len())).collect();
    reach.push(format!(
        "denied where the policy does not say otherwise: {}",
        manifest.reach_denied_by_default.join(", ")
    ));
    section("Reach: what requests can do beyond what they say", reach);
    let limits = manifest.limits.iter().map(|(name, value)| format!("{name:20} {value}"));
    section("Limits of a call, where the tenant's settings do not say otherwise", limits.collect());
    text.push('\n');
    text += &styles.dim(&wrap("--json names each action with its requests, scopes and secrets", ""));
    text.push('\n');
    text
}

fn counts(counts: &BTreeMap<&'static str, usize>) -> String {
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}
