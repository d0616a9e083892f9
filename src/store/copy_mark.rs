//! The mark of a database that takes no work: it is an incomplete copy of another one, or was copied to another one.

use super::engine::{Query, Row, Tx, per_engine, query};
use super::place::Place;
use super::row::RowExt;
use super::{Result, StoreError, millis};
use crate::domain::Time;

/// Why the database takes no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// A copy fills it, or did not end.
    Incomplete,
    Copied,
}

#[derive(Clone, Debug)]
pub struct CopyMark {
    pub state: CopyState,
    /// The database that it is copied from, or was copied to. Without a password.
    pub other: String,
    pub at: Time,
}

pub(super) const SELECT: &str = "SELECT state, other, marked_at FROM copy_mark WHERE id = 1";

impl CopyState {
    const ALL: [Self; 2] = [Self::Incomplete, Self::Copied];

    fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Copied => "copied",
        }
    }
}

impl CopyMark {
    pub(super) fn read(row: Option<Row>) -> Result<Option<Self>> {
        let Some(row) = row else { return Ok(None) };
        let text: String = row.try_get("state")?;
        let state = CopyState::ALL.into_iter().find(|state| state.as_str() == text);
        let state = state.ok_or(StoreError::Value { column: "copy_mark.state", value: text })?;
        Ok(Some(Self { state, other: row.try_get("other")?, at: row.time("marked_at")? }))
    }

    pub(super) fn insert(&self) -> Query {
        query("INSERT INTO copy_mark (id, state, other, marked_at) VALUES (1, $1, $2, $3)")
            .bind(self.state.as_str())
            .bind(&self.other)
            .bind(millis(self.at))
    }

    pub(super) fn refusal(self, place: &Place) -> StoreError {
        let (path, other, at) = (place.to_string(), self.other, self.at);
        match self.state {
            CopyState::Copied => StoreError::Copied { path, other, at },
            CopyState::Incomplete => {
                let remedy = match place {
                    Place::File { .. } => "delete this file",
                    Place::Server(_) => "drop this database and create it again",
                };
                StoreError::IncompleteCopy { path, other, at, remedy }
            }
        }
    }
}

/// Fails if the database takes no work. A copy that begins waits until the unit has ended, and one that runs ends before
/// this returns.
pub(super) async fn verify_unmarked(tx: &mut Tx, place: &Place) -> Result<()> {
    let select = per_engine(SELECT, format!("{SELECT} FOR KEY SHARE"));
    match CopyMark::read(select.fetch_optional(&mut *tx).await?)? {
        Some(mark) => Err(mark.refusal(place)),
        None => Ok(()),
    }
}
