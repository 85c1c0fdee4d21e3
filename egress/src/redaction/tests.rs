//! What answers and bodies look like when their secrets are out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    charge::{Charge, Charged, Charges},
    mask::{Mask, Problem},
    rules::Expected,
    search::has_nothing,
    writes_handle,
};
use crate::{
    secret::Secret,
    secrets::{SecretName, deliveries::Deliveries},
};

const TENANT: &str = "auth0-secret://t";

/// An answer that was taken, in one piece.
struct Extracted {
    clean: Vec<u8>,
    made: Vec<(SecretName, Secret)>,
}

/// Goes through a body that comes in pieces of a size.
fn go_through(mut mask: Mask, body: &[u8], size: usize) -> Result<(Mask, Vec<u8>), Problem> {
    let mut clean = Vec::new();
    for piece in body.chunks(size) {
        mask.push(&Bytes::copy_from_slice(piece))?;
        clean.extend(mask.ready().concat());
    }
    mask.finish()?;
    Ok((mask, clean))
}

impl Expected {
    fn cannot_be_in(&self, body: &[u8]) -> bool {
        let nothing = |size| {
            let pieces: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
            has_nothing(&pieces, &self.searches(), self.documented())
        };
        let whole = nothing(usize::MAX);
        [1, 2, 3, 7, 30].into_iter().for_each(|size| assert_eq!(nothing(size), whole, "{size}"));
        whole
    }

    fn mask(&self, deliveries: &Arc<Deliveries>) -> Mask {
        let charge = Charge::new(Arc::new(Charges::default()), Duration::from_secs(60));
        Mask::new(self.clone(), Arc::clone(deliveries), charge)
    }

    fn hide(&self, body: &[u8], deliveries: &Arc<Deliveries>) -> Option<Vec<u8>> {
        let hide = |size| {
            let (mut mask, mut clean) = go_through(self.mask(deliveries), body, size).ok()?;
            clean.extend(mask.ready().concat());
            Some(clean)
        };
        let whole = hide(usize::MAX);
        [1, 2, 3, 7, 30].into_iter().for_each(|size| assert_eq!(hide(size), whole, "{size}"));
        whole
    }

    fn take(&self, body: &[u8], deliveries: &Arc<Deliveries>) -> Option<Extracted> {
        let take = |size| {
            let mut mask = self.mask(deliveries).taking();
            for piece in body.chunks(size) {
                mask.push(&Bytes::copy_from_slice(piece)).ok()?;
            }
            mask.finish().ok()?;
            let taken = mask.taken()?;
            Some(Extracted { clean: taken.clean.concat(), made: taken.made })
        };
        let whole = take(usize::MAX);
        for size in [1, 2, 3, 7, 30] {
            assert_eq!(take(size).map(|taken| taken.clean), whole.as_ref().map(|taken| taken.clean.clone()));
        }
        whole
    }
}

fn expected(request: &str) -> Expected {
    let (method, path) = request.split_once(' ').unwrap();
    Expected::of(&method.parse().unwrap(), &format!("/api/v2{path}")).unwrap()
}

/// What the guest gets of an answer that shows secrets.
fn hidden(request: &str, answer: &Value) -> Value {
    let (expected, deliveries) = (expected(request), Deliveries::new("t", None));
    let body = answer.to_string();
    if expected.cannot_be_in(body.as_bytes()) {
        return answer.clone();
    }
    serde_json::from_slice(&expected.hide(body.as_bytes(), &deliveries).unwrap()).unwrap()
}

/// Where values differ, as JSON pointers with what stands there now.
fn changes(before: &Value, after: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                changes(value, &after[name], &format!("{at}/{name}"), found);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (number, (before, after)) in before.iter().zip(after).enumerate() {
                changes(before, after, &format!("{at}/{number}"), found);
            }
        }
        _ if before == after => {}
        _ => found.push((at.to_owned(), after.as_str().unwrap().strip_prefix(TENANT).unwrap().to_owned())),
    }
}

#[test]
fn each_family_hides_its_secrets_names_them_and_leaves_the_rest_alone() {
    let identities = json!([
        {"provider": "github", "user_id": "99", "connection": "github", "access_token": "canary"},
        {"provider": "twitter", "user_id": "99", "access_token": "canary", "access_token_secret": "canary"},
        {"provider": "auth0", "user_id": "1", "connection": "Users", "isSocial": false},
        {"provider": "google-oauth2", "user_id": "7", "refresh_token": "canary", "profileData": {"name": "Ana"}},
    ]);
    let tokens = |above: &str| {
        [
            ("0/access_token", "github%7C99/access_token"),
            ("1/access_token", "twitter%7C99/access_token"),
            ("1/access_token_secret", "twitter%7C99/access_token_secret"),
            ("3/refresh_token", "google-oauth2%7C7/refresh_token"),
        ]
        .map(|(at, handle)| (format!("{above}/{at}"), format!("/users/auth0%7C1/identities/{handle}")))
        .to_vec()
    };
    let own = |list: &[(&str, &str)]| {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
    };
    let user = json!({
        "user_id": "auth0|1", "identities": identities,
        // The workflow's own: no secrets of the tenant.
        "user_metadata": {"access_token": "kept", "refresh_token": "kept"}, "app_metadata": {"client_secret": "kept"},
    });
    let application = json!({
        "client_id": "abc", "client_secret": "canary", "name": "client_secret",
        "refresh_token": {"rotation_type": "rotating", "expiration_type": "expiring", "policies": [{"scope": ["a"]}]},
        "signing_keys": [{"cert": "kept", "pkcs7": "kept", "subject": "kept"}],
        "encryption_key": {"pub": "kept", "cert": "kept", "private_key": "canary"},
        "jwt_configuration": {"secret_encoded": false}, "client_authentication_methods": null,
        "addons": {"firebase": {"secret": "canary", "client_email": "kept"}, "samlp": {"audience": "kept"}},
        "client_metadata": {"client_secret": "canary", "secret": "kept"},
    });
    let of_application = |above: &str| {
        own(&[
            ("client_secret", "client_secret"),
            ("encryption_key/private_key", "encryption_key/private_key"),
            ("addons/firebase/secret", "addons/firebase/secret"),
            ("client_metadata/client_secret", "client_metadata/client_secret"),
        ])
        .into_iter()
        .map(|(at, handle)| (format!("{above}/{at}"), format!("/clients/abc/{handle}")))
        .collect::<Vec<_>>()
    };
    let stream = json!({
        "id": "lst_1", "type": "http", "status": "active", "filters": [{"type": "category", "name": "auth.login.fail"}],
        "sink": {
            "httpEndpoint": "https://example.com", "httpAuthorization": "canary",
            "httpCustomHeaders": [{"header": "X-Api-Key", "value": "canary"}],
        },
    });
    let of_stream = |above: &str| {
        own(&[
            (&format!("{above}/sink/httpAuthorization"), "/log-streams/lst_1/sink/httpAuthorization"),
            (
                &format!("{above}/sink/httpCustomHeaders/0/value"),
                "/log-streams/lst_1/sink/httpCustomHeaders/X-Api-Key/value",
            ),
        ])
    };
    for (request, answer, wanted) in [
        ("GET /users/auth0%7C1", user.clone(), tokens("/identities")),
        ("GET /users", json!([user]), tokens("/0/identities")),
        ("GET /users", json!({"start": 0, "total": 1, "users": [user]}), tokens("/users/0/identities")),
        ("GET /users-by-email", json!([user]), tokens("/0/identities")),
        ("POST /users/auth0%7C1/identities", identities.clone(), tokens("")),
        ("GET /clients/abc", application.clone(), of_application("")),
        ("GET /clients", json!({"clients": [application], "next": "x"}), of_application("/clients/0")),
        ("GET /clients/search", json!({"rows": [application]}), of_application("/rows/0")),
        ("GET /log-streams", json!([stream]), of_stream("/0")),
        ("POST /log-streams", stream.clone(), of_stream("")),
        (
            "PATCH /log-streams/lst_1",
            json!({"id": "lst_1", "sink": {"datadogApiKey": "canary", "datadogRegion": "eu"}}),
            own(&[("/sink/datadogApiKey", "/log-streams/lst_1/sink/datadogApiKey")]),
        ),
        (
            "GET /emails/provider",
            json!({"name": "ses", "credentials": {"accessKeyId": "kept", "secretAccessKey": "canary", "region": "eu-1"}}),
            own(&[("/credentials/secretAccessKey", "/emails/provider/credentials/secretAccessKey")]),
        ),
        (
            "GET /connections",
            json!({"connections": [{
                "id": "con_1", "strategy": "samlp",
                "options": {
                    "client_id": "kept", "client_secret": "canary", "signing_key": {"key": "canary", "cert": "kept"},
                    "decryptionKey": "canary",
                    "configuration": {"DB_PASSWORD": "canary", "EMPTY": ""}, "signingCert": "kept",
                    "gateway_authentication": {"method": "bearer", "secret": "canary", "secret_base64_encoded": true},
                },
            }]}),
            own(&[
                ("/connections/0/options/client_secret", "/connections/con_1/options/client_secret"),
                ("/connections/0/options/signing_key/key", "/connections/con_1/options/signing_key/key"),
                ("/connections/0/options/decryptionKey", "/connections/con_1/options/decryptionKey"),
                (
                    "/connections/0/options/configuration/DB_PASSWORD",
                    "/connections/con_1/options/configuration/DB_PASSWORD",
                ),
                (
                    "/connections/0/options/gateway_authentication/secret",
                    "/connections/con_1/options/gateway_authentication/secret",
                ),
            ]),
        ),
        (
            "GET /resource-servers/api",
            json!({"id": "rs_1", "identifier": "https://api", "signing_secret": "canary", "signing_alg": "HS256"}),
            own(&[("/signing_secret", "/resource-servers/rs_1/signing_secret")]),
        ),
        (
            "GET /guardian/factors/push-notification/providers/sns",
            json!({"aws_access_key_id": "kept", "aws_secret_access_key": "canary", "aws_region": "eu-1"}),
            own(&[(
                "/aws_secret_access_key",
                "/guardian/factors/push-notification/providers/sns/aws_secret_access_key",
            )]),
        ),
        (
            "GET /event-streams",
            json!({"eventStreams": [{"id": "est_1", "destination": {"type": "webhook", "configuration": {
                "webhook_endpoint": "https://kept",
                "webhook_authorization": {"method": "bearer", "token": "canary"},
            }}}]}),
            own(&[(
                "/eventStreams/0/destination/configuration/webhook_authorization/token",
                "/event-streams/est_1/destination/configuration/webhook_authorization/token",
            )]),
        ),
        (
            "GET /hooks/h1/secrets",
            json!({"API_KEY": "canary", "OTHER": "canary"}),
            own(&[("/API_KEY", "/hooks/h1/secrets/API_KEY"), ("/OTHER", "/hooks/h1/secrets/OTHER")]),
        ),
        (
            "PUT /rules-configs/API_KEY",
            json!({"key": "API_KEY", "value": "canary"}),
            own(&[("/value", "/rules-configs/API_KEY/value")]),
        ),
        (
            "GET /actions/actions",
            json!({"actions": [{"id": "a1", "secrets": [{"name": "KEY", "value": "canary"}, {"name": "B"}]}]}),
            own(&[("/actions/0/secrets/0/value", "/actions/actions/actions/a1/secrets/KEY/value")]),
        ),
        (
            "GET /keys/custom-signing",
            json!({"keys": [{"kty": "EC", "kid": "k1", "crv": "P-256", "x": "kept", "y": "kept", "d": "canary"}]}),
            own(&[("/keys/0/d", "/keys/custom-signing/keys/k1/d")]),
        ),
        (
            "GET /something/new",
            json!({"things": [{"client_secret": "canary"}], "refresh_token": {"rotation_type": "rotating"}}),
            own(&[("/things/0/client_secret", "/something/new/things/0/client_secret")]),
        ),
        (
            "PATCH /something/new",
            json!({"api_key": "canary", "name": "kept", "value": "kept", "token": {"lifetime": 60}}),
            own(&[("/api_key", "/something/new/api_key")]),
        ),
        (
            "PUT /something/new",
            json!({"token": "canary", "splunkToken": "canary", "id_token": ["canary"], "password": {"min_length": 8}}),
            own(&[
                ("/token", "/something/new/token"),
                ("/splunkToken", "/something/new/splunkToken"),
                ("/id_token", "/something/new/id_token"),
            ]),
        ),
        (
            "GET /jobs/job_1/errors",
            json!([{
                "user": {
                    "email": "kept", "password_hash": "canary",
                    "custom_password_hash": {"algorithm": "pbkdf2", "hash": {"value": "canary"}},
                    "mfa_factors": [{"totp": {"secret": "canary"}}, {"phone": {"value": "kept"}}],
                },
                "errors": [{"code": "DUPLICATED_USER", "message": "kept"}],
            }]),
            own(&[
                ("/0/user/password_hash", "/jobs/job_1/errors/0/user/password_hash"),
                ("/0/user/custom_password_hash", "/jobs/job_1/errors/0/user/custom_password_hash"),
                ("/0/user/mfa_factors/0/totp/secret", "/jobs/job_1/errors/0/user/mfa_factors/0/totp/secret"),
            ]),
        ),
        (
            "GET /flows/vault/connections/ac_1",
            json!({"id": "ac_1", "app_id": "HTTP", "setup": {"type": "BEARER", "token": "canary", "x": {"y": "canary"}}}),
            own(&[
                ("/setup/token", "/flows/vault/connections/ac_1/setup/token"),
                ("/setup/x", "/flows/vault/connections/ac_1/setup/x"),
            ]),
        ),
        (
            "GET /flows/af_1",
            json!({"id": "af_1", "actions": [{"id": "call", "type": "HTTP", "params": {
                "headers": {"Authorization": "canary", "accept": "kept"}, "basic": {"username": "kept", "password": "canary"},
            }}]}),
            own(&[
                (
                    "/actions/0/params/headers/Authorization",
                    "/flows/af_1/actions/call/params/headers/Authorization",
                ),
                ("/actions/0/params/basic/password", "/flows/af_1/actions/call/params/basic/password"),
            ]),
        ),
        (
            "GET /flows/af_1/executions/ex_1",
            json!({"id": "ex_1", "status": "kept", "debug": {"call": {"request": {"headers": {"authorization": "canary"}}}}}),
            own(&[(
                "/debug/call/request/headers/authorization",
                "/flows/af_1/executions/ex_1/debug/call/request/headers/authorization",
            )]),
        ),
        (
            "POST /agents",
            json!({"id": "agent_1", "client_secret": "canary", "name": "kept"}),
            own(&[("/client_secret", "/agents/client_secret")]),
        ),
        (
            "GET /roles/a%2Fb",
            json!({"id": "rol_1", "secret": "canary", "name": "kept"}),
            own(&[("/secret", "/roles/a%2Fb/secret")]),
        ),
    ] {
        let after = hidden(request, &answer);
        assert!(!after.to_string().contains("canary"), "{request}: {after}");
        let mut found = Vec::new();
        changes(&answer, &after, "", &mut found);
        assert_eq!(found, wanted, "{request}");
    }
}

#[test]
fn an_answer_without_such_members_is_not_parsed_and_one_that_may_hide_them_is() {
    let expected = expected("GET /users");
    for (body, nothing) in [
        (r#"[{"user_id":"auth0|1","identities":[{"provider":"auth0"}],"name":"J\u00fcrgen"}]"#, false),
        (
            r#"[{"user_id":"auth0|1","identities":[{"provider":"auth0"}],"name":"Jürgen access_token"}]"#,
            false,
        ),
        (r#"[{"user_id":"auth0|1","identities":[{access_token:'canary'}]}]"#, false),
        (" {\"users\":[]}\r\n", true),
        (r#"{"users":[{"identities":[{"access_token":"canary"}]}]}"#, false),
        (r#"{"users":[{"identities":[{"access\u005ftoken":"canary"}]}]}"#, false),
        (r#""canary""#, false),
        (r#"canary"}]}]"#, false),
        (r#"{"access_t"#, false),
        ("", false),
    ] {
        assert_eq!(expected.cannot_be_in(body.as_bytes()), nothing, "{body}");
    }
    let utf16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(!expected.cannot_be_in(&utf16));
    assert!(
        !super::rules::Expected::of(&Method::GET, "/api/v2/hooks/h/secrets")
            .unwrap()
            .cannot_be_in(b"{\"A\":\"x\"}")
    );
}

#[test]
fn where_nothing_is_documented_what_is_no_json_passes_only_if_no_name_can_be_in_it() {
    /// What the guest gets, where it gets anything.
    fn passed(request: &str, body: &[u8]) -> Option<String> {
        let (expected, deliveries) = (expected(request), Deliveries::new("t", None));
        let as_it_is = expected.cannot_be_in(body).then(|| body.to_vec());
        let passed = as_it_is.or_else(|| expected.hide(body, &deliveries).map(|clean| clean.to_vec()));
        passed.map(|passed| String::from_utf8(passed).unwrap())
    }
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(200), "]".repeat(200));
    let utf16: Vec<u8> = r#"{"client_secret":"canary"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for request in ["GET /something/new", "POST /something/new", "POST /agents", "PATCH /roles/x%2Fnew"] {
        for harmless in [
            "",
            "done",
            "\"done\"",
            "<html><body>Moved</body></html>",
            "{\"a\": 1}\n{\"a\": 2}\n",
            "\u{feff}{\"a\": 1}",
            "{\"name\": \"J\u{fc}rgen",
            &deep("1"),
        ] {
            assert_eq!(passed(request, harmless.as_bytes()).as_deref(), Some(harmless), "{request}");
        }
        for secret in [
            "{\"a\": 1}\n{\"client_secret\": \"canary\"}\n",
            "\u{feff}{\"client_secret\": \"canary\"}",
            "{\"client_secret\": \"canary\"} trailing",
            "{\"client_secret\": \"canary",
            "{client_secret: 'canary'}",
            "client_secret=canary&x=y",
            "client_secret: canary",
            r#"{"client\u005fsecret": "canary"} trailing"#,
            &deep("{\"client_secret\": \"canary\"}"),
        ] {
            assert_eq!(passed(request, secret.as_bytes()), None, "{request} {secret}");
        }
        assert_eq!(passed(request, &utf16), None, "{request}");
        assert_eq!(passed(request, b"\xff"), None, "{request}");
    }
    for piece in ["\"canary\"", "canary", ""] {
        assert_eq!(passed("GET /clients/abc", piece.as_bytes()), None, "{piece}");
        assert_eq!(passed("GET /clients/a%2Fb", piece.as_bytes()), None, "{piece}");
    }
}

#[test]
fn an_escaped_name_is_found_a_doubled_one_too_and_no_json_is_withheld() {
    let deliveries = Deliveries::new("t", None);
    let clients = expected("GET /clients/abc");
    for body in [
        r#"{"client\u005fsecret": "canary"}"#,
        r#"{"client_secret": "canary", "client_secret": "canary"}"#,
        r#"{"client_secret": ["canary"], "a": {"client_secret": {"x": "canary"}}}"#,
        r#"{"a": [[[{"client_secret": "canary"}]]]}"#,
    ] {
        assert!(!clients.cannot_be_in(body.as_bytes()), "{body}");
        let clean = clients.hide(body.as_bytes(), &deliveries).unwrap();
        assert!(!std::str::from_utf8(&clean).unwrap().contains("canary"), "{clean:?}");
    }
    for piece in ["{\"client_secret\": \"canary", "\"canary\"", "", "\u{1f}gzip"] {
        assert!(clients.hide(piece.as_bytes(), &deliveries).is_none(), "{piece}");
    }
}

#[test]
fn a_new_secret_is_the_answer_s_own_and_no_decoy_takes_its_place() {
    let deliveries = Deliveries::new("t", None);
    let metadata = json!({"client_id": "abc", "client_secret": "known-to-attacker"});
    let rotation = "POST /clients/abc/rotate-secret";
    let tokens = "POST /connections/con_1/scim-configuration/tokens";
    let recovery = "POST /users/auth0%7C1/recovery-code-regeneration";
    let method = "POST /users/auth0%7C1/authentication-methods";
    // Objects keep their members in the order that they came in: one decoy before the secret, one after it.
    for (request, answer, wanted) in [
        (
            rotation,
            json!({"a": metadata, "client_id": "abc", "client_secret": "canary", "z": metadata}),
            Some(Some("/clients/abc/client_secret")),
        ),
        (
            rotation,
            json!({"client_secret": "canary", "z": metadata}),
            Some(Some("/clients/abc/client_secret")),
        ),
        (rotation, json!({"client_id": "abc", "client_metadata": metadata}), None),
        (rotation, json!({"client_id": "abc", "client_secret": null}), None),
        (rotation, json!([{"client_id": "abc", "client_secret": "canary"}]), None),
        (
            "POST /clients/abc%2Frotate-secret",
            json!({"client_secret": "canary"}),
            Some(Some("/clients/abc/client_secret")),
        ),
        (
            "POST /clients/a%252Fb/rotate-secret",
            json!({"client_secret": "canary"}),
            Some(Some("/clients/a%252Fb/client_secret")),
        ),
        (
            "POST /clients",
            json!({"client_id": "new", "client_secret": "canary"}),
            Some(Some("/clients/new/client_secret")),
        ),
        ("POST /clients", json!({"client_id": "public", "client_metadata": metadata}), Some(None)),
        ("POST /clients", json!({"client_secret": "canary"}), None),
        (
            tokens,
            json!({"token_id": "tok_1", "token": "canary", "scopes": ["get:users"]}),
            Some(Some("/connections/con_1/scim-configuration/tokens/tok_1/token")),
        ),
        (tokens, json!({"token_id": "tok_1"}), None),
        (recovery, json!({"recovery_code": "canary"}), Some(Some("/users/auth0%7C1/recovery_code"))),
        (recovery, json!({}), None),
        (
            method,
            json!({"id": "totp|dev_1", "type": "totp", "totp_secret": "canary"}),
            Some(Some("/users/auth0%7C1/authentication-methods/totp%7Cdev_1/totp_secret")),
        ),
        (method, json!({"id": "phone|dev_1", "type": "phone"}), Some(None)),
        (
            "POST /custom-domains/cd_1/verify",
            json!({"custom_domain_id": "cd_1", "status": "ready", "cname_api_key": "canary"}),
            Some(Some("/custom-domains/cd_1/cname_api_key")),
        ),
        ("POST /custom-domains/cd_1/verify", json!({"status": "pending"}), Some(None)),
    ] {
        let taken = expected(request).take(answer.to_string().as_bytes(), &deliveries);
        let made = taken.map(|taken| {
            let clean = std::str::from_utf8(&taken.clean).unwrap().to_owned();
            assert!(!clean.contains("canary") && !clean.contains("attacker"), "{clean}");
            assert!(taken.made.len() <= 1, "{request}");
            taken.made.into_iter().next().map(|(name, secret)| {
                assert!(clean.contains(&format!("\"{name}\"")) && secret.expose() == "canary", "{clean}");
                name.to_string().strip_prefix(TENANT).unwrap().to_owned()
            })
        });
        assert_eq!(made, wanted.map(|name| name.map(str::to_owned)), "{request} {answer}");
    }
}

#[test]
fn a_handle_is_not_taken_for_a_secret_and_may_stand_elsewhere() {
    let handle = "auth0-secret://acme.eu.auth0.com/clients/abc/client_secret";
    for (path, body) in [
        ("/api/v2/clients", json!({"a": [{"client_secret": handle}]}).to_string()),
        ("/api/v2/CLIENTS/abc", r#"{"client_secret": "\u0061uth0-secret://x"}"#.to_owned()),
        ("/api/v2/clients/abc", r#"{"client\u005fsecret": "auth0-secret:\/\/x"}"#.to_owned()),
        ("/api/v2/clients/abc", r#"{"client_secret": "auth0-secret\u003A\u002f/x"}"#.to_owned()),
        ("/api/v2/emails%2Fprovider", json!({"credentials": {"smtp_pass": handle}}).to_string()),
        ("/api/v2/log-streams/lst_1", json!({"sink": {"httpAuthorization": handle}}).to_string()),
        ("/api/v2/hooks/h/secrets", json!({"KEY": handle}).to_string()),
        ("/api/v2/connections", json!({"options": {"configuration": {"PASSWORD": [handle]}}}).to_string()),
        ("/api/v2/something/new", json!({"api_key": handle}).to_string()),
        ("/api/v2/users", json!({"password": handle}).to_string()),
    ] {
        assert!(writes_handle(path, body.as_bytes()), "{path} {body}");
    }
    for harmless in [
        json!({"client_metadata": {"secret_is_at": handle, "secret": handle}}).to_string(),
        json!({"description": handle}).to_string(),
        json!({"client_secret": "a real one"}).to_string(),
        r#"{"name": "J\u00fcrgen", "client_secret": "a real one"}"#.to_owned(),
        handle.to_owned(),
        String::new(),
    ] {
        assert!(!writes_handle("/api/v2/clients/abc", harmless.as_bytes()), "{harmless}");
    }
}

/// Returns whether a way of names leads to a secret, said as simply as can be: the pattern's names are in it, in that
/// order, and its last is the way's last.
fn upstream(way: &[String], value: &Value, pattern: &[String]) -> bool {
    let (Some((own, above)), Some((last, before))) = (way.split_last(), pattern.split_last()) else {
        return false;
    };
    let mut rest = above.iter();
    let is_last = match (last.strip_prefix("*!"), last.strip_suffix(":text")) {
        (Some(but), _) => own != but,
        (_, Some(name)) => own == name && !value.to_string().contains('{'),
        _ => last == "*" || last == own,
    };
    is_last && before.iter().all(|name| rest.any(|other| other == name))
}

fn survivors(value: &Value, way: &mut Vec<String>, members: &[Vec<String>], found: &mut Vec<String>) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| survivors(item, way, members, found));
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        way.push(name.clone());
        let secret = members.iter().any(|pattern| upstream(way, value, pattern));
        let empty = [Value::Null, json!(""), json!([]), json!({}), json!(true)].contains(value);
        if secret && !empty && !value.as_str().is_some_and(|text| text.starts_with(TENANT)) {
            found.push(format!("{}: {value}", way.join("/")));
        } else if !secret {
            survivors(value, way, members, found);
        }
        way.pop();
    }
}

/// Answers of any shape, whose members have names of the table and others.
fn answers(names: Vec<String>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(4711)),
        Just(json!("")),
        "[a-z]{1,6}".prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((prop::sample::select(names.clone()), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn no_member_that_the_table_names_survives_in_any_answer() {
    let split = |members: &[String]| -> Vec<Vec<String>> {
        members.iter().map(|member| member.split('.').map(str::to_owned).collect()).collect()
    };
    let operations = auth0_catalog::read().unwrap();
    let holding = operations.into_iter().filter(|operation| !operation.secrets.members.is_empty());
    for operation in holding {
        let members = split(&operation.secrets.members);
        let name = |part: &String| part.trim_start_matches("*!").trim_end_matches(":text").to_owned();
        let mut names: Vec<String> = members.iter().flatten().filter(|part| *part != "*").map(name).collect();
        names.extend(["id", "client_id", "user_id", "options", "name", "items"].map(str::to_owned));
        let request = format!("{} {}", operation.method, operation.path.replace(['{', '}'], ""));
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(48));
        let checked = runner.run(&answers(names), |answer| {
            if answer.is_object() || answer.is_array() {
                let after = hidden(&request, &answer);
                let mut found = Vec::new();
                survivors(&after, &mut Vec::new(), &members, &mut found);
                prop_assert!(found.is_empty(), "{request}: {found:?} in {after} of {answer}");
            }
            Ok(())
        });
        checked.unwrap();
    }
}

#[test]
fn names_that_are_secrets_everywhere_are_found_in_every_answer_but_where_an_exception_says_so() {
    let secret = json!({"client_secret": "canary", "private_key": "canary", "name": "kept"});
    for (request, answer, wanted) in [
        ("GET /roles", json!([{"id": "rol_1", "x": secret}]), vec!["/0/x/client_secret", "/0/x/private_key"]),
        (
            "GET /forms/ap_1",
            json!({"nodes": [{"config": {"secret_key": "canary", "site_key": "kept"}}]}),
            vec!["/nodes/0/config/secret_key"],
        ),
        (
            "GET /forms/ap_1",
            json!({"nodes": [{"credentials": {"public_key": "kept", "private_key": "canary"}}]}),
            vec!["/nodes/0/credentials/private_key"],
        ),
        (
            "GET /clients/abc",
            json!({"client_id": "abc", "addons": {"sap_api": {"servicePassword": "canary"}}}),
            vec!["/addons/sap_api/servicePassword"],
        ),
        (
            "GET /connections",
            json!([{"id": "con_1", "provisioning_ticket_url": "canary"}]),
            vec!["/0/provisioning_ticket_url"],
        ),
        ("DELETE /clients/abc", json!({"client_secret": "canary"}), vec!["/client_secret"]),
        (
            "GET /users/u",
            json!({"user_id": "u", "x": {"client_secret": "canary"}, "app_metadata": {"client_secret": "kept"}, "user_metadata": {"a": [{"private_key": "kept"}]}}),
            vec!["/x/client_secret"],
        ),
        (
            "GET /logs/l",
            json!({"details": {"request": {"body": {"client_secret": "*****"}}}, "client_secret": "canary"}),
            vec!["/client_secret"],
        ),
    ] {
        let after = hidden(request, &answer);
        let mut found = Vec::new();
        changes(&answer, &after, "", &mut found);
        let found: Vec<&str> = found.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(found, wanted, "{request}: {after}");
        assert!(!after.to_string().contains("canary"), "{request}: {after}");
    }
}

/// Guards against an answer of 387 KB that took 820 MB and 10 s: handles repeat the way down to each secret.
#[test]
fn handles_are_bounded_in_number_and_length_and_the_answer_is_withheld_beyond() {
    let deep = |secrets: usize| {
        let name = "n".repeat(200);
        let (open, close) = (format!("{{\"{name}\":").repeat(100), "}".repeat(100));
        let secrets = vec![r#""client_secret":"x""#; secrets].join(",");
        format!("{open}{{{secrets}}}{close}")
    };
    let clients = expected("GET /clients");
    let deliveries = Deliveries::new("t", None);
    let charges = Arc::new(Charges::default());
    let mask = || {
        Mask::new(
            clients.clone(),
            Arc::clone(&deliveries),
            Charge::new(Arc::clone(&charges), Duration::from_secs(60)),
        )
    };
    let (_, clean) = go_through(mask(), deep(1000).as_bytes(), 8192).unwrap();
    assert!(clean.len() < deep(1000).len() + 1000 * 800, "{}", clean.len());
    let Err(problem) = go_through(mask(), deep(20_000).as_bytes(), 8192) else { panic!("it has too many") };
    assert_eq!(problem, Problem::Charged(Charged::Handles));
    // A call has so many at most, in whatever number of answers.
    let few = deep(1000);
    let answers = (0..100).take_while(|_| go_through(mask(), few.as_bytes(), 8192).is_ok()).count();
    assert!((5..100).contains(&answers), "{answers}");
    let late = Charge::new(Arc::default(), Duration::ZERO);
    let Err(problem) = go_through(Mask::new(clients.clone(), deliveries.clone(), late), few.as_bytes(), 8192)
    else {
        panic!("it has no time")
    };
    assert_eq!(problem, Problem::Charged(Charged::Time));
}

#[test]
fn an_id_that_comes_after_its_secret_is_in_the_handle_unless_it_comes_too_late() {
    let handles = |padding: usize| {
        let padding = "x".repeat(padding);
        let answer = json!({"clients": [
            {"client_secret": "canary", "a": [{"secret": 1}], "padding": padding, "client_id": "abc"},
            {"client_id": "def", "client_secret": "canary"},
        ]});
        let after = hidden("GET /clients", &answer);
        [0, 1].map(|index| after["clients"][index]["client_secret"].as_str().unwrap().to_owned())
    };
    let second = "auth0-secret://t/clients/def/client_secret";
    assert_eq!(handles(10_000), ["auth0-secret://t/clients/abc/client_secret", second]);
    assert_eq!(handles(100_000), ["auth0-secret://t/clients/clients/0/client_secret", second]);
}

#[test]
fn what_surrounds_a_secret_comes_out_as_the_tenant_wrote_it() {
    let before = r#" { "n" : [1.0e2, -0, 12345678901234567890123 , 1E400],"e":"\u00e9\/","client_secret" : "canary" ,"b":true }  "#;
    let after = expected("GET /clients/abc").hide(before.as_bytes(), &Deliveries::new("t", None)).unwrap();
    let wanted = before.replace("canary", "auth0-secret://t/clients/abc/client_secret");
    assert_eq!(std::str::from_utf8(&after).unwrap(), wanted);
    let empty = r#"{"client_secret": "" ,"a":{"client_secret":[ ]},"b":{"client_secret":{}},"c":{"client_secret":null}}"#;
    let after = expected("GET /clients/abc").hide(empty.as_bytes(), &Deliveries::new("t", None)).unwrap();
    assert_eq!(std::str::from_utf8(&after).unwrap(), empty.replace("[ ]", "[]"));
}
