//! `transitions`.

use super::engine::query;
use super::row::RowExt;
use super::{Result, Store};
use crate::domain::{MemberId, Transition, TransitionId};

impl Store {
    /// The next `limit` transitions after `after`, oldest first, of one member or of all.
    pub async fn transitions(
        &self,
        only: Option<&MemberId>,
        after: Option<&TransitionId>,
        limit: u32,
    ) -> Result<Vec<Transition>> {
        let of_member = only.map_or("", |_| "member_id = $3 AND");
        let rows = query(format!(
            "SELECT transition_id, member_id, connection_id, from_status, to_status, observed_at FROM transitions
             WHERE {of_member} transition_id > $1 ORDER BY transition_id LIMIT $2"
        ))
        .bind(after.map_or("", TransitionId::as_str))
        .bind(limit)
        .bind_if_some(only.map(MemberId::as_str))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Transition {
                    id: row.text("transition_id")?,
                    member_id: row.text("member_id")?,
                    connection_id: row.text("connection_id")?,
                    from: row.optional_text("from_status")?,
                    to: row.text("to_status")?,
                    observed_at: row.time("observed_at")?,
                })
            })
            .collect()
    }
}
