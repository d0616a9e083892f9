//! `verified_sources`: which sources' reconnect URLs could be fetched, and for whom.

use super::engine::{Query, query, query_scalar};
use super::{Result, Store, json_list, millis};
use crate::domain::{ConnectionId, MemberId, NoticeId, Time};
use std::collections::BTreeSet;

/// Records that the sources' reconnect URLs were fetched for this member. `None`: there are none.
pub(super) fn record(sources: &[ConnectionId], member: &MemberId, now: Time) -> Result<Option<Query>> {
    let sources: BTreeSet<String> = sources.iter().map(ConnectionId::folded).collect();
    if sources.is_empty() {
        return Ok(None);
    }
    let record = query(
        "INSERT INTO verified_sources (source, member_id, verified_at)
         SELECT value, $2, $3 FROM json_each($1) WHERE TRUE
         ON CONFLICT (source) DO UPDATE SET member_id = excluded.member_id, verified_at = excluded.verified_at",
    );
    let sources = json_list(&Vec::from_iter(sources))?;
    Ok(Some(record.bind(sources).bind(member.as_str()).bind(millis(now))))
}

impl Store {
    /// Whether the source's OAuth URL was verified for another member since the notice first failed without one.
    pub(crate) async fn is_verified_for_others(
        &self,
        source: &ConnectionId,
        member: &MemberId,
        notice: &NoticeId,
    ) -> Result<bool> {
        query_scalar(
            "SELECT EXISTS (SELECT 1 FROM verified_sources WHERE source = $1 AND member_id <> $2 AND verified_at >=
                (SELECT min(started_at) FROM attempts WHERE notice_id = $3 AND reason = 'oauth_url_refused'
                 AND attempt > (SELECT attempts_before_retry FROM notices n WHERE n.notice_id = $3)))",
        )
        .bind(source.folded())
        .bind(member.as_str())
        .bind(notice.as_str())
        .fetch_one(&self.reader)
        .await
    }
}
