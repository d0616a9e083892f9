//! Answers: a page with its headers, or the way to the source.

use super::{PublicState, cookie};
use crate::base::random;
use crate::domain::{LinkToken, OauthUrl, Outcome, Repair};
use crate::reconnect::redeem::{Chance, LinkState, Offer, Pass};
use crate::store::StoreError;
use crate::web::pages::{self, Action, NewMail, Page, Source};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::time::Duration;

/// Told to the member when the gateway does not say how long.
const TRY_AGAIN_IN: Duration = Duration::from_secs(5 * 60);

/// Whom a page is for: their language, and the link's own path.
pub(super) struct Reader {
    pub(super) locale: Option<String>,
    pub(super) base: String,
}

impl Reader {
    /// For when there is no link to know a member by.
    pub(super) fn anyone() -> Self {
        Self { locale: None, base: String::new() }
    }

    /// The same, in the language that the browser asks for.
    pub(super) fn visitor(headers: &HeaderMap) -> Self {
        let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self { locale: asked.and_then(pages::preferred).map(str::to_owned), base: String::new() }
    }

    /// Of a link's page: its member, or a visitor when there is no such link.
    pub(super) fn of(link: &LinkState, locale: Option<String>, base: String, headers: &HeaderMap) -> Self {
        match link {
            LinkState::Unknown => Self::visitor(headers),
            _ => Self { locale, base },
        }
    }
}

impl PublicState {
    pub(super) fn base(&self, token: &LinkToken) -> String {
        format!("{}/r/{}", self.prefix, token.expose())
    }

    /// The database failed a member: they see a page, the operator a log line.
    pub(super) fn failed(&self, error: &StoreError) -> Response {
        tracing::error!(%error, "a member's page failed");
        self.failed_page()
    }

    pub(super) fn failed_page(&self) -> Response {
        self.page(&Reader::anyone(), &Page::Failed)
    }

    pub(super) fn link_page(&self, reader: &Reader, link: LinkState, stopped: bool) -> Response {
        let mail = if stopped { NewMail::Stopped } else { NewMail::Offered };
        let page = match link {
            LinkState::Ready(offers) => {
                let dead = |offer: &Offer| matches!(offer.chance, Chance::Spent | Chance::Outlived);
                let mail = if offers.iter().any(dead) { mail } else { NewMail::Unneeded };
                Page::Ready { sources: offers.into_iter().map(|offer| self.source(offer)).collect(), mail }
            }
            LinkState::Used { go_on } => {
                let offers = go_on.into_iter().map(|button| Offer { button, chance: Chance::GoOn });
                Page::Used { go_on: offers.map(|offer| self.source(offer)).collect(), mail }
            }
            LinkState::Expired => Page::Expired { mail },
            LinkState::Recovered => Page::Recovered,
            LinkState::Missing => Page::Missing,
            LinkState::Removed => Page::Removed,
            LinkState::Unknown => Page::Unknown,
            LinkState::Dismissed(offers) => {
                Page::Dismissed { sources: offers.into_iter().map(|offer| self.source(offer)).collect() }
            }
        };
        self.page(reader, &page)
    }

    fn source(&self, Offer { button, chance }: Offer) -> Source {
        let action = match chance {
            Chance::Ended(Outcome::Recovered) => Action::Works,
            Chance::Ended(Outcome::Removed) => Action::Gone,
            Chance::Ended(Outcome::Dismissed) => Action::LeaveAlone,
            Chance::Spent => Action::Wait,
            Chance::Outlived => Action::AskAnew,
            Chance::Missing => Action::TryLater,
            Chance::GoOn => Action::GoOn,
            Chance::Open | Chance::AfterAll if button.connection.repair() == Repair::App => {
                Action::App(self.app_url.clone())
            }
            Chance::Open if button.connection.repair() == Repair::Direct => Action::Renew,
            Chance::Open => Action::Reconnect,
            Chance::AfterAll => Action::AfterAll,
        };
        let can_dismiss = self.redeemer.can_be_dismissed(&button);
        let connection = button.connection.connection;
        Source { connection_id: connection.id, name: connection.name, action, can_dismiss }
    }

    pub(super) fn back_to(&self, base: &str) -> Response {
        let mut response = Redirect::to(base).into_response();
        self.protect(response.headers_mut());
        response
    }

    pub(super) fn later(&self, reader: &Reader, wait: Option<Duration>) -> Response {
        let wait = wait.unwrap_or(TRY_AGAIN_IN);
        let retry_minutes = u32::try_from(wait.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
        let mut response = self.page(reader, &Page::GatewayDown { retry_minutes });
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        response
    }

    pub(super) fn page(&self, reader: &Reader, page: &Page) -> Response {
        let visit = random::pass_token();
        let html = self.pages.render(reader.locale.as_deref(), page, &reader.base, visit.expose());
        let status = StatusCode::from_u16(page.status()).unwrap_or(StatusCode::OK);
        let mut response = (status, Html(html)).into_response();
        self.protect(response.headers_mut());
        response
    }

    /// The one place where an OAuth URL leaves the process: the `Location` of this answer. The pass is for the browser.
    pub(super) fn go(&self, reader: &Reader, url: &OauthUrl, pass: Option<&Pass>) -> Response {
        let Ok(mut location) = HeaderValue::from_str(url.expose()) else {
            tracing::error!("the gateway's reconnect URL does not fit into a header");
            return self.later(reader, None);
        };
        location.set_sensitive(true);
        let mut response = StatusCode::SEE_OTHER.into_response();
        self.protect(response.headers_mut());
        response.headers_mut().insert(header::LOCATION, location);
        if let Some(cookie) = pass.and_then(|pass| cookie::set(pass, &reader.base, self.secure)) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    fn protect(&self, headers: &mut HeaderMap) {
        // No `form-action`: browsers hold it against every redirect that follows a form, and so against wherever a source
        // may send people on, an app's own scheme included.
        let policy = format!(
            "default-src 'none'; style-src '{}'; base-uri 'none'; frame-ancestors 'none'",
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
