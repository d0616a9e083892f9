//! `/r/{token}` and what belongs to it.

use super::PublicState;
use super::answer::Reader;
use super::asked::{Pressed, Token};
use crate::redeem::{LinkState, Redemption};
use crate::web::pages::Page;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

pub(super) async fn look(State(state): State<PublicState>, Token(token): Token) -> Response {
    let base = state.base(&token);
    match state.redeemer.look(token.hash()).await {
        Ok((link, locale)) => state.link_page(&Reader { locale, base }, link),
        Err(error) => state.failed(&error),
    }
}

pub(super) async fn redeem(
    State(state): State<PublicState>,
    Token(token): Token,
    Pressed(connection): Pressed,
) -> Response {
    let base = state.base(&token);
    let hash = token.hash();
    let redeemed = async {
        let redemption = state.redeemer.redeem(hash, connection.as_ref()).await?;
        let (_, locale) = state.redeemer.look(hash).await?;
        Ok((redemption, locale))
    };
    let (redemption, locale) = match redeemed.await {
        Ok(redeemed) => redeemed,
        Err(error) => return state.failed(&error),
    };
    let reader = Reader { locale, base };
    match redemption {
        Redemption::Go(url) => state.go(&reader, &url),
        Redemption::Reconnected => state.page(&reader, &Page::Done { success: true }),
        Redemption::App => state.page(&reader, &Page::NeedsApp { app_url: state.app_url.clone() }),
        Redemption::Refused(link) => state.link_page(&reader, link),
        Redemption::Later(wait) => state.later(&reader, wait),
    }
}

/// Answers the same whatever comes of it.
pub(super) async fn resend(State(state): State<PublicState>, Token(token): Token) -> Response {
    let base = state.base(&token);
    let hash = token.hash();
    let asked = async {
        let (_, locale) = state.redeemer.look(hash).await?;
        state.redeemer.resend(hash).await?;
        Ok(locale)
    };
    match asked.await {
        Ok(locale) => state.page(&Reader { locale, base }, &Page::ResendDone),
        Err(error) => state.failed(&error),
    }
}

/// The member says that they disconnected on purpose.
pub(super) async fn dismiss(
    State(state): State<PublicState>,
    Token(token): Token,
    Pressed(connection): Pressed,
) -> Response {
    let base = state.base(&token);
    let hash = token.hash();
    let dismissed = async {
        let (_, locale) = state.redeemer.look(hash).await?;
        let link = match &connection {
            Some(connection) => state.redeemer.dismiss(hash, connection).await?,
            None => state.redeemer.look(hash).await?.0,
        };
        Ok((link, locale))
    };
    match dismissed.await {
        // The page's forms post to its own address, which this is not: back to it.
        Ok((LinkState::Ready(_), _)) => state.back_to(&base),
        Ok((link, locale)) => state.link_page(&Reader { locale, base }, link),
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
