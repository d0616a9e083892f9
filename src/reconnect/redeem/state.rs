//! Pure: what a link is good for, to the browser that asks.

use crate::domain::{ConnectionId, LapseState, Outcome, PassHash, Repair, Status, Time};
use crate::store::{Button, LinkView};

/// What a link is good for.
#[derive(Clone, Debug)]
pub(crate) enum LinkState {
    /// There are buttons to press; with those that were pressed, and those that need not be any more.
    Ready(Vec<Offer>),
    /// Every button was pressed.
    Used {
        /// Those that another browser than this one may press again.
        go_on: Vec<Button>,
    },
    /// Too old, or of a break that is over: since then there was another.
    Expired,
    /// All that it was about is connected again.
    Recovered,
    /// All that it was about is gone.
    Removed,
    /// The gateway's last response left out all that could be pressed, which is not confirmed.
    Missing,
    /// The member said that it was on purpose; what of it can be reconnected all the same has a chance still.
    Dismissed(Vec<Offer>),
    /// No such link, or no longer.
    Unknown,
}

/// One button, and what it does for the browser that asks.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// The button.
    pub(crate) button: Button,
    /// What pressing it comes to.
    pub(crate) chance: Chance,
}

impl Offer {
    pub(super) fn is_of(&self, connection: &ConnectionId) -> bool {
        self.button.connection.connection.id == *connection
    }
}

/// What pressing a button comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
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
    /// The break that it was for is over, and there is another.
    Outlived,
    /// The gateway's last response left the connection out; nobody knows yet whether it is gone.
    Missing,
    /// What it was for has ended so.
    Ended(Outcome),
}

impl Chance {
    /// Whether this browser may press the button.
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Open | Self::AfterAll)
    }
}

/// What a browser shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Passes that it was given.
    pub(crate) passes: Vec<PassHash>,
    /// What the page that it presses on was marked with, so that the same press made twice is known as one: whoever
    /// presses twice has dropped the answer to the first press, pass and all.
    pub(crate) visit: Option<PassHash>,
}

/// The passes of a link that are good still, and what a browser shows.
pub(super) struct Passes<'a> {
    pub(super) kept: Vec<(ConnectionId, PassHash)>,
    pub(super) shown: &'a Shown,
}

impl Passes<'_> {
    fn any_for(&self, connection: &ConnectionId) -> bool {
        self.kept.iter().any(|(id, _)| id == connection)
    }

    pub(super) fn shown_for(&self, connection: &ConnectionId) -> bool {
        let is_shown = |pass| self.shown.passes.contains(pass) || self.shown.visit.as_ref() == Some(pass);
        self.kept.iter().any(|(id, pass)| id == connection && is_shown(pass))
    }
}

impl LinkState {
    /// Used, and nothing more to say of it.
    pub(super) const USED: Self = Self::Used { go_on: Vec::new() };

    /// Of a link whose buttons can each be pressed `most` times.
    pub(super) fn of(view: LinkView, passes: &Passes<'_>, most: u32, now: Time) -> Self {
        if view.buttons.is_empty() {
            return Self::Unknown;
        }
        let alive = view.expires_at > now;
        let offer = |button: Button| Offer { chance: chance(&button, alive, passes, most), button };
        let mut offers: Vec<_> = view.buttons.into_iter().map(offer).collect();
        let outcomes: Vec<_> = offers.iter().filter_map(|offer| over(&offer.button)).collect();
        if outcomes.len() == offers.len() {
            return if outcomes.iter().all(|outcome| *outcome == Outcome::Removed) {
                Self::Removed
            } else if outcomes.contains(&Outcome::Dismissed) {
                offers.retain(|offer| over(&offer.button) == Some(Outcome::Dismissed));
                Self::Dismissed(offers)
            } else {
                Self::Recovered
            };
        }
        if offers.iter().any(|offer| offer.chance.is_good()) {
            return Self::Ready(offers);
        }
        if !alive || offers.iter().all(|offer| matches!(offer.chance, Chance::Ended(_) | Chance::Outlived)) {
            return Self::Expired;
        }
        if offers
            .iter()
            .all(|offer| matches!(offer.chance, Chance::Missing | Chance::Ended(_) | Chance::Outlived))
        {
            return Self::Missing;
        }
        let go_on = offers.into_iter().filter(|offer| offer.chance == Chance::GoOn);
        Self::Used { go_on: go_on.map(|offer| offer.button).collect() }
    }
}

/// How what a button is for ended, if it did. While a new break is only suspected, the old one is over.
fn over(button: &Button) -> Option<Outcome> {
    let suspected_again = button.outlived && button.state == LapseState::Suspected;
    (button.state == LapseState::Closed || suspected_again)
        .then(|| button.outcome.unwrap_or(Outcome::Recovered))
}

fn chance(button: &Button, alive: bool, passes: &Passes<'_>, most: u32) -> Chance {
    let connection = &button.connection.connection;
    let outcome = over(button);
    if let Some(outcome) = outcome {
        let broken = connection.status.as_ref().is_some_and(Status::is_broken);
        if outcome != Outcome::Dismissed || !broken || !alive {
            return Chance::Ended(outcome);
        }
    } else if button.outlived || !alive {
        return Chance::Outlived;
    }
    if button.connection.is_missing {
        return outcome.map_or(Chance::Missing, Chance::Ended);
    }
    if button.redemptions < most || passes.shown_for(&connection.id) {
        if outcome.is_some() { Chance::AfterAll } else { Chance::Open }
    } else if button.connection.repair() == Repair::Oauth && passes.any_for(&connection.id) {
        Chance::GoOn
    } else {
        Chance::Spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Connection, MemberId};
    use crate::store::StoredConnection;

    fn button(id: &str, status: &str, state: LapseState, outcome: Option<Outcome>) -> Button {
        let connection = Connection {
            id: id.into(),
            name: id.to_owned(),
            category: None,
            source_type: None,
            integration_type: None,
            is_direct: false,
            status: Some(status.into()),
            sync_status: None,
            sync_errors: Vec::new(),
            last_synced: None,
        };
        let connection = StoredConnection {
            member_id: MemberId::new("m"),
            gateway_id: id.into(),
            is_missing: false,
            connection,
        };
        Button { connection, state, outcome, redemptions: 0, outlived: false }
    }

    /// A state in a word, and the chances of what it shows.
    fn show(state: &LinkState) -> String {
        let chances = |offers: &[Offer]| format!("{:?}", offers.iter().map(|o| o.chance).collect::<Vec<_>>());
        match state {
            LinkState::Ready(offers) => format!("ready {}", chances(offers)),
            LinkState::Dismissed(offers) => format!("dismissed {}", chances(offers)),
            LinkState::Used { go_on } => format!("used, {} to go on with", go_on.len()),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    #[test]
    fn a_link_is_good_for_what_its_buttons_are() {
        use LapseState::{Closed, Open, Suspected};
        use Outcome::{Dismissed, Recovered, Removed};
        let expired = || button("a", "EXPIRED", Open, None);
        let spent = || Button { redemptions: 1, ..expired() };
        let over = |outcome| button("b", "DISCONNECTED", Closed, Some(outcome));
        let outlived = |state| Button { outlived: true, ..button("a", "EXPIRED", state, Some(Recovered)) };
        let connected = || button("b", "CONNECTED", Closed, Some(Dismissed));
        let missing = |button: Button| Button {
            connection: StoredConnection { is_missing: true, ..button.connection.clone() },
            ..button
        };
        #[rustfmt::skip]
        let rows = [
            ("nothing to press is no link", vec![], true, "unknown"),
            ("what is broken can be pressed", vec![expired()], true, "ready [Open]"),
            ("for as long as the link lives", vec![expired()], false, "expired"),
            ("and once", vec![spent()], true, "used, 0 to go on with"),
            ("one of two that is pressed leaves the other", vec![spent(), expired()], true, "ready [Spent, Open]"),
            ("what works again is said to", vec![over(Recovered), expired()], true, "ready [Ended(Recovered), Open]"),
            ("as is what is gone", vec![over(Removed), expired()], true, "ready [Ended(Removed), Open]"),
            ("when all works there is nothing to do", vec![over(Recovered)], true, "recovered"),
            ("however old the link", vec![over(Recovered)], false, "recovered"),
            ("as when the rest is gone", vec![over(Recovered), over(Removed)], true, "recovered"),
            ("when all is gone that is said", vec![over(Removed)], true, "removed"),
            ("what was meant can be reconnected all the same", vec![over(Dismissed)], true, "dismissed [AfterAll]"),
            ("for as long as the link lives, too", vec![over(Dismissed)], false, "dismissed [Ended(Dismissed)]"),
            ("and while it is broken", vec![connected()], true, "dismissed [Ended(Dismissed)]"),
            ("beside one that was pressed", vec![spent(), over(Dismissed)], true, "ready [Spent, AfterAll]"),
            ("and one that works", vec![over(Recovered), over(Dismissed)], true, "dismissed [AfterAll]"),
            ("after a recovery the link is dead", vec![outlived(Open)], true, "expired"),
            ("even if nobody had pressed", vec![outlived(Open), spent()], true, "used, 0 to go on with"),
            ("a connection that the gateway leaves out cannot be pressed", vec![missing(expired())], true, "missing"),
            ("even if it was", vec![missing(spent())], true, "missing"),
            ("nor one beside it that is over", vec![missing(expired()), over(Removed)], true, "missing"),
            ("one that is there can be", vec![missing(expired()), expired()], true, "ready [Missing, Open]"),
            ("one that was pressed is used", vec![missing(expired()), spent()], true, "used, 0 to go on with"),
            ("an old link has expired all the same", vec![missing(expired())], false, "expired"),
            ("what was meant is left alone", vec![missing(over(Dismissed))], true, "dismissed [Ended(Dismissed)]"),
            ("a break that is only suspected is none yet", vec![outlived(Suspected)], true, "recovered"),
        ];
        for (sentence, buttons, alive, expected) in rows {
            let now = Time::UNIX_EPOCH;
            let expires_at = now + chrono::TimeDelta::seconds(if alive { 1 } else { 0 });
            let view = LinkView { member_id: "m".into(), locale: None, stopped: false, expires_at, buttons };
            let passes = Passes { kept: Vec::new(), shown: &Shown::default() };
            assert_eq!(show(&LinkState::of(view, &passes, 1, now)), expected, "{sentence}");
        }
    }
}
