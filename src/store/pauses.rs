//! `members.paused_at`: members whom the operator excludes from polls and email.

use super::audit;
use super::cancellations::drop_members;
use super::convert::{json_list, millis};
use super::engine::{Tx, query, query_as};
use super::error::Result;
use super::recorded_changes;
use super::row_locks::lock_members;
use super::sqlite::Store;
use super::unclear;
use super::unreachable;
use crate::domain::{AuditAction, AuditEntry, MemberId, NoticeReason, Time};
use std::collections::BTreeMap;

/// The effect of a pause or a resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PauseOutcome {
    /// All members are in the requested state now. These were not before.
    Changed(Vec<MemberId>),
    /// Nothing was changed, because these members are not enrolled.
    NotEnrolled(Vec<MemberId>),
}

impl Store {
    /// Pauses members, cancels their unsent notices, and ends their rechecks. Each cancelled step can be planned again.
    pub async fn pause_members(&self, members: &[MemberId], now: Time) -> Result<PauseOutcome> {
        self.write(async |mut tx| {
            let outcome = members_in_state(&mut tx, members, false).await?;
            if let PauseOutcome::Changed(changed) = &outcome
                && !changed.is_empty()
            {
                pause(&mut tx, &json_list(changed)?, now).await?;
                for member in changed {
                    audit::record(&mut tx, AuditEntry::new(AuditAction::MemberPause).about(member), now)
                        .await?;
                }
            }
            Ok(outcome)
        })
        .await
    }

    /// Resumes paused members and plans their open lapses again.
    pub async fn resume_members(&self, members: &[MemberId], now: Time) -> Result<PauseOutcome> {
        self.write(async |mut tx| {
            let outcome = members_in_state(&mut tx, members, true).await?;
            if let PauseOutcome::Changed(changed) = &outcome
                && !changed.is_empty()
            {
                resume(&mut tx, &json_list(changed)?, now).await?;
                for member in changed {
                    audit::record(&mut tx, AuditEntry::new(AuditAction::MemberResume).about(member), now)
                        .await?;
                }
            }
            Ok(outcome)
        })
        .await
    }
}

/// Locks the members, so that no email is handed over and nothing is planned for them until the unit ends.
async fn members_in_state(tx: &mut Tx, members: &[MemberId], is_paused: bool) -> Result<PauseOutcome> {
    lock_members(tx, members).await?;
    let enrolled: Vec<(String, bool)> = query_as(
        "SELECT member_id, paused_at IS NOT NULL FROM members
         WHERE member_id IN (SELECT value FROM json_each($1)) AND removed_at IS NULL",
    )
    .bind(json_list(members)?)
    .fetch_all(&mut *tx)
    .await?;
    let states: BTreeMap<&str, bool> = enrolled.iter().map(|(id, paused)| (id.as_str(), *paused)).collect();
    let with = |state: Option<bool>| {
        members.iter().filter(|id| states.get(id.as_str()).copied() == state).cloned().collect::<Vec<_>>()
    };
    let not_enrolled = with(None);
    Ok(if not_enrolled.is_empty() {
        PauseOutcome::Changed(with(Some(is_paused)))
    } else {
        PauseOutcome::NotEnrolled(not_enrolled)
    })
}

/// `members`: a JSON array.
async fn pause(tx: &mut Tx, members: &str, now: Time) -> Result<()> {
    query("UPDATE members SET paused_at = $2 WHERE member_id IN (SELECT value FROM json_each($1))")
        .bind(members)
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
    // The first sweep after the pause observes a suspicion again.
    query("DELETE FROM rechecks WHERE member_id IN (SELECT value FROM json_each($1))")
        .bind(members)
        .execute(&mut *tx)
        .await?;
    drop_members(&mut *tx, members, NoticeReason::Paused, now).await?;
    recorded_changes::of_members(tx, members, now).await
}

/// `members`: a JSON array.
async fn resume(tx: &mut Tx, members: &str, now: Time) -> Result<()> {
    unclear::record_resumed(tx, members, now).await?;
    query("UPDATE members SET paused_at = NULL WHERE member_id IN (SELECT value FROM json_each($1))")
        .bind(members)
        .execute(&mut *tx)
        .await?;
    unreachable::plan_again(tx, members, now).await?;
    recorded_changes::of_members(tx, members, now).await
}
