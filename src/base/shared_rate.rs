//! A limited rate that the instances share in equal parts.

use super::instances::Instances;
use governor::{DefaultDirectRateLimiter, Quota};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Without bursts, so that the rate holds in every second and not just on average.
#[derive(Debug)]
pub(crate) struct SharedRate {
    /// Between two permits, if there is one instance.
    period: Duration,
    instances: Instances,
    /// The limiter, and for how many instances.
    current: Mutex<(u32, Arc<DefaultDirectRateLimiter>)>,
}

impl SharedRate {
    /// One permit per `period`, for all instances together. A period of zero counts as a nanosecond.
    pub(crate) fn new(period: Duration, instances: &Instances) -> Self {
        let period = period.max(Duration::from_nanos(1));
        let instances = instances.clone();
        Self { period, current: Mutex::new((1, limiter(period, 1))), instances }
    }

    pub(crate) async fn wait(&self) {
        let limiter = self.limiter();
        limiter.until_ready().await;
    }

    fn limiter(&self) -> Arc<DefaultDirectRateLimiter> {
        let live = self.instances.live();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != live {
            *current = (live, limiter(self.period, live));
            // A new limiter starts with a permit, which could come right after one of the last.
            let _ = current.1.check();
        }
        current.1.clone()
    }
}

fn limiter(period: Duration, instances: u32) -> Arc<DefaultDirectRateLimiter> {
    let one = NonZeroU32::MIN;
    // `None` for a period of zero only.
    let quota = Quota::with_period(period.saturating_mul(instances)).unwrap_or(Quota::per_second(one));
    Arc::new(DefaultDirectRateLimiter::direct(quota.allow_burst(one)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::instances::Heartbeat;

    #[test]
    fn each_of_three_instances_gets_a_third_of_the_rate() {
        let instances = Instances::alone();
        let rate = SharedRate::new(Duration::from_secs(3_600), &instances);
        let wait = |rate: &SharedRate| {
            let limiter = rate.limiter();
            let clock = governor::clock::DefaultClock::default();
            limiter.check().err().map(|refused| refused.wait_time_from(governor::clock::Clock::now(&clock)))
        };
        assert_eq!(wait(&rate), None, "the first permit");
        let hours = |wait: Option<Duration>| wait.map(|wait| wait.as_secs().div_ceil(3_600));
        assert_eq!(hours(wait(&rate)), Some(1));
        instances.note(Heartbeat {
            sent_at: Duration::ZERO,
            live: 3,
            clock_difference: None,
            is_replaceable: true,
            was_presumed_dead: false,
        });
        assert_eq!(hours(wait(&rate)), Some(3));
    }
}
