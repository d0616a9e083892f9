//! The simulated mail server: RFC 5321 as far as a sender needs it, with the faults that libraries cannot be
//! told to have.

mod framing;
mod session;

use super::mailbox::Mailbox;
use crate::base::clock::Clock;
use rustls::ServerConfig;
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

/// How the simulated mail server speaks TLS.
#[derive(Clone, Debug, Default)]
pub enum SmtpTls {
    /// Not at all.
    #[default]
    None,
    /// When the client asks for it.
    StartTls(Arc<ServerConfig>),
    /// From the first byte.
    Implicit(Arc<ServerConfig>),
}

/// What each conversation needs.
pub(super) struct Server {
    pub(super) mailbox: Mailbox,
    pub(super) clock: Clock,
    pub(super) tls: SmtpTls,
    /// The only user name and password that are good; without it any are, and none are needed.
    pub(super) credentials: Option<(String, String)>,
}

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
                    conversations.spawn(converse(Arc::clone(&server), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulated mail server could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    conversations.shutdown().await;
}

/// One connection, from greeting to end. That a client goes away is no one's error.
async fn converse(server: Arc<Server>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let ended = match &server.tls {
        SmtpTls::Implicit(config) => match TlsAcceptor::from(Arc::clone(config)).accept(stream).await {
            Ok(stream) => Session::new(&server, Box::new(stream), true).run().await,
            Err(error) => Err(error),
        },
        _ => Session::new(&server, Box::new(stream), false).run().await,
    };
    if let Err(error) = ended {
        tracing::debug!(kind = %error.kind(), "a conversation with the simulated mail server broke off");
    }
}
