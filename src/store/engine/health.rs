//! What the connections to a database file have met: whether the last transaction became durable, and whether a page is
//! damaged.

use crate::base::telemetry::Repeats;
use crate::store::error::{Result, StoreError};
use crate::store::failure::Failure;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Health(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Why the last transaction that wrote something did not begin, or did not end.
    write_failure: Mutex<Option<Failure>>,
    /// The first error that SQLite reported of a damaged page.
    damage: OnceLock<String>,
    is_reported: AtomicBool,
    repeats: Repeats,
}

impl Health {
    /// Takes note of the error of a statement, or of a new connection.
    pub(in crate::store) fn note_error(&self, error: &sqlx::Error) {
        if matches!(Failure::of(error), Failure::Damaged | Failure::NotADatabase) {
            self.note_damage(&error.to_string());
        }
    }

    /// A page is damaged.
    pub(in crate::store) fn note_damage(&self, error: &str) {
        let text = self.0.damage.get_or_init(|| error.to_owned());
        if !self.0.is_reported.swap(true, Ordering::Relaxed) {
            tracing::error!(
                event = "database_damaged",
                error = text,
                "the database is damaged; no sweep and no email begins from now on"
            );
        }
    }

    /// What a transaction wrote is durable.
    pub(super) fn note_durable(&self) {
        *self.write_failure() = None;
        self.0.repeats.succeeded();
    }

    /// A transaction did not begin, or did not end. Returns how many did not in a row, if it is to be logged.
    pub(super) fn note_not_durable(&self, error: &sqlx::Error) -> Option<u32> {
        self.note_error(error);
        let failure = Failure::of(error);
        *self.write_failure() = Some(failure);
        self.0.repeats.failed(failure.code())
    }

    /// Whether the last transaction failed.
    pub(in crate::store) fn is_failing(&self) -> bool {
        self.write_failure().is_some()
    }

    /// Whether another program has held the lock for as long as a transaction waits for it.
    pub(in crate::store) fn is_locked_out(&self) -> bool {
        *self.write_failure() == Some(Failure::Busy)
    }

    /// # Errors
    /// [`StoreError::Damaged`]: what is read may be wrong.
    pub(in crate::store) fn verify_undamaged(&self) -> Result<()> {
        self.0.damage.get().map_or(Ok(()), |error| Err(StoreError::Damaged(error.clone())))
    }

    fn write_failure(&self) -> std::sync::MutexGuard<'_, Option<Failure>> {
        self.0.write_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
