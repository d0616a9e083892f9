//! What the database holds, in words that a test can compare.

use crate::harness::Harness;
use reconnectd::{
    domain::{Lapse, MemberId},
    store::ListedNotice,
};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
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
        let listed = self.app.store.list_members(Some(&id), None, 1, true, None).await.expect("members");
        listed.first().expect("an enrolled member").credential.as_str()
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("flows.db")
    }

    /// A connection of the test's own to the database.
    pub(crate) async fn sql(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.database());
        options.connect().await.expect("the database opens")
    }

    /// The tables of the database.
    pub(crate) async fn tables(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
        )
        .fetch_all(&mut self.sql().await)
        .await
        .expect("the tables")
    }

    /// Every row of every table.
    pub(crate) async fn contents(&self) -> Vec<String> {
        let mut sql = self.sql().await;
        let mut contents = Vec::new();
        for table in self.tables().await {
            let columns: Vec<String> =
                sqlx::query_scalar("SELECT 'quote(' || name || ')' FROM pragma_table_info($1)")
                    .bind(&table)
                    .fetch_all(&mut sql)
                    .await
                    .expect("the columns");
            let rows =
                format!("SELECT '{table}: ' || {} FROM {table} ORDER BY 1", columns.join(" || ', ' || "));
            let rows = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut sql).await;
            contents.extend(rows.expect("the rows"));
        }
        contents
    }
}
