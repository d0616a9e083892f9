//! What is known of members before a response is applied, read for many members at once.

use super::convert::{count, json_list, time};
use super::engine::{Tx, query, query_as};
use super::error::Result;
use super::{connections, lapses};
use crate::domain::{ConnectionId, ConnectionState, Lapse, MemberId, Missing, Status, Time};
use std::collections::HashMap;

/// An enrolled member.
#[derive(Debug, Default)]
pub(super) struct KnownMember {
    /// The time of the request whose response was applied last, in milliseconds.
    pub(super) answered_at: Option<i64>,
    /// Ordered by connection id.
    pub(super) connections: Vec<ConnectionState>,
    /// The connections whose records belong to another person.
    pub(super) mismatched: Vec<ConnectionId>,
    /// When the gateway had last fetched records.
    pub(super) last_syncs: HashMap<ConnectionId, Time>,
}

/// Members who are not enrolled are left out.
pub(super) async fn read(tx: &mut Tx, members: &[&MemberId]) -> Result<HashMap<String, KnownMember>> {
    let ids = json_list(members)?;
    let enrolled: Vec<(String, Option<i64>)> = query_as(
        "SELECT member_id, answered_at FROM members
         WHERE removed_at IS NULL AND member_id IN (SELECT value FROM json_each($1))",
    )
    .bind(&ids)
    .fetch_all(&mut *tx)
    .await?;
    let mut known: HashMap<String, KnownMember> = enrolled
        .into_iter()
        .map(|(member, answered_at)| (member, KnownMember { answered_at, ..KnownMember::default() }))
        .collect();
    let mut newest = newest_lapses(tx, &ids).await?;
    let rows = query(format!(
        "SELECT member_id, connection_id, status,
            coalesce(sync_status, '') IN ('DELETING', 'DATA_DELETED') AS is_being_deleted,
            missing_since, missing_observations, last_synced_at, ({}) AS is_mismatched FROM connections
         WHERE member_id IN (SELECT value FROM json_each($1)) ORDER BY member_id, connection_id",
        connections::MISMATCHED
    ))
    .bind(&ids)
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        let Some(member) = known.get_mut(row.text_of("member_id")?) else { continue };
        let id = ConnectionId::from(row.text_of("connection_id")?);
        if row.try_get::<Option<bool>>("is_mismatched")? == Some(true) {
            member.mismatched.push(id.clone());
        }
        if let Some(at) = row.try_get::<Option<i64>>("last_synced_at")? {
            member.last_syncs.insert(id.clone(), time(at));
        }
        let key = (row.text_of("member_id")?.to_owned(), id.as_str().to_owned());
        member.connections.push(ConnectionState {
            status: row.optional_text_of("status")?.map(Status::from),
            is_being_deleted: row.try_get("is_being_deleted")?,
            lapse: newest.remove(&key),
            missing: match row.try_get::<Option<i64>>("missing_since")? {
                None => None,
                Some(since) => Some(Missing {
                    since: time(since),
                    observations: count(row.try_get("missing_observations")?),
                }),
            },
            connection_id: id,
        });
    }
    Ok(known)
}

/// The newest lapse of each connection, a live one first, by member and connection.
async fn newest_lapses(tx: &mut Tx, members: &str) -> Result<HashMap<(String, String), Lapse>> {
    let sql = format!(
        "SELECT {} FROM lapses l WHERE l.member_id IN (SELECT value FROM json_each($1))
         ORDER BY l.state = 'closed' DESC, l.lapse_id",
        lapses::COLUMNS
    );
    let rows = query(sql).bind(members).fetch_all(&mut *tx).await?;
    let key = |lapse: &Lapse| (lapse.member_id.as_str().to_owned(), lapse.connection_id.as_str().to_owned());
    // A later one replaces an earlier one.
    rows.iter().map(|row| lapses::read(row).map(|lapse| (key(&lapse), lapse))).collect()
}
