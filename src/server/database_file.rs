//! Ends the daemon when its database file is deleted or replaced.

use crate::store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct DatabaseFile {
    store: Store,
    replaced: CancellationToken,
}

impl DatabaseFile {
    pub(super) fn new(store: Store) -> Self {
        Self { store, replaced: CancellationToken::new() }
    }

    /// Whether the file is still in its place. If not, the daemon ends.
    pub(super) fn is_in_place(&self) -> bool {
        let Err(error) = self.store.verify_file() else { return true };
        if !self.replaced.is_cancelled() {
            tracing::error!(event = "database_file_replaced", %error, "ending at once");
            self.replaced.cancel();
        }
        false
    }

    /// Waits until [`Self::is_in_place`] has returned `false`.
    pub(super) async fn wait_until_replaced(&self) -> StoreError {
        self.replaced.cancelled().await;
        StoreError::FileReplaced { path: self.store.path().display().to_string() }
    }
}
