//! Service: what an operator does for one member, at the gateway and in what we know of it.
//!
//! Each act is followed by a look at the member's connections, which is taken in like any answer, with the cause
//! `operator`. Cutting and removing are announced to the store before the gateway is asked, so that no notice comes of
//! them however the asking ends.

use crate::base::clock::Clock;
use crate::base::random;
use crate::credentials::{CallError, TokenProvider};
use crate::detect::poll::Poller;
use crate::domain::{
    AccessToken, Cause, Connection, ConnectionId, DisconnectKind, LinkToken, MemberId, NoticeId, Status, Time,
};
use crate::gateway::{DataSource, Establish, Gateway, GatewayError, Verdict};
use crate::store::{Store, StoreError};
use chrono::TimeDelta;

/// Why something was not done, or not seen to be done.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// Nobody of that id is enrolled.
    #[error("there is no member {0}; `reconnectd members list` shows them")]
    NoSuchMember(MemberId),
    /// The gateway does not list it.
    #[error(
        "{member} has no connection {connection}; `reconnectd connections list --member {member}` shows what there is"
    )]
    NoSuchConnection {
        /// Whose.
        member: MemberId,
        /// Which.
        connection: ConnectionId,
    },
    /// It was not done.
    #[error("not done")]
    Refused(#[source] CallError),
    /// Nobody knows whether it was done.
    #[error(
        "no answer, so that it may have been done or not: {error}; `reconnectd connections list --member {member}` shows how it stands"
    )]
    Unclear {
        /// For whom.
        member: MemberId,
        /// What was in the way.
        error: CallError,
    },
    /// It was done.
    #[error("done, but how it stands now cannot be seen until the next sweep")]
    Unseen(#[source] CallError),
    /// The operator asked to leave the member alone.
    #[error("{0} is paused and gets no mail; make a link to hand on instead (--show)")]
    Paused(MemberId),
    /// Their address is suppressed.
    #[error(
        "mails to the address of {0} are suppressed (`reconnectd suppress list`); make a link to hand on instead (--show), or have the address mailed again (`reconnectd suppress remove ADDR`)"
    )]
    Suppressed(MemberId),
    /// The member's connections cannot be seen.
    #[error(transparent)]
    Unanswered(#[from] CallError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Result<T, E = OperateError> = std::result::Result<T, E>;

/// What an operator can do. Cheap to clone.
#[derive(Clone)]
pub struct OperatorActions {
    /// Where it is recorded.
    pub(crate) store: Store,
    /// Takes in what came of it.
    pub(crate) poller: Poller,
    /// To ask as the member.
    pub(crate) access: TokenProvider,
    /// Where it is done.
    pub(crate) gateway: Gateway,
    /// The time.
    pub(crate) clock: Clock,
    /// How long a link lives.
    pub(crate) link_ttl: TimeDelta,
}

impl OperatorActions {
    /// The member's connections now.
    ///
    /// # Errors
    /// When there is no such member, or no usable answer.
    pub async fn connections(&self, member: &MemberId) -> Result<Vec<Connection>> {
        if self.store.member(member).await?.is_none() {
            return Err(OperateError::NoSuchMember(member.clone()));
        }
        Ok(self.poller.poll(member, Cause::Operator).await?.0)
    }

    /// The member's connection to a source as it is now.
    ///
    /// # Errors
    /// Like [`OperatorActions::connections`], and when there is no such connection.
    pub async fn connection(&self, member: &MemberId, id: &ConnectionId) -> Result<Connection> {
        let listed = self.connections(member).await?.into_iter().find(|row| row.id.is_same(id));
        listed
            .ok_or_else(|| OperateError::NoSuchConnection { member: member.clone(), connection: id.clone() })
    }

    /// The member's connection to a source, or, where there is none yet, what one would be like: without a status.
    ///
    /// # Errors
    /// Like [`OperatorActions::connections`], and when the gateway does not know the source.
    pub async fn source(&self, member: &MemberId, id: &ConnectionId) -> Result<Connection> {
        match self.connection(member, id).await {
            Err(OperateError::NoSuchConnection { .. }) => {}
            other => return other,
        }
        let source = self.ask(member, |token| async move { self.gateway.data_source(&token, id).await });
        Ok(not_yet(source.await.map_err(OperateError::Refused)?))
    }

    /// Makes a connection, or makes one anew.
    ///
    /// # Errors
    /// What the gateway says against it.
    pub async fn establish(
        &self,
        member: &MemberId,
        id: &ConnectionId,
        how: &Establish,
    ) -> Result<Connection> {
        let made = self
            .ask(member, |token| async move { self.gateway.establish(&token, id, how.clone()).await })
            .await
            .map_err(|error| unclear(member, error))?;
        self.store.clear_disconnect_intent(member, id).await?;
        Ok(self.look(member, id).await?.unwrap_or(made))
    }

    /// Brings back a direct connection that is DISCONNECTED.
    ///
    /// # Errors
    /// What the gateway says against it.
    pub(crate) async fn activate(&self, member: &MemberId, connection: Connection) -> Result<Connection> {
        let id = &connection.id;
        let status = self
            .ask(member, |token| async move { self.gateway.activate_direct(&token, id).await })
            .await
            .map_err(|error| unclear(member, error))?;
        self.store.clear_disconnect_intent(member, id).await?;
        let row = self.look(member, id).await?;
        Ok(row.unwrap_or(Connection { status, ..connection }))
    }

    async fn look(&self, member: &MemberId, id: &ConnectionId) -> Result<Option<Connection>> {
        let (rows, _) = self.poller.poll(member, Cause::Operator).await.map_err(OperateError::Unseen)?;
        Ok(rows.into_iter().find(|row| row.id.is_same(id)))
    }

    /// Cuts a connection that is listed.
    ///
    /// # Errors
    /// What the gateway says against it.
    pub async fn disconnect(&self, member: &MemberId, connection: Connection) -> Result<Connection> {
        let id = connection.id.clone();
        let cut = |token| {
            let id = &id;
            async move { self.gateway.disconnect(&token, id).await }
        };
        self.part(member, connection, DisconnectKind::Disconnect, cut).await
    }

    /// Removes a connection that is listed, and its data. Its row may linger in the gateway's list.
    ///
    /// # Errors
    /// What the gateway says against it.
    pub(crate) async fn delete(&self, member: &MemberId, connection: Connection) -> Result<Connection> {
        let id = connection.id.clone();
        let remove = |token| {
            let id = &id;
            async move { self.gateway.delete(&token, id).await }
        };
        self.part(member, connection, DisconnectKind::Delete, remove).await
    }

    async fn part<F, Fut>(
        &self,
        member: &MemberId,
        connection: Connection,
        parting: DisconnectKind,
        act: F,
    ) -> Result<Connection>
    where
        F: Fn(AccessToken) -> Fut,
        Fut: Future<Output = std::result::Result<(), GatewayError>>,
    {
        let id = &connection.id;
        let announced = self.store.record_disconnect_intent(member, id, parting, self.clock.now()).await?;
        if let Err(error) = self.ask(member, act).await {
            let error = unclear(member, error);
            if matches!(error, OperateError::Refused(_)) {
                self.store.revert_disconnect_intent(member, &announced, self.clock.now()).await?;
            } else if let Err(error) = self.poller.poll(member, Cause::Operator).await {
                tracing::warn!(%member, connection = %id, %error, "cannot see whether it was done");
            }
            return Err(error);
        }
        let (rows, _) = self.poller.poll(member, Cause::Operator).await.map_err(OperateError::Unseen)?;
        let row = rows.into_iter().find(|row| row.id.is_same(id));
        Ok(row.unwrap_or(Connection { status: Some(Status::Deleted), ..connection }))
    }

    /// A link of ours, to hand on to the member, at which they connect an OAuth source; and when it dies of age.
    ///
    /// # Errors
    /// When the gateway has no way to sign in there.
    pub async fn create_invitation_link(
        &self,
        member: &MemberId,
        source: &Connection,
    ) -> Result<(LinkToken, Time)> {
        self.prove_open(member, source).await?;
        let (token, now) = (random::link_token(), self.clock.now());
        let expires_at = now + self.link_ttl;
        self.store.create_invitation_link(member, source, token.hash(), now, expires_at).await?;
        Ok((token, expires_at))
    }

    /// Queues a mail with such a link.
    ///
    /// # Errors
    /// Likewise, and when the member gets no mail.
    pub(crate) async fn send_invitation(&self, member: &MemberId, source: &Connection) -> Result<NoticeId> {
        let known = self.store.member(member).await?;
        if known.is_none_or(|member| member.paused) {
            return Err(OperateError::Paused(member.clone()));
        }
        if self.store.is_suppressed(member).await? {
            return Err(OperateError::Suppressed(member.clone()));
        }
        self.prove_open(member, source).await?;
        Ok(self.store.queue_invitation(member, source, self.clock.now()).await?)
    }

    /// Fetches the URL that the link will lead to, and forgets it: a refusal is the operator's to read, not the member's.
    async fn prove_open(&self, member: &MemberId, source: &Connection) -> Result<()> {
        let url = |token| async move { self.gateway.oauth_url(&token, &source.id).await.map(drop) };
        self.ask(member, url).await.map_err(OperateError::Refused)
    }

    async fn ask<T, F, Fut>(&self, member: &MemberId, question: F) -> std::result::Result<T, CallError>
    where
        F: Fn(AccessToken) -> Fut,
        Fut: Future<Output = std::result::Result<T, GatewayError>>,
    {
        let credentials = self.access.credentials(member).await?;
        self.access.call_as(member, credentials, question).await
    }
}

/// An act that may have been carried out without our learning it is not a refusal.
fn unclear(member: &MemberId, error: CallError) -> OperateError {
    match &error {
        CallError::Gateway(fault) if matches!(fault.verdict(), Verdict::Retry { .. }) => {
            OperateError::Unclear { member: member.clone(), error }
        }
        _ => OperateError::Refused(error),
    }
}

fn not_yet(source: DataSource) -> Connection {
    let DataSource { id, name, category, source_type, is_direct, integration_type } = source;
    Connection {
        id,
        name,
        category,
        source_type,
        integration_type,
        is_direct,
        status: None,
        sync_status: None,
        sync_errors: Vec::new(),
        last_synced: None,
    }
}
