//! An application that proves itself by signatures (`private_key_jwt`) instead of a secret, with real keys.

use auth0_host::{Credentials, ErrorCode, Policy, PrivateKey, ReachSet, SigningAlgorithm};
use auth0_tests::{OfflineTenant, Tree as _, keys::Pair, refused, text};
use serde_json::json;

/// Registers a key with the application of a tenant's connection: its secret proves nothing from then on.
async fn register(tenant: &OfflineTenant, pair: &Pair, algorithm: SigningAlgorithm) {
    let client = format!("/api/v2/clients/{}", tenant.emulator.client_id());
    let credential =
        json!({"credential_type": "public_key", "pem": pair.public_pem(), "alg": algorithm.as_str()});
    let input = json!({"method": "POST", "path": format!("{client}/credentials"), "body": credential});
    // Its own application is out of a connection's reach unless the policy names it.
    let rules = ["* /api/v2/**".to_owned(), format!("POST {client}/credentials"), format!("PATCH {client}")];
    let policy = rules
        .into_iter()
        .fold(Policy::builder().deny_reach(ReachSet::NONE), |policy, rule| policy.allow_request(rule));
    let connection = tenant.connect(|settings| settings.policy(policy.build().unwrap())).await;
    let made = connection.run("custom-request", input).await.unwrap().tree();
    let methods = json!({"private_key_jwt": {"credentials": [{"id": text(&made["body"], "id")}]}});
    let body = json!({"client_authentication_methods": methods});
    let input = json!({"method": "PATCH", "path": client, "body": body});
    connection.run("custom-request", input).await.unwrap();
}

fn key(pair: &Pair) -> PrivateKey {
    PrivateKey::from_pem(&pair.private_pem().into()).unwrap()
}

#[tokio::test]
async fn each_algorithm_of_auth0_fetches_a_token_and_sends_no_secret() {
    for algorithm in SigningAlgorithm::ALL {
        let (tenant, pair) = (OfflineTenant::start().await, Pair::generate());
        register(&tenant, &pair, algorithm).await;
        tenant.control.reset_counters();
        let credentials =
            Credentials::private_key(tenant.emulator.client_id(), key(&pair).algorithm(algorithm));
        let connection = tenant.connect(|settings| settings.credentials(credentials)).await;
        connection.run("list-roles", json!({})).await.unwrap();
        connection.run("list-roles", json!({})).await.unwrap();
        assert_eq!(tenant.token_requests(), 1, "{algorithm}");
        let requests = tenant.control.requests();
        let form =
            requests.iter().find(|request| request.path == "/oauth/token").unwrap().body.clone().unwrap();
        assert!(form.get("client_secret").is_none() && form.get("client_assertion").is_some(), "{form}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_with_a_new_assertion() {
    let (tenant, pair) = (OfflineTenant::start().await, Pair::generate());
    register(&tenant, &pair, SigningAlgorithm::Rs256).await;
    let credentials = Credentials::private_key(tenant.emulator.client_id(), key(&pair));
    let connection = tenant.connect(|settings| settings.credentials(credentials)).await;
    tenant.control.reset_counters();
    connection.run("list-roles", json!({})).await.unwrap();
    tenant.control.expire_tokens();
    connection.run("list-roles", json!({})).await.unwrap();
    assert_eq!(tenant.token_requests(), 2, "the tenant takes an assertion once");
}

#[tokio::test]
async fn a_key_that_is_not_the_application_s_is_unauthenticated_and_shows_nothing_of_itself() {
    let (tenant, pair) = (OfflineTenant::start().await, Pair::generate());
    register(&tenant, &pair, SigningAlgorithm::Rs256).await;
    let id = tenant.emulator.client_id();
    for (wrong, why) in [
        (key(&Pair::generate()), "another key"),
        (key(&pair).algorithm(SigningAlgorithm::Ps256), "another algorithm"),
    ] {
        let credentials = Credentials::private_key(id, wrong);
        let connection = tenant.connect(|settings| settings.credentials(credentials)).await;
        let error = refused(&connection, "list-roles", json!({})).await;
        assert_eq!(error.code, ErrorCode::Unauthenticated, "{why}: {error}");
        assert!(!format!("{error:?} {connection:?}").contains("eyJ"), "{why}: an assertion in {error:?}");
    }
}
