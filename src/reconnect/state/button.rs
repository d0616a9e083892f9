//! Pure: the state of a button, decided once for the page that shows it and for the redemption.

use crate::domain::{Button, ConnectionId, LapseState, Outcome, Outlook, Repair, Snooze, SourceType, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ButtonState {
    Available,
    /// Used within the last ten minutes, but this request carries no resume cookie. The cookie is `SameSite=Strict`, so a
    /// browser that arrives from an email or from the source never sends it.
    ResumeElsewhere,
    Used,
    /// The member, or a mail scanner, dismissed the lapse. Pressing the button reopens it.
    Dismissed,
    /// The link expired, or the connection has recovered since the email and broke again: only a newer link works.
    Superseded,
    /// The gateway's last response left the connection out, which is not confirmed.
    Missing,
    Closed(Outcome),
}

/// Whether a used button can be pressed again without another redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    No,
    /// Only by the browser that redeemed it, and the request has no proof that it comes from there.
    Elsewhere,
    Here,
}

/// A button as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ButtonView {
    pub(crate) connection_id: ConnectionId,
    /// The source's name; any text.
    pub(crate) name: String,
    /// For a source without a visible name.
    pub(crate) source_type: Option<SourceType>,
    pub(crate) repair: Repair,
    pub(crate) state: ButtonState,
    /// Offers "I disconnected this on purpose".
    pub(crate) can_dismiss: bool,
    /// A dismissal of the lapse is the member's own, not an operator's.
    pub(crate) dismissed_by_member: bool,
    /// Of a button that is available.
    pub(crate) outlook: Outlook,
}

impl ButtonState {
    pub(crate) fn decide(button: &Button, is_alive: bool, max_redemptions: u32, resume: Resume) -> Self {
        let outcome = closed_outcome(button);
        if let Some(outcome) = outcome {
            let is_broken = button.connection.status.as_ref().is_some_and(Status::is_broken);
            if outcome != Outcome::Dismissed || !is_broken || !is_alive || button.superseded {
                return Self::Closed(outcome);
            }
        } else if button.superseded || !is_alive {
            return Self::Superseded;
        }
        if button.is_missing {
            return outcome.map_or(Self::Missing, Self::Closed);
        }
        if button.redemptions < max_redemptions || resume == Resume::Here {
            if outcome.is_some() { Self::Dismissed } else { Self::Available }
        } else if button.connection.source.repair() == Repair::Oauth && resume == Resume::Elsewhere {
            Self::ResumeElsewhere
        } else {
            Self::Used
        }
    }

    pub(crate) fn is_pressable(self) -> bool {
        matches!(self, Self::Available | Self::Dismissed)
    }

    /// A stable code, which pages carry as `data-state`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::ResumeElsewhere => "resume_elsewhere",
            Self::Used => "used",
            Self::Dismissed => "dismissed",
            Self::Superseded => "superseded",
            Self::Missing => "missing",
            Self::Closed(Outcome::Recovered) => "closed_recovered",
            Self::Closed(Outcome::Removed) => "closed_removed",
            Self::Closed(Outcome::Dismissed) => "closed_dismissed",
        }
    }
}

impl ButtonView {
    /// Offers to undo what the member chose on the page.
    pub(crate) fn can_undo(&self) -> bool {
        self.is_snoozed() || (self.state == ButtonState::Dismissed && self.dismissed_by_member)
    }

    pub(crate) fn is_snoozed(&self) -> bool {
        self.outlook.snooze == Snooze::Active
    }

    pub(super) fn new(button: Button, state: ButtonState) -> Self {
        let is_disconnected = button.connection.status == Some(Status::Disconnected);
        Self {
            can_dismiss: button.state == LapseState::Open && is_disconnected && !button.is_missing,
            dismissed_by_member: button.dismissed_by_member,
            outlook: if state == ButtonState::Available { button.outlook } else { Outlook::default() },
            repair: button.connection.source.repair(),
            connection_id: button.connection.id,
            source_type: button.connection.source.source_type,
            name: button.connection.source.name,
            state,
        }
    }
}

/// The outcome of the button's lapse. While the next break is only suspected, the earlier lapse counts as ended.
pub(super) fn closed_outcome(button: &Button) -> Option<Outcome> {
    let is_suspected_again = button.superseded && button.state == LapseState::Suspected;
    (button.state == LapseState::Closed || is_suspected_again)
        .then(|| button.outcome.unwrap_or(Outcome::Recovered))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Category, Connection, Source};

    pub(crate) fn button(id: &str, status: &str, state: LapseState, outcome: Option<Outcome>) -> Button {
        let connection = Connection {
            id: id.into(),
            source: Source { name: id.to_owned(), category: Some(Category::Oauth), ..Source::default() },
            status: Some(status.into()),
            sync_status: None,
            sync_errors: Vec::new(),
            last_synced: None,
        };
        Button {
            connection,
            gateway_id: id.into(),
            is_missing: false,
            state,
            outcome,
            redemptions: 0,
            redeemed_at: None,
            last_form_key: None,
            superseded: false,
            dismissed_by_member: false,
            outlook: Outlook::default(),
        }
    }

    #[test]
    fn only_an_open_lapse_of_a_listed_connection_that_is_disconnected_can_be_dismissed() {
        use LapseState::{Closed, Open};
        let state_of = |button: &Button| ButtonState::decide(button, true, 1, Resume::No);
        let disconnected = || button("a", "DISCONNECTED", Open, None);
        for (button, expected) in [
            (disconnected(), true),
            (button("a", "EXPIRED", Open, None), false),
            (button("a", "DISCONNECTED", Closed, Some(Outcome::Dismissed)), false),
            (Button { is_missing: true, ..disconnected() }, false),
        ] {
            let state = state_of(&button);
            assert_eq!(ButtonView::new(button, state).can_dismiss, expected, "{state:?}");
        }
    }

    #[test]
    fn only_a_button_that_is_available_has_an_outlook() {
        let outlook = Outlook { snooze: Snooze::Active, ..Outlook::default() };
        let open = || Button { outlook, ..button("a", "EXPIRED", LapseState::Open, None) };
        assert_eq!(ButtonView::new(open(), ButtonState::Available).outlook, outlook);
        assert_eq!(ButtonView::new(open(), ButtonState::Used).outlook, Outlook::default());
    }

    #[test]
    fn each_button_has_one_state() {
        use LapseState::{Closed, Open, Suspected};
        use Outcome::{Dismissed, Recovered, Removed};
        let expired = || button("a", "EXPIRED", Open, None);
        let used = || Button { redemptions: 1, ..expired() };
        let direct = |button: Button| Button {
            connection: Connection {
                source: Source { is_direct: true, ..Source::default() },
                ..button.connection.clone()
            },
            ..button
        };
        let dismissed = |status| button("a", status, Closed, Some(Dismissed));
        let superseded =
            |state| Button { superseded: true, ..button("a", "EXPIRED", state, Some(Recovered)) };
        let missing = |button| Button { is_missing: true, ..button };
        #[rustfmt::skip]
        let rows = [
            ("a broken connection can be reconnected", expired(), true, Resume::No, "available"),
            ("until the link expires", expired(), false, Resume::No, "superseded"),
            ("one redemption uses the button", used(), true, Resume::No, "used"),
            ("the browser that redeemed can resume", used(), true, Resume::Here, "available"),
            ("another browser is told so", used(), true, Resume::Elsewhere, "resume_elsewhere"),
            ("a direct connection needs no sign-in to resume", direct(used()), true, Resume::Elsewhere, "used"),
            ("resuming ends with the link", used(), false, Resume::Here, "superseded"),
            ("a dismissed lapse can be reopened", dismissed("DISCONNECTED"), true, Resume::No, "dismissed"),
            ("while the link is alive", dismissed("DISCONNECTED"), false, Resume::No, "closed_dismissed"),
            ("while the connection is broken", dismissed("ACCESS_ENDED"), true, Resume::No, "closed_dismissed"),
            ("and no recovery has ended the link", Button { superseded: true, ..dismissed("DISCONNECTED") }, true, Resume::No, "closed_dismissed"),
            ("and listed", missing(dismissed("DISCONNECTED")), true, Resume::No, "closed_dismissed"),
            ("a recovery closes the button", button("a", "CONNECTED", Closed, Some(Recovered)), true, Resume::Here, "closed_recovered"),
            ("a removal does, too", button("a", "DELETED", Closed, Some(Removed)), true, Resume::No, "closed_removed"),
            ("after a recovery, a new break needs a new link", superseded(Open), true, Resume::Here, "superseded"),
            ("a suspected break is not a new break yet", superseded(Suspected), true, Resume::No, "closed_recovered"),
            ("a connection that is not listed waits", missing(expired()), true, Resume::No, "missing"),
            ("even if it was used", missing(used()), true, Resume::Here, "missing"),
        ];
        for (sentence, button, is_alive, resume, expected) in rows {
            let state = ButtonState::decide(&button, is_alive, 1, resume);
            assert_eq!(state.as_str(), expected, "{sentence}");
        }
    }
}
