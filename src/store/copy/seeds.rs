//! Rows that migrations insert into every new database.

use super::super::engine::{Pool, Query, Readers, query};
use super::super::error::{Result, StoreError};
use super::super::migrations;
use super::digest::TableDigest;
use super::pages::Pages;
use super::table::{Table, quoted};
use sqlx::{Connection, SqliteConnection};

/// What the migrations insert into a table. Both engines insert the same.
pub(super) async fn digest(table: &Table) -> Result<TableDigest> {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await?;
    migrations::for_sqlite().run(&mut connection).await.map_err(StoreError::Migration)?;
    let readers = Readers::alone(connection);
    digest_in(&Pool::Sqlite(readers), table).await
}

async fn digest_in(pool: &Pool, table: &Table) -> Result<TableDigest> {
    let mut digest = TableDigest::default();
    let mut pages = Pages::of(table);
    loop {
        let rows = pages.next(pool).await?;
        if rows.is_empty() {
            return Ok(digest);
        }
        rows.iter().for_each(|row| digest.add(row));
    }
}

pub(super) fn delete(table: &Table) -> Query {
    query(format!("DELETE FROM {}", quoted(&table.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::copy::catalog;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn a_new_database_has_these_rows_and_no_others() {
        let (store, _folder) = new_store().await;
        let tables = store.write(async |mut tx| catalog::read(&mut tx).await).await.unwrap();
        assert!(tables.len() > 25);
        for table in tables {
            let found = digest_in(&store.reader, &table).await.unwrap();
            assert_eq!(found, digest(&table).await.unwrap(), "{}", table.name);
        }
    }
}
