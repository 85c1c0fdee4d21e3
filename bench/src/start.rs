//! From the start of the process to its first request.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use auth0_host::Host;
use http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    latency::percentile,
    tenant::{BenchTenant, Control, any_user},
};

/// Medians, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StartMs {
    /// With an empty code cache.
    pub(crate) cold: f64,
    /// With the code in it.
    pub(crate) cached: f64,
}

/// Measures from just before the process is made to the moment at which the tenant read the first request's head. The
/// tenant's clock is this machine's, and counts whole milliseconds, so each time is up to one too short: one is added.
pub(crate) async fn measure(tenant: &BenchTenant, cold: usize, cached: usize) -> Result<StartMs> {
    let host = Host::builder().build_async().await?;
    let control = Control::open(&host, &tenant.address).await?;
    let user = any_user(&host.tenant(tenant.address.settings(1)?).await?).await?;
    let cache = tenant.scratch().join("code");
    let mut times = (Vec::new(), Vec::new());
    for round in 0..cold + cached {
        if round < cold && cache.exists() {
            std::fs::remove_dir_all(&cache)?;
        }
        control.ask(Method::DELETE, "requests", "").await?;
        let mut command = Command::new(&tenant.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AUTH0_"))
        {
            command.env_remove(name);
        }
        let address = &tenant.address;
        command
            .args(["run", "get-user", &format!("user_id={user}"), "--ca-cert"])
            .arg(&address.ca_cert)
            .env("AUTH0_DOMAIN", &address.domain)
            .env("AUTH0_BASE_URL", &address.base_url)
            .env("AUTH0_AUDIENCE", &address.audience)
            .env("AUTH0_CLIENT_ID", &address.client_id)
            .env("AUTH0_CLIENT_SECRET", &address.client_secret)
            .env("AUTH0_CACHE", &cache)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let begun = Timestamp::now();
        ensure!(command.status().await?.success(), "`auth0-host run` failed");
        let seen = control.ask(Method::GET, "requests", "").await?;
        let first = seen.pointer("/0/at").and_then(Value::as_str).context("the tenant saw no request")?;
        let time = first.parse::<Timestamp>()?.duration_since(begun).as_secs_f64() * 1e3 + 1.0;
        if round < cold { &mut times.0 } else { &mut times.1 }.push(time);
    }
    Ok(StartMs { cold: percentile(&times.0, 0.5), cached: percentile(&times.1, 0.5) })
}
