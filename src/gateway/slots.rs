//! The limits on requests in flight and on their rate.
//!
//! Some slots are reserved for calls that a person waits for, so that a press never waits behind a full sweep. Such a call
//! takes a reserved slot or a shared one, whichever is free first. So presses cannot exceed the limit either.

use crate::base::instances::Instances;
use crate::base::shared_rate::SharedRate;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, watch};

/// One of this many slots is reserved.
const RESERVED_SHARE: usize = 8;
const MAX_RESERVED: usize = 4;

pub(super) struct Slots {
    /// For all calls.
    shared: Semaphore,
    shared_size: usize,
    /// For interactive calls.
    reserved: Semaphore,
    rate: Option<Rate>,
}

/// A request may be in flight as long as this lives.
pub(super) struct Slot<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

impl Slots {
    /// `requests_per_second` is for all instances together; 0: no limit.
    pub(super) fn new(max_in_flight: usize, requests_per_second: u32, instances: &Instances) -> Self {
        let reserved = (max_in_flight / RESERVED_SHARE).clamp(1, MAX_RESERVED);
        // A smaller limit has no slot to spare, so presses have one more.
        let shared_size =
            if max_in_flight < RESERVED_SHARE { max_in_flight } else { max_in_flight - reserved };
        let shared_size = shared_size.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            shared: Semaphore::new(shared_size),
            shared_size,
            reserved: Semaphore::new(reserved),
            rate: Duration::from_secs(1)
                .checked_div(requests_per_second)
                .map(|period| Rate::new(period, instances)),
        }
    }

    /// Waits for a slot, and then for the rate.
    pub(super) async fn take(&self, interactive: bool) -> Slot<'_> {
        // The semaphores are never closed. If they were, only the limit would be lost.
        let permit = if interactive {
            tokio::select! {
                biased;
                permit = self.reserved.acquire() => permit,
                permit = self.shared.acquire() => permit,
            }
        } else {
            self.shared.acquire().await
        };
        if let Some(rate) = &self.rate {
            rate.wait(interactive).await;
        }
        Slot { _permit: permit.ok() }
    }

    /// Waits like a call of a sweep, until a person waits for the result, too.
    pub(super) async fn take_until_urgent(&self, is_urgent: &watch::Receiver<bool>) -> Slot<'_> {
        let mut is_urgent = is_urgent.clone();
        let becomes_urgent = async {
            if is_urgent.wait_for(|is_urgent| *is_urgent).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            slot = self.take(false) => slot,
            () = becomes_urgent => self.take(true).await,
        }
    }

    /// The slots that calls other than interactive ones can take.
    pub(super) fn shared_size(&self) -> usize {
        self.shared_size
    }

    /// The shared slots that are taken.
    pub(super) fn shared_in_flight(&self) -> usize {
        self.shared_size - self.shared.available_permits()
    }
}

struct Rate {
    shared: SharedRate,
    /// The call that is next. Waiting calls take turns in the order of their arrival.
    turn: Mutex<()>,
    /// Only one call that is not interactive waits for its turn, so that an interactive call has at most one ahead of it.
    background: Mutex<()>,
}

impl Rate {
    fn new(period: Duration, instances: &Instances) -> Self {
        Self {
            shared: SharedRate::new(period, instances),
            turn: Mutex::default(),
            background: Mutex::default(),
        }
    }

    async fn wait(&self, interactive: bool) {
        let _background = if interactive { None } else { Some(self.background.lock().await) };
        let _turn = self.turn.lock().await;
        self.shared.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, poll};
    use std::{pin::pin, sync::Arc, task::Poll};
    use tokio::sync::mpsc;

    fn slots(max_in_flight: usize, requests_per_second: u32) -> Slots {
        Slots::new(max_in_flight, requests_per_second, &Instances::alone())
    }

    /// Takes all slots that are free now.
    fn take_all(slots: &Slots, interactive: bool) -> Vec<Slot<'_>> {
        std::iter::from_fn(|| slots.take(interactive).now_or_never()).collect()
    }

    #[test]
    fn an_eighth_of_the_slots_or_one_more_is_reserved_for_presses() {
        for (max_in_flight, sweep, presses) in
            [(1, 1, 1), (2, 2, 1), (7, 7, 1), (8, 7, 1), (16, 14, 2), (64, 60, 4), (1_000, 996, 4)]
        {
            let slots = slots(max_in_flight, 0);
            let taken = take_all(&slots, false);
            assert_eq!((taken.len(), slots.shared_in_flight()), (sweep, sweep), "{max_in_flight}");
            assert_eq!(take_all(&slots, true).len(), presses, "{max_in_flight}");
        }
    }

    #[test]
    fn presses_use_idle_slots_and_stay_within_the_limit() {
        let slots = slots(16, 0);
        let mut presses = take_all(&slots, true);
        assert_eq!(presses.len(), 16);
        assert!(slots.take(false).now_or_never().is_none());
        presses.pop();
        assert!(slots.take(false).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_press_does_not_wait_behind_a_queued_sweep() {
        let slots = slots(8, 0);
        let mut sweep = take_all(&slots, false);
        let mut queued = pin!(slots.take(false));
        assert!(poll!(&mut queued).is_pending());
        let press = slots.take(true).now_or_never().unwrap();
        let mut second = pin!(slots.take(true));
        assert!(poll!(&mut second).is_pending());
        sweep.pop();
        let Poll::Ready(_queued) = poll!(&mut queued) else {
            panic!("the sweep's call was first in its queue")
        };
        assert!(poll!(&mut second).is_pending());
        drop(press);
        assert!(poll!(&mut second).is_ready());
    }

    #[tokio::test]
    async fn a_queued_call_takes_a_reserved_slot_as_soon_as_it_is_urgent() {
        let slots = slots(8, 0);
        let _sweep = take_all(&slots, false);
        let (urgent, is_urgent) = watch::channel(false);
        let mut queued = pin!(slots.take_until_urgent(&is_urgent));
        assert!(poll!(&mut queued).is_pending());
        urgent.send_replace(true);
        assert!(poll!(&mut queued).is_ready());
    }

    #[tokio::test]
    async fn an_abandoned_press_keeps_no_slot() {
        let slots = slots(8, 0);
        let taken = (take_all(&slots, false), take_all(&slots, true));
        {
            let mut abandoned = pin!(slots.take(true));
            assert!(poll!(&mut abandoned).is_pending());
            drop(taken);
        }
        assert_eq!((take_all(&slots, false).len(), take_all(&slots, true).len()), (7, 1));
    }

    #[tokio::test]
    async fn a_press_waits_for_the_rate_behind_one_call_of_a_sweep() {
        let slots = Arc::new(slots(64, 20));
        let (sender, mut order) = mpsc::unbounded_channel();
        for name in ["sweep 1", "sweep 2", "sweep 3", "sweep 4", "press"] {
            let (slots, sender) = (slots.clone(), sender.clone());
            tokio::spawn(async move {
                slots.take(name == "press").await;
                let _ = sender.send(name);
            });
        }
        drop(sender);
        let mut names = Vec::new();
        while let Some(name) = order.recv().await {
            names.push(name);
        }
        assert_eq!(names, ["sweep 1", "sweep 2", "press", "sweep 3", "sweep 4"]);
    }
}
