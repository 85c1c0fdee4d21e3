//! Tenant settings and statistics.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::paging::project;
use crate::tenant::Tenant;
use crate::time;

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    Ok(Answer::ok(project(Value::Object(tenant.settings.clone()), &call.query, &[])))
}

pub(crate) fn update(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    for (name, value) in call.object() {
        if name == "flags"
            && let (Some(Value::Object(flags)), Value::Object(change)) =
                (tenant.settings.get_mut("flags"), &value)
        {
            flags.extend(change.clone());
            continue;
        }
        if value.is_null() {
            tenant.settings.shift_remove(&name);
        } else {
            tenant.settings.insert(name, value);
        }
    }
    Ok(Answer::ok(tenant.settings.clone()))
}

/// Users that logged in during the last 30 days: a bare number.
pub(crate) fn active_users(tenant: &mut Tenant, _: &Call) -> Result<Answer, Refusal> {
    let since = time::iso(time::days_ago(30));
    let active =
        tenant.users.iter().filter(|user| user.text("last_login").is_some_and(|at| at > since.as_str()));
    Ok(Answer::ok(active.count()))
}

/// Logins and sign-ups per day, from the log.
pub(crate) fn daily(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let today = Timestamp::now().strftime("%Y%m%d").to_string();
    let from = call.query.get("from").unwrap_or(&today).to_owned();
    let to = call.query.get("to").unwrap_or(&today).to_owned();
    let mut days: std::collections::BTreeMap<String, (u64, u64)> = std::collections::BTreeMap::new();
    for row in &tenant.logs {
        let text = |name: &str| row.row.get(name).and_then(Value::as_str).unwrap_or_default();
        let day = text("date").get(..10).unwrap_or_default().to_owned();
        let compact = day.replace('-', "");
        if compact < from || compact > to {
            continue;
        }
        let counts = days.entry(day).or_default();
        match text("type") {
            "s" => counts.0 += 1,
            "ss" => counts.1 += 1,
            _ => {}
        }
    }
    let rows: Vec<Value> = days
        .into_iter()
        .map(|(day, (logins, signups))| {
            let at = format!("{day}T00:00:00.000Z");
            json!({"date": at, "logins": logins, "signups": signups, "leaked_passwords": 0,
                "created_at": at, "updated_at": at})
        })
        .collect();
    Ok(Answer::ok(rows))
}
