//! When members receive email, from the configuration.

use chrono::TimeDelta;

#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) expired: StatusPolicy,
    pub(crate) disconnected: StatusPolicy,
    /// The minimum time between two notices to one member.
    pub(crate) min_gap: TimeDelta,
    /// A notice includes every lapse that is due within this time.
    pub(crate) digest_window: TimeDelta,
    /// Whether members learn of recoveries.
    pub(crate) announces_recoveries: bool,
    /// Whether the operator has an app that repairs the connections that OAuth cannot repair.
    pub(crate) has_app_url: bool,
}

/// The policy for lapses of one status.
#[derive(Clone, Debug)]
pub(crate) struct StatusPolicy {
    pub(crate) enabled: bool,
    /// Times of the reminders, counted from the first notice.
    pub(crate) reminders: Vec<TimeDelta>,
}
