//! Service: what a link is good for, and its redemption.
//!
//! In this order: read the link, fetch the URL, spend the link, hand the URL on. A gateway that fails leaves the link
//! as good as it was; of any number who press at once, as many as the link allows get through.

use crate::access::{Access, AskError};
use crate::clock::Clock;
use crate::domain::{ConnectionId, LapseState, MemberId, OauthUrl, Outcome, Repair, Status, TokenHash};
use crate::gateway::{Establish, Gateway, Verdict};
use crate::store::{Button, LinkView, Store, StoreError};
use crate::telemetry::metrics;
use chrono::TimeDelta;
use std::time::Duration;

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

/// What a link's page has to say.
#[derive(Clone, Debug)]
pub enum LinkState {
    /// There are buttons to press; with those that were pressed, and those that need not be any more.
    Ready(Vec<Button>),
    /// Every button was pressed.
    Used,
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

/// What pressing a button came to.
#[derive(Debug)]
pub enum Redemption {
    /// The member signs in there.
    Go(OauthUrl),
    /// The gateway reconnected it without the member.
    Reconnected,
    /// The member has to go to the operator's app.
    App,
    /// Not possible (any more); the link's state says why.
    Refused(LinkState),
    /// The gateway cannot say now; the link is as good as before.
    Later(Option<Duration>),
}

impl Redeemer {
    /// What the link is good for now, and the member's locale. Changes nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self, hash: TokenHash) -> Result<(LinkState, Option<String>), StoreError> {
        Ok(match self.store.link(hash).await? {
            None => (LinkState::Unknown, None),
            Some(view) => {
                let locale = view.locale.clone();
                (self.state(view), locale)
            }
        })
    }

    fn state(&self, view: LinkView) -> LinkState {
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
        if view.buttons.iter().any(|button| self.can_be_pressed(button)) {
            LinkState::Ready(view.buttons)
        } else {
            LinkState::Used
        }
    }

    /// Whether a button of a link that is alive can be pressed.
    pub fn can_be_pressed(&self, button: &Button) -> bool {
        button.state != LapseState::Closed && button.redemptions < self.max_redemptions
    }

    /// Presses the button of `connection`, or the only one there is.
    ///
    /// # Errors
    /// The store's. A gateway that fails is [`Redemption::Later`].
    pub async fn redeem(
        &self,
        hash: TokenHash,
        connection: Option<&ConnectionId>,
    ) -> Result<Redemption, StoreError> {
        let Some(view) = self.store.link(hash).await? else {
            return Ok(Redemption::Refused(LinkState::Unknown));
        };
        let member = view.member_id.clone();
        let pressed = view
            .buttons
            .iter()
            .position(|button| connection.is_none_or(|id| button.connection.connection.id == *id));
        let one_of_many = connection.is_none() && view.buttons.len() > 1;
        let button = match pressed {
            Some(index) if !one_of_many => view.buttons[index].clone(),
            _ => return Ok(Redemption::Refused(self.state(view))),
        };
        if button.redemptions >= self.max_redemptions {
            return Ok(Redemption::Refused(LinkState::Used));
        }
        match self.state(view) {
            LinkState::Ready(_) if self.can_be_pressed(&button) => {}
            LinkState::Ready(_) => return Ok(Redemption::Refused(Self::ended(&button))),
            state => return Ok(Redemption::Refused(state)),
        }
        let result = match button.connection.repair() {
            Repair::Oauth => self.send_to_source(hash, &member, &button).await,
            Repair::Direct => self.reconnect_directly(hash, &member, &button).await,
            Repair::App => Ok(Redemption::App),
        };
        let redemption = match result {
            Ok(redemption) => redemption,
            Err(AskError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(%member, connection = %button.connection.connection.id, %error, "cannot redeem now");
                Redemption::Later(patience(&error))
            }
        };
        metrics::redemption(redemption.code());
        Ok(redemption)
    }

    async fn send_to_source(
        &self,
        hash: TokenHash,
        member: &MemberId,
        button: &Button,
    ) -> Result<Redemption, AskError> {
        let id = &button.connection.connection.id;
        let grant = self.access.grant(member).await?;
        let url = self
            .access
            .ask(member, grant, |token| async move { self.gateway.oauth_url(&token, id).await })
            .await?;
        Ok(if self.spend(hash, member, button).await? {
            Redemption::Go(url)
        } else {
            Redemption::Refused(self.look(hash).await?.0)
        })
    }

    async fn reconnect_directly(
        &self,
        hash: TokenHash,
        member: &MemberId,
        button: &Button,
    ) -> Result<Redemption, AskError> {
        let connection = &button.connection.connection;
        // Spent first: unlike fetching a URL, this takes effect at the gateway, and must not be done twice.
        if !self.spend(hash, member, button).await? {
            return Ok(Redemption::Refused(self.look(hash).await?.0));
        }
        let grant = self.access.grant(member).await?;
        let asked = self.access.ask(member, grant, |token| async move {
            if connection.status == Some(Status::Disconnected) {
                self.gateway.activate_direct(&token, &connection.id).await.map(drop)
            } else {
                self.gateway.establish(&token, &connection.id, Establish::Direct).await.map(drop)
            }
        });
        match asked.await {
            Ok(()) => Ok(Redemption::Reconnected),
            Err(error) => {
                self.store.give_back(hash, &connection.id).await?;
                Err(error)
            }
        }
    }

    async fn spend(&self, hash: TokenHash, member: &MemberId, button: &Button) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let recheck_at = self.first_recheck.map(|after| now + after);
        let id = &button.connection.connection.id;
        let spent = self.store.redeem(hash, id, self.max_redemptions, now, recheck_at).await?;
        if spent {
            tracing::info!(%member, connection = %id, "link redeemed");
        }
        Ok(spent)
    }

    fn ended(button: &Button) -> LinkState {
        match button.outcome {
            Some(Outcome::Removed) => LinkState::Removed,
            Some(Outcome::Dismissed) => LinkState::Dismissed,
            _ => LinkState::Recovered,
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
    pub async fn dismiss(&self, hash: TokenHash, connection: &ConnectionId) -> Result<LinkState, StoreError> {
        if self.store.dismiss(hash, connection, self.clock.now()).await? {
            metrics::redemption("dismissed");
        }
        Ok(self.look(hash).await?.0)
    }

    /// Has a fresh link mailed to the address on file, where there is something to reconnect still and the last mail
    /// is not too young. Whether it does is not for the caller to know.
    ///
    /// # Errors
    /// The store's.
    pub async fn resend(&self, hash: TokenHash) -> Result<(), StoreError> {
        let now = self.clock.now();
        if let Some(notice) = self.store.resend(hash, now, now - RESEND_GAP).await? {
            tracing::info!(%notice, "a member asked for a new mail");
        }
        Ok(())
    }
}

impl Redemption {
    fn code(&self) -> &'static str {
        match self {
            Self::Go(_) => "sent_to_source",
            Self::Reconnected => "reconnected",
            Self::App => "sent_to_app",
            Self::Refused(_) => "refused",
            Self::Later(_) => "gateway_down",
        }
    }
}

fn patience(error: &AskError) -> Option<Duration> {
    match error {
        AskError::Gateway(error) => match error.verdict() {
            Verdict::Retry { after } => after,
            _ => None,
        },
        _ => None,
    }
}
