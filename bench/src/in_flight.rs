//! Memory of calls that wait for the tenant.
//!
//! In a process of its own: slots of the pool that earlier calls used keep some of their pages, and would be counted as
//! free.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use auth0_host::Host;
use http::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, process::Command, task::JoinSet};

use crate::{
    latency::round,
    tenant::{Address, Control, Tenant, any_user},
};

/// The word that makes this program measure itself.
pub(crate) const CHILD: &str = "in-flight";
/// Answers that come this late are not there while memory is read.
const DELAY: &str = r#"{"path_prefix": "/api/v2/users/", "kind": {"delay": {"ms": 60000}}}"#;
/// How long it may take until all calls have sent their request.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(serde::Deserialize, serde::Serialize)]
struct Task {
    calls: usize,
    address: Address,
}

/// Measures the resident memory of so many calls in flight, in KiB for each.
pub(crate) async fn measure(tenant: &Tenant, calls: usize) -> Result<f64> {
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
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// What the process does: it parks calls, and prints the KiB that one of them takes.
pub(crate) async fn child() -> Result<()> {
    let Task { calls, address } = serde_json::from_reader(std::io::stdin())?;
    let host = Host::builder().load().await?;
    let control = Control::open(&host, &address)?;
    let connection = host.connect(address.settings(calls)?)?;
    let user = any_user(&connection).await?;
    control.ask(Method::POST, "faults", DELAY).await?;
    let before = (connection.stats().requests, resident_kib()?);
    let mut tasks = JoinSet::new();
    for _ in 0..calls {
        let (connection, user) = (connection.clone(), user.clone());
        tasks.spawn(async move { connection.run("get-user", json!({"user_id": user})).await });
    }
    let all_sent = async {
        while connection.stats().requests < before.0 + calls as u64 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all_sent).await.context("not all calls sent their request in time")?;
    ensure!(tasks.try_join_next().is_none(), "a call ended early");
    let after = resident_kib()?;
    control.ask(Method::DELETE, "faults", "").await?;
    println!("{}", round(after.saturating_sub(before.1) as f64 / calls as f64));
    Ok(())
}

/// Resident memory of this process. The kernel counts each page for it; `/proc/self/statm` lags behind.
fn resident_kib() -> Result<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")
        .context("resident memory is read from /proc/self/smaps_rollup, which Linux has")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).context("no Rss")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
