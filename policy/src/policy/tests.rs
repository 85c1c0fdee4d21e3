//! What the file says is what happens, and ways around it are not.

use http::{HeaderMap, Method, Uri, header};
use proptest::prelude::*;

use std::collections::BTreeMap;

use super::*;
use crate::{
    action::{ActionSummary, ApiRequest, Effect},
    destination::Destination,
    reach::Reach,
};

fn policy(text: &str) -> Policy {
    Policy::from_toml(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn json() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    headers
}

fn check(policy: &Policy, request: &str, headers: &HeaderMap, body: &str) -> Result<(), Denial> {
    let (method, path) = request.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let uri: Uri = format!("https://acme.eu.auth0.com{path}").parse().unwrap();
    let destination =
        if path == CHANGE_PASSWORD { Destination::ChangePassword } else { Destination::ManagementApi };
    policy.check_request(destination, &method, &uri, headers, body.as_bytes())
}

fn allowed(policy: &Policy, request: &str) -> bool {
    check(policy, request, &json(), "").is_ok()
}

#[test]
fn an_allow_list_lets_through_what_it_names_in_every_reading_of_the_path() {
    let policy = policy(
        "[requests]\nallow = ['GET /api/v2/users', 'DELETE /api/v2/users/{id}', 'GET,POST /api/v2/users/{id}/roles']",
    );
    for (request, expected) in [
        ("GET /api/v2/users", true),
        ("HEAD /api/v2/users", true),
        ("GET /api/v2/users?q=/api/v2/clients&page=0", true),
        ("DELETE /api/v2/users/auth0%7C1", true),
        ("DELETE /api/v2/users/auth0|1", true),
        ("DELETE /api/v2/users/ad%7CCORP%5Cana", true),
        ("DELETE /api/v2/users/a%20b", true),
        ("POST /api/v2/users/auth0%7C1/roles", true),
        ("GET /api/v2/%75sers", true),
        ("POST /api/v2/users", false),
        ("DELETE /api/v2/users", false),
        ("DELETE /api/v2/users/", false),
        ("DELETE /api/v2/users/auth0%7C1/", false),
        ("DELETE /api/v2/users//auth0%7C1", false),
        ("DELETE /api/v2//users/auth0%7C1", false),
        ("DELETE /api/v2/users/auth0%7C1/roles", false),
        ("DELETE /api/v2/users/auth0%7C1%2Froles", false),
        ("DELETE /api/v2/users/auth0%7C1%2froles", false),
        ("DELETE /api/v2/users/auth0%7C1%252Froles", false),
        ("DELETE /api/v2/users/auth0%7C1%25252Froles", false),
        ("DELETE /api/v2/users/x;y", false),
        ("DELETE /api/v2/users;x/auth0%7C1", false),
        ("DELETE /api/v2/users/%00", false),
        ("DELETE /api/v2/users/%c0%af", false),
        ("DELETE /api/v2/users/%zz", false),
        ("GET /api/v2/USERS", false),
        ("GET /api/v2/users-by-email", false),
        ("GET /api/v2/users%3Fq=1", false),
        ("GET /api/v2/users%23", false),
        ("GET /api/v2/clients", false),
        ("PATCH /api/v2/users", false),
        ("OPTIONS /api/v2/users", false),
        ("get /api/v2/users", false),
        ("GET /api/v2/users?_method=DELETE", false),
        ("GET /api/v2/users?a=1&%5Fmethod=DELETE", false),
        ("GET /api/v2/users?_METHOD=DELETE", false),
        ("POST /dbconnections/change_password", false),
    ] {
        assert_eq!(allowed(&policy, request), expected, "{request}");
    }
}

/// Methods that no request of the API has: those that HTTP has beside, those of WebDAV and UPnP, and the API's own in other
/// letters, which are other methods (RFC 9110, section 9.1).
const FOREIGN_METHODS: [&str; 12] = [
    "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "M-SEARCH", "PURGE", "get", "Get", "Post", "delete", "head",
    "X",
];

#[test]
fn a_method_that_the_api_has_not_is_refused_by_every_policy_whatever_it_allows() {
    for text in [
        "read_only = true",
        "[requests]\nallow = ['* /api/v2/**']",
        "[requests]\ndeny = ['* /api/v2/clients/**']",
        "[fields]\n'PATCH /api/v2/users/{id}' = ['nickname']",
    ] {
        for method in FOREIGN_METHODS {
            let denial = check(&policy(text), &format!("{method} /api/v2/users"), &json(), "").unwrap_err();
            let expected = DeniedBy::Malformed(Malformed::Method(method.to_owned()));
            assert_eq!(denial.rule(), &expected, "{text}: {method}");
        }
    }
    let (api, change) = (Destination::ManagementApi, Destination::ChangePassword);
    for method in FOREIGN_METHODS {
        let method: Method = method.parse().unwrap();
        for destination in [api, change] {
            let denial = check_reading(destination, &method).unwrap_err();
            assert_eq!(denial.rule(), &DeniedBy::CallReads { method: method.to_string() });
        }
    }
}

#[test]
fn a_head_is_held_to_what_a_get_is_and_what_would_allow_it_is_a_rule() {
    for (text, request, expected) in [
        ("read_only = true", "HEAD /api/v2/users", true),
        ("[requests]\nallow = ['GET /api/v2/users']", "HEAD /api/v2/users", true),
        ("[requests]\nallow = ['POST /api/v2/users']", "HEAD /api/v2/users", false),
        ("[requests]\ndeny = ['GET /api/v2/users']", "HEAD /api/v2/users", false),
        ("[requests]\ndeny = ['POST /api/v2/users']", "HEAD /api/v2/users", true),
    ] {
        assert_eq!(allowed(&policy(text), request), expected, "{text}: {request}");
    }
    assert_eq!(check_reading(Destination::ManagementApi, &Method::HEAD), Ok(()));
    let posts = policy("[requests]\nallow = ['POST /api/v2/users']");
    let denial = check(&posts, "HEAD /api/v2/users", &json(), "").unwrap_err();
    let Some(Remedy::AllowRequest { rule }) = denial.remedy() else { panic!("{denial:?}") };
    assert!(allowed(&policy(&format!("[requests]\nallow = ['{rule}']")), "HEAD /api/v2/users"), "{rule}");
}

#[test]
fn a_deny_list_holds_in_any_reading_of_the_path() {
    let policy = policy("[requests]\ndeny = ['* /api/v2/clients/**', 'DELETE,POST /api/v2/users/*/roles']");
    for (request, expected) in [
        ("GET /api/v2/users", true),
        ("GET /api/v2/clients-x", true),
        ("GET /api/v2/users/a/roles", true),
        ("POST /dbconnections/change_password", true),
        ("GET /api/v2/clients", false),
        ("GET /api/v2/clients/a/credentials", false),
        ("GET /api/v2/Clients", false),
        ("GET /api/v2/%63lients", false),
        ("GET /api/v2/%2563lients", false),
        ("GET /api/v2/clients%2Fa", false),
        ("GET /api/v2/clients%252Fa", false),
        ("GET /api/v2/clients%5Ca", false),
        ("GET /api/v2/%2Fclients", false),
        ("GET /api/v2/clients;x", false),
        ("HEAD /api/v2/clients", false),
        // A server that decodes before it routes cuts parameters, queries and fragments off there.
        ("GET /api/v2/clients%3Bx", false),
        ("GET /api/v2/clients%3Bx/a", false),
        ("GET /api/v2/clients%253Bx", false),
        ("GET /api/v2/clients%3Fx", false),
        ("GET /api/v2/clients%253fx", false),
        ("GET /api/v2/clients%23x", false),
        ("GET /api/v2/clients%23/a", false),
        ("POST /api/v2/users/a/roles%3Fx", false),
        ("POST /api/v2/users/a/roles%3Fx/permissions", false),
        ("POST /api/v2/users/a/roles%23", false),
        // One that trims what it routes drops these: Windows the dots and blanks at an end.
        ("GET /api/v2/clients%20", false),
        ("GET /api/v2/%20clients", false),
        ("GET /api/v2/clients%2520", false),
        ("GET /api/v2/clients%C2%A0", false),
        ("GET /api/v2/clients.", false),
        ("GET /api/v2/clients%2E", false),
        ("GET /api/v2/clients%2e%20", false),
        ("GET /api/v2/clients%20/a", false),
        ("POST /api/v2/users/a/roles.%20", false),
        // Where no rule could have matched they are ids as others.
        ("GET /api/v2/users/auth0%7Ca%3Bb%3Fc%23d", true),
        ("GET /api/v2/users/a%20", true),
        ("GET /api/v2/users/a.", true),
        ("DELETE /api/v2/users/a/roles", false),
        ("DELETE /api/v2/users/a/ROLES", false),
        ("POST /api/v2/users/a%2Froles", false),
    ] {
        assert_eq!(allowed(&policy, request), expected, "{request}");
    }
}

#[test]
fn a_header_that_names_another_request_is_refused_by_every_policy() {
    for (name, expected) in [
        ("X-HTTP-Method-Override", false),
        ("x-http-method", false),
        ("x-method-override", false),
        ("x-original-url", false),
        ("X-Rewrite-URL", false),
        ("x-forwarded-host", false),
        ("forwarded", false),
        ("x-forwarded-for", false),
        ("x-forwarded-proto", false),
        ("true-client-ip", false),
        ("cf-connecting-ip", false),
        ("auth0-forwarded-for", false),
        ("cookie", false),
        ("x-amz-date", false),
        ("x-made-up", false),
        ("x-correlation-id", true),
        ("auth0-custom-domain", true),
        ("accept", true),
    ] {
        let mut headers = json();
        headers.insert(name.parse::<http::HeaderName>().unwrap(), "DELETE".parse().unwrap());
        let result = check(&Policy::default(), "POST /api/v2/users", &headers, "{}");
        assert_eq!(result.is_ok(), expected, "{name}");
    }
}

#[test]
fn fields_restrict_whatever_else_is_allowed() {
    let policy = policy(
        "[requests]\nallow = ['* /api/v2/**']\n[fields]\n'PATCH,PUT /api/v2/users/{id}' = ['blocked', 'app_metadata.plan']\n\
         'POST /api/v2/users/*/revoke-access' = []",
    );
    let user = "PATCH /api/v2/users/auth0%7C1";
    for (request, body, expected) in [
        (user, "{\"blocked\":true}", true),
        (user, "{\"app_metadata\":{\"plan\":\"gold\"}}", true),
        (user, "", true),
        (user, "{\"email\":\"x\"}", false),
        (user, "{\"app_metadata\":{\"roles\":[]}}", false),
        (user, "[]", false),
        ("PUT /api/v2/users/auth0%7C1", "{\"email\":\"x\"}", false),
        ("PATCH /api/v2/Users/auth0%7C1", "{\"email\":\"x\"}", false),
        ("PATCH /api/v2/users%2Fauth0%7C1", "{\"email\":\"x\"}", false),
        ("PATCH /api/v2/users%252Fauth0%7C1", "{\"email\":\"x\"}", false),
        ("PATCH /api/v2/users%5Cauth0%7C1", "{\"email\":\"x\"}", false),
        ("PATCH /api/v2/clients/a", "{\"name\":\"x\"}", true),
        ("POST /api/v2/users", "{\"email\":\"x\"}", true),
        ("POST /api/v2/users/a/revoke-access", "", true),
        ("POST /api/v2/users/a/revoke-access", "{}", true),
        ("POST /api/v2/users/a/revoke-access", "{\"session_id\":\"x\"}", false),
    ] {
        let result = check(&policy, request, &json(), body);
        assert_eq!(result.is_ok(), expected, "{request} {body}: {result:?}");
    }
    let mut form = HeaderMap::new();
    form.insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    assert!(check(&policy, user, &form, "blocked=true").is_err());
    assert!(check(&policy, user, &form, "{\"blocked\":\"&email=x&\"}").is_err());
    let error = check(&policy, user, &json(), "{\"email\":\"x\"}").unwrap_err().to_string();
    for part in ["`email`", "PUT,PATCH /api/v2/users/{id}", "line 4", "app_metadata.plan, blocked"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_read_only_policy_lets_no_write_and_no_mail_out() {
    let policy = policy("read_only = true");
    for (request, expected) in [
        ("GET /api/v2/users", true),
        ("HEAD /api/v2/users", true),
        ("POST /api/v2/users", false),
        ("POST /api/v2/jobs/users-exports", false),
        ("PATCH /api/v2/users/x", false),
        ("PUT /api/v2/x", false),
        ("DELETE /api/v2/users/x", false),
        ("POST /dbconnections/change_password", false),
    ] {
        assert_eq!(allowed(&policy, request), expected, "{request}");
    }
    assert!(policy.check_mail(MailProvider::SendGrid).is_err());
}

#[test]
fn mail_leaves_through_the_provider_that_is_named() {
    for (text, sendgrid, resend) in [
        ("mail_provider = 'none'", false, false),
        ("mail_provider = 'resend'", false, true),
        ("allow_loopback = true", true, true),
    ] {
        let policy = policy(text);
        assert_eq!(policy.check_mail(MailProvider::SendGrid).is_ok(), sendgrid, "{text}");
        assert_eq!(policy.check_mail(MailProvider::Resend).is_ok(), resend, "{text}");
    }
}

#[test]
fn a_guest_reaches_no_token_endpoint() {
    let uri: Uri = "https://acme.eu.auth0.com/oauth/token".parse().unwrap();
    let result =
        Policy::default().check_request(Destination::TokenEndpoint, &Method::POST, &uri, &json(), b"");
    assert!(result.is_err());
}

#[test]
fn what_would_not_be_enforced_is_refused_where_it_stands() {
    for (text, place, hint) in [
        ("", None, "the policy has no rules"),
        ("# nothing", None, "the policy has no rules"),
        ("read_only = false", None, "the policy has no rules"),
        ("deny_reach = 'escalates'", Some((1, 14)), "sequence"),
        (
            "deny_reach = ['escalate']",
            Some((1, 15)),
            "there is no reach `escalate`; there are runs-code, exfiltrates",
        ),
        ("deny_reach = ['weakens', 'weakens']", Some((1, 26)), "twice"),
        ("read_only = true\ndeny_reach = ['weakens']", Some((2, 14)), "what reads has no reach"),
        (
            "[requests]\nallow = ['GET /api/v2/users', 'POST /api/v2/client-grants']",
            Some((2, 31)),
            "and the default policy denies that; to allow it, set `deny_reach = [\"runs-code\", \"exfiltrates\", \"weakens\"]`",
        ),
        (
            "deny_reach = ['takes-over']\n[requests]\nallow = ['POST /api/v2/tickets/password-change']",
            Some((3, 10)),
            "the policy's `deny_reach` (line 1) denies that; to allow it, set `deny_reach = []`",
        ),
        ("[actions]", None, "the policy has no rules"),
        ("read_only = true\nreadonly = true", Some((2, 1)), "unknown field `readonly`"),
        ("read_only = 'yes'", Some((1, 13)), "boolean"),
        ("read_only = true\nread_only = true", Some((2, 1)), "duplicate key"),
        ("read_only = ", Some((1, 13)), ""),
        ("[actions]\nallow = 'get-user'", Some((2, 9)), "sequence"),
        (
            "[actions]\nallows = ['get-user']",
            Some((2, 1)),
            "unknown field `allows`, expected `allow` or `deny`",
        ),
        ("[actions]\nallow = []", Some((2, 9)), "the list is empty"),
        ("[actions]\nallow = ['get-user', 'get_user']", Some((2, 22)), "is not an action id"),
        ("[actions]\nallow = ['get-user', 'get-user']", Some((2, 22)), "twice"),
        ("[actions]\nallow = ['get-*']\ndeny = ['get-*']", Some((3, 9)), "allows it: leave one of them out"),
        ("[requests]\nallow = []", Some((2, 9)), "the list is empty"),
        ("[requests]\nallow = ['GET /users']", Some((2, 10)), "/api/v2/"),
        (
            "[requests]\nallow = [\n  'GET /api/v2/users',\n  'FETCH /api/v2/users',\n]",
            Some((4, 3)),
            "no method `FETCH`",
        ),
        ("[requests]\nallow = ['GET /api/v2/users*']", Some((2, 10)), "whole one"),
        ("[requests]\nallow = ['GET /api/v2/**', 'GET /api/v2/**']", Some((2, 28)), "twice"),
        (
            "[requests]\nallow = ['GET /api/v2/**']\ndeny = ['GET /api/v2/**']",
            Some((3, 9)),
            "allows it: leave one of them out",
        ),
        (
            "[requests]\nallow = ['GET /api/v2/users']\ndeny = ['* /api/v2/**']",
            Some((2, 10)),
            "denies all of it",
        ),
        (
            "[requests]\nallow = ['GET /api/v2/**']\ndeny = ['POST /api/v2/users']",
            Some((3, 9)),
            "no request that it matches is allowed",
        ),
        (
            "[requests]\nallow = ['GET /api/v2/users']\ndeny = ['GET /api/v2/clients']",
            Some((3, 9)),
            "no request that it matches is allowed",
        ),
        ("read_only = true\n[requests]\nallow = ['POST /api/v2/users']", Some((3, 10)), "read-only"),
        ("read_only = true\nmail_provider = 'resend'", Some((2, 17)), "conflicts with"),
        ("mail_provider = 'pigeon'", Some((1, 17)), "none, sendgrid, mailgun"),
        ("[fields]\n'GET /api/v2/users' = ['x']", Some((2, 1)), "GET"),
        ("[fields]\n'* /api/v2/users' = ['x']", Some((2, 1)), "GET"),
        ("[fields]\n'POST /api/v2/users' = ['x.']", Some((2, 25)), "is not a field"),
        ("[fields]\n'POST /api/v2/users' = ['x', 'x']", Some((2, 30)), "twice"),
        ("[fields]\n'POST /api/v2/users' = ['x', 'x.y']", Some((2, 30)), "is part of a listed field"),
        ("[fields]\n'POST,PUT /api/v2/a' = []\n'PUT,POST /api/v2/a' = []", Some((3, 1)), "twice"),
        ("read_only = true\n[fields]\n'POST /api/v2/users' = ['x']", Some((3, 1)), "read-only"),
        (
            "[requests]\nallow = ['GET /api/v2/**']\n[fields]\n'POST /api/v2/users' = ['x']",
            Some((4, 1)),
            "no request that it matches",
        ),
        (
            "[requests]\ndeny = ['POST /api/v2/**']\n[fields]\n'POST /api/v2/users' = ['x']",
            Some((4, 1)),
            "denies all of it",
        ),
        ("allowed_networks = ['10.1.0.0/8']", Some((1, 21)), "begins at 10.0.0.0"),
        ("allowed_networks = ['1.1.1.0/24']", Some((1, 21)), "public"),
        ("allowed_networks = ['10.0.0.0/8', '10.0.0.0/8']", Some((1, 35)), "twice"),
        ("allow_loopback = 1", Some((1, 18)), "boolean"),
    ] {
        let error = Policy::from_toml(text).expect_err(text);
        assert_eq!(error.position(), place, "{text:?}: {error}");
        assert!(error.to_string().contains(hint), "{text:?}: {error}");
        if let Some((line, column)) = place {
            assert!(error.to_string().starts_with(&format!("line {line}, column {column}: ")), "{error}");
        }
    }
}

fn actions() -> Vec<ActionSummary> {
    [
        ("list-users", Effect::Read),
        ("get-user", Effect::Read),
        ("update-user", Effect::Update),
        ("delete-user", Effect::Delete),
        ("send-email", Effect::Send),
        ("custom-request", Effect::Delete),
    ]
    .map(|(id, effect)| {
        let mut action = ActionSummary::new(id);
        action.effect = effect;
        action
    })
    .to_vec()
}

#[test]
fn rules_about_actions_leave_the_actions_that_they_say() {
    for (text, expected) in [
        ("[actions]\nallow = ['get-*', 'update-user']", &["get-user", "update-user"][..]),
        ("[actions]\ndeny = ['*-user']", &["list-users", "send-email", "custom-request"]),
        ("[actions]\nallow = ['*-user']\ndeny = ['delete-*']", &["get-user", "update-user"]),
        ("read_only = true", &["list-users", "get-user", "custom-request"]),
        ("read_only = true\n[actions]\nallow = ['*user*']", &["list-users", "get-user"]),
        ("read_only = true\n[actions]\ndeny = ['custom-request']", &["list-users", "get-user"]),
    ] {
        let permitted = policy(text).permit(&actions()).unwrap();
        let left: Vec<String> =
            actions().into_iter().map(|action| action.id).filter(|id| permitted.check(id).is_ok()).collect();
        assert_eq!(left, expected, "{text}");
        assert!(permitted.check("Delete-User").is_err() && permitted.check("").is_err(), "{text}");
    }
    assert!(matches!(Policy::default().permit(&actions()).unwrap(), PermittedActions::All));
    assert!(!policy("[requests]\ndeny = ['DELETE /api/v2/**']").is_about_actions());
}

#[test]
fn a_rule_about_actions_that_does_nothing_is_refused_where_it_stands() {
    for (text, line, hint) in [
        ("[actions]\nallow = ['get-usr']", 2, "no such action (did you mean get-user?)"),
        ("[actions]\ndeny = ['destroy-*']", 2, "matches no action"),
        (
            "[actions]\nallow = ['get-user']\ndeny = ['get-*']",
            2,
            "denied by the policy's rule `get-*` (line 3)",
        ),
        (
            "[actions]\nallow = ['get-user']\ndeny = ['delete-user']",
            3,
            "no action that it matches is allowed",
        ),
        ("read_only = true\n[actions]\nallow = ['get-user', 'delete-user']", 3, "read-only"),
    ] {
        let error = policy(text).permit(&actions()).unwrap_err();
        assert_eq!(error.position().map(|(line, _)| line), Some(line), "{text}: {error}");
        assert!(error.to_string().contains(hint), "{text}: {error}");
    }
    let error = policy("[actions]\ndeny = ['*']").permit(&actions()).unwrap_err().to_string();
    assert!(error.contains("the policy allows no action"), "{error}");
}

#[test]
fn the_builder_says_the_same_as_the_file() {
    let built = Policy::builder()
        .allow_action("get-*")
        .deny_action("get-log")
        .allow_request("GET,PATCH /api/v2/users/{id}")
        .deny_request("PATCH /api/v2/users/me")
        .fields("PATCH /api/v2/users/{id}", ["blocked"])
        .mail_provider("none")
        .allow_loopback()
        .allow_network("10.0.0.0/8")
        .build()
        .unwrap();
    let read = policy(
        "mail_provider = 'none'\nallow_loopback = true\nallowed_networks = ['10.0.0.0/8']\n\
         [actions]\nallow = ['get-*']\ndeny = ['get-log']\n\
         [requests]\nallow = ['GET,PATCH /api/v2/users/{id}']\ndeny = ['PATCH /api/v2/users/me']\n\
         [fields]\n'PATCH /api/v2/users/{id}' = ['blocked']",
    );
    for (request, body) in [
        ("GET /api/v2/users/x", ""),
        ("GET /api/v2/users", ""),
        ("PATCH /api/v2/users/me", "{}"),
        ("PATCH /api/v2/users/x", "{\"blocked\":true}"),
        ("PATCH /api/v2/users/x", "{\"email\":1}"),
    ] {
        let (built, read) = (check(&built, request, &json(), body), check(&read, request, &json(), body));
        assert_eq!(built.is_ok(), read.is_ok(), "{request} {body}");
    }
    assert_eq!(built.addresses, read.addresses);
    assert_eq!(built.mail, read.mail);
    assert!(Policy::builder().read_only().fields("PUT /api/v2/x", ["a"]).build().is_err());
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A rule as parts: which methods, which segments below `/api/v2`, and whether it is open.
type Parts = (Vec<usize>, Vec<&'static str>, bool);

fn rule() -> impl Strategy<Value = Parts> {
    let methods = proptest::sample::subsequence((0..METHODS.len()).collect::<Vec<_>>(), 1..=METHODS.len());
    let segment = proptest::sample::select(vec!["users", "roles", "{id}", "*"]);
    (methods, proptest::collection::vec(segment, 1..4), any::<bool>())
}

fn written((methods, segments, open): &Parts) -> String {
    let methods: Vec<&str> = methods.iter().map(|method| METHODS[*method]).collect();
    format!("{} /api/v2/{}{}", methods.join(","), segments.join("/"), if *open { "/**" } else { "" })
}

/// The rules once more, as simply as they can be said.
fn meant((methods, segments, open): &Parts, method: usize, path: &[&str]) -> bool {
    methods.contains(&method)
        && (path.len() == segments.len() || (*open && path.len() > segments.len()))
        && segments.iter().zip(path).all(|(rule, text)| rule.starts_with(['{', '*']) || rule == text)
}

fn list(name: &str, rules: &[Parts]) -> String {
    let rules: Vec<String> = rules.iter().map(|rule| format!("'{}'", written(rule))).collect();
    if rules.is_empty() { String::new() } else { format!("{name} = [{}]\n", rules.join(", ")) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_the_file_says_is_what_happens(
        allow in proptest::collection::vec(rule(), 0..4),
        deny in proptest::collection::vec(rule(), 0..3),
        method in 0..METHODS.len(),
        path in proptest::collection::vec(proptest::sample::select(vec!["users", "roles", "auth0|1"]), 1..5),
        encoded in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let text = format!("deny_reach = []\n[requests]\n{}{}", list("allow", &allow), list("deny", &deny));
        // Contradictions are refused; the rest must do what it says.
        let Ok(policy) = Policy::from_toml(&text) else { return Ok(()) };
        let any = |rules: &[Parts]| rules.iter().any(|rule| meant(rule, method, &path));
        let expected = (allow.is_empty() || any(&allow)) && !any(&deny);
        let request = format!("{} /api/v2/{}", METHODS[method], path.join("/"));
        prop_assert_eq!(allowed(&policy, &request), expected, "{}{}", text, request);
        // No encoding of the same path makes another decision.
        let disguised: String = path.join("/").chars().zip(encoded.iter().cycle()).map(|(c, encode)| {
            if *encode && c != '/' { format!("%{:02x}", u32::from(c)) } else { c.to_string() }
        }).collect();
        let request = format!("{} /api/v2/{disguised}", METHODS[method]);
        prop_assert_eq!(allowed(&policy, &request), expected, "{}{}", text, request);
        // An encoded slash never allows more than the path that it may be taken for.
        let request = format!("{} /api/v2/{}", METHODS[method], path.join("%2F"));
        prop_assert!(!allowed(&policy, &request) || expected, "{}{}", text, request);
    }

    #[test]
    fn a_body_that_passes_has_the_named_members_only(
        named in proptest::collection::btree_set("[abc]", 0..3),
        written in proptest::collection::btree_map("[abcd]", any::<bool>(), 0..4),
    ) {
        let fields: Vec<String> = named.iter().map(|field| format!("'{field}'")).collect();
        let policy = policy(&format!("[fields]\n'POST /api/v2/users' = [{}]", fields.join(", ")));
        let body = serde_json::to_string(&written).unwrap();
        let expected = written.keys().all(|key| named.contains(key));
        prop_assert_eq!(check(&policy, "POST /api/v2/users", &json(), &body).is_ok(), expected, "{}", body);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]a-z=' \\n,*/{}.]{0,60}") {
        let _ = Policy::from_toml(&text);
    }
}

#[test]
fn a_test_of_a_policy_does_not_ask_for_credentials() {
    for (provider, request) in [
        ("sendgrid", "POST https://api.sendgrid.com/v3/mail/send"),
        ("mailgun", "POST https://api.eu.mailgun.net/v3/mg.acme.com/messages"),
        ("mandrill", "POST https://mandrillapp.com/api/1.0/messages/send"),
        ("sparkpost", "POST https://api.sparkpost.com/api/v1/transmissions"),
        ("resend", "POST https://api.resend.com/emails"),
        ("ses", "POST https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"),
        ("azure_cs", "POST https://azure-communication-services.invalid/emails:send"),
        ("ms365", "POST https://graph.microsoft.com/v1.0/users/a/sendMail"),
        ("smtp", "POST https://smtp.invalid/send"),
    ] {
        let only = Policy::from_toml(&format!("mail_provider = '{provider}'")).unwrap();
        assert_eq!(only.mail_provider(), Some(provider));
        only.test_request(request, b"{}").unwrap();
        Policy::default().test_request(request, b"{}").unwrap();
        let none = Policy::from_toml("mail_provider = 'none'").unwrap();
        assert_eq!(none.mail_provider(), None);
        assert!(
            none.test_request(request, b"{}").unwrap_err().rule().to_string().contains("allows no email"),
            "{request}"
        );
    }
}

/// The kinds of requests by which a review escalated or exfiltrated; the body is what makes it so.
const FAR_REACHING: [(&str, &str, Reach); 57] = [
    ("POST /api/v2/client-grants", "{}", Reach::Escalates),
    ("PATCH /api/v2/client-grants/cgr_1", "{\"allow_all_scopes\":true}", Reach::Escalates),
    ("POST /api/v2/organizations/org_1/client-grants", "{\"grant_id\":\"cgr_1\"}", Reach::Escalates),
    ("POST /api/v2/organizations/org_1/clients", "{}", Reach::Escalates),
    ("POST /api/v2/clients", "{\"name\":\"x\"}", Reach::Escalates),
    (
        "POST /api/v2/clients/cimd/register",
        "{\"external_client_id\":\"https://x.example\"}",
        Reach::Escalates,
    ),
    ("PATCH /api/v2/clients/c", "{\"client_secret\":\"chosen\"}", Reach::Escalates),
    ("PATCH /api/v2/clients/c", "{\"client_authentication_methods\":{}}", Reach::Escalates),
    ("PATCH /api/v2/clients/c", "{\"grant_types\":[\"client_credentials\"]}", Reach::Escalates),
    ("PATCH /api/v2/clients/c", "{\"token_endpoint_auth_method\":\"none\"}", Reach::Escalates),
    ("PATCH /api/v2/clients/c", "{\"callbacks\":[\"https://x.example\"]}", Reach::Exfiltrates),
    ("PATCH /api/v2/clients/c", "{\"oidc_logout\":{\"backchannel_logout_urls\":[]}}", Reach::Exfiltrates),
    ("PATCH /api/v2/clients/c", "{\"addons\":{\"samlp\":{}}}", Reach::Exfiltrates),
    ("PATCH /api/v2/clients/c", "{\"custom_login_page\":\"<script>\"}", Reach::RunsCode),
    ("POST /api/v2/clients/c/credentials", "{\"pem\":\"x\"}", Reach::Escalates),
    ("PATCH /api/v2/clients/c/credentials/cred_1", "{\"expires_at\":null}", Reach::Escalates),
    ("POST /api/v2/clients/c/rotate-secret", "", Reach::Escalates),
    ("POST /api/v2/actions/actions", "{\"code\":\"x\"}", Reach::RunsCode),
    ("PATCH /api/v2/actions/actions/a", "{\"code\":\"x\"}", Reach::RunsCode),
    ("POST /api/v2/actions/actions/a/deploy", "", Reach::RunsCode),
    ("POST /api/v2/actions/actions/a/versions/v/deploy", "{}", Reach::RunsCode),
    ("PATCH /api/v2/actions/triggers/post-login/bindings", "{\"bindings\":[]}", Reach::RunsCode),
    ("POST /api/v2/actions/modules", "{\"code\":\"x\"}", Reach::RunsCode),
    ("POST /api/v2/rules", "{\"script\":\"x\"}", Reach::RunsCode),
    ("PATCH /api/v2/rules/rul_1", "{\"script\":\"x\"}", Reach::RunsCode),
    ("PUT /api/v2/rules-configs/K", "{\"value\":\"x\"}", Reach::RunsCode),
    ("POST /api/v2/hooks", "{\"script\":\"x\"}", Reach::RunsCode),
    ("PATCH /api/v2/hooks/h", "{\"script\":\"x\"}", Reach::RunsCode),
    ("POST /api/v2/hooks/h/secrets", "{\"K\":\"x\"}", Reach::RunsCode),
    ("POST /api/v2/connections", "{\"options\":{\"customScripts\":{\"login\":\"x\"}}}", Reach::RunsCode),
    (
        "PATCH /api/v2/connections/con_1",
        "{\"options\":{\"customScripts\":{\"login\":\"x\"}}}",
        Reach::RunsCode,
    ),
    (
        "PATCH /api/v2/connections/con_1",
        "{\"options\":{\"discovery_url\":\"https://x.example\"}}",
        Reach::Exfiltrates,
    ),
    ("POST /api/v2/connections/con_1/scim-configuration/tokens", "{}", Reach::Escalates),
    ("PUT /api/v2/branding/templates/universal-login", "{\"template\":\"x\"}", Reach::RunsCode),
    ("PUT /api/v2/prompts/login/partials", "{\"login\":{}}", Reach::RunsCode),
    ("PATCH /api/v2/prompts/login/screen/login/rendering", "{\"head_tags\":[]}", Reach::RunsCode),
    ("POST /api/v2/forms", "{\"name\":\"x\"}", Reach::RunsCode),
    ("POST /api/v2/flows", "{\"name\":\"x\"}", Reach::RunsCode),
    ("POST /api/v2/flows/vault/connections", "{\"app_id\":\"HTTP\"}", Reach::Exfiltrates),
    ("POST /api/v2/log-streams", "{\"type\":\"http\"}", Reach::Exfiltrates),
    ("PATCH /api/v2/log-streams/lst_1", "{\"sink\":{}}", Reach::Exfiltrates),
    ("DELETE /api/v2/log-streams/lst_1", "", Reach::Weakens),
    ("POST /api/v2/event-streams", "{\"destination\":{}}", Reach::Exfiltrates),
    ("PATCH /api/v2/event-streams/est_1", "{\"destination\":{}}", Reach::Exfiltrates),
    ("POST /api/v2/emails/provider", "{\"name\":\"smtp\"}", Reach::Exfiltrates),
    ("PATCH /api/v2/emails/provider", "{\"credentials\":{}}", Reach::Exfiltrates),
    ("PATCH /api/v2/email-templates/reset_email", "{\"body\":\"x\"}", Reach::Exfiltrates),
    ("POST /api/v2/branding/phone/providers", "{\"name\":\"twilio\"}", Reach::Exfiltrates),
    ("PUT /api/v2/guardian/factors/sms/providers/twilio", "{\"sid\":\"x\"}", Reach::Exfiltrates),
    ("PUT /api/v2/keys/custom-signing", "{\"keys\":[]}", Reach::Escalates),
    ("POST /api/v2/keys/signing/rotate", "", Reach::Weakens),
    ("POST /api/v2/tickets/password-change", "{\"user_id\":\"auth0|1\"}", Reach::TakesOver),
    ("POST /api/v2/tickets/email-verification", "{\"user_id\":\"auth0|1\"}", Reach::TakesOver),
    ("POST /api/v2/self-service-profiles/ssp_1/sso-ticket", "{}", Reach::Escalates),
    ("POST /api/v2/token-exchange-profiles", "{\"action_id\":\"a\"}", Reach::Escalates),
    ("POST /api/v2/jobs/users-imports", "", Reach::TakesOver),
    ("POST /api/v2/jobs/users-exports", "{\"format\":\"csv\"}", Reach::Exfiltrates),
];

#[test]
fn requests_that_escalate_or_exfiltrate_are_denied_by_the_default_and_the_refusal_names_the_line_that_allows_them()
 {
    for (request, body, reach) in FAR_REACHING {
        let kind = |policy: &Policy| policy.test_request(request, body.as_bytes());
        Policy::unrestricted().test_request(request, body.as_bytes()).unwrap();
        let denied = if ReachSet::DENIED_BY_DEFAULT.contains(reach) {
            kind(&Policy::default())
        } else {
            // Accounts of people are what many workflows are for: the default lets them through, one line does not.
            kind(&Policy::default()).unwrap();
            kind(&policy("deny_reach = ['takes-over']"))
        };
        let denial = denied.unwrap_err();
        let DeniedBy::Reach { judgement, .. } = denial.rule() else { panic!("{request}: {denial}") };
        let denied = if ReachSet::DENIED_BY_DEFAULT.contains(reach) {
            ReachSet::DENIED_BY_DEFAULT
        } else {
            ReachSet::NONE.with(reach)
        };
        assert!(denied.contains(judgement.reach), "{request}: {judgement:?}");
        let Some(Remedy::AllowReach { deny }) = denial.remedy() else { panic!("{request}: {denial}") };
        let text = denial.to_string();
        let line = text.split("set `").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
        let allowing = policy(line);
        assert_eq!(allowing.denied_reach(), *deny, "{text}");
        kind(&allowing).unwrap_or_else(|denial| panic!("{request}: {denial}"));
    }
}

#[test]
fn policy_check_names_each_request_that_escalates_or_exfiltrates_where_it_is_allowed() {
    let warned = |policy: &Policy| policy.report(&actions()).unwrap().warnings().join("\n");
    let open = warned(&Policy::unrestricted());
    let closed = warned(&policy(
        "deny_reach = ['runs-code', 'exfiltrates', 'escalates', 'takes-over', 'weakens', 'grants-people']",
    ));
    for (request, body, reach) in FAR_REACHING {
        let (method, path) = request.split_once(' ').unwrap();
        let path = request_path::RequestPath::read(path).unwrap();
        let judged = crate::reach::of_request(method, &path, &json(), body.as_bytes());
        let one = judged.iter().find(|judgement| judgement.reach == reach);
        let one = one.unwrap_or_else(|| panic!("{request}: {judged:?}"));
        let warning = open.lines().find(|line| line.starts_with(&format!("the reach `{reach}`"))).unwrap();
        assert!(warning.contains(one.reason), "{request}: {warning}");
        assert!(!closed.contains(one.reason), "{request}: {closed}");
    }
    for request in [
        "`POST /api/v2/client-grants`",
        "`PATCH /api/v2/clients/{id}` by client_secret, client_authentication_methods",
    ] {
        assert!(open.contains(request), "{request}: {open}");
    }
}

#[test]
fn a_reach_is_named_where_fields_allow_exactly_the_member_and_where_a_rule_names_one_id() {
    let named = |text: &str, needle: &str| {
        let warnings = policy(text).report(&actions()).unwrap().warnings().join("\n");
        warnings.contains(needle)
    };
    let open = "deny_reach = []\n";
    let client = "`PATCH /api/v2/clients/{id}` by ";
    for (text, needle, expected) in [
        (
            "[fields]\n'PATCH /api/v2/clients/{id}' = ['client_secret']",
            &format!("{client}client_secret")[..],
            true,
        ),
        ("[fields]\n'PATCH /api/v2/clients/{id}' = ['client_secret']", &format!("{client}callbacks"), false),
        ("[fields]\n'PATCH /api/v2/clients/{id}' = ['description']", client, false),
        // It restricts one application only.
        ("[fields]\n'PATCH /api/v2/clients/abc' = ['description']", client, true),
        ("[requests]\nallow = ['PATCH /api/v2/clients/abc']", client, true),
        (
            "[requests]\nallow = ['PATCH /api/v2/clients/abc']\n[fields]\n'PATCH /api/v2/clients/abc' = ['description']",
            client,
            false,
        ),
        (
            "[requests]\nallow = ['POST /api/v2/clients/abc/rotate-secret']",
            "`POST /api/v2/clients/{id}/rotate-secret`",
            true,
        ),
        (
            "[requests]\ndeny = ['POST /api/v2/clients/abc/rotate-secret']",
            "`POST /api/v2/clients/{id}/rotate-secret`",
            true,
        ),
        (
            "[requests]\ndeny = ['POST /api/v2/clients/**']",
            "`POST /api/v2/clients/{id}/rotate-secret`",
            false,
        ),
        (
            "[fields]\n'PATCH /api/v2/connections/{id}' = ['options.customScripts.login']",
            "by options.customScripts",
            true,
        ),
        (
            "[fields]\n'PATCH /api/v2/users/{id}' = ['password']",
            "`PATCH /api/v2/users/{id}` by password",
            true,
        ),
        ("[fields]\n'PATCH /api/v2/users/{id}' = ['blocked']", "`PATCH /api/v2/users/{id}`", false),
    ] {
        assert_eq!(named(&format!("{open}{text}"), needle), expected, "{text}: {needle}");
    }
    assert!(!named("read_only = true", "the reach"));
    assert!(!named("mail_provider = 'none'", "`escalates`"));
    assert!(named("mail_provider = 'none'", "`takes-over`"));
}

#[test]
fn an_allowed_action_whose_request_is_denied_is_named_with_what_denies_it() {
    let requests = BTreeMap::from([
        ("update-user".to_owned(), vec![ApiRequest::new("PATCH", "/api/v2/users/{id}")]),
        ("delete-user".to_owned(), vec![ApiRequest::new("DELETE", "/api/v2/users/{id}")]),
        ("list-users".to_owned(), vec![ApiRequest::new("GET", "/api/v2/users")]),
        ("send-email".to_owned(), vec![ApiRequest::new("POST", "/api/v2/clients/{id}/rotate-secret")]),
    ]);
    for (text, expected) in [
        (
            "mail_provider = 'none'",
            &["send-email: POST /api/v2/clients/{id}/rotate-secret has the reach `escalates`"][..],
        ),
        ("deny_reach = []\nmail_provider = 'none'", &[]),
        (
            "deny_reach = []\n[requests]\nallow = ['GET,PATCH /api/v2/**', 'POST /api/v2/clients/abc/rotate-secret']",
            &["delete-user: no rule of the policy allows DELETE /api/v2/users/{id}"],
        ),
        (
            "deny_reach = []\n[requests]\ndeny = ['* /api/v2/users/**']",
            &[
                "list-users: GET /api/v2/users is denied by",
                "update-user: PATCH /api/v2/users/{id} is denied by",
                "delete-user: DELETE /api/v2/users/{id} is denied by",
            ],
        ),
        (
            "deny_reach = []\n[actions]\ndeny = ['delete-user']\n[requests]\ndeny = ['DELETE /api/v2/users/{id}']",
            &[],
        ),
    ] {
        let report = policy(text).report(&actions()).unwrap().with_requests(requests.clone());
        let denied = report.denied_requests();
        assert_eq!(denied.len(), expected.len(), "{text}: {denied:?}");
        for (denied, expected) in denied.iter().zip(expected) {
            let told = format!("{}: {}", denied.action, denied.denial);
            assert!(told.starts_with(expected), "{text}: {told}");
            assert!(report.warnings().join("\n").contains(&format!("`{}`: ", denied.action)), "{text}");
        }
    }
}

#[test]
fn what_is_unrestricted_says_so_and_a_line_that_denies_nothing_is_a_rule() {
    assert!(Policy::unrestricted().is_unrestricted() && !Policy::default().is_unrestricted());
    assert!(policy("deny_reach = []").is_unrestricted());
    assert!(!policy("deny_reach = []\nmail_provider = 'none'").is_unrestricted());
    assert_eq!((Policy::default().rules(), Policy::unrestricted().rules()), (0, 1));
    let all = policy("deny_reach = ['runs-code', 'exfiltrates', 'escalates', 'weakens']");
    assert_eq!(all.denied_reach(), Policy::default().denied_reach());
    assert_eq!(Policy::builder().deny_reach(ReachSet::NONE).build().unwrap().denied_reach(), ReachSet::NONE);
}

#[test]
fn a_call_gets_no_further_than_what_was_agreed_to() {
    let uri: Uri = "https://acme.eu.auth0.com/api/v2/users/auth0%7C1".parse().unwrap();
    let check = |agreed: ReachSet, body: &str| {
        check_agreed_reach(agreed, &Method::PATCH, &uri, &json(), body.as_bytes())
    };
    let email = "{\"email\":\"a@b.c\"}";
    check(ReachSet::NONE, "{\"blocked\":true}").unwrap();
    check(ReachSet::NONE.with(Reach::TakesOver), email).unwrap();
    let denial = check(ReachSet::ALL.without(Reach::TakesOver), email).unwrap_err();
    assert!(matches!(denial.rule(), DeniedBy::ReachNotAgreed { .. }), "{denial}");
    assert!(denial.to_string().contains("by `email`") && !denial.masked().contains("email`"), "{denial}");
    let grants: Uri = "https://acme.eu.auth0.com/api/v2/client-grants".parse().unwrap();
    assert!(check_agreed_reach(ReachSet::NONE, &Method::POST, &grants, &json(), b"").is_err());
    check_agreed_reach(ReachSet::NONE, &Method::GET, &grants, &json(), b"").unwrap();
}
