//! Turns away clients that ask for too much.

use super::PublicState;
use super::response::PageContext;
use crate::base::telemetry::metrics;
use crate::web::client::{Client, is_forwarded};
use crate::web::limits::{Ask, Limits, TooMany};
use crate::web::pages::Page;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Once};

/// Stands before every public page.
#[derive(Clone)]
pub(super) struct Gate {
    limits: Option<Arc<Limits>>,
    state: PublicState,
}

impl Gate {
    pub(super) fn new(state: PublicState) -> Self {
        let limits =
            NonZeroU32::new(state.requests_per_minute).map(|requests| Limits::new(requests, &state.clock));
        Self { limits: limits.map(Arc::new), state }
    }

    fn take(&self, peer: SocketAddr, request: &Request) -> Result<(), TooMany> {
        let Some(limits) = &self.limits else { return Ok(()) };
        let proxies = self.state.trusted_proxies;
        if proxies == 0 && is_forwarded(request.headers()) {
            warn_of_a_proxy();
        }
        limits.take(Client::of(peer, request.headers(), proxies), ask(request))
    }
}

fn ask(request: &Request) -> Ask {
    let path = request.uri().path();
    if request.method() != Method::POST {
        Ask::Look
    } else if path.starts_with("/u/") {
        Ask::OneClick
    } else if path.ends_with("/resend") || path.ends_with("/resubscribe") {
        Ask::Resend
    } else {
        Ask::Press
    }
}

/// All members behind it would count as one client.
fn warn_of_a_proxy() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "requests come through a proxy that nobody trusts: all who come through it share one limit; \
            set links.trusted_proxies to how many proxies of your own there are"
        );
    });
}

/// What is asked too often is answered alike, whatever it was.
pub(super) async fn pass(
    State(gate): State<Gate>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match gate.take(peer, &request) {
        Ok(()) => next.run(request).await,
        Err(TooMany { limit, wait }) => {
            metrics::request_limited(limit);
            let mut response =
                gate.state.page(&PageContext::of_browser(request.headers()), &Page::TooManyRequests);
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
            }
            // Nor does it keep a place among the connections.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}
