//! The demo: the main job of a connector like this one, on a file of people.
//!
//! Joiners get an account, roles and an email; movers new roles and metadata; leavers lose their access; an erasure is
//! for good. Then the application secrets that are overdue are rotated, one request is made that no action exists
//! for, and the tenant's log of it all is read. It is written against the library's public interface only, as any
//! embedder's code is.

mod input;
mod job;
mod progress;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use auth0_emulator::Control;
use auth0_host::{Host, Reach, ReachSet, Tenant};
use clap::Args;

use self::input::Batch;
use self::job::{Job, Options};
use self::progress::Progress;
use self::report::{Delivered, End, Report, ReportContext};
use crate::{file, print, signals};

/// The file that is used where none is named.
const EXAMPLE: &[u8] = include_bytes!("../../examples/joiners.csv");
const EXAMPLE_NAME: &str = "joiners.csv, built in";

/// Not everything was done.
const INCOMPLETE: u8 = 1;
/// The file cannot be used, or was not named.
const USAGE: u8 = 2;
/// Stopped by Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;

/// Arguments of the demo.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// CSV of people: action (joiner, mover, leaver, erasure), email, given_name, family_name, department, title,
    /// start_date, locale, roles (separated by `;`). Without it: the example, on the offline tenant only.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Name of the database connection that accounts are made in.
    #[arg(long, value_name = "NAME", default_value = "Username-Password-Authentication")]
    connection: String,
    /// Age in days from which the secret of an application is overdue.
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..))]
    older_than_days: u32,
    /// Rotate overdue secrets on a real tenant too, where they are only told otherwise; --secret-dir or --secret-command
    /// says where the new ones go.
    #[arg(long)]
    rotate_secrets: bool,
    /// Rotate secrets of unknown age too.
    #[arg(long)]
    rotate_unknown: bool,
}

impl DemoArgs {
    /// What the job's requests can do beyond what they say, and the default policy denies: a rotation gives an application
    /// another secret.
    pub(crate) fn reach(&self, offline: bool) -> ReachSet {
        if self.rotate_secrets || offline { ReachSet::NONE.with(Reach::Escalates) } else { ReachSet::NONE }
    }
}

/// What the demo should know of the tenant beside its settings.
#[derive(Debug, Default)]
pub(crate) struct DemoTenant {
    /// The application that acts in the tenant, where known.
    pub(crate) client_id: Option<String>,
    /// The offline tenant, where it runs in this process.
    pub(crate) offline: Option<Control>,
}

/// Runs the job, and prints the report on standard output. Ends early on Ctrl-C, with a report of what was done.
///
/// The exit code is 0 where everything was done, 1 where something was not, 2 where the file cannot be used, 130 after
/// Ctrl-C.
pub(crate) async fn run(args: &DemoArgs, host: &Host, tenant: &Tenant, demo: &DemoTenant) -> ExitCode {
    let progress = Progress::new();
    let (source, batch) = match read(args, demo) {
        Ok(read) => read,
        Err(problem) => {
            progress.done(&format!("error: {problem}"));
            return ExitCode::from(USAGE);
        }
    };
    progress.done(&format!(
        "{source}: {} rows to do, {} that cannot be used; tenant {}",
        batch.rows.len(),
        batch.bad.len(),
        tenant.domain()
    ));
    // Secrets do not come back: none is replaced for a file of which no row can be used.
    let is_usable = !batch.rows.is_empty() || batch.bad.is_empty();
    let options = Options {
        connection: args.connection.clone(),
        older_than_days: args.older_than_days,
        rotate: is_usable && (args.rotate_secrets || demo.offline.is_some()),
        rotate_unknown: args.rotate_unknown,
        own_client_id: demo.client_id.clone(),
    };
    let mut report = Report { source, ..Report::default() };
    let interrupted = {
        let job = Job::new(tenant, &options, &progress, &mut report).run(batch);
        // A signal that cannot be listened for must not end the job.
        match signals::ended() {
            Ok(ended) => tokio::select! {
                () = ended => true,
                () = job => false,
            },
            Err(_) => {
                job.await;
                false
            }
        }
    };
    if interrupted {
        report.end = End::Interrupted;
    }
    progress.clear();
    let surroundings = ReportContext {
        component: host.component(),
        stats: tenant.stats(),
        outbox: demo.offline.as_ref().map(outbox),
    };
    // Whoever closed standard output does not want to know.
    let _ = print::stdout(&format!("\n{}", report.text(&surroundings)));
    match report.end {
        End::Interrupted => ExitCode::from(INTERRUPTED),
        End::Whole | End::Stopped if report.complete() => ExitCode::SUCCESS,
        End::Whole | End::Stopped => ExitCode::from(INCOMPLETE),
    }
}

fn read(args: &DemoArgs, demo: &DemoTenant) -> Result<(String, Batch), String> {
    let Some(path) = &args.input else {
        if demo.offline.is_none() {
            return Err(
                "the example's people are made up: name your own with --input FILE, or use --emulator"
                    .to_owned(),
            );
        }
        let batch = input::read(EXAMPLE).map_err(|error| error.to_string())?;
        return Ok((EXAMPLE_NAME.to_owned(), batch));
    };
    let name = path.display();
    let file = file::bytes(path, file::PEOPLE).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let batch = input::read(&file).map_err(|error| format!("{name}: {error}"))?;
    Ok((name.to_string(), batch))
}

fn outbox(control: &Control) -> Vec<Delivered> {
    control
        .outbox()
        .into_iter()
        .map(|mail| Delivered { to: mail.to.join(", "), subject: mail.subject })
        .collect()
}
