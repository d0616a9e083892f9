//! Writes many rows with one statement.

use super::convert::json_list;
use super::engine::{Query, Tx};
use super::error::Result;
use serde::Serialize;

/// Runs a statement with the rows as a JSON list. Does nothing without rows.
pub(super) async fn write_rows<T: Serialize>(
    tx: &mut Tx,
    rows: &[T],
    statement: impl FnOnce(String) -> Query,
) -> Result<()> {
    if !rows.is_empty() {
        statement(json_list(rows)?).execute(tx).await?;
    }
    Ok(())
}
