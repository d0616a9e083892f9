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
    /// The member said that it was on purpose; what of it can be reconnected all the same has a chance still.
    Dismissed(Vec<Offer>),
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

impl Offer {
    fn is_of(&self, connection: &ConnectionId) -> bool {
        self.button.connection.connection.id == *connection
    }
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
    /// The member said that they disconnected on purpose, and can still change their mind: or it was not they who did,
    /// but a mail scanner that presses whatever it finds.
    AfterAll,
    /// What it was for has ended so.
    Ended(Outcome),
}

impl Chance {
    /// Whether this browser may press the button.
    fn is_good(self) -> bool {
        matches!(self, Self::Open | Self::AfterAll)
    }
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
        if view.buttons.is_empty() {
            return LinkState::Unknown;
        }
        let alive = view.expires_at > self.clock.now();
        let offer = |button: Button| Offer { chance: self.chance(&button, alive, passes), button };
        let mut offers: Vec<_> = view.buttons.into_iter().map(offer).collect();
        if offers.iter().all(|offer| offer.button.state == LapseState::Closed) {
            let ended = |outcome| move |offer: &Offer| offer.button.outcome == Some(outcome);
            return if offers.iter().all(ended(Outcome::Removed)) {
                LinkState::Removed
            } else if offers.iter().any(ended(Outcome::Dismissed)) {
                offers.retain(ended(Outcome::Dismissed));
                LinkState::Dismissed(offers)
            } else {
                LinkState::Recovered
            };
        }
        if !alive {
            return LinkState::Expired;
        }
        if offers.iter().any(|offer| offer.chance == Chance::Open) {
            return LinkState::Ready(offers);
        }
        let go_on = offers.into_iter().filter(|offer| offer.chance == Chance::GoOn);
        LinkState::Used { go_on: go_on.map(|offer| offer.button).collect() }
    }

    fn chance(&self, button: &Button, alive: bool, passes: &Passes<'_>) -> Chance {
        let connection = &button.connection.connection;
        let id = &connection.id;
        let dismissed = button.state == LapseState::Closed;
        if dismissed {
            let outcome = button.outcome.unwrap_or(Outcome::Recovered);
            let broken = connection.status.as_ref().is_some_and(Status::is_broken);
            if outcome != Outcome::Dismissed || !broken || !alive {
                return Chance::Ended(outcome);
            }
        }
        if button.redemptions < self.max_redemptions || passes.shown_for(id) {
            if dismissed { Chance::AfterAll } else { Chance::Open }
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
