//! The daemon follows the file of the key ring.

use super::components::App;
use crate::credentials::agreement::agree;
use crate::credentials::former_keys::load_former_keys;
use crate::credentials::key_check;
use crate::credentials::keyring::KeyringError;
use crate::store::StoreError;
use std::time::Duration;

/// Between two looks at the file.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// After how long former keys are read again: what they signed for browsers is good for a day only.
const RELOAD: Duration = Duration::from_secs(60 * 60);

/// Follows the file of the key ring, and agrees with the other instances on the key that encrypts.
pub(super) struct KeyRingWatch {
    app: App,
    /// The error that was reported last.
    reported: Option<String>,
    /// By the monotonic clock.
    loaded_at: Duration,
}

impl KeyRingWatch {
    pub(super) fn new(app: &App) -> Self {
        Self { app: app.clone(), reported: None, loaded_at: app.clock.monotonic() }
    }

    /// # Errors
    /// Those of the store.
    pub(super) async fn look(&mut self) -> anyhow::Result<()> {
        let has_changed = self.reread().await?;
        let App { store, keyring, clock, .. } = &self.app;
        let is_old = clock.monotonic() - self.loaded_at >= RELOAD;
        if has_changed || is_old {
            load_former_keys(store, keyring, clock.now()).await?;
        }
        if is_old {
            keyring.forget_removed();
            self.loaded_at = clock.monotonic();
        }
        // The others must know which keys this instance has before it agrees with them.
        store.publish_keys(keyring.key_ids(), keyring.sealing_key_id()).await?;
        if agree(store, keyring, clock.now()).await? {
            let key = keyring.sealing_key_id();
            tracing::info!(event = "key_in_use", key, "encrypting with another key of the key ring");
            key_check::leave_canary(store, keyring).await?;
            store.publish_keys(keyring.key_ids(), key).await?;
        }
        Ok(())
    }

    /// Whether the ring has changed.
    async fn reread(&mut self) -> Result<bool, StoreError> {
        let keyring = &self.app.keyring;
        let mut reread = keyring.reread();
        if let Err(KeyringError::OtherRing { key, .. }) = &reread
            && self.app.store.former_keys().await?.iter().any(|former| former.key_id == *key)
        {
            // A whole rotation passed while this process was stopped.
            reread = keyring.leave(key);
        }
        Ok(match reread {
            Ok(has_changed) => {
                self.reported = None;
                if has_changed {
                    let keys = keyring.key_ids().join(", ");
                    tracing::info!(event = "key_ring_changed", keys, "took over the changed key ring");
                }
                has_changed
            }
            Err(error) => {
                let error = error.to_string();
                if self.reported.as_ref() != Some(&error) {
                    tracing::warn!(
                        event = "key_ring_not_reread", %error,
                        "going on with the key ring as it was; correct the file"
                    );
                    self.reported = Some(error);
                }
                false
            }
        })
    }
}

impl App {
    /// Takes over a changed key ring, and agrees with the other instances on the key that encrypts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn follow_key_ring(&self) -> anyhow::Result<()> {
        KeyRingWatch::new(self).look().await
    }
}
