//! One narrow way to run a statement: a text with values, on a pool or in a unit of work. Nothing above this folder knows
//! which engine runs it.

mod group_commit;
mod health;
mod pool;
mod postgres;
mod readers;
#[cfg(feature = "sim")]
pub(super) mod recorder;
mod row;
mod statement;
mod together;
mod urgency;
mod value;
mod writer;

pub(super) use group_commit::{Connect, GroupCommit};
pub(super) use health::Health;
pub(super) use pool::{Pool, Tx};
pub(super) use postgres::{Server, test};
pub(super) use readers::Readers;
pub(super) use row::Row;
pub(super) use statement::{Query, Target, per_engine, query, query_as, query_scalar};
pub(super) use together::{fetch_together, run_together};
pub(super) use urgency::{Flush, Urgency};
pub(super) use value::Value;
pub(super) use writer::Writer;
