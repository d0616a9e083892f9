//! What became of the last reload of the configuration, for the dashboard and the metrics.

use super::metrics;
use crate::domain::Time;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConfigReloads(Arc<Mutex<LastReload>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastReload {
    /// When the configuration in force was loaded.
    pub(crate) loaded_at: Time,
    /// Whether it was loaded after the start.
    pub(crate) is_reloaded: bool,
    pub(crate) failure: Option<ReloadFailure>,
    /// The keys that were changed and take effect with a restart.
    pub(crate) needs_restart: Vec<String>,
}

/// Why a later configuration is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReloadFailure {
    /// When the first reload failed since the last one that did not.
    pub(crate) since: Time,
    /// Of the last one. Without secrets.
    pub(crate) reasons: Vec<String>,
}

impl ConfigReloads {
    pub fn started_at(now: Time) -> Self {
        let last =
            LastReload { loaded_at: now, is_reloaded: false, failure: None, needs_restart: Vec::new() };
        Self(Arc::new(Mutex::new(last)))
    }

    pub(crate) fn last(&self) -> LastReload {
        self.lock().clone()
    }

    pub(crate) fn succeeded(&self, now: Time, needs_restart: Vec<String>) {
        *self.lock() = LastReload { loaded_at: now, is_reloaded: true, failure: None, needs_restart };
        metrics::set_config_reload(true, now);
    }

    pub fn failed(&self, now: Time, reasons: Vec<String>) {
        let mut last = self.lock();
        let since = last.failure.as_ref().map_or(now, |failure| failure.since);
        last.failure = Some(ReloadFailure { since, reasons });
        metrics::set_config_reload(false, last.loaded_at);
    }

    fn lock(&self) -> MutexGuard<'_, LastReload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn reloads_fail_since_the_first_one_after_the_last_that_did_not() {
        let at = |minutes| Time::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let reloads = ConfigReloads::started_at(at(0));
        let fail = |minutes, reason: &str| {
            reloads.failed(at(minutes), vec![reason.to_owned()]);
            let failure = reloads.last().failure.unwrap();
            (failure.since, failure.reasons.concat(), reloads.last().loaded_at)
        };
        assert_eq!(fail(1, "one"), (at(1), "one".to_owned(), at(0)));
        assert_eq!(fail(2, "two"), (at(1), "two".to_owned(), at(0)));
        reloads.succeeded(at(3), Vec::new());
        assert_eq!((reloads.last().failure, reloads.last().loaded_at), (None, at(3)));
        assert_eq!(fail(4, "three"), (at(4), "three".to_owned(), at(3)));
    }
}
