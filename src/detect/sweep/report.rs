//! The result of a sweep.

use crate::domain::Time;
use crate::store::SweepProgress;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Concurrent polls.
    pub(crate) at_once: usize,
    /// Whether to skip members without a stored credential.
    pub(crate) needs_token: bool,
    /// The largest share of members, from 0 to 1, that may be unclear or skipped in a healthy sweep.
    pub(crate) max_unclear: f64,
}

/// The result of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepReport {
    /// The counts since its start, also before a resume.
    pub progress: SweepProgress,
    /// The reason code of an early stop.
    pub ended_early_because: Option<&'static str>,
    /// Whether a shutdown or a reload interrupted it; it will be resumed.
    pub cancelled: bool,
    /// The schedule's ticks up to this time fell into the sweep.
    pub(crate) ended_at: Time,
    pub(super) max_unclear: f64,
}

impl SweepReport {
    /// Whether the sweep ran to its end, every member polled gave a usable response, and few were skipped.
    pub fn complete(&self) -> bool {
        self.ran_to_its_end() && self.progress.unclear == 0 && self.is_tolerable(self.progress.skipped)
    }

    /// Whether the sweep ran to its end with few members unclear or skipped. In a small fleet, a single one is few if others
    /// gave a usable response.
    pub fn is_healthy(&self) -> bool {
        let SweepProgress { members, unclear, skipped, .. } = self.progress;
        let is_single = self.max_unclear > 0.0 && unclear + skipped == 1 && members > unclear;
        self.ran_to_its_end() && (is_single || self.is_tolerable(unclear + skipped))
    }

    fn ran_to_its_end(&self) -> bool {
        !self.cancelled && self.ended_early_because.is_none()
    }

    fn is_tolerable(&self, count: u64) -> bool {
        let fleet = self.progress.members + self.progress.skipped;
        count as f64 <= fleet as f64 * self.max_unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_unclear_member_does_not_silence_the_heartbeat_and_a_share_does() {
        for (sentence, members, unclear, skipped, max_unclear, expected) in [
            ("everybody gave a usable response", 3, 0, 0, 0.1, true),
            ("one of three did not", 3, 1, 0, 0.1, true),
            ("one of three was skipped", 2, 0, 1, 0.1, true),
            ("two of three did not", 3, 2, 0, 0.1, false),
            ("the only member did not", 1, 1, 0, 0.1, false),
            ("the only member was skipped", 0, 0, 1, 0.1, false),
            ("a tenth did not", 100, 10, 0, 0.1, true),
            ("more than a tenth did not, or were skipped", 100, 10, 1, 0.1, false),
            ("the operator tolerates none", 100, 1, 0, 0.0, false),
        ] {
            let progress = SweepProgress { members, unclear, skipped, transitions: 0 };
            let report = SweepReport {
                progress,
                ended_early_because: None,
                cancelled: false,
                ended_at: Time::UNIX_EPOCH,
                max_unclear,
            };
            assert_eq!(report.is_healthy(), expected, "{sentence}");
            for unfinished in [
                SweepReport { cancelled: true, ..report.clone() },
                SweepReport { ended_early_because: Some("most_polls_failed"), ..report },
            ] {
                assert!(!unfinished.is_healthy() && !unfinished.complete(), "{sentence}, and it did not end");
            }
        }
    }
}
