//! Rows that migrations insert into every new database.

use super::super::engine::{Pool, Query, query};
use super::super::error::{Result, StoreError};
use super::super::open::migrations;
use super::digest::TableDigest;
use super::pages::Pages;
use super::table::{Table, quoted};
use sqlx::sqlite::SqlitePoolOptions;

/// What the migrations insert into a table. Both engines insert the same.
pub(super) async fn digest(table: &Table) -> Result<TableDigest> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    migrations().run(&pool).await.map_err(StoreError::Migration)?;
    let pool = Pool::Sqlite(pool);
    let mut digest = TableDigest::default();
    let mut pages = Pages::of(table);
    loop {
        let rows = pages.next(&pool).await?;
        if rows.is_empty() {
            return Ok(digest);
        }
        rows.iter().for_each(|row| digest.add(row));
    }
}

pub(super) fn delete(table: &Table) -> Query {
    query(format!("DELETE FROM {}", quoted(&table.name)))
}
