//! `GET /users`: search, sort, page, and the wall at 1000 records.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::lucene::{self, Dialect};
use crate::paging::{self, Page};
use crate::tenant::{Object, Tenant};
use crate::users;

const USERS: Dialect = Dialect {
    caseless: &["email", "name", "given_name", "family_name", "nickname", "email.domain"],
    // "Normalized fields": the case-insensitive ones.
    bare: &["email", "name", "given_name", "family_name", "nickname"],
    // Federated profiles carry root claims of their own, so that no list is closed; fields that are not indexed
    // match nothing.
    known: &[],
    exact_root: Some("user_metadata"),
    hidden: &["picture", "multifactor", "multifactor_last_modified", "last_password_reset"],
};

pub(crate) fn list(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let page = Page::of(&call.query);
    if page.past_wall() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_paging",
            "You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation",
        ));
    }
    if let Some(engine) = call.query.get("search_engine").filter(|engine| *engine != "v3") {
        return Err(Refusal::query(format_args!(
            "'The search engine {engine} is no longer available, use v3'"
        )));
    }
    let mut found = tenant.indexed_users();
    if let Some(q) = call.query.get("q").filter(|q| !q.trim().is_empty()) {
        let node = lucene::parse(q, &USERS).map_err(|why| {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                "invalid_query_string",
                format!("Invalid query string: {why}"),
            )
        })?;
        found.retain(|profile| node.matches(profile, &USERS));
    }
    if let Some(sort) = call.query.get("sort") {
        sort_by(&mut found, sort)?;
    }
    let total = found.len();
    let shown: Vec<Value> =
        paging::slice(&found, page).iter().map(|profile| users::shown(profile, call)).collect();
    if call.query.flag("include_totals") == Some(true) {
        return Ok(Answer::ok(json!({
            "start": page.start, "limit": page.limit, "length": shown.len(), "total": total, "users": shown,
        })));
    }
    Ok(Answer::ok(shown))
}

/// Sorts by `field:1` or `field:-1`; metadata cannot be sorted by.
pub(crate) fn sort_by(items: &mut [&Object], sort: &str) -> Result<(), Refusal> {
    let (field, direction) = sort.rsplit_once(':').unwrap_or((sort, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if !matches!(direction, "1" | "-1") || field.is_empty() || !field.chars().all(plain) {
        return Err(Refusal::query(format_args!(
            "'String does not match pattern ^(([a-zA-Z0-9_\\\\.]+))\\:(1|-1)$: {sort}' on property sort (The field to sort by)"
        )));
    }
    if field.starts_with("app_metadata") || field.starts_with("user_metadata") {
        return Err(Refusal::query(format_args!("'Sorting by {field} is not supported' on property sort")));
    }
    items.sort_by(|a, b| {
        let order = key(a, field).cmp(&key(b, field));
        if direction == "-1" { order.reverse() } else { order }
    });
    Ok(())
}

/// A value that sorts: nothing first, then numbers, then text.
fn key(object: &Object, field: &str) -> (u8, u64, String) {
    match object.get(field) {
        None | Some(Value::Null) => (0, 0, String::new()),
        Some(Value::Number(number)) => (1, number.as_u64().unwrap_or_default(), String::new()),
        Some(Value::Bool(flag)) => (1, u64::from(*flag), String::new()),
        Some(Value::String(text)) => (2, 0, text.to_lowercase()),
        Some(other) => (2, 0, other.to_string()),
    }
}
