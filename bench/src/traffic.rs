//! What a connection costs the tenant: sockets and tokens.

use anyhow::{Context as _, Result, ensure};
use auth0_host::Host;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    callers::CALLERS,
    tenant::{BenchTenant, Control, any_user},
};

/// What the tenant saw.
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    pub(crate) tokens: u64,
}

/// Makes so many calls over a new connection, [`CALLERS`] at once, a fresh instance for each, and counts on the
/// tenant's side.
pub(crate) async fn measure(tenant: &BenchTenant, host: &Host, calls: usize) -> Result<Traffic> {
    let control = Control::open(host, &tenant.address).await?;
    let user = any_user(&host.tenant(tenant.address.settings(1)?).await?).await?;
    control.ask(Method::DELETE, "requests", "").await?;
    let connection = host.tenant(tenant.address.settings(CALLERS)?).await?;
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let (connection, user) = (connection.clone(), user.clone());
        // As many for each caller as there are calls; the first ones make the rest.
        let own = calls / CALLERS + usize::from(caller < calls % CALLERS);
        tasks.spawn(async move {
            for _ in 0..own {
                connection.run("get-user", json!({"user_id": user})).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let counters = control.ask(Method::GET, "counters", "").await?;
    let count = |name: &str| counters.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}"));
    let (connections, tokens) = (count("connections")?, count("tokens_issued")?);
    ensure!(count("requests")? == calls as u64 + tokens, "the tenant saw other requests: {counters}");
    Ok(Traffic { connections, tokens })
}
