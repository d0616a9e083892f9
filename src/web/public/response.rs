//! Responses: a page with its headers, or a redirect.

use super::resume_cookie;
use super::state::PublicState;
use crate::domain::{FormKey, FormKeyHash, LinkToken, OauthUrl};
use crate::reconnect::links::LinkPage;
use crate::reconnect::redeem::ResumeGrant;
use crate::reconnect::resume::BrowserProof;
use crate::reconnect::state::LinkState;
use crate::store::StoreError;
use crate::web::pages::Page;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::time::Duration;

/// For a gateway that sends no `Retry-After`.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// While other writers hold the database.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(10);

/// The pages use no feature of the device.
const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";

/// The context of a page, in addition to its content.
pub(super) struct PageContext {
    pub(super) locale: Option<String>,
    /// The link's own path.
    pub(super) base: String,
    /// For the forms of a link's page.
    pub(super) form_key: Option<FormKey>,
}

impl PageContext {
    /// In the operator's language, without a link.
    pub(super) fn anonymous() -> Self {
        Self { locale: None, base: String::new(), form_key: None }
    }
}

pub(super) fn browser_proof(headers: &HeaderMap, form_key: Option<FormKeyHash>) -> BrowserProof {
    BrowserProof { resume_tokens: resume_cookie::tokens(headers), form_key }
}

impl PublicState {
    pub(super) fn base(&self, token: &LinkToken) -> String {
        format!("{}/r/{}", self.prefix, token.expose())
    }

    /// In the browser's language, without a link.
    pub(super) fn browser_context(&self, headers: &HeaderMap) -> PageContext {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = accepted.and_then(|accepted| self.pages.negotiate_language(accepted));
        PageContext { locale: language.map(str::to_owned), ..PageContext::anonymous() }
    }

    /// For a page of this link, with a key for its forms.
    pub(super) fn link_context(&self, token: &LinkToken, locale: Option<String>) -> PageContext {
        PageContext { locale, base: self.base(token), form_key: self.links.form_key(token.hash()) }
    }

    pub(super) fn failed(&self, error: &StoreError) -> Response {
        tracing::error!(event = "page_failed", %error, "cannot serve a page");
        self.failed_page()
    }

    /// For a press that could not be carried out. `context` is that of the page to try again from.
    pub(super) fn press_failed(&self, error: &StoreError, context: &PageContext) -> Response {
        if !matches!(error, StoreError::Busy) {
            return self.failed(error);
        }
        tracing::warn!(event = "press_busy", %error, "cannot carry out a press");
        let mut response = self.page(context, &Page::Busy);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(BUSY_RETRY_AFTER.as_secs()));
        response
    }

    pub(super) fn failed_page(&self) -> Response {
        self.page(&PageContext::anonymous(), &Page::Failed)
    }

    /// The link's page. Changes nothing.
    pub(super) async fn show_link(&self, token: &LinkToken, headers: &HeaderMap) -> Response {
        self.show_link_with_key(token, headers, self.links.form_key(token.hash())).await
    }

    pub(super) async fn show_link_with_key(
        &self,
        token: &LinkToken,
        headers: &HeaderMap,
        form_key: Option<FormKey>,
    ) -> Response {
        match self.links.view(token.hash(), &browser_proof(headers, None)).await {
            Ok(page) => {
                let context = PageContext { locale: page.locale.clone(), base: self.base(token), form_key };
                self.link_page(page, context, headers)
            }
            Err(error) => self.failed(&error),
        }
    }

    pub(super) fn link_page(&self, page: LinkPage, context: PageContext, headers: &HeaderMap) -> Response {
        let context = match page.state {
            LinkState::NotFound => self.browser_context(headers),
            _ => context,
        };
        self.page(&context, &Page::of_link(page.state, page.unsubscribed))
    }

    pub(super) fn redirect_back(&self, base: &str) -> Response {
        let mut response = Redirect::to(base).into_response();
        self.set_security_headers(response.headers_mut());
        response
    }

    pub(super) fn retry_later(&self, context: &PageContext, wait: Option<Duration>) -> Response {
        let wait = wait.unwrap_or(DEFAULT_RETRY_AFTER);
        let retry_minutes = u32::try_from(wait.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
        let mut response = self.page(context, &Page::GatewayDown { retry_minutes });
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        response
    }

    pub(super) fn page(&self, context: &PageContext, page: &Page) -> Response {
        let form_key = context.form_key.as_ref().map_or("", FormKey::expose);
        let html = self.pages.render(context.locale.as_deref(), page, &context.base, form_key);
        let status = StatusCode::from_u16(page.status()).unwrap_or(StatusCode::OK);
        let mut response = (status, Html(html)).into_response();
        self.set_security_headers(response.headers_mut());
        response
    }

    /// The one place where an OAuth URL leaves the process: the `Location` header of this response.
    pub(super) fn redirect_to_source(
        &self,
        context: &PageContext,
        url: &OauthUrl,
        resume: Option<&ResumeGrant>,
    ) -> Response {
        let Ok(mut location) = HeaderValue::from_str(url.expose()) else {
            tracing::error!(
                event = "oauth_url_unusable",
                "the gateway's OAuth URL is not a valid header value"
            );
            return self.retry_later(context, None);
        };
        location.set_sensitive(true);
        let mut response = StatusCode::SEE_OTHER.into_response();
        self.set_security_headers(response.headers_mut());
        response.headers_mut().insert(header::LOCATION, location);
        if let Some(cookie) = resume.and_then(|grant| resume_cookie::set(grant, &context.base, self.secure)) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    fn set_security_headers(&self, headers: &mut HeaderMap) {
        // No `form-action`: browsers apply it to every redirect that follows a form, and a source may redirect to any
        // address, an app's own scheme included.
        let policy = format!(
            "default-src 'none'; style-src '{}'; base-uri 'none'; frame-ancestors 'none'",
            self.pages.style_source()
        );
        let fixed = [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (HeaderName::from_static("permissions-policy"), PERMISSIONS),
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
