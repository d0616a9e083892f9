//! Reads and edits rows of the database beside the daemon. Only tests use it; they write no SQL of their own.

use super::{Result, Store};
use crate::base::config::DatabaseUrl;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::Path;
use std::time::Duration;

/// A connection to a database that a daemon may be using.
pub enum TestDatabase {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs an expression with the connection of either engine.
macro_rules! on {
    ($self:expr, $connection:ident => $run:expr) => {
        match $self {
            TestDatabase::Sqlite($connection) => $run,
            TestDatabase::Postgres($connection) => $run,
        }
    };
}

/// The value of a cell.
pub enum Cell {
    Null,
    Flag(bool),
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

/// A store on a new file, which is deleted with the folder.
#[cfg(test)]
pub(crate) async fn new_store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let file = folder.path().join("store.db");
    (Store::open(&DatabaseUrl::Sqlite(file)).await.expect("a new file"), folder)
}

/// The content of a SQLite file with all tables and no rows.
///
/// # Panics
/// There is no folder for temporary files.
pub async fn empty_database() -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let file = folder.path().join("empty.db");
    let store = Store::open(&DatabaseUrl::Sqlite(file.clone())).await?;
    // The last connection that closes moves the log into the file.
    store.close().await;
    Ok(std::fs::read(file).expect("the file of the store"))
}

impl TestDatabase {
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).foreign_keys(true);
        Ok(Self::Sqlite(SqliteConnection::connect_with(&options).await?))
    }

    pub async fn connect(url: &DatabaseUrl) -> Result<Self> {
        match url {
            DatabaseUrl::Sqlite(path) => Self::open(path).await,
            DatabaseUrl::Postgres(url) => {
                Ok(Self::Postgres(PgConnection::connect(url.expose().as_str()).await?))
            }
        }
    }

    /// Runs statements that a test lets fail, or that prepare one. Both engines know their words.
    pub async fn run(&mut self, statements: &str) -> Result<()> {
        on!(self, connection => {
            sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await?;
        });
        Ok(())
    }

    /// The names of the tables, without those of the migrations and of SQLite.
    pub async fn tables(&mut self) -> Result<Vec<String>> {
        let of_sqlite = "SELECT name FROM sqlite_master WHERE type = 'table'
                         AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1";
        let of_postgres = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()
                           AND tablename NOT LIKE '\\_%' ORDER BY 1";
        Ok(match self {
            Self::Sqlite(connection) => sqlx::query_scalar(of_sqlite).fetch_all(connection).await?,
            Self::Postgres(connection) => sqlx::query_scalar(of_postgres).fetch_all(connection).await?,
        })
    }

    /// Every row of every table as text.
    pub async fn contents(&mut self) -> Result<Vec<String>> {
        let mut contents = Vec::new();
        if let Self::Postgres(_) = self {
            // Shows bytes that are text as text.
            self.run("SET bytea_output = 'escape'").await?;
        }
        for table in self.tables().await? {
            let rows = match self {
                Self::Postgres(_) => format!("SELECT '{table}: ' || t::text FROM {table} t ORDER BY 1"),
                Self::Sqlite(connection) => {
                    let columns = "SELECT 'quote(' || name || ')' FROM pragma_table_info($1)";
                    let columns: Vec<String> =
                        sqlx::query_scalar(columns).bind(&table).fetch_all(&mut *connection).await?;
                    let columns = columns.join(" || ', ' || ");
                    format!("SELECT '{table}: ' || {columns} FROM {table} ORDER BY 1")
                }
            };
            contents.extend(self.strings(rows).await?);
        }
        Ok(contents)
    }

    pub async fn count(&mut self, table: &str) -> Result<i64> {
        let count = format!("SELECT count(*) FROM {table}");
        Ok(on!(self, connection => sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(connection).await?))
    }

    /// The values of a column in all rows, without NULLs, in ascending order.
    pub async fn numbers(&mut self, table: &str, column: &str) -> Result<Vec<i64>> {
        let values = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1");
        Ok(on!(self, connection => sqlx::query_scalar(AssertSqlSafe(values)).fetch_all(connection).await?))
    }

    /// The values of a column of bytes in all rows, without NULLs, in ascending order.
    pub async fn blobs(&mut self, table: &str, column: &str) -> Result<Vec<Vec<u8>>> {
        let values = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1");
        Ok(on!(self, connection => sqlx::query_scalar(AssertSqlSafe(values)).fetch_all(connection).await?))
    }

    /// The values of a column in all rows, empty for NULL, in ascending order.
    pub async fn texts(&mut self, table: &str, column: &str) -> Result<Vec<String>> {
        Ok(self.rows(table, [column]).await?.into_iter().flatten().collect())
    }

    /// Some columns of all rows as text, empty for NULL, ordered by the first. A flag is 0 or 1.
    pub async fn rows<const N: usize>(
        &mut self,
        table: &str,
        columns: [&str; N],
    ) -> Result<Vec<[String; N]>> {
        let mut texts = Vec::new();
        for column in columns {
            let text = match self.type_of(table, column).await?.as_str() {
                "boolean" => format!("CAST({column} AS INTEGER)"),
                "bytea" => format!("convert_from({column}, 'UTF8')"),
                _ => column.to_owned(),
            };
            texts.push(format!("coalesce(CAST({text} AS TEXT), '')"));
        }
        let collation = if matches!(self, Self::Postgres(_)) { " COLLATE \"C\"" } else { "" };
        let rows = format!("SELECT {} FROM {table} ORDER BY {}{collation}", texts.join(", "), texts[0]);
        Ok(on!(self, connection => sqlx::query(AssertSqlSafe(rows))
            .fetch_all(connection)
            .await?
            .iter()
            .map(|row| std::array::from_fn(|at| row.get(at)))
            .collect()))
    }

    /// Sets a column in all rows and returns how many there are.
    pub async fn set(&mut self, table: &str, column: &str, value: impl Into<Cell>) -> Result<u64> {
        let value = self.fitting(table, column, value.into()).await?;
        self.update(format!("UPDATE {table} SET {column} = $1"), value, None).await
    }

    /// Sets a column in the rows where column `key` is `of`.
    pub async fn set_where(
        &mut self,
        table: &str,
        (key, of): (&str, &str),
        column: &str,
        value: impl Into<Cell>,
    ) -> Result<u64> {
        let value = self.fitting(table, column, value.into()).await?;
        self.update(format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2"), value, Some(of)).await
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
        let of = of.map(str::to_owned);
        let sql = match value {
            Cell::Null => sql.replace("$1", "NULL").replace("$2", "$1"),
            _ => sql,
        };
        Ok(on!(self, connection => {
            let query = sqlx::query(AssertSqlSafe(sql));
            let query = match value {
                Cell::Null => query,
                Cell::Flag(flag) => query.bind(flag),
                Cell::Number(number) => query.bind(number),
                Cell::Text(text) => query.bind(text),
                Cell::Blob(bytes) => query.bind(bytes),
            };
            let query = if let Some(of) = of { query.bind(of) } else { query };
            query.execute(connection).await?.rows_affected()
        }))
    }

    /// The value in the type that PostgreSQL has for the column.
    async fn fitting(&mut self, table: &str, column: &str, value: Cell) -> Result<Cell> {
        Ok(match (self.type_of(table, column).await?.as_str(), value) {
            ("boolean", Cell::Number(number)) => Cell::Flag(number != 0),
            (_, value) => value,
        })
    }

    /// PostgreSQL's type of a column; empty on SQLite.
    async fn type_of(&mut self, table: &str, column: &str) -> Result<String> {
        let Self::Postgres(connection) = self else { return Ok(String::new()) };
        let sql = "SELECT data_type::text FROM information_schema.columns
                   WHERE table_schema = current_schema() AND table_name = $1 AND column_name = $2";
        let of = sqlx::query_scalar(sql).bind(table.to_owned()).bind(column.to_owned());
        Ok(of.fetch_optional(connection).await?.unwrap_or_default())
    }

    async fn strings(&mut self, sql: String) -> Result<Vec<String>> {
        Ok(on!(self, connection => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?))
    }

    /// Starts to record writes to all tables but the `excepted`, including updates that change nothing.
    pub async fn record_writes(&mut self, excepted: &[&str]) -> Result<()> {
        let tables = self.tables().await?;
        self.run("CREATE TABLE written (what TEXT NOT NULL)").await?;
        if let Self::Postgres(_) = self {
            self.run(
                "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN INSERT INTO written VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$",
            )
            .await?;
        }
        for table in tables.iter().filter(|table| !excepted.contains(&table.as_str())) {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                let action = match self {
                    Self::Sqlite(_) => format!("BEGIN INSERT INTO written VALUES ('{event} {table}'); END"),
                    Self::Postgres(_) => "FOR EACH ROW EXECUTE FUNCTION spy()".to_owned(),
                };
                self.run(&format!("CREATE TRIGGER spy_{table}_{event} AFTER {event} ON {table} {action}"))
                    .await?;
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
        let action = match self {
            Self::Sqlite(_) => "BEGIN SELECT RAISE(ABORT, 'refused'); END",
            Self::Postgres(_) => {
                self.run(
                    "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                     BEGIN RAISE EXCEPTION 'refused'; END $$",
                )
                .await?;
                "FOR EACH ROW EXECUTE FUNCTION refuse()"
            }
        };
        self.run(&format!("CREATE TRIGGER refuse_{table} BEFORE UPDATE ON {table} {action}")).await
    }

    /// Ends the effect of [`TestDatabase::refuse_updates`].
    pub async fn accept_updates(&mut self, table: &str) -> Result<()> {
        let on = if matches!(self, Self::Postgres(_)) { format!(" ON {table}") } else { String::new() };
        self.run(&format!("DROP TRIGGER refuse_{table}{on}")).await
    }

    /// Blocks all other writers for as long as this connection lives.
    pub async fn block_writers(&mut self) -> Result<()> {
        let block = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE".to_owned(),
            Self::Postgres(_) => {
                let tables = self.tables().await?.join(", ");
                format!("BEGIN; LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")
            }
        };
        self.run(&block).await
    }

    /// Waits until no other connection is in a transaction.
    ///
    /// # Panics
    /// One stays in a transaction.
    pub async fn settle(&mut self) -> Result<()> {
        for _ in 0..200 {
            let open: i64 = match self {
                // Fails to empty the log while a reader or a writer is in a transaction.
                Self::Sqlite(connection) => {
                    sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?
                }
                Self::Postgres(connection) => {
                    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                                AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";
                    sqlx::query_scalar(open).fetch_one(connection).await?
                }
            };
            if open == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a connection stays in a transaction");
    }

    /// Damage of the file, and rows that refer to none. PostgreSQL has no such check.
    pub async fn defects(&mut self) -> Result<Vec<String>> {
        let Self::Sqlite(connection) = self else { return Ok(Vec::new()) };
        let mut defects: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await?;
        defects.retain(|line| line != "ok");
        let dangling = "SELECT \"table\" FROM pragma_foreign_key_check";
        defects.extend(sqlx::query_scalar::<_, String>(dangling).fetch_all(connection).await?);
        Ok(defects)
    }
}
