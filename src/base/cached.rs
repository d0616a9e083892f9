//! Values that can be costly to compute, such as counts of the whole fleet.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A value that took less time is computed for each reader.
const CHEAP: Duration = Duration::from_millis(250);
/// A costly value is used for so many times the time that it took. So its computation takes at most 2 % of the time.
const USES: u32 = 50;

/// The last value, and one computation at a time. Clones share it.
#[derive(Debug)]
pub(crate) struct Cached<T>(Arc<Mutex<Option<Computed<T>>>>);

#[derive(Debug)]
struct Computed<T> {
    value: Arc<T>,
    at: Instant,
    cost: Duration,
}

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Cached<T> {
    /// Returns the last value while it may be used, or else computes one.
    ///
    /// # Errors
    /// Those of `compute`. The next reader computes again.
    pub(crate) async fn get<E>(&self, compute: impl AsyncFnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut last = self.0.lock().await;
        if let Some(computed) = last.as_ref().filter(|computed| computed.is_usable(Instant::now())) {
            return Ok(computed.value.clone());
        }
        let started = Instant::now();
        let value = Arc::new(compute().await?);
        let at = Instant::now();
        *last = Some(Computed { value: value.clone(), at, cost: at - started });
        Ok(value)
    }
}

impl<T> Computed<T> {
    fn is_usable(&self, now: Instant) -> bool {
        self.cost >= CHEAP && now.saturating_duration_since(self.at) < self.cost * USES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn only_a_costly_value_is_used_again_and_not_for_long() {
        let now = Instant::now();
        let is_usable = |cost, age| {
            let computed = Computed { value: Arc::new(()), at: now, cost: Duration::from_millis(cost) };
            computed.is_usable(now + Duration::from_millis(age))
        };
        assert!(!is_usable(249, 0));
        assert!(is_usable(1000, 49_999));
        assert!(!is_usable(1000, 50_000));
    }

    #[tokio::test]
    async fn a_failed_computation_leaves_no_value() {
        let cached = Cached::default();
        assert_eq!(cached.get(async || Err::<u8, _>("failed")).await, Err("failed"));
        assert_eq!(cached.get(async || Ok::<_, Infallible>(1)).await, Ok(Arc::new(1)));
        assert_eq!(cached.get(async || Ok::<_, Infallible>(2)).await, Ok(Arc::new(2)));
    }
}
