//! Amazon SES: Signature Version 4.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use http::{HeaderName, HeaderValue, header, request::Parts};

use crate::secret::Secret;

/// The name of SES in a signature (AWS, "Amazon SES endpoints and quotas").
const SERVICE: &str = "ses";

/// Signs with an access key.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Option<Secret>,
    pub(super) region: String,
}

type Problem = Box<dyn std::error::Error>;

impl Signer {
    /// Signs what is sent: method, host, path, content type and the digest of the body.
    pub(super) fn sign(&self, head: &mut Parts, body: &[u8]) -> Result<(), String> {
        self.sign_at(head, body, SystemTime::now()).map_err(|problem| problem.to_string())
    }

    fn sign_at(&self, head: &mut Parts, body: &[u8], now: SystemTime) -> Result<(), Problem> {
        let credentials = Credentials::new(
            self.access_key_id.as_str(),
            self.secret_access_key.expose(),
            self.session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "auth0-host",
        );
        let identity = credentials.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let headers = content_type.map(|value| (header::CONTENT_TYPE.as_str(), value));
        let request = SignableRequest::new(
            head.method.as_str(),
            head.uri.to_string(),
            headers.into_iter(),
            SignableBody::Bytes(body),
        )?;
        let (instructions, _) = sign(request, &parameters)?.into_parts();
        for (name, value) in instructions.headers() {
            let mut value = HeaderValue::from_str(value)?;
            value.set_sensitive(true);
            head.headers.insert(name.parse::<HeaderName>()?, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn signed(session_token: Option<&str>) -> Parts {
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: session_token.map(Secret::new),
            region: "us-east-1".to_owned(),
        };
        let request = http::Request::post("https://email.us-east-1.amazonaws.com/v2/email/outbound-emails")
            .header("content-type", "application/json");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        // 2015-08-30T12:36:00Z, as in AWS's own examples.
        signer.sign_at(&mut head, b"{}", UNIX_EPOCH + Duration::from_secs(1_440_938_160)).unwrap();
        head
    }

    #[test]
    fn a_request_carries_its_date_its_scope_and_no_secret() {
        let head = signed(Some("canary-token"));
        assert_eq!(head.headers["x-amz-date"], "20150830T123600Z");
        assert_eq!(head.headers["x-amz-security-token"], "canary-token");
        let authorization = head.headers["authorization"].to_str().unwrap();
        let (scope, rest) = authorization.split_once(", ").unwrap();
        assert_eq!(scope, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ses/aws4_request");
        assert!(
            rest.starts_with("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=")
        );
        assert!(!authorization.contains("wJalr"));
        assert!(!format!("{:?}", head.headers).contains("canary"), "none of it shows in Debug");
        assert!(!signed(None).headers.contains_key("x-amz-security-token"));
    }
}
