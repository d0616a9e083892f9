//! The rows of a table, page by page in the order of its key.

use super::super::engine::{Target, Value, query};
use super::super::error::Result;
use super::table::{Table, quoted};

/// The rows of a page together have about this many bytes.
const PAGE_BYTES: usize = 4 << 20;
/// Of the first page.
const FIRST_ROWS: usize = 100;
const MAX_ROWS: usize = 2_000;
/// The most parameters that one statement can have is 32,766 on SQLite.
const MAX_VALUES: usize = 32_000;

pub(super) struct Pages<'a> {
    table: &'a Table,
    columns: String,
    key: String,
    /// The key of the last row of the last page.
    after: Option<Vec<Value>>,
    /// The rows of the next page.
    rows: usize,
}

impl<'a> Pages<'a> {
    pub(super) fn of(table: &'a Table) -> Self {
        let list = |columns: Vec<String>| columns.join(", ");
        Self {
            table,
            columns: list(table.columns.iter().map(|column| column.quoted()).collect()),
            key: list(table.key_columns().map(|column| column.quoted()).collect()),
            after: None,
            rows: FIRST_ROWS,
        }
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self, from: impl Target) -> Result<Vec<Vec<Value>>> {
        let Self { table, columns, key, .. } = self;
        let parameters: Vec<String> = (1..=table.key.len()).map(|number| format!("${number}")).collect();
        let range = match self.after {
            Some(_) => format!("WHERE ({key}) > ({})", parameters.join(", ")),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {columns} FROM {} {range} ORDER BY {key} LIMIT {}",
            quoted(&table.name),
            self.rows
        );
        let select =
            self.after.take().into_iter().flatten().fold(query(sql), |select, value| select.bind(value));
        let mut rows = Vec::new();
        for row in select.fetch_all(from).await? {
            let values: Result<Vec<Value>> = table.columns.iter().map(|column| column.read(&row)).collect();
            rows.push(values?);
        }
        if let Some(last) = rows.last() {
            self.after = Some(table.key_of(last));
            let bytes: usize = rows.iter().flatten().map(Value::size).sum();
            let fitting = PAGE_BYTES / (bytes / rows.len()).max(1);
            self.rows = fitting.clamp(1, MAX_ROWS).min(MAX_VALUES / table.columns.len());
        }
        Ok(rows)
    }
}
