//! `sweeps`: scheduled polls of the whole fleet, and how far each has come.
//!
//! The last one is the one that was inserted last: by its id or its time, one that began while the clock was ahead would
//! stay the last for a year.

use super::engine::{query, query_scalar};
use super::row::RowExt;
use super::{Result, Store, StoreError, millis, time};
use crate::base::random;
use crate::domain::{SweepId, Time};

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
    pub(crate) position: SweepPosition,
    /// The counts up to `position`.
    pub(crate) progress: SweepProgress,
    /// Whether an earlier run started it.
    pub(crate) resumed: bool,
}

/// A place on the way around the fleet. Members are ordered by their poll key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SweepPosition {
    /// The sweep starts behind this poll key; `None`: at the first member.
    pub(crate) starts_after: Option<i64>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SweepEnd {
    /// The reason code of an early stop.
    pub(crate) ended_early_because: Option<&'static str>,
    pub(crate) complete: bool,
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
    /// The unfinished sweep, or a new one. A new sweep starts where the last one ended early, or before the first member
    /// whom the gateway throttled.
    pub(crate) async fn resume_or_start_sweep(&self, now: Time) -> Result<OpenSweep> {
        if let Some(sweep) = self.unfinished_sweep().await? {
            return Ok(sweep);
        }
        let stopped_at: Option<Option<i64>> = query_scalar(
            "SELECT coalesce(position, CASE WHEN ended_early_because IS NOT NULL THEN starts_after END) FROM sweeps
             WHERE finished_at IS NOT NULL ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        let position = SweepPosition { starts_after: stopped_at.flatten(), ..SweepPosition::default() };
        let id = SweepId::new(random::id(now));
        let insert = query("INSERT INTO sweeps (sweep_id, started_at, starts_after) VALUES ($1, $2, $3)")
            .bind(id.as_str())
            .bind(millis(now))
            .bind(position.starts_after);
        // The last sweeps of their kind stay, however old they are: `status` and the metrics report them.
        let prune = query(
            "DELETE FROM sweeps WHERE finished_at IS NOT NULL AND sequence <= (SELECT max(sequence) FROM sweeps) - $1
               AND sequence <> coalesce((SELECT max(sequence) FROM sweeps WHERE complete = TRUE), 0)
               AND sequence <> coalesce((SELECT max(sequence) FROM sweeps WHERE finished_at IS NOT NULL AND members > unclear), 0)",
        )
        .bind(KEPT_SWEEPS);
        self.write(async |mut tx| {
            insert.clone().execute(&mut tx).await?;
            prune.clone().execute(&mut tx).await
        })
        .await?;
        Ok(OpenSweep { id, position, progress: SweepProgress::default(), resumed: false })
    }

    /// The sweep that a shutdown or a crash interrupted.
    pub(crate) async fn unfinished_sweep(&self) -> Result<Option<OpenSweep>> {
        let row = query(
            "SELECT sweep_id, starts_after, position, wrapped, members, unclear, skipped, transitions FROM sweeps
             WHERE finished_at IS NULL ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            Ok(OpenSweep {
                id: row.text("sweep_id")?,
                position: SweepPosition {
                    starts_after: row.try_get("starts_after")?,
                    last: row.try_get("position")?,
                    wrapped: row.try_get("wrapped")?,
                },
                progress: SweepProgress {
                    members: row.total("members")?,
                    unclear: row.total("unclear")?,
                    skipped: row.total("skipped")?,
                    transitions: row.total("transitions")?,
                },
                resumed: true,
            })
        })
        .transpose()
    }

    /// Records how far a sweep has come. With `end`, the sweep is over.
    pub(crate) async fn checkpoint_sweep(
        &self,
        sweep: &SweepId,
        position: SweepPosition,
        progress: SweepProgress,
        end: Option<(SweepEnd, Time)>,
    ) -> Result<()> {
        let update = query(
            "UPDATE sweeps SET position = $2, wrapped = $3, members = $4, unclear = $5, skipped = $6, transitions = $7,
                finished_at = $8, ended_early_because = $9, complete = $10 WHERE sweep_id = $1",
        )
        .bind(sweep.as_str())
        .bind(position.last)
        .bind(position.wrapped)
        .bind(progress.members as i64)
        .bind(progress.unclear as i64)
        .bind(progress.skipped as i64)
        .bind(progress.transitions as i64)
        .bind(end.map(|(_, at)| millis(at)))
        .bind(end.and_then(|(end, _)| end.ended_early_because))
        .bind(end.is_some_and(|(end, _)| end.complete));
        self.execute(update).await?;
        Ok(())
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

    #[tokio::test]
    async fn a_new_sweep_deletes_old_ones_but_not_the_last_complete_one_and_the_last_with_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("sweeps.db").display()).parse().unwrap();
        let store = Store::open(&url).await.unwrap();
        let insert = query(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
             INSERT INTO sweeps (sweep_id, started_at, finished_at, members, unclear, complete)
             SELECT 's' || n, n, n, n = 3, 0, n = 2 FROM numbers",
        );
        store.execute(insert.bind(KEPT_SWEEPS + 4)).await.unwrap();
        store.resume_or_start_sweep(Time::UNIX_EPOCH).await.unwrap();
        let oldest: Vec<i64> =
            query_scalar("SELECT started_at FROM sweeps WHERE started_at > 0 ORDER BY 1 LIMIT 4")
                .fetch_all(&store.reader)
                .await
                .unwrap();
        assert_eq!(oldest, [2, 3, 6, 7]);
    }
}
