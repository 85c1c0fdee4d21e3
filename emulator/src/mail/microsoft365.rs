//! Microsoft 365: the token endpoint of Entra ID, and `sendMail` of Microsoft Graph.

use http::StatusCode;
use serde_json::{Value, json};

use super::{REJECTED_LOCAL_PART, accept, authorization, body};
use crate::call::Answer;
use crate::control::Mail;
use crate::http_server::Incomer;
use crate::ids;
use crate::tenant::Tenant;

/// The directory and the application that the stand-in knows; the secret is the key of all stand-ins.
pub(crate) const TENANT_ID: &str = "offline.onmicrosoft.com";
/// The application's id.
pub(crate) const CLIENT_ID: &str = "0ff11e00-0000-4000-8000-000000000365";

/// Answers `POST /{tenant}/oauth2/v2.0/token`
/// (<https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).
pub(super) fn token(tenant: &mut Tenant, incomer: &Incomer, directory: &str) -> Answer {
    let refuse = |status: StatusCode, error: &str, description: &str| {
        Answer::json(status, json!({"error": error, "error_description": description}))
    };
    let fields: Vec<(String, String)> = form_urlencoded::parse(&incomer.body).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    if directory != TENANT_ID {
        let description = format!("AADSTS90002: Tenant '{directory}' not found.");
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", &description);
    }
    if field("grant_type") != Some("client_credentials") {
        return refuse(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type.",
        );
    }
    if field("client_id") != Some(CLIENT_ID) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            "AADSTS700016: Application was not found in the directory.",
        );
    }
    if field("client_secret") != Some(tenant.mail_api_key.as_str()) {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided.",
        );
    }
    if field("scope") != Some("https://graph.microsoft.com/.default") {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            "AADSTS70011: The provided value for the input parameter 'scope' is not valid.",
        );
    }
    let token = ids::secret(64);
    tenant.graph_tokens.push(token.clone());
    Answer::ok(
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}),
    )
}

/// Answers `POST /v1.0/users/{sender}/sendMail` (<https://learn.microsoft.com/en-us/graph/api/user-sendmail>).
pub(super) fn answer(tenant: &mut Tenant, incomer: &Incomer, sender: &str) -> Answer {
    let refuse = |status: StatusCode, code: &str, message: &str| {
        Answer::json(status, json!({"error": {"code": code, "message": message}}))
    };
    let token = authorization(incomer).strip_prefix("Bearer ").unwrap_or_default();
    if !tenant.graph_tokens.iter().any(|known| known == token) {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            "Access token is empty or has expired.",
        );
    }
    let body = body(incomer).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let to: Vec<String> = body
        .pointer("/message/toRecipients")
        .and_then(Value::as_array)
        .map(|all| {
            all.iter()
                .filter_map(|one| one.pointer("/emailAddress/address")?.as_str().map(str::to_owned))
                .collect()
        })
        .unwrap_or_default();
    let sender = percent_encoding::percent_decode_str(sender).decode_utf8_lossy().into_owned();
    if text("/message/from/emailAddress/address").is_some_and(|from| from != sender) {
        let message = "The user account which was used to submit this request does not have the right to send mail on \
                       behalf of the specified sending account.";
        return refuse(StatusCode::FORBIDDEN, "ErrorSendAsDenied", message);
    }
    let content = (text("/message/body/contentType"), text("/message/body/content"));
    let (Some(subject), (Some(kind), Some(content))) = (text("/message/subject"), content) else {
        return refuse(StatusCode::BAD_REQUEST, "BadRequest", "Unable to read JSON request payload.");
    };
    if to.is_empty() || to.iter().any(|to| to.starts_with(REJECTED_LOCAL_PART)) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "ErrorInvalidRecipients",
            "At least one recipient is not valid.",
        );
    }
    let (html, text_body) = if kind == "HTML" { (Some(content), None) } else { (None, Some(content)) };
    let mail = Mail {
        provider: "ms365".into(),
        from: sender,
        from_name: text("/message/from/emailAddress/name"),
        to,
        subject,
        html,
        text: text_body,
        id: ids::secret(32),
        ..Mail::default()
    };
    accept(tenant, incomer, mail);
    Answer { status: StatusCode::ACCEPTED, ..Answer::no_content() }
}
