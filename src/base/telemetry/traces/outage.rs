//! Whether the collector gets the traces. Logged once, until it gets them again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage {
    is_reported: Arc<AtomicBool>,
    /// The code of the last request's failure.
    cause: Arc<Mutex<Option<String>>>,
}

impl Outage {
    /// A request failed. It may be repeated.
    pub(super) fn note(&self, cause: impl Into<String>) {
        *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.into());
    }

    /// Traces are lost.
    pub(super) fn report(&self) {
        let cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            let reason = cause.as_deref().unwrap_or("timed_out");
            tracing::warn!(
                event = "traces_not_exported",
                reason,
                "the collector at telemetry.otlp_endpoint gets no traces; they are lost, and nothing else waits"
            );
        }
    }

    pub(super) fn end(&self) {
        self.is_reported.store(false, Ordering::Relaxed);
    }
}
