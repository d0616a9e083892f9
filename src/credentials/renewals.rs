//! The bound on the renewals in flight while the gateway rotates refresh tokens.
//!
//! Rotation spends the old refresh token at the gateway, and the new one exists only in memory until it is stored. A kill
//! therefore loses the tokens of the members whose renewals are in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, watch};

/// This many responses in a row without a new refresh token show that the gateway does not rotate them.
const UNROTATED_RESPONSES: u32 = 32;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Renewals(Arc<Shared>);

struct Shared {
    permits: Semaphore,
    /// Only one renewal that nobody waits for queues for a permit, so that a person's renewal has at most one ahead of it.
    background: Mutex<()>,
    /// Responses without a new refresh token since the last one with one.
    unrotated: AtomicU32,
    /// Whether the gateway rotates refresh tokens; assumed until its responses show otherwise.
    rotates: watch::Sender<bool>,
}

/// A renewal may be in flight as long as this lives: until the new tokens are stored.
pub(super) struct Renewal<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

impl Renewals {
    pub(super) fn new(max: usize) -> Self {
        Self(Arc::new(Shared {
            permits: Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)),
            background: Mutex::default(),
            unrotated: AtomicU32::new(0),
            rotates: watch::Sender::new(true),
        }))
    }

    /// Waits until a renewal may begin. `is_urgent`: whether a person waits for it by now.
    pub(super) async fn begin(&self, is_urgent: &watch::Receiver<bool>) -> Renewal<'_> {
        let mut rotates = self.0.rotates.subscribe();
        let does_not_rotate = async {
            // The sender lives as long as `self`.
            let _ = rotates.wait_for(|rotates| !*rotates).await;
        };
        tokio::select! {
            biased;
            () = does_not_rotate => Renewal { _permit: None },
            permit = self.permit(is_urgent) => Renewal { _permit: permit },
        }
    }

    /// `None` never happens: the semaphore is not closed. If it were, only the bound would be lost.
    async fn permit(&self, is_urgent: &watch::Receiver<bool>) -> Option<SemaphorePermit<'_>> {
        let mut is_urgent = is_urgent.clone();
        let becomes_urgent = async {
            if is_urgent.wait_for(|is_urgent| *is_urgent).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let in_turn = async {
            let _turn = self.0.background.lock().await;
            self.0.permits.acquire().await
        };
        tokio::select! {
            biased;
            () = becomes_urgent => self.0.permits.acquire().await.ok(),
            permit = in_turn => permit.ok(),
        }
    }

    /// Records whether a response carried a new refresh token.
    pub(super) fn record_response(&self, is_rotated: bool) {
        let rotates = if is_rotated {
            self.0.unrotated.store(0, Ordering::Relaxed);
            true
        } else {
            self.0.unrotated.fetch_add(1, Ordering::Relaxed) + 1 < UNROTATED_RESPONSES
        };
        self.0.rotates.send_if_modified(|known| std::mem::replace(known, rotates) != rotates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::poll;
    use std::pin::pin;

    fn nobody() -> (watch::Sender<bool>, watch::Receiver<bool>) {
        watch::channel(false)
    }

    #[tokio::test]
    async fn a_renewal_waits_for_another_to_end_while_the_gateway_rotates() {
        let (renewals, (_urgent, is_urgent)) = (Renewals::new(1), nobody());
        let first = renewals.begin(&is_urgent).await;
        let mut second = pin!(renewals.begin(&is_urgent));
        assert!(poll!(&mut second).is_pending());
        drop(first);
        assert!(poll!(&mut second).is_ready());
    }

    #[tokio::test]
    async fn responses_without_a_new_refresh_token_lift_the_bound_until_one_has_one() {
        let (renewals, (_urgent, is_urgent)) = (Renewals::new(1), nobody());
        let _first = renewals.begin(&is_urgent).await;
        let mut waiting = pin!(renewals.begin(&is_urgent));
        for _ in 1..UNROTATED_RESPONSES {
            renewals.record_response(false);
        }
        assert!(poll!(&mut waiting).is_pending());
        renewals.record_response(false);
        assert!(poll!(&mut waiting).is_ready());
        renewals.record_response(true);
        assert!(poll!(pin!(renewals.begin(&is_urgent))).is_pending());
    }

    #[tokio::test]
    async fn a_person_waits_behind_one_renewal_of_a_sweep_at_most() {
        let (renewals, (_urgent, is_urgent)) = (Renewals::new(1), nobody());
        let (urgent, becomes_urgent) = nobody();
        let first = renewals.begin(&is_urgent).await;
        let mut sweep = [(); 3].map(|()| Box::pin(renewals.begin(&is_urgent)));
        for waiting in &mut sweep {
            assert!(poll!(waiting).is_pending());
        }
        let mut press = pin!(renewals.begin(&becomes_urgent));
        assert!(poll!(&mut press).is_pending());
        urgent.send_replace(true);
        assert!(poll!(&mut press).is_pending());
        drop(first);
        let std::task::Poll::Ready(next) = poll!(&mut sweep[0]) else { panic!("it was first in the queue") };
        for waiting in &mut sweep[1..] {
            assert!(poll!(waiting).is_pending());
        }
        drop(next);
        assert!(poll!(&mut press).is_ready());
    }
}
