//! Locks of rows, which a unit of work holds until it ends. What a unit reads stays true until it writes: on SQLite, because
//! it is the only writer; on PostgreSQL, because it locks first.
//!
//! A unit that reads about a member and then writes locks the member's row before anything else. Rows that refer to a member
//! can still be inserted meanwhile.

use super::convert::json_list;
use super::engine::{Query, Tx, query};
use super::error::Result;
use crate::domain::{AddressHash, MemberId, NoticeId, SweepId, TokenHash};

pub(super) async fn lock_member(tx: &mut Tx, member: &MemberId) -> Result<()> {
    let sql = "SELECT 1 FROM members WHERE member_id = $1 FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(member.as_str()))).await
}

/// In the order of their ids, so that two units do not wait for each other.
pub(super) async fn lock_members<T: serde::Serialize>(tx: &mut Tx, members: &[T]) -> Result<()> {
    let sql = "SELECT 1 FROM members WHERE member_id IN (SELECT value FROM json_each($1))
               ORDER BY member_id FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(json_list(members)?))).await
}

pub(super) async fn lock_member_of_link(tx: &mut Tx, link: TokenHash) -> Result<()> {
    let sql = "SELECT 1 FROM members WHERE member_id = (SELECT member_id FROM links WHERE token_hash = $1)
               FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(&link.0[..]))).await
}

pub(super) async fn lock_members_at(tx: &mut Tx, address: AddressHash) -> Result<()> {
    let sql = "SELECT 1 FROM members WHERE address_hash = $1 ORDER BY member_id FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(&address.0[..]))).await
}

/// `subjects` is a JSON list.
pub(super) async fn lock_members_of_subjects(tx: &mut Tx, subjects: &str) -> Result<()> {
    let sql = "SELECT 1 FROM members WHERE subject IN (SELECT value FROM json_each($1))
               ORDER BY member_id FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(subjects))).await
}

/// The members of the staged rows of an import up to a line.
pub(super) async fn lock_imported_members(tx: &mut Tx, import: i64, last: i64) -> Result<()> {
    let sql = "SELECT 1 FROM members WHERE member_id IN
                 (SELECT member_id FROM import_rows WHERE import_id = $1 AND line <= $2)
               ORDER BY member_id FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(import).bind(last))).await
}

/// A delivery does not claim it meanwhile.
pub(super) async fn lock_notice(tx: &mut Tx, notice: &NoticeId) -> Result<()> {
    let sql = "SELECT 1 FROM notices WHERE notice_id = $1 FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(notice.as_str()))).await
}

/// The unsent notices about lapses.
pub(super) async fn lock_notices_about<T: serde::Serialize>(tx: &mut Tx, lapses: &[T]) -> Result<()> {
    let sql = "SELECT 1 FROM notices WHERE state IN ('queued', 'held')
                 AND notice_id IN (SELECT notice_id FROM notice_items WHERE lapse_id IN (SELECT value FROM json_each($1)))
               ORDER BY notice_id FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(json_list(lapses)?))).await
}

/// The unsent notices about open lapses of the members.
pub(super) async fn lock_waiting_notices<T: serde::Serialize>(tx: &mut Tx, members: &[T]) -> Result<()> {
    let sql = "SELECT 1 FROM notices WHERE state IN ('queued', 'held') AND notice_id IN
                 (SELECT i.notice_id FROM lapses l JOIN notice_items i ON i.lapse_id = l.lapse_id
                  WHERE l.state = 'open' AND l.member_id IN (SELECT value FROM json_each($1)))
               ORDER BY notice_id FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(json_list(members)?))).await
}

pub(super) async fn lock_sweep(tx: &mut Tx, sweep: &SweepId) -> Result<()> {
    let sql = "SELECT 1 FROM sweeps WHERE sweep_id = $1 FOR NO KEY UPDATE";
    lock(tx, || Ok(query(sql).bind(sweep.as_str()))).await
}

/// Nobody else starts a sweep meanwhile.
pub(super) async fn lock_sweeps(tx: &mut Tx) -> Result<()> {
    lock(tx, || Ok(query("LOCK TABLE sweeps IN SHARE ROW EXCLUSIVE MODE"))).await
}

/// Nobody else stores a sealed value meanwhile.
pub(super) async fn lock_sealed_tables(tx: &mut Tx) -> Result<()> {
    let sql = "LOCK TABLE credentials, access_tokens, import_rows, former_keys IN SHARE ROW EXCLUSIVE MODE";
    lock(tx, || Ok(query(sql))).await
}

/// Their order is that of the units of work, like that of a member's.
pub(super) async fn lock_events_without_member(tx: &mut Tx) -> Result<()> {
    // Any number that nothing else locks.
    lock(tx, || Ok(query("SELECT pg_advisory_xact_lock(7367107128)"))).await
}

async fn lock(tx: &mut Tx, statement: impl FnOnce() -> Result<Query>) -> Result<()> {
    if tx.needs_row_locks() {
        statement()?.fetch_all(&mut *tx).await?;
    }
    Ok(())
}
