//! A Rust that builds for `wasm32-unknown-unknown`.
//!
//! Two ways, because the first needs a host that some networks do not let through: the pinned rustup toolchain with the
//! target added, or Debian's `rustc-web`, which has the compiler and the source of the standard library as packages, so
//! that cargo builds the standard library itself. rustup's automatic installs can be switched off
//! (`RUSTUP_AUTO_INSTALL=0`), so the target is always added explicitly.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::{Workspace, settle};

/// The target of the component.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Forces one of the two ways, so that both can be tested.
const CHOICE: &str = "AUTH0_WASM_TOOLCHAIN";

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// A Rust that builds for [`TARGET`], ready to use.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The toolchain that runs this command; its standard library for the target is there.
    Rustup,
    /// Debian's packages; the standard library is built from source with the build.
    Debian {
        /// The linker for WebAssembly, which Debian's packages lack.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Find or set up a toolchain: the target if it is there, else through rustup, else through Debian's packages.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        match env::var(CHOICE).as_deref() {
            Ok("rustup") => rustup(workspace),
            Ok("debian") => Self::debian(workspace),
            Ok("") | Err(_) => rustup(workspace).or_else(|first| {
                process::say(&format!("{first:#}"));
                process::say("trying Debian's packages instead");
                Self::debian(workspace).map_err(|second| {
                    anyhow::anyhow!(
                        "no Rust that builds for {TARGET}\n\
                         - through rustup (`rustup target add {TARGET}`): {first:#}\n\
                         - through Debian (`apt-get install {}`): {second:#}",
                        DEBIAN_PACKAGES.join(" ")
                    )
                })
            }),
            Ok(other) => bail!("{CHOICE} is `{other}`; use `rustup` or `debian`"),
        }
    }

    /// Set Debian's packages up, whatever else is there.
    pub(crate) fn debian(workspace: &Workspace) -> Result<Self> {
        if !packages_installed() {
            install_packages()?;
        }
        let version = process::output(Command::new(DEBIAN_RUSTC).arg("--version"))?;
        if !recent_enough(&version) {
            bail!(
                "Debian's `{}` is older than Rust {}: is debian-security among the sources of apt?",
                version.trim(),
                env!("CARGO_PKG_RUST_VERSION")
            );
        }
        Ok(Self::Debian { linker: linker(workspace)? })
    }

    /// The compiler of this toolchain.
    pub(crate) fn rustc(&self, workspace: &Workspace) -> Command {
        match self {
            Self::Rustup => workspace.command(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())),
            Self::Debian { .. } => {
                let mut command = workspace.command(DEBIAN_RUSTC);
                command.env_remove("LD_LIBRARY_PATH").env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        }
    }

    /// What the compiler says of itself, in several lines.
    pub(crate) fn version(&self, workspace: &Workspace) -> Result<String> {
        process::output(self.rustc(workspace).arg("-vV"))
    }

    /// Returns whether it is the Rust project's own build of that version, with its standard library: two of them make the same
    /// bytes of the same sources.
    pub(crate) fn is_official(&self, workspace: &Workspace, version: &str) -> Result<bool> {
        Ok(matches!(self, Self::Rustup) && is_official(&self.version(workspace)?, version))
    }

    /// A cargo command that builds with this toolchain, into a target folder of its own where it must.
    ///
    /// `cargo SUBCOMMAND` is for the caller to complete.
    pub(crate) fn cargo(&self, workspace: &Workspace, subcommand: &str) -> (Command, PathBuf) {
        let (mut command, folder) = match self {
            Self::Rustup => (workspace.cargo(subcommand), workspace.build()),
            Self::Debian { linker } => {
                let mut command = workspace.command(DEBIAN_CARGO);
                command.arg(subcommand);
                settle(&mut command, subcommand);
                command
                    .arg("-Zbuild-std=std,panic_abort")
                    // The source of the standard library and its lock file come with the compiler's version.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    // Set by the rustup toolchain's cargo for this process; wrong for the other compiler.
                    .env_remove("LD_LIBRARY_PATH")
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("CARGO");
                // Two compilers in one folder would throw each other's work away.
                (command, workspace.build().join("debian"))
            }
        };
        command.args(["--target", TARGET]).arg("--target-dir").arg(&folder);
        (command, folder)
    }
}

fn rustup(workspace: &Workspace) -> Result<Toolchain> {
    if has_target(workspace) {
        return Ok(Toolchain::Rustup);
    }
    process::say(&format!("adding the target {TARGET} to the Rust toolchain"));
    process::run(workspace.command("rustup").args(["target", "add", TARGET]))?;
    if !has_target(workspace) {
        bail!("rustup added {TARGET}, but rustc does not find it: is `rustc` the one of rustup?");
    }
    Ok(Toolchain::Rustup)
}

/// Returns whether the rustc that cargo uses has the standard library for the target. rustc prints the folder whether it is
/// there or not.
fn has_target(workspace: &Workspace) -> bool {
    let mut rustc = Toolchain::Rustup.rustc(workspace);
    let folder = process::output(rustc.args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Returns whether the first line is `rustc 1.95.0 (59807616e 2026-04-14)`: distributions put words of their own behind it.
fn is_official(verbose: &str, version: &str) -> bool {
    let rest = verbose.lines().next().and_then(|line| line.strip_prefix("rustc "));
    let built = rest.and_then(|rest| rest.strip_prefix(version)).and_then(|rest| rest.strip_prefix(" ("));
    built.is_some_and(|built| built.ends_with(')') && !built.contains('('))
}

fn packages_installed() -> bool {
    let source = Path::new("/usr/lib/rustlib/src/rust/library/std/Cargo.toml");
    [Path::new(DEBIAN_RUSTC), Path::new(DEBIAN_CARGO), source].iter().all(|path| path.exists())
}

fn install_packages() -> Result<()> {
    let packages = DEBIAN_PACKAGES.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this machine has no apt-get");
    }
    let user = process::output(Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        bail!("only root can install packages; run: sudo apt-get update && sudo apt-get install {packages}");
    }
    process::say(&format!("installing Debian's {packages}"));
    // The lists of a fresh machine may be old enough to name a Rust that is too old.
    process::run(Command::new("apt-get").args(["update", "-qq"]))?;
    process::run(
        Command::new("apt-get")
            .args(["install", "-qq", "--yes", "--no-install-recommends"])
            .args(DEBIAN_PACKAGES)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// Returns whether `rustc 1.96.0 (…)` is at least what the workspace asks for.
fn recent_enough(version: &str) -> bool {
    let parse = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let have = version.split_whitespace().nth(1).and_then(parse);
    let need = parse(env!("CARGO_PKG_RUST_VERSION"));
    have.is_some() && have >= need
}

/// Find the `rust-lld` of the toolchain that runs this command, else a `wasm-ld` of Debian's.
fn linker(workspace: &Workspace) -> Result<PathBuf> {
    let sysroot = process::output(workspace.command("rustc").args(["--print", "sysroot"]))?;
    let verbose = process::output(workspace.command("rustc").arg("-vV"))?;
    let host = verbose.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let rust_lld = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    if rust_lld.exists() {
        return Ok(rust_lld);
    }
    let wasm_ld = PathBuf::from("/usr/bin/wasm-ld");
    if wasm_ld.exists() {
        return Ok(wasm_ld);
    }
    bail!("no linker for WebAssembly: neither {} nor {} exists", rust_lld.display(), wasm_ld.display())
}

#[cfg(test)]
mod tests {
    use super::{is_official, recent_enough};

    #[test]
    fn a_distributions_rust_is_not_the_rust_projects() {
        assert!(is_official("rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\n", "1.95.0"));
        for other in [
            "rustc 1.95.0 (59807616e 2026-04-14) (built from a source tarball)",
            "rustc 1.95.0 (59807616e 2026-04-14) (Debian 1.95.0+dfsg1-1)",
            "rustc 1.95.0",
            "rustc 1.95.01 (59807616e 2026-04-14)",
            "rustc 1.96.0 (59807616e 2026-04-14)",
            "rustc 1.95.0-nightly (59807616e 2026-04-14)",
            "",
        ] {
            assert!(!is_official(other, "1.95.0"), "{other}");
        }
    }

    #[test]
    fn a_rust_older_than_the_workspace_asks_for_is_refused() {
        assert!(recent_enough("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"));
        assert!(recent_enough("rustc 1.95.0"));
        assert!(recent_enough("rustc 2.0.0"));
        assert!(!recent_enough("rustc 1.85.0 (4d91de4e4 2025-02-17)"));
        assert!(!recent_enough("something else"));
    }
}
