//! Pure: the state of a link, decided from the states of its buttons.

use super::button::{ButtonState, ButtonView, Resume, closed_outcome};
use crate::domain::{Button, LinkRecord, Outcome, Time};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// At least one button can be pressed. Contains all buttons.
    Ready(Vec<ButtonView>),
    /// No button can be pressed in this browser.
    Used {
        /// Buttons that another browser can press again.
        resumable: Vec<ButtonView>,
    },
    /// The link is too old, or all that is left of it is superseded.
    Expired,
    /// The member's address has changed since, or an operator revoked the link. The page names no source.
    Replaced,
    Recovered,
    Removed,
    /// The gateway's last response left out every connection that could be reconnected, which is not confirmed.
    Missing,
    /// Contains the dismissed buttons; those that can still be pressed are [`ButtonState::Dismissed`].
    Dismissed(Vec<ButtonView>),
    /// There is no such link.
    NotFound,
}

impl LinkState {
    pub(crate) fn decide(
        record: LinkRecord,
        max_redemptions: u32,
        now: Time,
        resume: impl Fn(&Button) -> Resume,
    ) -> Self {
        if record.is_replaced {
            return Self::Replaced;
        }
        let is_alive = record.expires_at > now;
        let outcomes: Vec<_> = record.buttons.iter().map(closed_outcome).collect();
        let mut views: Vec<_> = record
            .buttons
            .into_iter()
            .map(|button| {
                let state = ButtonState::decide(&button, is_alive, max_redemptions, resume(&button));
                ButtonView::new(button, state)
            })
            .collect();
        if views.is_empty() {
            return Self::NotFound;
        }
        if outcomes.iter().all(Option::is_some) {
            return if outcomes.iter().all(|outcome| *outcome == Some(Outcome::Removed)) {
                Self::Removed
            } else if outcomes.contains(&Some(Outcome::Dismissed)) {
                views.retain(|view| {
                    matches!(view.state, ButtonState::Dismissed | ButtonState::Closed(Outcome::Dismissed))
                });
                Self::Dismissed(views)
            } else {
                Self::Recovered
            };
        }
        if views.iter().any(|view| view.state.is_pressable()) {
            return Self::Ready(views);
        }
        let is_over =
            |view: &ButtonView| matches!(view.state, ButtonState::Closed(_) | ButtonState::Superseded);
        if !is_alive || views.iter().all(is_over) {
            return Self::Expired;
        }
        if views.iter().all(|view| is_over(view) || view.state == ButtonState::Missing) {
            return Self::Missing;
        }
        views.retain(|view| view.state == ButtonState::ResumeElsewhere);
        Self::Used { resumable: views }
    }

    /// Without buttons to resume: after a press, this browser has proved that it cannot.
    pub(crate) fn without_resume(self) -> Self {
        match self {
            Self::Used { .. } => Self::Used { resumable: Vec::new() },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LapseState;
    use crate::reconnect::state::button::tests::button;

    /// The link's state and the states of the buttons that it shows.
    fn codes(state: &LinkState) -> String {
        let states = |views: &[ButtonView]| {
            views.iter().map(|view| view.state.as_str()).collect::<Vec<_>>().join(", ")
        };
        match state {
            LinkState::Ready(views) => format!("ready: {}", states(views)),
            LinkState::Dismissed(views) => format!("dismissed: {}", states(views)),
            LinkState::Used { resumable } => format!("used, {} resumable", resumable.len()),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    #[test]
    fn the_states_of_the_buttons_decide_the_state_of_the_link() {
        use LapseState::{Closed, Open, Suspected};
        use Outcome::{Dismissed, Recovered, Removed};
        let expired = || button("a", "EXPIRED", Open, None);
        let used = || Button { redemptions: 1, ..expired() };
        let over = |outcome| button("b", "DISCONNECTED", Closed, Some(outcome));
        let superseded =
            |state| Button { superseded: true, ..button("a", "EXPIRED", state, Some(Recovered)) };
        let connected = || button("b", "CONNECTED", Closed, Some(Dismissed));
        let missing = |button| Button { is_missing: true, ..button };
        #[rustfmt::skip]
        let rows = [
            ("a link without buttons does not exist", vec![], true, "notfound"),
            ("a broken connection can be reconnected", vec![expired()], true, "ready: available"),
            ("until the link expires", vec![expired()], false, "expired"),
            ("once", vec![used()], true, "used, 0 resumable"),
            ("a used button leaves the other one", vec![used(), expired()], true, "ready: used, available"),
            ("a recovered connection stays on the page", vec![over(Recovered), expired()], true, "ready: closed_recovered, available"),
            ("a removed one does, too", vec![over(Removed), expired()], true, "ready: closed_removed, available"),
            ("all recovered", vec![over(Recovered)], true, "recovered"),
            ("all recovered, on an expired link", vec![over(Recovered)], false, "recovered"),
            ("recovered or removed", vec![over(Recovered), over(Removed)], true, "recovered"),
            ("all removed", vec![over(Removed)], true, "removed"),
            ("a dismissed connection can be reconnected", vec![over(Dismissed)], true, "dismissed: dismissed"),
            ("until the link expires, too", vec![over(Dismissed)], false, "dismissed: closed_dismissed"),
            ("while it is broken", vec![connected()], true, "dismissed: closed_dismissed"),
            ("beside a used button", vec![used(), over(Dismissed)], true, "ready: used, dismissed"),
            ("beside a recovered connection, which is not shown", vec![over(Recovered), over(Dismissed)], true, "dismissed: dismissed"),
            ("after a recovery, a new break needs a new link", vec![superseded(Open)], true, "expired"),
            ("beside a used button, too", vec![superseded(Open), used()], true, "used, 0 resumable"),
            ("a connection that is not listed cannot be reconnected", vec![missing(expired())], true, "missing"),
            ("even if its button was used", vec![missing(used())], true, "missing"),
            ("beside one that was removed", vec![missing(expired()), over(Removed)], true, "missing"),
            ("a listed one can be", vec![missing(expired()), expired()], true, "ready: missing, available"),
            ("a used one is used", vec![missing(expired()), used()], true, "used, 0 resumable"),
            ("an expired link has expired all the same", vec![missing(expired())], false, "expired"),
            ("a dismissed connection that is not listed", vec![missing(over(Dismissed))], true, "dismissed: closed_dismissed"),
            ("a suspected break is not a new break yet", vec![superseded(Suspected)], true, "recovered"),
        ];
        for (sentence, buttons, alive, expected) in rows {
            let now = Time::UNIX_EPOCH;
            let expires_at = now + chrono::TimeDelta::seconds(if alive { 1 } else { 0 });
            let record = LinkRecord {
                member_id: "m".into(),
                locale: None,
                unsubscribed: false,
                is_replaced: false,
                expires_at,
                buttons,
            };
            assert_eq!(codes(&LinkState::decide(record, 1, now, |_| Resume::No)), expected, "{sentence}");
        }
    }
}
