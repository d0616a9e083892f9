//! The numbers that a database gives to new rows by itself. No number is given twice, even if its row was deleted.

use super::super::engine::{Tx, per_engine, query, query_scalar};
use super::super::error::Result;
use super::super::sqlite::Store;
use super::table::Table;

/// The last number; `None` if there was none.
pub(super) async fn read(tx: &mut Tx, table: &Table, column: &str) -> Result<Option<i64>> {
    let of_postgres = format!("SELECT pg_sequence_last_value({})", sequence(table, column));
    let last = if tx.is_on_postgres() {
        query_scalar(of_postgres)
    } else {
        query_scalar("SELECT max(nullif(seq, 0)) FROM sqlite_sequence WHERE name = $1").bind(&table.name)
    };
    last.fetch_one(tx).await
}

pub(super) async fn set(target: &Store, table: &Table, column: &str, last: i64) -> Result<()> {
    let set = per_engine(
        "INSERT INTO sqlite_sequence (seq, name) VALUES ($1, $2)",
        format!("SELECT setval({}, $1) WHERE $2 <> ''", sequence(table, column)),
    );
    let set = set.bind(last).bind(&table.name);
    target
        .write(async |mut tx| {
            if !tx.is_on_postgres() {
                let delete = query("DELETE FROM sqlite_sequence WHERE name = $1").bind(&table.name);
                delete.execute(&mut tx).await?;
            }
            set.clone().execute(&mut tx).await.map(drop)
        })
        .await
}

/// The sequence of PostgreSQL, in SQL.
fn sequence(table: &Table, column: &str) -> String {
    let literal = |text: &str| text.replace('\'', "''");
    format!("pg_get_serial_sequence('\"{}\"', '{}')::regclass", literal(&table.name), literal(column))
}
