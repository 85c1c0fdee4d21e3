//! `cargo xtask wit`: the WIT package for registries and tools, and what holds it to its promises.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xtask::contract::{Package, released};

use crate::process;
use crate::workspace::Workspace;

/// Where the package goes unless a folder is named, from the workspace's root.
const DEFAULT: &str = "target/wit";

/// Do what the arguments say.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => write(workspace, &workspace.root().join(DEFAULT)),
        ["--out", folder] => write(workspace, Path::new(folder)),
        ["--check"] => check(workspace),
        ["--release"] => release(workspace),
        _ => bail!("`wit` takes one of --out DIR, --check and --release, not `{}`", args.join(" ")),
    }
}

fn write(workspace: &Workspace, folder: &Path) -> Result<ExitCode> {
    let (_, package) = assemble(workspace)?;
    let (text, binary) = package.write(folder)?;
    process::say(&format!("wrote {} and {}", text.display(), binary.display()));
    Ok(ExitCode::SUCCESS)
}

/// Hold the package against the component that is carried and against the versions that were released.
fn check(workspace: &Workspace) -> Result<ExitCode> {
    let differences = released::differences(workspace.root())?;
    for difference in &differences {
        process::say(&difference.to_string());
    }
    if !differences.is_empty() {
        process::say(
            "where the version that differs is in no tag yet, `cargo xtask wit --release` writes it anew",
        );
    }
    let rewritten = match released::rewritten(workspace.root())? {
        released::Tags::Compared(found) => found,
        released::Tags::Unknown(why) => {
            process::say(&format!("what was released is not compared with tags: {why}"));
            Vec::new()
        }
    };
    for text in &rewritten {
        process::say(&text.to_string());
    }
    let (component, package) = assemble(workspace)?;
    package.check(&component).with_context(|| {
        format!(
            "{} is not the component of wit/ (`cargo xtask component` builds that)",
            workspace.carried().display()
        )
    })?;
    package.binary()?;
    if !differences.is_empty() || !rewritten.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    process::say("the package of wit/ is what the component is, and keeps what released versions promise");
    Ok(ExitCode::SUCCESS)
}

fn release(workspace: &Workspace) -> Result<ExitCode> {
    let line = match released::release(workspace.root())? {
        released::Release::Written(path) => format!("wrote {}: commit it", path.display()),
        released::Release::Unchanged(path) => format!("{} is up to date", path.display()),
        released::Release::Kept(path) => {
            format!("{} is tagged and stays; only documentation differs", path.display())
        }
    };
    process::say(&line);
    Ok(ExitCode::SUCCESS)
}

fn assemble(workspace: &Workspace) -> Result<(Vec<u8>, Package)> {
    let path = workspace.carried();
    let component = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let package = Package::assemble(workspace.root(), &component)?;
    Ok((component, package))
}
