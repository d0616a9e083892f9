//! Deletes history that is older than its setting in `[retention]`, in short steps.

mod members;
mod rules;
mod run;
mod table;
mod walk;

pub(crate) use run::PurgeDue;
pub(crate) use table::{PurgedTable, TABLES};
pub(crate) use walk::Place;
