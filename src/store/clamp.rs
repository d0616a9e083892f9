//! Corrects times that a clock recorded while it was ahead, so that no decision waits for them.

use super::engine::{Tx, query, run_together};
use super::{Result, json_list, millis};
use crate::domain::Time;

/// Sets every future time that decisions about the members read to `now`. The change is stored: if such a time were only read
/// as `now`, an email dated next year would extend `min_gap` forever.
pub(super) async fn clamp<T: serde::Serialize>(tx: &mut Tx, members: &[T], now: Time) -> Result<()> {
    let members = json_list(members)?;
    let statements = [
        "UPDATE lapses SET suspected_at = min(suspected_at, $2), opened_at = min(opened_at, $2),
            closed_at = min(closed_at, $2), last_opened_at = min(last_opened_at, $2)
         WHERE member_id IN (SELECT value FROM json_each($1))
           AND (suspected_at > $2 OR opened_at > $2 OR closed_at > $2 OR last_opened_at > $2)",
        "UPDATE connections SET missing_since = $2 WHERE member_id IN (SELECT value FROM json_each($1)) AND missing_since > $2",
        "UPDATE notices SET sent_at = min(sent_at, $2), planned_at = min(planned_at, $2)
         WHERE member_id IN (SELECT value FROM json_each($1)) AND (sent_at > $2 OR planned_at > $2)",
    ];
    run_together(statements.map(|sql| query(sql).bind(&members).bind(millis(now))).into(), tx).await
}
