//! The simulated mail server: the part of RFC 5321 that a sender needs, with faults that libraries cannot produce.

mod framing;
mod server;
mod session;

pub(super) use server::Server;
pub use server::SmtpTls;

use session::Session;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long to wait before accepting again when the machine refuses a socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`. A panic of a conversation is passed on.
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

/// Handles one connection. A client that disconnects early is not an error.
async fn handle_connection(server: Arc<Server>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
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
