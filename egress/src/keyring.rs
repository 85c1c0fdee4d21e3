//! Which credential goes on which request.
//!
//! The component sends its requests bare. What is added here is decided by the destination that [`super::destination`]
//! found, never by anything that the component says: a token goes to the tenant's Management API, a provider's key to
//! that provider's sending path, and nothing to anywhere else.

use std::sync::{Arc, OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    governor::RateLimited,
    mail_provider::{MailProof, MailProvider},
    token::{Refusal, Token, TokenSource, bearer, sensitive},
};
use crate::{credentials::CredentialError, echo::Echo, secret::Secret};

/// The credentials of one tenant.
#[derive(Debug)]
pub(crate) struct Keyring {
    tenant: Option<TokenSource>,
    mail: Option<MailKey>,
    mail_echo: OnceLock<Option<Arc<Echo>>>,
}

/// An email provider's key, with whose it is.
#[derive(Debug)]
pub(crate) struct MailKey {
    pub(crate) provider: MailProvider,
    pub(crate) key: Secret,
}

/// An email that the key cannot be put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailKeyError(pub &'static str);

/// A small answer that the host gives itself.
pub(crate) type SyntheticResponse = Response<Bytes>;

impl Keyring {
    pub(crate) fn new(tenant: Option<TokenSource>, mail: Option<MailKey>) -> Self {
        Self { tenant, mail, mail_echo: OnceLock::new() }
    }

    /// Returns what a provider's answer must not repeat: the key that it gets.
    pub(crate) fn mail_echo(&self, provider: MailProvider) -> Option<Arc<Echo>> {
        let mail = self.mail.as_ref().filter(|mail| mail.provider == provider)?;
        self.mail_echo.get_or_init(|| Echo::of(&[mail.key.expose()])).clone()
    }

    /// Returns what the host has of the tenant's tokens, where it speaks for the tenant's application.
    pub(crate) fn tenant(&self) -> Option<&TokenSource> {
        self.tenant.as_ref()
    }

    /// Puts the email provider's key where that provider wants it; no other provider gets it.
    ///
    /// Sources: SendGrid and Resend take a bearer token, SparkPost the bare key, Mailgun basic authentication as user
    /// `api`, Mandrill a member of the JSON body (their API references).
    pub(crate) fn apply_mail_key(
        &self,
        provider: MailProvider,
        headers: &mut HeaderMap,
        body: &mut Bytes,
    ) -> Result<(), MailKeyError> {
        let Some(MailKey { key, .. }) = self.mail.as_ref().filter(|mail| mail.provider == provider) else {
            return Ok(());
        };
        let authorization = match provider.row().proof {
            MailProof::BearerKey => bearer(key),
            MailProof::BareKey => sensitive(&[key.expose()]),
            MailProof::BasicKey => {
                let mut user = Zeroizing::new(String::with_capacity("api:".len() + key.expose().len()));
                user.push_str("api:");
                user.push_str(key.expose());
                sensitive(&["Basic ", &Zeroizing::new(STANDARD.encode(user.as_bytes()))])
            }
            MailProof::BodyKey => {
                // What leaves is written anew: a guest's own key must not pass in a text that others read otherwise.
                let mut object = serde_json::from_slice::<Map<String, Value>>(body).map_err(|_| {
                    MailKeyError(
                        "the body of an email to Mandrill must be a JSON object, to which the key is added",
                    )
                })?;
                // Last, so that the text has grown, and left its copies behind, before the key comes.
                object.shift_remove("key");
                object.insert("key".to_owned(), Value::from(key.expose()));
                let room = body.len() + key.expose().len() + r#","key":"""#.len();
                let mut text = Zeroizing::new(Vec::with_capacity(room));
                let written = serde_json::to_writer(&mut *text, &object);
                if let Some(Value::String(copy)) = object.get_mut("key") {
                    copy.zeroize();
                }
                written.map_err(|_| MailKeyError("the email could not be written with its key"))?;
                *body = Bytes::from_owner(text);
                None
            }
            // What these want is more than a key.
            MailProof::Signature | MailProof::Token | MailProof::Password => None,
        };
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(())
    }
}

/// Answers the guest's question about the token without the token.
pub(crate) fn describe_token(token: &Token) -> SyntheticResponse {
    let mut answer = Map::new();
    if let Some(scope) = &token.scope {
        answer.insert("scope".to_owned(), scope.as_str().into());
    }
    if let Some(seconds) = token.expires_in() {
        answer.insert("expires_in".to_owned(), seconds.into());
    }
    answer.insert("token_type".to_owned(), "Bearer".into());
    json_answer(StatusCode::OK, &Value::Object(answer), HeaderMap::new())
}

/// Hands the token endpoint's refusal to a guest that asked the token endpoint, in OAuth's form.
pub(crate) fn refused_oauth(refusal: &Refusal) -> SyntheticResponse {
    let body = json!({"error": refusal.code, "error_description": refusal.description});
    json_answer(refusal.status, &body, refusal.pacing.clone())
}

/// Hands the token endpoint's refusal to a guest that asked the Management API, in that API's form.
///
/// The status keeps what the guest's rules for repeating need: a full bucket stays 429 with its pacing headers, a
/// tenant that cannot serve is 503. The request itself was not sent, so both are true of it. Everything else is about
/// the credentials, a 403 too: it means that the application has no grant for the audience, and 403 would read as a
/// scope that is lacking.
pub(crate) fn refused_management(refusal: &Refusal) -> SyntheticResponse {
    let status = match refusal.status {
        status @ StatusCode::TOO_MANY_REQUESTS => status,
        status if status.is_server_error() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    let body = json!({
        "statusCode": status.as_u16(),
        "error": status.canonical_reason().unwrap_or_default(),
        "message": refusal.message(),
    });
    json_answer(status, &body, refusal.pacing.clone())
}

/// Answers a guest that asked the token endpoint: the host itself has no credentials.
pub(crate) fn lacking_oauth(error: CredentialError) -> SyntheticResponse {
    let body = json!({"error": "no_credentials", "error_description": lacking(error)});
    json_answer(lacking_status(error), &body, HeaderMap::new())
}

/// Answers a guest that asked the Management API: the host itself has no credentials. The request was not sent.
pub(crate) fn lacking_management(error: CredentialError) -> SyntheticResponse {
    let status = lacking_status(error);
    let body = json!({
        "statusCode": status.as_u16(),
        "error": status.canonical_reason().unwrap_or_default(),
        "message": lacking(error),
    });
    json_answer(status, &body, HeaderMap::new())
}

fn lacking(error: CredentialError) -> String {
    format!("the host has no credentials for the tenant: {error}")
}

fn lacking_status(error: CredentialError) -> StatusCode {
    if error.is_unavailable() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNAUTHORIZED }
}

/// Answers as the tenant does where a token lacks scopes. The request was not sent.
pub(crate) fn forbidden(lacking: &[String]) -> SyntheticResponse {
    let status = StatusCode::FORBIDDEN;
    let body = json!({
        "statusCode": status.as_u16(),
        "error": "Forbidden",
        "message": format!("Insufficient scope, expected any of: {}", lacking.join(",")),
        "errorCode": "insufficient_scope",
    });
    json_answer(status, &body, HeaderMap::new())
}

/// Answers as the tenant does where a request comes too early: it would have to wait for longer than its call has.
pub(crate) fn rate_limited(rate_limited: &RateLimited) -> SyntheticResponse {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let body = json!({
        "statusCode": status.as_u16(),
        "error": "Too Many Requests",
        "message": rate_limited.message,
        "errorCode": "too_many_requests",
    });
    // Whole seconds, as the header has no others.
    let seconds = u64::try_from(rate_limited.retry_after.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
    json_answer(status, &body, HeaderMap::from_iter([(header::RETRY_AFTER, seconds.into())]))
}

fn json_answer(status: StatusCode, body: &Value, mut headers: HeaderMap) -> SyntheticResponse {
    let body = Bytes::from(body.to_string());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(provider: MailProvider) -> Keyring {
        Keyring::new(None, Some(MailKey { provider, key: Secret::new("K") }))
    }

    const KEYED: [(MailProvider, Option<&str>); 5] = [
        (MailProvider::SendGrid, Some("Bearer K")),
        (MailProvider::Resend, Some("Bearer K")),
        (MailProvider::SparkPost, Some("K")),
        (MailProvider::Mailgun, Some("Basic YXBpOks=")),
        (MailProvider::Mandrill, None),
    ];

    #[test]
    fn each_mail_provider_gets_its_key_in_its_own_way_and_no_other_gets_it() {
        let sent = r#"{"message":{"b":1,"a":2}}"#;
        for (owner, expected) in KEYED {
            for provider in MailProvider::ALL {
                let (mut headers, mut body) = (HeaderMap::new(), Bytes::from_static(sent.as_bytes()));
                keyring(owner).apply_mail_key(provider, &mut headers, &mut body).unwrap();
                let value = headers.get(header::AUTHORIZATION);
                let own = provider == owner;
                let shown = value.map(|value| value.to_str().unwrap());
                assert_eq!(shown, expected.filter(|_| own), "{owner:?} {provider:?}");
                assert!(value.is_none_or(HeaderValue::is_sensitive));
                let keyed = own && provider == MailProvider::Mandrill;
                let expected = if keyed { r#"{"message":{"b":1,"a":2},"key":"K"}"# } else { sent };
                assert_eq!(body, expected, "{owner:?} {provider:?}");
            }
        }
    }

    #[test]
    fn a_guest_s_own_key_in_a_body_for_mandrill_is_replaced_and_a_body_without_members_refused() {
        let apply = |text: &'static str| {
            let mut body = Bytes::from_static(text.as_bytes());
            let applied = keyring(MailProvider::Mandrill).apply_mail_key(
                MailProvider::Mandrill,
                &mut HeaderMap::new(),
                &mut body,
            );
            applied.map(|()| String::from_utf8(body.to_vec()).unwrap())
        };
        for (text, expected) in [
            (r#"{"key":"forged","a":1}"#, r#"{"a":1,"key":"K"}"#),
            (r#"{"key":"forged","a":1,"key":"again"}"#, r#"{"a":1,"key":"K"}"#),
            (r#"{"\u006bey":"forged"}"#, r#"{"key":"K"}"#),
        ] {
            assert_eq!(apply(text).unwrap(), expected, "{text}");
        }
        for text in ["", "[]", "null", "key=forged", r#"{"key":"forged"}{}"#, r#"{"key":"forged""#] {
            assert!(apply(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_of_the_token_endpoint_keeps_what_a_retry_needs() {
        let refusal = |status: u16| Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            code: "access_denied".to_owned(),
            description: "Unauthorized".to_owned(),
            pacing: HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]),
        };
        for (status, expected) in
            [(401, 401), (403, 401), (400, 401), (404, 401), (429, 429), (500, 503), (502, 503)]
        {
            let answer = refused_management(&refusal(status));
            assert_eq!(answer.status(), expected, "{status}");
            assert_eq!(answer.headers()[header::RETRY_AFTER], "7");
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(body["statusCode"], expected);
            assert!(body["message"].as_str().unwrap().contains("access_denied: Unauthorized"));
        }
    }
}
