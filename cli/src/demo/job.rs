//! The steps of the job, one action each.
//!
//! Every step can be done again: a joiner who exists is brought up to date, the welcome email is sent once (a date in
//! the account's metadata says so), a leaver can leave twice and an erased person is no error. So the way to deal
//! with a job that broke off is to run it again.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use auth0_host::{Error, ErrorCode, Tenant};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::input::{Batch, Change, Details, Email, Row};
use super::progress::Progress;
use super::report::{Application, End, Person, Report, State, TenantLog};

/// Subject of the welcome email, in Auth0's Liquid.
const WELCOME_SUBJECT: &str = "Welcome to {{ friendly_name }}, {{ user.given_name }}";
/// Body of the welcome email, in Auth0's Liquid.
const WELCOME_BODY: &str = include_str!("welcome.liquid");
/// Marks in an account's `app_metadata` that the welcome email was accepted.
const WELCOMED: &str = "welcomed_at";
/// Five days, which is Auth0's own default for the links in its emails; the email names it.
const PASSWORD_LINK_SECONDS: u32 = 432_000;
/// Auth0's largest page.
const PAGE: usize = 100;
/// The tenant's log is written some seconds after the fact.
const LOG_ATTEMPTS: usize = 5;
const LOG_PAUSE: Duration = Duration::from_secs(1);
/// Pages of the tenant's log that are read at most: ten thousand rows, of which a job of a thousand people writes
/// about that many. The report names the row to go on from.
const LOG_PAGES: usize = 100;

/// What the job may do.
#[derive(Debug)]
pub(crate) struct Options {
    /// Name of the database connection that accounts are made in.
    pub(crate) connection: String,
    /// Age in days from which a secret is overdue.
    pub(crate) older_than_days: u32,
    /// Whether overdue secrets are rotated, or only told.
    pub(crate) rotate: bool,
    /// Whether secrets of unknown age count as overdue.
    pub(crate) rotate_unknown: bool,
    /// The application that the job runs as: its secret is never rotated under it.
    pub(crate) own_client_id: Option<String>,
}

/// Why a step was not done.
#[derive(Debug)]
struct Failure {
    code: Option<ErrorCode>,
    text: String,
}

impl Failure {
    fn new(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into() }
    }

    fn of(action: &str, error: &Error) -> Self {
        let mut text = format!("{action}: {error}");
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        let Error::Action(action_error) = error else { return Self { code: None, text } };
        if !action_error.scopes.is_empty() {
            text.push_str(" (scopes to grant: ");
            text.push_str(&action_error.scopes.join(", "));
            text.push(')');
        }
        Self { code: Some(action_error.code.clone()), text }
    }
}

/// Where the job began in the tenant's log.
#[derive(Debug)]
enum LogStart {
    /// After this row.
    After(String),
    /// The log had no rows: at its beginning.
    Empty,
    /// It could not be read. Reading it from its beginning would be reading all that the tenant ever did.
    Unknown,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The job, under way.
pub(crate) struct Job<'a> {
    tenant: &'a Tenant,
    options: &'a Options,
    progress: &'a Progress,
    report: &'a mut Report,
}

impl<'a> Job<'a> {
    /// Begins a job that writes into a report.
    pub(crate) fn new(
        tenant: &'a Tenant,
        options: &'a Options,
        progress: &'a Progress,
        report: &'a mut Report,
    ) -> Self {
        Self { tenant, options, progress, report }
    }

    /// Does all of it. What fails is written into the report and does not keep the rest from being done.
    pub(crate) async fn run(mut self, mut batch: Batch) {
        self.report.bad = batch.bad.clone();
        self.report.waiting = batch.rows.iter().map(|row| row.line).collect();
        if let Err(failure) = self.call("the connection", "test-connection", json!({})).await {
            self.fail(failure.to_string());
            self.report.end = End::Stopped;
            return;
        }
        if let Err(reason) = self.database().await {
            self.fail(reason);
            self.report.end = End::Stopped;
            return;
        }
        let log_start = self.log_start().await;
        match self.role_names().await {
            Ok(known) => {
                batch.check_roles(&known);
                self.report.bad = batch.bad.clone();
                self.report.waiting = batch.rows.iter().map(|row| row.line).collect();
            }
            Err(failure) => self.fail(format!("the names of roles could not be checked: {failure}")),
        }
        for bad in &batch.bad {
            self.progress.done(&format!("FAILED  {bad}"));
        }
        for row in &batch.rows {
            self.person(row).await;
        }
        if let Err(failure) = self.secrets().await {
            self.fail(failure.to_string());
        }
        match self.custom_request().await {
            Ok(answer) => {
                self.progress.done(&format!("done    custom request {answer}"));
                self.report.custom_request = Some(answer);
            }
            Err(failure) => self.fail(failure.to_string()),
        }
        let log_start = match log_start {
            LogStart::After(row) => Some(row),
            LogStart::Empty => None,
            LogStart::Unknown => return,
        };
        match self.tenant_log(log_start).await {
            Ok(log) => {
                self.progress.done(&format!("done    read {} rows of the tenant's log", log.rows));
                self.report.log = Some(log);
            }
            Err(failure) => self.fail(failure.to_string()),
        }
    }

    /// Makes sure that the connection for the accounts exists, before anyone is blocked or deleted.
    async fn database(&mut self) -> Result<(), String> {
        let name = self.options.connection.clone();
        let input = json!({ "name": name, "fields": "name" });
        let found = self.call("the accounts' connection", "list-connections", input).await;
        // Without the right to look, the first account will tell.
        let Ok(found) = found else { return Ok(()) };
        match found.get("items").and_then(Value::as_array) {
            Some(items) if items.is_empty() => {
                Err(format!("the tenant has no connection `{name}`: name one with --connection"))
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self, failure: String) {
        self.progress.done(&format!("FAILED  {failure}"));
        self.report.failures.push(failure);
    }

    /// Runs an action, and writes down that it runs and what it sends.
    async fn call(&mut self, whom: &str, action: &'static str, input: Value) -> Result<Value, Failure> {
        let step = format!("{action} for {whom}");
        self.progress.running(&step);
        self.report.running = Some(step);
        // A task of its own, which ends with this one: a guest that computes without end would keep Ctrl-C from being
        // heard.
        let mut task = JoinSet::new();
        let tenant = self.tenant.clone();
        task.spawn(async move { tenant.call(action, input).await });
        let outcome = task.join_next().await;
        self.report.running = None;
        let Some(Ok(outcome)) = outcome else {
            return Err(Failure::new(format!("{action}: the host broke off")));
        };
        self.report.requests.extend(outcome.requests.into_iter().map(Into::into));
        let answer = outcome.result.map_err(|error| Failure::of(action, &error))?;
        answer
            .to_value()
            .map_err(|error| Failure::new(format!("{action}: the answer cannot be read: {error}")))
    }

    async fn person(&mut self, row: &Row) {
        self.report.waiting.retain(|line| *line != row.line);
        self.report.people.push(Person {
            line: row.line,
            change: row.change.as_str(),
            email: row.email.to_string(),
            did: Vec::new(),
            state: State::Begun,
        });
        let result = match &row.change {
            Change::Joiner(details) => self.joiner(&row.email, details).await,
            Change::Mover(details) => self.mover(&row.email, details).await,
            Change::Leaver => self.leaver(&row.email).await,
            Change::Erasure => self.erasure(&row.email).await,
        };
        if let Some(person) = self.report.people.last_mut() {
            let word = if result.is_ok() { "done  " } else { "FAILED" };
            person.state = result.map_or_else(|failure| State::Failed(failure.to_string()), |()| State::Done);
            self.progress.done(&format!("{word}  {person}"));
        }
    }

    fn did(&mut self, what: impl Into<String>) {
        if let Some(person) = self.report.people.last_mut() {
            person.did.push(what.into());
        }
    }

    async fn joiner(&mut self, email: &Email, details: &Details) -> Result<(), Failure> {
        let mut body = profile(details);
        body.insert("connection".to_owned(), self.options.connection.as_str().into());
        body.insert("email".to_owned(), email.as_str().into());
        body.insert("email_verified".to_owned(), false.into());
        // The welcome email has a link that verifies the address too; a second email would only confuse.
        body.insert("verify_email".to_owned(), false.into());
        body.insert("password".to_owned(), temporary_password()?.into());
        let user = match self.call(email.as_str(), "create-user", Value::Object(body)).await {
            Ok(user) => {
                let user_id = user_id(&user)?;
                self.did(format!("created as {user_id}"));
                user
            }
            Err(failure) if failure.code == Some(ErrorCode::Conflict) => {
                self.existing(email, details).await?
            }
            Err(failure) => return Err(failure),
        };
        let user_id = user_id(&user)?;
        let roles = json!({"user_id": user_id, "role_names": details.roles});
        self.call(email.as_str(), "assign-user-roles", roles).await?;
        self.did(format!("roles {}", details.roles.join(", ")));
        self.welcome(email, details, &user).await
    }

    /// Brings the account of a joiner who has one already up to date.
    async fn existing(&mut self, email: &Email, details: &Details) -> Result<Value, Failure> {
        let user = self.account(email).await?;
        let user_id = user_id(&user)?;
        let changes = Value::Object(profile(details));
        let user =
            self.call(email.as_str(), "update-user", json!({"user_id": user_id, "changes": changes})).await?;
        self.did(format!("was there as {user_id}, brought up to date"));
        if user.get("blocked").and_then(Value::as_bool) == Some(true) {
            self.did("is blocked, and was left so");
        }
        Ok(user)
    }

    /// Sends the welcome email, once.
    async fn welcome(&mut self, email: &Email, details: &Details, user: &Value) -> Result<(), Failure> {
        if let Some(date) = user.pointer(&format!("/app_metadata/{WELCOMED}")).and_then(Value::as_str) {
            self.did(format!("welcomed on {date}, no second email"));
            return Ok(());
        }
        let user_id = user_id(user)?;
        // The temporary password is known to nobody: this link is how the person gets in.
        let input =
            json!({"user_id": user_id, "ttl_sec": PASSWORD_LINK_SECONDS, "mark_email_as_verified": true});
        let ticket = self.call(email.as_str(), "create-password-change-ticket", input).await?;
        let link = text(&ticket, "ticket")
            .ok_or_else(|| Failure::new("create-password-change-ticket: the answer has no link"))?;
        let input = json!({
            "to": email.as_str(),
            "subject": WELCOME_SUBJECT,
            "body": WELCOME_BODY,
            "user_id": user_id,
            "custom_vars": {
                "department": details.department,
                "start_date": details.start_date.map(|date| date.to_string()),
                "roles": details.roles,
                "password_url": link,
            },
        });
        self.call(email.as_str(), "send-email", input).await?;
        self.report.mails_accepted += 1;
        self.did("welcome email accepted");
        let stamp = json!({"user_id": user_id, "changes": {"app_metadata": {WELCOMED: now()}}});
        self.call(email.as_str(), "update-user", stamp).await?;
        Ok(())
    }

    async fn mover(&mut self, email: &Email, details: &Details) -> Result<(), Failure> {
        let user = self.account(email).await?;
        let user_id = user_id(&user)?;
        let changes = profile(details);
        if !changes.is_empty() {
            let changed: Vec<&str> = [
                ("name", details.given_name.is_some() || details.family_name.is_some()),
                ("department", details.department.is_some()),
                ("title", details.title.is_some()),
                ("start date", details.start_date.is_some()),
                ("locale", details.locale.is_some()),
            ]
            .into_iter()
            .filter_map(|(name, there)| there.then_some(name))
            .collect();
            let input = json!({"user_id": user_id, "changes": changes});
            self.call(email.as_str(), "update-user", input).await?;
            self.did(format!("{} set", changed.join(", ")));
        }
        if !details.roles.is_empty() {
            let wanted: BTreeSet<String> = details.roles.iter().cloned().collect();
            let have = self.roles_of(email, &user_id).await?;
            // Given before taken: nobody who moves is without a role in between.
            self.change_roles(email, &user_id, "assign-user-roles", "given", &wanted - &have).await?;
            self.change_roles(email, &user_id, "remove-user-roles", "taken", &have - &wanted).await?;
            if wanted == have {
                self.did("roles as they should be");
            }
        }
        Ok(())
    }

    async fn leaver(&mut self, email: &Email) -> Result<(), Failure> {
        let accounts = self.accounts(email).await?;
        if accounts.is_empty() {
            return Err(nobody(email));
        }
        for account in accounts {
            let user_id = user_id(&account)?;
            // The block comes first: without it a session that is ended can be begun anew.
            self.call(email.as_str(), "block-user", json!({"user_id": user_id})).await?;
            self.did(format!("blocked {user_id}"));
            self.call(email.as_str(), "revoke-user-access", json!({"user_id": user_id})).await?;
            self.did("sessions and refresh tokens revoked");
            let have = self.roles_of(email, &user_id).await?;
            self.change_roles(email, &user_id, "remove-user-roles", "taken", have).await?;
        }
        Ok(())
    }

    async fn erasure(&mut self, email: &Email) -> Result<(), Failure> {
        let accounts = self.accounts(email).await?;
        if accounts.is_empty() {
            self.did("nobody has this address: nothing to delete");
        }
        for account in accounts {
            let user_id = user_id(&account)?;
            self.call(email.as_str(), "delete-user", json!({"user_id": user_id})).await?;
            self.did(format!("deleted {user_id} at {}", now()));
        }
        Ok(())
    }

    /// Finds the accounts of an address, in all connections.
    async fn accounts(&mut self, email: &Email) -> Result<Vec<Value>, Failure> {
        let input = json!({"email": email.as_str()});
        Ok(items(self.call(email.as_str(), "find-users-by-email", input).await?))
    }

    /// Finds the account of an address in the job's connection.
    async fn account(&mut self, email: &Email) -> Result<Value, Failure> {
        let connection = self.options.connection.as_str();
        self.accounts(email)
            .await?
            .into_iter()
            .find(|user| {
                let identities = user.get("identities").and_then(Value::as_array);
                identities
                    .into_iter()
                    .flatten()
                    .any(|identity| text(identity, "connection") == Some(connection))
            })
            .ok_or_else(|| nobody(email))
    }

    async fn roles_of(&mut self, email: &Email, user_id: &str) -> Result<BTreeSet<String>, Failure> {
        let roles = self.pages(email.as_str(), "list-user-roles", json!({"user_id": user_id})).await?;
        Ok(names(&roles))
    }

    async fn change_roles(
        &mut self,
        email: &Email,
        user_id: &str,
        action: &'static str,
        word: &str,
        roles: BTreeSet<String>,
    ) -> Result<(), Failure> {
        if roles.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = roles.into_iter().collect();
        self.call(email.as_str(), action, json!({"user_id": user_id, "role_names": names})).await?;
        self.did(format!("roles {word}: {}", names.join(", ")));
        Ok(())
    }

    async fn role_names(&mut self) -> Result<BTreeSet<String>, Failure> {
        let roles = self.pages("the tenant", "list-roles", json!({})).await?;
        Ok(names(&roles))
    }

    /// Reads all pages of a list.
    async fn pages(
        &mut self,
        whom: &str,
        action: &'static str,
        mut input: Value,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        if let Some(input) = input.as_object_mut() {
            input.insert("limit".to_owned(), PAGE.into());
        }
        loop {
            let answer = self.call(whom, action, input.clone()).await?;
            let next = text(&answer, "next").map(str::to_owned);
            let items = items(answer);
            let is_empty = items.is_empty();
            all.extend(items);
            match (next, input.as_object_mut()) {
                (Some(next), Some(input)) if !is_empty => input.insert("cursor".to_owned(), next.into()),
                _ => return Ok(all),
            };
        }
    }

    /// Rotates the secrets that are overdue, and tells of the others that are not fresh.
    async fn secrets(&mut self) -> Result<(), Failure> {
        let input = json!({"older_than_days": self.options.older_than_days});
        let found = items(self.call("all applications", "find-stale-secrets", input).await?);
        for item in found.iter().filter(|item| text(item, "state") != Some("fresh")) {
            let client_id = text(item, "client_id").unwrap_or_default();
            let name = text(item, "name").unwrap_or(client_id).to_owned();
            let did = match reason_to_leave(item, self.options) {
                Some(reason) => format!("left alone: {reason}"),
                None => {
                    match self.call(&name, "rotate-client-secret", json!({"client_id": client_id})).await {
                        Ok(application) => rotated(&application),
                        Err(failure) => {
                            self.fail(format!("{name}: {failure}"));
                            "NOT ROTATED".to_owned()
                        }
                    }
                }
            };
            self.progress.done(&format!("done    secret of {name}: {did}"));
            self.report.applications.push(Application { name, age: age(item), did });
        }
        Ok(())
    }

    /// Asks for something that no action of its own exists for.
    async fn custom_request(&mut self) -> Result<String, Failure> {
        const PATH: &str = "/api/v2/organizations";
        let input = json!({"method": "GET", "path": PATH, "query": {"per_page": "50"}});
        let answer = self.call("organizations", "custom-request", input).await?;
        let status = answer.get("status").and_then(Value::as_u64).unwrap_or_default();
        let organizations =
            answer.get("body").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> =
            organizations.iter().filter_map(|organization| text(organization, "name")).collect();
        Ok(match names.as_slice() {
            [] => format!("GET {PATH}: {status}, no organizations"),
            names => format!("GET {PATH}: {status}, organizations: {}", names.join(", ")),
        })
    }

    /// Finds the newest row of the tenant's log, to read on from there at the end.
    async fn log_start(&mut self) -> LogStart {
        let input = json!({"limit": 1, "sort": "date:-1"});
        let newest =
            self.call("the tenant", "list-logs", input).await.and_then(|answer| newest(&items(answer)));
        newest.unwrap_or_else(|failure| {
            self.fail(format!("the tenant's log will not be read: {failure}"));
            LogStart::Unknown
        })
    }

    /// Reads what the tenant wrote down since the job began.
    async fn tenant_log(&mut self, start: Option<String>) -> Result<TenantLog, Failure> {
        let mut log = TenantLog { next: start, ..TenantLog::default() };
        for attempt in 1..=LOG_ATTEMPTS {
            let mut pages = 0;
            loop {
                if pages == LOG_PAGES {
                    log.more = true;
                    break;
                }
                pages += 1;
                // A tenant whose log was empty has no row to go on from: its log is read from its beginning.
                let input = match &log.next {
                    Some(from) => json!({"from": from, "limit": PAGE}),
                    None => json!({"limit": PAGE, "sort": "date:1"}),
                };
                let answer = self.call("the tenant", "list-logs", input).await?;
                let rows = items(answer);
                for row in &rows {
                    let kind = text(row, "type").unwrap_or("?");
                    log.add(
                        format!("{kind:<7} {}", text(row, "description").unwrap_or_default())
                            .trim_end()
                            .to_owned(),
                    );
                }
                match rows.last().and_then(|row| text(row, "log_id")) {
                    Some(last) => log.next = Some(last.to_owned()),
                    None => break,
                }
            }
            if log.rows > 0 || attempt == LOG_ATTEMPTS {
                break;
            }
            self.progress.running("waiting for the tenant to write its log");
            tokio::time::sleep(LOG_PAUSE).await;
        }
        Ok(log)
    }
}

/// Returns where a log stands whose newest row is the first of these.
fn newest(rows: &[Value]) -> Result<LogStart, Failure> {
    let Some(row) = rows.first() else { return Ok(LogStart::Empty) };
    let id = text(row, "log_id").ok_or_else(|| Failure::new("list-logs: the newest row has no log_id"))?;
    Ok(LogStart::After(id.to_owned()))
}

/// Returns why a secret that is not fresh is not rotated.
fn reason_to_leave(item: &Value, options: &Options) -> Option<&'static str> {
    if options.own_client_id.is_some() && options.own_client_id.as_deref() == text(item, "client_id") {
        return Some("this job runs as it");
    }
    if item.pointer("/evidence/source").and_then(Value::as_str) == Some("credential") {
        return Some("it signs with a key of its own, which its owner has to replace");
    }
    if text(item, "state") != Some("stale") && !options.rotate_unknown {
        return Some("nothing tells its age (--rotate-unknown rotates it too)");
    }
    (!options.rotate).then_some("it is overdue (--rotate-secrets rotates it)")
}

/// Returns a line about a rotation, with the handle of the new secret.
fn rotated(application: &Value) -> String {
    let handle = text(application, "client_secret").unwrap_or("?");
    let mut did = format!("rotated; the secret sink has the new one: {handle}");
    if let Some(problem) = application.pointer("/stamp_error/message").and_then(Value::as_str) {
        did.push_str("; the date could not be kept: ");
        did.push_str(problem);
    }
    did
}

fn age(item: &Value) -> String {
    match item.get("age_days").and_then(Value::as_u64) {
        Some(days) => {
            let source = item.pointer("/evidence/source").and_then(Value::as_str).unwrap_or("?");
            format!("{days} days ({source})")
        }
        None => "unknown".to_owned(),
    }
}

/// What a row says of a person, as Auth0 keeps it: the system's truth in `app_metadata`, the person's own choices in
/// `user_metadata`. What the row does not say is left as it is.
fn profile(details: &Details) -> Map<String, Value> {
    let bag = |members: [(&str, Option<String>); 3]| {
        members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
            .collect::<Map<_, _>>()
    };
    let full_name = match (&details.given_name, &details.family_name) {
        (Some(given), Some(family)) => Some(format!("{given} {family}")),
        _ => None,
    };
    let mut profile = bag([
        ("given_name", details.given_name.clone()),
        ("family_name", details.family_name.clone()),
        ("name", full_name),
    ]);
    let app = bag([
        ("department", details.department.clone()),
        ("title", details.title.clone()),
        ("start_date", details.start_date.map(|date| date.to_string())),
    ]);
    let user = bag([("locale", details.locale.clone()), ("", None), ("", None)]);
    // An empty object would delete what is there.
    for (name, bag) in [("app_metadata", app), ("user_metadata", user)] {
        if !bag.is_empty() {
            profile.insert(name.to_owned(), Value::Object(bag));
        }
    }
    profile
}

/// Makes a password that nobody will know: 144 random bits, and one character of each class for the strictest of
/// Auth0's password policies.
fn temporary_password() -> Result<String, Failure> {
    let mut bytes = [0_u8; 18];
    rand::fill(&mut bytes).map_err(|_| Failure::new("this machine has no randomness for a password"))?;
    Ok(format!("{}-aZ9", URL_SAFE_NO_PAD.encode(bytes)))
}

fn now() -> String {
    let now = Timestamp::now();
    // Cut, not rounded: nothing is done in the future.
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

fn nobody(email: &Email) -> Failure {
    Failure::new(format!("nobody in the tenant has the address {email}"))
}

fn user_id(user: &Value) -> Result<String, Failure> {
    text(user, "user_id").map(str::to_owned).ok_or_else(|| Failure::new("the tenant's answer has no user_id"))
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn items(mut answer: Value) -> Vec<Value> {
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn names(roles: &[Value]) -> BTreeSet<String> {
    roles.iter().filter_map(|role| text(role, "name")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            connection: "db".to_owned(),
            older_than_days: 90,
            rotate: true,
            rotate_unknown: false,
            own_client_id: Some("own".to_owned()),
        }
    }

    fn item(client_id: &str, state: &str, source: &str) -> Value {
        json!({"client_id": client_id, "state": state, "evidence": {"source": source}})
    }

    #[test]
    fn only_an_overdue_secret_of_another_application_is_rotated() {
        let reason = |item: &Value| reason_to_leave(item, &options());
        assert_eq!(reason(&item("other", "stale", "stamp")), None);
        assert_eq!(reason(&item("other", "stale", "log")), None);
        assert!(reason(&item("own", "stale", "stamp")).unwrap().contains("runs as it"));
        assert!(reason(&item("other", "stale", "credential")).unwrap().contains("key of its own"));
        assert!(reason(&item("other", "unknown", "nothing")).unwrap().contains("--rotate-unknown"));
        let told = Options { rotate: false, ..options() };
        assert!(
            reason_to_leave(&item("other", "stale", "stamp"), &told).unwrap().contains("--rotate-secrets")
        );
        let all = Options { rotate_unknown: true, ..options() };
        assert_eq!(reason_to_leave(&item("other", "unknown", "nothing"), &all), None);
        assert!(reason_to_leave(&item("own", "unknown", "nothing"), &all).is_some());
    }

    #[test]
    fn only_a_log_that_was_seen_to_be_empty_is_read_from_its_beginning() {
        assert!(matches!(newest(&[]), Ok(LogStart::Empty)));
        assert!(matches!(newest(&[json!({"log_id": "9"})]), Ok(LogStart::After(id)) if id == "9"));
        assert!(newest(&[json!({"date": "2026-01-01"})]).is_err());
    }

    #[test]
    fn a_rotation_is_told_by_the_handle_of_the_secret() {
        let told = rotated(
            &json!({"client_id": "x", "client_secret": "auth0-secret://t/clients/x/client_secret", "stamp_error": {"code": "insufficient-scope", "message": "no scope"}}),
        );
        assert!(told.contains("auth0-secret://") && told.ends_with("no scope"), "{told}");
    }

    #[test]
    fn what_a_row_does_not_say_is_not_sent() {
        let details = Details { title: Some("Lead".to_owned()), ..Details::default() };
        assert_eq!(Value::Object(profile(&details)), json!({"app_metadata": {"title": "Lead"}}));
        let details = Details {
            given_name: Some("Zoë".to_owned()),
            family_name: Some("Lefèvre".to_owned()),
            locale: Some("fr".to_owned()),
            roles: vec!["Employee".to_owned()],
            ..Details::default()
        };
        assert_eq!(
            Value::Object(profile(&details)),
            json!({
                "given_name": "Zoë", "family_name": "Lefèvre", "name": "Zoë Lefèvre",
                "user_metadata": {"locale": "fr"},
            })
        );
    }

    #[test]
    fn a_temporary_password_satisfies_the_strictest_policy_and_is_never_the_same() {
        let password = temporary_password().unwrap();
        assert!(password.len() <= 72, "bcrypt's limit");
        for class in [
            char::is_ascii_lowercase,
            char::is_ascii_uppercase,
            char::is_ascii_digit,
            char::is_ascii_punctuation,
        ] {
            assert!(password.chars().any(|character| class(&character)), "{password}");
        }
        assert_ne!(password, temporary_password().unwrap());
    }
}
