//! A statement: a text, the values of its parameters `$1`, `$2`, …, and how to read the result.

use super::pool::{Pool, Tx, Work};
use super::row::{Column, FromRow, Row};
use super::value::Value;
use crate::store::error::Result;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, query::Query as SqlxQuery};
use std::borrow::Cow;

/// A statement whose result has rows.
#[derive(Clone, Debug)]
#[must_use]
pub(in crate::store) struct Query {
    text: Cow<'static, str>,
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
    let text = text.into();
    #[cfg(feature = "sim")]
    super::recorder::record(&text);
    Query { text, values: Vec::new() }
}

/// A statement whose rows have one column.
pub(in crate::store) fn query_scalar<T: Column>(text: impl Into<Cow<'static, str>>) -> Mapped<T> {
    Mapped { query: query(text), read: |row| row.at(0) }
}

/// A statement whose rows are tuples.
pub(in crate::store) fn query_as<T: FromRow>(text: impl Into<Cow<'static, str>>) -> Mapped<T> {
    Mapped { query: query(text), read: T::from_row }
}

/// Runs `$method` of sqlx on the engine of the target.
macro_rules! run {
    ($self:ident, $target:ident, $method:ident) => {
        match $target.target() {
            On::Pool(Pool::Sqlite(pool)) => $self.sqlite().$method(pool).await?,
            On::Tx(tx) => match tx.work() {
                Work::Sqlite(turn) => $self.sqlite().$method(&mut **turn).await?,
            },
        }
    };
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
        let changes = Changes(run!(self, target, execute).rows_affected());
        if changes.0 > 0 {
            note_write(&mut target);
        }
        Ok(changes)
    }

    pub(in crate::store) async fn fetch_all(self, mut target: impl Target) -> Result<Vec<Row>> {
        if !self.text.starts_with("SELECT") {
            note_write(&mut target);
        }
        Ok(run!(self, target, fetch_all).into_iter().map(Row::Sqlite).collect())
    }

    pub(in crate::store) async fn fetch_optional(self, mut target: impl Target) -> Result<Option<Row>> {
        if !self.text.starts_with("SELECT") {
            note_write(&mut target);
        }
        Ok(run!(self, target, fetch_optional).map(Row::Sqlite))
    }

    /// In a transaction or for a read only: outside of one, an error of the commit would be lost after the first row.
    pub(in crate::store) async fn fetch_one(self, mut target: impl Target) -> Result<Row> {
        if !self.text.starts_with("SELECT") {
            note_write(&mut target);
        }
        Ok(Row::Sqlite(run!(self, target, fetch_one)))
    }

    fn sqlite(self) -> SqlxQuery<'static, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text.into_owned()));
        for value in self.values {
            query = match value {
                Value::Integer(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
                Value::Bool(value) => query.bind(value),
            };
        }
        query
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
