//! Service: holds the email of a storm, and tells the operator.

use crate::base::telemetry::metrics;
use crate::domain::{ConnectionId, SourceLapses, StormPolicy, Time};
use crate::store::{Store, StoreError};

/// Cheap to clone.
#[derive(Clone)]
pub struct StormBrake {
    store: Store,
    policy: StormPolicy,
}

impl StormBrake {
    pub fn new(store: Store, policy: StormPolicy) -> Self {
        Self { store, policy }
    }

    /// Counts the recent lapses, holds the email of storms that begin, and ends the holds of those that have calmed down.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn evaluate(&self, now: Time) -> Result<(), StoreError> {
        let report = self.store.brake(&self.policy, now).await?;
        for storm in report.started {
            let SourceLapses { source, lapsed, connections } = storm;
            let source = source.as_ref().map_or("all", ConnectionId::as_str);
            metrics::count_storm();
            tracing::error!(
                event = "storm_started",
                source,
                lapsed,
                connections,
                "many connections broke at once; email about them is held: `hold list` shows how much waits, `notices list` for \
                 whom; `hold take` keeps it held, `hold release` sends it at once"
            );
        }
        for source in report.calmed {
            let source = source.as_ref().map_or("all", ConnectionId::as_str);
            tracing::warn!(
                event = "storm_calmed",
                source,
                "the storm is over; what was held goes out little by little"
            );
        }
        Ok(())
    }
}
