//! What the database holds, in words that a test can compare.

use crate::harness::Harness;
use reconnectd::{
    base::config::DatabaseUrl,
    domain::{CredentialRules, Lapse, MemberId},
    store::{ListedNotice, testing::TestDatabase},
};
use std::path::PathBuf;

impl Harness {
    /// The statuses that a connection has gone through.
    pub(crate) async fn path(&self, member: &str, connection: &str) -> Vec<String> {
        let all = self.app.store.transitions(Some(&member.into()), None, 1000).await.expect("transitions");
        let mut last = None;
        let of_connection = all.into_iter().filter(|seen| seen.connection_id.as_str() == connection);
        of_connection
            .map(|seen| {
                assert_eq!(seen.from, last, "each begins where the one before ended");
                last = Some(seen.to.clone());
                seen.to.as_str().to_owned()
            })
            .collect()
    }

    /// A member's lapses, oldest first.
    pub(crate) async fn lapses(&self, member: &str) -> Vec<Lapse> {
        self.app.store.lapses(Some(&member.into()), None, 1000).await.expect("lapses")
    }

    /// A member's lapses as `epic open` or `epic closed recovered`.
    pub(crate) async fn lapse_states(&self, member: &str) -> Vec<String> {
        let words = |lapse: Lapse| {
            let outcome = lapse.outcome.map_or(String::new(), |outcome| format!(" {}", outcome.as_str()));
            format!("{} {}{outcome}", lapse.connection_id, lapse.state.as_str())
        };
        self.lapses(member).await.into_iter().map(words).collect()
    }

    /// A member's notices, oldest first.
    pub(crate) async fn notices(&self, member: &str) -> Vec<ListedNotice> {
        self.app.store.notices(Some(&member.into()), None, None, 1000).await.expect("notices")
    }

    /// The states of a member's notices.
    pub(crate) async fn notice_states(&self, member: &str) -> Vec<&'static str> {
        self.notices(member).await.iter().map(|notice| notice.notice.state.as_str()).collect()
    }

    /// How the attempts at a member's newest notice ended.
    pub(crate) async fn attempts(&self, member: &str) -> Vec<String> {
        let newest = self.notices(member).await.pop().expect("a notice");
        let attempts = self.app.store.attempts(&newest.notice.id).await.expect("attempts");
        attempts.into_iter().map(|attempt| attempt.outcome.unwrap_or_default()).collect()
    }

    /// How it stands with a member's credential.
    pub(crate) async fn credential(&self, member: &str) -> &'static str {
        let id = MemberId::from(member);
        let listed = self
            .app
            .store
            .list_members(Some(&id), None, 1, &CredentialRules::stored_tokens(), None)
            .await
            .expect("members");
        listed.first().expect("an enrolled member").credential.as_str()
    }

    /// The database's file; `None` on PostgreSQL.
    pub(crate) fn database_file(&self) -> Option<PathBuf> {
        match self.database_url() {
            DatabaseUrl::Sqlite(path) => Some(path),
            DatabaseUrl::Postgres(_) => None,
        }
    }

    /// The rows of the database.
    pub(crate) async fn rows(&self) -> TestDatabase {
        TestDatabase::connect(&self.database_url()).await.expect("the database opens")
    }

    /// Everything that is stored: the files of the database, or the rows as one text.
    pub(crate) async fn stored_bytes(&self) -> Vec<(&'static str, Vec<u8>)> {
        if self.database_file().is_none() {
            return vec![("rows", self.contents().await.join("\n").into_bytes())];
        }
        let read =
            |file| (file, std::fs::read(self.folder.path().join(file)).expect("a file of the database"));
        ["flows.db", "flows.db-wal", "flows.db-shm"].map(read).into()
    }

    /// Every row of every table.
    pub(crate) async fn contents(&self) -> Vec<String> {
        self.rows().await.contents().await.expect("the rows")
    }
}
