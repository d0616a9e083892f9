//! The member's pages. `GET` and `HEAD` change nothing; the button is a `POST`.

use super::pages::{Page, Pages, Source};
use crate::domain::{ConnectionId, LinkToken, OauthUrl};
use crate::redeem::{LinkState, Redeemer, Redemption};
use crate::store::{Button, StoreError};
use axum::extract::{DefaultBodyLimit, Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

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
    /// Where what OAuth cannot repair is repaired; may be empty.
    pub app_url: String,
    /// For members without a locale.
    pub locale: String,
}

/// The public pages.
pub fn public(state: PublicState) -> Router {
    Router::new()
        .route("/r/{token}", get(look).post(redeem))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(state)
}

async fn look(
    State(state): State<PublicState>,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let (link, locale) = state.redeemer.look(LinkToken::new(token).hash()).await.map_err(|e| state.fail(e))?;
    Ok(state.link_page(locale.as_deref(), link))
}

#[derive(Deserialize)]
struct Pressed {
    connection: Option<String>,
}

async fn redeem(
    State(state): State<PublicState>,
    Path(token): Path<String>,
    Form(Pressed { connection }): Form<Pressed>,
) -> Result<Response, Failure> {
    let hash = LinkToken::new(token).hash();
    let connection = connection.map(ConnectionId::new);
    let redemption =
        state.redeemer.redeem(hash, connection.as_ref()).await.map_err(|error| state.fail(error))?;
    // Looked up after the redemption: the page is in the member's language whatever came of it.
    let (_, locale) = state.redeemer.look(hash).await.map_err(|error| state.fail(error))?;
    Ok(match redemption {
        Redemption::Go(url) => state.go(&url),
        Redemption::Reconnected => state.page(locale.as_deref(), &Page::Reconnected),
        Redemption::App if state.app_url.is_empty() => state.page(locale.as_deref(), &Page::Unknown),
        Redemption::App => {
            state.page(locale.as_deref(), &Page::NeedsApp { app_url: state.app_url.clone() })
        }
        Redemption::Refused(link) => state.link_page(locale.as_deref(), link),
        Redemption::Later(wait) => state.later(locale.as_deref(), wait),
    })
}

async fn not_found(State(state): State<PublicState>) -> Response {
    state.page(None, &Page::Unknown)
}

async fn not_allowed(State(state): State<PublicState>) -> Response {
    let mut response = state.page(None, &Page::Unknown);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// The database failed a member: they see a page, the operator a log line.
struct Failure(Response);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0
    }
}

impl PublicState {
    fn fail(&self, error: StoreError) -> Failure {
        tracing::error!(%error, "a member's page failed");
        Failure(self.later(None, None))
    }

    fn link_page(&self, locale: Option<&str>, link: LinkState) -> Response {
        let page = match link {
            LinkState::Ready(buttons) => Page::Ready { sources: buttons.into_iter().map(source).collect() },
            LinkState::Used => Page::Used,
            LinkState::Expired => Page::Expired,
            LinkState::Recovered => Page::Recovered,
            LinkState::Removed | LinkState::Unknown => Page::Unknown,
            LinkState::Dismissed => Page::Dismissed,
        };
        self.page(locale, &page)
    }

    fn later(&self, locale: Option<&str>, wait: Option<Duration>) -> Response {
        let wait = wait.unwrap_or(TRY_AGAIN_IN);
        let minutes = u32::try_from(wait.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
        let mut response = self.page(locale, &Page::GatewayDown { retry_minutes: minutes });
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        response
    }

    fn page(&self, locale: Option<&str>, page: &Page) -> Response {
        let html = self.pages.render(locale.unwrap_or(&self.locale), page);
        let status = StatusCode::from_u16(page.status()).unwrap_or(StatusCode::OK);
        let mut response = (status, html).into_response();
        self.protect(response.headers_mut());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        response
    }

    /// The one place where an OAuth URL leaves the process: the `Location` of this answer.
    fn go(&self, url: &OauthUrl) -> Response {
        let Ok(mut location) = HeaderValue::from_str(url.expose()) else {
            tracing::error!("the gateway's reconnect URL does not fit into a header");
            return self.later(None, None);
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

fn source(button: Button) -> Source {
    let connection = button.connection.connection;
    Source { connection_id: connection.id, name: connection.name }
}
