//! What a request says, read so that nothing a client can write is answered otherwise than by a page of ours.

use super::PublicState;
use super::answer::Reader;
use crate::domain::{ConnectionId, LinkToken, PassHash, PassToken};
use crate::traffic::RequestSignals;
use crate::web::pages::Page;
use axum::RequestExt;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::Deserialize;
use std::convert::Infallible;

/// The token of a path, whatever stands there.
pub(super) struct Token(pub(super) LinkToken);

impl FromRequestParts<PublicState> for Token {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &PublicState) -> Result<Self, Infallible> {
        // What is no text is no token of ours, and is looked for like any other.
        let mut token =
            Path::<String>::from_request_parts(parts, state).await.map_or(String::new(), |Path(token)| token);
        // Mail programs take the full stop or bracket after an address for a part of it.
        let in_a_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        token.truncate(token.find(|c| !in_a_token(c)).unwrap_or(token.len()));
        Ok(Self(LinkToken::new(token)))
    }
}

/// Which button was pressed. Without a form it is not said: the page has one button, or says what else to do.
#[derive(Default)]
pub(super) struct Pressed {
    /// Whose button it is.
    pub(super) connection: Option<ConnectionId>,
    /// Of the page that it was pressed on, together with the button.
    pub(super) visit: Option<PassHash>,
}

#[derive(Deserialize)]
struct Fields {
    connection: Option<String>,
    visit: Option<String>,
}

impl From<Fields> for Pressed {
    fn from(Fields { connection, visit }: Fields) -> Self {
        let button = connection.as_deref().unwrap_or_default();
        let visit = visit.filter(|visit| !visit.is_empty());
        Self {
            visit: visit.map(|visit| PassToken::new(format!("{visit} {button}")).hash()),
            connection: connection.map(ConnectionId::new),
        }
    }
}

impl FromRequest<PublicState> for Pressed {
    type Rejection = Response;

    /// A form that is cut off, too large or not readable is no press: it may have been meant for another button.
    async fn from_request(request: Request, state: &PublicState) -> Result<Self, Response> {
        let reader = Reader::visitor(request.headers());
        match request.extract::<Form<Fields>, _>().await {
            Ok(Form(fields)) => Ok(fields.into()),
            Err(FormRejection::InvalidFormContentType(_)) => Ok(Self::default()),
            Err(_) => Err(state.page(&reader, &Page::Unreadable)),
        }
    }
}

/// Headers that mark a prefetch: of the standard, of older browsers, and of old Firefox.
const PREFETCH_HEADERS: [&str; 3] = ["sec-purpose", "purpose", "x-moz"];

pub(super) fn request_signals(method: &Method, headers: &HeaderMap) -> RequestSignals {
    let says_prefetch = |name: &&str| {
        headers.get_all(*name).into_iter().any(|value| value.as_bytes().starts_with(b"prefetch"))
    };
    RequestSignals {
        is_head: *method == Method::HEAD,
        is_prefetch: PREFETCH_HEADERS.iter().any(says_prefetch),
    }
}
