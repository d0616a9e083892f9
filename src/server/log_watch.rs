//! Watches SQLite's write-ahead log. It grows while somebody reads from an old state, such as a forgotten `sqlite3` session.

use crate::store::{Store, StoreError};

/// Usually, the log has a few megabytes.
const LARGE: u64 = 256 * 1024 * 1024;

pub(super) struct LogWatch {
    store: Store,
    large: u64,
    is_reported: bool,
}

impl LogWatch {
    pub(super) fn new(store: Store) -> Self {
        Self { store, large: LARGE, is_reported: false }
    }

    /// Reports a large log once, and empties it when nobody reads from an old state anymore.
    pub(super) async fn look(&mut self) -> Result<(), StoreError> {
        let bytes = self.store.log_size();
        if bytes < self.large && !self.is_reported {
            return Ok(());
        }
        if self.store.truncate_log().await? {
            if std::mem::take(&mut self.is_reported) {
                tracing::info!(
                    event = "write_ahead_log_emptied",
                    bytes,
                    "the write-ahead log is small again"
                );
            }
        } else if !std::mem::replace(&mut self.is_reported, true) {
            tracing::warn!(
                event = "write_ahead_log_large",
                bytes,
                "the write-ahead log grows, because a program has read from the database for long; end it"
            );
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::base::telemetry::LogCapture;
    use crate::store::testing::TestDatabase;

    #[tokio::test]
    async fn a_log_that_a_reader_lets_grow_is_reported_once_and_emptied_when_the_reader_ends() {
        let log = LogCapture::start();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let store = Store::open(&format!("sqlite://{}", path.display()).parse().unwrap()).await.unwrap();
        let mut watch = LogWatch { store: store.clone(), large: 100_000, is_reported: false };
        let mut reader = TestDatabase::open(&path).await.unwrap();
        reader.run("BEGIN; SELECT count(*) FROM members").await.unwrap();
        while store.log_size() < 100_000 {
            store.probe_write().await.unwrap();
        }
        let reports = |event: &str| log.text().matches(&format!("event=\"{event}\"")).count();
        for _ in 0..2 {
            watch.look().await.unwrap();
            assert_eq!((reports("write_ahead_log_large"), reports("write_ahead_log_emptied")), (1, 0));
        }
        assert!(store.log_size() >= 100_000);
        reader.run("COMMIT").await.unwrap();
        for _ in 0..2 {
            watch.look().await.unwrap();
            assert_eq!((reports("write_ahead_log_large"), reports("write_ahead_log_emptied")), (1, 1));
        }
        assert_eq!(store.log_size(), 0);
    }
}
