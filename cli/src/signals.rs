//! The signals that end a command in its own way: what is under way is stopped, and new secrets are brought home.
//!
//! Ctrl-C (SIGINT), a request to terminate (SIGTERM), and a terminal or a connection that is closed (SIGHUP): what is
//! under way when a lid is shut is no less in force.

/// Begins to listen for the signals, and returns a future that waits for one.
pub(crate) fn ended() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(async move {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => {
                        hangup.recv().await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = hung_up => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Whether this process was started to outlive its terminal, as `nohup` does it: by ignoring the signal, which listening
/// for it would undo. Asked once, before the first listening. Elsewhere than on Linux it cannot be told.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    use std::sync::OnceLock;
    static IGNORED: OnceLock<bool> = OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        // A mask in hexadecimal; its lowest bit is that of signal 1.
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    })
}
