//! `scopes`: the least that a token has to be allowed, and what a token has of it.

use std::{fmt::Write as _, path::PathBuf};

use auth0_host::{ActionPattern, ActionSummary, PlannedScope, ScopeDiff, ScopePlan, parse_action_ids};
use serde_json::{Value, json};

use super::{Exit, Failure, Globals, connect, describe::wrap, file, print, print::Styles, run::unknown};

/// Arguments of `scopes`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The actions, such as get-user; `*` stands for any letters: 'organizations.*'
    #[arg(value_name = "ACTION")]
    actions: Vec<String>,
    /// The actions that this file names: JSON with members `action` or `actions`, an audit file, or a name on each line
    #[arg(long, value_name = "FILE")]
    workflow: Option<PathBuf>,
    /// Plan for what only parts of an action need, too
    #[arg(long)]
    with_parts: bool,
    /// Print the client grant that gives an application the set: as a request, and for Terraform
    #[arg(long)]
    grant: bool,
    /// Print it as JSON, the grant included
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Where neither ACTION nor --workflow is given, those that --policy allows are
meant. Where a tenant and credentials are named, or --emulator, the token is
fetched and held against the set; otherwise nothing is sent.

Exit codes:
  0  the token lacks nothing, or there is none to look at
  1  the token lacks a scope
  2  no such action, or the file cannot be used

Examples:
  auth0-host scopes get-user assign-user-roles
  auth0-host scopes 'organizations.*' --with-parts
  auth0-host scopes --workflow onboarding.json --grant
  auth0-host --policy policy.toml scopes
  auth0-host --emulator scopes list-users --json";

/// Plans, and looks at the token where there is one.
pub(crate) async fn run(globals: &Globals, arguments: &Arguments) -> Result<Exit, Failure> {
    let host = connect::host(globals).await?;
    let known = host.actions().await?;
    let wanted = wanted(globals, arguments, &known)?;
    let plan = ScopePlan::new(wanted, arguments.with_parts);
    let mut grantee = Grantee::default();
    let mut token = None;
    if connect::is_configured(globals) {
        // The plan is the policy's already, and a policy's rules do not change what a token has.
        let without_policy = Globals { policy: None, ..globals.clone() };
        let target = connect::Target::open(&host, &without_policy).await?;
        let domain = target.tenant.domain();
        grantee = Grantee::of(domain.as_str(), target.demo_tenant().client_id);
        let granted = target.tenant.granted_scopes().await;
        target.close().await;
        token = granted?.map(|granted| plan.compare(granted.iter().map(String::as_str)));
        if token.is_none() {
            print::stderr(format_args!("the token does not list its scopes, so they were not compared"));
        }
    }
    let grant = grantee.grant(&plan);
    if arguments.json {
        print::json(&json!({"plan": plan, "token": token, "grant": grant}))?;
    } else {
        let styles = Styles::of_stdout();
        let mut text = page(&plan, token.as_ref(), styles);
        if arguments.grant {
            text += &grantee.page(&plan, &grant, styles)?;
        }
        print::stdout(&text)?;
    }
    let lacks = token.is_some_and(|token| !token.lacking.is_empty());
    Ok(if lacks { Exit::Action } else { Exit::Done })
}

/// Finds the actions that are meant.
fn wanted<'a>(
    globals: &Globals,
    arguments: &Arguments,
    known: &'a [ActionSummary],
) -> Result<Vec<&'a ActionSummary>, Failure> {
    let mut wanted: Vec<&ActionSummary> = Vec::new();
    for text in &arguments.actions {
        let pattern: Option<ActionPattern> = text.parse().ok();
        let before = wanted.len();
        wanted.extend(
            known.iter().filter(|action| pattern.as_ref().is_some_and(|pattern| pattern.matches(&action.id))),
        );
        if wanted.len() == before {
            return Err(unknown(text, known));
        }
    }
    if let Some(path) = &arguments.workflow {
        let unusable = |problem: String| Failure::Usage(format!("--workflow {}: {problem}", path.display()));
        let text = file::text(path, file::WORKFLOW).map_err(|error| unusable(error.to_string()))?;
        let named = parse_action_ids(&text, |id| known.iter().any(|action| action.id == id));
        for id in named.map_err(|error| unusable(error.to_string()))? {
            wanted.extend(known.iter().filter(|action| action.id == id));
        }
    }
    if !arguments.actions.is_empty() || arguments.workflow.is_some() {
        return Ok(wanted);
    }
    let source = connect::policy_source(globals);
    let Some(policy) = source.read()? else {
        return Err(Failure::Usage(
            "no action is named: give ACTION …, --workflow FILE or --policy FILE; `auth0-host actions` lists all of them"
                .to_owned(),
        ));
    };
    let report =
        policy.report(known).map_err(|error| Failure::Usage(format!("the policy {source}: {error}")))?;
    Ok(known.iter().filter(|action| report.test_action(&action.id).is_ok()).collect())
}

fn page(plan: &ScopePlan, token: Option<&ScopeDiff>, styles: Styles) -> String {
    let smallest =
        if plan.is_smallest { "the smallest set" } else { "a set; whether a smaller one does is not known" };
    let mut text = String::new();
    let mut section = |heading: String, lines: Vec<String>| {
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{gap}{}", styles.bold(&heading));
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
    };
    let actions = match plan.actions.len() {
        1 => "one action".to_owned(),
        count => format!("{count} actions"),
    };
    section(
        format!("Scopes for {actions} ({}, {smallest})", plan.scopes.len()),
        plan.scopes.iter().map(|planned| lines(planned, "")).collect(),
    );
    if !plan.optional.is_empty() {
        let parts = plan.optional.iter().map(|need| {
            let why = format!("for {}: {}", need.action, need.required_for);
            format!("  {}\n{}", need.any_of.join(" or "), wrap(&why, "      "))
        });
        section(
            "Needed for parts only, and not in the set (--with-parts adds them)".to_owned(),
            parts.collect(),
        );
    }
    if !plan.unknowable.is_empty() {
        let line = format!(
            "{} sends what its caller chooses: add the scopes of those requests",
            plan.unknowable.join(", ")
        );
        section("Cannot be known".to_owned(), vec![wrap(&line, "  ")]);
    }
    if let Some(token) = token {
        let mut parts: Vec<String> = token.lacking.iter().map(|planned| lines(planned, "lacks ")).collect();
        if parts.is_empty() {
            parts.push("  lacks nothing".to_owned());
        }
        for (what, scopes) in
            [("only for parts", &token.required_for_parts), ("used by none of them", &token.unused)]
        {
            if !scopes.is_empty() {
                parts.push(format!("  {what}\n{}", wrap(&scopes.join(", "), "      ")));
            }
        }
        section(format!("The token ({} granted)", token.granted.len()), parts);
    }
    text
}

/// Returns what a scope is there for, and what would do instead for all of it.
fn lines(planned: &PlannedScope, mark: &str) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for reason in &planned.needed_by {
        let part = reason.required_for.as_ref().map(|part| format!(" (for {part})"));
        reasons.push(format!("{}{}", reason.action, part.unwrap_or_default()));
    }
    reasons.dedup();
    let mut others = planned.needed_by.iter().map(|reason| &reason.instead);
    let first = others.next().cloned().unwrap_or_default();
    let instead: Vec<String> =
        first.into_iter().filter(|scope| others.clone().all(|more| more.contains(scope))).collect();
    let mut why = format!("for {}", reasons.join(", "));
    if !instead.is_empty() {
        why += &format!("; {} would do too", instead.join(" or "));
    }
    format!("  {mark}{}\n{}", planned.scope, wrap(&why, "      "))
}

/// The application that is to have the scopes.
#[derive(Debug)]
struct Grantee {
    domain: String,
    client_id: String,
    audience: String,
}

impl Default for Grantee {
    fn default() -> Self {
        Self::of("YOUR_TENANT.auth0.com", None)
    }
}

impl Grantee {
    fn of(domain: &str, client_id: Option<String>) -> Self {
        let audience = std::env::var("AUTH0_AUDIENCE").ok().filter(|audience| !audience.is_empty());
        Self {
            client_id: client_id.filter(|id| !id.is_empty()).unwrap_or_else(|| "YOUR_CLIENT_ID".to_owned()),
            audience: audience.unwrap_or_else(|| format!("https://{domain}/api/v2/")),
            domain: domain.to_owned(),
        }
    }

    /// The body of `POST /api/v2/client-grants`, and the block of Terraform's provider `auth0/auth0`.
    fn grant(&self, plan: &ScopePlan) -> Value {
        let scope = plan.names();
        json!({
            "body": {"client_id": self.client_id, "audience": self.audience, "scope": scope},
            "terraform": self.terraform(&scope),
        })
    }

    fn terraform(&self, scopes: &[&str]) -> String {
        // Terraform reads `${` and `%{` within quotes.
        let quoted = |text: &str| Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{");
        let mut scopes: String = scopes.iter().map(|scope| format!("    {},\n", quoted(scope))).collect();
        if !scopes.is_empty() {
            scopes = format!("\n{scopes}  ");
        }
        format!(
            "resource \"auth0_client_grant\" \"connector\" {{\n  client_id = {}\n  audience  = {}\n  scopes    = [{scopes}]\n}}",
            quoted(&self.client_id),
            quoted(&self.audience),
        )
    }

    fn page(&self, plan: &ScopePlan, grant: &Value, styles: Styles) -> Result<String, Failure> {
        let pretty =
            |value: &Value| serde_json::to_string_pretty(value).map_err(|error| Failure::Host(error.into()));
        let body = grant.get("body").unwrap_or(&Value::Null);
        Ok(format!(
            "\n{}\n{}\n\n{}\n{}\n\n{}\n{}\n",
            styles.bold(&format!("POST https://{}/api/v2/client-grants", self.domain)),
            pretty(body)?,
            styles.bold(
                "Where there is a grant already: PATCH /api/v2/client-grants/{id}, which replaces its scopes"
            ),
            pretty(&json!({"scope": plan.names()}))?,
            styles.bold("Terraform"),
            self.terraform(&plan.names()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_s_name_cannot_end_the_text_that_terraform_reads() {
        let grantee = Grantee {
            domain: "acme.auth0.com".to_owned(),
            client_id: "id".to_owned(),
            audience: "https://acme.auth0.com/api/v2/".to_owned(),
        };
        let block = grantee.terraform(&["read:users", "x\"${file(\"/etc/passwd\")}"]);
        assert_eq!(
            block,
            "resource \"auth0_client_grant\" \"connector\" {\n  client_id = \"id\"\n  audience  = \
             \"https://acme.auth0.com/api/v2/\"\n  scopes    = [\n    \"read:users\",\n    \
             \"x\\\"$${file(\\\"/etc/passwd\\\")}\",\n  ]\n}"
        );
    }
}
