//! Service: a link's page, and its buttons except the one that redeems.

use super::confirmation::ConfirmationTokens;
use super::press_limits::PressLimits;
use super::resume::{BrowserProof, ResumeTokens};
use super::state::LinkState;
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::TokenProvider;
use crate::domain::{Button, ConnectionId, LinkRecord, TokenHash};
use crate::gateway::Gateway;
use crate::store::{ResendPolicy, Store, StoreError};
use chrono::TimeDelta;

/// A resent email follows the member's last email by at least this much.
const MIN_RESEND_INTERVAL: TimeDelta = TimeDelta::minutes(5);
/// Resend requests within this time of the last email come from scanners, not from people, and are ignored.
const MIN_RESEND_AGE: TimeDelta = TimeDelta::minutes(1);

/// Shows and redeems links. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LinkService {
    pub(crate) store: Store,
    pub(crate) tokens: TokenProvider,
    pub(crate) gateway: Gateway,
    pub(crate) clock: Clock,
    pub(crate) resume_tokens: ResumeTokens,
    pub(crate) confirmation_tokens: ConfirmationTokens,
    pub(crate) press_limits: PressLimits,
    /// Per button.
    pub(crate) max_redemptions: u32,
    /// The delay of the first recheck after a redemption. `None`: no recheck.
    pub(crate) first_recheck: Option<TimeDelta>,
}

#[derive(Clone, Debug)]
pub(crate) struct LinkPage {
    pub(crate) state: LinkState,
    pub(crate) locale: Option<String>,
    /// The member unsubscribed and can resubscribe.
    pub(crate) unsubscribed: bool,
}

impl LinkService {
    /// The page of a link, as the browser with this proof sees it. Changes nothing.
    pub(crate) async fn view(&self, hash: TokenHash, proof: &BrowserProof) -> Result<LinkPage, StoreError> {
        let Some(record) = self.store.link(hash).await? else {
            return Ok(LinkPage { state: LinkState::NotFound, locale: None, unsubscribed: false });
        };
        let (locale, unsubscribed) = (record.locale.clone(), record.unsubscribed);
        let state = self.state(hash, record, proof);
        Ok(LinkPage { state, locale, unsubscribed })
    }

    pub(super) fn state(&self, hash: TokenHash, record: LinkRecord, proof: &BrowserProof) -> LinkState {
        let now = self.clock.now();
        let resume = |button: &Button| self.resume_tokens.resume(hash, button, proof, now);
        LinkState::decide(record, self.max_redemptions, now, resume)
    }

    /// Records that the member disconnected on purpose, until the connection is CONNECTED again, and returns the page
    /// after that.
    pub(crate) async fn dismiss(
        &self,
        hash: TokenHash,
        connection: Option<&ConnectionId>,
        proof: &BrowserProof,
    ) -> Result<LinkPage, StoreError> {
        if let Some(connection) = connection
            && self.store.dismiss(hash, connection, self.clock.now()).await?
        {
            metrics::count_redemption("dismissed");
        }
        self.view(hash, proof).await
    }

    /// Queues a fresh link to the address on file if a lapse is still open and the limits allow it. The caller cannot
    /// learn whether it did. Returns the member's locale.
    pub(crate) async fn resend(&self, hash: TokenHash) -> Result<Option<String>, StoreError> {
        let record = self.store.link(hash).await?;
        let policy = ResendPolicy { min_age: MIN_RESEND_AGE, min_interval: MIN_RESEND_INTERVAL };
        if let Some(notice) = self.store.resend(hash, self.clock.now(), policy).await? {
            tracing::info!(%notice, "member requested a new link");
        }
        Ok(record.and_then(|record| record.locale))
    }

    /// Resubscribes the member and queues a fresh link. Returns the member's locale.
    pub(crate) async fn resubscribe(&self, hash: TokenHash) -> Result<Option<String>, StoreError> {
        if let Some(member) = self.store.resubscribe_by_link(hash, self.clock.now()).await? {
            tracing::info!(%member, "member resubscribed");
        }
        self.resend(hash).await
    }
}
