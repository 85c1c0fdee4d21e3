//! Secrets handed to a command of the operator.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{SecretName, SecretSink, SinkError, SinkFuture};
use crate::secret::Secret;

/// A vault's command line answers within seconds; what takes longer waits for something that nobody gives it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a program for each secret, without a shell. The secret is on its standard input, and nothing follows it; its
/// environment names the secret: `AUTH0_SECRET_NAME` (the handle), `AUTH0_SECRET_TENANT`, `AUTH0_SECRET_COLLECTION`,
/// `AUTH0_SECRET_ID`, `AUTH0_SECRET_MEMBER`. No other variable of its environment begins with `AUTH0_`, so that it does
/// not get the host's credentials by the way.
///
/// Exit code 0 means that the secret is kept. A program that ends otherwise, or takes longer than 30 s, did not take
/// it. What it prints is thrown away: it may be the secret.
///
/// ```
/// # use std::time::Duration;
/// # use auth0_egress::secrets::CommandSink;
/// let sink = CommandSink::new("/usr/local/bin/put-secret").argument("--stdin").timeout(Duration::from_secs(10));
/// ```
#[derive(Clone, Debug)]
pub struct CommandSink {
    program: PathBuf,
    arguments: Vec<String>,
    timeout: Duration,
}

impl CommandSink {
    /// Names the program.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), timeout: TIMEOUT }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets how long it may take; 30 s where absent.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(&self, name: &SecretName, secret: &Secret) -> Result<(), SinkError> {
        let failed = |attempt| {
            let program = self.program.clone();
            move |source| SinkError::Command { attempt, program, source }
        };
        let mut command = Command::new(&self.program);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("AUTH0_") {
                command.env_remove(variable);
            }
        }
        let mut child = command
            .args(&self.arguments)
            .env("AUTH0_SECRET_NAME", name.to_string())
            .env("AUTH0_SECRET_TENANT", name.tenant())
            .env("AUTH0_SECRET_COLLECTION", name.collection())
            .env("AUTH0_SECRET_ID", name.id())
            .env("AUTH0_SECRET_MEMBER", name.member())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("started"))?;
        let handing = async {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(secret.expose().as_bytes()).await?;
                stdin.shutdown().await?;
            }
            Ok(())
        };
        let handed = handing.await;
        let status = child.wait().await.map_err(failed("waited for"))?;
        // How it ended says more than that it stopped reading.
        if !status.success() {
            return Err(SinkError::Status { program: self.program.clone(), status });
        }
        handed.map_err(failed("given the secret"))
    }
}

impl SecretSink for CommandSink {
    fn ready(&self) -> SinkFuture<'_> {
        Box::pin(async move {
            // A bare name is looked for in the search path, as `spawn` does.
            let tried: Vec<_> = if self.program.components().count() > 1 {
                vec![runs(&self.program)]
            } else {
                let folders = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&folders).map(|folder| runs(&folder.join(&self.program))).collect()
            };
            if tried.contains(&Ok(())) {
                return Ok(());
            }
            let forbidden = tried.contains(&Err(io::ErrorKind::PermissionDenied));
            let kind = if forbidden { io::ErrorKind::PermissionDenied } else { io::ErrorKind::NotFound };
            Err(SinkError::Command {
                attempt: "found as an executable program",
                program: self.program.clone(),
                source: kind.into(),
            })
        })
    }

    fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
        Box::pin(async move {
            let run = tokio::time::timeout(self.timeout, self.run(name, secret)).await;
            run.unwrap_or(Err(SinkError::Late { after: self.timeout }))
        })
    }
}

/// Checks that a file is there that the system would run.
fn runs(path: &Path) -> Result<(), io::ErrorKind> {
    let with_extension = path.with_extension(std::env::consts::EXE_EXTENSION);
    let found = std::fs::metadata(path).or_else(|_| std::fs::metadata(with_extension));
    let found = found.map_err(|error| error.kind())?;
    if !found.is_file() {
        return Err(io::ErrorKind::NotFound);
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 == 0 {
        return Err(io::ErrorKind::PermissionDenied);
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn name() -> SecretName {
        SecretName::new("acme.eu.auth0.com", &["clients"], "abc", &["client_secret"])
    }

    fn shell(script: &str) -> CommandSink {
        CommandSink::new("/bin/sh").argument("-c").argument(script)
    }

    async fn put(sink: &CommandSink) -> Result<(), SinkError> {
        sink.put(&name(), &Secret::new("canary-secret")).await
    }

    #[tokio::test]
    async fn a_command_gets_the_secret_on_stdin_and_its_name_in_the_environment() {
        let file = std::env::temp_dir().join(format!("auth0-command-sink-{}", std::process::id()));
        let script = format!(
            "{{ cat; echo; echo \"$AUTH0_SECRET_NAME $AUTH0_SECRET_ID\"; env | grep -c ^AUTH0_; echo \"$1\"; }} > {}",
            file.display()
        );
        let sink = shell(&script).argument("sh").argument("$(not; a shell)");
        sink.ready().await.unwrap();
        put(&sink).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let expected = format!("canary-secret\n{} abc\n5\n$(not; a shell)\n", name());
        assert_eq!(text, expected);
    }

    #[tokio::test]
    async fn a_command_that_fails_or_hangs_did_not_take_the_secret_and_its_output_is_gone() {
        let loud = shell("cat >&2; exit 3");
        let error = put(&loud).await.unwrap_err();
        assert!(matches!(&error, SinkError::Status { status, .. } if status.code() == Some(3)), "{error}");
        let hanging = shell("sleep 60").timeout(Duration::from_millis(100));
        let error = put(&hanging).await.unwrap_err();
        assert!(matches!(error, SinkError::Late { .. }), "{error}");
        let missing = CommandSink::new("/no/such/program");
        for error in [missing.ready().await.unwrap_err(), put(&missing).await.unwrap_err()] {
            assert!(matches!(error, SinkError::Command { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        assert!(CommandSink::new("no-such-program-of-ours").ready().await.is_err());
        CommandSink::new("sh").ready().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_may_not_be_run_is_found_out_before_a_secret_is_made() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = std::env::temp_dir().join(format!("auth0-command-sink-{}-plain", std::process::id()));
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let sink = CommandSink::new(&file);
        for (mode, ready) in [(0o600, false), (0o700, true)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let answer = sink.ready().await;
            assert_eq!(answer.is_ok(), ready, "{mode:o}: {answer:?}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}
