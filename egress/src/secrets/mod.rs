//! Secrets that a tenant makes: where they go, so that they do not go through a workflow.
//!
//! A rotation's answer holds the new secret, and a workflow engine keeps answers: in its history, its logs, its
//! debugger. So the egress takes the secret out of the answer before the component sees it, puts a handle in its place
//! ([`SecretName`]), and gives the secret to the tenant's [`SecretSink`]. What the sink does not take is kept in memory
//! for another attempt ([`deliveries`]): the tenant has it in force already, and shows it to nobody again.

mod command;
pub mod deliveries;
mod file;
pub mod made;
mod name;
mod staged;

use std::{fmt, io, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

pub use self::name::{SCHEME, owner};
pub use self::{
    command::CommandSink,
    deliveries::{PendingSecret, SecretUndelivered},
    file::FileSink,
    name::SecretName,
    staged::StagedSink,
};
use crate::secret::Secret;

/// The future of [`SecretSink::put`] and [`SecretSink::ready`].
pub type SinkFuture<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

/// Where secrets go that a tenant makes: [`FileSink`], [`CommandSink`], or an engine's own.
///
/// ```
/// # use auth0_egress::{secret::Secret, secrets::{SecretName, SecretSink, SinkError, SinkFuture}};
/// struct Vault;
///
/// impl Vault {
///     async fn write(&self, _path: &str, _value: &str) -> std::io::Result<()> {
///         Ok(())
///     }
/// }
///
/// impl SecretSink for Vault {
///     fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
///         Box::pin(async move {
///             let path = name.to_string().replace("auth0-secret://", "auth0/");
///             // The vault's own error is dropped: it may repeat the secret.
///             self.write(&path, secret.expose()).await.map_err(|_| SinkError::engine("the vault did not take it"))
///         })
///     }
/// }
/// ```
pub trait SecretSink: Send + Sync {
    /// Checks that a secret could be put now. Called before the request is sent that makes one: a sink that fails
    /// afterwards leaves an application, say, whose secret nobody has.
    fn ready(&self) -> SinkFuture<'_> {
        Box::pin(async { Ok(()) })
    }

    /// Puts a secret where it stays. Called again with the same name when the secret is replaced, and after a failure.
    /// The future is dropped after 60 s: what goes on writing then must not end after a later call, or it puts an older
    /// secret over a newer one.
    fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a>;
}

impl<T: SecretSink + ?Sized> SecretSink for Arc<T> {
    fn ready(&self) -> SinkFuture<'_> {
        (**self).ready()
    }

    fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
        (**self).put(name, secret)
    }
}

/// A sink as settings hold it. `Debug` prints nothing of it: an engine's type may print what it holds.
#[derive(Clone)]
pub struct Sink(pub Arc<dyn SecretSink>);

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An engine's type may print what it holds.
        f.write_str("Sink(…)")
    }
}

/// Why a sink did not take a secret. None of the cases has room for the secret itself: an engine's own sink gives a
/// constant text ([`SinkError::engine`]), and what a command prints is dropped.
///
/// ```
/// # use auth0_egress::secrets::SinkError;
/// assert_eq!(SinkError::engine("the vault is sealed").to_string(), "the vault is sealed");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// A file or folder could not be used.
    #[error("{path} could not be {attempt}", path = path.display())]
    File {
        /// What was tried: `written`.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A folder is open to others than its owner.
    #[error("the folder {path} is open to others than its owner (mode {mode:04o}): run `chmod 700 {path}`", path = path.display())]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A command could not be started, or not be given the secret.
    #[error("the command {program} could not be {attempt}", program = program.display())]
    Command {
        /// What was tried: `started`.
        attempt: &'static str,
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A command ended with another exit code than 0. What it printed is not kept.
    #[error("the command {program} failed: {status}", program = program.display())]
    Status {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The sink did not answer in time.
    #[error("the sink did not answer within {after:?}")]
    Late {
        /// How long it had.
        after: Duration,
    },
    /// The call ended before the sink did. The sink may have the secret by now.
    #[error("the sink had not answered when the call ended")]
    UnderWay,
    /// An engine's own sink failed.
    #[error("{0}")]
    Engine(&'static str),
}

impl SinkError {
    /// Makes the error of an engine's own sink. The text is a constant of the program, since a text that is put
    /// together at run time may have the secret in it.
    pub fn engine(problem: &'static str) -> Self {
        Self::Engine(problem)
    }
}
