//! The simulated mail server: the part of RFC 5321 that a sender needs, with faults that libraries cannot produce.

mod framing;
mod script;
mod server;
mod session;

pub use script::{DISCONNECT, SmtpRecord, SmtpScript};
pub(super) use server::Server;
pub use server::SmtpTls;

#[cfg(test)]
use super::mailbox::Mailbox;
#[cfg(test)]
use crate::base::clock::Clock;
use session::Session;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long to wait after the system refused a socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`. Propagates a panic of a conversation.
pub(super) async fn serve(listener: TcpListener, server: Arc<Server>, stop: CancellationToken) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = conversations.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    conversations.spawn(handle_connection(Arc::clone(&server), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulated mail server cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    conversations.shutdown().await;
}

/// Serves under a script, until the task is dropped. The emails are in the script's record only.
#[cfg(test)]
pub(crate) async fn serve_smtp(listener: TcpListener, clock: Clock, tls: SmtpTls, script: Arc<SmtpScript>) {
    let server = Server { mailbox: Mailbox::new(), clock, tls, credentials: None, script: Some(script) };
    serve(listener, Arc::new(server), CancellationToken::new()).await;
}

/// Handles one connection. A client that disconnects early is not an error.
async fn handle_connection(server: Arc<Server>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    if let Some(script) = &server.script {
        script.record().connections += 1;
    }
    let ended = match &server.tls {
        SmtpTls::Implicit(config) => match TlsAcceptor::from(Arc::clone(config)).accept(stream).await {
            Ok(stream) => Session::new(&server, Box::new(stream), true).run().await,
            Err(error) => Err(error),
        },
        _ => Session::new(&server, Box::new(stream), false).run().await,
    };
    if let Err(error) = ended {
        tracing::debug!(kind = %error.kind(), "a connection to the simulated mail server broke");
    }
}
