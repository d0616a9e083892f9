//! What happened to a member: the rows of many tables as one list.

mod emails;
mod lapses;
mod member;

use super::engine::{Row, query_scalar};
use super::row::RowExt;
use super::{Result, Store};
use crate::domain::{ConnectionId, Event, HistoryEntry, MemberId, Time};

/// Whose history is read: a member's, or that of one connection.
#[derive(Clone, Copy)]
struct Scope<'a> {
    member: &'a MemberId,
    connection: Option<&'a ConnectionId>,
    /// The newest rows that are read of each table.
    limit: u32,
}

#[derive(Debug)]
pub(crate) enum History {
    NoSuchMember,
    NoSuchConnection,
    /// Oldest first.
    Entries {
        entries: Vec<HistoryEntry>,
        /// Whether there are older ones.
        is_cut: bool,
    },
}

impl Store {
    /// The newest `limit` entries about a member, or about one of its connections. Reads at most as many rows of each table, so
    /// that no history is too long for the memory. A removed member has a history, too.
    pub(crate) async fn history(
        &self,
        member: &MemberId,
        connection: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<History> {
        let is_known: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM members WHERE member_id = $1)")
            .bind(member.as_str())
            .fetch_one(&self.reader)
            .await?;
        if !is_known {
            return Ok(History::NoSuchMember);
        }
        if let Some(connection) = connection
            && !self.is_connection(member, connection).await?
        {
            return Ok(History::NoSuchConnection);
        }
        let scope = Scope { member, connection, limit: limit.saturating_add(1) };
        let mut entries = self.orders_about(scope).await?;
        entries.extend(self.transitions_of(scope).await?);
        entries.extend(self.lapses_of(scope).await?);
        entries.extend(self.decisions_about(scope).await?);
        entries.extend(self.deliveries_to(scope).await?);
        entries.extend(self.link_uses(scope).await?);
        // Entries of the same instant stay in the order of the tables.
        entries.sort_by_key(|entry| entry.at);
        let limit = limit as usize;
        let is_cut = entries.len() > limit;
        entries.drain(..entries.len().saturating_sub(limit));
        Ok(History::Entries { entries, is_cut })
    }

    /// Whether the gateway has ever listed the connection, or an invitation names it.
    async fn is_connection(&self, member: &MemberId, connection: &ConnectionId) -> Result<bool> {
        query_scalar(
            "SELECT EXISTS (SELECT 1 FROM connections WHERE member_id = $1 AND lower(connection_id) = $2)
                OR EXISTS (SELECT 1 FROM invitations WHERE member_id = $1 AND lower(connection_id) = $2)",
        )
        .bind(member.as_str())
        .bind(connection.folded())
        .fetch_one(&self.reader)
        .await
    }
}

impl Scope<'_> {
    /// The id in lower case, or nothing.
    fn folded(&self) -> String {
        self.connection.map(ConnectionId::folded).unwrap_or_default()
    }

    /// An entry about all connections.
    fn entry(&self, at: Time, reason: impl Into<String>, event: Event) -> HistoryEntry {
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
    fn entry_of(&self, row: &Row, at: Time, reason: impl Into<String>, event: Event) -> Result<HistoryEntry> {
        Ok(HistoryEntry {
            connection_id: row.optional_text("connection_id")?,
            notice_id: row.optional_text("notice_id")?,
            ..self.entry(at, reason, event)
        })
    }
}
