//! Tickets, jobs and the emails that the tenant itself would send.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::ids;
use crate::tenant::{Object, Tenant};
use crate::time;

fn url(tenant: &Tenant, path: &str) -> String {
    format!("https://{}/{path}", tenant.domain)
}

pub(crate) fn password_change(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    if call.text("result_url").is_some()
        && (call.text("client_id").is_some() || call.text("organization_id").is_some())
    {
        return Err(Refusal::body("'result_url cannot be combined with client_id or organization_id'"));
    }
    let found = match (call.text("user_id"), call.text("email"), call.text("connection_id")) {
        (Some(id), ..) => tenant.user(id).map(|user| user.id().to_owned()),
        (None, Some(email), Some(connection)) => {
            let Some(name) = tenant
                .connections
                .iter()
                .find(|known| known.text("id") == connection)
                .map(|known| known.text("name").to_owned())
            else {
                return Err(Refusal::new(
                    StatusCode::NOT_FOUND,
                    "inexistent_connection",
                    "The connection does not exist",
                ));
            };
            tenant
                .users
                .iter()
                .find(|user| user.connection() == name && user.text("email") == Some(email))
                .map(|user| user.id().to_owned())
        }
        _ => return Err(Refusal::body("'Either user_id, or connection_id and email are required'")),
    };
    found.ok_or_else(Refusal::missing_user)?;
    check_client(tenant, call)?;
    check_ttl(call)?;
    let ticket = format!("{}?ticket={}#", url(tenant, "u/reset-password"), ids::secret(32));
    Ok(Answer::created(json!({"ticket": ticket})))
}

fn check_ttl(call: &Call) -> Result<(), Refusal> {
    match call.field("ttl_sec").and_then(Value::as_i64) {
        Some(ttl) if ttl < 0 => {
            Err(Refusal::body(format_args!("'Value {ttl} is less than minimum 0' on property ttl_sec")))
        }
        _ => Ok(()),
    }
}

fn check_client(tenant: &Tenant, call: &Call) -> Result<(), Refusal> {
    if let Some(id) = call.text("client_id")
        && tenant.client(id).is_none()
    {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "inexistent_client", "The client does not exist"));
    }
    Ok(())
}

pub(crate) fn email_verification(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = tenant.user(call.text("user_id").unwrap_or_default()).ok_or_else(Refusal::missing_user)?;
    if user.text("email").is_none() {
        return Err(Refusal::plain(StatusCode::BAD_REQUEST, "The user does not have an email address."));
    }
    check_client(tenant, call)?;
    check_ttl(call)?;
    let ticket = format!("{}?ticket={}#", url(tenant, "u/email-verification"), ids::secret(32));
    Ok(Answer::created(json!({"ticket": ticket})))
}

pub(crate) fn enrollment(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.text("user_id").unwrap_or_default();
    let profile = tenant.user(id).ok_or_else(Refusal::missing_user)?.profile.clone();
    let ticket_id = ids::secret(32);
    let ticket_url = format!("https://{}/u/mfa-enrollment?ticket={ticket_id}", tenant.domain);
    if call.flag("send_mail") == Some(true) {
        tenant.log_user("gd_start_enroll", "Guardian - Enroll start (mail sent)", &profile);
    }
    Ok(Answer::ok(json!({"ticket_id": ticket_id, "ticket_url": ticket_url})))
}

pub(crate) fn verification_email(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.text("user_id").unwrap_or_default();
    let profile = tenant.user(id).ok_or_else(Refusal::missing_user)?.profile.clone();
    check_client(tenant, call)?;
    let job = json!({
        "type": "verification_email", "status": "pending", "created_at": time::now_iso(),
        "id": tenant.ids.alnum("job_", 16),
    });
    let object = job.as_object().cloned().unwrap_or_default();
    tenant.jobs.push(object);
    tenant.log_user("svr", "", &profile);
    Ok(Answer::created(job))
}

fn find<'t>(tenant: &'t mut Tenant, call: &Call) -> Result<&'t mut Object, Refusal> {
    // Job data vanish after a day.
    let oldest = time::iso(time::shift(Timestamp::now(), -86_400));
    tenant
        .jobs
        .retain(|job| job.get("created_at").and_then(Value::as_str).is_some_and(|at| at > oldest.as_str()));
    tenant
        .jobs
        .iter_mut()
        .find(|job| job.get("id").and_then(Value::as_str) == Some(call.param("id")))
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "inexistent_job", "The job does not exist."))
}

/// The first look finds a job pending, every later one completed.
pub(crate) fn job(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let job = find(tenant, call)?;
    let shown = job.clone();
    job.insert("status".into(), "completed".into());
    Ok(Answer::ok(shown))
}

pub(crate) fn job_errors(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    find(tenant, call)?;
    Ok(Answer::no_content())
}

/// `POST /dbconnections/change_password` of the Authentication API: needs no token, and tells nobody who has an
/// account.
pub(crate) fn change_password(tenant: &mut Tenant, form: &Map<String, Value>) -> Answer {
    let text = |name: &str| form.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let refuse = |code: &str, message: String| {
        Answer::json(StatusCode::BAD_REQUEST, json!({"error": message, "code": code}))
    };
    let Some(connection) = text("connection") else {
        return refuse("invalid_request", "connection is required".to_owned());
    };
    let Some(email) = text("email").or(text("username")) else {
        return refuse("invalid_request", "email is required".to_owned());
    };
    if let Some(client) = text("client_id")
        && tenant.client(client).is_none()
    {
        return refuse("invalid_request", format!("Unknown client: {client}"));
    }
    if tenant.connection_named(connection).is_none_or(|known| known.text("strategy") != "auth0") {
        return refuse(
            "invalid_request",
            format!("connection {connection} does not exist or is no database"),
        );
    }
    let email = email.to_lowercase();
    let found = tenant
        .users
        .iter()
        .find(|user| user.connection() == connection && (user.text("email") == Some(email.as_str())))
        .map(|user| user.profile.clone());
    match found {
        Some(profile) => tenant.log_user("scpr", "", &profile),
        None => tenant.log("fcpr", "The user does not exist.", |row| {
            row.insert("user_name".into(), email.into());
            row.insert("connection".into(), connection.into());
        }),
    }
    Answer::text(
        StatusCode::OK,
        "text/html; charset=utf-8",
        "We've just sent you an email to reset your password.",
    )
}
