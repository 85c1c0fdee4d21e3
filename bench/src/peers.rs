//! Auth0's own SDKs, each in a process of its own that calls when it is told to.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{callers::CALLERS, tenant::Address, throughput::Round};

/// Where the SDKs are installed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Installed {
    /// The folder with `node_modules`.
    pub(crate) node: Option<PathBuf>,
    /// The Python that has the SDK.
    pub(crate) python: Option<PathBuf>,
}

/// A process with an SDK.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

#[derive(Serialize)]
struct Task<'a> {
    address: &'a Address,
    user: &'a str,
    callers: usize,
}

#[derive(Deserialize)]
struct Answer {
    calls: usize,
    seconds: f64,
    cpu_us: f64,
}

impl Installed {
    /// Starts the processes.
    pub(crate) async fn start(&self, address: &Address, user: &str) -> Result<Vec<Peer>> {
        let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
        let mut peers = Vec::new();
        if let Some(folder) = &self.node {
            let mut node = Command::new("node");
            node.arg(format!("{programs}/node/caller.mjs")).arg(folder);
            node.env("NODE_EXTRA_CA_CERTS", &address.ca_cert);
            peers.push(Peer::start("npm auth0", node, address, user).await?);
        }
        if let Some(program) = &self.python {
            let mut python = Command::new(program);
            python.arg(format!("{programs}/python/caller.py"));
            // httpx and requests, which the SDK asks for users and for tokens with.
            python.env("SSL_CERT_FILE", &address.ca_cert).env("REQUESTS_CA_BUNDLE", &address.ca_cert);
            peers.push(Peer::start("auth0-python", python, address, user).await?);
        }
        Ok(peers)
    }
}

impl Peer {
    async fn start(name: &'static str, mut command: Command, address: &Address, user: &str) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (stdin, stdout) = (stdin.context("no input")?, stdout.context("no output")?);
        let mut peer = Self { name, stdin, stdout: BufReader::new(stdout).lines(), _process: process };
        peer.say(&serde_json::to_string(&Task { address, user, callers: CALLERS })?).await?;
        Ok(peer)
    }

    /// Has it call for a time.
    pub(crate) async fn round(&mut self, time: Duration) -> Result<Round> {
        self.say(&time.as_millis().to_string()).await?;
        let line = self.stdout.next_line().await?.with_context(|| format!("{} ended", self.name))?;
        let Answer { calls, seconds, cpu_us } = serde_json::from_str(&line)?;
        ensure!(calls > 0, "{} made no call", self.name);
        Ok(Round {
            calls,
            time: Duration::from_secs_f64(seconds),
            cpu: Duration::from_secs_f64(cpu_us / 1e6),
        })
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }
}
