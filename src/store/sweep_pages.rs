//! `sweep_pages`: the parts of a sweep that instances take. The one that finishes the last page ends the sweep.
//!
//! Each unit of work locks the sweep's row first. A crash of the machine may undo the last ones, and repeats those pages.

use super::engine::{Flush, Tx, Urgency, query, query_scalar};
use super::row_locks::lock_sweep;
use super::sweeps::{SweepPosition, SweepProgress};
use super::{Result, Store, millis};
use crate::domain::{SweepId, Time};

/// Members in a page, at most. A page whose instance dies is repeated.
const PAGE: u32 = 500;
/// Nobody polls it: it was released, or its instance is dead. `$2` is this process.
const IS_FREE: &str =
    "(holder IS NULL OR (holder <> $2 AND holder NOT IN (SELECT instance_id FROM instances)))";

/// A range of poll keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SweepPage {
    /// Counted from 1, in the order of the sweep.
    pub(crate) number: i64,
    /// The members behind this poll key; `None`: from the lowest.
    pub(crate) after: Option<i64>,
    /// The last poll key.
    pub(crate) until: i64,
    /// Whether the sweep had passed the highest poll key.
    pub(crate) wrapped: bool,
}

/// What happened in a page, or in a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageReport {
    pub(crate) number: i64,
    pub(crate) progress: SweepProgress,
}

/// What is left of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepState {
    /// Pages are not done, by this instance or by others.
    Open,
    /// The last page was this process's, with these counts of the whole sweep.
    EndedHere(SweepProgress),
    /// It has ended before.
    Ended,
}

impl Store {
    /// Whether a page can be claimed, or the sweep ended. Only for a process that polls no page now: its own pages are those
    /// of a run that failed.
    pub(crate) async fn has_work_in(&self, sweep: &SweepId) -> Result<bool> {
        let sql = format!(
            "SELECT is_handed_out = FALSE OR NOT EXISTS (SELECT 1 FROM sweep_pages WHERE sweep_id = $1)
                OR EXISTS (SELECT 1 FROM sweep_pages WHERE sweep_id = $1 AND (holder = $2 OR {IS_FREE}))
             FROM sweeps WHERE sweep_id = $1 AND finished_at IS NULL"
        );
        let has_work: Option<bool> = query_scalar(sql)
            .bind(sweep.as_str())
            .bind(self.holder.name())
            .fetch_optional(&self.reader)
            .await?;
        Ok(has_work.unwrap_or_default())
    }

    /// The first page that nobody polls; `None` when there is none, or the sweep has ended.
    pub(crate) async fn claim_page(&self, sweep: &SweepId) -> Result<Option<SweepPage>> {
        let unit = async |mut tx: Tx| {
            if !self.holder.may_lease(&mut tx).await? {
                return Ok(None);
            }
            lock_sweep(&mut tx, sweep).await?;
            let Some(handed_out) = HandedOut::read(&mut tx, sweep).await? else { return Ok(None) };
            let holder = self.holder.name();
            match take_free(&mut tx, sweep, &holder).await? {
                Some(page) => Ok(Some(page)),
                None if handed_out.is_all => Ok(None),
                None => hand_out(&mut tx, sweep, handed_out, &holder).await,
            }
        };
        self.write_with(Urgency::Background, Flush::Later, unit).await
    }

    /// Removes a page that is done and adds its counts, unless another instance has taken it over. Returns whether the sweep
    /// goes on.
    pub(crate) async fn finish_page(&self, sweep: &SweepId, done: PageReport) -> Result<bool> {
        let unit = async |mut tx: Tx| {
            lock_sweep(&mut tx, sweep).await?;
            if HandedOut::read(&mut tx, sweep).await?.is_none() {
                return Ok(false);
            }
            let deleted = query("DELETE FROM sweep_pages WHERE sweep_id = $1 AND holder = $2 AND page = $3")
                .bind(sweep.as_str())
                .bind(self.holder.name())
                .bind(done.number)
                .execute(&mut tx)
                .await?
                .rows_affected();
            if deleted > 0 {
                add(&mut tx, sweep, done.progress).await?;
            }
            Ok(true)
        };
        self.write_with(Urgency::Background, Flush::Later, unit).await
    }

    /// Removes all pages of this process, which are done, and ends the sweep if they were the last ones. `last`: the counts
    /// that are not yet added. `next_start`: where the next sweep starts, unless another instance has decided it.
    /// `is_complete` judges the counts of the whole sweep.
    pub(crate) async fn finish_part(
        &self,
        sweep: &SweepId,
        last: Option<PageReport>,
        next_start: Option<i64>,
        is_complete: impl Fn(SweepProgress) -> bool + Clone,
        now: Time,
    ) -> Result<SweepState> {
        self.write(async |mut tx| {
            lock_sweep(&mut tx, sweep).await?;
            let Some(handed_out) = HandedOut::read(&mut tx, sweep).await? else {
                return Ok(SweepState::Ended);
            };
            let pages: Vec<i64> =
                query_scalar("DELETE FROM sweep_pages WHERE sweep_id = $1 AND holder = $2 RETURNING page")
                    .bind(sweep.as_str())
                    .bind(self.holder.name())
                    .fetch_all(&mut tx)
                    .await?;
            if let Some(last) = last.filter(|last| pages.contains(&last.number)) {
                add(&mut tx, sweep, last.progress).await?;
            }
            query("UPDATE sweeps SET position = coalesce(position, $2) WHERE sweep_id = $1")
                .bind(sweep.as_str())
                .bind(next_start)
                .execute(&mut tx)
                .await?;
            let is_left: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM sweep_pages WHERE sweep_id = $1)")
                .bind(sweep.as_str())
                .fetch_one(&mut tx)
                .await?;
            if is_left || !handed_out.is_all {
                return Ok(SweepState::Open);
            }
            let counts = counts(&mut tx, sweep).await?;
            query("UPDATE sweeps SET finished_at = $2, complete = $3 WHERE sweep_id = $1")
                .bind(sweep.as_str())
                .bind(millis(now))
                .bind(is_complete(counts))
                .execute(&mut tx)
                .await?;
            Ok(SweepState::EndedHere(counts))
        })
        .await
    }

    /// Ends a sweep early, for all instances. It covers the members up to `position`, or to the first page that another
    /// instance has not finished. `last`: counts that are not yet added.
    pub(crate) async fn stop_sweep(
        &self,
        sweep: &SweepId,
        reason: &'static str,
        position: SweepPosition,
        last: Option<PageReport>,
        now: Time,
    ) -> Result<SweepState> {
        self.write(async |mut tx| {
            lock_sweep(&mut tx, sweep).await?;
            if HandedOut::read(&mut tx, sweep).await?.is_none() {
                return Ok(SweepState::Ended);
            }
            let others = query(
                "SELECT page, after_key, until_key, wrapped FROM sweep_pages
                 WHERE sweep_id = $1 AND coalesce(holder, '') <> $2 ORDER BY page LIMIT 1",
            );
            let row = others.bind(sweep.as_str()).bind(self.holder.name()).fetch_optional(&mut tx).await?;
            let mut position = position;
            if let Some(page) = row.as_ref().map(SweepPage::read).transpose()?
                && last.is_none_or(|last| page.number < last.number)
            {
                position = page.start();
            }
            if let Some(last) = last {
                add(&mut tx, sweep, last.progress).await?;
            }
            query("DELETE FROM sweep_pages WHERE sweep_id = $1")
                .bind(sweep.as_str())
                .execute(&mut tx)
                .await?;
            query(
                "UPDATE sweeps SET position = $2, wrapped = $3, finished_at = $4, ended_early_because = $5
                 WHERE sweep_id = $1",
            )
            .bind(sweep.as_str())
            .bind(position.last)
            .bind(position.wrapped)
            .bind(millis(now))
            .bind(reason)
            .execute(&mut tx)
            .await?;
            Ok(SweepState::EndedHere(counts(&mut tx, sweep).await?))
        })
        .await
    }

    /// Releases the pages of this process. `last`: the one that is done up to a poll key, with its counts. Returns the counts
    /// of the whole sweep.
    pub(crate) async fn leave_sweep(
        &self,
        sweep: &SweepId,
        last: Option<(PageReport, i64)>,
    ) -> Result<SweepProgress> {
        self.write(async |mut tx| {
            lock_sweep(&mut tx, sweep).await?;
            if let Some((report, done_until)) = last {
                let shortened = query(
                    "UPDATE sweep_pages SET after_key = $4 WHERE sweep_id = $1 AND holder = $2 AND page = $3",
                )
                .bind(sweep.as_str())
                .bind(self.holder.name())
                .bind(report.number)
                .bind(done_until)
                .execute(&mut tx)
                .await?
                .rows_affected();
                if shortened > 0 {
                    add(&mut tx, sweep, report.progress).await?;
                }
            }
            query("UPDATE sweep_pages SET holder = NULL WHERE sweep_id = $1 AND holder = $2")
                .bind(sweep.as_str())
                .bind(self.holder.name())
                .execute(&mut tx)
                .await?;
            counts(&mut tx, sweep).await
        })
        .await
    }
}

impl SweepPage {
    fn read(row: &super::engine::Row) -> Result<Self> {
        Ok(Self {
            number: row.try_get("page")?,
            after: row.try_get("after_key")?,
            until: row.try_get("until_key")?,
            wrapped: row.try_get("wrapped")?,
        })
    }

    /// The position of a sweep that has done everything before this page.
    fn start(self) -> SweepPosition {
        match self.after {
            // Everything behind the start, and nothing of the rest.
            None if self.wrapped => SweepPosition { last: Some(i64::MAX), wrapped: false },
            last => SweepPosition { last, wrapped: self.wrapped },
        }
    }
}

/// How far a sweep has been handed out.
#[derive(Clone, Copy, Debug)]
struct HandedOut {
    starts_after: Option<i64>,
    until: Option<i64>,
    wrapped: bool,
    pages: i64,
    is_all: bool,
}

impl HandedOut {
    /// `None` when the sweep has ended.
    async fn read(tx: &mut Tx, sweep: &SweepId) -> Result<Option<Self>> {
        let row = query(
            "SELECT starts_after, handed_out, handed_out_wrapped, pages, is_handed_out FROM sweeps
             WHERE sweep_id = $1 AND finished_at IS NULL",
        )
        .bind(sweep.as_str())
        .fetch_optional(tx)
        .await?;
        row.map(|row| {
            Ok(Self {
                starts_after: row.try_get("starts_after")?,
                until: row.try_get("handed_out")?,
                wrapped: row.try_get("handed_out_wrapped")?,
                pages: row.try_get("pages")?,
                is_all: row.try_get("is_handed_out")?,
            })
        })
        .transpose()
    }
}

async fn take_free(tx: &mut Tx, sweep: &SweepId, holder: &str) -> Result<Option<SweepPage>> {
    let sql = format!(
        "SELECT page, after_key, until_key, wrapped FROM sweep_pages WHERE sweep_id = $1 AND {IS_FREE}
         ORDER BY page LIMIT 1"
    );
    let row = query(sql).bind(sweep.as_str()).bind(holder).fetch_optional(&mut *tx).await?;
    let Some(page) = row.as_ref().map(SweepPage::read).transpose()? else { return Ok(None) };
    query("UPDATE sweep_pages SET holder = $2 WHERE sweep_id = $1 AND page = $3")
        .bind(sweep.as_str())
        .bind(holder)
        .bind(page.number)
        .execute(tx)
        .await?;
    Ok(Some(page))
}

/// Makes the next page, or notes that nobody is left.
async fn hand_out(
    tx: &mut Tx,
    sweep: &SweepId,
    handed_out: HandedOut,
    holder: &str,
) -> Result<Option<SweepPage>> {
    let HandedOut { starts_after, until: mut after, mut wrapped, pages, .. } = handed_out;
    if !wrapped {
        after = after.or(starts_after);
    }
    let mut until = last_key(tx, after, starts_after.filter(|_| wrapped)).await?;
    if until.is_none() && !wrapped && starts_after.is_some() {
        (after, wrapped) = (None, true);
        until = last_key(tx, after, starts_after).await?;
    }
    let Some(until) = until else {
        query("UPDATE sweeps SET is_handed_out = TRUE WHERE sweep_id = $1")
            .bind(sweep.as_str())
            .execute(tx)
            .await?;
        return Ok(None);
    };
    let page = SweepPage { number: pages + 1, after, until, wrapped };
    query("UPDATE sweeps SET handed_out = $2, handed_out_wrapped = $3, pages = $4 WHERE sweep_id = $1")
        .bind(sweep.as_str())
        .bind(until)
        .bind(wrapped)
        .bind(page.number)
        .execute(&mut *tx)
        .await?;
    query(
        "INSERT INTO sweep_pages (sweep_id, page, after_key, until_key, wrapped, holder)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(sweep.as_str())
    .bind(page.number)
    .bind(page.after)
    .bind(page.until)
    .bind(page.wrapped)
    .bind(holder)
    .execute(tx)
    .await?;
    Ok(Some(page))
}

/// The poll key of the last member of a page.
async fn last_key(tx: &mut Tx, after: Option<i64>, until: Option<i64>) -> Result<Option<i64>> {
    query_scalar(
        "SELECT max(poll_key) FROM (SELECT poll_key FROM members m
            WHERE m.removed_at IS NULL AND m.paused_at IS NULL AND m.poll_key > $1 AND m.poll_key <= $2
            ORDER BY m.poll_key LIMIT $3) page",
    )
    .bind(after.unwrap_or(-1))
    .bind(until.unwrap_or(i64::MAX))
    .bind(PAGE)
    .fetch_one(tx)
    .await
}

async fn add(tx: &mut Tx, sweep: &SweepId, progress: SweepProgress) -> Result<()> {
    query(
        "UPDATE sweeps SET members = members + $2, unclear = unclear + $3, skipped = skipped + $4,
            transitions = transitions + $5 WHERE sweep_id = $1",
    )
    .bind(sweep.as_str())
    .bind(progress.members as i64)
    .bind(progress.unclear as i64)
    .bind(progress.skipped as i64)
    .bind(progress.transitions as i64)
    .execute(tx)
    .await?;
    Ok(())
}

async fn counts(tx: &mut Tx, sweep: &SweepId) -> Result<SweepProgress> {
    let row = query("SELECT members, unclear, skipped, transitions FROM sweeps WHERE sweep_id = $1")
        .bind(sweep.as_str())
        .fetch_one(tx)
        .await?;
    SweepProgress::read(&row)
}

#[cfg(test)]
mod tests;
