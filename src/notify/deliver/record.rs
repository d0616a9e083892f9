//! Records the results of attempts.

use super::deliverer::Deliverer;
use crate::base::backoff;
use crate::base::telemetry::report_suppressed;
use crate::domain::Suppression;
use crate::store::{AttemptResult, Claim, StoreError};

impl Deliverer {
    /// Stores the result of an attempt. Returns `false` when the attempt no longer holds the notice.
    ///
    /// If the email may have arrived, this retries until it succeeds, even after the caller is aborted: without the
    /// record, the email would be sent again.
    ///
    /// # Errors
    /// The store failed. The email has not arrived.
    pub(super) async fn record(&self, claim: &Claim, result: &AttemptResult) -> Result<bool, StoreError> {
        let finished_at = self.clock.now();
        if !result.outcome.may_have_arrived() {
            return self.store.end_attempt(claim, result, finished_at).await;
        }
        let (store, claim, result) = (self.store.clone(), claim.clone(), result.clone());
        let recording = self.recordings.spawn(async move {
            let mut failures = 0;
            loop {
                match store.end_attempt(&claim, &result, finished_at).await {
                    Ok(is_recorded) => return is_recorded,
                    // Nothing will read the record.
                    Err(StoreError::FileReplaced { .. }) => return false,
                    Err(error) => {
                        failures += 1;
                        let (notice, attempt, outcome) =
                            (&claim.notice.id, claim.attempt, result.outcome.as_str());
                        tracing::error!(
                            event = "attempt_not_recorded", notice_id = %notice, attempt, outcome, failures, %error,
                            "cannot record that the email was handed over; retrying"
                        );
                        tokio::time::sleep(backoff::record_retry_delay(failures)).await;
                    }
                }
            }
        });
        Ok(recording.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
    }

    /// Like [`Self::record`], for an attempt whose address the mail server rejected permanently: also suppresses the
    /// address.
    ///
    /// # Errors
    /// The store failed. The email has not arrived.
    pub(super) async fn record_rejection(
        &self,
        claim: &Claim,
        result: &AttemptResult,
    ) -> Result<bool, StoreError> {
        let Some(suppressed) = self.store.end_rejected_attempt(claim, result, self.clock.now()).await? else {
            return Ok(false);
        };
        report_suppressed(&suppressed, Suppression::HardBounce);
        Ok(true)
    }

    /// Waits until every result that [`Self::record`] retries is stored. No new attempt may start.
    pub(crate) async fn finish_recordings(&self) {
        self.recordings.close();
        self.recordings.wait().await;
    }
}
