//! Reschedules rows that were written while the clock was ahead.

use super::claims::DELIVERY_LEASE;
use super::engine::{query, query_scalar};
use super::{Result, Store, millis};
use crate::domain::{SNOOZE, Time};
use chrono::TimeDelta;

/// The longest wait for the next try of a credential, with jitter.
const CREDENTIAL: TimeDelta = TimeDelta::hours(36);
/// The longest wait of a throttled member.
const THROTTLE: TimeDelta = TimeDelta::hours(1);
/// The longest refresh lease.
const REFRESH_LEASE: TimeDelta = TimeDelta::seconds(30);
/// The longest wait between two attempts at a notice.
const ATTEMPT: TimeDelta = TimeDelta::hours(24);

/// The longest lease of an event.
const EVENT_LEASE: TimeDelta = TimeDelta::minutes(1);
/// The longest wait between two attempts at an event.
const EVENT_RETRY: TimeDelta = TimeDelta::hours(2);

impl Store {
    /// Whether the clock was ahead while the daemon worked: a sweep, a transition, a lapse, or an email lies in the future.
    pub(crate) async fn has_rows_from_future(&self, now: Time) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sweeps WHERE started_at > $1)
                OR EXISTS (SELECT 1 FROM transitions WHERE observed_at > $1)
                OR EXISTS (SELECT 1 FROM lapses WHERE opened_at > $1)
                OR EXISTS (SELECT 1 FROM notices WHERE sent_at > $1)";
        query_scalar(sql).bind(millis(now)).fetch_one(&self.reader).await
    }

    /// Reschedules work that a wrong clock scheduled too far ahead. `recheck` is the longest wait for a recheck. With
    /// `plans`, all open lapses are evaluated again. Returns the number of changed rows.
    pub(crate) async fn pull_back_from_future(
        &self,
        now: Time,
        recheck: TimeDelta,
        plans: bool,
    ) -> Result<u64> {
        self.write(async |mut tx| {
            let mut changed = 0;
            if plans {
                // A lapse can be planned for any time.
                let planned = query("UPDATE lapses SET plan_at = $1 WHERE plan_at > $1");
                changed += planned.bind(millis(now)).execute(&mut tx).await?.rows_affected();
                let snoozed = query(
                    "UPDATE lapses SET snoozed_until = $1 WHERE state = 'open' AND snoozed_until > $1",
                );
                changed += snoozed.bind(millis(now + SNOOZE)).execute(&mut tx).await?.rows_affected();
            }
            // Each other time has a longest distance that it is ever set ahead.
            for (sql, longest) in [
                (
                    "UPDATE rechecks SET due_at = $1 WHERE purpose IN ('redemption', 'suspicion') AND due_at > $2",
                    recheck,
                ),
                ("UPDATE rechecks SET since = $1 WHERE since > $2", TimeDelta::zero()),
                ("UPDATE credential_failures SET retry_at = $1 WHERE retry_at > $2", CREDENTIAL),
                ("UPDATE unclear_members SET retry_at = $1 WHERE retry_at > $2", THROTTLE),
                ("UPDATE token_refresh_leases SET leased_until = $2 WHERE leased_until > $2", REFRESH_LEASE),
                (
                    "UPDATE notices SET leased_until = $2 WHERE state = 'sending' AND leased_until > $2",
                    DELIVERY_LEASE,
                ),
                ("UPDATE notices SET not_before = $1 WHERE state = 'queued' AND not_before > $2", ATTEMPT),
                ("UPDATE events SET leased_until = $2 WHERE state <> 'delivered' AND state = 'sending' AND leased_until > $2", EVENT_LEASE),
                ("UPDATE events SET next_at = $1 WHERE state = 'queued' AND next_at > $2", EVENT_RETRY),
            ] {
                let bound = now.checked_add_signed(longest).unwrap_or(Time::MAX_UTC);
                let done = query(sql).bind(millis(now)).bind(millis(bound)).execute(&mut tx).await?;
                changed += done.rows_affected();
            }
            Ok(changed)
        })
        .await
    }
}
