//! Sends through a mail server, over a small pool of connections.

use super::{
    error::{Accepted, SendError},
    session::{Server, Session},
    setup_error::TransportError,
    tls,
};
use crate::{
    base::config::{self, Tls},
    mail::message::Email,
};
use futures_util::future::join_all;
use lettre::transport::smtp::authentication::Credentials;
use secrecy::{ExposeSecret, SecretString};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Sessions that stay open between emails: one for each concurrent delivery.
const MAX_IDLE: usize = 8;
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
        if !smtp.is_protected() {
            return Err(TransportError::Unprotected { host });
        }
        let Some(name) = smtp.server_name() else { return Err(TransportError::Host { host }) };
        let connector = (smtp.tls != Tls::None).then(|| tls::connector(&smtp.ca_file)).transpose()?;
        let credentials = (!smtp.username.is_empty())
            .then(|| Credentials::new(smtp.username.clone(), smtp.password.expose_secret().to_owned()));
        let helo_name = smtp.helo_name.clone();
        let server = Server { host, port: smtp.port, tls: smtp.tls, name, connector, credentials, helo_name };
        Ok(Self { server, password: smtp.password.clone(), idle: Arc::default() })
    }

    pub(super) async fn send(&self, mail: &Email) -> Result<Accepted, SendError> {
        let idle_session = self.checkout().await;
        let is_reused = idle_session.is_some();
        let mut session = match idle_session {
            Some(session) => session,
            None => self.open().await?,
        };
        let mut sent = session.send(mail).await;
        // Many servers limit the emails per connection.
        if is_reused && sent.as_ref().is_err_and(SendError::is_about_the_connection) {
            session = self.open().await?;
            sent = session.send(mail).await;
        }
        // A connection is reusable after a rejection, except after 421, which closes it.
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

    pub(super) async fn close(&self) {
        let all = std::mem::take(&mut *lock(&self.idle));
        join_all(all.into_iter().map(|idle_session| idle_session.session.quit())).await;
    }

    /// An idle connection that still responds.
    async fn checkout(&self) -> Option<Session> {
        while let Some(mut session) = self.take() {
            if session.reset().await {
                return Some(session);
            }
        }
        None
    }

    fn take(&self) -> Option<Session> {
        let idle_session = lock(&self.idle).pop()?;
        (idle_session.since.elapsed() < IDLE_TIMEOUT).then_some(idle_session.session)
    }

    /// Returns a connection to the pool, and closes it when it stays idle.
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
            let stale: Vec<_> = lock(&pool)
                .extract_if(.., |idle_session| idle_session.since.elapsed() >= IDLE_TIMEOUT)
                .collect();
            for idle_session in stale {
                idle_session.session.quit().await;
            }
        });
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> std::sync::MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
