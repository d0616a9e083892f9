//! The open sessions, and how many the server allows.

use super::session::Session;
use futures_util::future::join_all;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a refused connection limits the number of sessions.
const LIMIT_EXPIRES: Duration = Duration::from_secs(10 * 60);

pub(super) struct Pool {
    state: Mutex<State>,
    max_idle: usize,
    /// A session was returned or closed.
    freed: Notify,
}

#[derive(Default)]
struct State {
    idle: Vec<(PooledSession, Instant)>,
    /// Including idle sessions and those that are being opened.
    open: usize,
    /// The number of sessions that the server allowed when it refused another one.
    limit: Option<(usize, Instant)>,
}

/// Counts as an open session until it is dropped.
pub(super) struct Slot {
    pool: Arc<Pool>,
    was_refused: bool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.lock().open -= 1;
        if !self.was_refused {
            self.pool.freed.notify_one();
        }
    }
}

pub(super) struct PooledSession {
    pub(super) session: Session,
    pub(super) slot: Slot,
}

impl Pool {
    pub(super) fn new(max_idle: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), max_idle, freed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for another session. `None` when the server would refuse it.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<Slot> {
        let mut state = self.lock();
        let limit = state.limit.filter(|(_, since)| since.elapsed() < LIMIT_EXPIRES);
        if limit.is_some_and(|(limit, _)| state.open >= limit) {
            return None;
        }
        state.open += 1;
        drop(state);
        Some(Slot { pool: self.clone(), was_refused: false })
    }

    /// The server refused the session for this slot. Returns whether others are open, one of which will become free.
    pub(super) fn refused(&self, mut slot: Slot) -> bool {
        slot.was_refused = true;
        drop(slot);
        let mut state = self.lock();
        let open = state.open;
        if open > 0 {
            state.limit = Some((open, Instant::now()));
        }
        open > 0
    }

    /// Waits until a session becomes free, but at most `limit`.
    pub(super) async fn wait(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.freed.notified()).await;
    }

    /// The session that was used last.
    pub(super) fn take(&self) -> Option<PooledSession> {
        let (session, since) = self.lock().idle.pop()?;
        (since.elapsed() < IDLE_TIMEOUT).then_some(session)
    }

    /// Returns a session, and closes it when it stays idle.
    pub(super) fn put(self: &Arc<Self>, session: PooledSession) {
        let mut state = self.lock();
        if state.idle.len() >= self.max_idle {
            drop(state);
            tokio::spawn(session.quit());
            return;
        }
        state.idle.push((session, Instant::now()));
        drop(state);
        self.freed.notify_one();
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep(IDLE_TIMEOUT).await;
            let Some(pool) = pool.upgrade() else { return };
            let stale: Vec<_> =
                pool.lock().idle.extract_if(.., |(_, since)| since.elapsed() >= IDLE_TIMEOUT).collect();
            join_all(stale.into_iter().map(|(session, _)| session.quit())).await;
        });
    }

    pub(super) async fn close(&self) {
        let all = std::mem::take(&mut self.lock().idle);
        join_all(all.into_iter().map(|(session, _)| session.quit())).await;
    }
}

impl PooledSession {
    /// Keeps the slot until the session is closed.
    pub(super) async fn quit(self) {
        let Self { session, slot } = self;
        session.quit().await;
        drop(slot);
    }
}
