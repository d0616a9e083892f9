//! What operators did last, for the views in which they can do something.

use crate::domain::{AuditAction, AuditRecord, MemberId, Time};
use crate::store::{Result, Store};
use chrono::TimeDelta;
use serde::Serialize;

const SHOWN: usize = 5;
/// Among so many rows, most of which are reads.
const SEARCHED: u32 = 200;

#[derive(Clone, Debug, Serialize)]
pub(super) struct ChangeRow {
    at: Time,
    actor: String,
    action: String,
    member: Option<String>,
    target: Option<String>,
    affected: Option<u64>,
}

impl From<AuditRecord> for ChangeRow {
    fn from(record: AuditRecord) -> Self {
        Self {
            at: record.at,
            actor: record.actor,
            action: record.action,
            member: record.member_id,
            target: record.target,
            affected: record.affected,
        }
    }
}

/// The newest changes of the last 30 days, about one member or all.
pub(super) async fn latest(store: &Store, member: Option<&MemberId>, now: Time) -> Result<Vec<ChangeRow>> {
    let records = store.audit(member, now - TimeDelta::days(30), None, SEARCHED).await?;
    let reads = [AuditAction::Read.as_str(), AuditAction::Login.as_str()];
    let changes = records.into_iter().filter(|record| !reads.contains(&record.action.as_str()));
    Ok(changes.take(SHOWN).map(ChangeRow::from).collect())
}
