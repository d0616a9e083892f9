//! Whether the clock of this machine is right. A wrong clock makes tokens look expired, and ID tokens be rejected.

use super::checklist::Checklist;
use crate::gateway::Gateway;
use chrono::TimeDelta;
use std::io;

/// Well below the two minutes at which tokens and signatures may be rejected.
const MAX_SKEW: TimeDelta = TimeDelta::seconds(30);

pub(super) fn check(gateway: &Gateway, checklist: &Checklist) -> io::Result<()> {
    match gateway.clock_skew() {
        None => checklist.warning("clock", "cannot compare: the gateway's responses have no Date header"),
        Some(skew) if skew.abs() >= MAX_SKEW => {
            let side = if skew > TimeDelta::zero() { "ahead of" } else { "behind" };
            let seconds = skew.num_seconds().abs();
            checklist.warning(
                "clock",
                &format!("{seconds} s {side} the gateway's clock; enable time synchronization (NTP)"),
            )
        }
        Some(_) => checklist.ok("clock", "agrees with the gateway's clock"),
    }
}
