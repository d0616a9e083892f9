//! The result of a sweep.

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
    /// Whether a shutdown interrupted it; it will be resumed.
    pub cancelled: bool,
    pub(super) max_unclear: f64,
}

impl SweepReport {
    /// Whether the sweep ran to its end, every member polled gave a usable response, and few were skipped.
    pub fn complete(&self) -> bool {
        self.ran_to_its_end() && self.progress.unclear == 0 && self.is_tolerable(self.progress.skipped)
    }

    /// Whether the sweep ran to its end with few members unclear or skipped.
    pub fn is_healthy(&self) -> bool {
        self.ran_to_its_end() && self.is_tolerable(self.progress.unclear + self.progress.skipped)
    }

    fn ran_to_its_end(&self) -> bool {
        !self.cancelled && self.ended_early_because.is_none()
    }

    fn is_tolerable(&self, count: u64) -> bool {
        let fleet = self.progress.members + self.progress.skipped;
        count as f64 <= fleet as f64 * self.max_unclear
    }
}
