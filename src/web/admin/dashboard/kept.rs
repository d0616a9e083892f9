//! Costly values: a page shows the last one rather than wait for a new one.

use crate::base::clock::Clock;
use crate::store::{Result, StoreError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a page waits for a new value, if there is an old one.
const WAIT: Duration = Duration::from_millis(100);

/// Clones share the value.
#[derive(Debug)]
pub(super) struct Kept<T> {
    last: Arc<Mutex<Option<Arc<T>>>>,
    wait: Duration,
}

impl<T> Kept<T> {
    pub(super) fn new(clock: &Clock) -> Self {
        // The time of a manual clock stands still while a page waits.
        let wait = if clock.is_system() { WAIT } else { Duration::MAX };
        Self { last: Arc::default(), wait }
    }
}

impl<T: Send + Sync + 'static> Kept<T> {
    /// Computes a value. If that takes too long, it goes on, and the last value is returned.
    ///
    /// # Errors
    /// Those of `compute`.
    pub(super) async fn get(
        &self,
        compute: impl Future<Output = Result<Arc<T>>> + Send + 'static,
    ) -> Result<Arc<T>> {
        let last = self.last.clone();
        let mut task = tokio::spawn(async move {
            let value = compute.await?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
            Ok(value)
        });
        let joined = match tokio::time::timeout(self.wait, &mut task).await {
            Ok(joined) => joined,
            Err(_) => match self.last() {
                Some(value) => return Ok(value),
                None => task.await,
            },
        };
        joined.unwrap_or_else(|error| Err(StoreError::Aborted(error.to_string())))
    }

    fn last(&self) -> Option<Arc<T>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_shows_the_last_value_rather_than_wait_for_a_slow_one() {
        let kept = Kept::new(&Clock::System);
        assert_eq!(*kept.get(async { Ok(Arc::new(1)) }).await.unwrap(), 1);
        let (finish, slow) = tokio::sync::oneshot::channel();
        let compute = async move {
            slow.await.unwrap();
            Ok(Arc::new(2))
        };
        assert_eq!(*kept.get(compute).await.unwrap(), 1);
        finish.send(()).unwrap();
        while kept.last().as_deref() != Some(&2) {
            tokio::task::yield_now().await;
        }
        let failed = kept.get(async { Err(StoreError::Busy) }).await;
        assert!(matches!(failed, Err(StoreError::Busy)));
    }
}
