//! Open lapses of members whom nobody tells: what a call center works through.

use super::engine::{Query, query, query_as};
use super::row::RowExt;
use super::{Result, Store};
use crate::domain::{ConnectionId, MemberId, Time};

/// Which of them. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreachableFilter {
    /// A reason code.
    pub reason: Option<String>,
    pub source: Option<ConnectionId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreachableLapse {
    pub member_id: MemberId,
    pub connection_id: ConnectionId,
    /// Of the source.
    pub name: String,
    pub status: Option<String>,
    pub opened_at: Time,
    /// A reason code.
    pub reason: String,
    /// Since when no email is to come.
    pub since: Time,
}

/// `$1` is the reason or null and `$2` the source or null. The CROSS JOIN lets SQLite begin with the few unreachable members, and
/// PostgreSQL would join a condition with the whole table of members.
const ROWS: &str = "FROM unreachable_members r CROSS JOIN lapses l CROSS JOIN connections k
    WHERE l.member_id = r.member_id AND l.state = 'open'
      AND k.member_id = l.member_id AND k.connection_id = l.connection_id
      AND (SELECT count(*) FROM members m
        WHERE m.member_id = r.member_id AND m.removed_at IS NULL AND m.paused_at IS NULL) > 0
      AND ($1 IS NULL OR r.reason = $1) AND ($2 IS NULL OR lower(l.connection_id) = $2)";

impl UnreachableFilter {
    fn bind(&self, query: Query) -> Query {
        query.bind(self.reason.clone()).bind(self.source.as_ref().map(ConnectionId::folded))
    }
}

impl Store {
    /// How many lapses match.
    pub async fn count_unreachable_lapses(&self, filter: &UnreachableFilter) -> Result<u64> {
        let row =
            filter.bind(query(format!("SELECT count(*) AS lapses {ROWS}"))).fetch_one(&self.reader).await?;
        row.total("lapses")
    }

    /// All such lapses by reason code and source.
    pub async fn unreachable_lapses_by_reason(&self) -> Result<Vec<(String, ConnectionId, u64)>> {
        let rows: Vec<(String, String, i64)> = query_as(format!(
            "SELECT r.reason, lower(l.connection_id), count(*) {ROWS} GROUP BY 1, 2 ORDER BY 1, 2"
        ))
        .bind(None::<String>)
        .bind(None::<String>)
        .fetch_all(&self.reader)
        .await?;
        let count = |(reason, source, count): (String, String, i64)| {
            (reason, ConnectionId::new(source), count.unsigned_abs())
        };
        Ok(rows.into_iter().map(count).collect())
    }

    /// The next `limit` that match after `after`, by member and connection.
    pub async fn unreachable_lapses(
        &self,
        filter: &UnreachableFilter,
        after: Option<(&MemberId, &ConnectionId)>,
        limit: u32,
    ) -> Result<Vec<UnreachableLapse>> {
        let sql = format!(
            "SELECT r.member_id, l.connection_id, k.name, k.status, l.opened_at, r.reason, r.since {ROWS}
               AND (r.member_id > $3 OR (r.member_id = $3 AND l.connection_id > $4))
             ORDER BY r.member_id, l.connection_id LIMIT $5"
        );
        let rows = filter
            .bind(query(sql))
            .bind(after.map_or("", |(member, _)| member.as_str()))
            .bind(after.map_or("", |(_, connection)| connection.as_str()))
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(UnreachableLapse {
                    member_id: row.text("member_id")?,
                    connection_id: row.text("connection_id")?,
                    name: row.text_of("name")?.to_owned(),
                    status: row.optional_text_of("status")?.map(str::to_owned),
                    opened_at: row.time("opened_at")?,
                    reason: row.text_of("reason")?.to_owned(),
                    since: row.time("since")?,
                })
            })
            .collect()
    }
}
