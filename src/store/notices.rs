//! Notices and their attempts, as reports show them.

use super::engine::{Row, query, query_scalar};
use super::{Result, Store, StoreError, count, json_list, time};
use crate::domain::{
    ConnectionId, LapseId, MemberId, Notice, NoticeId, NoticeItem, NoticeKind, NoticeState, Time,
};
use std::collections::HashMap;

/// One attempt, or several consecutive deferred attempts.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The number of the first one, from 1. The next row's number is this one plus `count`.
    pub attempt: u32,
    /// The number of attempts in this row.
    pub count: u32,
    /// The start of the first one.
    pub started_at: Time,
    /// The start of the last one.
    pub last_at: Time,
    /// The end of the last one; `None` while it runs.
    pub(crate) finished_at: Option<Time>,
    pub outcome: Option<String>,
    /// A reason code; `None` in rows of earlier versions.
    pub reason: Option<String>,
    /// The redacted text of the error or of the server's reply.
    pub detail: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ListedNotice {
    pub notice: Notice,
    pub reason: String,
    pub(crate) planned_at: Time,
    pub not_before: Time,
}

pub(super) const COLUMNS: &str = "n.notice_id, n.member_id, n.kind, n.step, n.state, n.reason, n.planned_at, n.not_before, n.sent_at, n.attempts";

pub(super) fn read(row: &Row) -> Result<ListedNotice> {
    let id: String = row.try_get("notice_id")?;
    let unreadable = |what| StoreError::Row { table: "notices", row: id.clone(), what };
    let (state, kind): (String, String) = (row.try_get("state")?, row.try_get("kind")?);
    let state = state.parse::<NoticeState>().map_err(|_| unreadable("its state"))?;
    let kind = kind.parse::<NoticeKind>().map_err(|_| unreadable("its kind"))?;
    Ok(ListedNotice {
        notice: Notice {
            id: NoticeId::new(id),
            member_id: MemberId::new(row.try_get::<String>("member_id")?),
            kind,
            step: count(row.try_get("step")?),
            state,
            attempts: count(row.try_get("attempts")?),
            items: Vec::new(),
            sent_at: row.try_get::<Option<i64>>("sent_at")?.map(time),
        },
        reason: row.try_get("reason")?,
        planned_at: time(row.try_get("planned_at")?),
        not_before: time(row.try_get("not_before")?),
    })
}

pub(super) fn item(row: &Row) -> Result<NoticeItem> {
    Ok(NoticeItem {
        member_id: MemberId::new(row.try_get::<String>("member_id")?),
        lapse_id: LapseId::new(row.try_get::<String>("lapse_id")?),
        connection_id: ConnectionId::new(row.try_get::<String>("connection_id")?),
        step: count(row.try_get("step")?),
    })
}

impl Store {
    /// At most `limit` notices after `after`, oldest first, optionally of one member or with one id. A sent notice has the
    /// items that its email included.
    pub async fn notices(
        &self,
        member: Option<&MemberId>,
        only: Option<&NoticeId>,
        after: Option<&NoticeId>,
        limit: u32,
    ) -> Result<Vec<ListedNotice>> {
        let this = match (member, only) {
            (_, None) => "",
            (None, Some(_)) => "n.notice_id = $3 AND",
            (Some(_), Some(_)) => "n.notice_id = $4 AND",
        };
        self.read_notices(this, member, only, after, limit).await
    }

    /// Like [`Self::notices`], in one state or in any.
    pub(crate) async fn notices_in(
        &self,
        state: Option<NoticeState>,
        member: Option<&MemberId>,
        after: Option<&NoticeId>,
        limit: u32,
    ) -> Result<Vec<ListedNotice>> {
        let in_state = state.map_or(String::new(), |state| {
            let is_final = matches!(state, NoticeState::Sent | NoticeState::Cancelled);
            // The condition of the index.
            let indexed = if is_final { "" } else { "n.state <> 'sent' AND n.state <> 'cancelled' AND" };
            format!("{indexed} n.state = '{}' AND", state.as_str())
        });
        self.read_notices(&in_state, member, None, after, limit).await
    }

    /// Those that meet `condition`, an SQL text that ends with `AND`.
    async fn read_notices(
        &self,
        condition: &str,
        member: Option<&MemberId>,
        only: Option<&NoticeId>,
        after: Option<&NoticeId>,
        limit: u32,
    ) -> Result<Vec<ListedNotice>> {
        let of_member = member.map_or("", |_| {
            "(n.member_id = $3 OR n.notice_id IN (SELECT i.notice_id FROM lapses l
                JOIN notice_items i ON i.lapse_id = l.lapse_id
                WHERE l.member_id = $3 AND i.in_email IS NOT FALSE)) AND"
        });
        let sql = format!(
            "SELECT {COLUMNS} FROM notices n WHERE {of_member} {condition} n.notice_id > $1 ORDER BY n.notice_id LIMIT $2"
        );
        let rows = query(sql)
            .bind(after.map_or("", NoticeId::as_str))
            .bind(limit)
            .bind_if_some(member.map(MemberId::as_str))
            .bind_if_some(only.map(NoticeId::as_str))
            .fetch_all(&self.reader)
            .await?;
        let mut listed: Vec<ListedNotice> = rows.iter().map(read).collect::<Result<_>>()?;
        let mut items = self.items_of(&listed).await?;
        for notice in &mut listed {
            notice.notice.items = items.remove(notice.notice.id.as_str()).unwrap_or_default();
        }
        Ok(listed)
    }

    async fn items_of(&self, notices: &[ListedNotice]) -> Result<HashMap<String, Vec<NoticeItem>>> {
        let mut found: HashMap<String, Vec<NoticeItem>> = HashMap::new();
        let ids: Vec<_> = notices.iter().map(|notice| &notice.notice.id).collect();
        if ids.is_empty() {
            return Ok(found);
        }
        let items = query(
            "SELECT i.notice_id, l.member_id, i.lapse_id, i.connection_id, i.step FROM notice_items i
             JOIN lapses l ON l.lapse_id = i.lapse_id
             WHERE i.notice_id IN (SELECT value FROM json_each($1)) AND i.in_email IS NOT FALSE
             ORDER BY i.notice_id, l.member_id, i.connection_id",
        )
        .bind(json_list(&ids)?)
        .fetch_all(&self.reader)
        .await?;
        for row in &items {
            found.entry(row.try_get("notice_id")?).or_default().push(item(row)?);
        }
        Ok(found)
    }

    /// Whether the mail server accepted another notice since the first failure of this one, which can be the current
    /// attempt.
    pub(crate) async fn server_accepted_others_since(&self, notice: &NoticeId, attempt: u32) -> Result<bool> {
        query_scalar(
            "SELECT EXISTS (SELECT 1 FROM notices WHERE notice_id <> $1 AND sent_at >=
                (SELECT min(started_at) FROM attempts WHERE notice_id = $1 AND (outcome = 'retry' OR attempt = $2
                    OR (outcome = 'deferred' AND reason IN ('mail_server_busy', 'receiver_failing')))
                 AND attempt > (SELECT attempts_before_retry FROM notices n WHERE n.notice_id = $1)))",
        )
        .bind(notice.as_str())
        .bind(attempt)
        .fetch_one(&self.reader)
        .await
    }

    /// The attempts of a notice, oldest first.
    pub async fn attempts(&self, notice: &NoticeId) -> Result<Vec<Attempt>> {
        let rows = query(
            "SELECT attempt, count, started_at, coalesce(last_at, started_at) AS last_at, finished_at, outcome, reason,
                detail FROM attempts WHERE notice_id = $1 ORDER BY attempt",
        )
        .bind(notice.as_str())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Attempt {
                    attempt: count(row.try_get("attempt")?),
                    count: count(row.try_get("count")?),
                    started_at: time(row.try_get("started_at")?),
                    last_at: time(row.try_get("last_at")?),
                    finished_at: row.try_get::<Option<i64>>("finished_at")?.map(time),
                    outcome: row.try_get("outcome")?,
                    reason: row.try_get("reason")?,
                    detail: row.try_get("detail")?,
                })
            })
            .collect()
    }
}
