//! Service: what a link is good for, and what its page's buttons do. [`press`] redeems.

mod press;

pub use press::{PASS_TTL, Pass, Pressed, Redemption};

use crate::access::Access;
use crate::clock::Clock;
use crate::domain::{ConnectionId, LapseState, Outcome, PassHash, Status, TokenHash};
use crate::gateway::Gateway;
use crate::store::{Button, LinkView, Store, StoreError};
use crate::telemetry::metrics;
use chrono::TimeDelta;

/// Between a member's last mail and another one that they ask for.
const RESEND_GAP: TimeDelta = TimeDelta::minutes(5);

/// Reads and redeems links. Cheap to clone.
#[derive(Clone)]
pub struct Redeemer {
    /// Where links are.
    pub store: Store,
    /// To ask as the member.
    pub access: Access,
    /// For the reconnect URL.
    pub gateway: Gateway,
    /// The time.
    pub clock: Clock,
    /// Redemptions that one button allows.
    pub max_redemptions: u32,
    /// When the member is polled first after a redemption.
    pub first_recheck: Option<TimeDelta>,
}

/// What a link's page has to say, and in which language.
#[derive(Clone, Debug)]
pub struct Look {
    /// What it is good for, to the browser that asks.
    pub link: LinkState,
    /// The member's locale, if they have one.
    pub locale: Option<String>,
}

/// What a link is good for.
#[derive(Clone, Debug)]
pub enum LinkState {
    /// There are buttons to press; with those that were pressed, and those that need not be any more.
    Ready(Vec<Offer>),
    /// Every button was pressed.
    Used {
        /// Those that another browser than this one may press again.
        go_on: Vec<Button>,
    },
    /// Too old.
    Expired,
    /// All that it was about is connected again.
    Recovered,
    /// All that it was about is gone.
    Removed,
    /// The member said that it was on purpose.
    Dismissed,
    /// No such link, or no longer.
    Unknown,
}

impl LinkState {
    /// Used, and nothing more to say of it.
    const USED: Self = Self::Used { go_on: Vec::new() };
}

/// One button, and what it does for the browser that asks.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The button.
    pub button: Button,
    /// What pressing it comes to.
    pub chance: Chance,
}

/// What pressing a button comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// It can be pressed.
    Open,
    /// It was pressed a few minutes ago. The browser that did may press it again, and this one did not show that it is
    /// the one: a browser that comes from a mail, or back from the source, shows nothing before a form of ours.
    GoOn,
    /// It was pressed.
    Spent,
    /// What it was for has ended.
    Ended,
}

/// The passes of a link that are good still, and those that a browser shows.
struct Passes<'a> {
    kept: Vec<(ConnectionId, PassHash)>,
    shown: &'a [PassHash],
}

impl Passes<'_> {
    fn any_for(&self, connection: &ConnectionId) -> bool {
        self.kept.iter().any(|(id, _)| id == connection)
    }

    fn shown_for(&self, connection: &ConnectionId) -> bool {
        self.kept.iter().any(|(id, pass)| id == connection && self.shown.contains(pass))
    }
}

impl Redeemer {
    /// What the link is good for now, to a browser that shows these passes. Changes nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self, hash: TokenHash, shown: &[PassHash]) -> Result<Look, StoreError> {
        let Some(view) = self.store.link(hash).await? else {
            return Ok(Look { link: LinkState::Unknown, locale: None });
        };
        let passes = self.passes(hash, &view, shown).await?;
        let locale = view.locale.clone();
        Ok(Look { link: self.state(view, &passes), locale })
    }

    async fn passes<'a>(
        &self,
        hash: TokenHash,
        view: &LinkView,
        shown: &'a [PassHash],
    ) -> Result<Passes<'a>, StoreError> {
        // There are none before the first redemption.
        let kept = match view.buttons.iter().any(|button| button.redemptions > 0) {
            true => self.store.passes(hash, self.clock.now()).await?,
            false => Vec::new(),
        };
        Ok(Passes { kept, shown })
    }

    fn state(&self, view: LinkView, passes: &Passes<'_>) -> LinkState {
        let all_ended = |outcome| {
            view.buttons.iter().all(|b| b.state == LapseState::Closed && b.outcome == Some(outcome))
        };
        if view.buttons.is_empty() {
            return LinkState::Unknown;
        }
        if view.buttons.iter().all(|button| button.state == LapseState::Closed) {
            return if all_ended(Outcome::Removed) {
                LinkState::Removed
            } else if all_ended(Outcome::Dismissed) {
                LinkState::Dismissed
            } else {
                LinkState::Recovered
            };
        }
        if view.expires_at <= self.clock.now() {
            return LinkState::Expired;
        }
        let offer = |button: Button| Offer { chance: self.chance(&button, passes), button };
        let offers: Vec<_> = view.buttons.into_iter().map(offer).collect();
        if offers.iter().any(|offer| offer.chance == Chance::Open) {
            return LinkState::Ready(offers);
        }
        let go_on = offers.into_iter().filter(|offer| offer.chance == Chance::GoOn);
        LinkState::Used { go_on: go_on.map(|offer| offer.button).collect() }
    }

    /// Of a button whose link is alive.
    fn chance(&self, button: &Button, passes: &Passes<'_>) -> Chance {
        let id = &button.connection.connection.id;
        if button.state == LapseState::Closed {
            Chance::Ended
        } else if button.redemptions < self.max_redemptions || passes.shown_for(id) {
            Chance::Open
        } else if passes.any_for(id) {
            Chance::GoOn
        } else {
            Chance::Spent
        }
    }

    /// Whether the member may say of a button's connection that they disconnected it on purpose.
    pub fn can_be_dismissed(&self, button: &Button) -> bool {
        button.state == LapseState::Open && button.connection.connection.status == Some(Status::Disconnected)
    }

    /// Takes the member's word that they disconnected on purpose: nothing more is said of it until the connection has
    /// been CONNECTED again. Gives how the link stands then.
    ///
    /// # Errors
    /// The store's.
    pub async fn dismiss(
        &self,
        hash: TokenHash,
        connection: Option<&ConnectionId>,
        shown: &[PassHash],
    ) -> Result<Look, StoreError> {
        if let Some(connection) = connection
            && self.store.dismiss(hash, connection, self.clock.now()).await?
        {
            metrics::redemption("dismissed");
        }
        self.look(hash, shown).await
    }

    /// Has a fresh link mailed to the address on file, where there is something to reconnect still, the last mail is
    /// not too young, and not too many were asked for. Whether it does is not for the caller to know; gives the
    /// member's locale.
    ///
    /// # Errors
    /// The store's.
    pub async fn resend(&self, hash: TokenHash) -> Result<Option<String>, StoreError> {
        let now = self.clock.now();
        let link = self.store.link(hash).await?;
        if let Some(notice) = self.store.resend(hash, now, now - RESEND_GAP).await? {
            tracing::info!(%notice, "a member asked for a new mail");
        }
        Ok(link.and_then(|link| link.locale))
    }
}
