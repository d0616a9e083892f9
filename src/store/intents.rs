//! `lapses`: what members choose on a link's page about the emails that are to come.

use super::cancellations::{self, ClosedLapse};
use super::convert::{json_list, millis};
use super::decisions::{self, NewDecision};
use super::engine::{Query, Row, Tx, query};
use super::error::Result;
use super::link_rows::CURRENT;
use super::recorded_changes;
use super::row::RowExt;
use super::row_locks::{lock_member_of_link, lock_notices_about};
use super::sqlite::Store;
use crate::domain::{
    ConnectionId, DecisionSubject, LapseId, MemberId, NoticeReason, Outcome, SNOOZE, Time, TokenHash,
};

/// SQL condition: the lapse is the one behind the button of the link `$1` for the connection `$2`, in lower case, and the
/// link works at `$3`.
fn is_behind_button() -> String {
    format!(
        "lapse_id IN (SELECT b.lapse_id FROM link_buttons b JOIN links k ON k.token_hash = b.token_hash
             JOIN members m ON m.member_id = k.member_id
             WHERE b.token_hash = $1 AND lower(b.connection_id) = $2 AND b.superseded = FALSE AND k.expires_at > $3
               AND {CURRENT})"
    )
}

/// What the statements return of the lapse that they change.
const CHANGED: &str = "lapse_id, member_id, connection_id";

struct ChangedLapse {
    id: LapseId,
    member: MemberId,
    connection: ConnectionId,
}

impl ChangedLapse {
    fn read(row: &Row) -> Result<Self> {
        let (member, connection) = (row.text("member_id")?, row.text("connection_id")?);
        Ok(Self { id: row.text("lapse_id")?, member, connection })
    }

    /// Records what the member chose.
    async fn record(
        &self,
        tx: &mut Tx,
        reason: NoticeReason,
        not_before: Option<Time>,
        now: Time,
    ) -> Result<()> {
        let choice = NewDecision {
            member: &self.member,
            connection: Some(&self.connection),
            lapse: Some(&self.id),
            notice: None,
            subject: DecisionSubject::Lapse,
            reason,
            not_before,
        };
        decisions::record(&mut *tx, &[choice], now).await?;
        recorded_changes::of_lapse(tx, &self.id, now).await
    }
}

/// What an undo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    Dismissal,
    Snooze,
}

impl Store {
    /// Closes the lapse behind a button because its member disconnected on purpose. The button can be pressed again, which
    /// reopens the lapse. Returns `false` when the link has expired, the lapse has ended, or the connection is not
    /// DISCONNECTED.
    pub(crate) async fn dismiss(
        &self,
        hash: TokenHash,
        connection: &ConnectionId,
        now: Time,
    ) -> Result<bool> {
        self.write(async |mut tx| {
            lock_member_of_link(&mut tx, hash).await?;
            let is_behind = is_behind_button();
            let dismiss = format!(
                "UPDATE lapses SET state = 'closed', outcome = 'dismissed', closed_at = $3, plan_at = NULL,
                    dismissed_by_member = TRUE
                 WHERE state = 'open' AND {is_behind}
                   AND EXISTS (SELECT 1 FROM connections c WHERE c.member_id = lapses.member_id
                     AND c.connection_id = lapses.connection_id AND c.status = 'DISCONNECTED')
                 RETURNING {CHANGED}"
            );
            let Some(lapse) = change(&mut tx, dismiss, hash, connection, now).await? else {
                return Ok(false);
            };
            lapse.record(&mut tx, NoticeReason::Dismissed, None, now).await?;
            query(
                "UPDATE link_buttons SET redemptions = 0
                 WHERE token_hash = $1 AND lower(connection_id) = $2",
            )
            .bind(&hash.0[..])
            .bind(connection.folded())
            .execute(&mut tx)
            .await?;
            let closed = ClosedLapse { id: lapse.id, outcome: Some(Outcome::Dismissed) };
            cancellations::cancel_for_lapses(&mut tx, &[closed], now).await?;
            Ok(true)
        })
        .await
    }

    /// Lets no reminder about the lapse behind a button go out for the time of [`SNOOZE`]. What is queued waits at the handover.
    /// Returns `false` when the link has expired, the lapse is not open, or is snoozed already.
    pub(crate) async fn snooze(&self, hash: TokenHash, connection: &ConnectionId, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            lock_member_of_link(&mut tx, hash).await?;
            let is_behind = is_behind_button();
            let snooze = format!(
                "UPDATE lapses SET snoozed_until = $4, plan_at = $3
                 WHERE state = 'open' AND (snoozed_until IS NULL OR snoozed_until <= $3)
                   AND {is_behind} RETURNING {CHANGED}"
            );
            let until = now + SNOOZE;
            let snoozed =
                bound(snooze, hash, connection, now).bind(millis(until)).fetch_optional(&mut tx).await?;
            let Some(row) = snoozed else { return Ok(false) };
            ChangedLapse::read(&row)?.record(&mut tx, NoticeReason::Snoozed, Some(until), now).await?;
            Ok(true)
        })
        .await
    }

    /// Ends the member's own dismissal or snooze of the lapse behind a button, as if it had never been. `None` when there is
    /// none, or the link has expired.
    pub(crate) async fn undo(
        &self,
        hash: TokenHash,
        connection: &ConnectionId,
        now: Time,
    ) -> Result<Option<Undone>> {
        self.write(async |mut tx| {
            lock_member_of_link(&mut tx, hash).await?;
            let is_behind = is_behind_button();
            let reopen = format!(
                "UPDATE lapses SET state = 'open', outcome = NULL, closed_at = NULL, dismissed_by_member = FALSE,
                    plan_at = $3
                 WHERE state = 'closed' AND outcome = 'dismissed' AND dismissed_by_member = TRUE
                   AND {is_behind}
                   AND EXISTS (SELECT 1 FROM connections c WHERE c.member_id = lapses.member_id
                     AND c.connection_id = lapses.connection_id AND c.status IN ('DISCONNECTED', 'EXPIRED'))
                 RETURNING {CHANGED}"
            );
            if let Some(lapse) = change(&mut tx, reopen, hash, connection, now).await? {
                lapse.record(&mut tx, NoticeReason::DismissalUndone, None, now).await?;
                return Ok(Some(Undone::Dismissal));
            }
            let wake = format!(
                "UPDATE lapses SET snoozed_until = NULL, plan_at = $3
                 WHERE state = 'open' AND snoozed_until > $3 AND {is_behind} RETURNING {CHANGED}"
            );
            let Some(lapse) = change(&mut tx, wake, hash, connection, now).await? else { return Ok(None) };
            lapse.record(&mut tx, NoticeReason::SnoozeUndone, None, now).await?;
            release_snoozed(&mut tx, &lapse.id, now).await?;
            Ok(Some(Undone::Snooze))
        })
        .await
    }
}

/// Runs a statement that changes the lapse behind a button and returns [`CHANGED`].
async fn change(
    tx: &mut Tx,
    statement: String,
    hash: TokenHash,
    connection: &ConnectionId,
    now: Time,
) -> Result<Option<ChangedLapse>> {
    let row = bound(statement, hash, connection, now).fetch_optional(&mut *tx).await?;
    row.as_ref().map(ChangedLapse::read).transpose()
}

fn bound(statement: String, hash: TokenHash, connection: &ConnectionId, now: Time) -> Query {
    query(statement).bind(&hash.0[..]).bind(connection.folded()).bind(millis(now))
}

/// Notices that wait for the end of the snooze need not wait. The gates decide again.
async fn release_snoozed(tx: &mut Tx, lapse: &LapseId, now: Time) -> Result<()> {
    lock_notices_about(tx, &[lapse]).await?;
    query(
        "UPDATE notices SET not_before = $2, reason = CASE WHEN step = 0 THEN 'first_notice' ELSE 'reminder' END
         WHERE state = 'queued' AND reason = 'snoozed'
           AND notice_id IN (SELECT i.notice_id FROM notice_items i
                             WHERE i.counts_as_step = TRUE AND i.lapse_id IN (SELECT value FROM json_each($1)))",
    )
    .bind(json_list(&[lapse])?)
    .bind(millis(now))
    .execute(tx)
    .await?;
    Ok(())
}
