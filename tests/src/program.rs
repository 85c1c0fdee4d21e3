//! Programs that the tests run as a person would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The component as a file, the one that the library carries.
pub fn component() -> PathBuf {
    root().join("embedded-component/auth0.wasm")
}

/// The hostile component, which `cargo xtask test` builds.
pub fn hostile() -> PathBuf {
    present(root().join("target/component/hostile.wasm"))
}

/// Where cargo puts programs: beside the folder of the test binaries. It names the programs of a test's own package only.
fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.parent().and_then(Path::parent).expect("test binaries lie in target/PROFILE/deps").to_owned()
}

/// The command `auth0-host`, without the caller's settings.
pub fn auth0_host() -> Command {
    bare(&present(built().join(format!("auth0-host{}", std::env::consts::EXE_SUFFIX))))
}

/// The command that `cargo xtask` runs.
pub fn xtask() -> Command {
    let beside = || built().join(format!("xtask{}", std::env::consts::EXE_SUFFIX));
    bare(&present(std::env::var_os("AUTH0_XTASK").map_or_else(beside, PathBuf::from)))
}

/// The folder of the workspace's documentation.
pub fn documentation() -> PathBuf {
    built().parent().expect("target/PROFILE lies in a folder").join("doc")
}

/// The command `wasmtime` of the version that is supported, without the caller's settings.
pub fn wasmtime() -> Command {
    bare(&present(installed("AUTH0_WASMTIME")))
}

/// The folder with the MCP clients from npm.
pub fn mcp_clients() -> PathBuf {
    installed("AUTH0_MCP_CLIENTS")
}

/// What `cargo xtask test` installs, and names in a variable.
fn installed(variable: &str) -> PathBuf {
    let found = std::env::var_os(variable);
    PathBuf::from(
        found.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test`, which installs it")),
    )
}

fn present(program: PathBuf) -> PathBuf {
    assert!(program.is_file(), "{} is not built: run `cargo xtask test`, which makes it", program.display());
    program
}

fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AUTH0_") {
            command.env_remove(name);
        }
    }
    // Compiled once for all tests, and not into the cache of whoever runs them.
    command.current_dir(root()).env("NO_COLOR", "1").env("AUTH0_CACHE", root().join("target/tests-cache"));
    command
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("stdout is no JSON ({error}): {self:#?}"))
    }

    /// The error on standard error, as JSON.
    pub fn error(&self) -> Value {
        let last = self.err.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last)
            .unwrap_or_else(|error| panic!("stderr is no JSON ({error}): {self:#?}"));
        error["error"].clone()
    }

    /// Everything that was said.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a program to its end. Inside a runtime, use a thread for blocking work.
pub fn run(command: &mut Command) -> Said {
    command.stdin(std::process::Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}")).into()
}
