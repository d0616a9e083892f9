//! The gateway's call that reconnects a direct connection, and the return of the redemption when it fails.

use super::links::LinkService;
use crate::credentials::CallError;
use crate::domain::{Button, ConnectionId, MemberId, Status, TokenHash};
use crate::gateway::Establish;
use crate::store::StoreError;

impl LinkService {
    /// Reconnects, or returns the redemption. Runs in a task of its own: a browser that goes away must not prevent that.
    pub(super) async fn reconnect_or_undo(
        &self,
        link: TokenHash,
        member: &MemberId,
        button: &Button,
    ) -> Result<(), CallError> {
        let (links, member, button) = (self.clone(), member.clone(), button.clone());
        let call = tokio::spawn(async move {
            let result = links.activate(&member, &button).await;
            if result.is_err() {
                links.undo(link, &button.connection.id).await?;
            }
            result
        });
        call.await.map_err(CallError::TaskAborted)?
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
