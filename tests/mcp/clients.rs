//! The MCP clients from npm: where they are, and how a test has one do something.
//!
//! `cargo xtask test` installs them into the user's cache, once for all checkouts, in the versions of the lock file. Node.js 20
//! and npm have to be there, and the first run needs the registry.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use auth0_tests::OfflineTenant;
use auth0_tests::program::{self, Said, auth0_host, mcp_clients, root};
use serde_json::{Value, json};

/// A server to be started by a client.
pub(super) struct Server {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl Server {
    /// `auth0-host mcp` with these options, for a tenant that the test looks into.
    pub(super) fn of(tenant: &OfflineTenant, options: &[&str]) -> Self {
        let emulator = &tenant.emulator;
        let mut server = Self::of_command(&[&["mcp"], options].concat());
        for (name, value) in [
            ("AUTH0_DOMAIN", emulator.domain()),
            ("AUTH0_BASE_URL", emulator.base_url()),
            ("AUTH0_CLIENT_ID", emulator.client_id()),
            ("AUTH0_CLIENT_SECRET", emulator.client_secret()),
        ] {
            server.environment.insert(name.to_owned(), value.to_owned());
        }
        server
    }

    /// `auth0-host` with these arguments.
    pub(super) fn of_command(arguments: &[&str]) -> Self {
        let host = auth0_host();
        let command = std::iter::once(host.get_program().to_str().expect("paths are UTF-8"))
            .chain(arguments.iter().copied())
            .map(str::to_owned)
            .collect();
        let environment = host
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())));
        Self { command, environment: environment.collect() }
    }

    /// Puts a variable into its environment.
    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The process, for a test that is its own client.
    pub(super) fn process(&self) -> Command {
        let mut command = auth0_host();
        command.args(&self.command[1..]).envs(&self.environment);
        command
    }

    /// Has the SDK's client start it and do these calls.
    pub(super) async fn calls(&self, elicitation: Option<&str>, calls: Value) -> Session {
        sdk(json!({
            "command": self.command, "env": self.environment, "elicitation": elicitation, "calls": calls,
        }))
        .await
    }

    /// Has the inspector's command line start it and do one thing.
    pub(super) async fn inspect(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new("node");
        command.arg(mcp_clients().join("node_modules/@modelcontextprotocol/inspector-cli/build/cli.js"));
        for (name, value) in &self.environment {
            command.args(["-e", &format!("{name}={value}")]);
        }
        command.arg("--cli").args(&self.command).args(arguments).current_dir(root());
        tokio::task::spawn_blocking(move || program::run(&mut command)).await.unwrap()
    }
}

/// Has the SDK's client connect over HTTP and do these calls.
pub(super) async fn calls_over_http(
    url: &str,
    headers: Value,
    elicitation: Option<&str>,
    calls: Value,
) -> Session {
    sdk(json!({"url": url, "headers": headers, "elicitation": elicitation, "calls": calls})).await
}

async fn sdk(script: Value) -> Session {
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("node");
        command.arg(root().join("tests/mcp/client.mjs")).arg(mcp_clients()).current_dir(root());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut node = command.spawn().expect("node can be run");
        node.stdin.take().expect("it is piped").write_all(script.to_string().as_bytes()).expect("node reads");
        Said::from(node.wait_with_output().expect("node ends"))
    });
    Session(output.await.unwrap().json())
}

/// What a client saw.
#[derive(Debug)]
pub(super) struct Session(pub(super) Value);

impl Session {
    /// What came of a call, as it was answered.
    pub(super) fn result(&self, call: usize) -> &Value {
        assert!(self.0.get("failed").is_none(), "{self:#?}");
        self.0["results"].get(call).unwrap_or_else(|| panic!("there was a call {call}: {self:#?}"))
    }

    /// The content of a call that went well.
    pub(super) fn content(&self, call: usize) -> &Value {
        let result = self.result(call);
        assert_eq!(result["isError"], false, "{result:#}");
        assert_eq!(text_of(result), result["structuredContent"], "text and structure say the same");
        &result["structuredContent"]
    }

    /// The error of a call that a tool refused or failed at.
    pub(super) fn error(&self, call: usize) -> &Value {
        let result = self.result(call);
        assert_eq!(result["isError"], true, "{result:#}");
        assert_eq!(text_of(result), result["structuredContent"], "text and structure say the same");
        &result["structuredContent"]["error"]
    }

    /// Code and message of it.
    pub(super) fn refusal(&self, call: usize) -> (&str, &str) {
        let error = self.error(call);
        (error["code"].as_str().expect("it has a code"), error["message"].as_str().expect("it has a message"))
    }

    /// The questions that the client was to put to its user.
    pub(super) fn asked(&self) -> Vec<&str> {
        let asked = self.0["asked"].as_array().expect("questions are counted");
        asked.iter().map(|question| question["message"].as_str().expect("it is a text")).collect()
    }

    /// Names of the tools that a call listed.
    pub(super) fn tools(&self, call: usize) -> Vec<&str> {
        let tools = self.result(call)["tools"].as_array().unwrap_or_else(|| panic!("{self:#?}"));
        tools.iter().map(|tool| tool["name"].as_str().expect("it has a name")).collect()
    }
}

fn text_of(result: &Value) -> Value {
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("there is a text: {result:#}"));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A folder of a test's own that is not there yet, and is gone with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("auth0-tests-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("there is a folder for temporary files");
        Self(path)
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("paths are UTF-8").to_owned()
    }

    /// A policy by which secrets of applications may be rotated, as by default they may not.
    pub(super) fn rotation_policy(&self) -> String {
        self.file("policy.toml", "deny_reach = ['runs-code', 'exfiltrates', 'weakens']")
    }

    /// Writes a file that others can read.
    pub(super) fn file(&self, name: &str, content: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        fs::write(&path, content).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Reads the records of an audit file.
pub(super) fn records(path: &str) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
