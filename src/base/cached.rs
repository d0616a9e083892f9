//! Values that can be costly to compute, such as counts of the whole fleet.

use super::clock::Clock;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A value that took less time is computed for each reader.
const CHEAP: Duration = Duration::from_millis(250);
/// A costly value is used for so many times the time that it took. So its computation takes at most 1 % of the time.
const USES: u32 = 100;
/// How long a reader waits for a new value, if there is an older one.
const WAIT: Duration = Duration::from_millis(100);

/// The last value, and one computation at a time. Clones share it.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    slot: Arc<Slot<T>>,
    /// Under a manual clock, a computation takes no time, so each reader gets a new value.
    clock: Clock,
}

#[derive(Debug)]
struct Slot<T> {
    last: Mutex<Option<Computed<T>>>,
    computing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Computed<T> {
    value: Arc<T>,
    /// By the monotonic clock.
    at: Duration,
    cost: Duration,
}

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self { slot: self.slot.clone(), clock: self.clock.clone() }
    }
}

impl<T> Cached<T> {
    pub(crate) fn new(clock: &Clock) -> Self {
        let slot = Slot { last: Mutex::default(), computing: tokio::sync::Mutex::default() };
        Self { slot: Arc::new(slot), clock: clock.clone() }
    }

    /// The last value, if it was costly and `may_be_used`.
    fn costly(&self, may_be_used: impl FnOnce(&Computed<T>) -> bool) -> Option<Arc<T>> {
        let last = self.slot.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref().filter(|last| last.cost >= CHEAP && may_be_used(last));
        last.map(|last| last.value.clone())
    }

    fn usable(&self) -> Option<Arc<T>> {
        self.costly(|last| last.is_usable(self.clock.monotonic()))
    }
}

impl<T: Send + Sync + 'static> Cached<T> {
    /// Returns the last value while it may be used, or else computes one. If there is an older value, and the computation
    /// takes too long, it goes on without the reader, who gets the older one.
    ///
    /// # Errors
    /// Those of `compute`. The next reader computes again.
    pub(crate) async fn get<E: Display + Send + 'static>(
        &self,
        compute: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<Arc<T>, E> {
        let Some(older) = self.costly(|_| true) else { return self.refresh(compute).await };
        if let Some(value) = self.usable() {
            return Ok(value);
        }
        let (result, computed) = oneshot::channel();
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(Err(error)) = result.send(this.refresh(compute).await) {
                tracing::warn!(event = "report_failed", %error, "cannot renew a report");
            }
        });
        match timeout(WAIT, computed).await {
            Ok(Ok(computed)) => computed,
            // It takes too long, or it panicked, which is logged.
            Err(_) | Ok(Err(_)) => Ok(older),
        }
    }

    /// Returns the last value while it may be used, or else computes one and waits for it.
    ///
    /// # Errors
    /// Those of `compute`.
    pub(crate) async fn refresh<E>(&self, compute: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        let _computing = self.slot.computing.lock().await;
        if let Some(value) = self.usable() {
            return Ok(value);
        }
        let started = self.clock.monotonic();
        let value = Arc::new(compute.await?);
        let at = self.clock.monotonic();
        let computed = Computed { value: value.clone(), at, cost: at - started };
        *self.slot.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(computed);
        Ok(value)
    }
}

impl<T> Computed<T> {
    fn is_usable(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) < self.cost * USES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::domain::Time;
    use chrono::TimeDelta;
    use std::convert::Infallible;

    impl Cached<u8> {
        /// As if the last value had been computed `age` ago, in the time `cost`.
        fn with(value: u8, cost: Duration, age: TimeDelta) -> Self {
            let clock = ManualClock::at(Time::UNIX_EPOCH);
            let cached = Self::new(&Clock::Manual(clock.clone()));
            let at = cached.clock.monotonic();
            *cached.slot.last.lock().unwrap() = Some(Computed { value: Arc::new(value), at, cost });
            clock.advance(age);
            cached
        }

        async fn read(&self) -> u8 {
            *self.get(async { Ok::<_, Infallible>(2) }).await.unwrap()
        }
    }

    #[tokio::test]
    async fn only_a_costly_value_is_used_again_and_not_for_long() {
        for (cost, age, expected) in [(249, 0, 2), (1_000, 90_000, 1), (1_000, 101_000, 2)] {
            let cached = Cached::with(1, Duration::from_millis(cost), TimeDelta::milliseconds(age));
            assert_eq!(cached.read().await, expected, "cost {cost} ms, age {age} ms");
        }
    }

    #[tokio::test]
    async fn a_failed_computation_leaves_no_value() {
        let cached = Cached::new(&Clock::System);
        assert_eq!(cached.get(async { Err::<u8, _>("failed") }).await, Err("failed"));
        assert_eq!(cached.read().await, 2);
    }

    #[tokio::test]
    async fn a_reader_gets_the_older_value_rather_than_wait_and_the_new_one_is_there_later() {
        let cached = Cached::with(1, Duration::from_secs(1), TimeDelta::seconds(101));
        let (finish, slow) = oneshot::channel::<()>();
        let compute = async move {
            let _ = slow.await;
            Ok::<_, Infallible>(2)
        };
        assert_eq!(*cached.get(compute).await.unwrap(), 1);
        finish.send(()).unwrap();
        while cached.costly(|_| true).is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(cached.slot.last.lock().unwrap().as_ref().map(|last| *last.value), Some(2));
    }
}
