//! Whose history is read, and the entries about it.

use crate::domain::{ConnectionId, Event, HistoryEntry, MemberId, Time};
use crate::store::Result;
use crate::store::engine::Row;
use crate::store::row::RowExt;

/// Whose history is read: a member's, or that of one connection.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) member: &'a MemberId,
    pub(super) connection: Option<&'a ConnectionId>,
    /// The newest rows that are read of each table.
    pub(super) limit: u32,
}

impl Scope<'_> {
    /// The id in lower case, or nothing.
    pub(super) fn folded(&self) -> String {
        self.connection.map(ConnectionId::folded).unwrap_or_default()
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
