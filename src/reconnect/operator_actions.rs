//! Service: an operator's actions for one member, at the gateway and in the store.
//!
//! After each action, the daemon polls the member's connections and applies the response like any other, with the cause
//! `operator`. Before it disconnects or deletes a connection at the gateway, it records the intent, so that no notice
//! results however the request ends.

use crate::base::clock::Clock;
use crate::base::random;
use crate::credentials::{CallError, TokenProvider};
use crate::detect::poll::Poller;
use crate::domain::{
    AccessToken, AuditAction, AuditEntry, Cause, Connection, ConnectionId, DisconnectKind, LinkToken,
    MemberId, NoticeId, Status, Time,
};
use crate::gateway::{Establish, Gateway, GatewayError, Verdict};
use crate::store::{Store, StoreError};
use chrono::TimeDelta;

#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    #[error("there is no member {0}; `reconnectd members list` shows them")]
    NoSuchMember(MemberId),
    #[error(
        "{member} has no connection {connection}; `reconnectd connections list --member {member}` lists the connections"
    )]
    NoSuchConnection { member: MemberId, connection: ConnectionId },
    /// The gateway rejected the request; nothing changed.
    #[error("not done")]
    Refused(#[source] CallError),
    /// The gateway may or may not have carried out the request.
    #[error(
        "no response, so the request may or may not have been carried out: {error}; `reconnectd connections list --member {member}` shows the status"
    )]
    Unclear { member: MemberId, error: CallError },
    /// The gateway carried out the request, but the poll after it failed.
    #[error("done; the new status will be known after the next sweep")]
    DoneButUnverified(#[source] CallError),
    #[error(
        "{0} is paused and receives no email; create a link to hand over instead (--show), or resume the member (`reconnectd members resume {0}`)"
    )]
    Paused(MemberId),
    #[error(
        "the address of {0} is suppressed (`reconnectd suppress list`); create a link to hand over instead (--show), or remove the suppression (`reconnectd suppress remove ADDR`)"
    )]
    Suppressed(MemberId),
    #[error(transparent)]
    ListUnavailable(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Result<T, E = OperateError> = std::result::Result<T, E>;

/// Cheap to clone.
#[derive(Clone)]
pub struct OperatorActions {
    pub(crate) store: Store,
    pub(crate) poller: Poller,
    pub(crate) tokens: TokenProvider,
    pub(crate) gateway: Gateway,
    pub(crate) clock: Clock,
    pub(crate) link_ttl: TimeDelta,
}

impl OperatorActions {
    /// Polls the member's connections.
    pub async fn connections(&self, member: &MemberId) -> Result<Vec<Connection>> {
        if self.store.member(member).await?.is_none() {
            return Err(OperateError::NoSuchMember(member.clone()));
        }
        Ok(self.poller.poll(member, Cause::Operator).await?.0)
    }

    /// Polls one of the member's connections.
    pub async fn connection(&self, member: &MemberId, id: &ConnectionId) -> Result<Connection> {
        let listed = self.connections(member).await?.into_iter().find(|row| row.id.is_same(id));
        listed
            .ok_or_else(|| OperateError::NoSuchConnection { member: member.clone(), connection: id.clone() })
    }

    /// The member's connection to a source. If there is none yet, it has no status.
    pub async fn connection_or_source(&self, member: &MemberId, id: &ConnectionId) -> Result<Connection> {
        match self.connection(member, id).await {
            Err(OperateError::NoSuchConnection { .. }) => {}
            other => return other,
        }
        let source = self.call(member, |token| async move { self.gateway.data_source(&token, id).await });
        source.await.map_err(OperateError::Refused)
    }

    /// Creates or recreates a connection.
    pub async fn establish(
        &self,
        member: &MemberId,
        id: &ConnectionId,
        how: &Establish,
    ) -> Result<Connection> {
        self.audit(AuditAction::ConnectionEstablish, member, id).await?;
        let made = self
            .call(member, |token| async move { self.gateway.establish(&token, id, how.clone()).await })
            .await
            .map_err(|error| classify_error(member, error))?;
        self.store.clear_disconnect_intent(member, id).await?;
        Ok(self.poll_connection(member, id).await?.unwrap_or(made))
    }

    /// Reactivates a direct connection that is DISCONNECTED.
    pub(crate) async fn activate(&self, member: &MemberId, connection: Connection) -> Result<Connection> {
        let id = &connection.id;
        self.audit(AuditAction::ConnectionReconnect, member, id).await?;
        let status = self
            .call(member, |token| async move { self.gateway.activate_direct(&token, id).await })
            .await
            .map_err(|error| classify_error(member, error))?;
        self.store.clear_disconnect_intent(member, id).await?;
        let row = self.poll_connection(member, id).await?;
        Ok(row.unwrap_or(Connection { status, ..connection }))
    }

    async fn poll_connection(&self, member: &MemberId, id: &ConnectionId) -> Result<Option<Connection>> {
        let (rows, _) =
            self.poller.poll(member, Cause::Operator).await.map_err(OperateError::DoneButUnverified)?;
        Ok(rows.into_iter().find(|row| row.id.is_same(id)))
    }

    pub async fn disconnect(&self, member: &MemberId, connection: Connection) -> Result<Connection> {
        let id = connection.id.clone();
        let request = |token| {
            let id = &id;
            async move { self.gateway.disconnect(&token, id).await }
        };
        self.disconnect_with(member, connection, DisconnectKind::Disconnect, request).await
    }

    /// Deletes a connection and its data. The gateway's list can still contain its row for a while.
    pub(crate) async fn delete(&self, member: &MemberId, connection: Connection) -> Result<Connection> {
        let id = connection.id.clone();
        let request = |token| {
            let id = &id;
            async move { self.gateway.delete(&token, id).await }
        };
        self.disconnect_with(member, connection, DisconnectKind::Delete, request).await
    }

    async fn disconnect_with<F, Fut>(
        &self,
        member: &MemberId,
        connection: Connection,
        kind: DisconnectKind,
        request: F,
    ) -> Result<Connection>
    where
        F: Fn(AccessToken) -> Fut,
        Fut: Future<Output = std::result::Result<(), GatewayError>>,
    {
        let id = &connection.id;
        let action = match kind {
            DisconnectKind::Disconnect => AuditAction::ConnectionDisconnect,
            DisconnectKind::Delete => AuditAction::ConnectionDelete,
        };
        self.audit(action, member, id).await?;
        let intent = self.store.record_disconnect_intent(member, id, kind, self.clock.now()).await?;
        if let Err(error) = self.call(member, request).await {
            let error = classify_error(member, error);
            if matches!(error, OperateError::Refused(_)) {
                self.store.revert_disconnect_intent(member, &intent, self.clock.now()).await?;
            } else if let Err(error) = self.poller.poll(member, Cause::Operator).await {
                tracing::warn!(
                    event = "request_not_verified", member_id = %member, connection_id = %id, %error,
                    "cannot verify the result of a request"
                );
            }
            return Err(error);
        }
        let (rows, _) =
            self.poller.poll(member, Cause::Operator).await.map_err(OperateError::DoneButUnverified)?;
        let row = rows.into_iter().find(|row| row.id.is_same(id));
        Ok(row.unwrap_or(Connection { status: Some(Status::Deleted), ..connection }))
    }

    /// Creates a link at which the member connects an OAuth source, for the operator to hand over. Returns its expiry, too.
    pub async fn create_invitation_link(
        &self,
        member: &MemberId,
        connection: &Connection,
    ) -> Result<(LinkToken, Time)> {
        self.verify_oauth_url(member, &connection.id).await?;
        self.audit(AuditAction::ConnectionEstablish, member, &connection.id).await?;
        let (token, now) = (random::link_token(), self.clock.now());
        let expires_at = now + self.link_ttl;
        self.store.create_invitation_link(member, connection, token.hash(), now, expires_at).await?;
        Ok((token, expires_at))
    }

    /// Queues an email with a link at which the member connects an OAuth source.
    pub async fn send_invitation(&self, member: &MemberId, connection: &Connection) -> Result<NoticeId> {
        let known = self.store.member(member).await?;
        if known.is_none_or(|member| member.paused) {
            return Err(OperateError::Paused(member.clone()));
        }
        if self.store.is_suppressed(member).await? {
            return Err(OperateError::Suppressed(member.clone()));
        }
        self.verify_oauth_url(member, &connection.id).await?;
        self.audit(AuditAction::ConnectionEstablish, member, &connection.id).await?;
        Ok(self.store.queue_invitation(member, connection, self.clock.now()).await?)
    }

    /// Before the request, because its result can be unknown.
    async fn audit(&self, action: AuditAction, member: &MemberId, id: &ConnectionId) -> Result<()> {
        let entry = AuditEntry::new(action).about(member).target(id.as_str());
        Ok(self.store.record_audit(entry, self.clock.now()).await?)
    }

    /// Fetches the URL that the link will lead to and discards it, so that the operator sees a refusal, not the member.
    async fn verify_oauth_url(&self, member: &MemberId, id: &ConnectionId) -> Result<()> {
        let url = |token| async move { self.gateway.oauth_url(&token, id).await };
        let url = self.call(member, url).await.map_err(OperateError::Refused)?;
        Ok(self.store.record_sign_in_host(&url, self.clock.now()).await?)
    }

    async fn call<T, F, Fut>(&self, member: &MemberId, request: F) -> std::result::Result<T, CallError>
    where
        F: Fn(AccessToken) -> Fut,
        Fut: Future<Output = std::result::Result<T, GatewayError>>,
    {
        let credentials = self.tokens.credentials(member).await?;
        self.tokens.call_as(member, &credentials, request).await
    }
}

/// A request that may have been carried out is not a refusal.
fn classify_error(member: &MemberId, error: CallError) -> OperateError {
    match &error {
        CallError::Gateway(fault) if matches!(fault.verdict(), Verdict::Retry { .. }) => {
            OperateError::Unclear { member: member.clone(), error }
        }
        _ => OperateError::Refused(error),
    }
}
