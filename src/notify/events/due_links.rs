//! The links in events about notices, under channel `both`.

use crate::base::random;
use crate::domain::{EventType, LinkToken, Time, TokenHash};
use crate::mail::Renderer;
use crate::store::{EventClaim, Store, StoreError};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::Value;
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub struct DueLinks {
    pub(crate) renderer: Arc<Renderer>,
    pub(crate) ttl: TimeDelta,
}

/// The body of one post. It can have a link, so it is never stored or logged.
pub(super) struct Body {
    pub(super) text: String,
    pub(super) link: Option<TokenHash>,
}

impl DueLinks {
    /// The body of an event. `notice.due` gets a link that is created now; null when nothing needs the member anymore.
    pub(super) async fn body(
        &self,
        claim: &EventClaim,
        store: &Store,
        now: Time,
    ) -> Result<Body, StoreError> {
        if claim.event_type != EventType::NoticeDue.as_str() {
            return Ok(Body { text: claim.body(Vec::new())?, link: None });
        }
        let token = random::link_token();
        let expires_at = now + self.ttl;
        let is_stored = store.add_due_link(claim, token.hash(), now, expires_at).await?;
        let token = Some(token).filter(|_| is_stored);
        let url = token.as_ref().map(|token| self.renderer.link(token));
        let expires = token.as_ref().map(|_| expires_at.to_rfc3339_opts(SecondsFormat::Millis, true));
        let fields = vec![("url", Value::from(url)), ("expires_at", Value::from(expires))];
        Ok(Body { text: claim.body(fields)?, link: token.as_ref().map(LinkToken::hash) })
    }
}
