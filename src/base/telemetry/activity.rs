//! The time of the last activity, on a monotonic clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The last activity of the sweep loop. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    start: Instant,
    /// Milliseconds after `start`.
    last: Arc<AtomicU64>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { start: Instant::now(), last: Arc::default() }
    }
}

impl Activity {
    pub(crate) fn note(&self) {
        self.last.store(self.since_start().as_millis() as u64, Ordering::Relaxed);
    }

    /// The time since the last activity.
    pub(crate) fn idle(&self) -> Duration {
        self.since_start().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    fn since_start(&self) -> Duration {
        self.start.elapsed()
    }
}
