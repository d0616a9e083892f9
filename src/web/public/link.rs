//! `/r/{token}` and what belongs to it.

use super::PublicState;
use super::answer::Reader;
use super::asked::{Pressed, Token, traits};
use super::cookie;
use crate::domain::Act;
use crate::redeem::{LinkState, Look, Redemption};
use crate::web::pages::Page;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::Deserialize;

/// Of `GET` and of `HEAD`.
pub(super) async fn look(
    State(state): State<PublicState>,
    Token(token): Token,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let base = state.base(&token);
    let hash = token.hash();
    state.visits.seen(hash, Act::Look, traits(&method, &headers));
    match state.redeemer.look(hash, &cookie::passes(&headers)).await {
        Ok(Look { link, locale }) => state.link_page(&Reader::of(&link, locale, base, &headers), link),
        Err(error) => state.failed(&error),
    }
}

pub(super) async fn redeem(
    State(state): State<PublicState>,
    Token(token): Token,
    method: Method,
    headers: HeaderMap,
    Pressed(connection): Pressed,
) -> Response {
    let base = state.base(&token);
    let hash = token.hash();
    state.visits.seen(hash, Act::Press, traits(&method, &headers));
    let shown = cookie::passes(&headers);
    let pressed = match state.redeemer.redeem(hash, connection.as_ref(), &shown).await {
        Ok(pressed) => pressed,
        Err(error) => return state.failed(&error),
    };
    let reader = match &pressed.redemption {
        Redemption::Refused(link) => Reader::of(link, pressed.locale, base, &headers),
        _ => Reader { locale: pressed.locale, base },
    };
    match pressed.redemption {
        Redemption::Go { url, pass } => state.go(&reader, &url, pass.as_ref()),
        Redemption::Reconnected => state.page(&reader, &Page::Done { success: true }),
        Redemption::App => state.page(&reader, &Page::NeedsApp { app_url: state.app_url.clone() }),
        Redemption::Refused(link) => state.link_page(&reader, link),
        Redemption::Later(wait) => state.later(&reader, wait),
    }
}

/// Answers the same whatever comes of it.
pub(super) async fn resend(State(state): State<PublicState>, Token(token): Token) -> Response {
    let base = state.base(&token);
    match state.redeemer.resend(token.hash()).await {
        Ok(locale) => state.page(&Reader { locale, base }, &Page::ResendDone),
        Err(error) => state.failed(&error),
    }
}

/// The member says that they disconnected on purpose.
pub(super) async fn dismiss(
    State(state): State<PublicState>,
    Token(token): Token,
    headers: HeaderMap,
    Pressed(connection): Pressed,
) -> Response {
    let base = state.base(&token);
    match state.redeemer.dismiss(token.hash(), connection.as_ref(), &cookie::passes(&headers)).await {
        // The page's forms post to its own address, which this is not: back to it.
        Ok(Look { link: LinkState::Ready(_), .. }) => state.back_to(&base),
        Ok(Look { link, locale }) => state.link_page(&Reader::of(&link, locale, base, &headers), link),
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
