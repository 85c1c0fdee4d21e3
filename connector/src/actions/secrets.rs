//! How old the applications' secrets are.
//!
//! Auth0 exposes no age of a secret (facts, section 6). Three sources can tell something: our own stamp, the creation
//! date of a private_key_jwt credential, and the tenant's log, which can only prove that a secret is young, since it
//! forgets after 1 to 30 days. Everything else is unknown, and said to be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Fields;
use super::applications::{ListApplications, STAMP};
use super::logs::ListLogs;
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::{need, need_for};
use crate::core::timestamp::{DAY_MS, format_ms, parse_ms};
use crate::input::input;
use crate::list::Part;

/// Age from which a secret is stale, where none is given: the quarterly rotation of the stories.
const OLDER_THAN_DAYS: u32 = 90;

/// The cursor behind the last row that a search reaches.
const LAST_CURSOR: &str = "offset:1000";

struct Evidence {
    source: &'static str,
    rotated_ms: i64,
    detail: Value,
}

fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn verdict(application: &Value, id: &str, evidence: Vec<Evidence>, now_ms: i64, days: u32) -> Value {
    let name = application.get("name").cloned().unwrap_or_default();
    // A day of tolerance for clocks; a date beyond that was written by hand and proves nothing.
    let (past, future): (Vec<_>, Vec<_>) =
        evidence.into_iter().partition(|evidence| evidence.rotated_ms <= now_ms.saturating_add(DAY_MS));
    let Some(newest) = past.into_iter().max_by_key(|evidence| evidence.rotated_ms) else {
        let detail = match future.first() {
            Some(found) => json!({ "ignored": found.detail, "because": "it lies in the future" }),
            None => json!({ "searched": ["stamp", "credential", "log"] }),
        };
        let evidence = json!({ "source": "nothing", "detail": detail });
        return json!({ "client_id": id, "name": name, "state": "unknown", "evidence": evidence });
    };
    let age_days = (now_ms - newest.rotated_ms).max(0) / DAY_MS;
    let state = if age_days < i64::from(days) { "fresh" } else { "stale" };
    json!({
        "client_id": id,
        "name": name,
        "state": state,
        "rotated_at": format_ms(newest.rotated_ms),
        "age_days": age_days,
        "evidence": { "source": newest.source, "detail": newest.detail },
    })
}

fn stamp(application: &Value) -> Option<Evidence> {
    let stamp = text(application.get("client_metadata")?, STAMP)?;
    let rotated_ms = parse_ms(stamp)?;
    Some(Evidence { source: "stamp", rotated_ms, detail: json!({ "client_metadata": { STAMP: stamp } }) })
}

/// Whether an application proves itself by a key.
enum Key {
    /// By a secret.
    NotUsed,
    /// By a key, or nobody knows: the creation date of the newest one, where it may be read.
    Used(Option<Evidence>),
}

fn key(client: &mut Client<'_>, application: &Value, id: &str, methods_known: bool) -> Result<Key, Error> {
    let by_key = application.get(METHODS).is_some_and(|methods| methods.get("private_key_jwt").is_some());
    if !by_key {
        // An application has either methods or this one; without both it is not known what it uses.
        let by_secret = methods_known || text(application, "token_endpoint_auth_method").is_some();
        return Ok(if by_secret { Key::NotUsed } else { Key::Used(None) });
    }
    let request = Request::api(Method::Get, &ApiPath::of(&["clients", id, "credentials"]));
    let Some(credentials) = optional(client.json(&request))? else { return Ok(Key::Used(None)) };
    let newest = credentials.as_array().into_iter().flatten().filter_map(|credential| {
        let created = text(credential, "created_at").and_then(parse_ms)?;
        Some((created, credential.get("id").cloned().unwrap_or_default()))
    });
    let newest = newest.max_by_key(|(created, _)| *created);
    Ok(Key::Used(newest.map(|(created, credential_id)| Evidence {
        source: "credential",
        rotated_ms: created,
        detail: json!({ "credential_id": credential_id, "created_at": format_ms(created) }),
    })))
}

const FIELDS: &[&str] = &["client_id", "name", "client_metadata", "token_endpoint_auth_method"];

/// The field that says which applications prove themselves by a key. Needs a scope of its own (facts, section 6).
const METHODS: &str = "client_authentication_methods";

/// Lists the applications, and returns whether it is known how they prove themselves.
fn all_applications(client: &mut Client<'_>) -> Result<(Vec<Value>, bool), Error> {
    match list_all(client, &[FIELDS, &[METHODS]].concat()) {
        // Evidence that may not be read is not there; the applications themselves may still be.
        Err(error) if error.is_forbidden() => Ok((list_all(client, FIELDS)?, false)),
        result => Ok((result?, true)),
    }
}

fn list_all(client: &mut Client<'_>, fields: &[&str]) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let input = ListApplications {
            fields: Some(Fields::List(fields.iter().map(|&field| field.to_owned()).collect())),
            part: Part { limit: Some(100), cursor, ..Part::default() },
            ..ListApplications::default()
        };
        let mut page = input.run(client)?;
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            all.extend(items);
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(all),
        }
    }
}

/// Rotations and creations that the log still knows, newest per application, and a note where it may not be read.
type Changes = BTreeMap<String, (i64, Value)>;

fn logged_changes(client: &mut Client<'_>) -> Result<(Changes, Option<String>), Error> {
    let mut changes = Changes::new();
    let mut note = None;
    for description in ["Rotate a client secret", "Create a client"] {
        let mut cursor = None;
        loop {
            let input = ListLogs {
                q: Some(format!("type:sapi AND description:\"{description}\"")),
                limit: Some(100),
                cursor,
                ..ListLogs::default()
            };
            let rows = match input.run(client) {
                Ok(rows) => rows,
                Err(error) if error.is_forbidden() => {
                    return Ok((changes, Some(format!("the tenant's log could not be read: {error}"))));
                }
                Err(error) => return Err(error),
            };
            for row in rows.get("items").and_then(Value::as_array).into_iter().flatten() {
                note_change(&mut changes, row);
            }
            let Some(next) = rows.get("next").and_then(Value::as_str) else { break };
            if next == LAST_CURSOR {
                note = Some(
                    "the tenant's log has more rows than a search reaches; older ones were not read"
                        .to_owned(),
                );
                break;
            }
            cursor = Some(next.to_owned());
        }
    }
    Ok((changes, note))
}

fn note_change(changes: &mut Changes, row: &Value) {
    let path = row.pointer("/details/request/path").and_then(Value::as_str).unwrap_or_default();
    let segments: Vec<_> = path.trim_start_matches("/api/v2/").split('/').collect();
    let id = match segments.as_slice() {
        ["clients", id, "rotate-secret"] => Some(*id),
        ["clients"] => row.pointer("/details/response/body/client_id").and_then(Value::as_str),
        _ => None,
    };
    let date = text(row, "date").and_then(parse_ms);
    if let (Some(id), Some(date)) = (id, date)
        && changes.get(id).is_none_or(|(known, _)| *known < date)
    {
        let detail = json!({
            "log_id": row.get("log_id").cloned().unwrap_or_default(),
            "description": row.get("description").cloned().unwrap_or_default(),
        });
        changes.insert(id.to_owned(), (date, detail));
    }
}

/// Turns a refusal into nothing: evidence that may not be read is not there.
fn optional(result: Result<Value, Error>) -> Result<Option<Value>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_forbidden() || error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

const SECRET_AGE: Shape = Shape(&[
    ("client_id", Kind::Text, "Id of the application"),
    ("name", Kind::Text, "Name of the application"),
    ("state", Kind::Text, "fresh (proved), stale (recorded as older) or unknown: treat unknown as stale"),
    ("rotated_at", Kind::Time, "When the secret was last known to change"),
    ("age_days", Kind::Number, "Age in whole days"),
    (
        "evidence",
        Kind::Object(&Shape(&[
            ("source", Kind::Text, "stamp, credential, log or nothing"),
            ("detail", Kind::Bag, "What was found there"),
        ])),
        "What the verdict rests on",
    ),
]);

const REPORT: Shape = Shape(&[
    ("items", Kind::List(&SECRET_AGE), "One entry per application: all of them, in one page"),
    ("total", Kind::Number, "How many there are"),
    ("older_than_days", Kind::Number, "The limit that was applied, in days"),
    ("log_note", Kind::Text, "Why the tenant's log could not be used, or not whole; absent where it could"),
]);

/// The family.
pub(super) const ACTIONS: &[Action] = &[Action::of::<FindStaleSecrets>()];

input! {
    /// Input of `find-stale-secrets`.
    struct FindStaleSecrets {
        /// Age in days from which a secret is stale; 90 by default.
        #[schemars(range(min = 1))]
        older_than_days: Option<u32>,
        /// Report public applications too, which use no secret; false by default.
        include_public: Option<bool>,
    }
}

impl CuratedAction for FindStaleSecrets {
    const ABOUT: About = About {
        id: "find-stale-secrets",
        title: "Find stale secrets",
        description: "Finds for each application whether its secret is older than a limit (90 days by default): fresh, stale or \
                      unknown, with the evidence: the stamp that rotate-client-secret writes, the dates of private_key_jwt \
                      credentials (read:client_credentials), or the tenant's log (read:logs). Auth0 itself exposes no age, and \
                      its log is kept for 1 to 30 days.",
        group: "applications",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /clients", "GET /logs", "GET /clients/{client_id}/credentials"],
        handles_personal_data: true,
        scopes: &[
            need(&["read:clients"]),
            need_for(&["read:client_credentials"], "the age of private_key_jwt credentials"),
            need_for(&["read:logs"], "evidence from the log"),
        ],
        output: Output::One(&REPORT),
    };

    /// A log or credential that may not be read is no failure: it is evidence that is not there.
    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let days = self.older_than_days.unwrap_or(OLDER_THAN_DAYS);
        if days == 0 {
            return Err(Error::invalid(
                "older_than_days 0 refused: every secret would be stale; give at least 1",
            ));
        }
        let now = client.unix_ms();
        let (applications, methods_known) = all_applications(client)?;
        let (rotations, log_note) = logged_changes(client)?;
        let mut items = Vec::new();
        for application in &applications {
            let public = text(application, "token_endpoint_auth_method") == Some("none");
            if public && self.include_public != Some(true) {
                continue;
            }
            let id = text(application, "client_id").unwrap_or_default();
            let log = rotations.get(id).map(|(rotated_ms, row)| Evidence {
                source: "log",
                rotated_ms: *rotated_ms,
                detail: row.clone(),
            });
            // An application that signs with a key is as old as its key; a stamp or a rotation is about a secret it does not
            // use. For the others the newest evidence holds: a secret may be rotated by hand, behind the stamp's back.
            let evidence = match key(client, application, id, methods_known)? {
                Key::Used(credential) => credential.into_iter().collect(),
                Key::NotUsed => stamp(application).into_iter().chain(log).collect(),
            };
            items.push(verdict(application, id, evidence, now, days));
        }
        let mut answer = json!({ "items": items, "total": items.len(), "older_than_days": days });
        if let (Some(note), Some(answer)) = (log_note, answer.as_object_mut()) {
            answer.insert("log_note".to_owned(), note.into());
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_740_823_200_000;

    fn found(source: &'static str, days_ago: i64) -> Evidence {
        Evidence { source, rotated_ms: NOW - days_ago * DAY_MS, detail: json!({}) }
    }

    #[test]
    fn the_newest_evidence_decides_and_none_is_unknown() {
        let cases = [
            (vec![], "unknown", "nothing"),
            (vec![found("stamp", 10)], "fresh", "stamp"),
            (vec![found("stamp", 89)], "fresh", "stamp"),
            (vec![found("stamp", 90)], "stale", "stamp"),
            (vec![found("stamp", 200), found("log", 5)], "fresh", "log"),
            (vec![found("stamp", -400)], "unknown", "nothing"),
            (vec![found("stamp", -400), found("log", 100)], "stale", "log"),
        ];
        for (evidence, state, source) in cases {
            let verdict = verdict(&json!({"name": "A"}), "c", evidence, NOW, 90);
            assert_eq!((&verdict["state"], &verdict["evidence"]["source"]), (&json!(state), &json!(source)));
        }
    }

    #[test]
    fn a_stamp_that_is_no_date_is_no_evidence() {
        assert!(stamp(&json!({"client_metadata": {STAMP: "soon"}})).is_none());
        assert!(stamp(&json!({"client_metadata": {}})).is_none());
        assert!(stamp(&json!({"client_metadata": {STAMP: "2025-01-01T00:00:00.000Z"}})).is_some());
    }

    #[test]
    fn rotations_and_creations_are_read_from_the_log_and_the_newest_kept() {
        let row = |path: &str, date: &str| json!({"date": date, "details": {"request": {"path": path}, "response": {"body": {"client_id": "b"}}}});
        let mut changes = Changes::new();
        note_change(&mut changes, &row("/api/v2/clients/a/rotate-secret", "2025-02-01T00:00:00.000Z"));
        note_change(&mut changes, &row("/api/v2/clients/a/rotate-secret", "2025-01-01T00:00:00.000Z"));
        note_change(&mut changes, &row("/api/v2/clients", "2025-01-15T00:00:00.000Z"));
        note_change(&mut changes, &row("/api/v2/clients/c", "2025-01-15T00:00:00.000Z"));
        let kept: Vec<_> = changes.iter().map(|(id, (ms, _))| (id.as_str(), format_ms(*ms))).collect();
        assert_eq!(
            kept,
            [("a", "2025-02-01T00:00:00.000Z".to_owned()), ("b", "2025-01-15T00:00:00.000Z".to_owned())]
        );
    }
}
