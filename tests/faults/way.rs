//! Failures on the way to the tenant, for every action: the name, the connection, TLS. Nothing was sent, so nothing was
//! changed, whatever the action; the one exception is a server that takes the request and speaks another language.

use auth0_emulator::{Emulator, Seed};
use auth0_host::{Credentials, Error, ErrorCode, Settings, Tenant};
use auth0_tests::{OfflineTenant, host, settings};
use tokio::task::JoinSet;

use super::plan::{Answer, Door, PLANS, Plan};

/// Where a connection goes instead of to the tenant.
#[derive(Clone, Debug)]
struct Way {
    name: &'static str,
    url: String,
    /// The certificate authority that is trusted.
    ca: Option<String>,
    /// Whether the server may have read the request: plain HTTP does not wait for a handshake.
    sends: bool,
}

impl Way {
    fn tune(&self, settings: Settings) -> Settings {
        let settings = settings.max_retries(0);
        match &self.ca {
            Some(pem) => settings.ca_pem(pem.clone()),
            None => settings,
        }
    }
}

/// A tenant to have been spared, and the ways past it. The servers stop when they are dropped.
struct Ways {
    tenant: OfflineTenant,
    secure: Emulator,
    misnamed: Emulator,
    all: Vec<Way>,
}

async fn ways() -> Ways {
    let tenant = OfflineTenant::start().await;
    let server = || Emulator::builder().seed(Seed::demo()).signing_key_of(&tenant.emulator).tls(true);
    let secure = server().start().await.unwrap();
    let misnamed = server().certificate_for(&["elsewhere.example"]).start().await.unwrap();
    let way =
        |name, url: String, ca: Option<&str>, sends| Way { name, url, ca: ca.map(str::to_owned), sends };
    let swapped = |url: &str, from: &str, to: &str| url.replace(from, to);
    let plain = tenant.emulator.base_url();
    let all = vec![
        // A name of RFC 6761 that no resolver knows.
        way("name does not resolve", "https://tenant.invalid".to_owned(), None, false),
        way("nobody listens", "http://127.0.0.1:1".to_owned(), None, false),
        way("certificate of an unknown authority", secure.base_url().to_owned(), None, false),
        way("certificate for another name", misnamed.base_url().to_owned(), misnamed.ca_pem(), false),
        way("no TLS on the TLS port", swapped(plain, "http://", "https://"), None, false),
        way("TLS on the plain port", swapped(secure.base_url(), "https://", "http://"), None, true),
    ];
    Ways { tenant, secure, misnamed, all }
}

/// Runs an action and says how that differs from what is expected.
async fn run(
    connection: Tenant,
    plan: &'static Plan,
    input: serde_json::Value,
    way: &Way,
    sends: bool,
    step: usize,
) -> Option<String> {
    let outcome = connection.call(plan.action(), input).await;
    let read = plan.steps[step].method() == "GET";
    let wanted = if sends && !read { ErrorCode::OutcomeUnknown } else { ErrorCode::Unreachable };
    let records = outcome.requests;
    let sent = records.last().is_some_and(|record| record.sent);
    match outcome.result {
        Err(Error::Action(error)) if error.code == wanted && sent == sends => None,
        result => {
            Some(format!("{} ({}), sent {sent}: {result:?}, not {wanted}; {records:?}", plan.name, way.name))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_does_not_get_to_the_tenant_is_unreachable_and_unknown_only_where_it_was_sent() {
    let ways = ways().await;
    let mut cells = JoinSet::new();
    for way in &ways.all {
        let tune = |settings: Settings| way.tune(settings).base_url(way.url.parse().unwrap());
        let fetching = ways.tenant.connect(tune).await;
        let fixed =
            ways.tenant.connect(|settings| tune(settings).credentials(Credentials::token("a.b.c"))).await;
        for plan in PLANS {
            let input = (plan.input)(&ways.tenant);
            // Where the host has to fetch a token first, that is what fails, and nothing of the action leaves.
            let sends = way.sends && plan.steps[0].door == Door::Open;
            for (connection, sends) in [(fetching.clone(), sends), (fixed.clone(), way.sends)] {
                let (way, input) = (way.clone(), input.clone());
                cells.spawn(async move { run(connection, plan, input, &way, sends, 0).await });
            }
        }
    }
    let wrong: Vec<_> = cells.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for server in [&ways.tenant.emulator, &ways.secure, &ways.misnamed] {
        assert_eq!(server.control().requests(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_does_not_get_to_its_provider_is_unreachable_and_unknown_only_where_it_was_sent() {
    let ways = ways().await;
    let plan = PLANS.iter().find(|plan| plan.name == "send-email").unwrap();
    let last = plan.steps.len() - 1;
    for way in &ways.all {
        let connection = host()
            .tenant(way.tune(settings(&ways.tenant.emulator)).email_base_url(way.url.parse().unwrap()))
            .await
            .unwrap();
        let input = (plan.input)(&ways.tenant);
        let wrong = run(connection, plan, input, way, way.sends, last).await;
        assert_eq!(wrong, None);
    }
    assert_eq!(ways.tenant.control.outbox(), []);
    assert!(plan.steps[last].answer == Answer::Empty && plan.steps[last].door == Door::Mail);
}
