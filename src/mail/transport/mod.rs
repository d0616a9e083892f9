//! Sends emails to a mail server, a directory, or standard output.

mod bad_address;
mod error;
mod file;
#[cfg(test)]
mod fuzz_tests;
mod normalized_stream;
mod pool;
mod reply_normalizer;
mod server;
mod session;
mod setup_error;
mod smtp;
mod tls;

pub(crate) use bad_address::BadAddress;
pub use error::{Accepted, Disposition, SendError, Stage};
pub use setup_error::TransportError;

use super::message::Email;
use crate::base::{
    config::{self, TransportKind},
    instances::{Instances, Term},
    shared_rate::SharedRate,
};
use std::{io, path::PathBuf, time::Duration};
use tokio::io::AsyncWriteExt;

/// Sends emails, at most `email.per_minute` from all instances together.
pub struct Transport {
    backend: Backend,
    limit: Option<SharedRate>,
    instances: Instances,
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
    pub fn new(email: &config::Email, instances: &Instances) -> Result<Self, TransportError> {
        let backend = match email.transport {
            TransportKind::Smtp => Backend::Smtp(Box::new(smtp::Smtp::new(&email.smtp, email.connections)?)),
            TransportKind::File => Backend::File(email.directory.clone()),
            TransportKind::Stdout => Backend::Stdout,
        };
        // 0: no limit.
        let period = Duration::from_secs(60).checked_div(email.per_minute);
        let limit = period.map(|period| SharedRate::new(period, instances));
        Ok(Self { backend, limit, instances: instances.clone() })
    }

    /// Waits until `email.per_minute` allows the next email.
    pub(crate) async fn wait_for_rate_limit(&self) {
        if let Some(limit) = &self.limit {
            limit.wait().await;
        }
    }

    /// Sends immediately; see [`Transport::wait_for_rate_limit`].
    ///
    /// # Errors
    /// With a disposition for this email.
    pub async fn send(&self, mail: &Email) -> Result<Accepted, SendError> {
        self.send_within(&self.instances.term(), mail).await
    }

    /// Sends an email that was claimed in `term`.
    ///
    /// # Errors
    /// With a disposition for this email. After the term, others may have sent it.
    pub(crate) async fn send_within(&self, term: &Term, mail: &Email) -> Result<Accepted, SendError> {
        term.may_send().map_err(SendError::obstacle)?;
        match &self.backend {
            Backend::Smtp(smtp) => smtp.send(mail, term).await,
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
