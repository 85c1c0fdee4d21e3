//! A request's path without what it may tell about a person.
//!
//! Audit records and traces are kept for long and read by many. A path of the Management API is made of words of the
//! API and of ids; most ids are made by machines and say nothing, but an id of an enterprise connection is a user name
//! or an address (`samlp|acme|jane@acme.com`, `ad|CORP\jane`), and a custom request can put anything into a path. So
//! what is kept is listed – words of the API, ids of a machine's making – and the rest becomes `*`. Guessing the other
//! way round, what looks like a person, would miss names.

use std::borrow::Cow;

use crate::egress::destination::percent_decode;

/// Stands for a segment, a part of an id, or a query's name that may be about a person.
const MASK: &str = "*";
/// The longest query name that is kept. The longest of the Management API has 24 (its OpenAPI document).
const LONGEST_NAME: usize = 40;
/// More segments and names than any path of the API has; a hostile component must not fill an audit file.
const MOST_PARTS: usize = 24;

/// The literal segments of all paths of the Management API (its OpenAPI document of 2026-06-25), of the tenant's other
/// paths, and of the mail providers' sending paths. Sorted.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    ".well-known", "1.0", "actions", "active-users", "agents", "anomaly", "api", "apns",
    "attack-protection", "authentication-methods", "authenticators", "bindings", "blocks", "bot-detection",
    "branding", "breached-password-detection", "brute-force-protection", "captcha", "change_password",
    "cimd", "clear", "client-grants", "clients", "connected-accounts", "connection-profiles", "connections",
    "connections-directory-provisionings", "connections-scim-configurations", "credentials",
    "custom-domains", "custom-signing", "custom-text", "daily", "dbconnections", "default",
    "default-mapping", "deliveries", "deploy", "device-credentials", "directory-provisioning",
    "discovery-domains", "duo", "effective-permissions", "effective-roles", "email", "email-templates",
    "email-verification", "emails", "emails:send", "enabled_connections", "encryption", "enrollments",
    "errors", "event-streams", "events", "executions", "experimentation", "experiments", "factors", "fcm",
    "fcmv1", "feature-flags", "federated-connections-tokensets", "flows", "forms", "grants", "groups",
    "guardian", "hooks", "identities", "invalidate-remember-browser", "invitations", "ips", "jobs",
    "jwks.json", "keys", "log-streams", "logs", "mail", "members", "message-types", "messages", "modules",
    "multifactor", "name", "network-acls", "new-device", "oauth", "organizations", "outbound-emails",
    "partials", "password-change", "permissions", "phone", "phone-provider-protection", "policies",
    "preview", "prompts", "provider", "providers", "push-notification", "rate-limit-policies",
    "recovery-code-regeneration", "redeliver", "refresh-tokens", "register", "rekey", "rendering", "reset",
    "resource-servers", "revoke", "revoke-access", "risk-assessments", "roles", "rollback", "rotate",
    "rotate-secret", "rules", "rules-configs", "scim-configuration", "screen", "search", "secrets",
    "segments", "selected-provider", "self-service-profiles", "send", "send.json", "sendMail", "sessions",
    "settings", "signing", "sms", "sns", "sources", "sso-ticket", "stats", "status", "supplemental-signals",
    "suspicious-ip-throttling", "synchronizations", "synchronized-groups", "templates", "tenants", "test",
    "themes", "ticket", "tickets", "token", "token-exchange-profiles", "tokens", "transmissions",
    "triggers", "try", "twilio", "universal-login", "user-attribute-profiles", "user-blocks", "users",
    "users-by-email", "users-exports", "users-imports", "v1", "v1.0", "v2", "v3", "validate", "variations",
    "vault", "verifiable-credentials", "verification", "verification-email", "verify", "versions",
    "wrapping-key",
];

/// Identity providers that number their users themselves: what follows is opaque.
const NUMBERING_PROVIDERS: &[&str] = &[
    "amazon",
    "apple",
    "bitbucket",
    "facebook",
    "github",
    "google-oauth2",
    "linkedin",
    "paypal",
    "twitter",
    "windowslive",
];

/// Writes a path for a record: ids of a machine's making stay, anything else that is no word of the API is masked, and
/// of a query only the names stay.
pub(crate) fn path(path_and_query: &str) -> String {
    let (path, query) = split(path_and_query);
    let mut text = segments(path, |segment| Cow::Owned(id(segment)));
    if let Some(query) = query {
        let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
        let names: Vec<&str> = names.take(MOST_PARTS).map(name).collect();
        text.push('?');
        text.push_str(&names.join("&"));
    }
    text
}

/// Writes the path's template, as OpenTelemetry's `url.template` wants it: few values, no ids.
pub(crate) fn template(path_and_query: &str) -> String {
    segments(split(path_and_query).0, |_| Cow::Borrowed("{id}"))
}

/// Writes a sentence of the host's own – the rule that refused a request – for a record: paths in it as [`path`] does,
/// and nothing else that a person or a component may have put there.
pub(crate) fn sentence(text: &str) -> String {
    /// A rule and a path; what comes after is how to lift it.
    const LONGEST: usize = 300;
    let rule = text.split("; to allow").next().unwrap_or_default();
    let words = rule.split(' ').map(|word| {
        let bare = word.trim_matches(|letter: char| matches!(letter, '`' | '"' | '(' | ')' | ',' | ';'));
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:*[]{}'/".contains(letter);
        if bare.starts_with('/') {
            word.replace(bare, &path(bare))
        } else if bare.chars().all(plain) {
            word.to_owned()
        } else {
            MASK.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

fn split(path_and_query: &str) -> (&str, Option<&str>) {
    match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query).filter(|query| !query.is_empty())),
        None => (path_and_query, None),
    }
}

fn segments(path: &str, of_id: impl Fn(&str) -> Cow<'static, str>) -> String {
    let mut text = String::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            text.push('/');
        }
        if index == MOST_PARTS {
            text.push('…');
            break;
        }
        // The last three stand for ids in the rules of a policy.
        if matches!(segment, "" | "{id}" | "*" | "**") || WORDS.binary_search(&segment).is_ok() {
            text.push_str(segment);
        } else {
            text.push_str(&of_id(segment));
        }
    }
    text
}

/// Keeps the parts of an id that a machine made: `auth0|507f…`, `rol_…`; of `samlp|acme|jane` the first two.
fn id(segment: &str) -> String {
    let decoded = percent_decode(segment.as_bytes());
    let Ok(decoded) = std::str::from_utf8(&decoded) else { return MASK.to_owned() };
    let Some((provider, rest)) = decoded.split_once('|') else {
        return if made_by_a_machine(decoded) { decoded.to_owned() } else { MASK.to_owned() };
    };
    if !is_provider(provider) {
        return MASK.to_owned();
    }
    let (connection, own) = match rest.rsplit_once('|') {
        Some((connection, own)) => (Some(connection), own),
        None => (None, rest),
    };
    let numbered = NUMBERING_PROVIDERS.contains(&provider)
        && own.bytes().any(|byte| byte.is_ascii_digit())
        && own.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let own = if numbered || made_by_a_machine(own) { own } else { MASK };
    match connection {
        Some(connection) if is_connection(connection) => format!("{provider}%7C{connection}%7C{own}"),
        Some(_) => format!("{provider}%7C{MASK}%7C{own}"),
        None => format!("{provider}%7C{own}"),
    }
}

/// Strategies of Auth0: `auth0`, `google-oauth2`, `samlp`.
fn is_provider(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Names of connections, which an administrator chose.
fn is_connection(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Knows the ids that Auth0 makes: 24 hexadecimal digits, a UUID, a prefix and random letters (`rol_…`, `con_…`), 32
/// random letters (client ids), long numbers (logs). Shorter or plainer ones may be names; a number of 15 digits or less
/// may be a telephone's (E.164).
fn made_by_a_machine(text: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.len() > 128 || digits == 0 {
        return false;
    }
    if text.len() > 15 && digits == text.len() {
        return true;
    }
    if text.len() >= 24 && hexadecimal(text) {
        return true;
    }
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    if parts == [8, 4, 4, 4, 12] && text.split('-').all(hexadecimal) {
        return true;
    }
    if let Some((prefix, random)) = text.split_once('_') {
        let short = (2..=8).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_lowercase());
        if short && random.len() >= 14 && letters(random) {
            return true;
        }
    }
    // Client ids and signing keys: letters of both cases and digits, in no order that a name has.
    text.len() >= 21
        && digits >= 2
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn name(text: &str) -> &str {
    let plain = (1..=LONGEST_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    if plain { text } else { MASK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_so_that_they_are_found() {
        assert!(WORDS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn words_of_the_api_and_ids_of_a_machine_stay_and_nothing_else() {
        for (given, expected) in [
            ("/api/v2/users", "/api/v2/users"),
            (
                "/api/v2/users/auth0%7C507f1f77bcf86cd799439011/roles",
                "/api/v2/users/auth0%7C507f1f77bcf86cd799439011/roles",
            ),
            (
                "/api/v2/users/auth0|507f1f77bcf86cd799439011",
                "/api/v2/users/auth0%7C507f1f77bcf86cd799439011",
            ),
            (
                "/api/v2/users/google-oauth2%7C103547991597142817347",
                "/api/v2/users/google-oauth2%7C103547991597142817347",
            ),
            ("/api/v2/users/github%7C583231", "/api/v2/users/github%7C583231"),
            ("/api/v2/users/sms%7C5f7c8ec7c33c6c004bbafe82", "/api/v2/users/sms%7C5f7c8ec7c33c6c004bbafe82"),
            ("/api/v2/users/samlp%7Cacme%7Cjane%40acme.com", "/api/v2/users/samlp%7Cacme%7C*"),
            (
                "/api/v2/users/samlp%7CJane+Doe%7C5f7c8ec7c33c6c004bbafe82",
                "/api/v2/users/samlp%7C*%7C5f7c8ec7c33c6c004bbafe82",
            ),
            ("/api/v2/users/ad%7CCORP%5Cjane", "/api/v2/users/ad%7C*"),
            ("/api/v2/users/email%7Cjane%40acme.com", "/api/v2/users/email%7C*"),
            ("/api/v2/users/auth0%7Cjane", "/api/v2/users/auth0%7C*"),
            ("/api/v2/users/auth0%7C4915112345678", "/api/v2/users/auth0%7C*"),
            ("/api/v2/users/Jane%20Doe%7C507f1f77bcf86cd799439011", "/api/v2/users/*"),
            ("/api/v2/users/jane", "/api/v2/users/*"),
            ("/api/v2/users/jane%2540acme.com", "/api/v2/users/*"),
            ("/api/v2/users/%ff%fe", "/api/v2/users/*"),
            ("/api/v2/users/jane-doe-born-1985-05-17", "/api/v2/users/*"),
            ("/api/v2/users/+4915112345678", "/api/v2/users/*"),
            ("/api/v2/organizations/name/acme", "/api/v2/organizations/name/*"),
            ("/api/v2/roles/rol_1Xk2Yz3Ab4Cd5Ef6", "/api/v2/roles/rol_1Xk2Yz3Ab4Cd5Ef6"),
            (
                "/api/v2/clients/AaiyAPdpYdesoKnqjj8HJqRn4T5titww/rotate-secret",
                "/api/v2/clients/AaiyAPdpYdesoKnqjj8HJqRn4T5titww/rotate-secret",
            ),
            ("/api/v2/resource-servers/https%3A%2F%2Fapi.acme.com", "/api/v2/resource-servers/*"),
            (
                "/api/v2/hooks/00ad57e6-1c5e-4a2d-9d2e-0c1d6f1a2b3c",
                "/api/v2/hooks/00ad57e6-1c5e-4a2d-9d2e-0c1d6f1a2b3c",
            ),
            ("/v1.0/users/jane@acme.com/sendMail", "/v1.0/users/*/sendMail"),
            ("/api/v2/users?q&page", "/api/v2/users?q&page"),
            ("/api/v2/users?jane@acme.com&Jane&x=y", "/api/v2/users?*&*&x"),
            ("/api/v2/users?", "/api/v2/users"),
            ("/", "/"),
        ] {
            assert_eq!(path(given), expected, "{given}");
        }
    }

    #[test]
    fn a_rule_is_told_without_what_was_asked_for() {
        for (given, expected) in [
            (
                "denied: no rule of the policy allows PATCH /api/v2/users/samlp%7Cacme%7Cjane; to allow it, add \"x\"",
                "denied: no rule of the policy allows PATCH /api/v2/users/samlp%7Cacme%7C*",
            ),
            (
                "denied: GET /api/v2/users?q is denied by the policy's rule `GET /api/v2/users/{id}`",
                "denied: GET /api/v2/users?q is denied by the policy's rule `GET /api/v2/users/{id}`",
            ),
            ("denied: the action `delete-user` is denied", "denied: the action `delete-user` is denied"),
            ("denied: the field `jane@acme.com` of /x/y", "denied: the field * of /*/*"),
            (
                "denied: https://evil.example is neither the tenant nor a mail provider of this connection",
                "denied: https://evil.example is neither the tenant nor a mail provider of this connection",
            ),
        ] {
            assert_eq!(sentence(given), expected);
        }
    }

    #[test]
    fn a_path_of_a_thousand_segments_takes_a_line_all_the_same() {
        assert!(path(&format!("/{}?{}", "x/".repeat(1000), "y&".repeat(1000))).len() < 200);
    }

    #[test]
    fn a_template_has_few_values() {
        for (given, expected) in [
            ("/api/v2/users/auth0%7C507f1f77bcf86cd799439011/roles?per_page=1", "/api/v2/users/{id}/roles"),
            ("/api/v2/users/jane%40acme.com", "/api/v2/users/{id}"),
            ("/oauth/token", "/oauth/token"),
        ] {
            assert_eq!(template(given), expected, "{given}");
        }
    }
}
