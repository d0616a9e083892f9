//! When members receive email, from the configuration.

use crate::domain::{Repair, Status};
use chrono::TimeDelta;

#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) expired: StatusPolicy,
    pub(crate) disconnected: StatusPolicy,
    /// Whether members are asked to reactivate direct connections that were disconnected.
    pub(crate) disconnected_direct: bool,
    /// The minimum time between two notices to one member.
    pub(crate) min_gap: TimeDelta,
    /// A notice includes every lapse that is due within this time.
    pub(crate) digest_window: TimeDelta,
    /// Whether members learn of recoveries.
    pub(crate) announces_recoveries: bool,
    /// Whether the operator has an app that repairs the connections that OAuth cannot repair.
    pub(crate) has_app_url: bool,
}

impl Policy {
    /// Differs between policies, and between versions of the program, whose gates may differ.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{} {self:?}", env!("CARGO_PKG_VERSION"))
    }

    /// `None` when members cannot repair connections with this status.
    pub(crate) fn for_status(&self, status: &Status) -> Option<&StatusPolicy> {
        match status {
            Status::Expired => Some(&self.expired),
            Status::Disconnected => Some(&self.disconnected),
            _ => None,
        }
    }

    /// Whether members receive email about connections like this.
    pub(crate) fn is_enabled(&self, status: &Status, repair: Repair) -> bool {
        let is_off = *status == Status::Disconnected && repair == Repair::Direct && !self.disconnected_direct;
        !is_off && self.for_status(status).is_some_and(|policy| policy.enabled)
    }
}

/// The policy for lapses of one status.
#[derive(Clone, Debug)]
pub(crate) struct StatusPolicy {
    pub(crate) enabled: bool,
    /// Times of the reminders, counted from the first notice.
    pub(crate) reminders: Vec<TimeDelta>,
}
