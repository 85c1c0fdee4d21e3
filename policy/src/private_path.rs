//! A request's path without what it may tell about a person.
//!
//! Audit records and traces are kept for long and read by many. A path of the Management API is made of words of the
//! API and of ids; most ids are made by machines and say nothing, but an id of an enterprise connection is a user name
//! or an address (`samlp|acme|jane@acme.com`, `ad|CORP\jane`), and a custom request can put anything into a path. So
//! what is kept is listed – words of the API, ids in one of the shapes in which Auth0 makes them – and the rest becomes
//! `*`. Guessing the other way round, what looks like a person, would miss names.

use std::borrow::Cow;

use crate::destination::percent_decode;

/// Stands for what may be about a person: a segment, a part of an id, a query's name, a host.
pub const MASK: &str = "*";
/// More segments and names than any path of the API has; a hostile component must not fill an audit file.
const MOST_PARTS: usize = 24;

// `API_WORDS`, the literal segments of all paths of the Management API, and `QUERY_NAMES`, the parameters of its
// queries: both sorted, and made by the build from the table of operations.
include!(concat!(env!("OUT_DIR"), "/path_words.rs"));

/// Words of the tenant's other paths, and of the email providers' sending paths.
#[rustfmt::skip]
const OTHER_WORDS: &[&str] = &[
    ".well-known", "1.0", "api", "change_password", "dbconnections", "email", "emails:send", "jwks.json", "mail",
    "messages", "oauth", "outbound-emails", "send", "send.json", "sendMail", "token", "transmissions", "v1", "v1.0",
    "v2", "v3",
];

/// The parameters by which the Management API pages. The table has them as a list's kind of paging.
const PAGING_NAMES: &[&str] = &["from", "include_totals", "page", "per_page", "take"];

/// What stands before the `|` of an id: Auth0's strategies (the enum of `GET /api/v2/connections`) and the kinds of
/// authentication methods. Sorted.
#[rustfmt::skip]
const PROVIDERS: &[&str] = &[
    "ad", "adfs", "amazon", "aol", "apple", "auth0", "auth0-oidc", "baidu", "bitbucket", "bitly", "box", "custom",
    "daccount", "dropbox", "dwolla", "email", "evernote", "evernote-sandbox", "exact", "facebook", "fitbit", "flickr",
    "github", "google-apps", "google-oauth2", "instagram", "ip", "line", "linkedin", "miicard", "oauth1", "oauth2",
    "office365", "oidc", "okta", "passkey", "paypal", "paypal-sandbox", "phone", "pingfederate", "planningcenter",
    "push", "recovery-code", "renren", "salesforce", "salesforce-community", "salesforce-sandbox", "samlp",
    "sharepoint", "shop", "shopify", "sms", "soundcloud", "thecity", "thecity-sandbox", "thirtysevensignals", "totp",
    "twitter", "untappd", "vkontakte", "waad", "webauthn-platform", "webauthn-roaming", "weibo", "windowslive",
    "wordpress", "yahoo", "yammer", "yandex",
];

/// Providers whose users have numbers for ids. Those of others may be names (`linkedin`, `samlp`).
const NUMBERING_PROVIDERS: &[&str] = &["facebook", "github", "google-oauth2", "twitter"];
/// Providers for whose users Auth0 makes the ids.
const OWN_PROVIDERS: &[&str] = &["auth0", "email", "sms"];

/// Prefixes of ids that Auth0 makes, and how many letters of both cases and digits follow (recordings of its API).
const PREFIXES: &[(&str, usize)] = &[
    ("ac", 22),
    ("acl", 22),
    ("af", 22),
    ("ap", 22),
    ("cgr", 16),
    ("con", 16),
    ("cred", 22),
    ("dev", 16),
    ("est", 22),
    ("evt", 22),
    ("job", 16),
    ("ord", 22),
    ("org", 16),
    ("pro", 22),
    ("rol", 16),
    ("rul", 16),
    ("ssp", 22),
    ("tem", 22),
    ("tep", 16),
    ("uap", 22),
    ("uinv", 16),
];

/// Writes a path for a record: ids in Auth0's shapes stay, anything else that is no word of the API is masked, and of a
/// query only the API's names stay.
pub fn path(path_and_query: &str) -> String {
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
pub fn template(path_and_query: &str) -> String {
    segments(split(path_and_query).0, |_| Cow::Borrowed("{id}"))
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
        if matches!(segment, "" | "{id}" | "*" | "**") || is_word(segment) {
            text.push_str(segment);
        } else {
            text.push_str(&of_id(segment));
        }
    }
    text
}

/// Keeps an id of a shape in which Auth0 makes them, and of another one the provider: `samlp|acme|jane` becomes
/// `samlp%7C*`.
fn id(segment: &str) -> String {
    let decoded = percent_decode(segment.as_bytes());
    let Ok(decoded) = std::str::from_utf8(&decoded) else { return MASK.to_owned() };
    let Some((provider, own)) = decoded.split_once('|') else {
        return if made_by_auth0(decoded) { decoded.to_owned() } else { MASK.to_owned() };
    };
    if PROVIDERS.binary_search(&provider).is_err() {
        return MASK.to_owned();
    }
    let numbered = NUMBERING_PROVIDERS.contains(&provider)
        && (1..=LONGEST_NUMBER).contains(&own.len())
        && own.bytes().all(|byte| byte.is_ascii_digit());
    let own_user = OWN_PROVIDERS.contains(&provider) && is_object_id(own);
    let own = if numbered || own_user || has_prefix(own) { own } else { MASK };
    format!("{provider}%7C{own}")
}

/// The ids of logs have 56 digits.
const LONGEST_NUMBER: usize = 64;

/// Knows the ids that Auth0 makes: 24 hexadecimal digits (grants, resource servers, users without their provider), a
/// UUID (actions), a known prefix and what follows it (`rol_…`), client ids, the numbers of logs and log streams. What
/// a person chose has none of these shapes but on purpose: a telephone number is shorter than a log's (15 digits,
/// E.164), a date and a name have no 32 letters of both cases and digits without anything between.
fn made_by_auth0(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    is_object_id(text)
        || (parts == [8, 4, 4, 4, 12] && text.split('-').all(is_hexadecimal))
        || has_prefix(text)
        || (text.len() == 32 && is_mixed(text) && text.bytes().any(|byte| byte.is_ascii_digit()))
        // `900`, the time to the second, counters.
        || ((50..=LONGEST_NUMBER).contains(&text.len()) && digits(text))
        || text.strip_prefix("lst_").is_some_and(|number| number.len() == 16 && digits(number))
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_object_id(text: &str) -> bool {
    text.len() == 24 && is_hexadecimal(text)
}

fn has_prefix(text: &str) -> bool {
    text.split_once('_')
        .is_some_and(|(prefix, random)| PREFIXES.contains(&(prefix, random.len())) && is_mixed(random))
}

/// Returns whether it is made of letters of both cases, and digits.
fn is_mixed(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

fn is_word(segment: &str) -> bool {
    API_WORDS.binary_search(&segment).is_ok() || OTHER_WORDS.contains(&segment)
}

fn name(text: &str) -> &str {
    if QUERY_NAMES.binary_search(&text).is_ok() || PAGING_NAMES.contains(&text) { text } else { MASK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_so_that_they_are_found() {
        for words in [API_WORDS, QUERY_NAMES, PROVIDERS] {
            assert!(words.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn words_of_the_api_and_ids_in_shapes_of_auth0_stay_and_nothing_else() {
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
            ("/api/v2/users/samlp%7Cacme%7Cjane%40acme.com", "/api/v2/users/samlp%7C*"),
            ("/api/v2/users/samlp%7CJane+Doe%7C5f7c8ec7c33c6c004bbafe82", "/api/v2/users/samlp%7C*"),
            ("/api/v2/users/samlp%7C5f7c8ec7c33c6c004bbafe82", "/api/v2/users/samlp%7C*"),
            ("/api/v2/users/jane-doe%7C5f7c8ec7c33c6c004bbafe82", "/api/v2/users/*"),
            ("/api/v2/users/auth0%7CJane-Doe-born-1985-05-17", "/api/v2/users/auth0%7C*"),
            ("/api/v2/users/auth0%7CJaneDoeAcme19850517", "/api/v2/users/auth0%7C*"),
            ("/api/v2/users/auth0%7C507f1f77bcf86cd7994390110", "/api/v2/users/auth0%7C*"),
            ("/api/v2/users/auth0%7C507F1F77BCF86CD799439011", "/api/v2/users/auth0%7C*"),
            ("/api/v2/users/github%7Cjane1985", "/api/v2/users/github%7C*"),
            ("/api/v2/users/github%7C", "/api/v2/users/github%7C*"),
            ("/api/v2/users/linkedin%7Cjane1985", "/api/v2/users/linkedin%7C*"),
            ("/api/v2/users/windowslive%7C1985", "/api/v2/users/windowslive%7C*"),
            ("/api/v2/users/Jane-Doe-born-1985-05-17", "/api/v2/users/*"),
            ("/api/v2/users/Jane-Doe-of-Acme-born-1985-05-17", "/api/v2/users/*"),
            ("/api/v2/users/user_janedoe19850517", "/api/v2/users/*"),
            ("/api/v2/users/user_JaneDoe198505170", "/api/v2/users/*"),
            ("/api/v2/roles/rol_janedoe198505170", "/api/v2/roles/*"),
            ("/api/v2/roles/rol_JaneDoe19850517", "/api/v2/roles/*"),
            ("/api/v2/roles/rol_JaneDoe-19850517", "/api/v2/roles/*"),
            ("/api/v2/users/3782822463100053", "/api/v2/users/*"),
            (
                "/api/v2/users/auth0%7C507f1f77bcf86cd799439011/authentication-methods/totp%7Cdev_1Xk2Yz3Ab4Cd5Ef6",
                "/api/v2/users/auth0%7C507f1f77bcf86cd799439011/authentication-methods/totp%7Cdev_1Xk2Yz3Ab4Cd5Ef6",
            ),
            (
                "/api/v2/logs/90020250301100000123456000000000000001223372036854775807",
                "/api/v2/logs/90020250301100000123456000000000000001223372036854775807",
            ),
            ("/api/v2/log-streams/lst_0000000000012345", "/api/v2/log-streams/lst_0000000000012345"),
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
            ("/api/v2/events?event_type&from_timestamp", "/api/v2/events?event_type&from_timestamp"),
            ("/api/v2/users?jane@acme.com&Jane&jane_doe_1985=y&sort", "/api/v2/users?*&*&*&sort"),
            ("/api/v2/users?", "/api/v2/users"),
            ("/", "/"),
        ] {
            assert_eq!(path(given), expected, "{given}");
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
