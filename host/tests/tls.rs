//! Sockets and TLS sessions of a tenant, counted by the server.
#![cfg(feature = "embedded-component")]
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use auth0_emulator::{Emulator, Fault, FaultKind, Seed};
use auth0_host::{Credentials, Host, Settings, Tenant};
use serde_json::json;

async fn open(host: &Host, emulator: &Emulator) -> Tenant {
    let settings = Settings::new(emulator.domain().parse().unwrap())
        .base_url(emulator.base_url().parse().unwrap())
        .audience(emulator.audience())
        .credentials(Credentials::client_secret(emulator.client_id(), emulator.client_secret()))
        .ca_pem(emulator.ca_pem().unwrap());
    host.tenant(settings).await.unwrap()
}

async fn call(tenant: &Tenant) {
    tenant.run("list-roles", json!({})).await.unwrap();
}

#[tokio::test]
async fn calls_share_a_socket_over_http_2_and_a_lost_one_is_replaced_without_a_full_handshake() {
    let emulator = Emulator::builder().tls(true).seed(Seed::demo()).start().await.unwrap();
    let host = Host::new().unwrap();
    let tenant = open(&host, &emulator).await;
    for _ in 0..5 {
        call(&tenant).await;
    }
    let counters = emulator.control().counters();
    assert_eq!((counters.requests, counters.connections, counters.tls_resumed), (6, 1, 0));
    assert!(emulator.control().requests().iter().all(|request| request.version == "HTTP/2.0"));

    // The socket is gone; the guest repeats its read on a new one.
    emulator.control().inject(Fault::new(FaultKind::ResetBeforeRead).at("/api/v2/roles").times(1));
    call(&tenant).await;
    let counters = emulator.control().counters();
    assert_eq!((counters.connections, counters.tls_resumed), (2, 1));
    assert_eq!(tenant.stats().connections_opened, 2);

    // What a server may remember of a session stays with its tenant.
    call(&open(&host, &emulator).await).await;
    let counters = emulator.control().counters();
    assert_eq!((counters.connections, counters.tls_resumed), (3, 1));
}
