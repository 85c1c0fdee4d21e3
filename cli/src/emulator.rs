//! `emulator`: the offline tenant as a process of its own.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use auth0_emulator::{Emulator, Plan, Seed, UnknownPlan};
use auth0_host::{ApiKeyProvider, RatePlan};
use serde_json::{Value, json};

use super::{Exit, Failure, file, print, signals};

/// Arguments of `emulator`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Listen on this port of 127.0.0.1; a free one where absent
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Speak TLS, with a certificate made for this run
    #[arg(long, requires = "ca_out")]
    tls: bool,
    /// Write the certificate authority to this file, for --ca-cert
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca_out: Option<PathBuf>,
    /// Begin with the users, roles and applications in this JSON file; the demo's where absent
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Print one line of JSON when ready
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  auth0-host emulator --port 8080
  auth0-host emulator --tls --ca-out ca.pem --plan free --json";

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(arguments: &Serve, plan: Option<RatePlan>) -> Result<Exit, Failure> {
    let seed = match &arguments.seed {
        Some(path) => {
            let text = file::text(path, file::SEED).map_err(|error| {
                Failure::Usage(format!("--seed: {} could not be read: {error}", path.display()))
            })?;
            Seed::from_json(&text)
                .map_err(|error| Failure::Usage(format!("--seed: {}: {error}", path.display())))?
        }
        None => Seed::demo(),
    };
    let mail_provider = mail_provider(&seed);
    let mut builder = Emulator::builder().port(arguments.port).tls(arguments.tls).seed(seed);
    if let Some(plan) = plan {
        builder = builder.plan(limits(plan)?);
    }
    // Before anything is printed: whoever reads the line may end us at once.
    let ended = signals::ended()
        .map_err(|error| Failure::Host(anyhow::Error::new(error).context("signals cannot be heard")))?;
    let emulator =
        builder.start().await.context("the offline tenant did not start").map_err(Failure::Host)?;
    if let (Some(path), Some(pem)) = (&arguments.ca_out, emulator.ca_pem()) {
        fs::write(path, pem).map_err(|error| {
            Failure::Usage(format!("--ca-out: {} could not be written: {error}", path.display()))
        })?;
    }
    if arguments.json {
        print::json_line(&description(&emulator, mail_provider, arguments))?;
    } else {
        print::stdout(&text(&emulator, mail_provider, arguments))?;
    }
    ended.await;
    emulator.shutdown().await;
    if !arguments.json {
        print::stdout("\nThe offline tenant has ended.\n")?;
    }
    Ok(Exit::Done)
}

/// Names the provider that the mail key is for: that of the tenant, where it takes one. The stand-ins take the same key for
/// all of them.
fn mail_provider(seed: &Seed) -> ApiKeyProvider {
    let name = seed.email_provider.as_ref().and_then(|provider| provider.get("name")?.as_str());
    name.and_then(|name| name.parse().ok()).unwrap_or(ApiKeyProvider::SendGrid)
}

fn description(emulator: &Emulator, mail_provider: ApiKeyProvider, arguments: &Serve) -> Value {
    let mut line = json!({
        "domain": emulator.domain(),
        "base_url": emulator.base_url(),
        "audience": emulator.audience(),
        "client_id": emulator.client_id(),
        "client_secret": emulator.client_secret(),
        "mail_base_url": emulator.mail_base_url(),
        "mail_provider": mail_provider.to_string(),
        "mail_api_key": emulator.mail_api_key(),
    });
    if let (Some(path), Some(object)) = (&arguments.ca_out, line.as_object_mut()) {
        object.insert("ca_cert".to_owned(), Value::from(path.display().to_string()));
    }
    line
}

fn text(emulator: &Emulator, mail_provider: ApiKeyProvider, arguments: &Serve) -> String {
    let styles = print::Styles::of_stdout();
    let ca = match &arguments.ca_out {
        Some(path) => format!(" --ca-cert {}", path.display()),
        None => String::new(),
    };
    format!(
        "{title}\n\n\
         export AUTH0_DOMAIN={domain}\n\
         export AUTH0_BASE_URL={base_url}\n\
         export AUTH0_AUDIENCE={audience}\n\
         export AUTH0_CLIENT_ID={id}\n\
         export AUTH0_CLIENT_SECRET={secret}\n\
         export AUTH0_EMAIL_BASE_URL={mail_base_url}\n\
         export AUTH0_EMAIL_PROVIDER={mail_provider}\n\
         export AUTH0_EMAIL_API_KEY={mail_api_key}\n\n\
         {hint}\n",
        title = styles.bold("The offline tenant is ready. In another shell:"),
        domain = emulator.domain(),
        base_url = emulator.base_url(),
        audience = emulator.audience(),
        id = emulator.client_id(),
        secret = emulator.client_secret(),
        mail_base_url = emulator.mail_base_url(),
        mail_api_key = emulator.mail_api_key(),
        hint = styles.dim(&format!("Then: auth0-host{ca} run list-users. Ctrl-C ends it; nothing is kept.")),
    )
}

/// Returns the offline tenant's limits of a plan; none where the tenant is to tell.
pub(crate) fn limits(plan: RatePlan) -> Result<Plan, Failure> {
    if plan == RatePlan::Auto {
        return Ok(Plan::default());
    }
    let text = plan.to_string();
    text.parse()
        .map_err(|error: UnknownPlan| Failure::Usage(format!("--plan, of an offline tenant: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_the_offline_tenant_cannot_keep_is_refused_with_those_that_it_can() {
        for (plan, expected) in
            [("auto", Plan::Unlimited), ("free", Plan::Free), ("Enterprise", Plan::Enterprise)]
        {
            assert_eq!(limits(plan.parse().unwrap()).unwrap(), expected);
        }
        let Failure::Usage(message) = limits("30:10/s".parse().unwrap()).unwrap_err() else {
            panic!("usage")
        };
        assert!(message.contains("--plan") && message.contains("private-cloud-dev"), "{message}");
    }
}
