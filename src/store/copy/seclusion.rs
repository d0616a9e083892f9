//! Keeps everybody else from using a database while it is copied, except to read.

use super::super::copy_error::CopyError;
use super::super::engine::{Tx, query, query_scalar};
use super::super::error::Result;
use super::super::locks::{ExclusiveLock, InstanceLock};
use super::super::millis;
use super::super::sqlite::Store;
use super::table::{Table, quoted};
use crate::domain::Time;

/// The operating system, or the server, ends it with the process.
pub(super) struct Seclusion {
    /// `None` on a server, where the mark keeps daemons away.
    _instance: Option<InstanceLock>,
    _import: ExclusiveLock,
}

impl Seclusion {
    /// Others wait with what they begin to write until the unit ends, and then find the mark.
    ///
    /// # Errors
    /// A daemon or an import uses the database.
    pub(super) async fn begin(store: &Store, tx: &mut Tx, tables: &[Table], now: Time) -> Result<Self> {
        let instance = if tx.is_on_postgres() {
            freeze(tx, tables).await?;
            let oldest = store.oldest_heartbeat(now).await?;
            let live = query_scalar("SELECT instance_id FROM instances WHERE seen_at > $1 LIMIT 1");
            if let Some(instance) = live.bind(millis(oldest)).fetch_optional(&mut *tx).await? {
                return Err(CopyError::InUse { path: store.location(), instance }.into());
            }
            None
        } else {
            Some(store.lock()?)
        };
        // One that was only presumed dead cannot go on: it has to register again, and finds the mark.
        query("DELETE FROM instances").execute(tx).await?;
        Ok(Self { _instance: instance, _import: store.lock_imports().await? })
    }
}

async fn freeze(tx: &mut Tx, tables: &[Table]) -> Result<()> {
    let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
    let names = names.join(", ");
    for statement in [
        "SET LOCAL idle_in_transaction_session_timeout = 0".to_owned(),
        "LOCK TABLE copy_mark, instances IN EXCLUSIVE MODE".to_owned(),
        format!("LOCK TABLE {names} IN SHARE MODE"),
    ] {
        query(statement).execute(&mut *tx).await?;
    }
    Ok(())
}
