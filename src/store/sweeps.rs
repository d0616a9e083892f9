//! `sweeps`: scheduled passes, and how far each has come.

use super::{Result, Store, millis};
use crate::domain::{MemberId, SweepId, Time};
use crate::random;
use sqlx::Row;

/// A pass that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSweep {
    /// Which.
    pub id: SweepId,
    /// The last member of its last finished page; `None` at the beginning.
    pub cursor: Option<MemberId>,
    /// What it counted up to there.
    pub progress: SweepProgress,
}

/// What a pass has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Members asked about.
    pub members: u64,
    /// Of these, without a usable answer.
    pub unclear: u64,
    /// Transitions seen.
    pub transitions: u64,
}

impl SweepProgress {
    /// Adds a page's counts.
    pub fn add(&mut self, page: SweepProgress) {
        self.members += page.members;
        self.unclear += page.unclear;
        self.transitions += page.transitions;
    }
}

impl Store {
    /// The pass that was cut off, if there is one; else a new one.
    pub async fn resume_or_begin_sweep(&self, now: Time) -> Result<OpenSweep> {
        match self.cut_off_sweep().await? {
            Some(sweep) => Ok(sweep),
            None => {
                let id = SweepId::new(random::id(now));
                sqlx::query("INSERT INTO sweeps (sweep_id, started_at) VALUES ($1, $2)")
                    .bind(id.as_str())
                    .bind(millis(now))
                    .execute(&self.writer)
                    .await?;
                Ok(OpenSweep { id, cursor: None, progress: SweepProgress::default() })
            }
        }
    }

    /// The pass that did not come to its end, if there is one.
    pub async fn cut_off_sweep(&self) -> Result<Option<OpenSweep>> {
        let row = sqlx::query(
            "SELECT sweep_id, cursor, members, unclear, transitions FROM sweeps WHERE finished_at IS NULL
             ORDER BY sweep_id DESC LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            let number = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)?.unsigned_abs());
            Ok(OpenSweep {
                id: SweepId::new(row.try_get::<String, _>("sweep_id")?),
                cursor: row.try_get::<Option<String>, _>("cursor")?.map(MemberId::new),
                progress: SweepProgress {
                    members: number("members")?,
                    unclear: number("unclear")?,
                    transitions: number("transitions")?,
                },
            })
        })
        .transpose()
    }

    /// Records that the pass has come to `cursor`.
    pub async fn sweep_came_to(
        &self,
        sweep: &SweepId,
        cursor: &MemberId,
        progress: SweepProgress,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE sweeps SET cursor = $2, members = $3, unclear = $4, transitions = $5 WHERE sweep_id = $1",
        )
        .bind(sweep.as_str())
        .bind(cursor.as_str())
        .bind(progress.members as i64)
        .bind(progress.unclear as i64)
        .bind(progress.transitions as i64)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Records the end of a pass, which needs to remember no member any more: `stopped` says why it ended before its
    /// last member, if it did.
    pub async fn sweep_finished(
        &self,
        sweep: &SweepId,
        progress: SweepProgress,
        stopped: Option<&str>,
        now: Time,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE sweeps SET finished_at = $2, cursor = NULL, members = $3, unclear = $4, transitions = $5, stopped = $6,
                complete = $7 WHERE sweep_id = $1",
        )
        .bind(sweep.as_str())
        .bind(millis(now))
        .bind(progress.members as i64)
        .bind(progress.unclear as i64)
        .bind(progress.transitions as i64)
        .bind(stopped)
        .bind(stopped.is_none() && progress.unclear == 0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
