//! Looks for damaged pages before they are met.

use super::{Result, Store, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Between two looks at the time, in steps of SQLite's virtual machine.
const STEPS: i32 = 10_000;
/// The result code of a statement that was interrupted.
const INTERRUPTED: &str = "9";

/// How much of the database a check has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PagesChecked {
    All,
    /// The time was over, or the check was stopped.
    Some,
    /// On a server, which has its own checks.
    None,
}

impl Store {
    /// Reads the pages of the file for as long as `limit`, or until `stop`. From damage on, no sweep and no email begins.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub(crate) async fn check_pages(
        &self,
        limit: Duration,
        stop: &CancellationToken,
    ) -> Result<PagesChecked> {
        let (Some(path), Some(health)) = (self.place.file(), self.health()) else {
            return Ok(PagesChecked::None);
        };
        let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
        let mut connection = options.connect().await?;
        let (deadline, stop) = (Instant::now() + limit, stop.clone());
        let goes_on = move || Instant::now() < deadline && !stop.is_cancelled();
        connection.lock_handle().await?.set_progress_handler(STEPS, goes_on);
        let found: sqlx::Result<String> =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
        connection.close().await?;
        match found {
            Ok(found) if found == "ok" => Ok(PagesChecked::All),
            Ok(found) => {
                // The first line names the tree and the page; a line break would be one in the log.
                let damage = found.replace('\n', " ");
                health.note_damage(&damage);
                Err(StoreError::Damaged(damage))
            }
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(INTERRUPTED) => {
                Ok(PagesChecked::Some)
            }
            Err(error) => {
                health.note_error(&error);
                Err(error.into())
            }
        }
    }
}
