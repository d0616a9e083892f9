//! The scope of a history, and its entries.

use crate::domain::{ConnectionId, Event, HistoryEntry, MemberId, Time};
use crate::store::Result;
use crate::store::engine::{Query, Row};
use crate::store::row::RowExt;

/// A member's whole history, or the part about one connection.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) member: &'a MemberId,
    pub(super) connection: Option<&'a ConnectionId>,
    /// The newest rows that are read of each table.
    pub(super) limit: u32,
}

impl Scope<'_> {
    /// Binds the member, the connection in lower case (empty: all), and the limit as `$1`, `$2`, and `$3`.
    pub(super) fn bind(&self, query: Query) -> Query {
        let connection = self.connection.map(ConnectionId::folded).unwrap_or_default();
        query.bind(self.member.as_str()).bind(connection).bind(self.limit)
    }

    /// An entry about all connections.
    pub(super) fn entry(&self, at: Time, reason: impl Into<String>, event: Event) -> HistoryEntry {
        HistoryEntry {
            at,
            last_at: at,
            count: 1,
            member_id: self.member.clone(),
            connection_id: None,
            notice_id: None,
            reason: reason.into(),
            event,
        }
    }

    /// An entry about the row's `connection_id` and `notice_id`.
    pub(super) fn entry_of(
        &self,
        row: &Row,
        at: Time,
        reason: impl Into<String>,
        event: Event,
    ) -> Result<HistoryEntry> {
        Ok(HistoryEntry {
            connection_id: row.optional_text("connection_id")?,
            notice_id: row.optional_text("notice_id")?,
            ..self.entry(at, reason, event)
        })
    }
}
