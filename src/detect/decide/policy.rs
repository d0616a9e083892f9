use crate::domain::Time;
use chrono::TimeDelta;

/// The confirmation of a break.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The number of consecutive responses that must show a connection broken. 0 means 1.
    pub confirm_sweeps: u32,
    /// The shortest time from the first of them to the last.
    pub confirm_after: TimeDelta,
    /// A connection that breaks again within this time after recovery resumes its lapse.
    pub flap_window: TimeDelta,
    /// The wait until the next poll while a suspicion is open.
    pub recheck_after: TimeDelta,
}

impl Policy {
    /// `observations` are consecutive; the first was made at `since`.
    pub(super) fn confirms(&self, observations: u32, since: Time, now: Time) -> bool {
        observations >= self.confirm_sweeps && now - since >= self.confirm_after
    }
}
