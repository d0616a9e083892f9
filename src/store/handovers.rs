//! What must be durable before an email is handed over: its link with the buttons, and its unsubscribe token.

use super::claims::DELIVERY_LEASE;
use super::decisions::{self, NewDecision};
use super::engine::{Query, Tx, fetch_together, query, query_as, run_together};
use super::invitations;
use super::link_rows::{LinkKind, NewLink, insert_with_buttons};
use super::row::RowExt;
use super::row_locks::{lock_members, lock_members_at, lock_notice};
use super::suppressed::SUPPRESSED;
use super::waiting_notices::plan_again;
use super::{Result, Store, clamp, json_list, millis, planning_inputs, verified};
use crate::domain::{
    AddressHash, ConnectionId, DecisionSubject, GateVerdict, LapseId, MemberId, NoticeId, NoticeItem,
    NoticeReason, NoticeState, PlanningInput, Status, Time, TokenHash,
};

/// In place of a level of disclosure: no email was sent, and the operator's receiver got the link.
pub(crate) const DISCLOSED_BY_EVENT: &str = "event";

/// An email that is about to be handed over.
#[derive(Clone, Debug)]
pub struct Handover<'a> {
    pub notice: &'a NoticeId,
    pub attempt: u32,
    pub contents: HandoverContents,
    /// Those who get the email, in the order of their ids.
    pub recipients: &'a [HandoverRecipient],
    /// The address that the email is for.
    pub address: AddressHash,
    pub unsubscribe: TokenHash,
    /// `notices.disclosure`, with which it was rendered, or [`DISCLOSED_BY_EVENT`].
    pub disclosure: &'static str,
    /// When the links expire.
    pub expires_at: Time,
    pub now: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoverContents {
    /// A link for each recipient, with a button for each item whose lapse is still open.
    Reconnect,
    /// A link with a button for the source that the notice invites to.
    Invitation,
    /// No link.
    Recovery,
}

/// A member who gets the email.
#[derive(Clone, Debug)]
pub struct HandoverRecipient {
    pub member: MemberId,
    pub link: TokenHash,
    pub items: Vec<NoticeItem>,
    /// The sources whose reconnect URL was fetched for the member.
    pub verified: Vec<ConnectionId>,
}

/// Whether an email may be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandoverDecision {
    /// The links and the unsubscribe token are stored. The links have buttons for these items.
    Permitted { items: Vec<NoticeItem> },
    /// No lapse is open, the invitation was withdrawn, or another attempt has taken over the notice. Nothing is stored.
    NotNeeded,
    /// Each recipient is paused, suppressed, or removed, or has another address. Nothing is stored.
    RecipientsChanged,
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
    /// the email. Recipients who must not get it drop out of it.
    pub async fn prepare_handover(
        &self,
        handover: &Handover<'_>,
        gates: impl Fn(&[PlanningInput]) -> GateVerdict,
    ) -> Result<HandoverDecision> {
        let gates = &gates;
        self.write(async |mut tx| {
            tx.verify_undamaged()?;
            // Another email to the address counts first, or waits for this one.
            lock_members_at(&mut tx, handover.address).await?;
            let members: Vec<_> = handover.recipients.iter().map(|recipient| &recipient.member).collect();
            lock_members(&mut tx, &members).await?;
            lock_notice(&mut tx, handover.notice).await?;
            let statements = [select_own_attempt(handover), select_remaining(handover, &members)?];
            let [own_attempt, remaining] = fetch_together(statements, &mut tx).await?;
            if own_attempt.is_empty() {
                return Ok(HandoverDecision::NotNeeded);
            }
            let members: Vec<MemberId> =
                remaining.iter().map(|row| row.text("member_id")).collect::<Result<_>>()?;
            if members.is_empty() {
                return Ok(HandoverDecision::RecipientsChanged);
            }
            clamp::clamp(&mut tx, &members, handover.now).await?;
            let inputs = planning_inputs::read(&mut tx, &members, Some(handover.notice)).await?;
            let inputs: Vec<_> = inputs.into_iter().flat_map(|input| input.members).collect();
            let passing = match gates(&inputs) {
                GateVerdict::Pass(passing) => passing,
                GateVerdict::Defer { until, reason } => {
                    put_back(&mut tx, handover, NoticeState::Queued, until, reason).await?;
                    record_stop(&mut tx, handover, &members, reason, Some(until)).await?;
                    return Ok(HandoverDecision::Deferred { until, reason });
                }
                GateVerdict::Hold(reason) => {
                    put_back(&mut tx, handover, NoticeState::Held, handover.now, reason).await?;
                    record_stop(&mut tx, handover, &members, reason, None).await?;
                    return Ok(HandoverDecision::Held(reason));
                }
                GateVerdict::Reject(reason) => {
                    record_stop(&mut tx, handover, &members, reason, None).await?;
                    return Ok(HandoverDecision::Rejected(reason));
                }
            };
            let recipients =
                handover.recipients.iter().filter(|recipient| members.contains(&recipient.member));
            let recipients: Vec<_> = recipients.collect();
            let mut writes = Vec::new();
            let items = add_links(&mut tx, handover, &recipients, &passing.lapses, &mut writes).await?;
            let Some(items) = items else { return Ok(HandoverDecision::NotNeeded) };
            if items.iter().any(|item| item.step > 0) {
                writes.push(mark_extra(handover.notice, &passing.extra)?);
            }
            writes.push(mark_handed_over(handover));
            for recipient in &recipients {
                writes.extend(verified::record(&recipient.verified, &recipient.member, handover.now)?);
            }
            if let Some(first) = recipients.first() {
                writes.push(add_unsubscribe_token(handover, &first.member));
            }
            run_together(writes, &mut tx).await?;
            Ok(HandoverDecision::Permitted { items })
        })
        .await
    }
}

/// Records why a gate stops the notice. The planner's next decision is counted there if it is the same.
async fn record_stop(
    tx: &mut Tx,
    handover: &Handover<'_>,
    members: &[MemberId],
    reason: NoticeReason,
    not_before: Option<Time>,
) -> Result<()> {
    let recipients = handover.recipients.iter().filter(|recipient| members.contains(&recipient.member));
    let mut stops = Vec::new();
    let parts = recipients.flat_map(|HandoverRecipient { member, items, .. }| {
        let without = items.is_empty().then_some((member, None));
        items.iter().map(move |item| (member, Some(item))).chain(without)
    });
    for (member, item) in parts {
        stops.push(NewDecision {
            member,
            connection: item.map(|item| &item.connection_id),
            lapse: item.map(|item| &item.lapse_id),
            notice: Some(handover.notice),
            subject: DecisionSubject::Notice,
            reason,
            not_before,
        });
    }
    decisions::record(tx, &stops, handover.now).await
}

/// Selects a row if the attempt still holds the notice. After its lease has expired, another one may hold it.
fn select_own_attempt(handover: &Handover<'_>) -> Query {
    query("SELECT 1 FROM notices WHERE notice_id = $1 AND state = 'sending' AND attempts = $2")
        .bind(handover.notice.as_str())
        .bind(handover.attempt)
}

/// Selects the members who may receive the email, in the order of their ids.
fn select_remaining(handover: &Handover<'_>, members: &[&MemberId]) -> Result<Query> {
    let sql = format!(
        "SELECT m.member_id FROM members m WHERE m.member_id IN (SELECT value FROM json_each($1))
           AND coalesce(m.removed_at, m.paused_at) IS NULL AND coalesce(m.address_hash, $2) = $2 AND NOT {SUPPRESSED}
         ORDER BY m.member_id"
    );
    Ok(query(sql).bind(json_list(members)?).bind(&handover.address.0[..]))
}

/// Queues the notice as if it had not been claimed. The planner decides again about one that no delivery has begun with.
async fn put_back(
    tx: &mut Tx,
    handover: &Handover<'_>,
    state: NoticeState,
    until: Time,
    reason: NoticeReason,
) -> Result<()> {
    query(
        "UPDATE notices SET state = $5, reason = $3, not_before = $4, attempts = attempts - 1,
            is_tentative = $5 = 'queued' AND kind = 'reconnect' AND resend_of IS NULL AND attempts = 1,
            leased_until = NULL, holder = NULL, due_at = CASE WHEN attempts > 1 THEN due_at END
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
    plan_again(tx, &[handover.notice], handover.now).await
}

/// Returns the items that the links have buttons for. `None` when there is nothing to say. The links of lapses are left to
/// `writes`.
async fn add_links(
    tx: &mut Tx,
    handover: &Handover<'_>,
    recipients: &[&HandoverRecipient],
    passing: &[LapseId],
    writes: &mut Vec<Query>,
) -> Result<Option<Vec<NoticeItem>>> {
    let items = recipients.iter().flat_map(|recipient| &recipient.items);
    match handover.contents {
        HandoverContents::Recovery => Ok(Some(items.cloned().collect())),
        HandoverContents::Invitation => {
            let Some(recipient) = recipients.first() else { return Ok(None) };
            let link = new_link(handover, LinkKind::Invitation, recipient);
            Ok(invitations::add_link(tx, &link).await?.then(Vec::new))
        }
        HandoverContents::Reconnect => {
            let items: Vec<NoticeItem> = items.cloned().collect();
            let mut open = open_lapses(tx, &items).await?;
            open.retain(|lapse| passing.contains(lapse));
            let is_open = |item: &&NoticeItem| open.contains(&item.lapse_id);
            for recipient in recipients {
                let lapses: Vec<_> =
                    recipient.items.iter().filter(is_open).map(|item| &item.lapse_id).collect();
                if !lapses.is_empty() {
                    let link = new_link(handover, LinkKind::Notice, recipient);
                    writes.extend(insert_with_buttons(&link, &lapses)?);
                }
            }
            let included: Vec<NoticeItem> = items.iter().filter(is_open).cloned().collect();
            Ok(Some(included).filter(|included| !included.is_empty()))
        }
    }
}

/// The policy may have changed since the notice was planned.
fn mark_extra(notice: &NoticeId, extra: &[LapseId]) -> Result<Query> {
    let sql = "UPDATE notice_items SET extra = NOT extra
               WHERE notice_id = $1 AND extra <> (lapse_id IN (SELECT value FROM json_each($2)))";
    Ok(query(sql).bind(notice.as_str()).bind(json_list(extra)?))
}

fn mark_handed_over(handover: &Handover<'_>) -> Query {
    query("UPDATE notices SET address_hash = $2, disclosure = $3, leased_until = $4 WHERE notice_id = $1")
        .bind(handover.notice.as_str())
        .bind(&handover.address.0[..])
        .bind(handover.disclosure)
        .bind(millis(handover.now + DELIVERY_LEASE))
}

fn new_link<'a>(handover: &Handover<'a>, kind: LinkKind, recipient: &'a HandoverRecipient) -> NewLink<'a> {
    NewLink {
        hash: recipient.link,
        kind,
        notice: Some((handover.notice, handover.attempt)),
        member: &recipient.member,
        now: handover.now,
        expires_at: handover.expires_at,
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

fn add_unsubscribe_token(handover: &Handover<'_>, member: &MemberId) -> Query {
    query(
        "INSERT INTO unsubscribe_tokens (token_hash, notice_id, member_id, attempt, created_at, address_hash)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&handover.unsubscribe.0[..])
    .bind(handover.notice.as_str())
    .bind(member.as_str())
    .bind(handover.attempt)
    .bind(millis(handover.now))
    .bind(&handover.address.0[..])
}
