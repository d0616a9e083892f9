//! A statement: a text, the values of its parameters `$1`, `$2`, …, and how to read the result.

use super::pool::{Pool, Tx, Work};
#[cfg(feature = "sim")]
use super::recorder::Statement;
use super::row::{Column, FromRow, Row};
use super::value::Value;
use crate::store::error::Result;
use crate::store::failure::Failure;
use sqlx::postgres::{PgArguments, PgQueryResult, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteQueryResult};
use sqlx::{AssertSqlSafe, query::Query as SqlxQuery};
use std::borrow::Cow;
use std::time::Duration;

/// How often a read runs at most.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; longer before the others.
const PAUSE: Duration = Duration::from_millis(20);

/// A statement whose result has rows.
#[derive(Clone, Debug)]
#[must_use]
pub(in crate::store) struct Query {
    text: Cow<'static, str>,
    /// The text for PostgreSQL, where it differs.
    postgres: Option<Cow<'static, str>>,
    values: Vec<Value>,
}

/// Where a statement runs.
pub(in crate::store) trait Target {
    fn target(&mut self) -> On<'_>;
}

pub(in crate::store) enum On<'a> {
    Pool(&'a Pool),
    Tx(&'a mut Tx),
}

impl Target for &Pool {
    fn target(&mut self) -> On<'_> {
        On::Pool(self)
    }
}

impl Target for &mut Tx {
    fn target(&mut self) -> On<'_> {
        On::Tx(self)
    }
}

/// What a statement changed.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Changes(u64);

impl Changes {
    pub(in crate::store) fn rows_affected(self) -> u64 {
        self.0
    }
}

/// The text must not contain values from outside: they belong into the parameters.
pub(in crate::store) fn query(text: impl Into<Cow<'static, str>>) -> Query {
    Query { text: text.into(), postgres: None, values: Vec::new() }
}

/// A statement that has another text on each engine.
pub(in crate::store) fn per_engine(
    sqlite: impl Into<Cow<'static, str>>,
    postgres: impl Into<Cow<'static, str>>,
) -> Query {
    Query { text: sqlite.into(), postgres: Some(postgres.into()), values: Vec::new() }
}

/// A statement whose rows have one column.
pub(in crate::store) fn query_scalar<T: Column>(text: impl Into<Cow<'static, str>>) -> Mapped<T> {
    Mapped { query: query(text), read: |row| row.at(0) }
}

/// A statement whose rows are tuples.
pub(in crate::store) fn query_as<T: FromRow>(text: impl Into<Cow<'static, str>>) -> Mapped<T> {
    Mapped { query: query(text), read: T::from_row }
}

/// Runs `$method` of sqlx in a session of PostgreSQL.
macro_rules! run_in {
    ($session:expr, $query:expr, $method:ident) => {{
        let limit = $session.limit();
        let answer = tokio::time::timeout(limit, $query.postgres().$method($session.connection()?)).await;
        $session.answered(answer)
    }};
}

/// Runs `$method` of sqlx on the engine of the target. The work in a session is boxed: it would more than double the
/// futures of all callers, and they fill the stack.
/// The functions convert the result.
macro_rules! run {
    ($self:ident, $target:ident, $method:ident, $sqlite:expr, $postgres:expr) => {
        match $target.target() {
            On::Pool(Pool::Sqlite(readers)) => {
                let mut reader = readers.acquire().await?;
                let answer = $self.sqlite().$method(&mut reader.connection).await;
                $sqlite(reader.answered(answer)?)
            }
            On::Pool(Pool::Postgres(server)) => {
                // A read that found its connection lost is tried again.
                let mut attempt = 1;
                loop {
                    let read = Box::pin(async {
                        let mut session = server.acquire().await?;
                        run_in!(session, $self.clone(), $method)
                    });
                    match read.await {
                        Err(error)
                            if attempt < ATTEMPTS && Failure::of(&error) == Failure::ConnectionLost =>
                        {
                            tokio::time::sleep(PAUSE * 4_u32.pow(attempt - 1)).await;
                            attempt += 1;
                        }
                        result => break $postgres(result?),
                    }
                }
            }
            On::Tx(tx) => match tx.work() {
                Work::Sqlite(turn) => {
                    let answer = $self.sqlite().$method(&mut **turn).await;
                    $sqlite(answer.inspect_err(|error| turn.health().note_error(error))?)
                }
                Work::Postgres(session) => {
                    $postgres(Box::pin(async { run_in!(session, $self, $method) }).await?)
                }
            },
        }
    };
}

/// Binds values to a text.
macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($text));
        for value in $values {
            query = match value {
                Value::Integer(value) => query.bind(value),
                Value::Real(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
                Value::Bool(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Query {
    pub(in crate::store) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// For a last parameter that the text mentions only if there is a value.
    pub(in crate::store) fn bind_if_some(self, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.bind(value),
            None => self,
        }
    }

    pub(in crate::store) async fn execute(self, mut target: impl Target) -> Result<Changes> {
        let sqlite = |done: SqliteQueryResult| Changes(done.rows_affected());
        let postgres = |done: PgQueryResult| Changes(done.rows_affected());
        let changes = run!(self, target, execute, sqlite, postgres);
        if changes.0 > 0 {
            note_write(&mut target);
        }
        Ok(changes)
    }

    pub(in crate::store) async fn fetch_all(self, mut target: impl Target) -> Result<Vec<Row>> {
        if self.is_write() {
            note_write(&mut target);
        }
        let sqlite = |rows: Vec<_>| rows.into_iter().map(Row::Sqlite).collect();
        let postgres = |rows: Vec<_>| rows.into_iter().map(Row::Postgres).collect();
        Ok(run!(self, target, fetch_all, sqlite, postgres))
    }

    pub(in crate::store) async fn fetch_optional(self, mut target: impl Target) -> Result<Option<Row>> {
        if self.is_write() {
            note_write(&mut target);
        }
        let sqlite = |row: Option<_>| row.map(Row::Sqlite);
        let postgres = |row: Option<_>| row.map(Row::Postgres);
        Ok(run!(self, target, fetch_optional, sqlite, postgres))
    }

    /// In a transaction or for a read only: outside of one, an error of the commit would be lost after the first row.
    pub(in crate::store) async fn fetch_one(self, mut target: impl Target) -> Result<Row> {
        if self.is_write() {
            note_write(&mut target);
        }
        Ok(run!(self, target, fetch_one, Row::Sqlite, Row::Postgres))
    }

    fn sqlite(self) -> SqlxQuery<'static, Sqlite, SqliteArguments> {
        self.record_for_sqlite();
        bound!(self.text, self.values)
    }

    fn record_for_sqlite(&self) {
        #[cfg(feature = "sim")]
        super::recorder::record(|| Statement::Sqlite { text: self.text.to_string() });
    }

    /// All statements in one text, which SQLite runs one after another.
    pub(super) fn joined_for_sqlite(statements: Vec<Self>) -> SqlxQuery<'static, Sqlite, SqliteArguments> {
        let (mut text, mut values) = (String::new(), Vec::new());
        for statement in statements {
            statement.record_for_sqlite();
            let separator = if text.is_empty() { "" } else { ";\n" };
            text.push_str(separator);
            push_renumbered(&mut text, &statement.text, values.len());
            values.extend(statement.values);
        }
        bound!(text, values)
    }

    pub(super) fn is_write(&self) -> bool {
        !self.text.starts_with("SELECT")
    }

    fn postgres(self) -> SqlxQuery<'static, Postgres, PgArguments> {
        let text = self.postgres.unwrap_or(self.text);
        #[cfg(feature = "sim")]
        super::recorder::record(|| Statement::Postgres {
            text: text.to_string(),
            types: self.values.iter().map(Value::postgres_type).collect(),
        });
        bound!(text, self.values.into_iter().map(Value::without_nul))
    }
}

/// Adds a text whose parameters follow `before` others. A parameter in quotes would be changed, too.
fn push_renumbered(text: &mut String, added: &str, before: usize) {
    let mut parts = added.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        text.push('$');
        match number.parse::<usize>() {
            Ok(number) => text.push_str(&(number + before).to_string()),
            Err(_) => text.push_str(number),
        }
        text.push_str(rest);
    }
}

fn note_write(target: &mut impl Target) {
    if let On::Tx(tx) = target.target() {
        tx.note_write();
    }
}

/// A statement whose rows are read as values.
#[derive(Clone, Debug)]
#[must_use]
pub(in crate::store) struct Mapped<T> {
    query: Query,
    read: fn(&Row) -> Result<T>,
}

impl<T> Mapped<T> {
    pub(in crate::store) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.query = self.query.bind(value);
        self
    }

    /// See [`Query::bind_if_some`].
    pub(in crate::store) fn bind_if_some(mut self, value: Option<impl Into<Value>>) -> Self {
        self.query = self.query.bind_if_some(value);
        self
    }

    pub(in crate::store) async fn fetch_all(self, target: impl Target) -> Result<Vec<T>> {
        self.query.fetch_all(target).await?.iter().map(self.read).collect()
    }

    pub(in crate::store) async fn fetch_optional(self, target: impl Target) -> Result<Option<T>> {
        self.query.fetch_optional(target).await?.as_ref().map(self.read).transpose()
    }

    /// See [`Query::fetch_one`].
    pub(in crate::store) async fn fetch_one(self, target: impl Target) -> Result<T> {
        (self.read)(&self.query.fetch_one(target).await?)
    }
}
