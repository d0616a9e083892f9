//! A table, from the catalog of its database.

use super::super::copy_error::CopyError;
use super::super::engine::{Row, Value};
use super::super::error::Result;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(in crate::store) struct Table {
    pub(super) name: String,
    /// Ordered by their names, so that they have the same places on both engines.
    pub(super) columns: Vec<Column>,
    /// The places of the columns of the primary key.
    pub(super) key: Vec<usize>,
    /// The tables that must be filled first.
    pub(super) parents: BTreeSet<String>,
    /// The places of the columns that refer to other rows of this table.
    pub(super) self_references: BTreeSet<usize>,
    /// The column whose values the database counts.
    pub(super) counter: Option<String>,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Integer,
    Real,
    Text,
    Bytes,
    /// PostgreSQL only. SQLite has an integer, 0 or 1.
    Flag,
}

/// A foreign key that goes to another row.
#[derive(Debug)]
pub(in crate::store) struct Reference {
    pub(super) column: String,
    pub(super) table: String,
}

impl Table {
    /// `key`: the names of its columns, in order.
    pub(super) fn new(
        name: String,
        mut columns: Vec<Column>,
        key: &[String],
        references: Vec<Reference>,
        counter: Option<String>,
    ) -> Result<Self> {
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        let place = |name: &String| columns.iter().position(|column| column.name == *name);
        let key: Vec<usize> = key.iter().filter_map(place).collect();
        if key.is_empty() {
            return Err(CopyError::Unsupported { what: format!("table {name} without a primary key") }.into());
        }
        let (own, others): (Vec<_>, Vec<_>) =
            references.into_iter().partition(|reference| reference.table == name);
        let self_references = own.iter().filter_map(|reference| place(&reference.column)).collect();
        let parents = others.into_iter().map(|reference| reference.table).collect();
        Ok(Self { name, columns, key, parents, self_references, counter })
    }

    /// The key of a row.
    pub(super) fn key_of(&self, row: &[Value]) -> Vec<Value> {
        self.key.iter().map(|place| row[*place].clone()).collect()
    }

    pub(super) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().map(|place| &self.columns[*place])
    }

    /// What must be the same on both sides.
    pub(super) fn shape(&self) -> (&str, Vec<(&str, Kind)>, Vec<&str>) {
        let columns = self.columns.iter().map(|column| (column.name.as_str(), column.kind.stored()));
        (&self.name, columns.collect(), self.key_columns().map(|column| column.name.as_str()).collect())
    }
}

impl Column {
    /// In SQL.
    pub(super) fn quoted(&self) -> String {
        quoted(&self.name)
    }

    pub(super) fn read(&self, row: &Row) -> Result<Value> {
        let name = self.name.as_str();
        Ok(match self.kind {
            Kind::Integer => Value::Integer(row.try_get(name)?),
            Kind::Real => Value::Real(row.try_get(name)?),
            Kind::Text => Value::Text(row.try_get(name)?),
            Kind::Bytes => Value::Bytes(row.try_get(name)?),
            Kind::Flag => Value::Bool(row.try_get(name)?),
        })
    }

    /// The value in the type of this column.
    pub(super) fn convert(&self, value: Value, table: &str) -> Result<Value> {
        Ok(match (self.kind, value) {
            (Kind::Flag, Value::Integer(None)) => Value::Bool(None),
            (Kind::Flag, Value::Integer(Some(number @ 0..=1))) => Value::Bool(Some(number == 1)),
            (Kind::Flag, Value::Integer(Some(number))) => {
                let column = format!("{table}.{}", self.name);
                return Err(CopyError::Value { column, value: number.to_string() }.into());
            }
            (Kind::Integer, Value::Bool(flag)) => Value::Integer(flag.map(i64::from)),
            (_, value) => value,
        })
    }

    /// NULL in the type of this column.
    pub(super) fn null(&self) -> Value {
        match self.kind {
            Kind::Integer => Value::Integer(None),
            Kind::Real => Value::Real(None),
            Kind::Text => Value::Text(None),
            Kind::Bytes => Value::Bytes(None),
            Kind::Flag => Value::Bool(None),
        }
    }
}

impl Kind {
    /// The kind that both engines have.
    fn stored(self) -> Self {
        if self == Self::Flag { Self::Integer } else { self }
    }
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
