//! What the job did, and the text that tells it.
//!
//! The job writes down as it goes, so that a report can be made at any moment, of a job that was interrupted too.

use std::fmt::{self, Write as _};
use std::time::Duration;

use auth0_host::{ComponentInfo, RequestRecord, Stats};

use super::input::BadRow;
use crate::print;

/// What the job did so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Where the people came from.
    pub(crate) source: String,
    /// The people whose rows were begun, in order.
    pub(crate) people: Vec<Person>,
    /// The rows that could not be used.
    pub(crate) bad: Vec<BadRow>,
    /// The rows that were not begun, by line; empty at the end of a whole job.
    pub(crate) waiting: Vec<u64>,
    /// The applications whose secrets are not fresh.
    pub(crate) applications: Vec<Application>,
    /// What the custom request answered.
    pub(crate) custom_request: Option<String>,
    /// What the tenant's log said of the job.
    pub(crate) log: Option<TenantLog>,
    /// What failed that is not about a person.
    pub(crate) failures: Vec<String>,
    /// The action that runs, and for whom.
    pub(crate) running: Option<String>,
    /// The requests that were made, in order, those that the host refused included.
    pub(crate) requests: Vec<Sent>,
    /// How many emails the provider accepted.
    pub(crate) mails_accepted: usize,
    /// How the job ended.
    pub(crate) end: End,
}

/// How the job ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// Every step was tried.
    #[default]
    Whole,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// The tenant could not be worked with at all.
    Stopped,
}

/// A person and what was done.
#[derive(Debug)]
pub(crate) struct Person {
    /// Line in the file.
    pub(crate) line: u64,
    /// What the file asked for: `joiner`.
    pub(crate) change: &'static str,
    /// Who.
    pub(crate) email: String,
    /// What was done, in order.
    pub(crate) did: Vec<String>,
    /// How it ended.
    pub(crate) state: State,
}

/// How the work for one person ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not yet.
    Begun,
    /// All of it was done.
    Done,
    /// A step failed; those after it were not tried.
    Failed(String),
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {:<3} {:<8} {}: ", self.line, self.change, self.email)?;
        let did = self.did.join("; ");
        match (&self.state, did.is_empty()) {
            (State::Done, _) => f.write_str(&did),
            (State::Begun, true) => f.write_str("begun"),
            (State::Begun, false) => write!(f, "{did}; not finished"),
            (State::Failed(problem), true) => write!(f, "NOT DONE: {problem}"),
            (State::Failed(problem), false) => write!(f, "{did}; then NOT DONE: {problem}"),
        }
    }
}

/// An application and what was done about its secret.
#[derive(Debug)]
pub(crate) struct Application {
    /// Its name, or its id.
    pub(crate) name: String,
    /// How old the secret is, and how that is known.
    pub(crate) age: String,
    /// What was done.
    pub(crate) did: String,
}

/// Rows of the tenant's log.
#[derive(Debug, Default)]
pub(crate) struct TenantLog {
    /// How many.
    pub(crate) rows: usize,
    /// How often each event, in the order of their first rows.
    pub(crate) events: Vec<(String, usize)>,
    /// The cursor to go on from.
    pub(crate) next: Option<String>,
    /// Whether there may be more rows behind that cursor that were not read.
    pub(crate) more: bool,
}

impl TenantLog {
    /// Counts a row.
    pub(crate) fn add(&mut self, event: String) {
        self.rows += 1;
        match self.events.iter_mut().find(|(known, _)| *known == event) {
            Some((_, count)) => *count += 1,
            None => self.events.push((event, 1)),
        }
    }
}

/// A request of the sandbox.
#[derive(Debug)]
pub(crate) struct Sent {
    method: String,
    path: String,
    authority: String,
    fate: Fate,
    elapsed: Duration,
}

/// What became of a request.
#[derive(Debug)]
enum Fate {
    /// It left, and this status came back.
    Answered(u16),
    /// It left, and no answer came.
    Lost,
    /// It did not leave: the host refused it, or had no token for it.
    Kept(String),
}

impl From<RequestRecord> for Sent {
    fn from(record: RequestRecord) -> Self {
        let fate = match record.status {
            Some(status) => Fate::Answered(status),
            None if record.sent => Fate::Lost,
            None => Fate::Kept(record.error.unwrap_or_default()),
        };
        Self {
            method: record.method,
            path: record.path,
            authority: record.authority,
            fate,
            elapsed: record.elapsed,
        }
    }
}

/// An email in the offline tenant's outbox.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// Recipients.
    pub(crate) to: String,
    /// Subject, rendered.
    pub(crate) subject: String,
}

/// What is known beside the job itself.
#[derive(Debug)]
pub(crate) struct ReportContext<'a> {
    /// The component that did it.
    pub(crate) component: &'a ComponentInfo,
    /// What the tenant counted.
    pub(crate) stats: Stats,
    /// The outbox, where the tenant is the offline one.
    pub(crate) outbox: Option<Vec<Delivered>>,
}

impl Report {
    /// Whether everything that was asked for was done.
    pub(crate) fn complete(&self) -> bool {
        self.end == End::Whole
            && self.bad.is_empty()
            && self.failures.is_empty()
            && self.people.iter().all(|person| person.state == State::Done)
    }

    /// Writes the report for a reader.
    pub(crate) fn text(&self, around: &ReportContext<'_>) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, around);
        print::escaped(&text)
    }

    fn write(&self, text: &mut String, around: &ReportContext<'_>) -> fmt::Result {
        self.write_end(text)?;
        self.write_people(text)?;
        self.write_tenant(text)?;
        self.write_requests(text)?;
        self.write_totals(text, around)
    }

    fn write_end(&self, text: &mut String) -> fmt::Result {
        match self.end {
            End::Whole => return Ok(()),
            End::Interrupted => {
                writeln!(text, "INTERRUPTED")?;
                if let Some(running) = &self.running {
                    writeln!(text, "  {running} was running: whether it took effect is unknown")?;
                }
            }
            End::Stopped => writeln!(text, "STOPPED: the tenant cannot be worked with")?,
        }
        if !self.waiting.is_empty() {
            let lines: Vec<String> = self.waiting.iter().map(ToString::to_string).collect();
            writeln!(text, "  not begun: line{} {}", plural(lines.len()), lines.join(", "))?;
        }
        writeln!(text)
    }

    fn write_people(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "People ({})", self.source)?;
        if self.people.is_empty() {
            writeln!(text, "  nobody")?;
        }
        for person in &self.people {
            writeln!(text, "  {person}")?;
        }
        if !self.bad.is_empty() {
            writeln!(text, "\nRows that could not be used")?;
            for bad in &self.bad {
                writeln!(text, "  {bad}")?;
            }
        }
        if !self.failures.is_empty() {
            writeln!(text, "\nFailures")?;
            for failure in &self.failures {
                writeln!(text, "  {failure}")?;
            }
        }
        Ok(())
    }

    fn write_tenant(&self, text: &mut String) -> fmt::Result {
        if !self.applications.is_empty() {
            writeln!(text, "\nApplication secrets")?;
            let name_width = width(self.applications.iter().map(|application| application.name.as_str()));
            let age_width = width(self.applications.iter().map(|application| application.age.as_str()));
            for Application { name, age, did } in &self.applications {
                writeln!(text, "  {name:<name_width$}  {age:<age_width$}  {did}")?;
            }
        }
        if let Some(answer) = &self.custom_request {
            writeln!(text, "\nCustom request\n  {answer}")?;
        }
        if let Some(log) = &self.log {
            writeln!(text, "\nThe tenant's log of it ({} row{})", log.rows, plural(log.rows))?;
            for (event, count) in &log.events {
                writeln!(text, "  {count:>4}  {event}")?;
            }
            if let Some(next) = &log.next {
                let more = if log.more { "not read to its end: " } else { "" };
                writeln!(text, "  {more}go on from {next}")?;
            }
        }
        Ok(())
    }

    fn write_requests(&self, text: &mut String) -> fmt::Result {
        let (kept, left): (Vec<&Sent>, Vec<&Sent>) =
            self.requests.iter().partition(|sent| matches!(sent.fate, Fate::Kept(_)));
        let mut authorities: Vec<&str> = Vec::new();
        for sent in &left {
            if !authorities.contains(&sent.authority.as_str()) {
                authorities.push(&sent.authority);
            }
        }
        writeln!(text, "\nRequests that left the sandbox ({})", left.len())?;
        for authority in authorities {
            writeln!(text, "  to {authority}")?;
            for sent in left.iter().filter(|sent| sent.authority == authority) {
                let status = match sent.fate {
                    Fate::Answered(status) => status.to_string(),
                    Fate::Lost | Fate::Kept(_) => "none".to_owned(),
                };
                let milliseconds = sent.elapsed.as_secs_f64() * 1e3;
                writeln!(text, "    {:<6} {status:>4} {milliseconds:>8.1} ms  {}", sent.method, sent.path)?;
            }
        }
        if !kept.is_empty() {
            writeln!(text, "\nRequests that did not leave it ({})", kept.len())?;
            for Sent { method, path, authority, fate, .. } in kept {
                let reason = if let Fate::Kept(reason) = fate { reason } else { "" };
                writeln!(text, "  {method:<6} {authority}{path}: {reason}")?;
            }
        }
        Ok(())
    }

    fn write_totals(&self, text: &mut String, around: &ReportContext<'_>) -> fmt::Result {
        if let Some(outbox) = &around.outbox {
            writeln!(text, "\nMails in the outbox ({})", outbox.len())?;
            let to_width = width(outbox.iter().map(|mail| mail.to.as_str()));
            for Delivered { to, subject } in outbox {
                writeln!(text, "  {to:<to_width$}  {subject}")?;
            }
        }
        let done = self.people.iter().filter(|person| person.state == State::Done).count();
        let failed = self.people.len() - done + self.bad.len() + self.waiting.len();
        let Stats { calls, requests, connections_opened, tokens_fetched, .. } = around.stats;
        let component = around.component;
        writeln!(text, "\nTotals")?;
        writeln!(text, "  people       {done} done, {failed} not done")?;
        writeln!(text, "  calls        {calls}")?;
        writeln!(text, "  requests     {requests}")?;
        writeln!(text, "  connections  {connections_opened} opened")?;
        writeln!(text, "  tokens       {tokens_fetched} fetched")?;
        writeln!(text, "  emails       {} accepted by the provider", self.mails_accepted)?;
        writeln!(
            text,
            "  component    {} {}, {} bytes, {}",
            component.name.as_deref().unwrap_or("without a name"),
            component.version.as_deref().unwrap_or("without a version"),
            component.size,
            component.digest
        )?;
        writeln!(text, "  imports      {}", component.imports.join("\n               "))
    }
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or_default()
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::input;

    fn person(line: u64, change: &'static str, did: &[&str], state: State) -> Person {
        Person {
            line,
            change,
            email: "ana@acme.example".to_owned(),
            did: did.iter().map(ToString::to_string).collect(),
            state,
        }
    }

    fn sent(method: &str, path: &str, authority: &str, fate: Fate) -> Sent {
        Sent {
            method: method.to_owned(),
            path: path.to_owned(),
            authority: authority.to_owned(),
            fate,
            elapsed: Duration::from_micros(1540),
        }
    }

    fn body(report: &Report) -> String {
        let mut text = String::new();
        report.write_end(&mut text).unwrap();
        report.write_people(&mut text).unwrap();
        report.write_tenant(&mut text).unwrap();
        report.write_requests(&mut text).unwrap();
        text
    }

    #[test]
    fn a_whole_job_is_told_by_person_application_log_and_request() {
        let mut log = TenantLog { next: Some("900".to_owned()), ..TenantLog::default() };
        for event in ["sapi Create a User", "sapi Update a User", "sapi Create a User"] {
            log.add(event.to_owned());
        }
        let report = Report {
            source: "people.csv".to_owned(),
            people: vec![person(2, "joiner", &["created", "email accepted"], State::Done)],
            applications: vec![Application {
                name: "Portal".to_owned(),
                age: "120 days".to_owned(),
                did: "rotated".to_owned(),
            }],
            custom_request: Some("GET /api/v2/organizations: 200".to_owned()),
            log: Some(log),
            requests: vec![
                sent("POST", "/api/v2/users", "acme.eu.auth0.com", Fate::Answered(201)),
                sent("POST", "/v3/mail/send", "api.sendgrid.com", Fate::Lost),
            ],
            ..Report::default()
        };
        assert!(report.complete());
        assert_eq!(
            body(&report),
            "\
People (people.csv)
  line 2   joiner   ana@acme.example: created; email accepted

Application secrets
  Portal  120 days  rotated

Custom request
  GET /api/v2/organizations: 200

The tenant's log of it (3 rows)
     2  sapi Create a User
     1  sapi Update a User
  go on from 900

Requests that left the sandbox (2)
  to acme.eu.auth0.com
    POST    201      1.5 ms  /api/v2/users
  to api.sendgrid.com
    POST   none      1.5 ms  /v3/mail/send
"
        );
    }

    #[test]
    fn a_request_that_was_refused_is_not_told_as_one_that_left() {
        let refused = Fate::Kept("evil.example is not the tenant".to_owned());
        let report = Report {
            requests: vec![
                sent("GET", "/api/v2/users?q", "acme.eu.auth0.com", Fate::Answered(200)),
                sent("GET", "/", "evil.example", refused),
            ],
            ..Report::default()
        };
        let text = body(&report);
        let (left, kept) = text.split_once("\nRequests that did not leave it (1)\n").unwrap();
        assert!(left.contains("left the sandbox (1)") && !left.contains("evil.example"), "{left}");
        assert_eq!(kept, "  GET    evil.example/: evil.example is not the tenant\n");
    }

    #[test]
    fn a_log_that_was_not_read_to_its_end_says_so() {
        let log = TenantLog { next: Some("900".to_owned()), more: true, ..TenantLog::default() };
        let text = body(&Report { log: Some(log), ..Report::default() });
        assert!(text.contains("  not read to its end: go on from 900\n"), "{text}");
    }

    #[test]
    fn an_interrupted_job_says_what_was_done_what_is_unknown_and_what_was_not_begun() {
        let report = Report {
            source: "people.csv".to_owned(),
            people: vec![
                person(2, "joiner", &["created"], State::Done),
                person(3, "leaver", &["blocked"], State::Begun),
            ],
            waiting: vec![4, 7],
            running: Some("revoke-user-access for ana@acme.example".to_owned()),
            end: End::Interrupted,
            ..Report::default()
        };
        let text = body(&report);
        assert!(!report.complete());
        assert!(text.starts_with(
            "INTERRUPTED\n  revoke-user-access for ana@acme.example was running: whether it took effect is unknown\n  not begun: lines 4, 7\n"
        ));
        assert!(text.contains("line 3   leaver   ana@acme.example: blocked; not finished\n"), "{text}");
    }

    #[test]
    fn a_row_that_failed_or_could_not_be_used_makes_the_job_incomplete() {
        let failed = State::Failed("send-email: rejected: no provider".to_owned());
        let report = Report { people: vec![person(2, "joiner", &["created"], failed)], ..Report::default() };
        assert!(!report.complete());
        assert!(body(&report).contains("created; then NOT DONE: send-email: rejected: no provider"));

        let bad =
            input::read(b"action,email,given_name,family_name,department,title,roles\nx,a@b.example,,,,,")
                .unwrap()
                .bad;
        let report = Report { bad, ..Report::default() };
        assert!(!report.complete());
        assert!(
            body(&report)
                .contains("\nRows that could not be used\n  line 2, column 1 (action): `x` is none of")
        );
    }
}
