//! `/r/{token}`, the paths below it, and `/oauth/return`.

use super::extract::{PathToken, RedeemForm, is_cross_site, request_signals};
use super::response::PageContext;
use super::resume_cookie;
use super::state::PublicState;
use crate::domain::{FormKeyHash, LinkAction, LinkToken};
use crate::reconnect::links::LinkPage;
use crate::reconnect::redeem::{RedemptionOutcome, RedemptionRequest};
use crate::reconnect::resume::BrowserProof;
use crate::reconnect::state::LinkState;
use crate::store::StoreError;
use crate::web::pages::Page;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;

fn proof(headers: &HeaderMap, form_key: Option<FormKeyHash>) -> BrowserProof {
    BrowserProof { resume_tokens: resume_cookie::tokens(headers), form_key }
}

/// `GET` and `HEAD`.
pub(super) async fn view(
    State(state): State<PublicState>,
    PathToken(token): PathToken,
    method: Method,
    headers: HeaderMap,
) -> Response {
    state.request_recorder.record(token.hash(), LinkAction::View, request_signals(&method, &headers));
    show(&state, &token, &headers).await
}

/// Middleware: a form of another site's page changes nothing. A press needs the link's own page.
pub(super) async fn refuse_other_sites(
    State(state): State<PublicState>,
    PathToken(token): PathToken,
    request: Request,
    next: Next,
) -> Response {
    if *request.method() == Method::POST && is_cross_site(request.headers()) {
        return show(&state, &token, request.headers()).await;
    }
    next.run(request).await
}

async fn show(state: &PublicState, token: &LinkToken, headers: &HeaderMap) -> Response {
    match state.links.view(token.hash(), &proof(headers, None)).await {
        Ok(page) => state.link_page(page, state.base(token), headers),
        Err(error) => state.failed(&error),
    }
}

pub(super) async fn redeem(
    State(state): State<PublicState>,
    PathToken(token): PathToken,
    method: Method,
    headers: HeaderMap,
    RedeemForm { connection, form_key, confirmation }: RedeemForm,
) -> Response {
    let base = state.base(&token);
    let link = token.hash();
    state.request_recorder.record(link, LinkAction::Press, request_signals(&method, &headers));
    let proof = proof(&headers, form_key);
    let request = RedemptionRequest {
        link,
        connection: connection.as_ref(),
        proof: &proof,
        confirmation: confirmation.as_deref(),
    };
    let result = match state.links.redeem(&request).await {
        Ok(result) => result,
        Err(error) => return state.link_press_failed(&error, &token, &headers).await,
    };
    let context = PageContext { locale: result.locale.clone(), base: base.clone() };
    let link_page = |link_state| {
        let page =
            LinkPage { state: link_state, locale: result.locale.clone(), unsubscribed: result.unsubscribed };
        state.link_page(page, base.clone(), &headers)
    };
    match result.outcome {
        RedemptionOutcome::Redirect { url, resume } => {
            state.redirect_to_source(&context, &url, resume.as_ref())
        }
        RedemptionOutcome::Reconnected { has_more: true } => state.redirect_back(&base),
        RedemptionOutcome::Reconnected { has_more: false } => {
            state.page(&context, &Page::OauthReturn { success: true })
        }
        RedemptionOutcome::NeedsConfirmation { connection, token } => {
            state.page(&context, &Page::ConfirmDirect { connection, token })
        }
        RedemptionOutcome::NeedsApp => state.page(&context, &Page::NeedsApp),
        RedemptionOutcome::Refused(link_state) => link_page(link_state),
        RedemptionOutcome::AlreadyUsed(buttons) => {
            let mut response = link_page(LinkState::Ready(buttons));
            *response.status_mut() = StatusCode::GONE;
            response
        }
        RedemptionOutcome::TooManyPresses(wait) => {
            let mut response = state.page(&context, &Page::TooManyRequests);
            let seconds = wait.as_millis().div_ceil(1000) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        RedemptionOutcome::RetryLater(wait) => state.retry_later(&context, wait),
        RedemptionOutcome::Unavailable => state.page(&context, &Page::RepairUnavailable),
    }
}

pub(super) async fn resend(state: State<PublicState>, token: PathToken, headers: HeaderMap) -> Response {
    let result = state.links.resend(token.0.hash()).await;
    state.resend_page(&token, result, &headers).await
}

/// Resubscribes the member and sends a fresh link.
pub(super) async fn resubscribe(state: State<PublicState>, token: PathToken, headers: HeaderMap) -> Response {
    let result = state.links.resubscribe(token.0.hash()).await;
    state.resend_page(&token, result, &headers).await
}

impl PublicState {
    /// The same page whatever happened, so that it reveals nothing.
    async fn resend_page(
        &self,
        PathToken(token): &PathToken,
        locale: Result<Option<String>, StoreError>,
        headers: &HeaderMap,
    ) -> Response {
        let base = self.base(token);
        let context = match locale {
            Ok(None) => PageContext { base, ..PageContext::of_browser(headers) },
            Ok(locale) => PageContext { locale, base },
            Err(error) => return self.link_press_failed(&error, token, headers).await,
        };
        self.page(&context, &Page::ResendRequested)
    }

    async fn link_press_failed(
        &self,
        error: &StoreError,
        token: &LinkToken,
        headers: &HeaderMap,
    ) -> Response {
        let base = self.base(token);
        let context = match self.links.view(token.hash(), &BrowserProof::default()).await {
            Ok(LinkPage { state: LinkState::NotFound, .. }) | Err(_) => {
                PageContext { base, ..PageContext::of_browser(headers) }
            }
            Ok(page) => PageContext { locale: page.locale, base },
        };
        self.press_failed(error, &context)
    }
}

pub(super) async fn dismiss(
    State(state): State<PublicState>,
    PathToken(token): PathToken,
    headers: HeaderMap,
    RedeemForm { connection, .. }: RedeemForm,
) -> Response {
    let base = state.base(&token);
    match state.links.dismiss(token.hash(), connection.as_ref(), &proof(&headers, None)).await {
        // Other buttons are still to be pressed.
        Ok(LinkPage { state: LinkState::Ready(_), .. }) => state.redirect_back(&base),
        Ok(page) => state.link_page(page, base, &headers),
        Err(error) => state.link_press_failed(&error, &token, &headers).await,
    }
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
    state.page(&PageContext::of_browser(&headers), &Page::OauthReturn { success })
}
