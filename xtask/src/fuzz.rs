//! Fuzzing, on the same stable Rust as everything else.
//!
//! `cargo fuzz` wants a nightly for its sanitizers. Rust without `unsafe` has little for them to find: what is looked for are
//! panics and broken promises, which assertions tell. Coverage, which the fuzzer needs to find its way, is a pass of LLVM that
//! stable compilers have too.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::{Workspace, settle};

/// The targets, in `fuzz/targets`, each with a corpus in `fuzz/corpus`.
const TARGETS: [&str; 6] = ["input", "path", "paging", "json", "masking", "echo"];

/// How long each target runs where nothing else is said.
const SECONDS: u32 = 60;

/// Counters and comparisons for libFuzzer, as cargo-fuzz has them.
const COVERAGE: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Run all targets, or one, two at a time. What they find of interest is kept in `target/fuzz` for the next run.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let (mut seconds, mut only) = (SECONDS, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                let number = args.next().context("--seconds needs a number")?;
                seconds = number.parse().with_context(|| format!("`{number}` is no number of seconds"))?;
            }
            name if TARGETS.contains(&name) => only = Some(name),
            name => bail!("unknown fuzz target `{name}`; targets: {}", TARGETS.join(", ")),
        }
    }
    let programs = build(workspace)?;
    let targets: Vec<&str> =
        TARGETS.into_iter().filter(|target| only.is_none_or(|only| only == *target)).collect();
    let mut failed = Vec::new();
    for pair in targets.chunks(2) {
        let running = pair.iter().map(|target| Ok((*target, start(workspace, &programs, target, seconds)?)));
        for (target, child) in running.collect::<Result<Vec<_>>>()? {
            if !end(workspace, target, child)? {
                failed.push(target);
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    process::say(&format!(
        "failed: {}; the inputs are in {}",
        failed.join(", "),
        folder(workspace).join("found").display()
    ));
    Ok(ExitCode::FAILURE)
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.build().join("fuzz")
}

/// Build the targets. For a target that is named, cargo leaves the flags away from build scripts and macros.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    process::say("building the fuzz targets");
    let host = process::output(Command::new("rustc").args(["--version", "--verbose"]))?;
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not say its host")?;
    let target_dir = folder(workspace);
    let mut command = workspace.command("cargo");
    command.args(["build", "--release", "--target", host, "--manifest-path"]);
    command.arg(workspace.root().join("fuzz/Cargo.toml")).arg("--target-dir").arg(&target_dir);
    settle(&mut command, "build");
    command.env("RUSTFLAGS", COVERAGE);
    process::run(&mut command)?;
    Ok(target_dir.join(host).join("release"))
}

fn start(workspace: &Workspace, programs: &std::path::Path, target: &str, seconds: u32) -> Result<Child> {
    let folder = folder(workspace);
    let (kept, found, log) =
        (folder.join("corpus").join(target), folder.join("found"), log(workspace, target));
    for folder in [&kept, &found] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let log = fs::File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
    process::say(&format!("fuzzing {target} for {seconds} s"));
    Command::new(programs.join(target))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/{target}-", found.display()))
        // No input of an engine is longer than this by nature; longer ones only slow the search.
        .args(["-max_len=4096", "-timeout=10"])
        .arg(kept)
        .arg(workspace.root().join("fuzz/corpus").join(target))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {target}"))
}

fn log(workspace: &Workspace, target: &str) -> PathBuf {
    folder(workspace).join(format!("{target}.log"))
}

/// Wait for a target, and tell how it ended.
fn end(workspace: &Workspace, target: &str, mut child: Child) -> Result<bool> {
    let status = child.wait().with_context(|| format!("cannot wait for {target}"))?;
    let log = fs::read_to_string(log(workspace, target)).unwrap_or_default();
    if status.success() {
        let runs = log.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("done");
        process::say(&format!("{target}: {runs}"));
        return Ok(true);
    }
    let from = log.lines().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    for line in log.lines().skip(from.unwrap_or_default()).take(20) {
        eprintln!("{target}: {line}");
    }
    Ok(false)
}
