//! `transitions`.

use super::{Result, Store, time};
use crate::domain::{ConnectionId, MemberId, Transition, TransitionId};
use sqlx::Row;

impl Store {
    /// The next `limit` transitions after `after`, oldest first, of one member or of all.
    pub async fn transitions(
        &self,
        only: Option<&MemberId>,
        after: Option<&TransitionId>,
        limit: u32,
    ) -> Result<Vec<Transition>> {
        let rows = sqlx::query(
            "SELECT transition_id, member_id, connection_id, from_status, to_status, observed_at FROM transitions
             WHERE ($1 IS NULL OR member_id = $1) AND transition_id > $2 ORDER BY transition_id LIMIT $3",
        )
        .bind(only.map(MemberId::as_str))
        .bind(after.map_or("", TransitionId::as_str))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Transition {
                    id: TransitionId::new(row.try_get::<String, _>("transition_id")?),
                    member_id: MemberId::new(row.try_get::<String, _>("member_id")?),
                    connection_id: ConnectionId::new(row.try_get::<String, _>("connection_id")?),
                    from: row.try_get::<Option<String>, _>("from_status")?.as_deref().map(Into::into),
                    to: row.try_get::<String, _>("to_status")?.as_str().into(),
                    observed_at: time(row.try_get("observed_at")?),
                })
            })
            .collect()
    }
}
