//! A link and the buttons of its page, as the store reads them.

use super::{Connection, ConnectionId, FormKeyHash, LapseState, MemberId, Outcome, Time};
use chrono::{NaiveDate, TimeDelta};

#[derive(Clone, Debug)]
pub struct LinkRecord {
    pub(crate) member_id: MemberId,
    pub(crate) locale: Option<String>,
    /// The member unsubscribed, and the address is suppressed for no other reason: the member can resubscribe.
    pub(crate) unsubscribed: bool,
    /// The member's address has changed since, or an operator revoked the link.
    pub(crate) is_replaced: bool,
    pub(crate) expires_at: Time,
    /// In the order of their connections' ids.
    pub(crate) buttons: Vec<Button>,
}

#[derive(Clone, Debug)]
pub struct Button {
    pub(crate) connection: Connection,
    /// The gateway's latest spelling of the id, for requests.
    pub(crate) gateway_id: ConnectionId,
    /// The gateway's last response left the connection out, which is not confirmed.
    pub(crate) is_missing: bool,
    /// The lapse's state. An invitation is open until its source is CONNECTED.
    pub(crate) state: LapseState,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) redemptions: u32,
    /// The latest redemption.
    pub(crate) redeemed_at: Option<Time>,
    /// The key of the form of the latest redemption, if it had one.
    pub(crate) last_form_key: Option<FormKeyHash>,
    /// The connection has recovered since the email, whether or not it broke again.
    pub(crate) superseded: bool,
    /// A dismissal of the lapse is the member's own, not an operator's.
    pub(crate) dismissed_by_member: bool,
    pub(crate) outlook: Outlook,
}

/// What is to come of a button's open lapse if its member does nothing. The default promises nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// A storm holds the emails about the source.
    pub(crate) in_trouble: bool,
    /// The day of the next email, in the member's time zone. `None`: none will come.
    pub(crate) next_email: Option<NaiveDate>,
    pub(crate) snooze: Snooze,
}

/// How long a member can put off reminders.
pub(crate) const SNOOZE: TimeDelta = TimeDelta::weeks(1);

/// Whether the member can put off the next reminder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Snooze {
    /// There is none to put off.
    #[default]
    Unavailable,
    Offered,
    /// The member did.
    Active,
}

impl LinkRecord {
    /// The button that a form names; without a name, the only one.
    pub(crate) fn chosen(&self, connection: Option<&ConnectionId>) -> Option<&Button> {
        match (connection, &self.buttons[..]) {
            (Some(id), buttons) => buttons.iter().find(|button| button.is_for(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl Button {
    pub(crate) fn is_for(&self, connection: &ConnectionId) -> bool {
        self.connection.id.is_same(connection)
    }
}
