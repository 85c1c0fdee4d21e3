//! Memory of calls that wait for the tenant.
//!
//! In a process of its own: slots of the pool that earlier calls used keep some of their pages, and would be counted as
//! free.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use auth0_host::Host;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, process::Command, task::JoinSet};

use crate::{
    latency::round,
    tenant::{Address, BenchTenant, Control, any_user},
};

/// The word that makes this program measure itself.
pub(crate) const CHILD: &str = "in-flight";
/// Answers that come this late are not there while memory is read.
const DELAY: &str = r#"{"path_prefix": "/api/v2/users/", "kind": {"delay": {"ms": 60000}}}"#;
/// How long it may take until the tenant has the requests of all calls.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Deserialize, Serialize)]
struct Task {
    calls: usize,
    address: Address,
}

/// KiB of memory for one call in flight.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct KibPerCall {
    /// Each page once, however often it is mapped: the image of the guest's initial memory is one for all instances.
    pub(crate) pss: f64,
    /// Each page as often as it is mapped.
    pub(crate) rss: f64,
}

/// Measures the resident memory of so many calls in flight.
pub(crate) async fn measure(tenant: &BenchTenant, calls: usize) -> Result<KibPerCall> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let task = serde_json::to_vec(&Task { calls, address: tenant.address.clone() })?;
    let mut stdin = child.stdin.take().context("no input")?;
    stdin.write_all(&task).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "the process with the calls in flight failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What the process does: it parks calls, and prints what one of them takes.
pub(crate) async fn child() -> Result<()> {
    let Task { calls, address } = serde_json::from_reader(std::io::stdin())?;
    let host = Host::builder().build_async().await?;
    let control = Control::open(&host, &address).await?;
    let connection = host.tenant(address.settings(calls)?).await?;
    let user = any_user(&connection).await?;
    control.ask(Method::POST, "faults", DELAY).await?;
    control.ask(Method::DELETE, "requests", "").await?;
    let before = Resident::now()?;
    let mut tasks = JoinSet::new();
    for _ in 0..calls {
        let (connection, user) = (connection.clone(), user.clone());
        tasks.spawn(async move { connection.run("get-user", json!({"user_id": user})).await });
    }
    let all_there = async {
        while control.ask(Method::GET, "counters", "").await?.get("requests") != Some(&json!(calls)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(ARRIVAL_TIMEOUT, all_there)
        .await
        .context("the tenant did not get all requests in time")??;
    ensure!(tasks.try_join_next().is_none(), "a call ended early");
    let after = Resident::now()?;
    control.ask(Method::DELETE, "faults", "").await?;
    let each = |after: u64, before: u64| round(after.saturating_sub(before) as f64 / calls as f64);
    let result = KibPerCall { pss: each(after.pss, before.pss), rss: each(after.rss, before.rss) };
    println!("{}", serde_json::to_string(&result)?);
    Ok(())
}

/// Resident memory of this process, in KiB.
struct Resident {
    pss: u64,
    rss: u64,
}

impl Resident {
    /// Has the kernel look at each page; `/proc/self/statm` lags behind.
    fn now() -> Result<Self> {
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")
            .context("resident memory is read from /proc/self/smaps_rollup, which Linux has")?;
        let kib = |name: &str| -> Result<u64> {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            Ok(line.context("the kernel does not report it")?.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Self { pss: kib("Pss:")?, rss: kib("Rss:")? })
    }
}
