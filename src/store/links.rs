//! `links`, `link_buttons`.

use super::{
    Result, Store, StoreError, StoredConnection, connections, count, invitations, millis, passes, queue,
    rechecks,
    suppressions::{self, UNSUBSCRIBED},
    time,
};
use crate::base::random;
use crate::domain::{
    Button, ConnectionId, LapseId, LapseState, LinkRecord, MemberId, NoticeId, NoticeItem, Outcome, PassHash,
    Time, TokenHash,
};
use chrono::TimeDelta;
use sqlx::Row;

/// Mails that one member can ask for within 24 hours.
pub(super) const RESENDS_A_DAY: i64 = 3;
/// Mails that can be asked for with one link, as long as it is kept.
pub(super) const RESENDS_A_LINK: i64 = 3;

/// How soon an email that a member requests can follow the member's last email.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResendPolicy {
    /// Requests before this age of the last email are ignored.
    pub(crate) min_age: TimeDelta,
    /// The email is sent at this age of the last one, or later.
    pub(crate) min_interval: TimeDelta,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Redemption<'a> {
    pub(crate) link: TokenHash,
    pub(crate) member: &'a MemberId,
    pub(crate) connection: &'a ConnectionId,
    pub(crate) at: Time,
    /// `None`: no recheck.
    pub(crate) recheck_at: Option<Time>,
}

impl Store {
    /// Keeps a link, by its hash, with a button for each item whose lapse is open still; gives those items. With none,
    /// or when the notice is no longer this attempt's, nothing is kept.
    pub async fn add_link(
        &self,
        hash: TokenHash,
        (notice, attempt): (&NoticeId, u32),
        member: &MemberId,
        items: &[NoticeItem],
        now: Time,
        expires_at: Time,
    ) -> Result<Vec<NoticeItem>> {
        let mut tx = self.begin().await?;
        if !queue::is_claimed(&mut tx, notice, attempt).await? {
            return Ok(Vec::new());
        }
        sqlx::query(
            "INSERT INTO links (token_hash, notice_id, member_id, attempt, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&hash.0[..])
        .bind(notice.as_str())
        .bind(member.as_str())
        .bind(attempt)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(&mut *tx)
        .await?;
        let mut kept = Vec::new();
        for item in items {
            let added = sqlx::query(
                "INSERT INTO link_buttons (token_hash, connection_id, lapse_id)
                 SELECT $1, connection_id, lapse_id FROM lapses WHERE lapse_id = $2 AND state = 'open'",
            )
            .bind(&hash.0[..])
            .bind(item.lapse_id.as_str())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if added > 0 {
                kept.push(item.clone());
            }
        }
        if !kept.is_empty() {
            tx.commit().await?;
        }
        Ok(kept)
    }

    /// What stands behind a token; `None` when nothing does.
    pub(crate) async fn link(&self, hash: TokenHash) -> Result<Option<LinkRecord>> {
        let link = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT k.member_id, k.expires_at, m.locale, {UNSUBSCRIBED} AS unsubscribed
                 FROM links k JOIN members m ON m.member_id = k.member_id WHERE k.token_hash = $1"
        )))
        .bind(&hash.0[..])
        .fetch_optional(&self.reader)
        .await?;
        let Some(link) = link else { return self.invitation(hash).await };
        let sql = format!(
            "SELECT {}, b.lapse_id, b.redemptions, b.outlived, l.state, l.outcome FROM link_buttons b
             JOIN lapses l ON l.lapse_id = b.lapse_id
             JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
             WHERE b.token_hash = $1 ORDER BY b.connection_id",
            connections::COLUMNS
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&hash.0[..]).fetch_all(&self.reader).await?;
        let buttons = rows
            .iter()
            .map(|row| {
                let lapse_id: String = row.try_get("lapse_id")?;
                let state: String = row.try_get("state")?;
                let StoredConnection { connection, gateway_id, is_missing, .. } = connections::read(row)?;
                Ok(Button {
                    connection,
                    gateway_id,
                    is_missing,
                    state: state.parse::<LapseState>().map_err(|_| StoreError::Row {
                        table: "lapses",
                        row: lapse_id,
                        what: "its state",
                    })?,
                    outcome: row
                        .try_get::<Option<String>, _>("outcome")?
                        .as_deref()
                        .and_then(|text| text.parse().ok()),
                    redemptions: count(row.try_get("redemptions")?),
                    superseded: row.try_get("outlived")?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if buttons.is_empty()
            && let Some(invitation) = self.invitation(hash).await?
        {
            return Ok(Some(invitation));
        }
        Ok(Some(LinkRecord {
            member_id: MemberId::new(link.try_get::<String, _>("member_id")?),
            locale: link.try_get("locale")?,
            unsubscribed: link.try_get("unsubscribed")?,
            expires_at: time(link.try_get("expires_at")?),
            buttons,
        }))
    }

    /// Spends one redemption of a button. `false` when it has been spent, the link has died or the lapse has ended
    /// otherwise than by a dismissal, which its member may think better of: of any number who press at once,
    /// `max_redemptions` win.
    ///
    /// With it, the member's early polls are set, and `passes` are kept, which are good `until` then.
    pub(crate) async fn redeem(
        &self,
        redemption: &Redemption<'_>,
        max_redemptions: u32,
        passes: &[PassHash],
        until: Time,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        // The same press, made twice.
        if passes::any_exists(&mut tx, passes, redemption.at).await? {
            return Ok(false);
        }
        let spent = sqlx::query(
            "UPDATE link_buttons SET redemptions = redemptions + 1, redeemed_at = $4
             WHERE token_hash = $1 AND connection_id = $2 AND redemptions < $3 AND outlived = 0
               AND EXISTS (SELECT 1 FROM links k WHERE k.token_hash = $1 AND k.expires_at > $4)
               AND EXISTS (SELECT 1 FROM lapses l WHERE l.lapse_id = link_buttons.lapse_id AND (l.state <> 'closed' OR l.outcome = 'dismissed'))",
        )
        .bind(&redemption.link.0[..])
        .bind(redemption.connection.as_str())
        .bind(max_redemptions)
        .bind(millis(redemption.at))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if spent == 0
            && !invitations::redeem(&mut tx, redemption.link, max_redemptions, redemption.at).await?
        {
            return Ok(false);
        }
        // Who reconnects after all has not meant it, or thinks better of it.
        sqlx::query(
            "UPDATE lapses SET state = 'open', outcome = NULL, closed_at = NULL, disconnect_intent = NULL, plan_at = $3
             WHERE state = 'closed' AND outcome = 'dismissed' AND lapse_id =
                (SELECT lapse_id FROM link_buttons WHERE token_hash = $1 AND connection_id = $2)",
        )
        .bind(&redemption.link.0[..])
        .bind(redemption.connection.as_str())
        .bind(millis(redemption.at))
        .execute(&mut *tx)
        .await?;
        rechecks::set(&mut tx, redemption).await?;
        passes::insert(&mut tx, redemption, passes, until).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Closes the lapse behind a button because its member disconnected on purpose; the button can be pressed anew, should
    /// they think better of it. `false` when the link has died, the lapse has ended, or the connection is not DISCONNECTED.
    pub(crate) async fn dismiss(
        &self,
        hash: TokenHash,
        connection: &ConnectionId,
        now: Time,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let lapse: Option<String> = sqlx::query_scalar(
            "UPDATE lapses SET state = 'closed', outcome = 'dismissed', closed_at = $3, plan_at = NULL
             WHERE state = 'open' AND lapse_id IN
                (SELECT b.lapse_id FROM link_buttons b JOIN links k ON k.token_hash = b.token_hash
                 WHERE b.token_hash = $1 AND b.connection_id = $2 COLLATE NOCASE AND b.outlived = 0 AND k.expires_at > $3)
               AND EXISTS (SELECT 1 FROM connections c WHERE c.member_id = lapses.member_id
                 AND c.connection_id = lapses.connection_id AND c.status = 'DISCONNECTED')
             RETURNING lapse_id",
        )
        .bind(&hash.0[..])
        .bind(connection.as_str())
        .bind(millis(now))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(lapse) = lapse else { return Ok(false) };
        sqlx::query("UPDATE link_buttons SET redemptions = 0 WHERE token_hash = $1 AND connection_id = $2 COLLATE NOCASE")
            .bind(&hash.0[..])
            .bind(connection.as_str())
            .execute(&mut *tx)
            .await?;
        queue::cancel_for_lapse(&mut tx, &LapseId::new(lapse), Outcome::Dismissed.as_str()).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes a redemption back that came to nothing, so that the button can be pressed again.
    pub(crate) async fn undo_redemption(&self, hash: TokenHash, connection: &ConnectionId) -> Result<()> {
        let mut tx = self.begin().await?;
        for sql in [
            "UPDATE link_buttons SET redemptions = redemptions - 1
             WHERE token_hash = $1 AND connection_id = $2 AND redemptions > 0",
            "DELETE FROM passes WHERE token_hash = $1 AND connection_id = $2",
        ] {
            sqlx::query(sql).bind(&hash.0[..]).bind(connection.as_str()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Queues another notice like the one that the link came with, about those of its lapses that are open, to follow the
    /// member's last one at this pace. `None` when there is nothing left to say, the member wants no mail, got one too
    /// short a while ago or will get one anyway, or enough of them were asked for, by the member today or with this link
    /// ever.
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
        if let Some(notice) = invitations::resend(&mut tx, hash, now, policy).await? {
            tx.commit().await?;
            return Ok(Some(notice));
        }
        let notice = NoticeId::new(random::id(now));
        // It is about what the page is about, and takes no step of a lapse: whatever becomes of it, the plan stands.
        let queued = sqlx::query(
            "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, resend_of)
             SELECT $2, n.member_id, n.step, 'queued', 'asked_for', $3,
                max($3, coalesce((SELECT max(o.sent_at) FROM notices o
                                  WHERE o.member_id = n.member_id AND o.kind <> 'recovered'), 0) + $8), n.notice_id
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
        .bind(RESENDS_A_DAY)
        .bind(millis(now - TimeDelta::days(1)))
        .bind(RESENDS_A_LINK)
        .bind(policy.min_interval.num_milliseconds())
        .execute(&mut *tx)
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
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if items == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(notice))
    }
}
