//! `lapses`.

use super::{Result, Store, StoreError, count, millis, time};
use crate::domain::{ConnectionId, DisconnectKind, Lapse, LapseId, LapseState, MemberId, Outcome, Time};
use sqlx::{Row, sqlite::SqliteRow};

pub(super) const COLUMNS: &str =
    "l.lapse_id, l.member_id, l.connection_id, l.state, l.outcome, l.suspected_at,
    l.consecutive_observations, l.opened_at, l.closed_at, l.disconnect_intent";

pub(super) fn read(row: &SqliteRow) -> Result<Lapse> {
    let id: String = row.try_get("lapse_id")?;
    let state: String = row.try_get("state")?;
    let state = LapseState::parse(&state).ok_or_else(|| StoreError::Row {
        table: "lapses",
        row: id.clone(),
        what: "its state",
    })?;
    Ok(Lapse {
        id: LapseId::new(id),
        member_id: MemberId::new(row.try_get::<String, _>("member_id")?),
        connection_id: ConnectionId::new(row.try_get::<String, _>("connection_id")?),
        state,
        outcome: row.try_get::<Option<String>, _>("outcome")?.as_deref().and_then(Outcome::parse),
        suspected_at: time(row.try_get("suspected_at")?),
        consecutive_observations: count(row.try_get("consecutive_observations")?),
        opened_at: row.try_get::<Option<i64>, _>("opened_at")?.map(time),
        closed_at: row.try_get::<Option<i64>, _>("closed_at")?.map(time),
        disconnect_intent: row
            .try_get::<Option<String>, _>("disconnect_intent")?
            .as_deref()
            .and_then(DisconnectKind::parse),
    })
}

impl Store {
    /// The next `limit` lapses after `after`, oldest first, of one member or of all.
    pub async fn lapses(
        &self,
        only: Option<&MemberId>,
        after: Option<&LapseId>,
        limit: u32,
    ) -> Result<Vec<Lapse>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM lapses l WHERE ($1 IS NULL OR l.member_id = $1) AND l.lapse_id > $2
             ORDER BY l.lapse_id LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(only.map(MemberId::as_str))
            .bind(after.map_or("", LapseId::as_str))
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Makes the planner look at each open lapse again, as when the policy may have changed.
    pub(crate) async fn mark_all_for_planning(&self, now: Time) -> Result<()> {
        sqlx::query(
            "UPDATE lapses SET plan_at = $1 WHERE state = 'open' AND (plan_at IS NULL OR plan_at > $1)",
        )
        .bind(millis(now))
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
