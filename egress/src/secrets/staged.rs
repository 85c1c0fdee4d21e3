//! A sink with a last resort that is written first.
//!
//! A new secret is in force before anybody has it. While a vault is asked, which may take a minute, the only copy would be
//! in this process's memory, and a process can be killed. So the copy is on the disk before the vault is asked, and goes
//! when the vault has it.

use super::{FileSink, SecretName, SecretSink, SinkFuture};
use crate::secret::Secret;

/// Puts each secret into files first, then into another sink, and removes the file when that sink has it. What ends the
/// process in between leaves the secret in its file.
///
/// ```
/// # use auth0_egress::secrets::{CommandSink, FileSink, StagedSink};
/// let vault = CommandSink::new("/usr/local/bin/put-secret");
/// let sink = StagedSink::new(FileSink::new("/var/lib/engine/undelivered"), vault);
/// ```
#[derive(Clone, Debug)]
pub struct StagedSink<S> {
    stage: FileSink,
    sink: S,
}

impl<S: SecretSink> StagedSink<S> {
    /// Names the files, and the sink that is to have the secrets.
    pub fn new(stage: FileSink, sink: S) -> Self {
        Self { stage, sink }
    }
}

impl<S: SecretSink> SecretSink for StagedSink<S> {
    fn ready(&self) -> SinkFuture<'_> {
        Box::pin(async move {
            self.stage.ready().await?;
            self.sink.ready().await
        })
    }

    fn put<'a>(&'a self, name: &'a SecretName, secret: &'a Secret) -> SinkFuture<'a> {
        Box::pin(async move {
            self.stage.put(name, secret).await?;
            self.sink.put(name, secret).await?;
            if let Err(error) = self.stage.remove(name).await {
                // The sink has it; a copy that stays is for its owner's eyes only, and is replaced by the next one.
                tracing::warn!(target: "auth0_host", %error, "the copy of a secret that was delivered stays");
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::PathBuf,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::secrets::SinkError;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("auth0-staged-sink-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn name() -> SecretName {
        SecretName::new("acme.eu.auth0.com", &["clients"], "abc", &["client_secret"])
    }

    /// Looks at the file while it is given the secret.
    #[derive(Clone)]
    struct Vault {
        file: PathBuf,
        seen: Arc<Mutex<Vec<String>>>,
        works: bool,
    }

    impl SecretSink for Vault {
        fn put<'a>(&'a self, _: &'a SecretName, _: &'a Secret) -> SinkFuture<'a> {
            Box::pin(async move {
                self.seen.lock().unwrap().push(fs::read_to_string(&self.file).unwrap());
                if self.works { Ok(()) } else { Err(SinkError::engine("the vault is sealed")) }
            })
        }
    }

    #[tokio::test]
    async fn the_last_resort_has_a_secret_before_the_sink_is_asked_and_until_the_sink_has_it() {
        for works in [true, false] {
            let folder = Folder::new(if works { "works" } else { "sealed" });
            let stage = FileSink::new(&folder.0);
            let file = stage.path(&name());
            let vault = Vault { file: file.clone(), seen: Arc::default(), works };
            let sink = StagedSink::new(stage, vault.clone());
            sink.ready().await.unwrap();
            assert_eq!(sink.put(&name(), &Secret::new("new")).await.is_ok(), works);
            assert_eq!(*vault.seen.lock().unwrap(), ["new"]);
            assert_eq!(fs::read_to_string(&file).ok(), (!works).then(|| "new".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_secret_whose_delivery_is_broken_off_is_in_its_file() {
        struct Hanging;
        impl SecretSink for Hanging {
            fn put<'a>(&'a self, _: &'a SecretName, _: &'a Secret) -> SinkFuture<'a> {
                Box::pin(std::future::pending())
            }
        }
        let folder = Folder::new("hanging");
        let stage = FileSink::new(&folder.0);
        let file = stage.path(&name());
        let sink = StagedSink::new(stage, Hanging);
        let (name, secret) = (name(), Secret::new("new"));
        let mut put = sink.put(&name, &secret);
        // Until it waits for the sink.
        while !file.exists() {
            assert!(futures_poll(&mut put).await.is_none());
        }
        drop(put);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    /// Polls once, after other tasks had their turn.
    async fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        tokio::task::yield_now().await;
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(done) => Some(done),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test]
    async fn no_secret_is_made_where_the_last_resort_cannot_be_written() {
        let folder = Folder::new("blocked");
        fs::write(&folder.0, "a file").unwrap();
        let vault = Vault { file: folder.0.clone(), seen: Arc::default(), works: true };
        let sink = StagedSink::new(FileSink::new(folder.0.join("below")), vault.clone());
        assert!(sink.ready().await.is_err());
        assert!(sink.put(&name(), &Secret::new("new")).await.is_err());
        assert!(vault.seen.lock().unwrap().is_empty());
        fs::remove_file(&folder.0).unwrap();
    }
}
