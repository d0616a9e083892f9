//! Extractors: the viewer of a page, and what a form posts.

use super::error::PageError;
use super::redirect::see_other;
use super::session::{self, Session};
use super::state::Dashboard;
use super::zone;
use crate::domain::{AuditAction, AuditEntry, Time};
use crate::store::Store;
use crate::web::admin::access::Access;
use axum::RequestExt;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// A request of somebody who is logged in.
pub(super) struct Visit {
    pub(super) access: Access,
    pub(super) form_token: String,
    pub(super) zone: Tz,
    pub(super) now: Time,
    /// The path and the query of the page.
    pub(super) here: String,
    /// A sentence about what this session has just done.
    pub(super) result: Option<String>,
}

impl Visit {
    /// Records in the audit that rows about members are shown.
    pub(super) async fn record_read(
        &self,
        state: &Dashboard,
        target: &str,
        rows: usize,
    ) -> Result<(), PageError> {
        if rows > 0 {
            let entry = AuditEntry::new(AuditAction::Read).target(target).affected(rows as u64);
            state.store_of(&self.access).record_audit(entry, self.now).await?;
        }
        Ok(())
    }
}

/// A form of a page of this session.
pub(super) struct Submission {
    pub(super) visit: Visit,
    session: Session,
    fields: BTreeMap<String, String>,
}

/// A form that changes something, from a session that may.
pub(super) struct Order(pub(super) Submission);

impl FromRequestParts<Dashboard> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &Dashboard) -> Result<Self, PageError> {
        let session = open_session(&parts.method, &parts.uri, &parts.headers, state)?;
        Ok(visit(&session, &parts.uri, &parts.headers, state))
    }
}

fn open_session(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    state: &Dashboard,
) -> Result<Session, PageError> {
    if state.admin.tokens.is_empty() {
        return Err(PageError::NoTokens);
    }
    let (tokens, keyring) = (&state.admin.tokens, &state.admin.keyring);
    if let Some(session) = Session::of(headers, tokens, keyring, state.now()) {
        return Ok(session);
    }
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let here = if is_read { path_and_query(uri) } else { "/".to_owned() };
    // A browser leaves the cookie out when a link of an email or another site leads here, but not when this page does.
    if is_read && site(headers) == Some("cross-site") {
        return Err(PageError::Arrived { here });
    }
    Err(PageError::LogIn { here })
}

fn visit(session: &Session, uri: &Uri, headers: &HeaderMap, state: &Dashboard) -> Visit {
    Visit {
        form_token: session.form_token(&state.admin.keyring),
        zone: zone::of(headers),
        now: state.now(),
        here: path_and_query(uri),
        result: session.result(headers, &state.admin.keyring),
        access: session.access.clone(),
    }
}

fn path_and_query(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

fn site(headers: &HeaderMap) -> Option<&str> {
    headers.get("sec-fetch-site").and_then(|value| value.to_str().ok())
}

/// Whether a form may be from a page of another site. Browsers that send no `Sec-Fetch-Site` send `Origin`.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    if let Some(site) = site(headers) {
        return !matches!(site, "same-origin" | "none");
    }
    let (origin, host) = (headers.get(header::ORIGIN), headers.get(header::HOST));
    let Some(origin) = origin.map(|origin| origin.to_str().unwrap_or("null")) else { return false };
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    origin.split_once("://").is_none_or(|(_, of)| of != host)
}

/// Only a path of this site.
pub(super) fn local_path(path: &str) -> &str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.chars().any(char::is_control);
    if is_local { path } else { "/" }
}

impl FromRequest<Dashboard> for Submission {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &Dashboard) -> Result<Self, PageError> {
        let (method, uri, headers) =
            (request.method().clone(), request.uri().clone(), request.headers().clone());
        let session = open_session(&method, &uri, &headers, state)?;
        let visit = visit(&session, &uri, &headers, state);
        if is_foreign(&headers) {
            return Err(PageError::ForeignForm);
        }
        let Ok(Form(fields)) = request.extract::<Form<BTreeMap<String, String>>, _>().await else {
            return Err(PageError::BadRequest("The form could not be read."));
        };
        let token = fields.get("form_token").map_or("", String::as_str);
        if !session.is_form_token(token, &state.admin.keyring) {
            return Err(PageError::ForeignForm);
        }
        Ok(Self { visit, session, fields })
    }
}

impl FromRequest<Dashboard> for Order {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &Dashboard) -> Result<Self, PageError> {
        let submission = Submission::from_request(request, state).await?;
        if submission.visit.access.may_write() { Ok(Self(submission)) } else { Err(PageError::ReadOnly) }
    }
}

impl Submission {
    /// `None`: it is missing or empty.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where to go on: a path of this site.
    pub(super) fn back(&self) -> &str {
        local_path(self.field("back").unwrap_or("/"))
    }
}

impl Order {
    pub(super) fn store(&self, state: &Dashboard) -> Store {
        state.store_of(&self.0.visit.access)
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.field(name)
    }

    /// Leads to a page that tells the result once.
    pub(super) fn done(&self, state: &Dashboard, path: &str, result: &str) -> Response {
        let mut response = see_other(path);
        if let Some(cookie) = self.0.session.sign_result(result, &state.admin.keyring) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

pub(super) use session::clear_session;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_of_this_site_count() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            HeaderMap::from_iter(pairs.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))
            }))
        };
        let host = ("host", "127.0.0.1:9090");
        for (pairs, foreign) in [
            (&[("sec-fetch-site", "same-origin")][..], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[host, ("origin", "http://127.0.0.1:9090")], false),
            (&[host, ("origin", "http://127.0.0.1:9091")], true),
            (&[host, ("origin", "null")], true),
            (&[host], false),
        ] {
            assert_eq!(is_foreign(&headers(pairs)), foreign, "{pairs:?}");
        }
    }

    #[test]
    fn a_redirect_stays_on_this_site() {
        for (path, expected) in [
            ("/failed?kind=events", "/failed?kind=events"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("", "/"),
            ("/a\nb", "/"),
        ] {
            assert_eq!(local_path(path), expected, "{path:?}");
        }
    }
}
