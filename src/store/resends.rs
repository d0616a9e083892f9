//! `notices`: emails that members request with a link.

use super::convert::{millis, time};
use super::engine::{Tx, query, query_as};
use super::error::Result;
use super::invitations;
use super::link_rows::{CURRENT, LinkKind, kind};
use super::row_locks::lock_member_of_link;
use super::sqlite::Store;
use super::suppressed::{SUPPRESSED, UNSUBSCRIBED};
use crate::base::random;
use crate::domain::{NoticeId, NoticeReason, Time, TokenHash};
use chrono::TimeDelta;

/// Per member, in 24 hours.
const MAX_RESENDS_PER_DAY: i64 = 3;
/// Per notice or invitation.
const MAX_RESENDS_PER_LINK: i64 = 3;

/// The times of emails that a member requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResendPolicy {
    /// An email that was sent less than this long ago is still on its way.
    pub(crate) transit: TimeDelta,
    /// The email is sent at this age of the member's last one, or later.
    pub(crate) min_interval: TimeDelta,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResendOutcome {
    Queued(NoticeId),
    /// An email with a link for what is still open is queued, or was sent just now.
    OnItsWay,
    /// Nothing that the link is for is still open, or there is no such link.
    NothingOpen,
    /// The member unsubscribed, and can resubscribe with the link.
    Unsubscribed,
    /// The member is paused, the address is suppressed, or a limit is reached.
    Unavailable,
}

/// What the link is for, and what was sent about it.
struct Facts {
    is_open: bool,
    is_on_its_way: bool,
    resends_of_member: i64,
    resends_of_link: i64,
}

impl Store {
    /// Queues another email like the one that the link came with, for what is still open.
    pub(crate) async fn resend(
        &self,
        hash: TokenHash,
        now: Time,
        policy: ResendPolicy,
    ) -> Result<ResendOutcome> {
        self.write(async |mut tx| {
            lock_member_of_link(&mut tx, hash).await?;
            let sql = format!(
                "SELECT k.kind, {UNSUBSCRIBED} AND {CURRENT} AS unsubscribed,
                    m.paused_at IS NOT NULL OR {SUPPRESSED} AS blocked,
                    (SELECT max(n.sent_at) FROM notices n
                     WHERE n.member_id = m.member_id AND n.kind <> 'recovered') AS last
                 FROM links k JOIN members m ON m.member_id = k.member_id WHERE k.token_hash = $1"
            );
            let link = query(sql).bind(&hash.0[..]).fetch_optional(&mut tx).await?;
            let Some(link) = link else { return Ok(ResendOutcome::NothingOpen) };
            let kind = kind(&link)?;
            let facts = facts(&mut tx, hash, kind, now, policy).await?;
            if !facts.is_open {
                return Ok(ResendOutcome::NothingOpen);
            }
            if link.try_get("unsubscribed")? {
                return Ok(ResendOutcome::Unsubscribed);
            }
            if link.try_get("blocked")? {
                return Ok(ResendOutcome::Unavailable);
            }
            if facts.is_on_its_way {
                return Ok(ResendOutcome::OnItsWay);
            }
            if facts.resends_of_member >= MAX_RESENDS_PER_DAY || facts.resends_of_link >= MAX_RESENDS_PER_LINK
            {
                return Ok(ResendOutcome::Unavailable);
            }
            let last = link.try_get::<Option<i64>>("last")?.map(time);
            let not_before = last.map_or(now, |last| now.max(last + policy.min_interval));
            let notice = match kind {
                LinkKind::Notice => resend_notice(&mut tx, hash, now, not_before).await?,
                LinkKind::Invitation => resend_invitation(&mut tx, hash, now, not_before).await?,
            };
            Ok(ResendOutcome::Queued(notice))
        })
        .await
    }
}

async fn facts(
    tx: &mut Tx,
    hash: TokenHash,
    kind: LinkKind,
    now: Time,
    policy: ResendPolicy,
) -> Result<Facts> {
    let sql = match kind {
        LinkKind::Notice => {
            "SELECT count(DISTINCT l.lapse_id) > 0 AS is_open,
                count(*) FILTER (WHERE n.state IN ('queued', 'sending', 'held') OR n.sent_at > $2) > 0 AS is_on_its_way,
                (SELECT count(*) FROM notices o
                 WHERE o.member_id = k.member_id AND o.resend_of IS NOT NULL AND o.planned_at > $3) AS of_member,
                (SELECT count(*) FROM notices o WHERE o.resend_of = k.notice_id) AS of_link
             FROM links k JOIN link_buttons b ON b.token_hash = k.token_hash
             LEFT JOIN lapses l ON l.lapse_id = b.lapse_id AND l.state = 'open'
             LEFT JOIN notice_items i ON i.lapse_id = l.lapse_id
             LEFT JOIN notices n ON n.notice_id = i.notice_id AND n.kind <> 'recovered'
             WHERE k.token_hash = $1 GROUP BY k.token_hash"
                .to_owned()
        }
        LinkKind::Invitation => format!(
            "SELECT c.status IS DISTINCT FROM 'CONNECTED' AS is_open,
                EXISTS (SELECT 1 FROM invitations o JOIN notices n ON n.notice_id = o.notice_id
                        WHERE o.member_id = i.member_id AND lower(o.connection_id) = lower(i.connection_id)
                          AND (n.state IN ('queued', 'sending', 'held') OR n.sent_at > $2)) AS is_on_its_way,
                (SELECT count(*) FROM invitations o
                 WHERE o.member_id = i.member_id AND o.notice_id IS NOT NULL AND o.created_at > $3) AS of_member,
                i.resends AS of_link
             FROM link_buttons b JOIN invitations i ON i.invitation_id = b.invitation_id {}
             WHERE b.token_hash = $1",
            invitations::JOINS
        ),
    };
    let row = query(sql)
        .bind(&hash.0[..])
        .bind(millis(now - policy.transit))
        .bind(millis(now - TimeDelta::days(1)))
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else {
        // A link without buttons: its lapse or its invitation was deleted.
        return Ok(Facts { is_open: false, is_on_its_way: false, resends_of_member: 0, resends_of_link: 0 });
    };
    Ok(Facts {
        is_open: row.try_get("is_open")?,
        is_on_its_way: row.try_get("is_on_its_way")?,
        resends_of_member: row.try_get("of_member")?,
        resends_of_link: row.try_get("of_link")?,
    })
}

async fn resend_notice(tx: &mut Tx, hash: TokenHash, now: Time, not_before: Time) -> Result<NoticeId> {
    let notice = NoticeId::new(random::id(now));
    query(
        "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, resend_of, domain)
         SELECT $2, k.member_id, n.step, 'queued', $5, $3, $4, n.notice_id,
            (SELECT m.domain FROM members m WHERE m.member_id = k.member_id)
         FROM links k JOIN notices n ON n.notice_id = k.notice_id WHERE k.token_hash = $1",
    )
    .bind(&hash.0[..])
    .bind(notice.as_str())
    .bind(millis(now))
    .bind(millis(not_before))
    .bind(NoticeReason::Resend.as_str())
    .execute(&mut *tx)
    .await?;
    // Its items do not count as steps, so the plan stays the same.
    query(
        "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step)
         SELECT $2, i.lapse_id, i.connection_id, i.step, FALSE FROM link_buttons b
         JOIN links k ON k.token_hash = b.token_hash
         JOIN notice_items i ON i.notice_id = k.notice_id AND i.lapse_id = b.lapse_id
         JOIN lapses l ON l.lapse_id = b.lapse_id
         WHERE b.token_hash = $1 AND l.state = 'open'",
    )
    .bind(&hash.0[..])
    .bind(notice.as_str())
    .execute(&mut *tx)
    .await?;
    Ok(notice)
}

async fn resend_invitation(tx: &mut Tx, hash: TokenHash, now: Time, not_before: Time) -> Result<NoticeId> {
    let (old, member): (String, String) = query_as(
        "UPDATE invitations SET resends = resends + 1
         WHERE invitation_id = (SELECT invitation_id FROM link_buttons WHERE token_hash = $1)
         RETURNING invitation_id, member_id",
    )
    .bind(&hash.0[..])
    .fetch_one(&mut *tx)
    .await?;
    let notice = invitations::queue(tx, &member, NoticeReason::Resend, now, not_before).await?;
    query(
        "INSERT INTO invitations (invitation_id, member_id, connection_id, name, source_type, notice_id, created_at)
         SELECT $2, member_id, connection_id, name, source_type, $3, $4 FROM invitations WHERE invitation_id = $1",
    )
    .bind(old)
    .bind(random::id(now))
    .bind(notice.as_str())
    .bind(millis(now))
    .execute(&mut *tx)
    .await?;
    Ok(notice)
}
