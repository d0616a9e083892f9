//! Databases as earlier versions made them, with rows in their tables. The rows are made from the schema of the time.

mod rows;
mod schema;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, SqliteConnection, migrate::Migrator,
    sqlite::SqliteConnectOptions,
};
use std::{borrow::Cow, collections::BTreeMap, path::Path};

/// The rows of each table: the values of each column as text, in an order of their own.
pub(crate) type Contents = BTreeMap<String, Vec<BTreeMap<String, String>>>;

pub(crate) struct AgedDatabase {
    sql: Sql,
    migrations: Migrator,
}

enum Sql {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs an expression with the connection of either engine.
macro_rules! on {
    ($sql:expr, $connection:ident => $run:expr) => {
        match $sql {
            Sql::Sqlite($connection) => $run,
            Sql::Postgres($connection) => $run,
        }
    };
}

#[allow(dead_code, reason = "not every suite needs all of it")]
impl AgedDatabase {
    /// Without tables. A file is created.
    pub(crate) async fn create(url: &str) -> Self {
        let (sql, folder) = match url.strip_prefix("sqlite://") {
            Some(file) => {
                let options =
                    SqliteConnectOptions::new().filename(file).create_if_missing(true).foreign_keys(true);
                (Sql::Sqlite(options.connect().await.expect("a file")), "migrations/sqlite")
            }
            None => {
                let connection = PgConnection::connect(url).await.expect("a server");
                (Sql::Postgres(connection), "migrations/postgres")
            }
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        Self { sql, migrations: Migrator::new(folder).await.expect("the migrations") }
    }

    /// With the tables of a version, and rows in them.
    pub(crate) async fn filled(url: &str, version: i64) -> Self {
        let mut database = Self::create(url).await;
        database.migrate_to(version).await;
        database.fill().await;
        database
    }

    /// Of all migrations, in their order.
    pub(crate) fn versions(&self) -> Vec<i64> {
        self.migrations.iter().map(|migration| migration.version).collect()
    }

    /// Of migrations that a kill could leave half done.
    pub(crate) fn versions_outside_of_transactions(&self) -> Vec<i64> {
        let ends_it = |sql: &str| {
            let words = sql.split(|c: char| !c.is_alphanumeric());
            words.map(str::to_uppercase).any(|word| ["COMMIT", "VACUUM", "PRAGMA"].contains(&word.as_str()))
        };
        let outside =
            self.migrations.iter().filter(|migration| migration.no_tx || ends_it(migration.sql.as_str()));
        outside.map(|migration| migration.version).collect()
    }

    /// Applies the migrations up to `version`, as the daemon does.
    pub(crate) async fn migrate_to(&mut self, version: i64) {
        let mut migrations = self.migrations.migrations.to_vec();
        migrations.retain(|migration| migration.version <= version);
        let migrator = Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
        let migrated = on!(&mut self.sql, connection => migrator.run_direct(None, connection, false).await);
        migrated.unwrap_or_else(|error| panic!("migration to {version}: {error}"));
    }

    /// The rows of all tables.
    pub(crate) async fn contents(&mut self) -> Contents {
        let mut contents = Contents::new();
        for table in self.tables().await {
            let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let texts: Vec<String> = columns.iter().map(|name| self.sql.text_of(name)).collect();
            let select = format!("SELECT {} FROM {}", texts.join(", "), table.name);
            let read: Vec<Vec<String>> = self.texts(&select, columns.len()).await;
            let row =
                |values: Vec<String>| columns.iter().map(|name| (*name).to_owned()).zip(values).collect();
            let mut rows: Vec<BTreeMap<String, String>> = read.into_iter().map(row).collect();
            rows.sort();
            contents.insert(table.name, rows);
        }
        contents
    }

    pub(crate) async fn close(self) {
        on!(self.sql, connection => connection.close().await).expect("it is idle");
    }

    /// The rows of a statement whose columns are texts.
    async fn texts(&mut self, statement: &str, columns: usize) -> Vec<Vec<String>> {
        on!(&mut self.sql, connection => {
            let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(connection).await;
            let rows = rows.unwrap_or_else(|error| panic!("{error}: {statement}"));
            rows.iter().map(|row| (0..columns).map(|at| row.get(at)).collect()).collect()
        })
    }

    /// Runs a statement that the database may refuse.
    async fn run(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        on!(&mut self.sql, connection => sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop))
    }
}

impl Sql {
    /// A value as text. Flags are 0 and 1, as in the other engine.
    fn text_of(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("quote({column})"),
            Self::Postgres(_) => format!("coalesce(quote_literal({column}::text), 'NULL')"),
        }
    }
}
