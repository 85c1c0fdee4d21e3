//! The server: the offline tenant in a process of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use auth0_host::{Credentials, Host, Limits, Settings, Tenant, bench::NativeClient};
use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// How to reach the tenant. Handed to child processes over their standard input.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Address {
    pub(crate) domain: String,
    pub(crate) base_url: String,
    pub(crate) audience: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) ca_cert: PathBuf,
}

impl Address {
    /// Returns settings that let so many calls go at once.
    pub(crate) fn settings(&self, calls: usize) -> Result<Settings> {
        Ok(Settings::new(self.domain.parse()?)
            .base_url(self.base_url.parse()?)
            .audience(&self.audience)
            .credentials(Credentials::client_secret(&self.client_id, self.client_secret.as_str()))
            .ca_pem(std::fs::read(&self.ca_cert)?)
            .limits(Limits::new().concurrent_calls(calls)))
    }

    /// Returns the address of a user.
    pub(crate) fn user(&self, id: &str) -> String {
        format!("{}/api/v2/users/{}", self.base_url, id.replace('|', "%7C"))
    }
}

/// A running tenant. Ends with this value.
pub(crate) struct BenchTenant {
    pub(crate) address: Address,
    pub(crate) program: PathBuf,
    scratch: Scratch,
    _process: Child,
}

impl BenchTenant {
    /// Starts the tenant, without rate limits: they are not what is measured.
    pub(crate) async fn start(program: PathBuf) -> Result<Self> {
        ensure!(program.is_file(), "{} is not there: `cargo xtask bench` builds it", program.display());
        let scratch = Scratch::new()?;
        let mut process = Command::new(&program)
            .args(["emulator", "--tls", "--plan", "unlimited", "--json", "--ca-out"])
            .arg(scratch.path().join("ca.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let stdout = process.stdout.take().context("the tenant has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let address = serde_json::from_str(&line.context("the tenant did not start")?)?;
        Ok(Self { address, program, scratch, _process: process })
    }

    /// Returns a folder that is removed at the end.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

/// The tenant's control surface, over a connection of its own; its requests are not counted.
pub(crate) struct Control {
    client: NativeClient,
    base_url: String,
}

impl Control {
    pub(crate) async fn open(host: &Host, address: &Address) -> Result<Self> {
        let settings = address.settings(1)?.credentials(Credentials::None);
        let connection = host.tenant(settings).await?;
        Ok(Self { client: NativeClient::new(&connection), base_url: address.base_url.clone() })
    }

    /// Asks, and answers the body; null where there is none.
    pub(crate) async fn ask(&self, method: Method, what: &str, body: &'static str) -> Result<Value> {
        let uri = format!("{}/__emulator/{what}", self.base_url).parse()?;
        let (status, body) = self
            .client
            .send(method, uri, Bytes::from_static(body.as_bytes()))
            .await
            .map_err(anyhow::Error::msg)?;
        ensure!(status.is_success(), "the tenant's {what} answered {status}");
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? })
    }
}

/// Returns the id of some user.
pub(crate) async fn any_user(connection: &Tenant) -> Result<String> {
    let list = connection.run("list-users", serde_json::json!({"limit": 1})).await?;
    Ok(list.get("/items/0/user_id").context("the tenant has no users")?.deserialize()?)
}

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("auth0-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
