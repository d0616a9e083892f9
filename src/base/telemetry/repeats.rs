//! Keeps a failure that lasts from filling the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The same failure is logged again after this time.
const REMIND: Duration = Duration::from_secs(60);

/// The failures of one kind of work.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<Option<Last>>);

#[derive(Debug)]
struct Last {
    reason: &'static str,
    logged_at: Instant,
    /// In a row, for any reason.
    failures: u32,
}

impl Repeats {
    /// Notes a failure. Returns how many there were in a row, if it is to be logged: the first for a reason, and then one a
    /// minute.
    pub(crate) fn failed(&self, reason: &'static str) -> Option<u32> {
        self.failed_at(reason, Instant::now())
    }

    /// Notes that the work succeeded. Returns how many times it had failed before, if any was logged.
    pub(crate) fn succeeded(&self) -> Option<u32> {
        self.lock().take().map(|last| last.failures)
    }

    fn failed_at(&self, reason: &'static str, now: Instant) -> Option<u32> {
        let mut last = self.lock();
        let failures = last.as_ref().map_or(0, |last| last.failures).saturating_add(1);
        let is_news = last
            .as_ref()
            .is_none_or(|last| last.reason != reason || now.duration_since(last.logged_at) >= REMIND);
        match &mut *last {
            Some(last) if !is_news => last.failures = failures,
            last => *last = Some(Last { reason, logged_at: now, failures }),
        }
        is_news.then_some(failures)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_logged_once_for_each_reason_and_then_once_a_minute() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let failed = |reason, seconds| repeats.failed_at(reason, start + Duration::from_secs(seconds));
        assert_eq!(failed("full", 0), Some(1));
        assert_eq!((failed("full", 5), failed("full", 59)), (None, None));
        assert_eq!(failed("full", 60), Some(4));
        assert_eq!(failed("locked", 65), Some(5));
        assert_eq!(repeats.succeeded(), Some(5));
        assert_eq!(repeats.succeeded(), None);
        assert_eq!(failed("locked", 66), Some(1));
    }
}
