//! Credentials that an engine's vault answers.

use super::*;
use crate::credentials::{Credential, CredentialError, CredentialFuture, CredentialSource, Credentials};

/// Hands out these, one after the other, and the last one from then on.
struct Vault {
    answers: Vec<Result<Credential, CredentialError>>,
    asked: Arc<AtomicU64>,
}

impl CredentialSource for Vault {
    fn credential(&self) -> CredentialFuture<'_> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) as usize;
        let answer = self.answers.get(number).or(self.answers.last()).unwrap().clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer
        })
    }
}

impl Server {
    fn egress_of_vault(
        &self,
        answers: Vec<Result<Credential, CredentialError>>,
    ) -> (Arc<Egress>, Arc<AtomicU64>) {
        let (transport, asked) = (plain(), Arc::new(AtomicU64::new(0)));
        let endpoint = TokenEndpoint {
            uri: self.url("/oauth/token").parse().unwrap(),
            resource: ("audience", "aud".to_owned()),
            transport: transport.clone(),
        };
        let vault = Credentials::source(Vault { answers, asked: Arc::clone(&asked) });
        let source = TokenSource::new(vault, endpoint, &"acme.eu.auth0.com".parse().unwrap());
        (self.egress_with(source, transport, false), asked)
    }
}

fn vault_token(token: &str, seconds: u64) -> Result<Credential, CredentialError> {
    Ok(Credential::Token { token: token.into(), expires_in: Some(Duration::from_secs(seconds)) })
}

fn vault_secret(secret: &str) -> Result<Credential, CredentialError> {
    Ok(Credential::ClientSecret { client_id: "id".to_owned(), client_secret: secret.into() })
}

#[tokio::test]
async fn a_vault_is_asked_once_for_many_calls_and_again_after_a_401() {
    let tenant = Server::start(|seen, before| {
        let revoked = seen.authorization.as_deref() == Some("Bearer first") && before > 1;
        Some((if revoked { 401 } else { 200 }, json!({})))
    })
    .await;
    let (egress, asked) =
        tenant.egress_of_vault(vec![vault_token("first", 3600), vault_token("second", 3600)]);
    let url = tenant.url("/api/v2/users");
    let get = || send(&egress, request(Method::GET, &url, ""));
    let (one, two) = tokio::join!(get(), get());
    assert_eq!((one.unwrap().0, two.unwrap().0, asked.load(Ordering::Relaxed)), (200, 200, 1));
    assert_eq!((get().await.unwrap().0, asked.load(Ordering::Relaxed)), (200, 2));
    assert_eq!(tenant.seen().pop().unwrap().authorization.as_deref(), Some("Bearer second"));
}

#[tokio::test]
async fn a_vault_s_token_that_is_about_to_end_is_asked_for_anew() {
    let tenant = Server::tenant().await;
    let (egress, asked) = tenant.egress_of_vault(vec![vault_token("short", 5)]);
    for _ in 0..2 {
        send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_secret_that_was_replaced_in_the_vault_is_picked_up_at_the_next_fetch() {
    let tenant = Server::start(|seen, before| match seen.request.as_str() {
        "POST /oauth/token" => Some((200, json!({"access_token": format!("t{}", before + 1)}))),
        _ => Some((if seen.authorization.as_deref() == Some("Bearer t1") { 401 } else { 200 }, json!({}))),
    })
    .await;
    let (egress, _) = tenant.egress_of_vault(vec![vault_secret("old"), vault_secret("new")]);
    let answer = send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    assert_eq!(answer.0, 200);
    let forms: Vec<String> = tenant
        .seen()
        .into_iter()
        .filter(|seen| seen.request == "POST /oauth/token")
        .map(|seen| seen.body)
        .collect();
    assert!(forms[0].contains("client_secret=old") && forms[1].contains("client_secret=new"), "{forms:?}");
}

#[tokio::test]
async fn a_vault_that_has_nothing_ends_the_call_typed_and_nothing_is_sent() {
    let tenant = Server::tenant().await;
    for (error, status) in [
        (CredentialError::refused("no entry for acme"), 401),
        (CredentialError::unavailable("no entry for acme"), 503),
    ] {
        let (egress, _) = tenant.egress_of_vault(vec![Err(error)]);
        for path in ["/api/v2/users", "/oauth/token"] {
            let (found, body) = send(&egress, request(Method::POST, &tenant.url(path), "{}")).await.unwrap();
            assert_eq!(found, status, "{path}");
            assert!(body.contains("no entry for acme"), "{body}");
        }
    }
    for unsendable in ["", "canary\r\nx: y"] {
        let (egress, _) = tenant.egress_of_vault(vec![vault_token(unsendable, 60)]);
        let (found, body) =
            send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
        assert!(found == 401 && !body.contains("canary"), "{body}");
    }
    assert!(tenant.seen().is_empty());
}

#[tokio::test]
async fn an_echo_of_an_assertion_does_not_come_out_of_a_refusal() {
    let tenant = Server::start(|seen, _| {
        let description = format!("cannot read: {}", seen.body);
        Some((400, json!({"error": "invalid_request", "error_description": description})))
    })
    .await;
    let pem = crate::private_key::tests::fresh_pem();
    let key = crate::private_key::PrivateKey::from_pem(&pem).unwrap();
    let vault = Ok(Credential::PrivateKey { client_id: "id".to_owned(), key });
    let (egress, _) = tenant.egress_of_vault(vec![vault]);
    let (_, body) = send(&egress, request(Method::GET, &tenant.url("/api/v2/users"), "")).await.unwrap();
    assert!(tenant.seen()[0].body.contains("client_assertion=eyJ"));
    assert!(body.contains("withheld") && !body.contains("eyJ"), "{body}");
}
