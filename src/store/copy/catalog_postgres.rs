//! The catalog of PostgreSQL.

use super::super::copy_error::CopyError;
use super::super::engine::{Tx, query, query_as};
use super::super::error::Result;
use super::table::{Column, Kind, Reference, Table};
use std::collections::BTreeMap;

/// What the catalog says of one table.
#[derive(Default)]
struct Parts {
    columns: Vec<Column>,
    key: Vec<String>,
    references: Vec<Reference>,
    counter: Option<String>,
}

pub(super) async fn read(tx: &mut Tx) -> Result<Vec<Table>> {
    let mut tables = BTreeMap::<String, Parts>::new();
    let columns = query(
        "SELECT c.table_name::text AS table, c.column_name::text AS name, c.data_type::text AS type,
            c.is_identity = 'YES' AS is_counted
         FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
         WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name NOT LIKE '\\_%'",
    );
    for row in columns.fetch_all(&mut *tx).await? {
        let (table, name): (String, String) = (row.try_get("table")?, row.try_get("name")?);
        let kind = match row.text_of("type")? {
            "bigint" => Kind::Integer,
            "double precision" => Kind::Real,
            "text" => Kind::Text,
            "bytea" => Kind::Bytes,
            "boolean" => Kind::Flag,
            other => {
                let what = format!("column {table}.{name} of type {other}");
                return Err(CopyError::Unsupported { what }.into());
            }
        };
        let table = tables.entry(table).or_default();
        if row.try_get("is_counted")? {
            table.counter = Some(name.clone());
        }
        table.columns.push(Column { name, kind });
    }
    let constraints: Vec<(String, String, String, String)> = query_as(
        "SELECT t.relname::text, o.contype::text, a.attname::text, coalesce(f.relname::text, '')
         FROM pg_constraint o CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY k (number, place)
         JOIN pg_class t ON t.oid = o.conrelid
         JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number
         LEFT JOIN pg_class f ON f.oid = o.confrelid
         WHERE t.relnamespace = current_schema()::regnamespace AND o.contype IN ('p', 'f') ORDER BY o.oid, k.place",
    )
    .fetch_all(&mut *tx)
    .await?;
    for (table, constraint, column, to) in constraints {
        let Some(table) = tables.get_mut(&table) else { continue };
        match constraint.as_str() {
            "p" => table.key.push(column),
            _ => table.references.push(Reference { column, table: to }),
        }
    }
    let tables = tables.into_iter().map(|(name, parts)| {
        let Parts { columns, key, references, counter } = parts;
        Table::new(name, columns, &key, references, counter)
    });
    tables.collect()
}
