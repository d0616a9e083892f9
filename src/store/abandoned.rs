//! Abandoned notices that an operator can retry: those about a lapse that is still open, and invitations.

use super::audit;
use super::engine::{Query, Tx, query, query_as, query_scalar};
use super::notices::{COLUMNS, read};
use super::retries::forgive_rejections;
use super::row::RowExt;
use super::{ListedNotice, Result, Store, json_list, millis};
use crate::domain::{AuditAction, AuditEntry, ConnectionId, NoticeId, NoticeReason, Time};
use std::collections::BTreeMap;

/// Which of them. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AbandonedFilter {
    /// A reason code.
    pub reason: Option<String>,
    pub source: Option<ConnectionId>,
}

/// A notice, and the sources that it was about, in lower case.
#[derive(Clone, Debug)]
pub struct AbandonedNotice {
    pub notice: ListedNotice,
    pub sources: Vec<ConnectionId>,
}

/// SQL condition on the notice `n`, in which `$1` is the reason or null and `$2` the source or null. PostgreSQL would join
/// `EXISTS` with the whole table.
const MATCHES: &str = "n.state = 'abandoned' AND ($1 IS NULL OR n.reason = $1)
    AND ((n.kind = 'invited' AND $2 IS NULL) OR (SELECT count(*) FROM notice_items i
        JOIN lapses l ON l.lapse_id = i.lapse_id
        WHERE i.notice_id = n.notice_id AND i.counts_as_step = TRUE AND l.state = 'open'
          AND ($2 IS NULL OR lower(i.connection_id) = $2)) > 0)";

impl AbandonedFilter {
    fn bind(&self, query: Query) -> Query {
        query.bind(self.reason.clone()).bind(self.source.as_ref().map(ConnectionId::folded))
    }
}

impl Store {
    /// How many match.
    pub async fn count_abandoned(&self, filter: &AbandonedFilter) -> Result<u64> {
        let query = filter.bind(query(format!("SELECT count(*) AS notices FROM notices n WHERE {MATCHES}")));
        query.fetch_one(&self.reader).await?.total("notices")
    }

    /// How many there are, by reason code.
    pub async fn abandoned_by_reason(&self) -> Result<BTreeMap<String, u64>> {
        let sql = format!("SELECT n.reason, count(*) FROM notices n WHERE {MATCHES} GROUP BY n.reason");
        let rows: Vec<(String, i64)> =
            query_as(sql).bind(None::<String>).bind(None::<String>).fetch_all(&self.reader).await?;
        Ok(rows.into_iter().map(|(reason, count)| (reason, count.unsigned_abs())).collect())
    }

    /// The next `limit` that match after `after`, oldest first.
    pub async fn abandoned(
        &self,
        filter: &AbandonedFilter,
        after: Option<&NoticeId>,
        limit: u32,
    ) -> Result<Vec<AbandonedNotice>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notices n WHERE {MATCHES} AND n.notice_id > $3 ORDER BY n.notice_id LIMIT $4"
        );
        let page = filter.bind(query(sql)).bind(after.map_or("", NoticeId::as_str)).bind(limit);
        let mut listed = Vec::new();
        for row in &page.fetch_all(&self.reader).await? {
            let notice = read(row)?;
            let sources: Vec<String> = query_scalar(
                "SELECT DISTINCT lower(connection_id) FROM notice_items WHERE notice_id = $1 ORDER BY 1",
            )
            .bind(notice.notice.id.as_str())
            .fetch_all(&self.reader)
            .await?;
            listed.push(AbandonedNotice {
                notice,
                sources: sources.into_iter().map(ConnectionId::new).collect(),
            });
        }
        Ok(listed)
    }

    /// Queues all that match, as [`Store::retry_notice`] does. Returns their number.
    pub async fn retry_abandoned(&self, filter: &AbandonedFilter, now: Time) -> Result<u64> {
        let unit = async |mut tx: Tx| {
            let rows = filter
                .bind(query(format!("SELECT n.notice_id FROM notices n WHERE {MATCHES} AND n.attempts > 0")))
                .fetch_all(&mut tx)
                .await?;
            let ids = rows.iter().map(|row| row.text_of("notice_id")).collect::<Result<Vec<&str>>>()?;
            let ids = json_list(&ids)?;
            forgive_rejections(&mut tx, Some(&ids), now).await?;
            let queued = query(
                "UPDATE notices SET state = 'queued', reason = $2, not_before = $1, attempts_before_retry = attempts
                 WHERE notice_id IN (SELECT value FROM json_each($3)) AND state = 'abandoned'",
            )
            .bind(millis(now))
            .bind(NoticeReason::RetryRequested.as_str())
            .bind(ids)
            .execute(&mut tx)
            .await?
            .rows_affected();
            let entry = AuditEntry::new(AuditAction::NoticeRetry).affected(queued);
            audit::record(&mut tx, entry.target(filter.reason.as_deref()), now).await?;
            Ok(queued)
        };
        self.write(unit).await
    }
}
