//! `/r/{token}` and what belongs to it.

use super::PublicState;
use super::answer::Reader;
use super::asked::{Pressed, Token, request_signals};
use super::cookie;
use crate::domain::{LinkAction, PassHash};
use crate::reconnect::redeem::{LinkState, Look, Redemption, Shown};
use crate::store::StoreError;
use crate::web::pages::Page;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;

fn shown(headers: &HeaderMap, visit: Option<PassHash>) -> Shown {
    Shown { passes: cookie::passes(headers), visit }
}

/// Of `GET` and of `HEAD`.
pub(super) async fn look(
    State(state): State<PublicState>,
    Token(token): Token,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let base = state.base(&token);
    let hash = token.hash();
    state.request_recorder.record(hash, LinkAction::View, request_signals(&method, &headers));
    match state.redeemer.look(hash, &shown(&headers, None)).await {
        Ok(look) => state.look_page(look, base, &headers),
        Err(error) => state.failed(&error),
    }
}

pub(super) async fn redeem(
    State(state): State<PublicState>,
    Token(token): Token,
    method: Method,
    headers: HeaderMap,
    Pressed { connection, visit }: Pressed,
) -> Response {
    let base = state.base(&token);
    let hash = token.hash();
    state.request_recorder.record(hash, LinkAction::Press, request_signals(&method, &headers));
    let pressed = state.redeemer.redeem(hash, connection.as_ref(), &shown(&headers, visit)).await;
    let (redemption, locale, stopped) = match pressed {
        Ok(pressed) => (pressed.redemption, pressed.locale, pressed.stopped),
        Err(error) => return state.failed(&error),
    };
    let reader = |locale| Reader { locale, base: base.clone() };
    match redemption {
        Redemption::Go { url, pass } => state.go(&reader(locale), &url, pass.as_ref()),
        Redemption::Reconnected { more: true } => state.back_to(&base),
        Redemption::Reconnected { more: false } => state.page(&reader(locale), &Page::Done { success: true }),
        Redemption::App => state.page(&reader(locale), &Page::NeedsApp { app_url: state.app_url.clone() }),
        Redemption::Refused(link) => state.look_page(Look { link, locale, stopped }, base, &headers),
        Redemption::SpentOne(offers) => {
            let look = Look { link: LinkState::Ready(offers), locale, stopped };
            let mut response = state.look_page(look, base, &headers);
            *response.status_mut() = StatusCode::GONE;
            response
        }
        Redemption::Later(wait) => state.later(&reader(locale), wait),
        Redemption::NoWay => state.page(&reader(locale), &Page::NoWay { app_url: state.app_url.clone() }),
    }
}

/// Answers the same whatever comes of it.
pub(super) async fn resend(state: State<PublicState>, token: Token, headers: HeaderMap) -> Response {
    let hash = token.0.hash();
    let asked = state.redeemer.resend(hash).await;
    state.asked_for(&token, asked, &headers)
}

/// The member wants mails again, and one at once. Answers the same whatever comes of it.
pub(super) async fn resume(state: State<PublicState>, token: Token, headers: HeaderMap) -> Response {
    let hash = token.0.hash();
    let asked = state.redeemer.resume(hash).await;
    state.asked_for(&token, asked, &headers)
}

impl PublicState {
    fn asked_for(
        &self,
        Token(token): &Token,
        asked: Result<Option<String>, StoreError>,
        headers: &HeaderMap,
    ) -> Response {
        let reader = match asked {
            Ok(None) => Reader { base: self.base(token), ..Reader::visitor(headers) },
            Ok(locale) => Reader { locale, base: self.base(token) },
            Err(error) => return self.failed(&error),
        };
        self.page(&reader, &Page::ResendDone)
    }

    fn look_page(&self, Look { link, locale, stopped }: Look, base: String, headers: &HeaderMap) -> Response {
        self.link_page(&Reader::of(&link, locale, base, headers), link, stopped)
    }
}

/// The member says that they disconnected on purpose.
pub(super) async fn dismiss(
    State(state): State<PublicState>,
    Token(token): Token,
    headers: HeaderMap,
    Pressed { connection, .. }: Pressed,
) -> Response {
    let base = state.base(&token);
    match state.redeemer.dismiss(token.hash(), connection.as_ref(), &shown(&headers, None)).await {
        // The rest is on the page itself.
        Ok(Look { link: LinkState::Ready(_), .. }) => state.back_to(&base),
        Ok(look) => state.look_page(look, base, &headers),
        Err(error) => state.failed(&error),
    }
}

#[derive(Deserialize)]
pub(super) struct Landed {
    #[serde(default)]
    status_code: String,
}

/// A landing place for after the sign-in, which an operator can register at the gateway. What it is told decides the
/// words and proves nothing.
pub(super) async fn done(
    State(state): State<PublicState>,
    headers: HeaderMap,
    landed: Result<Query<Landed>, QueryRejection>,
) -> Response {
    let success = landed.is_ok_and(|Query(landed)| landed.status_code == "success");
    state.page(&Reader::visitor(&headers), &Page::Done { success })
}
