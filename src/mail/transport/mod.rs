//! Sends emails to a mail server, a directory, or standard output.

mod error;
mod file;
mod normalized_stream;
mod pool;
mod reply_normalizer;
mod server;
mod session;
mod setup_error;
mod smtp;
mod tls;

pub use error::{Accepted, Disposition, SendError, Stage};
pub use setup_error::TransportError;

use super::message::Email;
use crate::base::config::{self, TransportKind};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::{io, num::NonZeroU32, path::PathBuf};
use tokio::io::AsyncWriteExt;

/// Sends emails, at most `email.per_minute`.
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
    /// When the configuration cannot work, or would send emails in the clear.
    pub fn new(email: &config::Email) -> Result<Self, TransportError> {
        let backend = match email.transport {
            TransportKind::Smtp => Backend::Smtp(Box::new(smtp::Smtp::new(&email.smtp, email.connections)?)),
            TransportKind::File => Backend::File(email.directory.clone()),
            TransportKind::Stdout => Backend::Stdout,
        };
        // Without bursts, so that no minute exceeds the limit. 0: no limit.
        let limit = NonZeroU32::new(email.per_minute)
            .map(|rate| RateLimiter::direct(Quota::per_minute(rate).allow_burst(NonZeroU32::MIN)));
        Ok(Self { backend, limit })
    }

    /// Waits until `email.per_minute` allows the next email.
    pub(crate) async fn wait_for_rate_limit(&self) {
        if let Some(limit) = &self.limit {
            limit.until_ready().await;
        }
    }

    /// Sends immediately; see [`Transport::wait_for_rate_limit`].
    ///
    /// # Errors
    /// With a disposition for this email.
    pub async fn send(&self, mail: &Email) -> Result<Accepted, SendError> {
        match &self.backend {
            Backend::Smtp(smtp) => smtp.send(mail).await,
            Backend::File(directory) => file::write(directory, mail).await,
            Backend::Stdout => print(mail).await.map_err(SendError::local),
        }
    }

    /// Closes idle connections to the mail server.
    pub(crate) async fn close(&self) {
        if let Backend::Smtp(smtp) = &self.backend {
            smtp.close().await;
        }
    }

    /// Tests everything but an email itself. For SMTP: connects, starts TLS, logs in, and quits.
    ///
    /// # Errors
    /// As [`Transport::send`].
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

#[cfg(all(test, feature = "sim"))]
mod fake_server;
#[cfg(all(test, feature = "sim"))]
mod session_tests;
#[cfg(all(test, feature = "sim"))]
mod tests;
