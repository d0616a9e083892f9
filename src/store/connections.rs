//! `connections`.

use super::engine::{Row, query};
use super::row::RowExt;
use super::{Result, Store};
use crate::domain::{Connection, ConnectionId, MemberId, Repair, Source};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConnection {
    pub(crate) member_id: MemberId,
    /// From the response that last changed any of it.
    pub connection: Connection,
    /// The gateway's latest spelling of the id, for requests. Everything else uses the connection's own id.
    pub(crate) gateway_id: ConnectionId,
    /// Whether the last response left its row out, which is not confirmed.
    pub(crate) is_missing: bool,
}

pub(super) const COLUMNS: &str =
    "k.member_id, k.connection_id, k.name, k.category, k.source_type, k.integration_type,
    k.is_direct, k.status, k.sync_status, k.sync_errors, k.last_synced_at, coalesce(k.gateway_id, k.connection_id) AS gateway_id,
    k.missing_since IS NOT NULL AS is_missing";

/// SQL for [`Connection::is_person_mismatch`]. Must match the predicate of the index `connections_mismatched`.
pub(super) const MISMATCHED: &str =
    "status IN ('CONNECTED', 'ERROR') AND instr(sync_errors, '\"PERSON_MATCHING_ERROR\"') > 0";

pub(super) fn read(row: &Row) -> Result<StoredConnection> {
    let errors: String = row.try_get("sync_errors")?;
    Ok(StoredConnection {
        member_id: row.text("member_id")?,
        gateway_id: row.text("gateway_id")?,
        is_missing: row.try_get("is_missing")?,
        connection: Connection {
            id: row.text("connection_id")?,
            source: Source {
                name: row.try_get("name")?,
                category: row.optional_text("category")?,
                source_type: row.optional_text("source_type")?,
                integration_type: row.optional_text("integration_type")?,
                is_direct: row.try_get("is_direct")?,
            },
            status: row.optional_text("status")?,
            sync_status: row.optional_text("sync_status")?,
            sync_errors: serde_json::from_str(&errors).unwrap_or_default(),
            last_synced: row.optional_time("last_synced_at")?,
        },
    })
}

impl StoredConnection {
    pub(crate) fn repair(&self) -> Repair {
        self.connection.source.repair()
    }
}

impl Store {
    /// The stored connections, of one member or of all, in pages: the next `limit` after `after`.
    pub async fn connections(
        &self,
        only: Option<&MemberId>,
        after: Option<(&MemberId, &ConnectionId)>,
        limit: u32,
    ) -> Result<Vec<StoredConnection>> {
        let of_member = only.map_or("", |_| "AND k.member_id = $4");
        // PostgreSQL joins in the order of the members, and would begin with the first one for each page.
        let sql = format!(
            "SELECT {COLUMNS} FROM connections k JOIN members m ON m.member_id = k.member_id
             WHERE m.removed_at IS NULL {of_member} AND (k.member_id, k.connection_id) > ($1, $2)
               AND m.member_id >= $1
             ORDER BY k.member_id, k.connection_id LIMIT $3"
        );
        let rows = query(sql)
            .bind(after.map_or("", |(member, _)| member.as_str()))
            .bind(after.map_or("", |(_, connection)| connection.as_str()))
            .bind(limit)
            .bind_if_some(only.map(MemberId::as_str))
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read).collect()
    }
}
