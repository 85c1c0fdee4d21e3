//! The tenant's state: everything behind the one lock.
//!
//! Handlers are plain functions over this struct; the server takes the lock, calls one and lets go, so the lock is
//! never held across a wait.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::blocks::Blocks;
use crate::control::{Counters, Mail};
use crate::ids::Ids;
use crate::limits::{Limits, Plan};
use crate::time;
use crate::tokens::Tokens;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// One offline tenant.
pub(crate) struct Tenant {
    pub(crate) domain: String,
    pub(crate) ids: Ids,
    pub(crate) tokens: Tokens,
    pub(crate) limits: Limits,
    pub(crate) users: Vec<User>,
    /// Every id, address, name and number that a user has or had.
    known: HashSet<String>,
    /// Deleted users that the search index still shows, and until when.
    pub(crate) ghosts: Vec<(Object, Instant)>,
    pub(crate) roles: Vec<Role>,
    pub(crate) resource_servers: Vec<Object>,
    pub(crate) clients: Vec<Client>,
    pub(crate) grants: Vec<Object>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) organizations: Vec<Object>,
    pub(crate) logs: VecDeque<LogRow>,
    pub(crate) sessions: Vec<Object>,
    pub(crate) refresh_tokens: Vec<Object>,
    pub(crate) blocks: Blocks,
    pub(crate) jobs: Vec<Object>,
    pub(crate) settings: Object,
    pub(crate) email_provider: Option<Object>,
    pub(crate) email_templates: BTreeMap<String, Object>,
    pub(crate) management_client: String,
    pub(crate) mail_api_key: String,
    /// Tokens for Microsoft Graph that are good.
    pub(crate) graph_tokens: Vec<String>,
    pub(crate) outbox: Vec<Mail>,
    pub(crate) counts: Counters,
    /// How long writes stay invisible to search and to the logs.
    pub(crate) index_delay: Duration,
    pub(crate) log_serial: u64,
    pub(crate) last_log: Timestamp,
}

/// What no two users of a connection share.
pub(crate) const MARKS: [&str; 3] = ["email", "username", "phone_number"];

/// A user and what hangs on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct User {
    /// The object as `GET /users/{id}` shows it.
    pub(crate) profile: Object,
    pub(crate) password: Option<String>,
    /// Names of the roles' ids, in the order of assignment.
    pub(crate) roles: Vec<String>,
    /// Direct permissions: resource server and name.
    pub(crate) permissions: Vec<(String, String)>,
    pub(crate) enrollments: Vec<Object>,
    pub(crate) authentication_methods: Vec<Object>,
    /// What the search index shows until `indexed_at`: an older profile, or nothing yet.
    pub(crate) stale: Option<(Option<Object>, Instant)>,
}

impl User {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.profile.get(name).and_then(Value::as_str)
    }

    pub(crate) fn id(&self) -> &str {
        self.text("user_id").unwrap_or_default()
    }

    pub(crate) fn blocked(&self) -> bool {
        self.profile.get("blocked") == Some(&Value::Bool(true))
    }

    /// The name of the connection of the main identity.
    pub(crate) fn connection(&self) -> &str {
        self.profile
            .get("identities")
            .and_then(|identities| identities.get(0))
            .and_then(|identity| identity.get("connection"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// A role.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// Resource server and permission name.
    pub(crate) permissions: Vec<(String, String)>,
}

impl Role {
    pub(crate) fn json(&self) -> Value {
        json!({"id": self.id, "name": self.name, "description": self.description})
    }
}

/// An application.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// The whole object, secret included; readers get the part that their scopes allow.
    pub(crate) object: Object,
    /// The keys of private_key_jwt, with their PEM.
    pub(crate) credentials: Vec<Object>,
}

impl Client {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.object.get(name).and_then(Value::as_str)
    }

    pub(crate) fn id(&self) -> &str {
        self.text("client_id").unwrap_or_default()
    }
}

/// A connection and the applications that may use it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    pub(crate) object: Object,
    pub(crate) enabled_clients: Vec<String>,
}

impl Connection {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.object.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A row of the tenant's log and the moment from which searches see it.
#[derive(Debug, Clone)]
pub(crate) struct LogRow {
    pub(crate) id: String,
    pub(crate) row: Object,
    pub(crate) visible: Instant,
}

impl Tenant {
    pub(crate) fn new(domain: String, tokens: Tokens, plan: Plan, mail_api_key: String) -> Self {
        Self {
            domain,
            ids: Ids::default(),
            tokens,
            limits: Limits::new(plan),
            users: Vec::new(),
            known: HashSet::new(),
            ghosts: Vec::new(),
            roles: Vec::new(),
            resource_servers: Vec::new(),
            clients: Vec::new(),
            grants: Vec::new(),
            connections: Vec::new(),
            organizations: Vec::new(),
            logs: VecDeque::new(),
            sessions: Vec::new(),
            refresh_tokens: Vec::new(),
            blocks: Blocks::default(),
            jobs: Vec::new(),
            settings: Object::new(),
            email_provider: None,
            email_templates: BTreeMap::new(),
            management_client: String::new(),
            mail_api_key,
            graph_tokens: Vec::new(),
            outbox: Vec::new(),
            counts: Counters::default(),
            index_delay: Duration::ZERO,
            log_serial: 0,
            last_log: Timestamp::UNIX_EPOCH,
        }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("https://{}/", self.domain)
    }

    pub(crate) fn audience(&self) -> String {
        format!("https://{}/api/v2/", self.domain)
    }

    /// The tenant's short name: the first label of its domain.
    pub(crate) fn name(&self) -> &str {
        self.domain.split('.').next().unwrap_or_default()
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id() == id)
    }

    pub(crate) fn user_mut(&mut self, id: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.id() == id)
    }

    pub(crate) fn role(&self, id: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.id == id)
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id() == id)
    }

    pub(crate) fn client_mut(&mut self, id: &str) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id() == id)
    }

    pub(crate) fn connection_named(&self, name: &str) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.text("name") == name)
    }

    /// Adds a user.
    pub(crate) fn add_user(&mut self, user: User) {
        self.learn_marks(&user.profile);
        self.users.push(user);
    }

    /// Remembers what a user is known by. Call it when that has changed.
    pub(crate) fn learn_marks(&mut self, profile: &Object) {
        let texts = MARKS.iter().chain(&["user_id"]).filter_map(|key| profile.get(*key)?.as_str());
        self.known.extend(texts.map(str::to_owned));
    }

    /// Returns whether a user may be known by this. Looking through all of them for what none has makes the making of
    /// ten thousand users slow.
    pub(crate) fn may_know(&self, mark: &str) -> bool {
        self.known.contains(mark)
    }

    /// Remembers what search shows of a user while its write is not indexed yet. Call it before the change.
    pub(crate) fn about_to_change(&mut self, id: &str) {
        let delay = self.index_delay;
        if delay.is_zero() {
            return;
        }
        let now = Instant::now();
        if let Some(user) = self.user_mut(id) {
            let shown = match user.stale.take() {
                Some((old, until)) if now < until => old,
                _ => Some(user.profile.clone()),
            };
            user.stale = Some((shown, now + delay));
        }
    }

    /// Takes a user out, its sessions and tokens with it; search may show it a little longer.
    pub(crate) fn remove_user(&mut self, id: &str) -> Option<User> {
        let at = self.users.iter().position(|user| user.id() == id)?;
        let user = self.users.remove(at);
        if !self.index_delay.is_zero() {
            self.ghosts.push((user.profile.clone(), Instant::now() + self.index_delay));
        }
        let theirs = |object: &Object| object.get("user_id").and_then(Value::as_str) == Some(id);
        self.sessions.retain(|session| !theirs(session));
        self.refresh_tokens.retain(|token| !theirs(token));
        self.blocks.lift(user.id(), &user.profile);
        Some(user)
    }

    /// The profiles that search and lists see: eventually consistent where an index delay is set.
    pub(crate) fn indexed_users(&mut self) -> Vec<&Object> {
        let now = Instant::now();
        self.ghosts.retain(|(_, until)| now < *until);
        let living = self.users.iter().filter_map(|user| match &user.stale {
            Some((old, until)) if now < *until => old.as_ref(),
            _ => Some(&user.profile),
        });
        living.chain(self.ghosts.iter().map(|(profile, _)| profile)).collect()
    }

    /// Writes a row to the tenant's log; `fill` sets what this event knows.
    pub(crate) fn log(&mut self, kind: &str, description: &str, fill: impl FnOnce(&mut Object)) {
        self.log_at(Timestamp::now(), kind, description, fill);
    }

    /// Writes a row with a given date; dates never go back, because ids grow with them.
    pub(crate) fn log_at(
        &mut self,
        at: Timestamp,
        kind: &str,
        description: &str,
        fill: impl FnOnce(&mut Object),
    ) {
        let at = at.max(self.last_log);
        self.last_log = at;
        self.log_serial += 1;
        // 56 digits: 900, the second, the millisecond, a counter, and the tail seen in recordings.
        let id = format!(
            "900{}{:03}{:017}1223372036854775807",
            at.strftime("%Y%m%d%H%M%S"),
            at.subsec_millisecond(),
            self.log_serial
        );
        let mut row = Object::new();
        for (name, value) in [
            ("_id", id.as_str().into()),
            ("log_id", id.as_str().into()),
            ("date", time::iso(at).into()),
            ("type", kind.into()),
            ("description", description.into()),
            ("connection", Value::Null),
            ("connection_id", Value::Null),
            ("organization_id", Value::Null),
            ("organization_name", Value::Null),
            ("client_id", Value::Null),
            ("client_name", Value::Null),
            ("ip", "127.0.0.1".into()),
            ("hostname", Value::Null),
            ("user_id", Value::Null),
            ("user_name", Value::Null),
            ("user_agent", "Other 0.0.0 / Other 0.0.0".into()),
            ("audience", Value::Null),
            ("strategy", Value::Null),
            ("strategy_type", Value::Null),
            ("isMobile", false.into()),
            ("location_info", Value::Null),
        ] {
            row.insert(name.to_owned(), value);
        }
        row.insert("tenant_name".into(), self.name().into());
        fill(&mut row);
        self.logs.push_back(LogRow { id, row, visible: Instant::now() + self.index_delay });
        // Retention by number instead of by days: enough for any test, bounded for a server that runs for weeks.
        if self.logs.len() > 100_000 {
            self.logs.pop_front();
        }
    }

    /// Writes a row about a user.
    pub(crate) fn log_user(&mut self, kind: &str, description: &str, user: &Object) {
        let text = |name: &str| user.get(name).cloned().unwrap_or(Value::Null);
        let identity = user.get("identities").and_then(|all| all.get(0)).cloned().unwrap_or(Value::Null);
        let connection = identity.get("connection").cloned().unwrap_or(Value::Null);
        let (id, strategy) = connection
            .as_str()
            .and_then(|name| self.connection_named(name))
            .map_or((Value::Null, Value::Null), |c| (c.text("id").into(), c.text("strategy").into()));
        let name = if user.get("email").is_some() { text("email") } else { text("name") };
        let user_id = text("user_id");
        self.log(kind, description, |row| {
            row.insert("user_id".into(), user_id);
            row.insert("user_name".into(), name);
            row.insert("connection".into(), connection);
            row.insert("connection_id".into(), id);
            row.insert(
                "strategy_type".into(),
                if strategy == "auth0" { "database".into() } else { "social".into() },
            );
            row.insert("strategy".into(), strategy);
        });
    }
}
