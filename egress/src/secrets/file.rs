//! Secrets as files that nobody but their owner can read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{SecretName, SecretSink, SinkError, SinkFuture};
use crate::secret::Secret;

/// Puts each secret into a file of its own: `FOLDER/acme.eu.auth0.com/clients/ID/client_secret`, folders with mode
/// 0700, files with mode 0600, the secret and nothing else in it.
///
/// A secret is written beside its place, brought to the disk and renamed: whoever reads the file sees the old secret or
/// the new one, and after a power cut one of the two is there. One write follows the other, so that one which hangs and
/// goes on later does not put an older secret over a newer one; clones are the same sink in this.
///
/// ```
/// # use auth0_egress::secrets::{FileSink, SecretName};
/// let sink = FileSink::new("/var/lib/engine/secrets");
/// let name = SecretName::new("acme.eu.auth0.com", &["clients"], "abc", &["client_secret"]);
/// assert!(sink.path(&name).ends_with("acme.eu.auth0.com/clients/abc/client_secret"));
/// ```
#[derive(Clone, Debug)]
pub struct FileSink {
    folder: PathBuf,
    serial: Arc<tokio::sync::Mutex<()>>,
}

impl FileSink {
    /// Names the folder. It is made where it is not there; one that is there must be open to its owner only.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), serial: Arc::default() }
    }

    /// Does blocking work beside the runtime's threads: a disk may be slow. The lock is the work's own, since nothing
    /// stops it when nobody waits for it any more.
    async fn work(
        &self,
        work: impl FnOnce() -> Result<(), SinkError> + Send + 'static,
    ) -> Result<(), SinkError> {
        let serial = Arc::clone(&self.serial).lock_owned().await;
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(serial);
            done
        });
        working.await.unwrap_or(Err(SinkError::Engine("the runtime was shut down")))
    }

    /// Returns the file that a secret is put into.
    pub fn path(&self, name: &SecretName) -> PathBuf {
        name.segments().iter().fold(self.folder.clone(), |path, segment| path.join(segment))
    }

    fn write(&self, name: &SecretName, secret: &Secret) -> Result<(), SinkError> {
        own_folder(&self.folder)?;
        let path = self.path(name);
        let mut folder = self.folder.clone();
        for segment in path.strip_prefix(&self.folder).into_iter().flat_map(Path::parent).flatten() {
            folder.push(segment);
            own_folder(&folder)?;
        }
        let draft = folder.join(draft_name().map_err(failed("written", &path))?);
        let written = write_new(&draft, secret.expose().as_bytes())
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| sync_folder(&folder));
        written.map_err(|error| {
            // Where it was renamed there is none.
            let _ = fs::remove_file(&draft);
            failed("written", &path)(error)
        })
    }

    /// Takes a secret's file away, where there is one.
    pub(super) async fn remove(&self, name: &SecretName) -> Result<(), SinkError> {
        let path = self.path(name);
        self.work(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removed", &path)(error)),
            _ => Ok(()),
        })
        .await
    }

    /// Writes a file and takes it away again.
    fn try_out(&self) -> Result<(), SinkError> {
        own_folder(&self.folder)?;
        let draft = self.folder.join(draft_name().map_err(failed("written to", &self.folder))?);
        let tried = write_new(&draft, b"").and_then(|()| fs::remove_file(&draft));
        tried.map_err(failed("written to", &self.folder))
    }
}

impl SecretSink for FileSink {
    fn ready(&self) -> SinkFuture<'_> {
        let sink = self.clone();
        Box::pin(async move { self.work(move || sink.try_out()).await })
    }

    fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
        let (sink, name, secret) = (self.clone(), name.clone(), secret.clone());
        Box::pin(async move { self.work(move || sink.write(&name, &secret)).await })
    }
}

fn failed(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SinkError {
    let path = path.to_owned();
    move |source| SinkError::File { attempt, path, source }
}

/// Makes a folder where there is none, and refuses one that others can look into.
fn own_folder(path: &Path) -> Result<(), SinkError> {
    match make_folder(path) {
        Ok(()) => {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_folder(parent).map_err(failed("written to", parent))?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("created", path)(error)),
    }
    let found = fs::metadata(path).map_err(failed("inspected", path))?;
    if !found.is_dir() {
        return Err(failed("used", path)(io::ErrorKind::NotADirectory.into()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SinkError::Exposed { path: path.to_owned(), mode });
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A name that nothing has: 64 random bits.
fn draft_name() -> io::Result<String> {
    let mut random = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(format!(".{:016x}.draft", u64::from_ne_bytes(random)))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Brings a folder's list of names to the disk. Only unix can open a folder for that.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("auth0-file-sink-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn name(id: &str) -> SecretName {
        SecretName::new("acme.eu.auth0.com", &["clients"], id, &["client_secret"])
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[tokio::test]
    async fn a_secret_lies_alone_in_its_file_and_a_new_one_replaces_it() {
        let folder = Folder::new("replace");
        let sink = FileSink::new(&folder.0);
        sink.ready().await.unwrap();
        for secret in ["first", "second"] {
            sink.put(&name("abc"), &Secret::new(secret)).await.unwrap();
            let path = folder.0.join("acme.eu.auth0.com/clients/abc/client_secret");
            assert_eq!(fs::read_to_string(&path).unwrap(), secret);
            assert_eq!(files(&folder.0), [path], "no draft is left");
        }
        sink.put(&name("../../../x"), &Secret::new("third")).await.unwrap();
        assert_eq!(files(&folder.0).len(), 2, "an id does not lead out of the folder");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn files_and_folders_are_open_to_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new("modes");
        let sink = FileSink::new(&folder.0);
        sink.put(&name("abc"), &Secret::new("s")).await.unwrap();
        let mut path = sink.path(&name("abc"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        while path != folder.0 {
            path.pop();
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        }
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o750)).unwrap();
        for refused in [sink.ready().await, sink.put(&name("abc"), &Secret::new("canary")).await] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("chmod 700") && error.contains("0750"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_write_that_hangs_and_goes_on_later_is_before_the_next_not_over_it() {
        use std::{sync::mpsc, time::Duration};
        let folder = Folder::new("hang");
        let sink = FileSink::new(&folder.0);
        let (go_on, hanging) = mpsc::channel::<()>();
        let (slow, abc) = (sink.clone(), name("abc"));
        let older = sink.work(move || {
            hanging.recv().unwrap();
            slow.write(&abc, &Secret::new("older"))
        });
        let soon = Duration::from_millis(50);
        tokio::time::timeout(soon, older).await.unwrap_err();
        tokio::time::timeout(soon, sink.ready()).await.unwrap_err();
        tokio::time::timeout(soon, sink.put(&name("abc"), &Secret::new("newer"))).await.unwrap_err();
        go_on.send(()).unwrap();
        sink.put(&name("abc"), &Secret::new("newer")).await.unwrap();
        assert_eq!(fs::read_to_string(sink.path(&name("abc"))).unwrap(), "newer");
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_to_is_found_out_beforehand() {
        let folder = Folder::new("blocked");
        fs::write(&folder.0, "a file").unwrap();
        let error = FileSink::new(&folder.0).ready().await.unwrap_err();
        assert!(matches!(error, SinkError::File { .. }), "{error}");
        let error = FileSink::new(folder.0.join("below")).ready().await.unwrap_err();
        assert!(matches!(error, SinkError::File { attempt: "created", .. }), "{error}");
        fs::remove_file(&folder.0).unwrap();
    }
}
