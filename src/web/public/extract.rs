//! Extractors. Whatever a client sends, the response is a page.

use super::link_path::is_token_character;
use super::response::PageContext;
use super::state::PublicState;
use crate::domain::{ConnectionId, FormKey, FormKeyHash, LinkToken, RequestSignals};
use crate::web::pages::Page;
use axum::RequestExt;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::Deserialize;
use std::convert::Infallible;

/// The token of the path; never rejects.
pub(super) struct PathToken(pub(super) LinkToken);

impl FromRequestParts<PublicState> for PathToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &PublicState) -> Result<Self, Infallible> {
        // A path that is not UTF-8 becomes an unknown token.
        let mut token =
            Path::<String>::from_request_parts(parts, state).await.map_or(String::new(), |Path(token)| token);
        // No page repeats other characters.
        token.truncate(token.find(|c| !is_token_character(c)).unwrap_or(token.len()));
        Ok(Self(LinkToken::new(token)))
    }
}

/// The form of a button. All fields are `None` when the request has no form.
#[derive(Default)]
pub(super) struct RedeemForm {
    pub(super) connection: Option<ConnectionId>,
    pub(super) form_key: Option<FormKeyHash>,
    pub(super) confirmation: Option<String>,
}

#[derive(Deserialize)]
struct Fields {
    connection: Option<String>,
    form_key: Option<String>,
    confirmation: Option<String>,
}

impl From<Fields> for RedeemForm {
    fn from(Fields { connection, form_key, confirmation }: Fields) -> Self {
        let form_key = form_key.filter(|key| !key.is_empty());
        Self {
            form_key: form_key.map(|key| FormKey::new(key).hash()),
            connection: connection.map(ConnectionId::new),
            confirmation,
        }
    }
}

impl FromRequest<PublicState> for RedeemForm {
    type Rejection = Response;

    /// Rejects a form that is cut off, too large, or unreadable: the member may have pressed another button.
    async fn from_request(request: Request, state: &PublicState) -> Result<Self, Response> {
        let context = PageContext::of_browser(request.headers());
        match request.extract::<Form<Fields>, _>().await {
            Ok(Form(fields)) => Ok(fields.into()),
            Err(FormRejection::InvalidFormContentType(_)) => Ok(Self::default()),
            Err(_) => Err(state.page(&context, &Page::BadRequest)),
        }
    }
}

/// Headers that mark a prefetch: of the standard, of older browsers, and of old Firefox.
const PREFETCH_HEADERS: [&str; 3] = ["sec-purpose", "purpose", "x-moz"];

/// Whether another site's page sent the request.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|value| value.as_bytes() == b"cross-site")
}

pub(super) fn request_signals(method: &Method, headers: &HeaderMap) -> RequestSignals {
    let says_prefetch = |name: &&str| {
        headers.get_all(*name).into_iter().any(|value| value.as_bytes().starts_with(b"prefetch"))
    };
    RequestSignals {
        is_head: *method == Method::HEAD,
        is_prefetch: PREFETCH_HEADERS.iter().any(says_prefetch),
    }
}
