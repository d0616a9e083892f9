//! `/u/{token}`: how a member stops the mails, and has them again. A mail program may post there by itself (RFC 8058).

use super::PublicState;
use super::answer::Reader;
use crate::domain::{LinkToken, TokenHash};
use crate::store::{Mailing, StoreError};
use crate::web::pages::Page;
use axum::extract::{Path, State};
use axum::response::Response;

pub(super) async fn look(State(state): State<PublicState>, Path(token): Path<String>) -> Response {
    state.mailing(&token, async |_| Ok(()), false).await
}

/// Whatever the body says: that the token was posted to is what counts, and how mail programs and pages write a form
/// is not.
pub(super) async fn stop(State(state): State<PublicState>, Path(token): Path<String>) -> Response {
    state.mailing(&token, async |hash| state.set_mailing(hash, false).await, false).await
}

/// Takes back what the member has said, and nothing that the operator has.
pub(super) async fn resume(State(state): State<PublicState>, Path(token): Path<String>) -> Response {
    state.mailing(&token, async |hash| state.set_mailing(hash, true).await, true).await
}

impl PublicState {
    async fn set_mailing(&self, hash: TokenHash, wanted: bool) -> Result<(), StoreError> {
        let changed = self.store.set_mailing(hash, wanted, self.clock.now()).await?;
        if changed && let Some(Mailing { member_id, .. }) = self.store.mailing(hash).await? {
            let now = if wanted { "wants mails again" } else { "wants no more mails" };
            tracing::info!(member = %member_id, now, "a member has said whether they want mails");
        }
        Ok(())
    }

    /// Does something, and shows how it stands then.
    async fn mailing(
        &self,
        token: &str,
        act: impl AsyncFnOnce(TokenHash) -> Result<(), StoreError>,
        resumed: bool,
    ) -> Response {
        let hash = LinkToken::new(token).hash();
        let acted = async {
            act(hash).await?;
            self.store.mailing(hash).await
        };
        let (page, locale) = match acted.await {
            Err(error) => return self.failed(&error),
            Ok(None) => (Page::Unknown, None),
            Ok(Some(mailing)) => (page(&mailing, resumed), mailing.locale),
        };
        self.page(&Reader { locale, base: format!("{}/u/{token}", self.prefix) }, &page)
    }
}

fn page(mailing: &Mailing, resumed: bool) -> Page {
    match mailing {
        Mailing { unsubscribed: false, by_operator: false, .. } if resumed => Page::Resubscribed,
        Mailing { unsubscribed: false, by_operator: false, .. } => Page::Unsubscribe,
        // Only what would help is offered.
        Mailing { by_operator, .. } => Page::Unsubscribed { can_resume: !by_operator },
    }
}
