//! Sending through a mail server, over a few connections that are kept.

use super::{
    Accepted, SendError, TransportError,
    session::{Server, Session},
    tls,
};
use crate::{
    base::config::{self, Tls},
    mail::Email,
};
use futures_util::future::join_all;
use lettre::transport::smtp::authentication::Credentials;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Idle connections that are kept at most: as many as the daemon's deliveries under backend.
const MAX_IDLE: usize = 8;
/// How long one is kept idle.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Smtp {
    server: Server,
    password: SecretString,
    idle: Arc<Mutex<Vec<Idle>>>,
}

struct Idle {
    session: Session,
    since: Instant,
}

impl Smtp {
    pub(super) fn new(smtp: &config::Smtp) -> Result<Self, TransportError> {
        let host = smtp.host.trim_matches(['[', ']']).to_owned();
        if smtp.tls == Tls::None && !config::is_loopback_host(&host) {
            return Err(TransportError::Unprotected { host });
        }
        let name =
            ServerName::try_from(host.clone()).map_err(|_| TransportError::Host { host: host.clone() })?;
        let connector = (smtp.tls != Tls::None).then(|| tls::connector(&smtp.ca_file)).transpose()?;
        let credentials = (!smtp.username.is_empty())
            .then(|| Credentials::new(smtp.username.clone(), smtp.password.expose_secret().to_owned()));
        let helo_name = smtp.helo_name.clone();
        let server = Server { host, port: smtp.port, tls: smtp.tls, name, connector, credentials, helo_name };
        Ok(Self { server, password: smtp.password.clone(), idle: Arc::default() })
    }

    pub(super) async fn send(&self, mail: &Email) -> Result<Accepted, SendError> {
        let kept = self.checkout().await;
        let was_kept = kept.is_some();
        let mut session = match kept {
            Some(session) => session,
            None => self.open().await?,
        };
        let mut sent = session.send(mail).await;
        // Many servers take only so many mails over one connection.
        if was_kept && sent.as_ref().is_err_and(SendError::is_about_the_connection) {
            session = self.open().await?;
            sent = session.send(mail).await;
        }
        // A refusal leaves the conversation in order, unless the server takes leave with it (421). Anything else does not.
        if sent.as_ref().err().is_none_or(|error| error.code.is_some_and(|code| code != 421)) {
            self.checkin(session);
        }
        sent
    }

    pub(super) async fn probe(&self) -> Result<(), SendError> {
        let mut session = self.open().await?;
        session.noop().await?;
        session.quit().await;
        Ok(())
    }

    async fn open(&self) -> Result<Session, SendError> {
        Session::open(&self.server).await.map_err(|error| error.redacting(self.password.expose_secret()))
    }

    /// Takes leave of the server.
    pub(super) async fn close(&self) {
        let all = std::mem::take(&mut *lock(&self.idle));
        join_all(all.into_iter().map(|kept| kept.session.quit())).await;
    }

    /// A kept connection that still answers.
    async fn checkout(&self) -> Option<Session> {
        while let Some(mut session) = self.take() {
            if session.reset().await {
                return Some(session);
            }
        }
        None
    }

    fn take(&self) -> Option<Session> {
        let kept = lock(&self.idle).pop()?;
        (kept.since.elapsed() < IDLE_TIMEOUT).then_some(kept.session)
    }

    /// Keeps a connection, and takes leave of it when nobody wanted it for a while.
    fn checkin(&self, session: Session) {
        let mut idle = lock(&self.idle);
        if idle.len() >= MAX_IDLE {
            tokio::spawn(session.quit());
            return;
        }
        idle.push(Idle { session, since: Instant::now() });
        let pool = Arc::downgrade(&self.idle);
        tokio::spawn(async move {
            sleep(IDLE_TIMEOUT).await;
            let Some(pool) = pool.upgrade() else { return };
            let stale: Vec<_> =
                lock(&pool).extract_if(.., |kept| kept.since.elapsed() >= IDLE_TIMEOUT).collect();
            for kept in stale {
                kept.session.quit().await;
            }
        });
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> std::sync::MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
