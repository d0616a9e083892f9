//! Writes rows.

use super::super::copy_error::CopyError;
use super::super::engine::{Query, Value, per_engine};
use super::super::error::{Result, StoreError};
use super::super::sqlite::Store;
use super::table::{Table, quoted};
use std::fmt::Write as _;

/// Inserts the rows without their references to other rows of the same table, which may not be there yet.
pub(super) async fn insert(target: &Store, table: &Table, rows: Vec<Vec<Value>>) -> Result<()> {
    let columns: Vec<String> = table.columns.iter().map(|column| column.quoted()).collect();
    let into = format!("INSERT INTO {} ({})", quoted(&table.name), columns.join(", "));
    let [sqlite, postgres] = values(rows.len(), columns.len());
    let mut insert = per_engine(format!("{into} {sqlite}"), format!("{into} {postgres}"));
    for row in rows {
        for (place, value) in row.into_iter().enumerate() {
            let column = &table.columns[place];
            insert = insert.bind(if table.self_references.contains(&place) {
                column.null()
            } else {
                column.convert(value, &table.name)?
            });
        }
    }
    write(target, table, insert).await
}

/// Adds the references that [`insert`] left out.
pub(super) async fn add_self_references(target: &Store, table: &Table, rows: &[Vec<Value>]) -> Result<()> {
    let has_reference = |row: &&Vec<Value>| table.self_references.iter().any(|place| !row[*place].is_null());
    let rows: Vec<_> = rows.iter().filter(has_reference).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let places = || table.key.iter().chain(&table.self_references).copied();
    // VALUES names its columns in the same way on both engines.
    let term = |(number, place): (usize, usize)| {
        format!("{} = v.column{}", table.columns[place].quoted(), number + 1)
    };
    let terms: Vec<String> = places().enumerate().map(term).collect();
    let (key, references) = terms.split_at(table.key.len());
    let name = quoted(&table.name);
    let key: Vec<String> = key.iter().map(|term| format!("{name}.{term}")).collect();
    let (key, references) = (key.join(" AND "), references.join(", "));
    let [sqlite, postgres] = values(rows.len(), terms.len())
        .map(|values| format!("WITH v AS ({values}) UPDATE {name} SET {references} FROM v WHERE {key}"));
    let mut update = per_engine(sqlite, postgres);
    for row in rows {
        for place in places() {
            update = update.bind(table.columns[place].convert(row[place].clone(), &table.name)?);
        }
    }
    write(target, table, update).await
}

/// `VALUES (?, ?), (?, ?)` for SQLite, which would search each `$3` among all others, and the same with `$1`, … for PostgreSQL.
fn values(rows: usize, columns: usize) -> [String; 2] {
    let (mut sqlite, mut postgres) = ("VALUES ".to_owned(), "VALUES ".to_owned());
    for place in 0..rows * columns {
        let before = match place {
            0 => "(",
            _ if place % columns == 0 => "), (",
            _ => ", ",
        };
        sqlite.push_str(before);
        sqlite.push('?');
        let _ = write!(postgres, "{before}${}", place + 1);
    }
    [sqlite, postgres].map(|values| values + ")")
}

async fn write(target: &Store, table: &Table, statement: Query) -> Result<()> {
    match target.execute(statement).await {
        Ok(_) => Ok(()),
        Err(StoreError::Database(error)) => {
            Err(CopyError::Write { table: table.name.clone(), reason: error.to_string() }.into())
        }
        Err(error) => Err(error),
    }
}
