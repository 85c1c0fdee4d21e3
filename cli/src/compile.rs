//! `--component FILE`: a component that nobody vouches for is compiled in a process of its own.
//!
//! Compiling is work that whoever made the file sizes, so it is done where memory and processor time have an end. The
//! child is this program again; it limits itself before it reads a byte, has no environment, and leaves the machine code
//! in the code cache, where this process takes it from as it takes all code: from a folder and a file that are this
//! user's alone, sealed for this component and this engine. The child is no less trusted than this process: it runs
//! wasmtime's compiler and nothing of the component.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use auth0_host::{CodeCache, Error, Host, MAX_COMPONENT_BYTES};

use super::{Failure, file, print};

/// The first argument of a child. No command has such a name.
const CHILD: &str = "compile-component-in-child";

/// Address space of a child. The connector takes some 300 MB of it, this program included.
#[cfg(unix)]
const MOST_MEMORY: u64 = 2 << 30;
/// Processor time of a child. The connector takes 0.8 s, and one that has eight times as much of everything (the library
/// refuses more) about 10 s.
#[cfg(unix)]
const MOST_SECONDS: u64 = 30;
/// Largest file that a child writes, which is the largest that the cache reads.
#[cfg(unix)]
const MOST_CODE: u64 = 128 << 20;

/// Exit codes of a child.
const INVALID: u8 = 2;
const CACHE: u8 = 4;

/// Loads a component whose code is in the cache, or gets there.
pub(crate) async fn host(path: &Path, cache: CodeCache, calls: u32) -> Result<Host, Failure> {
    let named = path.to_owned();
    let read = tokio::task::spawn_blocking(move || file::bytes(&named, MAX_COMPONENT_BYTES)).await;
    let bytes = read
        .map_err(|error| Failure::Host(error.into()))?
        .map_err(|source| Error::ComponentFile { path: path.to_owned(), source })?;
    let build = |cache: CodeCache| {
        let builder = Host::with_precompiled_component(bytes.clone());
        builder.code_cache(cache).concurrent_calls(calls).build_async()
    };
    match build(cache.clone()).await {
        Err(Error::NotPrecompiled { .. }) => {}
        done => return Ok(done?),
    }
    if let Some(folder) = cache.folder() {
        match in_child(&bytes, &folder).await {
            Ok(()) => return Ok(build(cache).await?),
            // Without a usable cache everything works, only slower.
            Err(Problem::Cache(_)) => {}
            Err(problem) => return Err(problem.into()),
        }
    }
    let passing = PassingFolder::new().map_err(|error| {
        Failure::Host(anyhow::Error::new(error).context("a folder for compiled code could not be made"))
    })?;
    in_child(&bytes, &passing.0).await?;
    Ok(build(CodeCache::Folder(passing.0.clone())).await?)
}

/// Why there is no code.
#[derive(Debug)]
enum Problem {
    /// The component is no good, or too much for a compiler.
    Component(String),
    /// The folder is no good.
    Cache(String),
    /// The child could not do its work.
    Child(anyhow::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Component(problem) => Error::InvalidComponent { problem, source: None }.into(),
            Problem::Cache(problem) => Error::CodeCache { problem }.into(),
            Problem::Child(error) => Self::Host(error),
        }
    }
}

/// A folder for one start, for this user alone.
struct PassingFolder(PathBuf);

impl PassingFolder {
    fn new() -> io::Result<Self> {
        let mut random = [0_u8; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
        let name = format!("auth0-host-code-{:016x}", u64::from_ne_bytes(random));
        let path = std::env::temp_dir().join(name);
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails where something of this name is there already.
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for PassingFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(not(unix))]
async fn in_child(_: &[u8], _: &Path) -> Result<(), Problem> {
    Err(Problem::Child(anyhow::anyhow!(
        "--component: this system cannot limit a process that compiles, so no component but the built-in one is compiled \
         here; a program of your own can, with the library (Host::with_trusted_component)"
    )))
}

/// Has a component compiled into a folder.
#[cfg(unix)]
async fn in_child(bytes: &[u8], folder: &Path) -> Result<(), Problem> {
    use std::{process::Stdio, time::Duration};

    use anyhow::Context as _;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        process::Command,
    };

    /// The child's processor time has an end; a machine that is busy may take some times as long for it.
    const TIMEOUT: Duration = Duration::from_secs(10 * MOST_SECONDS);
    /// Of what a child says, so much is read.
    const LONGEST_PROBLEM: u64 = 4096;

    let broken = |error: io::Error, what| Problem::Child(anyhow::Error::new(error).context(what));
    let program = program().map_err(|error| broken(error, "this program does not find itself"))?;
    let mut child = Command::new(program)
        .arg(CHILD)
        .arg(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| broken(error, "the process that compiles the component did not start"))?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let give = async {
        if let Some(mut stdin) = stdin {
            // How it ends says more than that it stopped reading.
            let _ = stdin.write_all(bytes).await;
        }
    };
    let hear = async {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(LONGEST_PROBLEM).read_to_end(&mut said).await;
        }
        String::from_utf8_lossy(&said).trim_end().to_owned()
    };
    let work = async { tokio::join!(give, hear, child.wait()) };
    let ((), said, status) = tokio::time::timeout(TIMEOUT, work)
        .await
        .map_err(|_| Problem::Component(format!("it was not compiled within {TIMEOUT:?}")))?;
    let status =
        status.context("the process that compiles the component was lost").map_err(Problem::Child)?;
    verdict(status, &said)
}

/// Returns what the end of a child means.
#[cfg(unix)]
fn verdict(status: std::process::ExitStatus, said: &str) -> Result<(), Problem> {
    use std::os::unix::process::ExitStatusExt as _;

    use rustix::process::{Resource, Signal};

    let too_much =
        |of: String| Problem::Component(format!("compiling it took more than {of}, and was stopped"));
    let signal = |signal: Signal| Some(signal.as_raw());
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) if code == i32::from(INVALID) => {
            Err(Problem::Component(auth0_host::printable::line(said)))
        }
        (Some(code), _) if code == i32::from(CACHE) => Err(Problem::Cache(auth0_host::printable::line(said))),
        (_, found) if found == signal(Signal::XCPU) || found == signal(Signal::KILL) => {
            Err(too_much(format!("{} s of processor time", most(Resource::Cpu, MOST_SECONDS))))
        }
        (_, found) if found == signal(Signal::XFSZ) => {
            Err(too_much(format!("{} MiB of machine code", most(Resource::Fsize, MOST_CODE) >> 20)))
        }
        // A program of Rust that gets no memory aborts.
        (_, found) if found == signal(Signal::ABORT) || found == signal(Signal::SEGV) => {
            Err(too_much(format!("{} MiB of memory", most(Resource::As, MOST_MEMORY) >> 20)))
        }
        _ => Err(Problem::Child(anyhow::anyhow!(
            "the process that compiles the component ended with {status}: {}",
            auth0_host::printable::line(said)
        ))),
    }
}

/// Returns this program's file: on Linux the one that runs, also where an update has put another one in its place.
#[cfg(unix)]
fn program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() {
        Ok(running.to_owned())
    } else {
        std::env::current_exe()
    }
}

/// Does the child's work, where this process is one. Called before anything else: what a runtime takes of memory would
/// count.
pub(crate) fn child() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != CHILD {
        return None;
    }
    let folder: Option<OsString> = arguments.next();
    let done =
        folder.map_or_else(|| Err((INVALID, "no folder is named".to_owned())), |folder| work(folder.into()));
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, problem)) => {
            print::stderr(format_args!("{problem}"));
            code.into()
        }
    })
}

fn work(folder: PathBuf) -> Result<(), (u8, String)> {
    let own = |problem: String| (3, problem);
    limit().map_err(|error| own(format!("no limits can be set: {error}")))?;
    let bytes = file::all(io::stdin().lock(), MAX_COMPONENT_BYTES).map_err(|error| own(error.to_string()))?;
    let builder = Host::with_trusted_component(bytes).code_cache(CodeCache::Folder(folder));
    builder.precompile().map(drop).map_err(|error| match &error {
        Error::CodeCache { problem } => (CACHE, problem.clone()),
        Error::InvalidComponent { problem, source } => {
            let mut text = problem.clone();
            let mut cause = source.as_ref().map(|source| source as &dyn std::error::Error);
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            (INVALID, text)
        }
        error => own(error.to_string()),
    })
}

/// Returns a limit of a child: ours, or the one that this process has already where that is stricter.
#[cfg(unix)]
fn most(resource: rustix::process::Resource, ours: u64) -> u64 {
    let has = rustix::process::getrlimit(resource);
    [has.current, has.maximum].into_iter().flatten().fold(ours, u64::min)
}

/// Limits this process.
#[cfg(unix)]
fn limit() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limits = [(Resource::As, MOST_MEMORY), (Resource::Cpu, MOST_SECONDS), (Resource::Fsize, MOST_CODE)];
    for (resource, ours) in limits {
        let most = most(resource, ours);
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    #[test]
    fn how_a_child_ends_says_what_was_too_much() {
        for (script, expected) in [
            ("kill -XCPU $$", "s of processor time"),
            ("kill -KILL $$", "s of processor time"),
            ("kill -ABRT $$", "MiB of memory"),
            ("kill -SEGV $$", "MiB of memory"),
            ("kill -XFSZ $$", "MiB of machine code"),
            ("echo it imports too much; exit 2", "it imports too much"),
            ("echo the folder is open to others; exit 4", "the folder is open to others"),
            ("printf 'a\\033[2Jb'; exit 3", "ended with exit status: 3: a\\u{1b}[2Jb"),
        ] {
            let Output { status, stdout, .. } =
                Command::new("/bin/sh").args(["-c", script]).output().unwrap();
            let said = String::from_utf8(stdout).unwrap();
            let problem = match verdict(status, said.trim_end()).unwrap_err() {
                Problem::Component(problem) | Problem::Cache(problem) => problem,
                Problem::Child(error) => format!("{error:#}"),
            };
            assert!(problem.contains(expected), "{script}: {problem}");
        }
    }
}
