//! Transactions of PostgreSQL.

use super::urgency::Urgency;
use crate::store::error::{Result, StoreError};
use crate::store::failure::Failure;
use sqlx::{PgPool, Postgres, Transaction};

/// While a person waits, a row that another transaction holds is not waited for any longer than that.
const BEGIN_INTERACTIVE: &str = "BEGIN; SET LOCAL lock_timeout = '3s'";

pub(super) async fn begin(pool: &PgPool, urgency: Urgency) -> Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let begin = async move {
        match urgency {
            Urgency::Interactive => pool.begin_with(BEGIN_INTERACTIVE).await,
            Urgency::Renewal | Urgency::Background => pool.begin().await,
        }
    };
    Ok(to_its_end(begin).await?)
}

/// # Errors
/// Nothing was written, except with [`StoreError::Uncertain`].
pub(super) async fn commit(transaction: Transaction<'static, Postgres>) -> Result<()> {
    to_its_end(transaction.commit()).await.map_err(|error| match Failure::of(&error) {
        Failure::ConnectionLost => StoreError::Uncertain,
        _ => error.into(),
    })
}

/// Runs a step of a transaction in a task, where a caller that goes away does not cut it off: sqlx would return the
/// connection to the pool inside of the transaction.
async fn to_its_end<T: Send + 'static>(
    step: impl Future<Output = sqlx::Result<T>> + Send + 'static,
) -> sqlx::Result<T> {
    tokio::spawn(step).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
