//! Sends through a mail server, over a pool of sessions.

use super::{
    error::{Accepted, SendError},
    pool::{Pool, PooledSession},
    server::{Preferred, Server},
    session::Session,
    setup_error::TransportError,
    tls,
};
use crate::{
    base::{
        config::{self, Tls},
        instances::Term,
    },
    mail::message::Email,
};
use lettre::transport::smtp::authentication::Credentials;
use secrecy::{ExposeSecret, SecretString};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long an email waits for a session while the server refuses another one.
const MAX_WAIT: Duration = Duration::from_secs(2 * 60);

pub(super) struct Smtp {
    pub(super) server: Server,
    password: SecretString,
    pool: Arc<Pool>,
}

impl Smtp {
    pub(super) fn new(smtp: &config::Smtp, connections: usize) -> Result<Self, TransportError> {
        let host = smtp.host.trim_matches(['[', ']']).to_owned();
        if !smtp.is_protected() {
            return Err(TransportError::Unprotected { host });
        }
        let Some(name) = smtp.server_name() else { return Err(TransportError::Host { host }) };
        let connector = (smtp.tls != Tls::None).then(|| tls::connector(&smtp.ca_file)).transpose()?;
        let credentials = (!smtp.username.is_empty())
            .then(|| Credentials::new(smtp.username.clone(), smtp.password.expose_secret().to_owned()));
        let server = Server {
            host,
            port: smtp.port,
            tls: smtp.tls,
            name,
            connector,
            credentials,
            helo_name: smtp.helo_name.clone(),
            preferred: Preferred::default(),
        };
        Ok(Self { server, password: smtp.password.clone(), pool: Pool::new(connections) })
    }

    pub(super) async fn send(&self, mail: &Email, term: &Term) -> Result<Accepted, SendError> {
        let (mut pooled, is_reused) = self.session().await?;
        let mut sent = pooled.session.send(mail, term).await;
        // Many servers limit the emails per session. Only a fresh session tells whether this email is at fault.
        if let Err(error) = &sent
            && ((is_reused && error.is_about_the_connection())
                || (pooled.session.has_accepted() && error.may_be_a_session_limit()))
        {
            let PooledSession { session, slot } = pooled;
            session.quit().await;
            pooled = PooledSession { session: self.open().await?, slot };
            sent = pooled.session.send(mail, term).await;
        }
        // A session is reusable after a rejection, except after 421, which closes it.
        if sent.as_ref().err().is_none_or(|error| error.code.is_some_and(|code| code != 421)) {
            self.pool.put(pooled);
        }
        sent
    }

    pub(super) async fn probe(&self) -> Result<(), SendError> {
        let mut session = self.open().await?;
        session.noop().await?;
        session.quit().await;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn open(&self) -> Result<Session, SendError> {
        Session::open(&self.server).await.map_err(|error| error.redacting(self.password.expose_secret()))
    }

    /// A session, and whether it was used before. While the server refuses another session but has others open, the
    /// email waits for one of them.
    async fn session(&self) -> Result<(PooledSession, bool), SendError> {
        let give_up_at = Instant::now() + MAX_WAIT;
        loop {
            if let Some(idle) = self.idle().await {
                return Ok((idle, true));
            }
            let may_wait = Instant::now() < give_up_at;
            match self.pool.reserve() {
                Some(slot) => match self.open().await {
                    Ok(session) => return Ok((PooledSession { session, slot }, false)),
                    Err(error) if error.is_refused_session() && self.pool.refused(slot) && may_wait => {}
                    Err(error) => return Err(error),
                },
                None if may_wait => {}
                None => return Err(SendError::no_session()),
            }
            self.pool.wait(give_up_at - Instant::now()).await;
        }
    }

    /// An idle session that still responds.
    async fn idle(&self) -> Option<PooledSession> {
        while let Some(mut pooled) = self.pool.take() {
            if pooled.session.reset().await {
                return Some(pooled);
            }
        }
        None
    }
}
