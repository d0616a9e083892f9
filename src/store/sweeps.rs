//! `sweeps`: scheduled polls of the whole fleet, and how far each has come.
//!
//! The last one is the one that was inserted last: by its id or its time, one that began while the clock was ahead would
//! stay the last for a year.

use super::engine::{Row, Tx, query, query_scalar};
use super::row::RowExt;
use super::row_locks::lock_sweeps;
use super::{Result, Store, StoreError, millis, time};
use crate::base::random;
use crate::domain::{SweepId, Time};
use std::ops::Add;

/// SQL for "sweep `s` has polled, or deliberately skipped, the member with the poll key `m.poll_key`".
pub(super) const COVERS_MEMBER: &str = "(s.ended_early_because IS NULL OR CASE WHEN s.wrapped
    THEN m.poll_key > s.starts_after OR m.poll_key <= s.position
    ELSE m.poll_key > coalesce(s.starts_after, -1) AND m.poll_key <= s.position END)";

/// The newest sweeps, which reports read. Older ones are deleted.
const KEPT_SWEEPS: u32 = 10_000;
/// Members whose poll keys are filled in at a time.
const BACKFILL: u32 = 1_000;

/// A sweep that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenSweep {
    pub(crate) id: SweepId,
    pub(crate) started_at: Time,
    /// It starts behind this poll key; `None`: at the first member.
    pub(crate) starts_after: Option<i64>,
    /// The counts of the pages that are done.
    pub(crate) progress: SweepProgress,
    /// Whether any page was handed out.
    pub(crate) has_begun: bool,
}

/// A place on the way around the fleet. Members are ordered by their poll key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SweepPosition {
    /// The poll key of the last member who is done; `None`: none is.
    pub(crate) last: Option<i64>,
    /// Whether the sweep has passed the highest poll key and continues from the lowest.
    pub(crate) wrapped: bool,
}

/// A sweep's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Members polled.
    pub members: u64,
    /// Members polled without a usable response.
    pub unclear: u64,
    /// Members left out: their credential is rejected, missing or locked, or the gateway asked them to wait.
    pub skipped: u64,
    /// Transitions recorded.
    pub transitions: u64,
}

impl Add for SweepProgress {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            members: self.members + other.members,
            unclear: self.unclear + other.unclear,
            skipped: self.skipped + other.skipped,
            transitions: self.transitions + other.transitions,
        }
    }
}

impl SweepProgress {
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            members: row.total("members")?,
            unclear: row.total("unclear")?,
            skipped: row.total("skipped")?,
            transitions: row.total("transitions")?,
        })
    }
}

/// The place of a member in the order of sweeps: the first 63 bits of a SHA-256 of the id.
pub(super) fn poll_key(member: &str) -> i64 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, member.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_ref()[..8]);
    i64::from_be_bytes(first) & i64::MAX
}

/// Fills in the poll keys of members that an earlier version enrolled.
pub(super) async fn fill_poll_keys(store: &Store) -> Result<()> {
    loop {
        let members: Vec<String> =
            query_scalar("SELECT member_id FROM members WHERE poll_key IS NULL LIMIT $1")
                .bind(BACKFILL)
                .fetch_all(&store.reader)
                .await?;
        if members.is_empty() {
            return Ok(());
        }
        store
            .write(async |mut tx| {
                for member in &members {
                    query("UPDATE members SET poll_key = $2 WHERE member_id = $1")
                        .bind(member)
                        .bind(poll_key(member))
                        .execute(&mut tx)
                        .await?;
                }
                Ok(())
            })
            .await?;
    }
}

impl Store {
    /// Starts a sweep, unless one is open. It starts where the last one ended early, or before the first member whom the
    /// gateway throttled. `scheduled_at`: the tick of the schedule; each tick starts one sweep, unless another one has ended
    /// since. Returns whether it was started.
    pub(crate) async fn start_sweep(&self, now: Time, scheduled_at: Option<Time>) -> Result<bool> {
        let id = random::id(now);
        let unit = async |mut tx: Tx| {
            lock_sweeps(&mut tx).await?;
            let inserted = query(
                "INSERT INTO sweeps (sweep_id, started_at, scheduled_at, starts_after)
                 SELECT $1, $2, $3, (SELECT coalesce(s.position, CASE WHEN s.ended_early_because IS NOT NULL
                        THEN s.starts_after END)
                    FROM sweeps s WHERE s.finished_at IS NOT NULL ORDER BY s.sequence DESC LIMIT 1)
                 WHERE NOT EXISTS (SELECT 1 FROM sweeps WHERE finished_at IS NULL)
                   AND NOT EXISTS (SELECT 1 FROM sweeps WHERE finished_at BETWEEN $3 AND $2)
                 ON CONFLICT (scheduled_at) DO NOTHING",
            )
            .bind(&id)
            .bind(millis(now))
            .bind(scheduled_at.map(millis))
            .execute(&mut tx)
            .await?
            .rows_affected();
            // The last sweeps of their kind stay, however old they are: `status` and the metrics report them.
            query(
                "DELETE FROM sweeps WHERE finished_at IS NOT NULL
                   AND sequence <= (SELECT max(sequence) FROM sweeps) - $1
                   AND sequence <> coalesce((SELECT max(sequence) FROM sweeps WHERE complete = TRUE), 0)
                   AND sequence <> coalesce((SELECT max(sequence) FROM sweeps
                        WHERE finished_at IS NOT NULL AND members > unclear), 0)",
            )
            .bind(KEPT_SWEEPS)
            .execute(&mut tx)
            .await?;
            Ok(inserted > 0)
        };
        self.write(unit).await
    }

    /// The sweep that has not ended: it runs, or a shutdown or a crash interrupted it.
    pub(crate) async fn open_sweep(&self) -> Result<Option<OpenSweep>> {
        let row = query(
            "SELECT sweep_id, started_at, starts_after, pages, members, unclear, skipped, transitions FROM sweeps
             WHERE finished_at IS NULL ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            Ok(OpenSweep {
                id: row.text("sweep_id")?,
                started_at: row.time("started_at")?,
                starts_after: row.try_get("starts_after")?,
                progress: SweepProgress::read(&row)?,
                has_begun: row.try_get::<i64>("pages")? > 0,
            })
        })
        .transpose()
    }

    /// A sweep that has ended, or `None`.
    pub(crate) async fn ended_sweep(
        &self,
        sweep: &SweepId,
    ) -> Result<Option<(SweepProgress, Option<String>)>> {
        let row = query(
            "SELECT members, unclear, skipped, transitions, ended_early_because FROM sweeps
             WHERE sweep_id = $1 AND finished_at IS NOT NULL",
        )
        .bind(sweep.as_str())
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| Ok((SweepProgress::read(&row)?, row.try_get("ended_early_because")?))).transpose()
    }

    /// The ends of the last sweep and of the last complete sweep.
    pub(crate) async fn last_sweep_ends(&self) -> Result<(Option<Time>, Option<Time>)> {
        let last = async |condition: &str| {
            let sql = format!(
                "SELECT finished_at FROM sweeps WHERE finished_at IS NOT NULL AND {condition}
                 ORDER BY sequence DESC LIMIT 1"
            );
            let at: Option<i64> = query_scalar(sql).fetch_optional(&self.reader).await?;
            Ok::<_, StoreError>(at.map(time))
        };
        Ok((last("true").await?, last("complete = TRUE").await?))
    }

    /// The reason why the sweep before this one ended early.
    pub(crate) async fn previous_stop(&self, sweep: &SweepId) -> Result<Option<String>> {
        let ended_early_because: Option<Option<String>> = query_scalar(
            "SELECT ended_early_because FROM sweeps WHERE finished_at IS NOT NULL
               AND sequence < (SELECT sequence FROM sweeps WHERE sweep_id = $1) ORDER BY sequence DESC LIMIT 1",
        )
        .bind(sweep.as_str())
        .fetch_optional(&self.reader)
        .await?;
        Ok(ended_early_because.flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CredentialRules;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn a_new_sweep_deletes_old_ones_but_not_the_last_complete_one_and_the_last_with_an_answer() {
        let (store, _folder) = new_store().await;
        let insert = query(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
             INSERT INTO sweeps (sweep_id, started_at, finished_at, members, unclear, complete)
             SELECT 's' || n, n, n, n = 3, 0, n = 2 FROM numbers",
        );
        store.execute(insert.bind(KEPT_SWEEPS + 4)).await.unwrap();
        assert!(store.start_sweep(Time::UNIX_EPOCH, None).await.unwrap());
        let oldest: Vec<i64> =
            query_scalar("SELECT started_at FROM sweeps WHERE started_at > 0 ORDER BY 1 LIMIT 4")
                .fetch_all(&store.reader)
                .await
                .unwrap();
        assert_eq!(oldest, [2, 3, 6, 7]);
        let stats = store.stats(&CredentialRules::stored_tokens(), Time::UNIX_EPOCH).await.unwrap();
        assert_eq!(stats.last_answer_at, Some(time(3)));
        let ends = store.last_sweep_ends().await.unwrap();
        assert_eq!(ends, (Some(time(i64::from(KEPT_SWEEPS) + 4)), Some(time(2))));
    }

    #[tokio::test]
    async fn one_sweep_is_open_at_a_time_and_has_begun_with_its_first_page() {
        let (store, _folder) = new_store().await;
        assert_eq!(store.last_sweep_ends().await.unwrap(), (None, None));
        assert!(store.open_sweep().await.unwrap().is_none());
        assert!(store.start_sweep(Time::UNIX_EPOCH, None).await.unwrap());
        assert!(!store.start_sweep(time(1), None).await.unwrap());
        let sweep = store.open_sweep().await.unwrap().unwrap();
        assert!(!sweep.has_begun);
        store.execute(query("UPDATE sweeps SET pages = 1")).await.unwrap();
        let begun = store.open_sweep().await.unwrap().unwrap();
        assert!(begun.id == sweep.id && begun.has_begun);
    }

    #[tokio::test]
    async fn the_previous_stop_is_that_of_the_sweep_just_before() {
        let (store, _folder) = new_store().await;
        let insert = query(
            "INSERT INTO sweeps (sweep_id, started_at, finished_at, members, unclear, ended_early_because)
             VALUES ('first', 1, 1, 0, 0, 'outage'), ('second', 2, 2, 0, 0, NULL), ('third', 3, NULL, 0, 0, NULL)",
        );
        store.execute(insert).await.unwrap();
        for (sweep, reason) in [("first", None), ("second", Some("outage")), ("third", None)] {
            assert_eq!(store.previous_stop(&sweep.into()).await.unwrap().as_deref(), reason, "{sweep}");
        }
    }

    #[test]
    fn the_counts_of_two_parts_are_added() {
        let first = SweepProgress { members: 5, unclear: 3, skipped: 3, transitions: 4 };
        let sum = SweepProgress { members: 10, unclear: 6, skipped: 6, transitions: 8 };
        assert_eq!(first + first, sum);
    }
}
