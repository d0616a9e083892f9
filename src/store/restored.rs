//! What is set right in a database that was restored, before a daemon can use it.

use super::audit;
use super::engine::{Tx, query, query_scalar};
use super::holds::{self, HoldRecord, NewHold};
use super::{Result, Store, StoreError, time};
use crate::base::random;
use crate::domain::{AuditAction, AuditEntry, HoldScope, Time};

/// The processes are gone that held these.
const DEAD: [&str; 3] = [
    "DELETE FROM instances",
    "DELETE FROM token_refresh_leases",
    // It is sent again with its id, by which a receiver recognizes it.
    "UPDATE events SET state = 'queued', leased_until = NULL, holder = NULL, last_error = 'interrupted'
     WHERE state <> 'delivered' AND state = 'sending'",
];

impl Store {
    /// Holds all email: emails were sent after the backup that it does not know. A delivery that was under way is
    /// interrupted, and held, too.
    pub(super) async fn hold_restored(&self, from: &str, now: Time) -> Result<HoldRecord> {
        self.release_leases(now).await?;
        let id = random::id(now);
        let new =
            NewHold { scope: HoldScope::default(), until: None, reason: format!("restored from {from}") };
        let unit = async |mut tx: Tx| {
            for statement in DEAD {
                query(statement).execute(&mut tx).await?;
            }
            holds::insert(&mut tx, &id, &new, now).await?;
            audit::record(&mut tx, AuditEntry::new(AuditAction::Restore).target(from), now).await
        };
        self.write(unit).await?;
        let hold = self.read_holds("h.hold_id = $1", Some(&id)).await?.pop();
        hold.ok_or(StoreError::Row { table: "holds", row: id, what: "the new row" })
    }

    /// The time of the newest row that a daemon or an operator leaves.
    pub(super) async fn newest_record(&self) -> Result<Option<Time>> {
        let mut newest = None;
        for newest_of in [
            "SELECT at FROM audit ORDER BY audit_id DESC LIMIT 1",
            "SELECT started_at FROM sweeps ORDER BY started_at DESC LIMIT 1",
            "SELECT max(seen_at) FROM instances",
        ] {
            let found: Option<i64> = query_scalar(newest_of).fetch_optional(&self.reader).await?.flatten();
            newest = newest.max(found);
        }
        Ok(newest.map(time))
    }
}
