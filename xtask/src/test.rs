//! The whole test suite.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, bail};
use xtask::peers;

use crate::workspace::Workspace;
use crate::{component, host, process, wasmtime};

/// Where the tests find the wasmtime command line.
const WASMTIME: &str = "AUTH0_WASMTIME";

/// Where the tests find the MCP clients from npm.
const MCP_CLIENTS: &str = "AUTH0_MCP_CLIENTS";

/// Where the tests find this program, whose help the pages are compared with.
const XTASK: &str = "AUTH0_XTASK";

/// The library that the pages tell about: what they name is looked for in its documentation.
const DOCUMENTED: [&str; 8] = [
    "--package",
    "auth0-policy",
    "--package",
    "auth0-egress",
    "--package",
    "auth0-host",
    "--package",
    "auth0-emulator",
];

/// Programs that tests run and nothing here installs, what has them, and the tests.
const PROGRAMS: &[(&str, &str, &[&str])] = &[
    (
        "npm",
        "Node.js 20 or newer",
        &["mcp::consent", "mcp::http", "mcp::offer", "mcp::results", "mcp::stdio"],
    ),
    #[cfg(target_os = "linux")]
    ("script", "util-linux", &["interactive::"]),
];

/// Build what the tests need, then become `cargo test ARGS`, over the whole workspace unless ARGS name packages.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    if runs_all(args) {
        look_for_programs()?;
        install_peers(workspace);
    }
    component::build(workspace)?;
    component::build_hostile(workspace)?;
    let program = wasmtime::install(workspace)?;
    // The end-to-end tests run `auth0-host`, which cargo builds for the tests of its own package only.
    host::build_for_tests(workspace, &build_options(args))?;
    document(workspace, &build_options(args))?;
    if runs_all(args) {
        exact_numbers(workspace, args)?;
    }
    process::say("running the tests");
    let mut cargo = workspace.cargo("test");
    if !names_packages(args) {
        cargo.arg("--workspace").args(host::FOR_TESTS);
    }
    cargo.args(args).env(WASMTIME, program).env(XTASK, std::env::current_exe()?);
    match peers::node(workspace.root(), peers::MCP_CLIENTS) {
        Ok(folder) => drop(cargo.env(MCP_CLIENTS, folder)),
        Err(error) => process::say(&format!("tests with MCP clients will fail: {error:#}")),
    }
    process::become_command(&mut cargo)
}

/// Run the connector's tests as it is in the component: there JSON numbers keep their digits, by a feature that must not
/// reach the host, and so not the build of the whole workspace.
fn exact_numbers(workspace: &Workspace, args: &[String]) -> Result<()> {
    process::say("running the connector's tests as in the component");
    let mut cargo = workspace.cargo("test");
    cargo.args(["--package", "auth0-connector", "--features", "exact-numbers"]).args(args);
    process::run(&mut cargo)
}

/// Have rustdoc write what is public, with all features, of the library alone.
fn document(workspace: &Workspace, options: &[String]) -> Result<()> {
    process::say("documenting the library");
    let mut cargo = workspace.cargo("doc");
    cargo.args(["--quiet", "--no-deps", "--features", "auth0-host/ses,auth0-host/smtp"]);
    cargo.args(DOCUMENTED).args(options);
    process::run(&mut cargo)
}

/// Before minutes of building, not after.
fn look_for_programs() -> Result<()> {
    for (name, from, tests) in PROGRAMS {
        if Command::new(name).arg("--version").stdin(Stdio::null()).output().is_err() {
            let skip: String = tests.iter().map(|tests| format!(" --skip {tests}")).collect();
            bail!(
                "`{name}` is needed for some tests: install {from}, or leave them out: cargo xtask test --{skip}"
            );
        }
    }
    Ok(())
}

/// Install what makes bindings of other languages, while the reader is told of it. Where that does not work the tests that
/// need it say so, and in CI they fail.
fn install_peers(workspace: &Workspace) {
    process::say("looking for the makers of bindings (about 280 MB into the user's cache, once)");
    let root = workspace.root();
    for (what, found) in
        [("TypeScript", peers::node(root, peers::BINDINGS)), ("Python", peers::python(root, peers::BINDINGS))]
    {
        if let Err(error) = found {
            process::say(&format!("bindings of {what} will not be tested: {error:#}"));
        }
    }
}

/// Returns whether no test is chosen or left out: then all words begin with a dash, and none names packages, targets or tests.
fn runs_all(args: &[String]) -> bool {
    const SOME: [&str; 6] = ["--skip", "--lib", "--bins", "--doc", "--test=", "--bin="];
    let chooses = |arg: &String| !arg.starts_with('-') || SOME.iter().any(|some| arg.starts_with(some));
    !names_packages(args) && !args.iter().any(chooses)
}

/// The options that say how to build, and not what to test: the program has to lie where the tests look for it.
fn build_options(args: &[String]) -> Vec<String> {
    const ALONE: [&str; 4] = ["--release", "-r", "--offline", "--frozen"];
    const WITH_VALUE: [&str; 4] = ["--profile", "--target", "--target-dir", "--config"];
    let mut options = Vec::new();
    let mut args = args.iter().take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
        if ALONE.contains(&arg.as_str()) {
            options.push(arg.clone());
        } else if WITH_VALUE.contains(&name) {
            options.push(arg.clone());
            if name == arg {
                options.extend(args.next().cloned());
            }
        }
    }
    options
}

fn names_packages(args: &[String]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| {
        arg == "--workspace"
            || arg == "--package"
            || arg.starts_with("--package=")
            || (arg.starts_with("-p") && !arg.starts_with("--"))
    })
}

#[cfg(test)]
mod tests {
    use super::{build_options, names_packages, runs_all};

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_host_is_built_as_the_tests_are() {
        for (line, expected) in [
            ("-p auth0-tests --release --test errors", "--release"),
            ("--profile bench -p auth0-tests", "--profile bench"),
            ("--target-dir=/t --target x a_test", "--target-dir=/t --target x"),
            ("a_test -- --release", ""),
        ] {
            assert_eq!(build_options(&words(line)).join(" "), expected, "{line}");
        }
    }

    #[test]
    fn programs_are_looked_for_where_their_tests_will_run() {
        assert!(runs_all(&[]));
        for (line, expected) in [
            ("--no-fail-fast", true),
            ("--locked -- --nocapture", true),
            ("-- --skip mcp::offer", false),
            ("-pauth0-host", false),
            ("--package=auth0-host", false),
            ("--lib", false),
            ("--doc", false),
            ("errors", false),
            ("--test errors", false),
        ] {
            assert_eq!(runs_all(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn packages_named_by_the_caller_replace_the_whole_workspace() {
        let named = |line: &str| names_packages(&words(line));
        assert!(named("-p auth0-tests --test errors"));
        assert!(named("-pauth0-tests"));
        assert!(named("--package=auth0-tests"));
        assert!(named("--workspace --lib"));
        assert!(!named("--test errors"));
        assert!(!named("a_test_name -- -p"));
    }
}
