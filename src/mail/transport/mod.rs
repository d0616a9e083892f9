//! How mails leave: to a mail server, into a directory, or to standard output.

mod error;
mod file;
mod normalized_stream;
mod reply_normalizer;
mod session;
mod smtp;
mod tls;

pub use error::{Accepted, Disposition, SendError, Stage};

use super::Email;
use crate::base::config::{self, TransportKind};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::{io, num::NonZeroU32, path::PathBuf};
use tokio::io::AsyncWriteExt;

/// Why the transport cannot be set up: the operator has something to put right.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Mails and passwords would cross a network in the clear.
    #[error("email.smtp.tls = \"none\" is for loopback hosts only, and {host:?} is none")]
    Unprotected {
        /// The configured server.
        host: String,
    },
    /// `email.smtp.host` is no host.
    #[error("email.smtp.host: {host:?} is neither a host name nor an IP address")]
    Host {
        /// As configured.
        host: String,
    },
    /// `email.smtp.ca_file` cannot be read.
    #[error("email.smtp.ca_file: {}: {source}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// `email.smtp.ca_file` holds no PEM certificate.
    #[error("email.smtp.ca_file: {}: no usable PEM certificate in it", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The system's certificates cannot be used.
    #[error("TLS for mail: {0}")]
    Tls(#[from] rustls::Error),
}

/// Sends mails, each when its turn has come, so that there are no more than `email.per_minute`.
pub struct Transport {
    backend: Backend,
    limit: Option<DefaultDirectRateLimiter>,
}

enum Backend {
    Smtp(Box<smtp::Smtp>),
    File(PathBuf),
    Stdout,
}

impl Transport {
    /// Chooses the transport. Opens no connection.
    ///
    /// # Errors
    /// When the configuration cannot work, or would send mail in the clear.
    pub fn new(email: &config::Email) -> Result<Self, TransportError> {
        let backend = match email.transport {
            TransportKind::Smtp => Backend::Smtp(Box::new(smtp::Smtp::new(&email.smtp)?)),
            TransportKind::File => Backend::File(email.directory.clone()),
            TransportKind::Stdout => Backend::Stdout,
        };
        // Evenly spaced, without bursts, so that no minute holds more than it may. 0: no limit of our own.
        let limit = NonZeroU32::new(email.per_minute)
            .map(|rate| RateLimiter::direct(Quota::per_minute(rate).allow_burst(NonZeroU32::MIN)));
        Ok(Self { backend, limit })
    }

    /// Waits until the next mail may be handed over.
    pub(crate) async fn wait_for_rate_limit(&self) {
        if let Some(limit) = &self.limit {
            limit.until_ready().await;
        }
    }

    /// Hands a mail over at once; see [`Transport::wait_for_rate_limit`].
    ///
    /// # Errors
    /// With a disposition: what the failure means for this mail.
    pub async fn send(&self, mail: &Email) -> Result<Accepted, SendError> {
        match &self.backend {
            Backend::Smtp(smtp) => smtp.send(mail).await,
            Backend::File(directory) => file::write(directory, mail).await,
            Backend::Stdout => print(mail).await.map_err(SendError::local),
        }
    }

    /// Takes leave of the mail server, as far as connections are kept.
    pub(crate) async fn close(&self) {
        if let Backend::Smtp(smtp) = &self.backend {
            smtp.close().await;
        }
    }

    /// Whether a mail could be handed over now; sends none. For SMTP: connects, protects, logs in and takes leave.
    ///
    /// # Errors
    /// As for a mail.
    pub(crate) async fn probe(&self) -> Result<(), SendError> {
        match &self.backend {
            Backend::Smtp(smtp) => smtp.probe().await,
            Backend::File(directory) => file::probe(directory).await,
            Backend::Stdout => Ok(()),
        }
    }
}

async fn print(mail: &Email) -> io::Result<Accepted> {
    let mut out = tokio::io::stdout();
    out.write_all(&mail.bytes).await?;
    out.write_all(b"\n").await?;
    out.flush().await?;
    Ok(Accepted { reply: "printed".to_owned() })
}

#[cfg(test)]
mod fake_server;
#[cfg(test)]
mod tests;
