//! What happened to a member: the rows of many tables as one list.

mod emails;
mod lapses;
mod member;
mod scope;
#[cfg(test)]
mod tests;

use super::engine::query_scalar;
use super::{Result, Store};
use crate::domain::{ConnectionId, HistoryEntry, MemberId};
use scope::Scope;

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
        if !self.is_or_was_member(member).await? {
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

    /// Also of a removed member.
    pub async fn is_or_was_member(&self, member: &MemberId) -> Result<bool> {
        query_scalar("SELECT EXISTS (SELECT 1 FROM members WHERE member_id = $1)")
            .bind(member.as_str())
            .fetch_one(&self.reader)
            .await
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
