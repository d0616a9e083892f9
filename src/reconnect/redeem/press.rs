//! Redemption. In this order: read the link, fetch the URL, spend the link, hand the URL on. A gateway that fails leaves
//! the link as good as it was; of any number who press at once, as many as the link allows get through.
//!
//! A redemption gives its browser a pass, with which it may press the button again for a few minutes, for those who come
//! back from the source's sign-in without having finished. That spends nothing.

use super::{LinkState, Offer, Redeemer, Shown};
use crate::base::random;
use crate::base::telemetry::metrics;
use crate::credentials::token_provider::CallError;
use crate::domain::{ConnectionId, OauthUrl, PassHash, PassToken, Repair, Status, TokenHash};
use crate::gateway::{Establish, Verdict};
use crate::store::{Button, LinkView, Press, StoreError};
use chrono::TimeDelta;
use std::time::Duration;

/// How long the browser that redeemed may press again.
pub(crate) const PASS_TTL: TimeDelta = TimeDelta::minutes(10);

/// What pressing a button came to, and in which language to say so.
#[derive(Debug)]
pub(crate) struct Pressed {
    /// What it came to.
    pub(crate) redemption: Redemption,
    /// The member's locale, if they have one.
    pub(crate) locale: Option<String>,
    /// Whether the member has asked for no more mail.
    pub(crate) stopped: bool,
}

/// What pressing a button came to.
#[derive(Debug)]
pub(crate) enum Redemption {
    /// The member signs in there.
    Go {
        /// Where.
        url: OauthUrl,
        /// For the browser to keep, when this was a redemption.
        pass: Option<Pass>,
    },
    /// The gateway reconnected it without the member.
    Reconnected {
        /// Whether the page has more to press.
        more: bool,
    },
    /// The member has to go to the operator's app.
    App,
    /// Not possible (any more); the link's state says why.
    Refused(LinkState),
    /// This button was pressed; others of the link are there still.
    SpentOne(Vec<Offer>),
    /// The gateway cannot say now; the link is as good as before.
    Later(Option<Duration>),
    /// Nor will it say soon: the operator has something to put right. The link is as good as before.
    NoWay,
}

/// What a browser shows to press the button of one connection again.
#[derive(Debug)]
pub(crate) struct Pass {
    /// For this one alone.
    pub(crate) connection: ConnectionId,
    /// The secret.
    pub(crate) token: PassToken,
}

impl Redeemer {
    /// Presses the button of `connection`, or the only one there is, in a browser that shows this.
    ///
    /// # Errors
    /// The store's. A gateway that fails is [`Redemption::Later`] or [`Redemption::NoWay`].
    pub(crate) async fn redeem(
        &self,
        hash: TokenHash,
        connection: Option<&ConnectionId>,
        shown: &Shown,
    ) -> Result<Pressed, StoreError> {
        let Some(view) = self.store.link(hash).await? else {
            let redemption = Redemption::Refused(LinkState::Unknown);
            return Ok(Pressed { redemption, locale: None, stopped: false });
        };
        let (locale, stopped) = (view.locale.clone(), view.stopped);
        let redemption = self.press(hash, view, connection, shown).await?;
        Ok(Pressed { redemption, locale, stopped })
    }

    async fn press(
        &self,
        hash: TokenHash,
        view: LinkView,
        connection: Option<&ConnectionId>,
        shown: &Shown,
    ) -> Result<Redemption, StoreError> {
        let passes = self.passes(hash, &view, shown).await?;
        let member = view.member_id.clone();
        let pressed = view
            .buttons
            .iter()
            .position(|button| connection.is_none_or(|id| button.connection.connection.id.is_same(id)));
        let one_of_many = connection.is_none() && view.buttons.len() > 1;
        let button = match pressed {
            Some(index) if !one_of_many => view.buttons[index].clone(),
            _ => return Ok(Redemption::Refused(plainly(self.state(view, &passes)))),
        };
        let id = &button.connection.connection.id;
        let again = passes.shown_for(id);
        let spent = button.redemptions >= self.max_redemptions;
        let more = match self.state(view, &passes) {
            LinkState::Ready(offers) | LinkState::Dismissed(offers) if can_be_pressed(&offers, id) => {
                offers.iter().any(|offer| !offer.is_of(id) && offer.chance.is_good())
            }
            LinkState::Ready(offers) if spent => return Ok(Redemption::SpentOne(offers)),
            _ if spent => return Ok(Redemption::Refused(LinkState::USED)),
            state => return Ok(Redemption::Refused(plainly(state))),
        };
        let now = self.clock.now();
        let press = Press {
            link: hash,
            member: &member,
            connection: id,
            at: now,
            recheck_at: self.first_recheck.map(|after| now + after),
        };
        let result = match button.connection.repair() {
            Repair::Oauth => self.send_to_source(&press, &button, shown, again).await,
            Repair::Direct if again => Ok(Redemption::Reconnected { more }),
            Repair::Direct => self.reconnect_directly(&press, &button, shown, more).await,
            Repair::App => Ok(Redemption::App),
        };
        let redemption = match result {
            Ok(redemption) => redemption,
            Err(CallError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(%member, connection = %id, %error, "cannot redeem now");
                in_vain(&error)
            }
        };
        metrics::count_redemption(redemption.code());
        Ok(redemption)
    }

    async fn send_to_source(
        &self,
        press: &Press<'_>,
        button: &Button,
        shown: &Shown,
        again: bool,
    ) -> Result<Redemption, CallError> {
        let credentials = self.access.credentials(press.member).await?;
        let id = &button.connection.gateway_id;
        let ask = |token| async move { self.gateway.oauth_url(&token, id).await };
        let url = self.access.call_as(press.member, credentials, ask).await?;
        // The gateway took its time.
        let press = &self.anew(press);
        if !again {
            let token = random::pass_token();
            let passes: Vec<PassHash> = [token.hash()].into_iter().chain(shown.visit).collect();
            if self.spend(press, &passes).await? {
                let pass = Some(Pass { connection: press.connection.clone(), token });
                return Ok(Redemption::Go { url, pass });
            }
        }
        // Spent, but perhaps by this browser, even a moment ago by the same press.
        if !self.may_go_on(press, shown).await? {
            return self.refuse(press.link).await;
        }
        self.store.pressed_again(press).await?;
        tracing::info!(member = %press.member, connection = %press.connection, "pressed again by the same browser");
        Ok(Redemption::Go { url, pass: None })
    }

    async fn reconnect_directly(
        &self,
        press: &Press<'_>,
        button: &Button,
        shown: &Shown,
        more: bool,
    ) -> Result<Redemption, CallError> {
        let connection = &button.connection.connection;
        let id = &button.connection.gateway_id;
        // Spent first: unlike fetching a URL, this takes effect at the gateway, and must not be done twice.
        if !self.spend(press, shown.visit.as_slice()).await? {
            if self.may_go_on(press, shown).await? {
                return Ok(Redemption::Reconnected { more });
            }
            return self.refuse(press.link).await;
        }
        let credentials = self.access.credentials(press.member).await?;
        let asked = self.access.call_as(press.member, credentials, |token| async move {
            if connection.status == Some(Status::Disconnected) {
                self.gateway.activate_direct(&token, id).await.map(drop)
            } else {
                self.gateway.establish(&token, id, Establish::Direct).await.map(drop)
            }
        });
        match asked.await {
            Ok(()) => Ok(Redemption::Reconnected { more }),
            Err(error) => {
                self.store.give_back(press.link, &connection.id).await?;
                Err(error)
            }
        }
    }

    fn anew<'a>(&self, press: &Press<'a>) -> Press<'a> {
        let at = self.clock.now();
        Press { at, recheck_at: self.first_recheck.map(|after| at + after), ..*press }
    }

    async fn spend(&self, press: &Press<'_>, passes: &[PassHash]) -> Result<bool, StoreError> {
        let until = press.at + PASS_TTL;
        let spent = self.store.redeem(press, self.max_redemptions, passes, until).await?;
        if spent {
            tracing::info!(member = %press.member, connection = %press.connection, "link redeemed");
        }
        Ok(spent)
    }

    /// Whether the link, the lapse and the pass are good still.
    async fn may_go_on(&self, press: &Press<'_>, shown: &Shown) -> Result<bool, StoreError> {
        Ok(match self.look(press.link, shown).await?.link {
            LinkState::Ready(offers) | LinkState::Dismissed(offers) => {
                can_be_pressed(&offers, press.connection)
            }
            _ => false,
        })
    }

    async fn refuse(&self, hash: TokenHash) -> Result<Redemption, CallError> {
        Ok(Redemption::Refused(plainly(self.look(hash, &Shown::default()).await?.link)))
    }
}

/// Who has pressed in vain is not told to press the same again.
fn plainly(link: LinkState) -> LinkState {
    match link {
        LinkState::Used { .. } => LinkState::USED,
        other => other,
    }
}

fn can_be_pressed(offers: &[Offer], connection: &ConnectionId) -> bool {
    offers.iter().any(|offer| offer.is_of(connection) && offer.chance.is_good())
}

impl Redemption {
    fn code(&self) -> &'static str {
        match self {
            Self::Go { pass: Some(_), .. } => "sent_to_source",
            Self::Go { pass: None, .. } => "sent_again",
            Self::Reconnected { .. } => "reconnected",
            Self::App => "sent_to_app",
            Self::Refused(_) | Self::SpentOne(_) => "refused",
            Self::Later(_) => "gateway_down",
            Self::NoWay => "no_way",
        }
    }
}

/// What a press comes to for which the gateway gave no way.
fn in_vain(error: &CallError) -> Redemption {
    match error {
        CallError::NoToken { .. } => Redemption::NoWay,
        CallError::Gateway(error) => match error.verdict() {
            Verdict::Retry { after } => Redemption::Later(after),
            Verdict::Unauthorized => Redemption::Later(None),
            Verdict::Rejected | Verdict::Forbidden | Verdict::Permanent => Redemption::NoWay,
        },
        _ => Redemption::Later(None),
    }
}
