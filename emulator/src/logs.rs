//! The tenant's log: rows for calls, and both ways of reading it.

use std::time::Instant;

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::lucene::{self, Dialect};
use crate::paging::{self, Page, project};
use crate::search;
use crate::tenant::{LogRow, Object, Tenant};
use crate::time;

const LOGS: Dialect = Dialect {
    caseless: &[],
    bare: &["client_name", "connection", "description", "ip", "log_id", "type", "user_name"],
    known: &[
        "client_id",
        "client_name",
        "connection",
        "connection_id",
        "description",
        "date",
        "hostname",
        "ip",
        "log_id",
        "organization_id",
        "user_id",
        "user_name",
        "user_agent",
        "strategy",
        "strategy_type",
        "type",
    ],
    exact_root: None,
    hidden: &[],
};

/// Members of bodies that logs mask.
const SECRET: [&str; 12] = [
    "password",
    "client_secret",
    "api_key",
    "smtp_pass",
    "accessKeyId",
    "secretAccessKey",
    "connectionString",
    "clientSecret",
    "client_assertion",
    "access_token",
    "refresh_token",
    "link_with",
];

/// Replaces secrets, at any depth.
pub(crate) fn masked(value: &Value, mask: &str) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| {
                let hide = SECRET.contains(&key.as_str()) && !value.is_object();
                (key.clone(), if hide { mask.into() } else { masked(value, mask) })
            })
            .collect::<Object>()
            .into(),
        Value::Array(items) => items.iter().map(|item| masked(item, mask)).collect(),
        other => other.clone(),
    }
}

/// Writes a row about a Management API call.
pub(crate) fn write(tenant: &mut Tenant, call: &Call, kind: &str, title: &str, status: u16, answer: &Value) {
    let query: Object =
        call.query.0.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    let details = json!({
        "request": {
            "method": call.operation.method.to_lowercase(),
            "path": call.path,
            "query": query,
            "body": if call.body.is_null() { json!({}) } else { masked(&call.body, "*****") },
            "channel": "api",
            "ip": "127.0.0.1",
            "userAgent": call.user_agent,
            "auth": {
                "strategy": "jwt", "subject": call.caller.subject, "user": {},
                "credentials": {"jti": call.caller.jti, "scopes": call.caller.scopes},
            },
        },
        "response": {"statusCode": status, "body": masked(answer, "*****")},
    });
    let name = tenant
        .client(&call.caller.client_id)
        .and_then(|client| client.text("name"))
        .unwrap_or_default()
        .to_owned();
    tenant.log(kind, title, |row| {
        row.insert("client_id".into(), call.caller.client_id.as_str().into());
        row.insert("client_name".into(), name.into());
        row.insert("user_agent".into(), call.user_agent.as_str().into());
        // `user_id` stays null, as recorded: it names the person who acts, and here an application does.
        row.insert("details".into(), details);
        if let Some(id) = &call.correlation_id {
            row.insert("references".into(), json!({"correlation_id": id}));
        }
    });
}

/// The id below which the plan keeps no rows; ids begin with their second.
fn kept_since(tenant: &Tenant) -> String {
    format!("900{}", time::days_ago(tenant.limits.log_retention_days()).strftime("%Y%m%d%H%M%S"))
}

/// The rows that are indexed and still kept.
fn visible(tenant: &Tenant) -> impl DoubleEndedIterator<Item = &LogRow> {
    let now = Instant::now();
    let oldest = kept_since(tenant);
    tenant.logs.iter().filter(move |row| row.visible <= now && row.id > oldest)
}

pub(crate) fn list(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    if call.query.get("from").is_some() || call.query.get("take").is_some() {
        return by_checkpoint(tenant, call);
    }
    by_criteria(tenant, call)
}

/// Rows strictly newer than `from`, oldest first; every other parameter is ignored.
fn by_checkpoint(tenant: &Tenant, call: &Call) -> Result<Answer, Refusal> {
    let take = call.query.number("take").unwrap_or(50);
    if take > 100 {
        return Err(Refusal::query(format_args!(
            "'Value {take} is greater than maximum 100' on property take (The total amount of entries to retrieve)"
        )));
    }
    let from = call.query.get("from").unwrap_or_default();
    // [?] From an id that is no longer kept, the log goes on with what still is.
    let oldest = kept_since(tenant);
    // The log is kept in the order of its ids, so that the next rows are found by bisection.
    let start = tenant.logs.partition_point(|row| row.id.as_str() <= from || row.id <= oldest);
    let now = Instant::now();
    let rows: Vec<&LogRow> =
        tenant.logs.iter().skip(start).filter(|row| row.visible <= now).take(take).collect();
    let next = rows.last().map_or(from, |row| row.id.as_str());
    let link = format!("<{}/api/v2/logs?from={next}&take={take}>; rel=\"next\"", call.origin);
    let rows: Vec<Value> = rows.into_iter().map(|row| Value::Object(row.row.clone())).collect();
    Ok(Answer::ok(rows).header("link", &link))
}

fn by_criteria(tenant: &Tenant, call: &Call) -> Result<Answer, Refusal> {
    let page = Page::of(&call.query);
    if page.past_wall() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_paging",
            format!(
                "Requesting page {} exceeds the allowed maximum of 1000 records: please consider searching by checkpoint with the from and take parameters",
                call.query.number("page").unwrap_or(0)
            ),
        ));
    }
    let q = call.query.get("q").or_else(|| call.query.get("search")).filter(|q| !q.trim().is_empty());
    let node = q.map(|q| lucene::parse(q, &LOGS)).transpose().map_err(|why| {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_query_string", format!("Invalid query: {why}"))
    })?;
    // Newest first.
    let fits = |row: &&LogRow| node.as_ref().is_none_or(|node| node.matches(&row.row, &LOGS));
    let shown = match call.query.get("sort") {
        // Without a sort the first page needs no look at the rest.
        None => visible(tenant)
            .rev()
            .filter(fits)
            .skip(page.start)
            .take(page.limit)
            .map(|row| row.row.clone())
            .collect(),
        Some(sort) => {
            let mut rows: Vec<&Object> = visible(tenant).rev().filter(fits).map(|row| &row.row).collect();
            search::sort_by(&mut rows, sort)?;
            paging::slice(&rows, page).into_iter().cloned().collect()
        }
    };
    Ok(page_of(call, page, shown))
}

fn page_of(call: &Call, page: Page, rows: Vec<Object>) -> Answer {
    // [?] The ids come whatever `fields` says.
    let rows: Vec<Value> =
        rows.into_iter().map(|row| project(Value::Object(row), &call.query, &["log_id", "_id"])).collect();
    if call.query.flag("include_totals") == Some(true) {
        // `total` equals the page's length, as recorded.
        let length = rows.len();
        return Answer::ok(json!({
            "start": page.start, "limit": page.limit, "length": length, "total": length, "logs": rows,
        }));
    }
    Answer::ok(rows)
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    // [?] The body of the 404 is not on the sheet.
    visible(tenant)
        .find(|row| row.id == call.param("id"))
        .map(|row| Answer::ok(Value::Object(row.row.clone())))
        .ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "The log event does not exist."))
}

pub(crate) fn of_user(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    tenant.user(id).ok_or_else(Refusal::missing_user)?;
    let page = Page::of(&call.query);
    if page.past_wall() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_paging",
            format!(
                "Requesting page {} exceeds the allowed maximum of 1000 records",
                call.query.number("page").unwrap_or(0)
            ),
        ));
    }
    let mut rows: Vec<&Object> = visible(tenant)
        .rev()
        .filter(|row| row.row.get("user_id").and_then(Value::as_str) == Some(id))
        .map(|row| &row.row)
        .collect();
    if let Some(sort) = call.query.get("sort") {
        search::sort_by(&mut rows, sort)?;
    }
    let shown = paging::slice(&rows, page).into_iter().cloned().collect();
    Ok(page_of(call, page, shown))
}
