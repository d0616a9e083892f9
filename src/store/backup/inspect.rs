//! Looks into a file before it is trusted.

use super::super::backup_error::BackupError;
use super::super::error::Result;
use super::super::failure::Failure;
use super::super::migrations;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Instructions of SQLite between two looks at the token.
const INSTRUCTIONS: i32 = 10_000;

/// `is_final`: nothing is left to move into the file from a log beside it, and nobody writes to it.
pub(super) async fn connect(file: &Path, is_final: bool) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(file).disable_statement_logging();
    let options = if is_final { options.read_only(true).immutable(true) } else { options };
    Ok(options.connect().await?)
}

/// Interrupts the statements of the connection when the token is cancelled.
pub(super) async fn end_on(connection: &mut SqliteConnection, stop: &CancellationToken) -> Result<()> {
    let stop = stop.clone();
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(INSTRUCTIONS, move || !stop.is_cancelled());
    Ok(())
}

/// Reads everything. Returns the first defect: a damaged page, an index that differs from its table, a row that refers to
/// none.
pub(super) async fn defect(connection: &mut SqliteConnection) -> sqlx::Result<Option<String>> {
    let check =
        sqlx::query_scalar::<_, String>("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await;
    let found = match check {
        Ok(found) => found,
        Err(error) if is_damage(&error) => error.to_string(),
        Err(error) => return Err(error),
    };
    if found != "ok" {
        return Ok(Some(found.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let dangling: Option<(String, String)> =
        sqlx::query_as("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1")
            .fetch_optional(connection)
            .await?;
    Ok(dangling.map(|(table, parent)| format!("a row of {table} refers to no row of {parent}")))
}

/// # Errors
/// [`BackupError::Unusable`]: another program or a newer version has made it. `file` is its name for people.
pub(super) async fn verify_origin(connection: &mut SqliteConnection, file: &Path) -> Result<()> {
    const IS_OURS: &str = "SELECT count(*) = 2 FROM sqlite_master
        WHERE type = 'table' AND name IN ('_sqlx_migrations', 'members')";
    let is_ours = match sqlx::query_scalar::<_, bool>(IS_OURS).fetch_one(&mut *connection).await {
        Ok(is_ours) => is_ours,
        Err(error) if is_damage(&error) => {
            let reason = format!("it is no database, or damaged ({error}); name another backup");
            return Err(BackupError::unusable(file, reason).into());
        }
        Err(error) => return Err(error.into()),
    };
    if !is_ours {
        let reason = "it is no database of reconnectd; name another file";
        return Err(BackupError::unusable(file, reason).into());
    }
    let known = migrations::for_sqlite();
    let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version DESC")
        .fetch_all(connection)
        .await?;
    match applied.into_iter().find(|version| !known.version_exists(*version)) {
        Some(version) => {
            let reason = format!(
                "a newer version of reconnectd has made it (migration {version}); restore it with that version"
            );
            Err(BackupError::unusable(file, reason).into())
        }
        None => Ok(()),
    }
}

fn is_damage(error: &sqlx::Error) -> bool {
    matches!(Failure::of(error), Failure::Damaged | Failure::NotADatabase)
}
