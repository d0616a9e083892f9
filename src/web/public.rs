//! The member's pages. `GET` and `HEAD` change nothing; the button is a `POST`.

use super::pages::{Action, Page, Pages, Source};
use crate::domain::{ConnectionId, LapseState, LinkToken, OauthUrl, Repair};
use crate::redeem::{LinkState, Redeemer, Redemption};
use crate::store::{Button, StoreError};
use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;

/// A form of ours is far smaller.
const LARGEST_BODY: usize = 16 * 1024;
/// Told to the member when the gateway does not say how long.
const TRY_AGAIN_IN: Duration = Duration::from_secs(5 * 60);

/// What the public pages need.
#[derive(Clone)]
pub struct PublicState {
    /// Reads and redeems links.
    pub redeemer: Redeemer,
    /// Draws the pages.
    pub pages: Arc<Pages>,
    /// Where what OAuth cannot repair is repaired.
    pub app_url: Option<String>,
    /// The public URL's own path, without a slash at the end.
    pub prefix: String,
}

/// The public pages.
pub fn public(state: PublicState) -> Router {
    let broken = state.clone();
    Router::new()
        .route("/r/{token}", get(look).post(redeem))
        .route("/r/{token}/resend", post(resend))
        .route("/r/{token}/dismiss", post(dismiss))
        .route("/done", get(done))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        // The panic itself is in the log; the member sees a page.
        .layer(CatchPanicLayer::custom(move |_| broken.failed_page()))
        .with_state(state)
}

/// Whom a page is for: their language, and the link's own path.
struct Reader {
    locale: Option<String>,
    base: String,
}

async fn look(State(state): State<PublicState>, Path(token): Path<String>) -> Response {
    let base = state.base(&token);
    match state.redeemer.look(LinkToken::new(token).hash()).await {
        Ok((link, locale)) => state.link_page(&Reader { locale, base }, link),
        Err(error) => state.failed(&error),
    }
}

#[derive(Deserialize)]
struct Pressed {
    connection: Option<String>,
}

/// A form of ours, or something else.
type Pressing = Result<Form<Pressed>, FormRejection>;

/// Whose button was pressed. Without a form it is not said: the page has one button, or says what else to do.
fn connection_of(pressed: Pressing) -> Option<ConnectionId> {
    pressed.ok().and_then(|Form(pressed)| pressed.connection).map(ConnectionId::new)
}

async fn redeem(State(state): State<PublicState>, Path(token): Path<String>, pressed: Pressing) -> Response {
    let base = state.base(&token);
    let hash = LinkToken::new(token).hash();
    let connection = connection_of(pressed);
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
async fn resend(State(state): State<PublicState>, Path(token): Path<String>) -> Response {
    let base = state.base(&token);
    let hash = LinkToken::new(token).hash();
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
async fn dismiss(State(state): State<PublicState>, Path(token): Path<String>, pressed: Pressing) -> Response {
    let base = state.base(&token);
    let hash = LinkToken::new(token).hash();
    let connection = connection_of(pressed);
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
struct Landed {
    #[serde(default)]
    status_code: String,
}

/// A landing place for after the sign-in, which an operator can register at the gateway. What it is told decides the
/// words and proves nothing.
async fn done(State(state): State<PublicState>, landed: Result<Query<Landed>, QueryRejection>) -> Response {
    let success = landed.is_ok_and(|Query(landed)| landed.status_code == "success");
    state.page(&Reader { locale: None, base: String::new() }, &Page::Done { success })
}

async fn not_found(State(state): State<PublicState>) -> Response {
    state.page(&Reader { locale: None, base: String::new() }, &Page::Unknown)
}

async fn not_allowed(State(state): State<PublicState>) -> Response {
    let mut response = not_found(State(state)).await;
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

impl PublicState {
    fn base(&self, token: &str) -> String {
        format!("{}/r/{token}", self.prefix)
    }

    /// The database failed a member: they see a page, the operator a log line.
    fn failed(&self, error: &StoreError) -> Response {
        tracing::error!(%error, "a member's page failed");
        self.failed_page()
    }

    fn failed_page(&self) -> Response {
        self.page(&Reader { locale: None, base: String::new() }, &Page::Failed)
    }

    fn link_page(&self, reader: &Reader, link: LinkState) -> Response {
        let page = match link {
            LinkState::Ready(buttons) => {
                Page::Ready { sources: buttons.into_iter().map(|button| self.source(button)).collect() }
            }
            LinkState::Used => Page::Used,
            LinkState::Expired => Page::Expired,
            LinkState::Recovered => Page::Recovered,
            LinkState::Removed | LinkState::Unknown => Page::Unknown,
            LinkState::Dismissed => Page::Dismissed,
        };
        self.page(reader, &page)
    }

    fn source(&self, button: Button) -> Source {
        let action = if button.state == LapseState::Closed {
            Action::Nothing
        } else if !self.redeemer.can_be_pressed(&button) {
            Action::Wait
        } else if button.connection.repair() == Repair::App {
            Action::App(self.app_url.clone())
        } else {
            Action::Reconnect
        };
        let can_dismiss = self.redeemer.can_be_dismissed(&button);
        let connection = button.connection.connection;
        Source { connection_id: connection.id, name: connection.name, action, can_dismiss }
    }

    fn back_to(&self, base: &str) -> Response {
        let mut response = Redirect::to(base).into_response();
        self.protect(response.headers_mut());
        response
    }

    fn later(&self, reader: &Reader, wait: Option<Duration>) -> Response {
        let wait = wait.unwrap_or(TRY_AGAIN_IN);
        let retry_minutes = u32::try_from(wait.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
        let mut response = self.page(reader, &Page::GatewayDown { retry_minutes });
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        response
    }

    fn page(&self, reader: &Reader, page: &Page) -> Response {
        let html = self.pages.render(reader.locale.as_deref(), page, &reader.base);
        let status = StatusCode::from_u16(page.status()).unwrap_or(StatusCode::OK);
        let mut response = (status, Html(html)).into_response();
        self.protect(response.headers_mut());
        response
    }

    /// The one place where an OAuth URL leaves the process: the `Location` of this answer.
    fn go(&self, reader: &Reader, url: &OauthUrl) -> Response {
        let Ok(mut location) = HeaderValue::from_str(url.expose()) else {
            tracing::error!("the gateway's reconnect URL does not fit into a header");
            return self.later(reader, None);
        };
        location.set_sensitive(true);
        let mut response = StatusCode::SEE_OTHER.into_response();
        self.protect(response.headers_mut());
        response.headers_mut().insert(header::LOCATION, location);
        response
    }

    fn protect(&self, headers: &mut HeaderMap) {
        // Browsers hold a form's redirects to `form-action`, too, so it has to allow where sources may send people on.
        let policy = format!(
            "default-src 'none'; style-src '{}'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self' https: http://localhost:* http://127.0.0.1:*",
            self.pages.style_hash()
        );
        let fixed = [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    }
}
