//! Bounds the sessions with the mail server: those of one recipient domain may not take all of them.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct MailSessions(Arc<Sessions>);

struct Sessions {
    in_use: Mutex<InUse>,
    freed: Notify,
    max: usize,
    max_per_domain: usize,
}

#[derive(Default)]
struct InUse {
    total: usize,
    by_domain: HashMap<String, usize>,
}

/// The right to one session.
pub(super) struct SessionPermit {
    sessions: Arc<Sessions>,
    domain: String,
}

impl MailSessions {
    /// At most `max` at the same time, at most half of them for one domain.
    pub(crate) fn new(max: usize) -> Self {
        let max_per_domain = (max / 2).max(1);
        Self(Arc::new(Sessions { in_use: Mutex::default(), freed: Notify::new(), max, max_per_domain }))
    }

    /// Waits until a session is free for the domain.
    pub(super) async fn acquire(&self, domain: &str) -> SessionPermit {
        loop {
            // Registered before the attempt, so that no wake-up is lost.
            let mut freed = pin!(self.0.freed.notified());
            freed.as_mut().enable();
            if let Some(permit) = self.try_acquire(domain) {
                return permit;
            }
            freed.await;
        }
    }

    fn try_acquire(&self, domain: &str) -> Option<SessionPermit> {
        let mut in_use = self.0.lock();
        let of_domain = in_use.by_domain.get(domain).copied().unwrap_or_default();
        if in_use.total >= self.0.max || of_domain >= self.0.max_per_domain {
            return None;
        }
        in_use.total += 1;
        in_use.by_domain.insert(domain.to_owned(), of_domain + 1);
        Some(SessionPermit { sessions: self.0.clone(), domain: domain.to_owned() })
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, InUse> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        let mut in_use = self.sessions.lock();
        in_use.total -= 1;
        if let Some(count) = in_use.by_domain.get_mut(&self.domain) {
            *count -= 1;
            if *count == 0 {
                in_use.by_domain.remove(&self.domain);
            }
        }
        drop(in_use);
        self.sessions.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn one_domain_gets_half_of_the_sessions_and_the_others_the_rest() {
        let sessions = MailSessions::new(4);
        let slow = [sessions.acquire("slow.example").await, sessions.acquire("slow.example").await];
        assert!(sessions.try_acquire("slow.example").is_none());
        let others = [sessions.acquire("a.example").await, sessions.acquire("b.example").await];
        assert!(sessions.try_acquire("c.example").is_none());
        drop(others);
        assert!(sessions.try_acquire("slow.example").is_none());
        let [first, second] = slow;
        drop(first);
        let third = sessions.try_acquire("slow.example");
        assert!(third.is_some() && sessions.try_acquire("slow.example").is_none());
        drop((second, third));
        assert!(sessions.try_acquire("slow.example").is_some());
    }

    #[tokio::test]
    async fn a_session_that_becomes_free_wakes_those_who_wait() {
        let sessions = MailSessions::new(1);
        let permit = sessions.acquire("a.example").await;
        let waiting = tokio::spawn({
            let sessions = sessions.clone();
            async move { drop(sessions.acquire("b.example").await) }
        });
        tokio::task::yield_now().await;
        drop(permit);
        tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("woken").unwrap();
    }
}
