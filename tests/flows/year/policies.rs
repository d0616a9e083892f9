//! The policies between which the operator changes: as settings for the daemon, and as the model reads the README.

use chrono::TimeDelta;

/// The limits of an address, which are the same in all policies.
pub(crate) const GAP: TimeDelta = TimeDelta::hours(24);
pub(crate) const CAP: usize = 6;
pub(crate) const DIGEST_WINDOW: TimeDelta = TimeDelta::minutes(10);
pub(crate) const FLAP_WINDOW: TimeDelta = TimeDelta::days(7);
pub(crate) const LINK_TTL: TimeDelta = TimeDelta::days(7);
pub(crate) const STORM_WINDOW: TimeDelta = TimeDelta::hours(1);
pub(crate) const STORM_MEMBERS: usize = 8;
/// In percent of the connections of a source.
pub(crate) const STORM_SHARE: usize = 40;
/// No email from this hour on, and none before that one, by the member's wall clock.
pub(crate) const QUIET_FROM: u32 = 21;
pub(crate) const QUIET_UNTIL: u32 = 8;

pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("SWEEP__CONFIRM_SWEEPS", "2"),
    ("NOTICES__MIN_GAP", "24h"),
    ("NOTICES__MAX_PER_MONTH", "6"),
    ("NOTICES__QUIET_HOURS", "21:00-08:00"),
    ("NOTICES__EXPIRED__FIRST_AFTER", "6h"),
    ("NOTICES__EXPIRED__REMINDERS", "3d,10d"),
    ("NOTICES__DISCONNECTED__FIRST_AFTER", "24h"),
    ("STORM__MIN_MEMBERS", "8"),
    ("STORM__SHARE", "0.4"),
    ("STORM__FLEET_SHARE", "0.3"),
    // One after another, so that a seed replays exactly.
    ("GATEWAY__MAX_IN_FLIGHT", "1"),
    ("EMAIL__CONNECTIONS", "1"),
];

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) settings: &'static [(&'static str, &'static str)],
    pub(crate) confirm_sweeps: u32,
    pub(crate) expired: StatusPolicy,
    pub(crate) disconnected: StatusPolicy,
    pub(crate) announces_recoveries: bool,
}

#[derive(Debug)]
pub(crate) struct StatusPolicy {
    pub(crate) enabled: bool,
    pub(crate) first_after: TimeDelta,
    pub(crate) reminders: &'static [TimeDelta],
}

const GENTLE: StatusPolicy =
    StatusPolicy { enabled: true, first_after: TimeDelta::hours(24), reminders: &[] };
const USUAL: StatusPolicy = StatusPolicy {
    enabled: true,
    first_after: TimeDelta::hours(6),
    reminders: &[TimeDelta::days(3), TimeDelta::days(10)],
};

pub(crate) static POLICIES: [Policy; 5] = [
    Policy {
        settings: &[],
        confirm_sweeps: 2,
        expired: USUAL,
        disconnected: GENTLE,
        announces_recoveries: false,
    },
    Policy {
        settings: &[("NOTICES__EXPIRED__REMINDERS", "1d")],
        confirm_sweeps: 2,
        expired: StatusPolicy { reminders: &[TimeDelta::days(1)], ..USUAL },
        disconnected: GENTLE,
        announces_recoveries: false,
    },
    Policy {
        settings: &[("NOTICES__EXPIRED__FIRST_AFTER", "30h"), ("SWEEP__CONFIRM_SWEEPS", "3")],
        confirm_sweeps: 3,
        expired: StatusPolicy { first_after: TimeDelta::hours(30), ..USUAL },
        disconnected: GENTLE,
        announces_recoveries: false,
    },
    Policy {
        settings: &[("NOTICES__DISCONNECTED__ENABLED", "false"), ("NOTICES__EXPIRED__REMINDERS", "")],
        confirm_sweeps: 2,
        expired: StatusPolicy { reminders: &[], ..USUAL },
        disconnected: StatusPolicy { enabled: false, ..GENTLE },
        announces_recoveries: false,
    },
    Policy {
        settings: &[
            ("NOTICES__RECOVERED__ENABLED", "true"),
            ("NOTICES__EXPIRED__REMINDERS", "2d,4d,8d"),
            ("SWEEP__CONFIRM_SWEEPS", "1"),
        ],
        confirm_sweeps: 1,
        expired: StatusPolicy {
            reminders: &[TimeDelta::days(2), TimeDelta::days(4), TimeDelta::days(8)],
            ..USUAL
        },
        disconnected: GENTLE,
        announces_recoveries: true,
    },
];

impl Policy {
    /// `None` for a status that a member cannot repair.
    pub(crate) fn of(&self, status: &str) -> Option<&StatusPolicy> {
        match status {
            "EXPIRED" => Some(&self.expired),
            "DISCONNECTED" => Some(&self.disconnected),
            _ => None,
        }
    }
}
