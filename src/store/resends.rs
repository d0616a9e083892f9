//! `notices`: emails that members request with a link.

use super::convert::{millis, time};
use super::error::Result;
use super::link_rows::{LinkKind, kind};
use super::sqlite::Store;
use super::{invitations, suppressions};
use crate::base::random;
use crate::domain::{NoticeId, NoticeReason, Time, TokenHash};
use chrono::TimeDelta;
use sqlx::{Sqlite, Transaction};

/// Per member, in 24 hours.
const MAX_RESENDS_PER_DAY: i64 = 3;
/// Per notice or invitation.
const MAX_RESENDS_PER_LINK: i64 = 3;

/// The limits for emails that a member requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResendPolicy {
    /// Requests before this age of the last email are ignored.
    pub(crate) min_age: TimeDelta,
    /// The email is sent at this age of the last one, or later.
    pub(crate) min_interval: TimeDelta,
}

impl Store {
    /// Queues another email like the one that the link came with, for what is still open. Returns `None` when nothing is
    /// open, the address is suppressed, the last email is too recent, another one is queued, or a limit is reached.
    pub(crate) async fn resend(
        &self,
        hash: TokenHash,
        now: Time,
        policy: ResendPolicy,
    ) -> Result<Option<NoticeId>> {
        let mut tx = self.begin().await?;
        if suppressions::is_suppressed_by_token(&mut tx, hash).await? {
            return Ok(None);
        }
        let link = sqlx::query("SELECT kind FROM links WHERE token_hash = $1")
            .bind(&hash.0[..])
            .fetch_optional(&mut *tx)
            .await?;
        let Some(link) = link else { return Ok(None) };
        let queued = match kind(&link)? {
            LinkKind::Notice => resend_notice(&mut tx, hash, now, policy).await?,
            LinkKind::Invitation => resend_invitation(&mut tx, hash, now, policy).await?,
        };
        if queued.is_some() {
            tx.commit().await?;
        }
        Ok(queued)
    }
}

async fn resend_notice(
    tx: &mut Transaction<'_, Sqlite>,
    hash: TokenHash,
    now: Time,
    policy: ResendPolicy,
) -> Result<Option<NoticeId>> {
    let notice = NoticeId::new(random::id(now));
    // Its items do not count as steps, so the plan stays the same.
    let queued = sqlx::query(
        "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, resend_of, domain)
         SELECT $2, n.member_id, n.step, 'queued', $9, $3,
            max($3, coalesce((SELECT max(o.sent_at) FROM notices o
                              WHERE o.member_id = n.member_id AND o.kind <> 'recovered'), 0) + $8), n.notice_id,
            (SELECT m.domain FROM members m WHERE m.member_id = n.member_id)
         FROM links k JOIN notices n ON n.notice_id = k.notice_id
         WHERE k.token_hash = $1 AND NOT EXISTS
            (SELECT 1 FROM notices o WHERE o.member_id = n.member_id AND o.kind <> 'recovered'
             AND (o.state IN ('queued', 'sending', 'held') OR o.sent_at > $4 OR o.planned_at > $4))
           AND $5 > (SELECT count(*) FROM notices o
                     WHERE o.member_id = n.member_id AND o.resend_of IS NOT NULL AND o.planned_at > $6)
           AND $7 > (SELECT count(*) FROM notices o WHERE o.resend_of = n.notice_id)",
    )
    .bind(&hash.0[..])
    .bind(notice.as_str())
    .bind(millis(now))
    .bind(millis(now - policy.min_age))
    .bind(MAX_RESENDS_PER_DAY)
    .bind(millis(now - TimeDelta::days(1)))
    .bind(MAX_RESENDS_PER_LINK)
    .bind(policy.min_interval.num_milliseconds())
    .bind(NoticeReason::Resend.as_str())
    .execute(&mut **tx)
    .await?
    .rows_affected();
    let items = sqlx::query(
        "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step)
         SELECT $2, i.lapse_id, i.connection_id, i.step, 0 FROM link_buttons b
         JOIN links k ON k.token_hash = b.token_hash
         JOIN notice_items i ON i.notice_id = k.notice_id AND i.lapse_id = b.lapse_id
         JOIN lapses l ON l.lapse_id = b.lapse_id
         WHERE b.token_hash = $1 AND l.state = 'open' AND $3 > 0",
    )
    .bind(&hash.0[..])
    .bind(notice.as_str())
    .bind(queued as i64)
    .execute(&mut **tx)
    .await?
    .rows_affected();
    if items == 0 {
        return Ok(None);
    }
    Ok(Some(notice))
}

async fn resend_invitation(
    tx: &mut Transaction<'_, Sqlite>,
    hash: TokenHash,
    now: Time,
    policy: ResendPolicy,
) -> Result<Option<NoticeId>> {
    let sql = format!(
        "SELECT i.invitation_id, i.member_id, coalesce((SELECT max(n.sent_at) FROM notices n
            WHERE n.member_id = i.member_id AND n.kind <> 'recovered'), 0) FROM link_buttons b
         JOIN invitations i ON i.invitation_id = b.invitation_id {}
         WHERE b.token_hash = $1 AND c.status IS NOT 'CONNECTED' AND NOT EXISTS
            (SELECT 1 FROM notices n WHERE n.member_id = i.member_id AND n.kind <> 'recovered'
             AND (n.state IN ('queued', 'sending', 'held') OR n.sent_at > $2 OR n.planned_at > $2))
           AND $3 > (SELECT count(*) FROM invitations x
                     WHERE x.member_id = i.member_id AND x.notice_id IS NOT NULL AND x.created_at > $4)
           AND i.resends < $5",
        invitations::JOINS
    );
    let old: Option<(String, String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(&hash.0[..])
        .bind(millis(now - policy.min_age))
        .bind(MAX_RESENDS_PER_DAY)
        .bind(millis(now - TimeDelta::days(1)))
        .bind(MAX_RESENDS_PER_LINK)
        .fetch_optional(&mut **tx)
        .await?;
    let Some((old, member, last)) = old else { return Ok(None) };
    sqlx::query("UPDATE invitations SET resends = resends + 1 WHERE invitation_id = $1")
        .bind(&old)
        .execute(&mut **tx)
        .await?;
    let not_before = now.max(time(last) + policy.min_interval);
    let notice = invitations::queue(tx, &member, NoticeReason::Resend, now, not_before).await?;
    sqlx::query(
        "INSERT INTO invitations (invitation_id, member_id, connection_id, name, source_type, notice_id, created_at)
         SELECT $2, member_id, connection_id, name, source_type, $3, $4 FROM invitations WHERE invitation_id = $1",
    )
    .bind(old)
    .bind(random::id(now))
    .bind(notice.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(Some(notice))
}
