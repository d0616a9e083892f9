//! Service: what a link is good for, and what its page's buttons do. [`press`] redeems.

mod press;
mod state;

pub(crate) use press::{PASS_TTL, Pass, Redemption};
pub(crate) use state::{Chance, LinkState, Offer, Shown};

use crate::base::clock::Clock;
use crate::base::telemetry::metrics;
use crate::credentials::token_provider::TokenProvider;
use crate::domain::{ConnectionId, LapseState, Status, TokenHash};
use crate::gateway::Gateway;
use crate::store::{Button, LinkView, Pace, Store, StoreError};
use chrono::TimeDelta;
use state::Passes;

/// Between a member's last mail and another one that they ask for. One that is asked for sooner waits.
const RESEND_GAP: TimeDelta = TimeDelta::minutes(5);
/// Nobody who has just got a mail finds so soon that its link is of no use: a scanner asks.
const RESEND_SOONEST: TimeDelta = TimeDelta::minutes(1);

/// Reads and redeems links. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Redeemer {
    /// Where links are.
    pub(crate) store: Store,
    /// To ask as the member.
    pub(crate) access: TokenProvider,
    /// For the reconnect URL.
    pub(crate) gateway: Gateway,
    /// The time.
    pub(crate) clock: Clock,
    /// Redemptions that one button allows.
    pub(crate) max_redemptions: u32,
    /// When the member is polled first after a redemption.
    pub(crate) first_recheck: Option<TimeDelta>,
}

/// What a link's page has to say, and in which language.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// What it is good for, to the browser that asks.
    pub(crate) link: LinkState,
    /// The member's locale, if they have one.
    pub(crate) locale: Option<String>,
    /// Whether the member has asked for no more mail, which they can take back.
    pub(crate) stopped: bool,
}

impl Redeemer {
    /// What the link is good for now, to a browser that shows this. Changes nothing.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn look(&self, hash: TokenHash, shown: &Shown) -> Result<Look, StoreError> {
        let Some(view) = self.store.link(hash).await? else {
            return Ok(Look { link: LinkState::Unknown, locale: None, stopped: false });
        };
        let passes = self.passes(hash, &view, shown).await?;
        let (locale, stopped) = (view.locale.clone(), view.stopped);
        Ok(Look { link: self.state(view, &passes), locale, stopped })
    }

    async fn passes<'a>(
        &self,
        hash: TokenHash,
        view: &LinkView,
        shown: &'a Shown,
    ) -> Result<Passes<'a>, StoreError> {
        // There are none before the first redemption.
        let kept = match view.buttons.iter().any(|button| button.redemptions > 0) {
            true => self.store.passes(hash, self.clock.now()).await?,
            false => Vec::new(),
        };
        Ok(Passes { kept, shown })
    }

    fn state(&self, view: LinkView, passes: &Passes<'_>) -> LinkState {
        LinkState::of(view, passes, self.max_redemptions, self.clock.now())
    }

    /// Whether the member may say of a button's connection that they disconnected it on purpose.
    pub(crate) fn can_be_dismissed(&self, button: &Button) -> bool {
        let is_here = !button.connection.is_missing;
        is_here
            && button.state == LapseState::Open
            && button.connection.connection.status == Some(Status::Disconnected)
    }

    /// Takes the member's word that they disconnected on purpose: nothing more is said of it until the connection has
    /// been CONNECTED again. Gives how the link stands then.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn dismiss(
        &self,
        hash: TokenHash,
        connection: Option<&ConnectionId>,
        shown: &Shown,
    ) -> Result<Look, StoreError> {
        if let Some(connection) = connection
            && self.store.dismiss(hash, connection, self.clock.now()).await?
        {
            metrics::count_redemption("dismissed");
        }
        self.look(hash, shown).await
    }

    /// Has a fresh link mailed to the address on file, where there is something to reconnect still and not too many were
    /// asked for. Whether it does is not for the caller to know; gives the member's locale.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn resend(&self, hash: TokenHash) -> Result<Option<String>, StoreError> {
        let now = self.clock.now();
        let link = self.store.link(hash).await?;
        let pace = Pace { soonest: RESEND_SOONEST, gap: RESEND_GAP };
        if let Some(notice) = self.store.resend(hash, now, pace).await? {
            tracing::info!(%notice, "a member asked for a new mail");
        }
        Ok(link.and_then(|link| link.locale))
    }

    /// Takes back that the member wants no mails, and has a fresh link mailed.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn resume(&self, hash: TokenHash) -> Result<Option<String>, StoreError> {
        if let Some(member) = self.store.resume_by_link(hash, self.clock.now()).await? {
            tracing::info!(%member, now = "wants mails again", "a member has said whether they want mails");
        }
        self.resend(hash).await
    }
}
