//! Reads and edits rows of the database file beside the daemon. Only tests use it; they write no SQL of their own.

use super::Result;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::Path;

/// A connection to the file of a database that a daemon may be using.
pub struct TestDatabase(SqliteConnection);

/// The value of a cell.
pub enum Cell {
    Null,
    Number(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<&[u8]> for Cell {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl TestDatabase {
    pub async fn open(path: &Path) -> Result<Self> {
        Ok(Self(SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?))
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }

    /// The names of the tables, without those of the migrations and of SQLite.
    pub async fn tables(&mut self) -> Result<Vec<String>> {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table'
                      AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        Ok(sqlx::query_scalar(tables).fetch_all(&mut self.0).await?)
    }

    /// Every row of every table as text.
    pub async fn contents(&mut self) -> Result<Vec<String>> {
        let mut contents = Vec::new();
        for table in self.tables().await? {
            let columns = "SELECT 'quote(' || name || ')' FROM pragma_table_info($1)";
            let columns: Vec<String> =
                sqlx::query_scalar(columns).bind(&table).fetch_all(&mut self.0).await?;
            let columns = columns.join(" || ', ' || ");
            let rows = format!("SELECT '{table}: ' || {columns} FROM {table} ORDER BY 1");
            contents.extend(sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut self.0).await?);
        }
        Ok(contents)
    }

    pub async fn count(&mut self, table: &str) -> Result<i64> {
        let count = format!("SELECT count(*) FROM {table}");
        Ok(sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut self.0).await?)
    }

    /// The values of a column in all rows, without NULLs, in ascending order.
    pub async fn numbers(&mut self, table: &str, column: &str) -> Result<Vec<i64>> {
        let values = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1");
        Ok(sqlx::query_scalar(AssertSqlSafe(values)).fetch_all(&mut self.0).await?)
    }

    /// The values of a column of bytes in all rows, without NULLs, in ascending order.
    pub async fn blobs(&mut self, table: &str, column: &str) -> Result<Vec<Vec<u8>>> {
        let values = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1");
        Ok(sqlx::query_scalar(AssertSqlSafe(values)).fetch_all(&mut self.0).await?)
    }

    /// The values of a column in all rows, empty for NULL, in ascending order.
    pub async fn texts(&mut self, table: &str, column: &str) -> Result<Vec<String>> {
        Ok(self.rows(table, [column]).await?.into_iter().flatten().collect())
    }

    /// Some columns of all rows as text, empty for NULL, ordered by the first.
    pub async fn rows<const N: usize>(
        &mut self,
        table: &str,
        columns: [&str; N],
    ) -> Result<Vec<[String; N]>> {
        let texts = columns.map(|column| format!("coalesce(CAST({column} AS TEXT), '')")).join(", ");
        let rows = format!("SELECT {texts} FROM {table} ORDER BY 1");
        let rows = sqlx::query(AssertSqlSafe(rows)).fetch_all(&mut self.0).await?;
        Ok(rows.iter().map(|row| std::array::from_fn(|at| row.get(at))).collect())
    }

    /// Sets a column in all rows and returns how many there are.
    pub async fn set(&mut self, table: &str, column: &str, value: impl Into<Cell>) -> Result<u64> {
        self.update(format!("UPDATE {table} SET {column} = $1"), value.into(), None).await
    }

    /// Sets a column in the rows where column `key` is `of`.
    pub async fn set_where(
        &mut self,
        table: &str,
        (key, of): (&str, &str),
        column: &str,
        value: impl Into<Cell>,
    ) -> Result<u64> {
        self.update(format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2"), value.into(), Some(of))
            .await
    }

    /// Adds to a column of numbers in all rows.
    pub async fn add(&mut self, table: &str, column: &str, by: i64) -> Result<u64> {
        self.update(format!("UPDATE {table} SET {column} = {column} + $1"), by.into(), None).await
    }

    /// Deletes the rows where column `key` is `of`.
    pub async fn delete_where(&mut self, table: &str, (key, of): (&str, &str)) -> Result<u64> {
        self.update(format!("DELETE FROM {table} WHERE {key} = $1"), of.into(), None).await
    }

    async fn update(&mut self, sql: String, value: Cell, of: Option<&str>) -> Result<u64> {
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = match value {
            Cell::Null => query.bind(None::<i64>),
            Cell::Number(number) => query.bind(number),
            Cell::Text(text) => query.bind(text),
            Cell::Blob(bytes) => query.bind(bytes),
        };
        let query = if let Some(of) = of { query.bind(of.to_owned()) } else { query };
        Ok(query.execute(&mut self.0).await?.rows_affected())
    }

    /// Starts to record writes to all tables but the `excepted`, including updates that change nothing.
    pub async fn record_writes(&mut self, excepted: &[&str]) -> Result<()> {
        let tables = self.tables().await?;
        sqlx::raw_sql("CREATE TABLE written (what TEXT NOT NULL)").execute(&mut self.0).await?;
        for table in tables.iter().filter(|table| !excepted.contains(&table.as_str())) {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                let trigger = format!(
                    "CREATE TRIGGER spy_{table}_{event} AFTER {event} ON {table}
                     BEGIN INSERT INTO written VALUES ('{event} {table}'); END"
                );
                sqlx::raw_sql(AssertSqlSafe(trigger)).execute(&mut self.0).await?;
            }
        }
        Ok(())
    }

    /// The writes since [`TestDatabase::record_writes`], as `INSERT transitions`.
    pub async fn recorded_writes(&mut self) -> Result<Vec<String>> {
        self.texts("written", "what").await
    }

    /// Makes every update of a table fail.
    pub async fn refuse_updates(&mut self, table: &str) -> Result<()> {
        let trigger = format!(
            "CREATE TRIGGER refuse_{table} BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END"
        );
        sqlx::raw_sql(AssertSqlSafe(trigger)).execute(&mut self.0).await?;
        Ok(())
    }

    /// Ends the effect of [`TestDatabase::refuse_updates`].
    pub async fn accept_updates(&mut self, table: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TRIGGER refuse_{table}"))).execute(&mut self.0).await?;
        Ok(())
    }

    /// Blocks all other writers for as long as this connection lives.
    pub async fn block_writers(&mut self) -> Result<()> {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.0).await?;
        Ok(())
    }

    /// Damage of the file, and rows that refer to none.
    pub async fn defects(&mut self) -> Result<Vec<String>> {
        let mut defects: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut self.0).await?;
        defects.retain(|line| line != "ok");
        let dangling = "SELECT \"table\" FROM pragma_foreign_key_check";
        defects.extend(sqlx::query_scalar::<_, String>(dangling).fetch_all(&mut self.0).await?);
        Ok(defects)
    }
}
