//! How mails leave: to a mail server, into a directory, or to standard output.

mod error;
mod file;
mod replies;
mod session;
mod smtp;
mod tls;
mod wire;

pub use error::{Accepted, SendError, Stage, Verdict};

use super::Mail;
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
    way: Way,
    limit: Option<DefaultDirectRateLimiter>,
}

enum Way {
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
        let way = match email.transport {
            TransportKind::Smtp => Way::Smtp(Box::new(smtp::Smtp::new(&email.smtp)?)),
            TransportKind::File => Way::File(email.directory.clone()),
            TransportKind::Stdout => Way::Stdout,
        };
        // Evenly spaced, without bursts, so that no minute holds more than it may. 0: no limit of our own.
        let limit = NonZeroU32::new(email.per_minute)
            .map(|rate| RateLimiter::direct(Quota::per_minute(rate).allow_burst(NonZeroU32::MIN)));
        Ok(Self { way, limit })
    }

    /// Waits until the next mail may be handed over.
    pub(crate) async fn turn(&self) {
        if let Some(limit) = &self.limit {
            limit.until_ready().await;
        }
    }

    /// Hands a mail over at once; see [`Transport::turn`].
    ///
    /// # Errors
    /// With a verdict: what the failure means for this mail.
    pub async fn send(&self, mail: &Mail) -> Result<Accepted, SendError> {
        match &self.way {
            Way::Smtp(smtp) => smtp.send(mail).await,
            Way::File(directory) => file::write(directory, mail).await,
            Way::Stdout => print(mail).await.map_err(SendError::local),
        }
    }

    /// Takes leave of the mail server, as far as connections are kept.
    pub(crate) async fn close(&self) {
        if let Way::Smtp(smtp) = &self.way {
            smtp.close().await;
        }
    }

    /// Whether a mail could be handed over now; sends none. For SMTP: connects, protects, logs in and takes leave.
    ///
    /// # Errors
    /// As for a mail.
    pub(crate) async fn probe(&self) -> Result<(), SendError> {
        match &self.way {
            Way::Smtp(smtp) => smtp.probe().await,
            Way::File(directory) => file::probe(directory).await,
            Way::Stdout => Ok(()),
        }
    }
}

async fn print(mail: &Mail) -> io::Result<Accepted> {
    let mut out = tokio::io::stdout();
    out.write_all(&mail.bytes).await?;
    out.write_all(b"\n").await?;
    out.flush().await?;
    Ok(Accepted { reply: "printed".to_owned() })
}

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
