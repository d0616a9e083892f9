//! `unreachable_members`: who has an open lapse and gets no more email about it.

use super::convert::{json_list, millis};
use super::engine::{Tx, query, query_scalar};
use super::error::Result;
use crate::domain::Time;

/// The reason of members without a usable response for long, who may have no open lapse.
pub(crate) const NO_RESPONSE: &str = "no_response";

/// A fact about the members of a JSON list has changed: the planner decides about their open lapses.
pub(super) async fn plan_again(tx: &mut Tx, members: &str, now: Time) -> Result<()> {
    query("UPDATE lapses SET plan_at = $2 WHERE state = 'open' AND member_id IN (SELECT value FROM json_each($1))")
        .bind(members)
        .bind(millis(now))
        .execute(tx)
        .await?;
    Ok(())
}

/// The lapses of a JSON list have ended. The planner decides about the others of their members.
pub(super) async fn lapses_closed(tx: &mut Tx, lapses: &str, now: Time) -> Result<()> {
    let members: Vec<String> = query_scalar(
        "DELETE FROM unreachable_members WHERE member_id IN
            (SELECT member_id FROM lapses WHERE lapse_id IN (SELECT value FROM json_each($1)))
         RETURNING member_id",
    )
    .bind(lapses)
    .fetch_all(&mut *tx)
    .await?;
    if members.is_empty() { Ok(()) } else { plan_again(tx, &json_list(&members)?, now).await }
}
