//! Service: a link's page, and its buttons except the one that redeems.

use super::confirmation::ConfirmationTokens;
use super::form_keys::{FormKeys, FormProof};
use super::outlook::{can_have_outlook, set_outlooks};
use super::press_limits::PressLimits;
use super::resume::{BrowserProof, ResumeTokens};
use super::state::LinkState;
use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::TokenProvider;
use crate::domain::{Button, ConnectionId, FormKey, LinkRecord, Outcome, Snooze, TokenHash};
use crate::gateway::Gateway;
use crate::notify::plan::Policy;
use crate::store::{ResendOutcome, ResendPolicy, Store, StoreError, Undone};
use chrono::TimeDelta;
use std::sync::Arc;

/// A resent email follows the member's last email by at least this much.
const MIN_RESEND_INTERVAL: TimeDelta = TimeDelta::minutes(5);
/// An email that was sent within this time may not have arrived yet: the page says so and sends no other.
const TRANSIT_TIME: TimeDelta = TimeDelta::minutes(1);

/// Shows and redeems links. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LinkService {
    pub(crate) store: Store,
    pub(crate) tokens: TokenProvider,
    pub(crate) gateway: Gateway,
    pub(crate) clock: Clock,
    pub(crate) resume_tokens: ResumeTokens,
    pub(crate) form_keys: FormKeys,
    pub(crate) confirmation_tokens: ConfirmationTokens,
    pub(crate) press_limits: PressLimits,
    /// Decides whether another email will come.
    pub(crate) policy: Arc<Policy>,
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
        let Some(record) = self.record(hash).await? else {
            return Ok(LinkPage { state: LinkState::NotFound, locale: None, unsubscribed: false });
        };
        let (locale, unsubscribed) = (record.locale.clone(), record.unsubscribed);
        let state = self.state(hash, record, proof);
        Ok(LinkPage { state, locale, unsubscribed })
    }

    /// A link with what its page can promise.
    pub(super) async fn record(&self, hash: TokenHash) -> Result<Option<LinkRecord>, StoreError> {
        let Some(mut record) = self.store.link(hash).await? else { return Ok(None) };
        let now = self.clock.now();
        if can_have_outlook(&record, now)
            && let Some(facts) = self.store.reminder_facts(&record.member_id, hash).await?
        {
            set_outlooks(&mut record, &facts, &self.policy, now);
        }
        Ok(Some(record))
    }

    /// A key for the forms of the page that is about to be shown.
    pub(crate) fn form_key(&self, hash: TokenHash) -> Option<FormKey> {
        self.form_keys.issue(hash, self.clock.now())
    }

    /// What the form of a press proves. The caller must not act without a valid one.
    pub(crate) fn form_proof(&self, hash: TokenHash, key: &FormKey) -> FormProof {
        self.form_keys.verify(key, hash, self.clock.now())
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
        let record = self.store.link(hash).await?;
        if let Some(button) = record.as_ref().and_then(|record| record.chosen(connection))
            && self.store.dismiss(hash, &button.connection.id, self.clock.now()).await?
        {
            metrics::count_redemption("dismissed");
            metrics::count_closed_lapse(Outcome::Dismissed);
        }
        self.view(hash, proof).await
    }

    /// Puts off the next reminder about a connection, if one is to come, and returns the page after that.
    pub(crate) async fn snooze(
        &self,
        hash: TokenHash,
        connection: Option<&ConnectionId>,
        proof: &BrowserProof,
    ) -> Result<LinkPage, StoreError> {
        let record = self.record(hash).await?;
        if let Some(button) = record.as_ref().and_then(|record| record.chosen(connection))
            && button.outlook.snooze == Snooze::Offered
            && self.store.snooze(hash, &button.connection.id, self.clock.now()).await?
        {
            metrics::count_redemption("snoozed");
        }
        self.view(hash, proof).await
    }

    /// Ends the member's dismissal or snooze of a connection, and returns the page after that.
    pub(crate) async fn undo_choice(
        &self,
        hash: TokenHash,
        connection: Option<&ConnectionId>,
        proof: &BrowserProof,
    ) -> Result<LinkPage, StoreError> {
        let record = self.store.link(hash).await?;
        if let Some(button) = record.as_ref().and_then(|record| record.chosen(connection))
            && let Some(undone) = self.store.undo(hash, &button.connection.id, self.clock.now()).await?
        {
            metrics::count_redemption(match undone {
                Undone::Dismissal => "dismissal_undone",
                Undone::Snooze => "snooze_undone",
            });
        }
        self.view(hash, proof).await
    }

    /// Queues a fresh link to the address on file. Returns the link's page, too, for a link that needs no other.
    pub(crate) async fn resend(
        &self,
        hash: TokenHash,
        proof: &BrowserProof,
    ) -> Result<(ResendOutcome, LinkPage), StoreError> {
        let policy = ResendPolicy { transit: TRANSIT_TIME, min_interval: MIN_RESEND_INTERVAL };
        let outcome = self.store.resend(hash, self.clock.now(), policy).await?;
        if let ResendOutcome::Queued(notice) = &outcome {
            tracing::info!(event = "new_link_requested", notice_id = %notice, "member requested a new link");
        }
        Ok((outcome, self.view(hash, proof).await?))
    }

    /// Resubscribes the member and queues a fresh link.
    pub(crate) async fn resubscribe(
        &self,
        hash: TokenHash,
        proof: &BrowserProof,
    ) -> Result<(ResendOutcome, LinkPage), StoreError> {
        if let Some(member) = self.store.resubscribe_by_link(hash, self.clock.now()).await? {
            tracing::info!(event = "member_resubscribed", member_id = %member, "member resubscribed");
        }
        self.resend(hash, proof).await
    }
}
