//! The catalog of SQLite.

use super::super::copy_error::CopyError;
use super::super::engine::{Tx, query, query_as};
use super::super::error::Result;
use super::table::{Column, Kind, Reference, Table};

pub(super) async fn read(tx: &mut Tx) -> Result<Vec<Table>> {
    let tables: Vec<(String, String)> = query_as(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table'
           AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut read = Vec::new();
    for (name, sql) in tables {
        let is_counted = sql.contains("AUTOINCREMENT");
        read.push(read_table(tx, name, is_counted).await?);
    }
    Ok(read)
}

/// `is_counted`: SQLite counts the values of the primary key.
async fn read_table(tx: &mut Tx, name: String, is_counted: bool) -> Result<Table> {
    let rows =
        query("SELECT name, type, pk FROM pragma_table_info($1)").bind(&name).fetch_all(&mut *tx).await?;
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    for row in rows {
        let column: String = row.try_get("name")?;
        let kind = match row.text_of("type")? {
            "INTEGER" | "BIGINT" => Kind::Integer,
            "REAL" => Kind::Real,
            "TEXT" => Kind::Text,
            "BLOB" => Kind::Bytes,
            other => {
                let what = format!("column {name}.{column} of type {other}");
                return Err(CopyError::Unsupported { what }.into());
            }
        };
        let place: i64 = row.try_get("pk")?;
        if place > 0 {
            key.push((place, column.clone()));
        }
        columns.push(Column { name: column, kind });
    }
    key.sort();
    let key: Vec<String> = key.into_iter().map(|(_, column)| column).collect();
    let references: Vec<(String, String)> =
        query_as("SELECT \"from\", \"table\" FROM pragma_foreign_key_list($1)")
            .bind(&name)
            .fetch_all(&mut *tx)
            .await?;
    let references = references.into_iter().map(|(column, table)| Reference { column, table }).collect();
    let counter = is_counted.then(|| key.first().cloned()).flatten();
    Table::new(name, columns, &key, references, counter)
}
