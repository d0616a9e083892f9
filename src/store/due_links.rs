//! The links in events about notices: created when the event is sent, and never stored in the outbox.

use super::engine::{Tx, query, query_scalar, run_together};
use super::error::Result;
use super::events::EventClaim;
use super::invitations;
use super::link_rows::{LinkKind, NewLink, insert_with_buttons};
use super::row_locks::lock_member;
use super::sqlite::Store;
use super::suppressed::SUPPRESSED;
use crate::domain::{LapseId, MemberId, NoticeId, NoticeKind, Time, TokenHash};

/// A notice that an event is about.
struct Notified {
    id: NoticeId,
    kind: NoticeKind,
    attempts: u32,
}

impl Store {
    /// Stores a link for what the event's notice was about, as far as it still needs the member. Returns `false` when nothing
    /// does, or the member must not be notified anymore.
    pub async fn add_due_link(
        &self,
        claim: &EventClaim,
        hash: TokenHash,
        now: Time,
        expires_at: Time,
    ) -> Result<bool> {
        let member = MemberId::new(&claim.member);
        let Some(notice) = claim.text("notice_id") else { return Ok(false) };
        self.write(async |mut tx| {
            lock_member(&mut tx, &member).await?;
            if !may_be_notified(&mut tx, &member).await? {
                return Ok(false);
            }
            let Some(notice) = notified(&mut tx, notice).await? else { return Ok(false) };
            let kind = match notice.kind {
                NoticeKind::Reconnect => LinkKind::Notice,
                NoticeKind::Invited => LinkKind::Invitation,
                NoticeKind::Recovered => return Ok(false),
            };
            let about = Some((&notice.id, notice.attempts));
            let link = NewLink { hash, kind, notice: about, member: &member, now, expires_at };
            if kind == LinkKind::Invitation {
                return invitations::add_link(&mut tx, &link).await;
            }
            let lapses = open_lapses(&mut tx, &notice.id, &member).await?;
            if lapses.is_empty() {
                return Ok(false);
            }
            run_together(insert_with_buttons(&link, &lapses)?.into(), &mut tx).await?;
            Ok(true)
        })
        .await
    }

    /// Deletes a link that the receiver did not get.
    pub async fn delete_due_link(&self, hash: TokenHash) -> Result<()> {
        self.execute(query("DELETE FROM links WHERE token_hash = $1").bind(&hash.0[..])).await?;
        Ok(())
    }
}

async fn may_be_notified(tx: &mut Tx, member: &MemberId) -> Result<bool> {
    query_scalar(format!(
        "SELECT EXISTS (SELECT 1 FROM members m WHERE m.member_id = $1
           AND coalesce(m.removed_at, m.paused_at) IS NULL AND NOT {SUPPRESSED})"
    ))
    .bind(member.as_str())
    .fetch_one(tx)
    .await
}

async fn notified(tx: &mut Tx, notice: &str) -> Result<Option<Notified>> {
    let row = query("SELECT kind, attempts FROM notices WHERE notice_id = $1")
        .bind(notice)
        .fetch_optional(tx)
        .await?;
    row.map(|row| {
        let kind = row.text_of("kind")?.parse().unwrap_or(NoticeKind::Recovered);
        let attempts = super::count(row.try_get("attempts")?);
        Ok(Notified { id: NoticeId::from(notice), kind, attempts })
    })
    .transpose()
}

/// Those of the member that the email was about, and that are still open.
async fn open_lapses(tx: &mut Tx, notice: &NoticeId, member: &MemberId) -> Result<Vec<LapseId>> {
    let lapses: Vec<String> = query_scalar(
        "SELECT l.lapse_id FROM notice_items i JOIN lapses l ON l.lapse_id = i.lapse_id
         WHERE i.notice_id = $1 AND i.in_email = TRUE AND l.member_id = $2 AND l.state = 'open' ORDER BY l.lapse_id",
    )
    .bind(notice.as_str())
    .bind(member.as_str())
    .fetch_all(tx)
    .await?;
    Ok(lapses.into_iter().map(LapseId::new).collect())
}
