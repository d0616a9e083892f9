//! `/r/{token}`, the paths below it, and `/oauth/return`.

use super::extract::{PathToken, Press, request_signals};
use super::response::{PageContext, browser_proof};
use super::state::PublicState;
use crate::domain::{LinkAction, LinkToken};
use crate::reconnect::links::LinkPage;
use crate::reconnect::redeem::{RedemptionOutcome, RedemptionRequest, RedemptionResult};
use crate::reconnect::resume::BrowserProof;
use crate::reconnect::state::LinkState;
use crate::store::{ResendOutcome, StoreError};
use crate::web::pages::Page;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

/// `GET` and `HEAD`.
pub(super) async fn view(
    State(state): State<PublicState>,
    PathToken(token): PathToken,
    method: Method,
    headers: HeaderMap,
) -> Response {
    state.request_recorder.record(token.hash(), LinkAction::View, request_signals(&method, &headers));
    state.show_link(&token, &headers).await
}

pub(super) async fn redeem(
    State(state): State<PublicState>,
    PathToken(token): PathToken,
    method: Method,
    headers: HeaderMap,
    press: Result<Press, Response>,
) -> Result<Response, Response> {
    let signals = request_signals(&method, &headers);
    state.request_recorder.record(token.hash(), LinkAction::Press, signals);
    let press = press?;
    let proof = browser_proof(&headers, Some(press.form_key.hash()));
    let request = RedemptionRequest {
        link: token.hash(),
        connection: press.connection.as_ref(),
        proof: &proof,
        confirmation: press.confirmation.as_deref(),
        signals,
    };
    Ok(match state.links.redeem(&request).await {
        Ok(result) => state.redemption_page(result, &token, &headers),
        Err(error) => state.link_press_failed(&error, &token, &headers).await,
    })
}

impl PublicState {
    fn redemption_page(&self, result: RedemptionResult, token: &LinkToken, headers: &HeaderMap) -> Response {
        let RedemptionResult { outcome, locale, unsubscribed } = result;
        let context = self.link_context(token, locale.clone());
        let link_page = |state, context| {
            self.link_page(LinkPage { state, locale: locale.clone(), unsubscribed }, context, headers)
        };
        match outcome {
            RedemptionOutcome::Redirect { url, resume } => {
                self.redirect_to_source(&context, &url, resume.as_ref())
            }
            RedemptionOutcome::Reconnected { has_more: true } => self.redirect_back(&context.base),
            RedemptionOutcome::Reconnected { has_more: false } => {
                self.page(&context, &Page::OauthReturn { success: true })
            }
            RedemptionOutcome::NeedsConfirmation { connection, token } => {
                self.page(&context, &Page::ConfirmDirect { connection, token })
            }
            RedemptionOutcome::NeedsApp => self.page(&context, &Page::NeedsApp),
            RedemptionOutcome::Refused(state) => link_page(state, context),
            RedemptionOutcome::AlreadyUsed(buttons) => {
                let mut response = link_page(LinkState::Ready(buttons), context);
                *response.status_mut() = StatusCode::GONE;
                response
            }
            RedemptionOutcome::TooManyPresses(wait) => {
                let mut response = self.page(&context, &Page::TooManyRequests);
                let seconds = wait.as_millis().div_ceil(1000) as u64;
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            RedemptionOutcome::RetryLater(wait) => self.retry_later(&context, wait),
            RedemptionOutcome::Unavailable => self.page(&context, &Page::RepairUnavailable),
        }
    }

    async fn resend_page(
        &self,
        result: Result<(ResendOutcome, LinkPage), StoreError>,
        token: &LinkToken,
        headers: &HeaderMap,
    ) -> Response {
        let (outcome, link_page) = match result {
            Ok(result) => result,
            Err(error) => return self.link_press_failed(&error, token, headers).await,
        };
        let context = self.link_context(token, link_page.locale.clone());
        let page = match outcome {
            ResendOutcome::Queued(_) => Page::ResendRequested,
            ResendOutcome::OnItsWay => Page::EmailOnItsWay,
            ResendOutcome::Unavailable => Page::ResendUnavailable,
            ResendOutcome::NothingOpen | ResendOutcome::Unsubscribed => {
                return self.link_page(link_page, context, headers);
            }
        };
        self.page(&context, &page)
    }

    /// After a member's choice about the emails that are to come.
    async fn chosen_page(
        &self,
        result: Result<LinkPage, StoreError>,
        token: &LinkToken,
        headers: &HeaderMap,
    ) -> Response {
        match result {
            Ok(page) => match Page::of_link(page.state.clone(), page.unsubscribed) {
                // There are still buttons to press.
                Page::Ready { .. } => self.redirect_back(&self.base(token)),
                _ => self.link_page(page.clone(), self.link_context(token, page.locale), headers),
            },
            Err(error) => self.link_press_failed(&error, token, headers).await,
        }
    }

    async fn link_press_failed(
        &self,
        error: &StoreError,
        token: &LinkToken,
        headers: &HeaderMap,
    ) -> Response {
        let context = match self.links.view(token.hash(), &BrowserProof::default()).await {
            Ok(LinkPage { state: LinkState::NotFound, .. }) | Err(_) => {
                PageContext { base: self.base(token), ..self.browser_context(headers) }
            }
            Ok(page) => self.link_context(token, page.locale),
        };
        self.press_failed(error, &context)
    }
}

pub(super) async fn resend(State(state): State<PublicState>, headers: HeaderMap, press: Press) -> Response {
    let result = state.links.resend(press.token.hash(), &browser_proof(&headers, None)).await;
    state.resend_page(result, &press.token, &headers).await
}

/// Resubscribes the member and sends a fresh link.
pub(super) async fn resubscribe(
    State(state): State<PublicState>,
    headers: HeaderMap,
    press: Press,
) -> Response {
    let result = state.links.resubscribe(press.token.hash(), &browser_proof(&headers, None)).await;
    state.resend_page(result, &press.token, &headers).await
}

pub(super) async fn dismiss(State(state): State<PublicState>, headers: HeaderMap, press: Press) -> Response {
    let (link, connection) = (press.token.hash(), press.connection.as_ref());
    let result = state.links.dismiss(link, connection, &browser_proof(&headers, None)).await;
    state.chosen_page(result, &press.token, &headers).await
}

pub(super) async fn snooze(State(state): State<PublicState>, headers: HeaderMap, press: Press) -> Response {
    let (link, connection) = (press.token.hash(), press.connection.as_ref());
    let result = state.links.snooze(link, connection, &browser_proof(&headers, None)).await;
    state.chosen_page(result, &press.token, &headers).await
}

/// Undoes a dismissal or a snooze.
pub(super) async fn undo(State(state): State<PublicState>, headers: HeaderMap, press: Press) -> Response {
    let (link, connection) = (press.token.hash(), press.connection.as_ref());
    let result = state.links.undo_choice(link, connection, &browser_proof(&headers, None)).await;
    state.chosen_page(result, &press.token, &headers).await
}

#[derive(Deserialize)]
pub(super) struct OauthReturn {
    #[serde(default)]
    status_code: String,
}

/// The page after a sign-in, for operators who register it at the gateway. The query only selects the wording; it proves
/// nothing.
pub(super) async fn oauth_return(
    State(state): State<PublicState>,
    headers: HeaderMap,
    query: Result<Query<OauthReturn>, QueryRejection>,
) -> Response {
    let success = query.is_ok_and(|Query(query)| query.status_code == "success");
    state.page(&state.browser_context(&headers), &Page::OauthReturn { success })
}
