//! `/r/{token}` and what belongs to it.

use super::PublicState;
use super::answer::Reader;
use super::cookie;
use crate::domain::{Act, ConnectionId, LinkToken};
use crate::redeem::{LinkState, Look, Pressed, Redemption};
use crate::visits::Traits;
use crate::web::pages::Page;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use serde::Deserialize;

/// Headers in which browsers say that they fetch a page before anybody has asked for it.
const IN_ADVANCE: [&str; 3] = ["sec-purpose", "purpose", "x-moz"];

/// What a request shows of its maker.
fn traits<'a>(method: &Method, headers: &'a HeaderMap) -> Traits<'a> {
    let says_prefetch = |name: &&str| {
        headers.get_all(*name).into_iter().any(|value| value.as_bytes().starts_with(b"prefetch"))
    };
    Traits {
        head: *method == Method::HEAD,
        prefetch: IN_ADVANCE.iter().any(says_prefetch),
        agent: headers.get(header::USER_AGENT).map_or(&[], HeaderValue::as_bytes),
    }
}

/// Of `GET` and of `HEAD`.
pub(super) async fn look(
    State(state): State<PublicState>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let base = state.base(&token);
    let hash = LinkToken::new(token).hash();
    state.visits.seen(hash, Act::Look, traits(&method, &headers));
    match state.redeemer.look(hash, &cookie::passes(&headers)).await {
        Ok(Look { link, locale }) => state.link_page(&Reader { locale, base }, link),
        Err(error) => state.failed(&error),
    }
}

#[derive(Deserialize)]
pub(super) struct PressForm {
    connection: Option<String>,
}

/// A form of ours, or something else.
pub(super) type Pressing = Result<Form<PressForm>, FormRejection>;

/// Whose button was pressed. Without a form it is not said: the page has one button, or says what else to do.
fn connection_of(pressed: Pressing) -> Option<ConnectionId> {
    pressed.ok().and_then(|Form(form)| form.connection).map(ConnectionId::new)
}

pub(super) async fn redeem(
    State(state): State<PublicState>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
    pressed: Pressing,
) -> Response {
    let base = state.base(&token);
    let hash = LinkToken::new(token).hash();
    state.visits.seen(hash, Act::Press, traits(&method, &headers));
    let connection = connection_of(pressed);
    let shown = cookie::passes(&headers);
    let Pressed { redemption, locale } = match state.redeemer.redeem(hash, connection.as_ref(), &shown).await
    {
        Ok(pressed) => pressed,
        Err(error) => return state.failed(&error),
    };
    let reader = Reader { locale, base };
    match redemption {
        Redemption::Go { url, pass } => state.go(&reader, &url, pass.as_ref()),
        Redemption::Reconnected => state.page(&reader, &Page::Done { success: true }),
        Redemption::App => state.page(&reader, &Page::NeedsApp { app_url: state.app_url.clone() }),
        Redemption::Refused(link) => state.link_page(&reader, link),
        Redemption::Later(wait) => state.later(&reader, wait),
    }
}

/// Answers the same whatever comes of it.
pub(super) async fn resend(State(state): State<PublicState>, Path(token): Path<String>) -> Response {
    let base = state.base(&token);
    match state.redeemer.resend(LinkToken::new(token).hash()).await {
        Ok(locale) => state.page(&Reader { locale, base }, &Page::ResendDone),
        Err(error) => state.failed(&error),
    }
}

/// The member says that they disconnected on purpose.
pub(super) async fn dismiss(
    State(state): State<PublicState>,
    Path(token): Path<String>,
    headers: HeaderMap,
    pressed: Pressing,
) -> Response {
    let base = state.base(&token);
    let hash = LinkToken::new(token).hash();
    let connection = connection_of(pressed);
    match state.redeemer.dismiss(hash, connection.as_ref(), &cookie::passes(&headers)).await {
        // The page's forms post to its own address, which this is not: back to it.
        Ok(Look { link: LinkState::Ready(_), .. }) => state.back_to(&base),
        Ok(Look { link, locale }) => state.link_page(&Reader { locale, base }, link),
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
    landed: Result<Query<Landed>, QueryRejection>,
) -> Response {
    let success = landed.is_ok_and(|Query(landed)| landed.status_code == "success");
    state.page(&Reader::anyone(), &Page::Done { success })
}
