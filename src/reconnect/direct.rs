//! The gateway's call that reconnects a direct connection, and the return of the redemption when it fails.

use super::links::LinkService;
use crate::credentials::CallError;
use crate::domain::{Button, ConnectionId, MemberId, Status, TokenHash};
use crate::gateway::Establish;
use crate::store::{Redemption, StoreError};

impl LinkService {
    /// Consumes the redemption, and reconnects, or returns it. Runs in a task of its own: a browser that goes away must not
    /// use the button up for nothing. Returns `false` if the redemption was not consumed.
    pub(super) async fn consume_and_reconnect(
        &self,
        redemption: &Redemption<'_>,
        button: &Button,
    ) -> Result<bool, CallError> {
        let (links, member, button) = (self.clone(), redemption.member.clone(), button.clone());
        let Redemption { link, form_key, form_key_since, at, recheck_at, .. } = *redemption;
        let press = tokio::spawn(async move {
            let (member, connection) = (&member, &button.connection.id);
            let redemption =
                Redemption { link, member, connection, form_key, form_key_since, at, recheck_at };
            if !links.consume(&redemption).await? {
                return Ok(false);
            }
            let result = links.activate(member, &button).await;
            if result.is_err() {
                links.undo(link, connection).await?;
            }
            result.map(|()| true)
        });
        press.await.map_err(CallError::TaskAborted)?
    }

    async fn activate(&self, member: &MemberId, button: &Button) -> Result<(), CallError> {
        let id = &button.gateway_id;
        let is_disconnected = button.connection.status == Some(Status::Disconnected);
        let credentials = self.tokens.credentials(member).await?;
        let call = |token| async move {
            if is_disconnected {
                self.gateway.activate_direct(&token, id).await.map(drop)
            } else {
                self.gateway.establish(&token, id, Establish::Direct).await.map(drop)
            }
        };
        self.tokens.call_as(member, &credentials, call).await
    }

    /// Returns a redemption whose call failed. If the writer is busy, the member gets a response without it, and the button
    /// can be pressed as soon as the writer is free.
    async fn undo(&self, link: TokenHash, connection: &ConnectionId) -> Result<(), StoreError> {
        let result = self.store.undo_redemption(link, connection).await;
        if matches!(result, Err(StoreError::Busy)) {
            let (store, connection) = (self.store.background(), connection.clone());
            tokio::spawn(async move {
                if let Err(error) = store.undo_redemption(link, &connection).await {
                    tracing::error!(
                        event = "redemption_not_returned", connection_id = %connection, %error,
                        "cannot return a redemption that failed"
                    );
                }
            });
        }
        result
    }
}
