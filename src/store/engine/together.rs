//! Several statements at once.
//!
//! Each visit to SQLite wakes the thread of its connection, and then the task that waits for it. That costs as much as a small
//! statement. Statements that do not depend on each other's rows therefore visit it together.

use super::pool::{Pool, Work};
use super::row::Row;
use super::statement::{On, Query, Target};
use crate::store::error::Result;
use futures_util::{Stream, TryStreamExt};
use sqlx::sqlite::{SqliteQueryResult, SqliteRow};
use sqlx::{Either, Executor};
use std::pin::pin;

/// Runs statements in their order, and returns the rows of each. Some of them may have run when one fails.
pub(in crate::store) async fn fetch_together<const N: usize>(
    statements: [Query; N],
    target: impl Target,
) -> Result<[Vec<Row>; N]> {
    let mut rows = fetch(statements.into(), target).await?.into_iter();
    Ok(std::array::from_fn(|_| rows.next().unwrap_or_default()))
}

/// Like [`fetch_together`], for statements without rows.
pub(in crate::store) async fn run_together(statements: Vec<Query>, target: impl Target) -> Result<()> {
    fetch(statements, target).await.map(drop)
}

async fn fetch(statements: Vec<Query>, mut target: impl Target) -> Result<Vec<Vec<Row>>> {
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    let writes: Vec<bool> = statements.iter().map(Query::is_write).collect();
    match target.target() {
        On::Pool(Pool::Sqlite(readers)) => {
            let mut reader = readers.acquire().await?;
            let steps = reader.connection.fetch_many(Query::joined_for_sqlite(statements));
            match collect(steps, &writes).await {
                Ok(results) => Ok(reader.answered(Ok(results.rows))?),
                Err(error) => {
                    readers.health().note_error(&error);
                    // The connection is closed: sqlx panics in its thread when a statement behind the first one no longer
                    // fits the schema.
                    Err(error.into())
                }
            }
        }
        On::Pool(pool @ Pool::Postgres(_)) => {
            let mut rows = Vec::with_capacity(writes.len());
            for statement in statements {
                rows.push(statement.fetch_all(pool).await?);
            }
            Ok(rows)
        }
        On::Tx(tx) => {
            if let Work::Sqlite(turn) = tx.work() {
                let steps = (**turn).fetch_many(Query::joined_for_sqlite(statements));
                let answer = collect(steps, &writes).await;
                let results = answer.inspect_err(|error| turn.health().note_error(error))?;
                if results.has_changed {
                    tx.note_write();
                }
                return Ok(results.rows);
            }
            let mut rows = Vec::with_capacity(writes.len());
            for statement in statements {
                rows.push(statement.fetch_all(&mut *tx).await?);
            }
            Ok(rows)
        }
    }
}

struct Results {
    /// Of each statement.
    rows: Vec<Vec<Row>>,
    has_changed: bool,
}

/// `writes`: which of the statements write.
async fn collect(
    steps: impl Stream<Item = sqlx::Result<Either<SqliteQueryResult, SqliteRow>>>,
    writes: &[bool],
) -> sqlx::Result<Results> {
    let mut steps = pin!(steps);
    let mut results = Results { rows: Vec::with_capacity(writes.len()), has_changed: false };
    let mut of_statement = Vec::new();
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Right(row) => of_statement.push(Row::Sqlite(row)),
            Either::Left(done) => {
                // A statement that only reads tells the changes of an earlier one.
                let is_write = writes.get(results.rows.len()).is_some_and(|writes| *writes);
                results.has_changed |= is_write && done.rows_affected() > 0;
                results.rows.push(std::mem::take(&mut of_statement));
            }
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::{Connect, Health, Readers, query};
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions, SqliteConnection};
    use tempfile::TempDir;

    struct File {
        pool: Pool,
        other: SqliteConnection,
        _folder: TempDir,
    }

    impl File {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("places.db");
            let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
            let mut other = options.connect().await.unwrap();
            other.execute("CREATE TABLE places (name TEXT PRIMARY KEY)").await.unwrap();
            let connect: Connect = Box::new(move || {
                let options = options.clone();
                Box::pin(async move { options.connect().await })
            });
            let pool = Pool::Sqlite(Readers::open(connect, Health::default()).await.unwrap());
            Self { pool, other, _folder: folder }
        }
    }

    #[tokio::test]
    async fn each_statement_has_its_own_parameters_and_rows() {
        let File { pool, .. } = &File::new().await;
        let many = "SELECT $10 || $1 AS text";
        let many = (0..10).fold(query(many), |many, number| many.bind(format!("a{number}")));
        let last = query("SELECT $2 || $1 AS text").bind("b").bind("c");
        let rows = fetch_together([many, query("SELECT 1 WHERE FALSE"), last], pool).await.unwrap();
        let texts = |rows: &[Row]| -> Vec<String> { rows.iter().map(|row| row.at(0).unwrap()).collect() };
        assert_eq!(rows.each_ref().map(|rows| texts(rows)), [vec!["a9a0"], vec![], vec!["cb"]]);
    }

    #[tokio::test]
    async fn statements_behind_one_that_fails_do_not_run() {
        let File { pool, .. } = &File::new().await;
        let insert = |name: &str| query("INSERT INTO places VALUES ($1)").bind(name);
        run_together(vec![insert("here")], pool).await.unwrap();
        assert!(run_together(vec![insert("here"), insert("there")], pool).await.is_err());
        let [rows] = fetch_together([query("SELECT name FROM places")], pool).await.unwrap();
        assert_eq!(rows.len(), 1);
    }

    #[tokio::test]
    async fn after_statements_that_did_not_fit_the_schema_others_work() {
        let mut file = File::new().await;
        let read =
            async |pool| fetch_together([query("SELECT 1"), query("SELECT name FROM places")], pool).await;
        assert!(read(&file.pool).await.is_ok());
        file.other.execute("ALTER TABLE places RENAME TO hidden").await.unwrap();
        assert!(read(&file.pool).await.is_err());
        file.other.execute("ALTER TABLE hidden RENAME TO places").await.unwrap();
        for _ in 0..8 {
            assert!(read(&file.pool).await.is_ok());
        }
    }
}
