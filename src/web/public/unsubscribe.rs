//! `/u/{token}`: how a member stops the mails, and has them again. A mail program may post there by itself (RFC 8058).

use super::PublicState;
use super::answer::Reader;
use super::asked::Token;
use crate::domain::TokenHash;
use crate::store::{Mailing, StoreError};
use crate::web::pages::Page;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

pub(super) async fn look(state: State<PublicState>, token: Token, headers: HeaderMap) -> Response {
    state.mailing(token, &headers, async |_| Ok(()), false).await
}

/// Whatever the body says: that the token was posted to is what counts, and how mail programs and pages write a form
/// is not.
pub(super) async fn stop(state: State<PublicState>, token: Token, headers: HeaderMap) -> Response {
    state.mailing(token, &headers, async |hash| state.set_mailing(hash, false).await, false).await
}

/// Takes back what the member has said, and nothing that the operator has.
pub(super) async fn resume(state: State<PublicState>, token: Token, headers: HeaderMap) -> Response {
    state.mailing(token, &headers, async |hash| state.set_mailing(hash, true).await, true).await
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
        Token(token): Token,
        headers: &HeaderMap,
        act: impl AsyncFnOnce(TokenHash) -> Result<(), StoreError>,
        resumed: bool,
    ) -> Response {
        let hash = token.hash();
        let acted = async {
            act(hash).await?;
            self.store.mailing(hash).await
        };
        match acted.await {
            Err(error) => self.failed(&error),
            Ok(None) => self.page(&Reader::visitor(headers), &Page::Unknown),
            Ok(Some(mailing)) => {
                let base = format!("{}/u/{}", self.prefix, token.expose());
                self.page(&Reader { locale: mailing.locale.clone(), base }, &page(&mailing, resumed))
            }
        }
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
