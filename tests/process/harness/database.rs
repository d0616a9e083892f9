//! A look into the database from outside.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::Path;

/// A connection of the test's own.
pub(crate) struct Database(SqliteConnection);

impl Database {
    pub(super) async fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path);
        Self(SqliteConnection::connect_with(&options).await.unwrap())
    }

    /// The one number that `sql` asks for.
    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.0).await.unwrap()
    }

    /// The first column of what `sql` asks for, as text.
    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Changes rows.
    pub(crate) async fn execute(&mut self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut self.0).await.unwrap();
    }

    /// Lets nobody write for as long as this connection lives.
    pub(crate) async fn hold_writes(&mut self) {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.0).await.unwrap();
    }

    /// What SQLite has to say against the file: nothing but `ok`, and no dangling reference.
    pub(crate) async fn assert_sound(&mut self) {
        assert_eq!(self.texts("PRAGMA integrity_check").await, ["ok"]);
        assert_eq!(self.texts("PRAGMA foreign_key_check").await, Vec::<String>::new());
    }
}
