//! Reads domain values from rows. Each error names the column.

use super::convert;
use super::engine::Row;
use super::error::{Result, StoreError};
use crate::domain::Time;
use std::str::FromStr;

pub(super) trait RowExt {
    /// An id, or another value that every text is valid for.
    fn text<T: for<'a> From<&'a str>>(&self, column: &'static str) -> Result<T>;

    fn optional_text<T: for<'a> From<&'a str>>(&self, column: &'static str) -> Result<Option<T>>;

    /// A value of an enum.
    fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T>;

    fn optional_parsed<T: FromStr>(&self, column: &'static str) -> Result<Option<T>>;

    fn time(&self, column: &'static str) -> Result<Time>;

    fn optional_time(&self, column: &'static str) -> Result<Option<Time>>;

    /// A small count. Saturates.
    fn count(&self, column: &'static str) -> Result<u32>;

    /// A count of rows.
    fn total(&self, column: &'static str) -> Result<u64>;
}

impl RowExt for Row {
    fn text<T: for<'a> From<&'a str>>(&self, column: &'static str) -> Result<T> {
        Ok(T::from(self.text_of(column)?))
    }

    fn optional_text<T: for<'a> From<&'a str>>(&self, column: &'static str) -> Result<Option<T>> {
        Ok(self.optional_text_of(column)?.map(T::from))
    }

    fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T> {
        parse(self.text_of(column)?, column)
    }

    fn optional_parsed<T: FromStr>(&self, column: &'static str) -> Result<Option<T>> {
        self.optional_text_of(column)?.map(|text| parse(text, column)).transpose()
    }

    fn time(&self, column: &'static str) -> Result<Time> {
        Ok(convert::time(self.try_get(column)?))
    }

    fn optional_time(&self, column: &'static str) -> Result<Option<Time>> {
        Ok(self.try_get::<Option<i64>>(column)?.map(convert::time))
    }

    fn count(&self, column: &'static str) -> Result<u32> {
        Ok(convert::count(self.try_get(column)?))
    }

    fn total(&self, column: &'static str) -> Result<u64> {
        Ok(self.try_get::<i64>(column)?.unsigned_abs())
    }
}

fn parse<T: FromStr>(text: &str, column: &'static str) -> Result<T> {
    text.parse().map_err(|_| StoreError::Value { column, value: text.to_owned() })
}
