//! What must be durable before an email is handed over: its link with the buttons, and its unsubscribe token.

use super::engine::{Tx, query, query_as, query_scalar};
use super::invitations;
use super::link_rows::{LinkKind, NewLink, insert};
use super::row_locks::{lock_member, lock_members_at, lock_notice};
use super::suppressions::SUPPRESSED;
use super::{Result, Store, clamp, json_list, millis, planning_inputs, verified};
use crate::domain::{
    AddressHash, ConnectionId, GateVerdict, LapseId, MemberId, NoticeId, NoticeItem, NoticeReason,
    NoticeState, PlanningInput, Status, Time, TokenHash,
};

/// An email that is about to be handed over.
#[derive(Clone, Debug)]
pub struct Handover<'a> {
    pub notice: &'a NoticeId,
    pub attempt: u32,
    pub member: &'a MemberId,
    /// The address that the email is for.
    pub address: AddressHash,
    pub unsubscribe: TokenHash,
    pub contents: HandoverContents<'a>,
    /// The sources whose reconnect URL was fetched for the member.
    pub verified: &'a [ConnectionId],
    pub now: Time,
}

#[derive(Clone, Copy, Debug)]
pub enum HandoverContents<'a> {
    /// A link with a button for each item whose lapse is still open.
    Reconnect { link: TokenHash, expires_at: Time, items: &'a [NoticeItem] },
    /// A link with a button for the source that the notice invites to.
    Invitation { link: TokenHash, expires_at: Time },
    /// No link.
    Recovery,
}

/// Whether an email may be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandoverDecision {
    /// The link and the unsubscribe token are stored. The link has buttons for these items.
    Permitted { items: Vec<NoticeItem> },
    /// No lapse is open, the invitation was withdrawn, or another attempt has taken over the notice. Nothing is stored.
    NotNeeded,
    /// The member is paused, suppressed, or removed, or has another address. Nothing is stored.
    RecipientChanged,
    /// The notice is queued again until then. Its attempt does not count.
    Deferred { until: Time, reason: NoticeReason },
    /// The notice waits for the end of a hold. Its attempt does not count.
    Held(NoticeReason),
    /// A gate rejects the notice. Nothing is stored.
    Rejected(NoticeReason),
}

impl Store {
    /// Stores what an email needs, if `gates` let it pass. From then on it counts for the limits of its address. This is the
    /// last step before the email is handed over: a stored unsubscribe token means that the mail server may have accepted
    /// the email.
    pub async fn prepare_handover(
        &self,
        handover: &Handover<'_>,
        gates: impl Fn(&PlanningInput) -> GateVerdict,
    ) -> Result<HandoverDecision> {
        let gates = &gates;
        self.write(async |mut tx| {
            // Another email to the address counts first, or waits for this one.
            lock_members_at(&mut tx, handover.address).await?;
            lock_member(&mut tx, handover.member).await?;
            lock_notice(&mut tx, handover.notice).await?;
            let Some(is_recipient) = verify(&mut tx, handover).await? else {
                return Ok(HandoverDecision::NotNeeded);
            };
            if !is_recipient {
                return Ok(HandoverDecision::RecipientChanged);
            }
            let member = std::slice::from_ref(handover.member);
            clamp::clamp(&mut tx, member, handover.now).await?;
            let inputs = planning_inputs::read(&mut tx, member, Some(handover.notice)).await?;
            let passing = match inputs.first().map(gates) {
                Some(GateVerdict::Pass(lapses)) => lapses,
                Some(GateVerdict::Defer { until, reason }) => {
                    put_back(&mut tx, handover, NoticeState::Queued, until, reason).await?;
                    return Ok(HandoverDecision::Deferred { until, reason });
                }
                Some(GateVerdict::Hold(reason)) => {
                    put_back(&mut tx, handover, NoticeState::Held, handover.now, reason).await?;
                    return Ok(HandoverDecision::Held(reason));
                }
                Some(GateVerdict::Reject(reason)) => return Ok(HandoverDecision::Rejected(reason)),
                None => return Ok(HandoverDecision::NotNeeded),
            };
            let Some(items) = add_link(&mut tx, handover, &passing).await? else {
                return Ok(HandoverDecision::NotNeeded);
            };
            query("UPDATE notices SET address_hash = $2 WHERE notice_id = $1")
                .bind(handover.notice.as_str())
                .bind(&handover.address.0[..])
                .execute(&mut tx)
                .await?;
            verified::record(&mut tx, handover.verified, handover.member, handover.now).await?;
            add_unsubscribe_token(&mut tx, handover).await?;
            Ok(HandoverDecision::Permitted { items })
        })
        .await
    }
}

/// Whether the member may receive the email. `None` when the attempt no longer holds the notice: after the lease has
/// expired, another attempt may hold it.
async fn verify(tx: &mut Tx, handover: &Handover<'_>) -> Result<Option<bool>> {
    let sql = format!(
        "SELECT m.removed_at IS NULL AND m.paused_at IS NULL AND coalesce(m.address_hash, $3) = $3
            AND NOT {SUPPRESSED}
         FROM notices n JOIN members m ON m.member_id = n.member_id
         WHERE n.notice_id = $1 AND n.state = 'sending' AND n.attempts = $2"
    );
    query_scalar(sql)
        .bind(handover.notice.as_str())
        .bind(handover.attempt)
        .bind(&handover.address.0[..])
        .fetch_optional(&mut *tx)
        .await
}

/// Queues the notice as if it had not been claimed.
async fn put_back(
    tx: &mut Tx,
    handover: &Handover<'_>,
    state: NoticeState,
    until: Time,
    reason: NoticeReason,
) -> Result<()> {
    query(
        "UPDATE notices SET state = $5, reason = $3, not_before = $4, attempts = attempts - 1,
            leased_until = NULL, holder = NULL
         WHERE notice_id = $1 AND attempts = $2",
    )
    .bind(handover.notice.as_str())
    .bind(handover.attempt)
    .bind(reason.as_str())
    .bind(millis(until))
    .bind(state.as_str())
    .execute(&mut *tx)
    .await?;
    query("DELETE FROM attempts WHERE notice_id = $1 AND attempt = $2")
        .bind(handover.notice.as_str())
        .bind(handover.attempt)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Returns the items that the link has buttons for. `None` when there is nothing to say.
async fn add_link(
    tx: &mut Tx,
    handover: &Handover<'_>,
    passing: &[LapseId],
) -> Result<Option<Vec<NoticeItem>>> {
    let new_link = |hash, kind, expires_at| NewLink {
        hash,
        kind,
        notice: Some((handover.notice, handover.attempt)),
        member: handover.member,
        now: handover.now,
        expires_at,
    };
    match handover.contents {
        HandoverContents::Recovery => Ok(Some(Vec::new())),
        HandoverContents::Invitation { link, expires_at } => {
            let link = new_link(link, LinkKind::Invitation, expires_at);
            Ok(invitations::add_link(tx, &link).await?.then(Vec::new))
        }
        HandoverContents::Reconnect { link, expires_at, items } => {
            let mut open = open_lapses(tx, items).await?;
            open.retain(|lapse| passing.contains(lapse));
            if open.is_empty() {
                return Ok(None);
            }
            insert(tx, &new_link(link, LinkKind::Notice, expires_at)).await?;
            query(
                "INSERT INTO link_buttons (token_hash, connection_id, lapse_id)
                 SELECT $1, connection_id, lapse_id FROM lapses
                 WHERE lapse_id IN (SELECT value FROM json_each($2))",
            )
            .bind(&link.0[..])
            .bind(json_list(&open)?)
            .execute(&mut *tx)
            .await?;
            let is_open = |item: &&NoticeItem| open.contains(&item.lapse_id);
            Ok(Some(items.iter().filter(is_open).cloned().collect()))
        }
    }
}

/// The items' lapses that are open and whose connection is still broken.
async fn open_lapses(tx: &mut Tx, items: &[NoticeItem]) -> Result<Vec<LapseId>> {
    let lapses: Vec<_> = items.iter().map(|item| &item.lapse_id).collect();
    let rows: Vec<(String, Option<String>)> = query_as(
        "SELECT l.lapse_id, k.status FROM lapses l
         JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
         WHERE l.lapse_id IN (SELECT value FROM json_each($1)) AND l.state = 'open' ORDER BY l.lapse_id",
    )
    .bind(json_list(&lapses)?)
    .fetch_all(&mut *tx)
    .await?;
    let is_broken = |status: Option<&str>| status.is_some_and(|status| Status::from(status).is_broken());
    let broken = rows.into_iter().filter(|(_, status)| is_broken(status.as_deref()));
    Ok(broken.map(|(lapse, _)| LapseId::new(lapse)).collect())
}

async fn add_unsubscribe_token(tx: &mut Tx, handover: &Handover<'_>) -> Result<()> {
    query(
        "INSERT INTO unsubscribe_tokens (token_hash, notice_id, member_id, attempt, created_at, address_hash)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&handover.unsubscribe.0[..])
    .bind(handover.notice.as_str())
    .bind(handover.member.as_str())
    .bind(handover.attempt)
    .bind(millis(handover.now))
    .bind(&handover.address.0[..])
    .execute(&mut *tx)
    .await?;
    Ok(())
}
