//! `suppressions`, `unsubscribe_tokens`: addresses that receive no email, and the tokens to unsubscribe with.
//!
//! Each reason for which an address is suppressed is a row of its own, so none replaces another.

use super::audit;
use super::cancellations::cancel_unsent;
use super::convert::{millis, time};
use super::engine::{Tx, query, query_as, query_scalar};
use super::error::{Result, StoreError};
use super::events::{NewEvent, NewEvents};
use super::link_rows::CURRENT;
use super::recorded_changes;
use super::row_locks::{lock_member_of_link, lock_members_at};
use super::sqlite::Store;
use super::suppressed::SUPPRESSED;
use crate::domain::{
    AddressHash, AuditAction, AuditEntry, EmailAddress, EventType, MemberId, NoticeReason, Suppression, Time,
    TokenHash,
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// The lifetime of an unsubscribe link.
const UNSUBSCRIBE_TTL: TimeDelta = TimeDelta::days(365);

/// Rows per transaction.
const BATCH_SIZE: u32 = 1_000;

#[derive(Clone, Debug)]
pub struct ListedSuppression {
    pub(crate) address: AddressHash,
    pub reason: Suppression,
    pub(crate) created_at: Time,
    /// The enrolled members who have this address now.
    pub members: Vec<MemberId>,
}

impl ListedSuppression {
    /// A place in the list before all that were added at this time.
    pub(crate) fn before_all_at(created_at: Time) -> Self {
        let (address, reason) = (AddressHash([0; 32]), Suppression::Operator);
        Self { address, reason, created_at, members: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) member_id: MemberId,
    pub(crate) locale: Option<String>,
    pub(crate) unsubscribed: bool,
    /// The address is suppressed for another reason, too. Only the operator can remove that.
    pub(crate) is_suppressed_otherwise: bool,
    /// The member was removed and gets no email.
    pub(crate) removed: bool,
}

impl Store {
    /// Suppresses an address and cancels its queued notices. Returns `false` when it was already suppressed.
    pub async fn suppress(&self, address: AddressHash, reason: Suppression, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            let added = suppress(&mut tx, address, reason, now).await?;
            if added {
                record_audit(&mut tx, AuditAction::SuppressAdd, address, now).await?;
            }
            Ok(added)
        })
        .await
    }

    /// Removes all suppressions of an address and plans its members' open lapses again. Returns `false` when there was
    /// none.
    pub async fn unsuppress(&self, address: AddressHash, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            let removed = unsuppress(&mut tx, address, None, now).await?;
            if removed {
                record_audit(&mut tx, AuditAction::SuppressRemove, address, now).await?;
            }
            Ok(removed)
        })
        .await
    }

    /// Suppresses the addresses that a report names, and cancels their queued notices. Returns the members whose address
    /// was not suppressed for this reason before.
    pub(crate) async fn suppress_reported(
        &self,
        addresses: &BTreeSet<AddressHash>,
        reason: Suppression,
        now: Time,
    ) -> Result<Vec<MemberId>> {
        self.write(async |mut tx| {
            let mut members = Vec::new();
            // In their order, so that two reports do not wait for each other.
            for address in addresses {
                members.extend(suppress_by_evidence(&mut tx, *address, reason, now).await?);
            }
            Ok(members)
        })
        .await
    }

    /// Whether the member's current address is suppressed.
    pub async fn is_suppressed(&self, member: &MemberId) -> Result<bool> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM members m WHERE m.member_id = $1 AND {SUPPRESSED})");
        query_scalar(sql).bind(member.as_str()).fetch_one(&self.reader).await
    }

    /// The next `limit` suppressions after `after`, oldest first. `only`: of this address.
    pub async fn suppressions(
        &self,
        only: Option<AddressHash>,
        after: Option<&ListedSuppression>,
        limit: u32,
    ) -> Result<Vec<ListedSuppression>> {
        let of_address = only.map_or("", |_| "address_hash = $5 AND");
        let rows = query(format!(
            "WITH page AS (SELECT address_hash, reason, created_at FROM suppressions
                WHERE {of_address} (created_at, address_hash, reason) > ($1, $2, $3)
                ORDER BY created_at, address_hash, reason LIMIT $4)
             SELECT p.address_hash, p.reason, p.created_at, m.member_id FROM page p
             LEFT JOIN members m ON m.address_hash = p.address_hash AND m.removed_at IS NULL
             ORDER BY p.created_at, p.address_hash, p.reason, m.member_id"
        ))
        .bind(after.map_or(i64::MIN, |after| millis(after.created_at)))
        .bind(after.map_or(Vec::new(), |after| after.address.0.to_vec()))
        .bind(after.map_or("", |after| after.reason.as_str()))
        .bind(limit)
        .bind_if_some(only.map(|address| address.0.to_vec()))
        .fetch_all(&self.reader)
        .await?;
        let mut listed: Vec<ListedSuppression> = Vec::new();
        for row in &rows {
            let unreadable = |what| StoreError::Row { table: "suppressions", row: "an address".into(), what };
            let address: Vec<u8> = row.try_get("address_hash")?;
            let reason: String = row.try_get("reason")?;
            let address = AddressHash(address.try_into().map_err(|_| unreadable("its hash"))?);
            let reason = reason.parse::<Suppression>().map_err(|_| unreadable("its reason"))?;
            let member = row.try_get::<Option<String>>("member_id")?.map(MemberId::new);
            match listed.last_mut() {
                Some(last) if (last.address, last.reason) == (address, reason) => last.members.extend(member),
                _ => {
                    let created_at = time(row.try_get("created_at")?);
                    listed.push(ListedSuppression {
                        address,
                        reason,
                        created_at,
                        members: member.into_iter().collect(),
                    });
                }
            }
        }
        Ok(listed)
    }

    /// The subscription of the address that the token was emailed to. `None` when the token is unknown, was revoked, or is
    /// older than a year.
    pub(crate) async fn subscription(&self, hash: TokenHash, now: Time) -> Result<Option<Subscription>> {
        let row = query(
            "SELECT m.member_id, m.locale, m.removed_at IS NOT NULL AS removed,
                EXISTS (SELECT 1 FROM suppressions s WHERE s.address_hash = u.address_hash AND s.reason = $2) AS own,
                EXISTS (SELECT 1 FROM suppressions s WHERE s.address_hash = u.address_hash AND s.reason <> $2) AS other
             FROM unsubscribe_tokens u JOIN members m ON m.member_id = u.member_id
             WHERE u.token_hash = $1 AND u.created_at > $3",
        )
        .bind(&hash.0[..])
        .bind(Suppression::Unsubscribed.as_str())
        .bind(millis(now - UNSUBSCRIBE_TTL))
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            Ok(Subscription {
                member_id: MemberId::new(row.try_get::<String>("member_id")?),
                locale: row.try_get("locale")?,
                unsubscribed: row.try_get("own")?,
                is_suppressed_otherwise: row.try_get("other")?,
                removed: row.try_get("removed")?,
            })
        })
        .transpose()
    }

    /// Unsubscribes or resubscribes the address that the token was emailed to. Suppressions for other reasons stay. Returns
    /// whether anything changed.
    pub(crate) async fn set_subscribed(&self, hash: TokenHash, subscribed: bool, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            let address: Option<Vec<u8>> = query_scalar(
                "SELECT address_hash FROM unsubscribe_tokens
                 WHERE token_hash = $1 AND created_at > $2 AND address_hash IS NOT NULL",
            )
            .bind(&hash.0[..])
            .bind(millis(now - UNSUBSCRIBE_TTL))
            .fetch_optional(&mut tx)
            .await?;
            let Some(address) = address.and_then(|bytes| bytes.try_into().ok()).map(AddressHash) else {
                return Ok(false);
            };
            let changed = if subscribed {
                unsuppress(&mut tx, address, Some(Suppression::Unsubscribed), now).await?
            } else {
                suppress(&mut tx, address, Suppression::Unsubscribed, now).await?
            };
            Ok(changed)
        })
        .await
    }

    /// Resubscribes the member of a link. Returns the member if anything changed.
    pub(crate) async fn resubscribe_by_link(&self, link: TokenHash, now: Time) -> Result<Option<MemberId>> {
        self.write(async |mut tx| {
            lock_member_of_link(&mut tx, link).await?;
            let member: Option<(String, Vec<u8>)> = query_as(format!(
                "SELECT m.member_id, m.address_hash FROM links k JOIN members m ON m.member_id = k.member_id
                 WHERE k.token_hash = $1 AND m.removed_at IS NULL AND m.address_hash IS NOT NULL AND {CURRENT}"
            ))
            .bind(&link.0[..])
            .fetch_optional(&mut tx)
            .await?;
            let Some((member, address)) = member else { return Ok(None) };
            let Ok(address) = address.try_into().map(AddressHash) else { return Ok(None) };
            let removed = unsuppress(&mut tx, address, Some(Suppression::Unsubscribed), now).await?;
            Ok(removed.then(|| MemberId::new(member)))
        })
        .await
    }
}

async fn suppress(tx: &mut Tx, address: AddressHash, reason: Suppression, now: Time) -> Result<bool> {
    lock_members_at(tx, address).await?;
    let added = query(
        "INSERT INTO suppressions (address_hash, reason, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(&address.0[..])
    .bind(reason.as_str())
    .bind(millis(now))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    let is_at_address = "member_id IN (SELECT member_id FROM members WHERE address_hash = $1)";
    cancel_unsent(tx, is_at_address, &address.0[..], NoticeReason::Suppressed, now).await?;
    plan_again(tx, address, now).await?;
    if added > 0 {
        record_event(tx, address, reason, now).await?;
    }
    recorded_changes::of_address(tx, address, now).await?;
    Ok(added > 0)
}

/// The operator's systems know members, not addresses.
async fn record_event(tx: &mut Tx, address: AddressHash, reason: Suppression, now: Time) -> Result<()> {
    let mut events = NewEvents::new(tx);
    if !events.wants(EventType::AddressSuppressed) {
        return Ok(());
    }
    for member in enrolled_at(tx, address).await? {
        let suppressed = NewEvent::about(&member, EventType::AddressSuppressed);
        events.add(suppressed.with("reason", reason.as_str()).with_time("suppressed_at", Some(now)));
    }
    events.write(tx, now).await
}

/// What a mail server or a report says about an address. All evidence passes here, in the unit of work that records it. An
/// address that no enrolled member has leaves nothing behind. Returns the members whose address was not suppressed for this
/// reason before.
pub(super) async fn suppress_by_evidence(
    tx: &mut Tx,
    address: AddressHash,
    reason: Suppression,
    now: Time,
) -> Result<Vec<MemberId>> {
    lock_members_at(tx, address).await?;
    let members = enrolled_at(tx, address).await?;
    if members.is_empty() || !suppress(tx, address, reason, now).await? {
        return Ok(Vec::new());
    }
    Ok(members)
}

async fn enrolled_at(tx: &mut Tx, address: AddressHash) -> Result<Vec<MemberId>> {
    let members: Vec<String> = query_scalar(
        "SELECT member_id FROM members WHERE address_hash = $1 AND removed_at IS NULL ORDER BY member_id",
    )
    .bind(&address.0[..])
    .fetch_all(tx)
    .await?;
    Ok(members.into_iter().map(MemberId::new).collect())
}

/// A row for each member who has the address, or one without a member.
async fn record_audit(tx: &mut Tx, action: AuditAction, address: AddressHash, now: Time) -> Result<()> {
    let members = enrolled_at(tx, address).await?;
    for member in &members {
        audit::record(tx, AuditEntry::new(action).about(member), now).await?;
    }
    if members.is_empty() {
        audit::record(tx, AuditEntry::new(action), now).await?;
    }
    Ok(())
}

/// `only`: a suppression for another reason stays.
pub(super) async fn unsuppress(
    tx: &mut Tx,
    address: AddressHash,
    only: Option<Suppression>,
    now: Time,
) -> Result<bool> {
    lock_members_at(tx, address).await?;
    let of_reason = only.map_or("", |_| "AND reason = $2");
    let removed = query(format!("DELETE FROM suppressions WHERE address_hash = $1 {of_reason}"))
        .bind(&address.0[..])
        .bind_if_some(only.map(Suppression::as_str))
        .execute(&mut *tx)
        .await?
        .rows_affected();
    plan_again(tx, address, now).await?;
    recorded_changes::of_address(tx, address, now).await?;
    Ok(removed > 0)
}

/// The planner decides about the open lapses of the members who have the address.
async fn plan_again(tx: &mut Tx, address: AddressHash, now: Time) -> Result<()> {
    query(
        "UPDATE lapses SET plan_at = $2 WHERE state = 'open' AND member_id IN
            (SELECT member_id FROM members WHERE address_hash = $1)",
    )
    .bind(&address.0[..])
    .bind(millis(now))
    .execute(tx)
    .await?;
    Ok(())
}

/// Hashes the addresses that an earlier version stored without one.
pub(super) async fn backfill_address_hashes(store: &Store) -> Result<()> {
    let mut after = String::new();
    loop {
        let rows: Vec<(String, String)> = query_as(
            "SELECT member_id, email FROM members WHERE address_hash IS NULL AND email <> '' AND member_id > $1
             ORDER BY member_id LIMIT $2",
        )
        .bind(&after)
        .bind(BATCH_SIZE)
        .fetch_all(&store.reader)
        .await?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        after = last.clone();
        store
            .write(async |mut tx| {
                for (member, email) in &rows {
                    // An invalid address receives no email, so it needs no hash.
                    let Ok(address) = email.parse::<EmailAddress>() else { continue };
                    let hash = address.address_hash().0;
                    query("UPDATE members SET address_hash = $2 WHERE member_id = $1 AND email = $3")
                        .bind(member)
                        .bind(&hash[..])
                        .bind(email)
                        .execute(&mut tx)
                        .await?;
                    // The links were emailed to this address.
                    for sql in [
                        "UPDATE links SET address_hash = $2 WHERE member_id = $1 AND address_hash IS NULL",
                        "UPDATE unsubscribe_tokens SET address_hash = $2
                         WHERE member_id = $1 AND address_hash IS NULL",
                    ] {
                        query(sql).bind(member).bind(&hash[..]).execute(&mut tx).await?;
                    }
                }
                Ok(())
            })
            .await?;
    }
}
