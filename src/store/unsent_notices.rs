//! What is on its way to a member.

use super::engine::{Row, query, query_scalar};
use super::row::RowExt;
use super::waiting_notices::IS_WAITING;
use super::{Result, Store};
use crate::domain::{
    ConnectionId, LapseId, LapseState, MemberId, NoticeKind, NoticeReason, NoticeState, Time,
};

/// A member's part in an unsent notice.
#[derive(Clone, Debug)]
pub(crate) struct UnsentNotice {
    pub(crate) lapse_id: Option<LapseId>,
    pub(crate) connection_id: Option<ConnectionId>,
    pub(crate) kind: NoticeKind,
    pub(crate) state: NoticeState,
    pub(crate) reason: NoticeReason,
    pub(crate) step: u32,
    pub(crate) is_resend: bool,
    pub(crate) not_before: Time,
    /// Whether the planner can still change it.
    pub(crate) is_plan: bool,
}

impl Store {
    /// The member's parts in notices that are queued, held, or being sent.
    pub(crate) async fn unsent_notices(&self, member: &MemberId) -> Result<Vec<UnsentNotice>> {
        let rows = query(format!(
            "SELECT p.lapse_id, p.connection_id, n.kind, n.state, n.reason, p.step, n.not_before,
                n.resend_of IS NOT NULL AS is_resend, {IS_WAITING} AS is_plan
             FROM (SELECT i.notice_id, i.lapse_id, i.connection_id, i.step
                   FROM lapses l JOIN notice_items i ON i.lapse_id = l.lapse_id
                   WHERE l.member_id = $1 AND i.in_email IS DISTINCT FROM FALSE
                   UNION ALL SELECT v.notice_id, NULL, v.connection_id, 0 FROM invitations v
                   WHERE v.member_id = $1 AND v.notice_id IS NOT NULL) AS p
             JOIN notices n ON n.notice_id = p.notice_id
             WHERE n.state IN ('queued', 'held', 'sending') ORDER BY n.not_before, n.notice_id"
        ))
        .bind(member.as_str())
        .fetch_all(&self.reader)
        .await?;
        let unsent = |row: &Row| {
            Ok(UnsentNotice {
                lapse_id: row.optional_text("lapse_id")?,
                connection_id: row.optional_text("connection_id")?,
                kind: row.parsed("kind")?,
                state: row.parsed("state")?,
                reason: row.parsed("reason")?,
                step: row.count("step")?,
                is_resend: row.try_get("is_resend")?,
                not_before: row.time("not_before")?,
                is_plan: row.try_get("is_plan")?,
            })
        };
        rows.iter().map(unsent).collect()
    }

    /// Whether the member has a lapse in this state; of this connection, if one is given.
    pub(crate) async fn has_lapse_in_state(
        &self,
        member: &MemberId,
        connection: Option<&ConnectionId>,
        state: LapseState,
    ) -> Result<bool> {
        query_scalar(
            "SELECT EXISTS (SELECT 1 FROM lapses WHERE member_id = $1 AND state = $3
               AND ($2 = '' OR lower(connection_id) = $2))",
        )
        .bind(member.as_str())
        .bind(connection.map(ConnectionId::folded).unwrap_or_default())
        .bind(state.as_str())
        .fetch_one(&self.reader)
        .await
    }
}
