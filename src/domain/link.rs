//! A link and the buttons of its page, as the store reads them.

use super::{Connection, ConnectionId, FormKeyHash, LapseState, MemberId, Outcome, Time};

#[derive(Clone, Debug)]
pub struct LinkRecord {
    pub(crate) member_id: MemberId,
    pub(crate) locale: Option<String>,
    /// The member unsubscribed, and the operator has not suppressed the address: the member can resubscribe.
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
}

impl Button {
    pub(crate) fn is_for(&self, connection: &ConnectionId) -> bool {
        self.connection.id.is_same(connection)
    }
}
