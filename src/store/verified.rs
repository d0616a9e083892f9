//! `verified_sources`: which sources' reconnect URLs could be fetched, and for whom.

use super::engine::{query, query_scalar};
use super::{Result, Store, millis};
use crate::domain::{ConnectionId, MemberId, NoticeId, Time};

impl Store {
    /// Records that the source's reconnect URL was fetched for this member.
    pub(crate) async fn source_verified(
        &self,
        source: &ConnectionId,
        member: &MemberId,
        now: Time,
    ) -> Result<()> {
        let upsert = query(
            "INSERT INTO verified_sources (source, member_id, verified_at)
             SELECT $1, member_id, $3 FROM members WHERE member_id = $2
             ON CONFLICT (source) DO UPDATE SET member_id = excluded.member_id, verified_at = excluded.verified_at",
        )
        .bind(source.folded())
        .bind(member.as_str())
        .bind(millis(now));
        self.execute(upsert).await?;
        Ok(())
    }

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
