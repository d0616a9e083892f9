//! `connections`.

use super::{Result, Store};
use crate::domain::{Category, Connection, ConnectionId, MemberId, Repair};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

/// A connection as it was last listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConnection {
    /// Whose it is.
    pub(crate) member_id: MemberId,
    /// What the gateway said when anything about it last changed.
    pub connection: Connection,
    /// The gateway's latest spelling of the id, for requests. Everything else uses the connection's own id.
    pub(crate) gateway_id: ConnectionId,
    /// Whether the last response left its row out, which is not confirmed.
    pub(crate) is_missing: bool,
}

pub(super) const COLUMNS: &str =
    "k.member_id, k.connection_id, k.name, k.category, k.source_type, k.integration_type,
    k.is_direct, k.status, k.sync_status, k.sync_errors, coalesce(k.gateway_id, k.connection_id) AS gateway_id,
    k.missing_since IS NOT NULL AS is_missing";

/// Whether a row's records are somebody else's: as [`Connection::is_person_mismatch`] has it, and as the index over such
/// rows is written.
pub(super) const MISMATCHED: &str =
    "status IN ('CONNECTED', 'ERROR') AND instr(sync_errors, '\"PERSON_MATCHING_ERROR\"') > 0";

pub(super) fn read(row: &SqliteRow) -> Result<StoredConnection> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let errors: String = row.try_get("sync_errors")?;
    Ok(StoredConnection {
        member_id: MemberId::new(row.try_get::<String, _>("member_id")?),
        gateway_id: ConnectionId::new(row.try_get::<String, _>("gateway_id")?),
        is_missing: row.try_get("is_missing")?,
        connection: Connection {
            id: ConnectionId::new(row.try_get::<String, _>("connection_id")?),
            name: row.try_get("name")?,
            category: text("category")?.as_deref().map(Category::from),
            source_type: text("source_type")?.as_deref().map(Into::into),
            integration_type: text("integration_type")?.as_deref().map(Into::into),
            is_direct: row.try_get("is_direct")?,
            status: text("status")?.as_deref().map(Into::into),
            sync_status: text("sync_status")?.as_deref().map(Into::into),
            sync_errors: serde_json::from_str(&errors).unwrap_or_default(),
            last_synced: None,
        },
    })
}

impl StoredConnection {
    /// How it is repaired.
    pub(crate) fn repair(&self) -> Repair {
        self.connection.repair()
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
        let sql = format!(
            "SELECT {COLUMNS} FROM connections k JOIN members m ON m.member_id = k.member_id
             WHERE m.removed_at IS NULL AND ($1 IS NULL OR k.member_id = $1)
               AND (k.member_id, k.connection_id) > ($2, $3)
             ORDER BY k.member_id, k.connection_id LIMIT $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(only.map(MemberId::as_str))
            .bind(after.map_or("", |(member, _)| member.as_str()))
            .bind(after.map_or("", |(_, connection)| connection.as_str()))
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read).collect()
    }
}

/// The connections of a member whose records are somebody else's.
pub(super) async fn mismatched(
    tx: &mut Transaction<'_, Sqlite>,
    member: &MemberId,
) -> Result<Vec<ConnectionId>> {
    let sql = format!("SELECT connection_id FROM connections WHERE member_id = $1 AND {MISMATCHED}");
    let ids: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(member.as_str()).fetch_all(&mut **tx).await?;
    Ok(ids.into_iter().map(ConnectionId::new).collect())
}
