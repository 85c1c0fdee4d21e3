//! The command, and an offline tenant in a process of its own.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

pub(crate) fn auth0_host(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-host"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AUTH0_")) {
        command.env_remove(name);
    }
    // Compiled once for all tests, and not into the cache of whoever runs them.
    command.env("AUTH0_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/code"));
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = auth0_host(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A folder of a test's own, empty at first and gone with it.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `auth0-host emulator` in a process of its own.
pub(crate) struct Server {
    pub(crate) child: std::process::Child,
    pub(crate) ready: Value,
}

impl Server {
    pub(crate) fn start() -> Self {
        use std::io::BufRead as _;
        let mut child = auth0_host(&["emulator", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    /// A command against it, with its credentials in the environment.
    pub(crate) fn client(&self, arguments: &[&str]) -> Command {
        let mut command = auth0_host(arguments);
        for (variable, member) in [
            ("AUTH0_DOMAIN", "domain"),
            ("AUTH0_BASE_URL", "base_url"),
            ("AUTH0_AUDIENCE", "audience"),
            ("AUTH0_CLIENT_ID", "client_id"),
            ("AUTH0_CLIENT_SECRET", "client_secret"),
        ] {
            command.env(variable, self.ready[member].as_str().unwrap());
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
