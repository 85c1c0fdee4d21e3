//! The control surface of the library: faults, logins, counters, the outbox, and a direct look at the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::keys::Keys;
use crate::server::Shared;
use crate::sessions::{self, LoginError};
use crate::tenant::{Object, Tenant};

/// What the server counted since its start or the last reset; control requests are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counters {
    /// Requests to the tenant and to the mail stand-ins.
    pub requests: u64,
    /// Requests per `METHOD /path-template`, e.g. `GET /api/v2/users/{id}`.
    pub by_route: BTreeMap<String, u64>,
    /// Answers per status; a reset connection is status 0.
    pub by_status: BTreeMap<u16, u64>,
    /// Connections to the tenant that carried at least one request.
    pub connections: u64,
    /// Connections to the mail stand-ins that carried at least one request.
    pub mail_connections: u64,
    /// TLS handshakes that took up an earlier session, of both listeners.
    pub tls_resumed: u64,
    /// Access tokens issued.
    pub tokens_issued: u64,
    /// Emails that the stand-ins accepted.
    pub mails_accepted: u64,
}

/// Which of the two listeners saw a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listener {
    /// The tenant.
    Tenant,
    /// The mail stand-ins.
    Mail,
}

/// A request as the server saw it, secrets masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SeenRequest {
    /// Which listener it came to.
    pub listener: Listener,
    /// The number of its connection, counted from 1 over both listeners.
    pub connection: u64,
    /// The protocol, e.g. `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The method.
    pub method: String,
    /// The path, still encoded.
    pub path: String,
    /// The query, still encoded.
    pub query: Option<String>,
    /// The template that it matched, e.g. `/api/v2/users/{id}`.
    pub route: Option<String>,
    /// The headers in lower case; values of `authorization` and `cookie` are `[masked]`.
    pub headers: Vec<(String, String)>,
    /// Whether it carried a credential that was accepted.
    pub authorized: bool,
    /// The body as JSON, passwords and secrets replaced by `[masked]`; a body that is no JSON is a string.
    pub body: Option<Value>,
    /// The status answered; none when the connection was reset instead.
    pub status: Option<u16>,
    /// When it came, ISO-8601.
    pub at: String,
}

impl SeenRequest {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An email that a stand-in accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mail {
    /// `sendgrid`, `mailgun`, `mandrill`, `sparkpost`, `resend`, `ses`, `azure_cs` or `ms365`.
    pub provider: String,
    /// The sender's address.
    pub from: String,
    /// The sender's display name.
    pub from_name: Option<String>,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The HTML body.
    pub html: Option<String>,
    /// The plain-text body.
    pub text: Option<String>,
    /// Mailgun's sending domain, from the path.
    pub domain: Option<String>,
    /// The id that the provider answered.
    pub id: String,
    /// The `Host` header of the request: tells regions apart where a proxy keeps it.
    pub host: Option<String>,
    /// When it was accepted, ISO-8601.
    pub at: String,
}

/// A login made through the control surface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// The session's id.
    pub session_id: String,
    /// The id of the refresh token that came with it.
    pub refresh_token_id: String,
    /// The user.
    pub user_id: String,
    /// The application.
    pub client_id: String,
}

/// A handle on a running tenant: cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    fn tenant<T>(&self, look: impl FnOnce(&mut Tenant) -> T) -> T {
        look(&mut self.shared.tenant())
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.tenant(|tenant| Arc::clone(&tenant.tokens.keys))
    }

    /// Adds a fault; the oldest that fits a request hits it.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Reads the counters.
    pub fn counters(&self) -> Counters {
        self.tenant(|tenant| tenant.counts.clone())
    }

    /// Answers the requests seen since the last reset, oldest first; the last 20 000 are kept.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.seen().iter().cloned().collect()
    }

    /// Sets the counters to zero and forgets the requests seen.
    pub fn reset_counters(&self) {
        self.shared.seen().clear();
        self.tenant(|tenant| tenant.counts = Counters::default());
    }

    /// Answers the accepted emails, oldest first.
    pub fn outbox(&self) -> Vec<Mail> {
        self.tenant(|tenant| tenant.outbox.clone())
    }

    /// Forgets the accepted emails.
    pub fn clear_outbox(&self) {
        self.tenant(|tenant| tenant.outbox.clear());
    }

    /// Logs a user in to an application (the first one for people when none is named).
    ///
    /// # Errors
    /// The user does not exist, or is blocked; the tenant logs the latter.
    pub fn log_in(&self, user_id: &str, client_id: Option<&str>) -> Result<Session, LoginError> {
        self.tenant(|tenant| sessions::log_in(tenant, user_id, client_id, Timestamp::now()))
    }

    /// Lets a user, named by id, email or username, fail to log in from an address; ten failures block it there.
    ///
    /// # Errors
    /// The user does not exist; the tenant logs that as well.
    pub fn fail_log_in(&self, user: &str, ip: &str) -> Result<(), LoginError> {
        self.tenant(|tenant| sessions::fail_log_in(tenant, user, ip))
    }

    /// Makes every token issued so far an expired one.
    pub fn expire_tokens(&self) {
        self.tenant(|tenant| {
            tenant.tokens.expire_all();
            tenant.graph_tokens.clear();
        });
    }

    /// Sets how long tokens issued from now on live, in seconds; a day at start.
    pub fn set_token_lifetime(&self, seconds: u32) {
        self.tenant(|tenant| tenant.tokens.lifetime = i64::from(seconds));
    }

    /// Sets how far the clock that the `Date` header shows is ahead, in seconds; behind where negative. Everything else
    /// keeps this machine's time.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.shared.clock_offset.store(seconds, Ordering::Relaxed);
    }

    /// Restricts the grant of the connector's application. Tokens issued before keep what they have.
    pub fn set_scopes(&self, scopes: &[&str]) {
        self.tenant(|tenant| {
            let (client, audience) = (tenant.management_client.clone(), tenant.audience());
            let grant = tenant.grants.iter_mut().find(|grant| {
                grant.get("client_id").and_then(Value::as_str) == Some(client.as_str())
                    && grant.get("audience").and_then(Value::as_str) == Some(audience.as_str())
            });
            if let Some(grant) = grant {
                grant.insert("scope".into(), json!(scopes));
            }
        });
    }

    /// Grants the connector's application every scope again.
    pub fn set_all_scopes(&self) {
        let all: Vec<&str> = crate::operation::all_scopes().iter().map(String::as_str).collect();
        self.set_scopes(&all);
    }

    /// Sets the email provider (an object as `POST /emails/provider` takes it), or with null removes it.
    pub fn set_email_provider(&self, provider: Value) {
        self.tenant(|tenant| tenant.email_provider = provider.as_object().cloned());
    }

    /// Sets how long writes stay invisible to user search and log search; zero at start.
    pub fn set_index_delay(&self, delay: Duration) {
        self.tenant(|tenant| tenant.index_delay = delay);
    }

    /// A user as stored.
    pub fn user(&self, user_id: &str) -> Option<Value> {
        self.tenant(|tenant| tenant.user(user_id).map(|user| Value::Object(user.profile.clone())))
    }

    /// The first user with an email.
    pub fn user_by_email(&self, email: &str) -> Option<Value> {
        self.users().into_iter().find(|user| user.get("email").and_then(Value::as_str) == Some(email))
    }

    /// All users as stored.
    pub fn users(&self) -> Vec<Value> {
        self.tenant(|tenant| tenant.users.iter().map(|user| Value::Object(user.profile.clone())).collect())
    }

    /// The names of a user's roles.
    pub fn user_roles(&self, user_id: &str) -> Vec<String> {
        self.tenant(|tenant| {
            let ids = tenant.user(user_id).map(|user| user.roles.clone()).unwrap_or_default();
            ids.iter().filter_map(|id| tenant.role(id)).map(|role| role.name.clone()).collect()
        })
    }

    /// The password of a user.
    pub fn user_password(&self, user_id: &str) -> Option<String> {
        self.tenant(|tenant| tenant.user(user_id).and_then(|user| user.password.clone()))
    }

    /// The number of a user's sessions and of its refresh tokens.
    pub fn live_logins(&self, user_id: &str) -> (usize, usize) {
        self.tenant(|tenant| {
            let count = |objects: &[Object]| {
                objects.iter().filter(|o| o.get("user_id").and_then(Value::as_str) == Some(user_id)).count()
            };
            (count(&tenant.sessions), count(&tenant.refresh_tokens))
        })
    }

    /// An application as stored, with its secret.
    pub fn client(&self, client_id: &str) -> Option<Value> {
        self.tenant(|tenant| tenant.client(client_id).map(|client| Value::Object(client.object.clone())))
    }

    /// All applications as stored, with their secrets.
    pub fn clients(&self) -> Vec<Value> {
        self.tenant(|tenant| {
            tenant.clients.iter().map(|client| Value::Object(client.object.clone())).collect()
        })
    }

    /// All roles as stored.
    pub fn roles(&self) -> Vec<Value> {
        self.tenant(|tenant| tenant.roles.iter().map(crate::tenant::Role::json).collect())
    }

    /// All connections as stored.
    pub fn connections(&self) -> Vec<Value> {
        self.tenant(|tenant| {
            tenant.connections.iter().map(|connection| Value::Object(connection.object.clone())).collect()
        })
    }

    /// The tenant's log, oldest first.
    pub fn logs(&self) -> Vec<Value> {
        self.tenant(|tenant| tenant.logs.iter().map(|row| Value::Object(row.row.clone())).collect())
    }
}
