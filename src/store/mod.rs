//! All SQL, one file per table family. The same texts run on SQLite and on PostgreSQL.
//!
//! Reads use a pool, writes use one connection. A read that a write depends on runs within `BEGIN IMMEDIATE` on that
//! connection. No transaction is held across the network. A write that a person waits for fails after a few seconds
//! ([`Store::interactive`]).

mod attempt_results;
mod cancellations;
mod claims;
mod clamp;
mod clock_steps;
mod connections;
mod convert;
mod copy;
mod copy_error;
mod copy_mark;
mod credentials;
mod disconnects;
mod engine;
mod erasure;
mod error;
mod failure;
mod file_identity;
mod handovers;
mod holder;
mod holds;
mod import;
mod import_steps;
mod instances;
mod invitations;
mod json_rows;
mod key_canaries;
mod known_states;
mod lapse_changes;
mod lapses;
#[cfg(test)]
mod link_migration_tests;
mod link_requests;
mod link_rows;
mod links;
mod locks;
mod marks;
mod members;
#[cfg(test)]
mod migration_tests;
mod notices;
mod open;
mod open_error;
mod open_postgres;
mod pauses;
mod place;
mod planned_notices;
mod planning;
mod planning_inputs;
mod poll_result;
#[cfg(feature = "sim")]
pub mod query_plans;
mod queue;
mod rechecks;
mod recoveries;
mod redemptions;
mod refreshes;
mod rescues;
mod resends;
mod response_effects;
mod responses;
mod retries;
mod row;
mod row_locks;
mod session_lock;
mod sign_in_hosts;
mod sqlite;
mod stats;
mod suppressions;
mod sweep_pages;
mod sweeps;
#[cfg(feature = "sim")]
pub mod testing;
mod transitions;
mod unclear;
mod verified;

pub use attempt_results::{AttemptOutcome, AttemptResult};
pub use claims::{Claim, ClaimLimits};
pub(crate) use connections::StoredConnection;
use convert::{count, json_list, millis, time};
pub use copy::{CopiedTable, CopyProgress};
pub use copy_error::CopyError;
pub use copy_mark::{CopyMark, CopyState};
pub(crate) use credentials::{CredentialFailure, StoredCredentials, StoredToken};
pub(crate) use error::Result;
pub use error::StoreError;
pub use handovers::{Handover, HandoverContents, HandoverDecision};
pub use holder::{InstanceCommand, Registration};
pub use holds::{HoldRecord, NewHold, Release};
pub use import::{Import, ImportCounts, ImportRow};
pub use instances::{InstanceRecord, ReleasedLeases, Seen};
pub use link_requests::DomainStats;
pub(crate) use link_requests::{DailyCount, LinkActivity, LinkContext};
pub(crate) use links::RevokedLinks;
pub use locks::InstanceLock;
pub use members::{DueMember, ListedMember};
pub use notices::{Attempt, ListedNotice};
pub use pauses::PauseOutcome;
pub use poll_result::{ApplyReport, PollResult};
pub(crate) use rechecks::{DueRecheck, Purpose};
pub use redemptions::Redemption;
pub use refreshes::RefreshedTokens;
pub(crate) use refreshes::{RefreshBatches, RefreshLease};
pub(crate) use resends::{ResendOutcome, ResendPolicy};
pub(crate) use sqlite::INTERACTIVE_WAIT;
pub use sqlite::Store;
pub(crate) use stats::{Funnel, Stats, SweepRecord};
pub(crate) use suppressions::{ListedSuppression, Subscription};
pub(crate) use sweep_pages::{PageReport, SweepPage, SweepState};
pub use sweeps::SweepProgress;
pub(crate) use sweeps::{OpenSweep, SweepPosition};
pub(crate) use unclear::UnclearMember;
