//! What was decided about a member, with the reasons.

use super::next_email;
use super::sentences::sentence;
use crate::base::clock::Clock;
use crate::domain::{ConnectionId, HistoryEntry, MemberId, NoticeId, Time};
use crate::notify::plan::Policy;
use crate::store::{History, Store, StoreError};
use std::sync::Arc;

#[derive(Clone)]
pub struct Explainer {
    store: Store,
    policy: Arc<Policy>,
    clock: Clock,
}

#[derive(Debug)]
pub enum Explanation {
    NoSuchMember,
    NoSuchConnection,
    Found {
        /// Oldest first.
        decisions: Vec<Explained>,
        /// Whether there are older ones.
        is_cut: bool,
    },
}

/// One decision, or something else that matters to one.
#[derive(Clone, Debug)]
pub struct Explained {
    pub(crate) at: Time,
    /// When it was last decided in the same way.
    pub(crate) last_at: Time,
    /// How often it was decided in a row.
    pub count: u64,
    pub(crate) member_id: MemberId,
    pub connection_id: Option<ConnectionId>,
    pub notice_id: Option<NoticeId>,
    pub what: &'static str,
    pub reason: String,
    pub text: String,
}

impl From<HistoryEntry> for Explained {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            text: sentence(&entry),
            what: entry.event.kind().as_str(),
            at: entry.at,
            last_at: entry.last_at,
            count: entry.count,
            member_id: entry.member_id,
            connection_id: entry.connection_id,
            notice_id: entry.notice_id,
            reason: entry.reason,
        }
    }
}

impl Explainer {
    pub(crate) fn new(store: Store, policy: Arc<Policy>, clock: Clock) -> Self {
        Self { store, policy, clock }
    }

    /// The newest `limit` decisions about a member, or about one of its connections.
    pub async fn why(
        &self,
        member: &MemberId,
        connection: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Explanation, StoreError> {
        Ok(match self.store.history(member, connection, limit).await? {
            History::NoSuchMember => Explanation::NoSuchMember,
            History::NoSuchConnection => Explanation::NoSuchConnection,
            History::Entries { entries, is_cut } => {
                Explanation::Found { decisions: entries.into_iter().map(Explained::from).collect(), is_cut }
            }
        })
    }

    /// When the next email to a member comes, or why none will: the end of a sentence. Only about one connection, if one is
    /// given.
    pub async fn next_email(
        &self,
        member: &MemberId,
        connection: Option<&ConnectionId>,
    ) -> Result<String, StoreError> {
        let now = self.clock.now();
        next_email::next_email(&self.store, &self.policy, member, connection, now).await
    }
}
