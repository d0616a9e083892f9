//! When members receive email, from the configuration.

use crate::domain::{QuietHours, Repair, Status};
use chrono::TimeDelta;
use chrono_tz::Tz;

#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) expired: StatusPolicy,
    pub(crate) disconnected: StatusPolicy,
    /// Whether members are asked to reactivate direct connections that were disconnected.
    pub(crate) disconnected_direct: bool,
    /// The minimum time between two notices to one address.
    pub(crate) min_gap: TimeDelta,
    /// The most emails to one address in any 30 days, at least 1.
    pub(crate) max_per_month: usize,
    pub(crate) quiet_hours: Option<QuietHours>,
    /// For members without one.
    pub(crate) time_zone: Tz,
    /// A notice includes every lapse that is due within this time.
    pub(crate) digest_window: TimeDelta,
    /// Whether members learn of recoveries.
    pub(crate) announces_recoveries: bool,
    /// Whether the operator has an app that repairs the connections that OAuth cannot repair.
    pub(crate) has_app_url: bool,
    /// How many notices go out each minute when a storm has calmed down.
    pub(crate) drip_per_minute: u32,
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
    /// From the first observation of the latest break to the first notice.
    pub(crate) first_after: TimeDelta,
    pub(crate) enabled: bool,
    /// Times of the reminders, counted from the first notice.
    pub(crate) reminders: Vec<TimeDelta>,
}
