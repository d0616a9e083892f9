//! `/hooks/bwell`: messages of b.well. `200` says that there is nothing left to do, so a repeated message succeeds, too.

use super::body::{bytes, unavailable};
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::keyring::Keyring;
use crate::gateway::{GatewayMessage, InvalidMessage, SIGNATURE_HEADER, is_signed};
use crate::store::Store;
use crate::web::problem::Problem;
use crate::web::rate_limit_key::RateLimitKey;
use crate::web::wrong_passwords::WrongPasswords;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

/// There is no registered scheme for a signature in a header of its own.
const CHALLENGE: &str = "HMAC-SHA256";

/// Cheap to clone: each request does it several times.
#[derive(Clone)]
pub(crate) struct BwellState(Arc<BwellServices>);

pub(crate) struct BwellServices {
    /// Not empty.
    pub(crate) secret: SecretString,
    /// Acts for b.well in the audit.
    pub(crate) store: Store,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) clock: Clock,
    pub(crate) wrong_signatures: Arc<WrongPasswords>,
    /// The operator's own proxies in front of the listener.
    pub(crate) trusted_proxies: usize,
}

impl BwellState {
    pub(crate) fn new(services: BwellServices) -> Self {
        Self(Arc::new(services))
    }
}

pub(super) async fn receive(
    State(BwellState(services)): State<BwellState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<(), Response> {
    let client = RateLimitKey::new(peer, request.headers(), services.trusted_proxies);
    // Before the body is read.
    let Some(signature) = request.headers().get(SIGNATURE_HEADER).cloned() else {
        return Err(services.refuse(client));
    };
    let body = bytes(Bytes::from_request(request, &()).await).map_err(Problem::into_response)?;
    if !is_signed(services.secret.expose_secret(), &body, signature.as_bytes()) {
        return Err(services.refuse(client));
    }
    services.accept(&body).await.map_err(Problem::into_response)
}

impl BwellServices {
    /// Wrong signatures are limited, right ones are not.
    fn refuse(&self, client: RateLimitKey) -> Response {
        if let Err(wait) = self.wrong_signatures.count(client) {
            metrics::count_rate_limited_request("hook_signatures");
            return Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong signatures")
                .retry_after(wait)
                .into_response();
        }
        tracing::warn!(event = "wrong_message_signature", "a message to /hooks/bwell has no valid signature");
        let mut response =
            Problem::new(StatusCode::UNAUTHORIZED, "the signature is missing or wrong").into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        response
    }

    async fn accept(&self, body: &[u8]) -> Result<(), Problem> {
        match GatewayMessage::read(body) {
            Ok(GatewayMessage::UserDeleted(subjects)) => self.erase(&subjects).await,
            Ok(GatewayMessage::Other { code }) => {
                tracing::info!(
                    event = "gateway_message_ignored",
                    code,
                    "nothing to do for a message of b.well"
                );
                Ok(())
            }
            Err(error) => Err(unreadable(&error)),
        }
    }

    async fn erase(&self, subjects: &BTreeSet<String>) -> Result<(), Problem> {
        let pseudonym = |member: &_| self.keyring.pseudonym(member);
        let erased = self.store.erase_subjects(subjects, pseudonym, self.clock.now()).await;
        let members = erased.map_err(|error| {
            tracing::error!(event = "members_not_erased", %error, "cannot erase the members whom b.well deleted");
            unavailable(&error)
        })?;
        // Also after a repeated message: the first one may have ended here.
        let is_empty = self.store.truncate_log().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "cannot empty the write-ahead log");
            false
        });
        if !is_empty {
            tracing::warn!(
                event = "erasure_left_traces",
                "the write-ahead log still has traces of erased members; the daemon empties it later"
            );
        }
        tracing::info!(event = "members_erased", members, "erased the members whom b.well deleted");
        Ok(())
    }
}

fn unreadable(error: &InvalidMessage) -> Problem {
    tracing::warn!(event = "unreadable_message", %error, "a message of b.well cannot be read");
    Problem::new(StatusCode::BAD_REQUEST, error)
}
