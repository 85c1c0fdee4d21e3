//! Azure Communication Services, `POST /emails:send`, with the HMAC verified.
//!
//! <https://learn.microsoft.com/en-us/azure/communication-services/tutorials/hmac-header-tutorial>

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::{Value, json};

use super::{REJECTED_LOCAL_PART, accept, authorization, body};
use crate::call::Answer;
use crate::control::Mail;
use crate::http_server::Incomer;
use crate::ids;
use crate::tenant::Tenant;

/// How far a signature's time may be from now, as for all of Azure's HMACs.
const MAX_SKEW_SECONDS: i64 = 15 * 60;

pub(super) fn answer(tenant: &mut Tenant, incomer: &Incomer) -> Answer {
    if !is_signed(incomer, tenant.mail_api_key.as_bytes()) {
        return refuse(StatusCode::UNAUTHORIZED, "Denied", "Denied by the resource provider.");
    }
    let bad = |message: &str| refuse(StatusCode::BAD_REQUEST, "BadRequest", message);
    if !incomer.query.as_deref().unwrap_or_default().split('&').any(|pair| pair == "api-version=2023-03-31") {
        return bad("The API version is not supported.");
    }
    let body = body(incomer).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let to: Vec<String> = body
        .pointer("/recipients/to")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(|one| one.get("address")?.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let (Some(from), Some(subject)) = (text("/senderAddress"), text("/content/subject")) else {
        return bad("Request body validation error.");
    };
    if to.is_empty() || (text("/content/html").is_none() && text("/content/plainText").is_none()) {
        return bad("Request body validation error.");
    }
    if to.iter().any(|to| to.starts_with(REJECTED_LOCAL_PART)) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "EmailDroppedAllRecipientsSuppressed",
            "All recipients are suppressed.",
        );
    }
    let serial = tenant.counts.mails_accepted + 1;
    let mail = Mail {
        provider: "azure_cs".into(),
        from,
        to,
        subject,
        html: text("/content/html"),
        text: text("/content/plainText"),
        id: format!("8540c0de-899f-5cce-acb5-{serial:012x}"),
        ..Mail::default()
    };
    let id = accept(tenant, incomer, mail);
    let at = format!("/emails/operations/{id}?api-version=2023-03-31");
    Answer::json(StatusCode::ACCEPTED, json!({"id": id, "status": "Running", "error": null}))
        .header("operation-location", &at)
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, json!({"error": {"code": code, "message": message}}))
        .header("x-ms-request-id", &ids::secret(16))
}

/// Returns whether the signature is of what came in, and fresh.
fn is_signed(incomer: &Incomer, key: &[u8]) -> bool {
    let value = |name: &str| incomer.headers.get(name).and_then(|value| value.to_str().ok());
    let given = authorization(incomer);
    let parts = given.strip_prefix("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=");
    let (Some(signature), Some(date), Some(content), Some(host)) =
        (parts, value("x-ms-date"), value("x-ms-content-sha256"), value(header::HOST.as_str()))
    else {
        return false;
    };
    if content != STANDARD.encode(digest::digest(&digest::SHA256, &incomer.body)) {
        return false;
    }
    let now = Timestamp::now().as_second();
    let fresh = |at: Timestamp| (now - at.as_second()).abs() <= MAX_SKEW_SECONDS;
    if !DateTimeParser::new().parse_timestamp(date).is_ok_and(fresh) {
        return false;
    }
    let query = incomer.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let text = format!("{}\n{}{query}\n{date};{host};{content}", incomer.method, incomer.path);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    STANDARD.decode(signature).is_ok_and(|signature| hmac::verify(&key, text.as_bytes(), &signature).is_ok())
}
