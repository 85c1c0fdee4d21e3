//! The codes of errors that a record repeats.
//!
//! A code comes through the component, which could put anything there, and a shape does not tell `jane_doe` from
//! `invalid_body`. So they are listed. One that Auth0 invents later is missing in the record, which has status and
//! request id all the same; the error that the engine gets has every code.

/// `errorCode`s of the Management API (its documentation and recordings), `error`s of OAuth (RFC 6749, section 5.2) that
/// its token endpoint answers. Sorted.
const KNOWN: &[&str] = &[
    "Bearer",
    "access_denied",
    "auth0_idp_error",
    "custom_domain_conflict",
    "enrollment_not_found",
    "feature_not_enabled",
    "inexistent_client",
    "inexistent_client_grant",
    "inexistent_connection",
    "inexistent_custom_domain",
    "inexistent_email_provider",
    "inexistent_email_template",
    "inexistent_invitation",
    "inexistent_job",
    "inexistent_resource_server",
    "inexistent_rule",
    "inexistent_templates_universal_login",
    "inexistent_user",
    "insufficient_entitlement",
    "insufficient_scope",
    "invalid_body",
    "invalid_client",
    "invalid_grant",
    "invalid_paging",
    "invalid_query_string",
    "invalid_request",
    "invalid_scope",
    "invalid_uri",
    "operation_not_supported",
    "organization_conflict",
    "server_error",
    "theme_not_found",
    "too_many_requests",
    "unauthorized_client",
    "unsupported_grant_type",
    "validation_error",
];

/// Returns a code that is known.
pub(super) fn known(text: &str) -> Option<&'static str> {
    KNOWN.binary_search(&text).ok().and_then(|at| KNOWN.get(at)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_so_that_they_are_found() {
        assert!(KNOWN.is_sorted_by(|a, b| a < b));
        assert!(KNOWN.iter().all(|code| known(code) == Some(code)));
    }
}
