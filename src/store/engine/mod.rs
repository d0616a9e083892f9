//! One narrow way to run a statement: a text with values, on a pool or in a transaction. Nothing above this folder knows
//! which engine runs it.

mod pool;
mod row;
mod statement;
mod value;

pub(super) use pool::{Pool, Tx};
pub(super) use row::Row;
pub(super) use statement::{query, query_as, query_scalar};
