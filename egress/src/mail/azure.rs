//! Azure Communication Services: an HMAC over the request.
//!
//! <https://learn.microsoft.com/en-us/azure/communication-services/tutorials/hmac-header-tutorial>

use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header, request::Parts, uri::PathAndQuery};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

use crate::{base_url::BaseUrl, mail_credentials::AzureAccess};

const DATE: HeaderName = HeaderName::from_static("x-ms-date");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("x-ms-content-sha256");

/// Signs with a resource's access key.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(super) endpoint: BaseUrl,
    /// Its `Debug` names the algorithm only.
    key: hmac::Key,
}

impl Signer {
    pub(super) fn new(access: AzureAccess) -> Self {
        Self { endpoint: access.endpoint, key: hmac::Key::new(hmac::HMAC_SHA256, &access.key) }
    }

    /// Signs what is sent: method, path, query, date, host and the digest of the body.
    pub(super) fn sign(&self, head: &mut Parts, body: &[u8]) -> Result<(), String> {
        self.sign_at(head, body, Timestamp::now()).map_err(|problem| problem.to_string())
    }

    fn sign_at(
        &self,
        head: &mut Parts,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now)?;
        let content = STANDARD.encode(digest::digest(&digest::SHA256, body));
        let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let host = head.uri.authority().ok_or("the request has no host")?;
        let text = format!("{}\n{path}\n{date};{host};{content}", head.method);
        let signature = STANDARD.encode(hmac::sign(&self.key, text.as_bytes()));
        let mut authorization = HeaderValue::try_from(format!(
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
        ))?;
        authorization.set_sensitive(true);
        head.headers.insert(header::AUTHORIZATION, authorization);
        head.headers.insert(DATE, HeaderValue::try_from(date)?);
        head.headers.insert(CONTENT_DIGEST, HeaderValue::try_from(content)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_azure_documents_it() {
        let access =
            AzureAccess::read(&"endpoint=https://acme.communication.azure.com/;accesskey=a2V5".into());
        let request =
            http::Request::post("https://acme.communication.azure.com/emails:send?api-version=2023-03-31");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let signer = Signer::new(access.unwrap());
        signer.sign_at(&mut head, b"{}", "2026-11-21T08:00:00Z".parse().unwrap()).unwrap();
        // By OpenSSL: printf '{}' | openssl dgst -sha256 -binary | base64, and
        // printf 'POST\n/emails:send?…\nSat, 21 Nov…;acme…;RBN…' | openssl dgst -sha256 -hmac key -binary | base64
        assert_eq!(head.headers[DATE], "Sat, 21 Nov 2026 08:00:00 GMT");
        assert_eq!(head.headers[CONTENT_DIGEST], "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=");
        assert_eq!(
            head.headers[header::AUTHORIZATION],
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=hRP/dCC8LRB2CJjcwNgpOCPwc5okjr6fKTq5i4Smeyo="
        );
        assert!(!format!("{signer:?}").contains("a2V5"));
    }
}
