//! The control surface over HTTP, under `/__emulator/`.
//!
//! It asks for no token, and whatever runs on the machine reaches its port, web pages included. So it takes no request of
//! a page: none with an `Origin`, which browsers send with every request that changes something, and none under a name
//! that its owner may let resolve to this machine (DNS rebinding).

use http::{HeaderMap, StatusCode, Uri, header, uri::Authority};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

use crate::call::Answer;
use crate::control::Control;
use crate::faults::Fault;
use crate::http_server::Incomer;
use crate::server::Shared;
use crate::sessions::LoginError;

/// Answers a control request.
pub(crate) fn answer(shared: &Arc<Shared>, incomer: &Incomer) -> Answer {
    let control = Control { shared: Arc::clone(shared) };
    handle(&control, incomer)
        .unwrap_or_else(|(status, message)| Answer::json(status, json!({"error": message})))
}

/// Refuses a request that a web page may have sent.
pub(crate) fn refuse_stranger(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Option<Answer> {
    let refuse = |message: String| Some(Answer::json(StatusCode::FORBIDDEN, json!({"error": message})));
    if headers.contains_key(header::ORIGIN) {
        return refuse(
            "the control API takes no request with an `Origin`: no web page may control this tenant. Send it from a \
             program, without that header"
                .to_owned(),
        );
    }
    // HTTP/2 has it in the URI.
    let named = || headers.get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = uri.authority().cloned().or_else(named);
    let host = authority.as_ref().map(Authority::host).unwrap_or_default().to_ascii_lowercase();
    if is_own(shared, &host) {
        return None;
    }
    refuse(format!(
        "the control API takes requests to a loopback address only, such as {}, and none with the `Host` of this one",
        shared.base_url
    ))
}

/// Whether a name is this tenant's. Nobody can let one that ends in `.localhost` resolve elsewhere (RFC 6761, section 6.3).
fn is_own(shared: &Shared, host: &str) -> bool {
    let base_url = shared.base_url.parse::<Uri>().ok();
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
        || host.ends_with(".localhost")
        || base_url.as_ref().and_then(Uri::host) == Some(host)
}

type Handled = Result<Answer, (StatusCode, String)>;

fn handle(control: &Control, incomer: &Incomer) -> Handled {
    let verb = incomer.path.strip_prefix("/__emulator/").unwrap_or_default();
    match (incomer.method.as_str(), verb) {
        ("GET", "info") => Ok(Answer::ok(info(control))),
        ("GET", "counters") => shown(&control.counters()),
        ("GET", "requests") => shown(&control.requests()),
        ("DELETE", "requests") => {
            control.reset_counters();
            Ok(Answer::no_content())
        }
        ("GET", "outbox") => shown(&control.outbox()),
        ("DELETE", "outbox") => {
            control.clear_outbox();
            Ok(Answer::no_content())
        }
        ("POST", "faults") => {
            let body: Value = read(incomer)?;
            let one_or_many = if body.is_array() { body } else { json!([body]) };
            let faults: Vec<Fault> = serde_json::from_value(one_or_many)
                .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
            for fault in faults {
                control.inject(fault);
            }
            Ok(Answer::no_content())
        }
        ("DELETE", "faults") => {
            control.clear_faults();
            Ok(Answer::no_content())
        }
        ("POST", "log-in") => {
            let body: Value = read(incomer)?;
            let user = text(&body, "user_id")?;
            let session =
                control.log_in(&user, body.get("client_id").and_then(Value::as_str)).map_err(refused)?;
            shown(&session)
        }
        ("POST", "failed-log-in") => {
            let body: Value = read(incomer)?;
            let ip = body.get("ip").and_then(Value::as_str).unwrap_or("203.0.113.9");
            control.fail_log_in(&text(&body, "user")?, ip).map_err(refused)?;
            Ok(Answer::no_content())
        }
        ("POST", "expire-tokens") => {
            control.expire_tokens();
            Ok(Answer::no_content())
        }
        ("POST", "scopes") => {
            let body: Value = read(incomer)?;
            match body.get("scopes").and_then(Value::as_array) {
                Some(scopes) => {
                    control.set_scopes(&scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>())
                }
                None => control.set_all_scopes(),
            }
            Ok(Answer::no_content())
        }
        ("POST", "index-delay") => {
            let body: Value = read(incomer)?;
            control
                .set_index_delay(Duration::from_millis(body.get("ms").and_then(Value::as_u64).unwrap_or(0)));
            Ok(Answer::no_content())
        }
        ("POST", "email-provider") => {
            control.set_email_provider(read(incomer)?);
            Ok(Answer::no_content())
        }
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("unknown control request {} {}", incomer.method, incomer.path),
        )),
    }
}

fn info(control: &Control) -> Value {
    let shared = &control.shared;
    let tenant = shared.tenant();
    json!({
        "domain": tenant.domain, "base_url": shared.base_url, "audience": tenant.audience(),
        "client_id": tenant.management_client, "mail_base_url": shared.mail_base_url,
        "plan": shared.plan.to_string(),
    })
}

fn read<T: DeserializeOwned>(incomer: &Incomer) -> Result<T, (StatusCode, String)> {
    let body: &[u8] = if incomer.body.is_empty() { b"{}" } else { &incomer.body };
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn text(body: &Value, name: &str) -> Result<String, (StatusCode, String)> {
    body.get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| (StatusCode::BAD_REQUEST, format!("missing member `{name}`")))
}

fn shown(value: &impl serde::Serialize) -> Handled {
    serde_json::to_value(value)
        .map(Answer::ok)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn refused(error: LoginError) -> (StatusCode, String) {
    let status = match error {
        LoginError::UnknownUser(_) => StatusCode::NOT_FOUND,
        LoginError::Blocked => StatusCode::CONFLICT,
    };
    (status, error.to_string())
}
