//! `/u/{token}`: a member unsubscribes and resubscribes. Email programs post there without the member (RFC 8058).

use super::extract::PathToken;
use super::response::PageContext;
use super::state::PublicState;
use crate::domain::TokenHash;
use crate::store::{StoreError, Subscription};
use crate::web::pages::Page;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

pub(super) async fn view(state: State<PublicState>, token: PathToken, headers: HeaderMap) -> Response {
    state.subscription_page(token, &headers, async |_| Ok(()), false).await
}

/// Ignores the body: email programs and pages encode the form differently.
pub(super) async fn unsubscribe(state: State<PublicState>, token: PathToken, headers: HeaderMap) -> Response {
    let act = async |hash| state.set_subscribed(hash, false).await;
    state.subscription_page(token, &headers, act, false).await
}

/// Does not lift a suppression for another reason.
pub(super) async fn resubscribe(state: State<PublicState>, token: PathToken, headers: HeaderMap) -> Response {
    let act = async |hash| state.set_subscribed(hash, true).await;
    state.subscription_page(token, &headers, act, true).await
}

impl PublicState {
    async fn set_subscribed(&self, hash: TokenHash, subscribed: bool) -> Result<(), StoreError> {
        let is_changed = self.store.set_subscribed(hash, subscribed, self.clock.now()).await?;
        if is_changed
            && let Some(Subscription { member_id, .. }) =
                self.store.subscription(hash, self.clock.now()).await?
        {
            if subscribed {
                tracing::info!(event = "member_resubscribed", member_id = %member_id, "member resubscribed");
            } else {
                tracing::info!(event = "member_unsubscribed", member_id = %member_id, "member unsubscribed");
            }
        }
        Ok(())
    }

    /// Acts, then shows the subscription.
    async fn subscription_page(
        &self,
        PathToken(token): PathToken,
        headers: &HeaderMap,
        act: impl AsyncFnOnce(TokenHash) -> Result<(), StoreError>,
        resubscribed: bool,
    ) -> Response {
        let hash = token.hash();
        let acted = act(hash).await;
        let base = format!("{}/u/{}", self.prefix, token.expose());
        match (acted, self.store.subscription(hash, self.clock.now()).await) {
            (_, Err(error)) => self.failed(&error),
            (Ok(()), Ok(None)) => self.page(&self.browser_context(headers), &Page::LinkNotFound),
            (Ok(()), Ok(Some(subscription))) => {
                let context = PageContext { locale: subscription.locale.clone(), base, form_key: None };
                self.page(&context, &page(&subscription, resubscribed))
            }
            (Err(error), Ok(subscription)) => {
                let context = match subscription {
                    Some(subscription) => PageContext { locale: subscription.locale, base, form_key: None },
                    None => PageContext { base, ..self.browser_context(headers) },
                };
                self.press_failed(&error, &context)
            }
        }
    }
}

fn page(subscription: &Subscription, resubscribed: bool) -> Page {
    match subscription {
        Subscription { removed: true, .. } => Page::Unsubscribed { can_resubscribe: false },
        Subscription { unsubscribed: false, is_suppressed_otherwise: false, .. } if resubscribed => {
            Page::Resubscribed
        }
        Subscription { unsubscribed: false, is_suppressed_otherwise: false, .. } => Page::Unsubscribe,
        Subscription { is_suppressed_otherwise, .. } => {
            Page::Unsubscribed { can_resubscribe: !is_suppressed_otherwise }
        }
    }
}
