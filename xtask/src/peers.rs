//! Programs that are made elsewhere: the makers of bindings for TypeScript and Python that the contract is tried with, MCP
//! clients, Auth0's SDKs that the benchmark compares with, and the wasmtime command line.
//!
//! Those of other languages are pinned by lock files with a digest of each file, and installed by npm and pip as those are configured on this
//! machine, into the user's cache and not into `target`: 280 MB for the tests, the same for all checkouts. Nothing in
//! them is run by being installed: npm runs no scripts, pip builds nothing.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Where the lock files of what the contract is tried with are, from the workspace's root.
pub const BINDINGS: &str = "tests/wit/peers";

/// Where those of the benchmark are.
pub const SDKS: &str = "bench/peers";

/// Where those of the MCP server's tests are.
pub const MCP_CLIENTS: &str = "tests/mcp/peers";

/// Written last into the folder of an installation. One that was interrupted is made again.
const DONE: &str = ".done";

/// The folder with `node_modules` that a folder of locks names. Installed when it is not there.
///
/// # Errors
///
/// There is no npm, or it cannot install the packages, such as for want of a network.
pub fn node(root: &Path, locks: &str) -> Result<PathBuf> {
    installed(&root.join(locks), "node", "package-lock.json", |folder, lock| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(lock.with_file_name(name), folder.join(name))
                .with_context(|| format!("cannot copy {name}"))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"])
            .current_dir(folder);
        run(&mut npm)
    })
}

/// The Python of the virtual environment that a folder of locks names. Installed when it is not there.
///
/// # Errors
///
/// There is no Python 3 with `venv`, or pip cannot install the packages, such as for want of a network.
pub fn python(root: &Path, locks: &str) -> Result<PathBuf> {
    let folder = installed(&root.join(locks), "python", "requirements.txt", |folder, lock| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(program(folder, "python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1"]);
        pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(lock);
        run(&mut pip)
    })?;
    Ok(program(&folder, "python"))
}

/// A program in a virtual environment.
fn program(environment: &Path, name: &str) -> PathBuf {
    let folder = if cfg!(windows) { "Scripts" } else { "bin" };
    environment.join(folder).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Find the installation of what a lock file names, or make it.
fn installed(
    locks: &Path,
    kind: &str,
    lock: &str,
    install: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<PathBuf> {
    let lock = locks.join(kind).join(lock);
    let wanted = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    cached(kind, &wanted, |folder| install(folder, &lock))
}

/// Find what was installed into a folder of the user's cache, or install it. What it is made from decides which it is.
///
/// # Errors
///
/// There is no cache, or what installs says why it cannot.
pub fn cached(kind: &str, from: &[u8], install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let digest: String = Sha256::digest(from).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let cache = dirs::cache_dir().context("this machine names no folder for caches")?;
    let cache = cache.join("auth0-connector-tests");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let folder = cache.join(format!("{kind}-{digest}"));
    let done = folder.join(DONE);
    // Tests run side by side, and so do checkouts.
    let guard = File::create(folder.with_extension("lock")).context("the cache cannot be written")?;
    guard.lock().context("the cache cannot be locked")?;
    if !done.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        install(&folder)?;
        fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    }
    Ok(folder)
}

/// Run a program that says nothing while all goes well.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_owned();
    let first = command.get_args().take(2).collect::<Vec<_>>().join(OsStr::new(" "));
    let name = format!("`{} {}`", name.display(), first.display());
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let said =
            [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).trim().to_owned());
        bail!("{name} failed ({}): {}", output.status, said.join("\n").trim());
    }
    Ok(())
}
