//! The rows of a result.

use crate::store::error::Result;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type, postgres::PgRow, sqlite::SqliteRow};

/// A row of a result.
#[derive(Debug)]
pub(in crate::store) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A type of column that every engine has.
pub(in crate::store) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl Row {
    /// # Errors
    /// There is no such column, or it holds another type.
    pub(in crate::store) fn try_get<T: Column>(&self, column: &str) -> Result<T> {
        self.at(column)
    }

    /// Borrows a text.
    ///
    /// # Errors
    /// There is no such column, or it holds another type.
    pub(in crate::store) fn text_of(&self, column: &str) -> Result<&str> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get(column)?),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Borrows a text; `None` is NULL.
    ///
    /// # Errors
    /// There is no such column, or it holds another type.
    pub(in crate::store) fn optional_text_of(&self, column: &str) -> Result<Option<&str>> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get(column)?),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub(super) fn at<T: Column, I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>>(
        &self,
        index: I,
    ) -> Result<T> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get(index)?),
            Self::Postgres(row) => Ok(row.try_get(index)?),
        }
    }
}

/// Reads the first columns of a row.
pub(in crate::store) trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self>;
}

macro_rules! tuples {
    ($($($name:ident $index:literal),+);+) => {$(
        impl<$($name: Column),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row) -> Result<Self> {
                Ok(($(row.at::<$name, usize>($index)?,)+))
            }
        }
    )+};
}

tuples! {
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5
}
