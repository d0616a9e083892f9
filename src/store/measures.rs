//! What the metrics tell about the database.

use super::engine::{per_engine, query, query_scalar};
use super::row::RowExt;
use super::{Result, Store, json_list, time};
use crate::domain::{HoldKind, LapseId, Time};

impl Store {
    /// The kinds of the holds that have not ended.
    pub(crate) async fn active_hold_kinds(&self) -> Result<Vec<HoldKind>> {
        let rows = query("SELECT kind FROM holds WHERE state <> 'ended'").fetch_all(&self.reader).await?;
        rows.iter().map(|row| row.parsed("kind")).collect()
    }

    /// The size of the database in bytes; of SQLite's, without the write-ahead log.
    pub(crate) async fn size(&self) -> Result<u64> {
        let size = per_engine(
            "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
            "SELECT pg_database_size(current_database()) AS bytes",
        );
        let row = size.fetch_one(&self.reader).await?;
        Ok(row.try_get::<i64>("bytes")?.unsigned_abs())
    }

    /// The size of SQLite's write-ahead log in bytes. 0 on a server.
    pub(crate) fn log_size(&self) -> u64 {
        self.place.log().and_then(|log| log.metadata().ok()).map_or(0, |log| log.len())
    }

    /// When each of these lapses opened or, if it broke again, was confirmed to be broken again.
    pub(crate) async fn lapse_openings(&self, lapses: &[&LapseId]) -> Result<Vec<Time>> {
        let ids = json_list(&lapses.iter().map(|id| id.as_str()).collect::<Vec<_>>())?;
        let openings: Vec<i64> = query_scalar(
            "SELECT last_opened_at FROM lapses
             WHERE lapse_id IN (SELECT value FROM json_each($1)) AND last_opened_at IS NOT NULL",
        )
        .bind(ids)
        .fetch_all(&self.reader)
        .await?;
        Ok(openings.into_iter().map(time).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HoldScope;
    use crate::store::NewHold;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn the_size_is_that_of_the_file_and_holds_count_until_they_are_released() {
        let (store, _folder) = new_store().await;
        let file = store.place.file().unwrap().to_owned();
        assert_eq!(store.active_hold_kinds().await.unwrap(), []);
        let new = NewHold { scope: HoldScope::default(), until: None, reason: "a test".into() };
        let hold = store.add_hold(&new, Time::UNIX_EPOCH).await.unwrap().unwrap();
        assert_eq!(store.active_hold_kinds().await.unwrap(), [HoldKind::Operator]);
        store.release_hold(&hold.id, Time::UNIX_EPOCH).await.unwrap();
        assert_eq!(store.active_hold_kinds().await.unwrap(), []);
        let size = store.size().await.unwrap();
        store.close().await;
        assert_eq!(size, file.metadata().unwrap().len());
    }

    #[tokio::test]
    async fn a_lapse_counts_from_its_last_opening_once_it_was_confirmed() {
        let (store, _folder) = new_store().await;
        for insert in [
            "INSERT INTO members (member_id, email, subject, added_at, updated_at) VALUES ('alice', '', '', 1, 1)",
            "INSERT INTO connections (member_id, connection_id, name, is_direct, sync_errors, first_seen_at, changed_at)
             VALUES ('alice', 'epic', '', TRUE, '[]', 1, 1), ('alice', 'cerner', '', TRUE, '[]', 1, 1)",
            "INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations,
                opened_at, last_opened_at)
             VALUES ('open', 'alice', 'epic', 'open', 1, 2, 1, 5), ('new', 'alice', 'cerner', 'suspected', 1, 1, NULL, NULL)",
        ] {
            store.execute(query(insert)).await.unwrap();
        }
        let openings = async |ids: [&str; 2]| {
            let ids = ids.map(LapseId::from);
            store.lapse_openings(&ids.each_ref()).await.unwrap()
        };
        assert_eq!(openings(["open", "new"]).await, [time(5)]);
        assert!(openings(["new", "other"]).await.is_empty());
    }
}
