//! Amazon SES, API version 2: `SendEmail`, with the signature verified.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use aws_lc_rs::{digest, hmac};
use http::{StatusCode, header};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};

use super::{REJECTED_LOCAL_PART, accept, address, authorization, body};
use crate::call::Answer;
use crate::control::Mail;
use crate::http_server::Incomer;
use crate::ids;
use crate::tenant::Tenant;

/// The access key that the stand-in knows; its secret is the key of all stand-ins.
pub(crate) const ACCESS_KEY_ID: &str = "AKIAOFFLINE000000000";

/// How far a signature's time may be from now (AWS, "Signature Version 4": 5 minutes).
const MAX_SKEW_SECONDS: i64 = 5 * 60;

pub(super) fn answer(tenant: &mut Tenant, incomer: &Incomer) -> Answer {
    if let Err((name, message)) = verify(incomer, &tenant.mail_api_key) {
        return refuse(StatusCode::FORBIDDEN, name, message);
    }
    let bad = |message: &str| refuse(StatusCode::BAD_REQUEST, "BadRequestException", message);
    let Some(body) = body(incomer) else { return bad("The request body is not a JSON object.") };
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let to: Vec<String> = body
        .pointer("/Destination/ToAddresses")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).map(|one| address(one).0).collect())
        .unwrap_or_default();
    let (Some(from), Some(subject)) = (text("/FromEmailAddress"), text("/Content/Simple/Subject/Data"))
    else {
        return bad("Missing required parameters.");
    };
    if to.is_empty() {
        return bad("No recipients specified");
    }
    if !from.is_ascii() || !to.iter().all(|to| to.is_ascii()) {
        return bad("Addresses and names must be in 7-bit ASCII.");
    }
    if to.iter().any(|to| to.starts_with(REJECTED_LOCAL_PART)) {
        let message =
            "Email address is not verified. The following identities failed the check in the region.";
        return refuse(StatusCode::BAD_REQUEST, "MessageRejected", message);
    }
    let (from, from_name) = address(&from);
    let mail = Mail {
        provider: "ses".into(),
        from,
        from_name,
        to,
        subject,
        html: text("/Content/Simple/Body/Html/Data"),
        text: text("/Content/Simple/Body/Text/Data"),
        id: format!("0102{}-000000", ids::secret(28).to_lowercase()),
        ..Mail::default()
    };
    Answer::ok(json!({"MessageId": accept(tenant, incomer, mail)}))
}

/// AWS names the error in a header (REST-JSON protocol).
fn refuse(status: StatusCode, name: &'static str, message: &str) -> Answer {
    Answer::json(status, json!({"message": message})).header("x-amzn-errortype", name)
}

type Refusal = (&'static str, &'static str);

/// Verifies a signature over what came in.
fn verify(incomer: &Incomer, secret: &str) -> Result<(), Refusal> {
    const MISSING: Refusal = ("MissingAuthenticationTokenException", "Missing Authentication Token");
    const INCOMPLETE: Refusal = (
        "IncompleteSignatureException",
        "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'.",
    );
    const MISMATCH: Refusal = (
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
         and signing method. Consult the service documentation for details.",
    );
    let given = authorization(incomer).strip_prefix("AWS4-HMAC-SHA256 ").ok_or(MISSING)?;
    let part = |name: &str| {
        given.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')).ok_or(INCOMPLETE)
    };
    let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let [key, day, region, service, "aws4_request"] = *credential.split('/').collect::<Vec<_>>() else {
        return Err(INCOMPLETE);
    };
    if key != ACCESS_KEY_ID {
        return Err((
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ));
    }
    let value = |name: &str| incomer.headers.get(name).and_then(|value| value.to_str().ok());
    let at = value("x-amz-date").ok_or(INCOMPLETE)?;
    if service != "ses" || !at.starts_with(day) {
        return Err(MISMATCH);
    }
    let seconds = DateTime::strptime("%Y%m%dT%H%M%SZ", at)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map_err(|_| INCOMPLETE)?
        .timestamp()
        .as_second();
    if (Timestamp::now().as_second() - seconds).abs() > MAX_SKEW_SECONDS {
        return Err(("InvalidSignatureException", "Signature expired"));
    }
    // A signature that leaves these out could be moved to another request.
    let names: Vec<&str> = signed.split(';').collect();
    if !["host", "x-amz-date", header::CONTENT_TYPE.as_str()].iter().all(|name| names.contains(name)) {
        return Err(MISMATCH);
    }
    let mut canonical =
        format!("{}\n{}\n{}\n", incomer.method, incomer.path, incomer.query.as_deref().unwrap_or_default());
    for name in &names {
        let value = value(name).ok_or(MISMATCH)?;
        canonical.push_str(&format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    canonical
        .push_str(&format!("\n{signed}\n{}", hex(digest::digest(&digest::SHA256, &incomer.body).as_ref())));
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let digest = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for step in [day, region, service, "aws4_request"] {
        key = mac(&key, step).as_ref().to_vec();
    }
    if hex(mac(&key, &text).as_ref()) == signature { Ok(()) } else { Err(MISMATCH) }
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
