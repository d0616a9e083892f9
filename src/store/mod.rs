//! The one place that knows SQL: a file per table family.
//!
//! Reads go to a pool of readers, writes to one connection. A read on which a write depends is made within
//! `BEGIN IMMEDIATE` on that connection; no transaction is ever held across the network.

mod clamp;
mod clock_steps;
mod connections;
mod credentials;
mod fleet;
mod import;
mod invitations;
mod lapses;
#[cfg(test)]
mod link_migration_tests;
mod link_requests;
mod links;
mod members;
mod notices;
mod observations;
mod partings;
mod planning;
mod queue;
mod rechecks;
mod recoveries;
mod redemptions;
mod resends;
mod retries;
mod sqlite;
mod suppressions;
mod sweeps;
mod transitions;
mod unclear;
mod verified;

pub(crate) use connections::StoredConnection;
pub(crate) use credentials::{
    CredentialFailure, RefreshLease, RefreshedTokens, StoredCredentials, StoredToken,
};
pub(crate) use fleet::{Fleet, Funnel, SweepReport};
pub use import::{Import, ImportCounts};
pub use link_requests::DomainStats;
pub(crate) use link_requests::{DailyCount, LinkActivity, LinkContext};
pub use members::{DueMember, ListedMember};
pub use notices::{Attempt, ListedNotice};
pub use observations::{Answer, Applied};
pub use queue::{AttemptOutcome, AttemptResult, Claim};
pub(crate) use rechecks::{DueRecheck, Purpose};
pub(crate) use redemptions::Redemption;
pub(crate) use resends::ResendPolicy;
pub(crate) use sqlite::{InstanceLock, Store};
pub(crate) use suppressions::{ListedSuppression, Subscription};
pub(crate) use sweeps::{OpenSweep, SweepEnd, SweepPosition, SweepProgress};
pub(crate) use unclear::UnclearMember;

use crate::domain::Time;

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database file cannot be opened or made.
    #[error("database.url: cannot open {path}: {reason}")]
    Open {
        /// The file.
        path: String,
        /// What to know and to do.
        reason: String,
    },
    /// Another daemon works on this database.
    #[error(
        "another reconnectd (process {holder}) is running on {path}; stop it first, or give this one its own database"
    )]
    Locked {
        /// The database.
        path: String,
        /// The other's process id, as it wrote it down.
        holder: String,
    },
    /// The database was made by another version.
    #[error("the database's tables do not fit this version: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row that this version cannot read.
    #[error("{table}: the row of {row} cannot be read: {what}")]
    Row {
        /// The table.
        table: &'static str,
        /// Its key.
        row: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Anything the database itself refuses.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// A result of the store's.
pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

/// An instant as it is kept: milliseconds since the Unix epoch.
fn millis(time: Time) -> i64 {
    time.timestamp_millis()
}

/// Reads what [`millis`] wrote. Beyond what a calendar can say there is only the beginning of time.
fn time(millis: i64) -> Time {
    Time::from_timestamp_millis(millis).unwrap_or(Time::UNIX_EPOCH)
}

/// A count as the domain has it.
fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

/// A JSON array, for statements that take a list as one parameter.
fn json_list<T: serde::Serialize>(items: &[T]) -> Result<String> {
    serde_json::to_string(items).map_err(|error| StoreError::Database(sqlx::Error::Encode(error.into())))
}
