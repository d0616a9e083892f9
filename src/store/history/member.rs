//! What stops email to a member, whatever happens to its connections: holds, a pause, the removal, suppressions, and a
//! credential that fails.

use super::scope::Scope;
use crate::domain::{Event, HistoryEntry, HoldKind, HoldScope, NoticeReason, Suppression};
use crate::store::engine::query;
use crate::store::row::RowExt;
use crate::store::{Result, Store};

impl Store {
    pub(super) async fn orders_about(&self, scope: Scope<'_>) -> Result<Vec<HistoryEntry>> {
        let mut entries = Vec::new();
        let member = query(
            "SELECT m.paused_at, m.removed_at, f.state, f.reason, f.since, f.failures FROM members m
             LEFT JOIN credential_failures f ON f.member_id = m.member_id WHERE m.member_id = $1",
        )
        .bind(scope.member.as_str())
        .fetch_one(&self.reader)
        .await?;
        if let Some(state) = member.optional_text_of("state")? {
            let event = Event::CredentialFailed { state: state.to_owned() };
            let entry = scope.entry(member.time("since")?, member.text_of("reason")?, event);
            entries.push(HistoryEntry { count: member.total("failures")?.max(1), ..entry });
        }
        for (column, reason, event) in [
            ("paused_at", NoticeReason::Paused, Event::Paused),
            ("removed_at", NoticeReason::MemberRemoved, Event::Removed),
        ] {
            if let Some(at) = member.optional_time(column)? {
                entries.push(scope.entry(at, reason.as_str(), event));
            }
        }
        let suppressions = query(
            "SELECT s.reason, s.created_at FROM members m JOIN suppressions s ON s.address_hash = m.address_hash
             WHERE m.member_id = $1 ORDER BY s.created_at, s.reason",
        )
        .bind(scope.member.as_str())
        .fetch_all(&self.reader)
        .await?;
        for row in &suppressions {
            let reason: Suppression = row.parsed("reason")?;
            entries.push(scope.entry(row.time("created_at")?, reason.as_str(), Event::Suppressed(reason)));
        }
        entries.extend(self.holds_about(scope).await?);
        Ok(entries)
    }

    /// The holds during which one of the connections that they cover had a lapse. A hold on a status covers a connection that
    /// had the status at any time.
    async fn holds_about(&self, scope: Scope<'_>) -> Result<Vec<HistoryEntry>> {
        let rows = scope.bind(query(
            "SELECT h.kind, h.source, h.member_id, h.status, h.since, h.until, h.ended_at FROM holds h
             WHERE (h.member_id IS NULL OR h.member_id = $1) AND EXISTS
                (SELECT 1 FROM lapses l WHERE l.member_id = $1 AND ($2 = '' OR lower(l.connection_id) = $2)
                   AND (h.source IS NULL OR h.source = lower(l.connection_id))
                   AND coalesce(l.opened_at, l.suspected_at) <= coalesce(h.ended_at, h.until, 9223372036854775807)
                   AND (l.state <> 'closed' OR l.closed_at >= h.since)
                   AND (h.status IS NULL OR EXISTS
                        (SELECT 1 FROM transitions t WHERE t.member_id = l.member_id
                           AND t.connection_id = l.connection_id AND t.to_status = h.status)))
             ORDER BY h.since DESC, h.hold_id DESC LIMIT $3",
        ))
                .fetch_all(&self.reader)
        .await?;
        let mut entries = Vec::new();
        for row in rows.iter().rev() {
            let kind: HoldKind = row.parsed("kind")?;
            let about = HoldScope {
                source: row.optional_text("source")?,
                member_id: row.optional_text("member_id")?,
                status: row.optional_text("status")?,
            };
            let connection_id = about.source.clone();
            let event = Event::Hold {
                kind,
                scope: about,
                until: row.optional_time("until")?,
                ended_at: row.optional_time("ended_at")?,
            };
            let entry = scope.entry(row.time("since")?, kind.reason().as_str(), event);
            entries.push(HistoryEntry { connection_id, ..entry });
        }
        Ok(entries)
    }
}
