//! `doctor`: what is right and wrong with a tenant, and what to do about it.

use std::{fmt::Write as _, path::Path};

use auth0_host::{Check, CodeOrigin, Error, Finding, Host, Topic, Verdict};

use super::{Exit, Failure, Globals, connect, policy::PolicySource, print, print::Styles};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Doctor {
    /// Print the findings as a JSON array
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Sends at most four requests to the tenant: discovery, a token, and two that
read one application id and the name of the email provider. Nothing is changed.

Exit codes:
  0  nothing failed (there may be warnings)
  1  something failed; a policy that cannot be read is a finding too
  2  usage: no tenant or no credentials are named, or a file cannot be used

Examples:
  auth0-host doctor
  auth0-host --emulator doctor --json";

/// Examines component, cache, policy and tenant.
pub(crate) async fn run(globals: &Globals, arguments: &Doctor) -> Result<Exit, Failure> {
    let source = connect::policy_source(globals);
    let (policy, unread) = match source.read() {
        Ok(policy) => (policy, None),
        Err(Failure::Usage(problem)) => (None, Some(problem)),
        Err(failure) => return Err(failure),
    };
    let (settings, emulator) = connect::prepare_with(globals, policy).await?;
    let mut findings = Vec::new();
    match connect::host(globals).await {
        Ok(host) => {
            findings.extend(host_findings(&host));
            findings.extend(host.diagnose(settings).await);
        }
        Err(Failure::Call(error)) => findings.push(no_component(&error)),
        Err(failure) => return Err(failure),
    }
    if let PolicySource::File(file) = &source {
        tell_of_policy(&mut findings, file, unread);
    }
    if let Some(emulator) = emulator {
        emulator.shutdown().await;
    }
    findings.iter_mut().for_each(name_options);
    if arguments.json {
        print::json(&findings)?;
    } else {
        print::stdout(&table(&findings, Styles::of_stdout()))?;
    }
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    Ok(if failed { Exit::Action } else { Exit::Done })
}

/// Adds to an advice what there is for it at a shell.
fn name_options(finding: &mut Finding) {
    let (Some(advice), Some(topic)) = (&mut finding.advice, finding.topic) else { return };
    advice.push_str(match topic {
        Topic::Audience => " (AUTH0_AUDIENCE)",
        Topic::Credentials => " (AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, or AUTH0_TOKEN)",
        Topic::BaseUrl => " (--base-url)",
        Topic::CaCertificates => " (--ca-cert)",
        Topic::Policy => " (`auth0-host policy check` explains it)",
        Topic::Grant => " (`auth0-host scopes` tells which)",
        Topic::EmailCredentials => " (docs/email.md)",
        _ => "",
    });
}

/// Names the policy's file. Where it could not be read, the tenant was examined without it.
fn tell_of_policy(findings: &mut Vec<Finding>, file: &Path, unread: Option<String>) {
    let found = findings.iter_mut().find(|finding| finding.check == Check::Policy);
    match (unread, found) {
        (None, Some(finding)) => finding.found = format!("{}: {}", file.display(), finding.found),
        (None, None) => {}
        (Some(problem), found) => {
            let finding = Finding::new(Check::Policy, Verdict::Fail, problem).advise(
                "correct the file, or name another one (--policy, AUTH0_POLICY): until then nothing is run. The other checks \
                 are made without a policy",
            );
            match found {
                Some(place) => *place = finding,
                None => findings.push(finding),
            }
        }
    }
}

fn no_component(error: &Error) -> Finding {
    Finding::new(Check::Component, Verdict::Fail, error.to_string())
        .advise("correct --component, or leave it out: a component is built in")
}

fn host_findings(host: &Host) -> [Finding; 2] {
    let component = host.component();
    let version = component.version.as_deref().unwrap_or("of unknown version");
    let loaded = format!("{version}, {}, {} bytes", component.digest, component.size);
    let code = host.code();
    let origin = match code.origin {
        CodeOrigin::Cached => "the code was in the cache",
        _ => "the code was compiled",
    };
    let place = code.folder.as_ref().map_or_else(String::new, |folder| format!(" ({})", folder.display()));
    let found = format!("{origin}{place}");
    let cache = match &code.problem {
        Some(problem) => Finding::new(Check::Cache, Verdict::Warn, found).advise(problem.clone()),
        None => Finding::new(Check::Cache, Verdict::Ok, found),
    };
    [Finding::new(Check::Component, Verdict::Ok, loaded), cache]
}

fn table(findings: &[Finding], styles: Styles) -> String {
    let mut text = String::new();
    for Finding { check, verdict, found, advice, .. } in findings {
        let (verdict, check) = (format!("{verdict:4}"), format!("{check:10}"));
        let verdict = if verdict.trim_end() == "ok" { verdict } else { styles.bold(&verdict) };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{verdict}  {check}  {found}");
        if let Some(advice) = advice {
            let _ = writeln!(text, "                  → {advice}");
        }
    }
    text
}
