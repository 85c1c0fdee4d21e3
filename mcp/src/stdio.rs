//! One client, which started this process: messages on stdin and stdout, a line each. Nothing else may be printed there.

use std::{future::Future, io::IsTerminal as _, pin::pin, sync::Arc};

use rmcp::{ServiceExt as _, service::ServerInitializeError, transport::stdio_pipes};

use super::{notice::notice, server::Server, session::Session};

/// Serves until the client closes stdin, or until `stop`. Calls that are under way then have some seconds to end where the
/// client has gone; they are stopped where the process is told to.
///
/// # Errors
///
/// Where the client does not begin as the protocol says.
pub async fn serve(server: Arc<Server>, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut stop = pin!(stop);
    if std::io::stdin().is_terminal() {
        notice(format_args!(
            "Speaking MCP on stdin and stdout, for a client that starts this command; Ctrl-C ends it."
        ));
    }
    let tenant = server.tenant().clone();
    let begun = tokio::select! {
        begun = Session::new(server).serve(stdio_pipes()) => begun,
        () = &mut stop => return Ok(()),
    };
    let session = match begun {
        Ok(session) => session,
        // It went away before it said anything.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(anyhow::Error::new(error).context("the client did not begin a session")),
    };
    let cancel = session.cancellation_token();
    let mut session = pin!(session.waiting());
    let ended = tokio::select! {
        ended = &mut session => ended,
        () = &mut stop => {
            // First, so that what is under way is answered before the session ends.
            tenant.close().await;
            cancel.cancel();
            session.await
        }
    };
    ended?;
    Ok(())
}
