//! Extractors. Whatever a client sends, the response is a page.

use super::link_path::is_token_character;
use super::state::PublicState;
use crate::domain::{ConnectionId, FormKey, LinkToken, RequestSignals};
use crate::reconnect::form_keys::FormProof;
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

/// A press of a button on the link's own page. A form of another site, or without a valid key, changes nothing: its response
/// is the link's page.
pub(super) struct Press {
    pub(super) token: LinkToken,
    pub(super) connection: Option<ConnectionId>,
    pub(super) form_key: FormKey,
    pub(super) confirmation: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct Fields {
    pub(super) connection: Option<String>,
    pub(super) form_key: Option<String>,
    pub(super) confirmation: Option<String>,
}

impl FromRequest<PublicState> for Press {
    type Rejection = Response;

    /// Rejects a form that is cut off, too large, or unreadable, too: the member may have pressed another button.
    async fn from_request(mut request: Request, state: &PublicState) -> Result<Self, Response> {
        let Ok(PathToken(token)) = request.extract_parts_with_state(state).await;
        let headers = request.headers().clone();
        let fields = match request.extract::<Form<Fields>, _>().await {
            Ok(Form(fields)) => fields,
            Err(FormRejection::InvalidFormContentType(_)) => Fields::default(),
            Err(_) => return Err(state.page(&state.browser_context(&headers), &Page::BadRequest)),
        };
        let Some(key) = fields.form_key.map(FormKey::new).filter(|_| !is_cross_site(&headers)) else {
            return Err(state.show_link(&token, &headers).await);
        };
        match state.links.form_proof(token.hash(), &key) {
            FormProof::Valid => Ok(Self {
                token,
                form_key: key,
                connection: fields.connection.map(ConnectionId::new),
                confirmation: fields.confirmation,
            }),
            FormProof::TooEarly => Err(state.show_link_with_key(&token, &headers, Some(key)).await),
            FormProof::Invalid => Err(state.show_link(&token, &headers).await),
        }
    }
}

/// Headers that mark a prefetch: of the standard, of older browsers, and of old Firefox.
const PREFETCH_HEADERS: [&str; 3] = ["sec-purpose", "purpose", "x-moz"];

/// Whether another site's page sent the request.
fn is_cross_site(headers: &HeaderMap) -> bool {
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
