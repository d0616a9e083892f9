//! This process as one of the instances that share the database: how it joins them, stays known, and leaves.

use super::components::App;
use super::key_ring_watch::{KeyRingWatch, LOOK};
use crate::base::instances::{Heartbeat, Obstacle};
use crate::base::random;
use crate::base::telemetry::metrics;
use crate::domain::{InstanceId, Time};
use crate::store::{InstanceCommand, InstanceLock, Registration, ReleasedLeases, StoreError};
use anyhow::bail;
use chrono::TimeDelta;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A smaller difference of the clocks is normal.
const REPORTED_DIFFERENCE: TimeDelta = TimeDelta::seconds(5);
/// How long damaged pages are looked for at a start. A small database is read as a whole.
pub(super) const PAGE_CHECK: Duration = Duration::from_secs(5);
/// Before another heartbeat, when one failed.
const RETRY: Duration = Duration::from_secs(1);

impl App {
    /// Makes this process an instance, and continues the work that dead ones left unfinished. `once` also looks for damaged
    /// pages before it works; a daemon does so beside its other loops.
    ///
    /// # Errors
    /// Another process holds the lock of the database file, a page of it is damaged, or another instance has a key that this
    /// one lacks.
    pub async fn acquire_instance_lock(&self, command: InstanceCommand) -> anyhow::Result<InstanceLock> {
        let lock = self.store.lock()?;
        if command == InstanceCommand::Once {
            self.store.check_pages(PAGE_CHECK, &CancellationToken::new()).await?;
        }
        let now = self.clock.now();
        self.verify_keys_of_others(now).await?;
        let mut key_ring = KeyRingWatch::new(self);
        let registration = Registration {
            id: InstanceId::new(random::id(now)),
            command,
            key_ids: self.keyring.key_ids(),
            sealing_key: self.keyring.sealing_key_id(),
            started_at: now,
        };
        tracing::info!(event = "instance_started", instance = %registration.id, "joined the instances");
        self.store.register(&lock, registration, now).await?;
        // Another one may have begun to encrypt with a new key before it could see this instance.
        if let Err(error) = self.verify_keys_of_others(now).await {
            self.store.unregister().await?;
            return Err(error);
        }
        self.warn_of_other_rings(now).await?;
        key_ring.look().await?;
        self.send_heartbeat().await?;
        if !self.store.is_shared() {
            // Of the daemon before, which is dead.
            let notices = self.store.release_leases(now).await?;
            log_released(ReleasedLeases { notices, ..ReleasedLeases::default() });
        }
        self.release_leases_of_dead().await?;
        self.continue_unfinished_work().await?;
        Ok(lock)
    }

    /// # Errors
    /// Only errors of the store.
    pub async fn send_heartbeat(&self) -> Result<(), StoreError> {
        Heart::new(self).beat().await
    }

    /// Releases what dead instances held.
    ///
    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn release_leases_of_dead(&self) -> Result<(), StoreError> {
        log_released(self.store.release_leases_of_dead(self.clock.now()).await?);
        Ok(())
    }

    /// Sends heartbeats and follows the key ring until `stop`. For a command that has no loops.
    pub(crate) async fn send_heartbeats(self, stop: CancellationToken) {
        tokio::join!(self.beat_until(&stop), self.follow_key_ring_until(&stop));
    }

    async fn follow_key_ring_until(&self, stop: &CancellationToken) {
        let mut watch = KeyRingWatch::new(self);
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            if let Err(error) = watch.look().await {
                tracing::warn!(
                    event = "key_ring_not_followed", %error,
                    "cannot tell the other instances about the key ring"
                );
            }
        }
    }

    async fn beat_until(&self, stop: &CancellationToken) {
        let mut heart = Heart::new(self);
        loop {
            let wait = match heart.beat().await {
                Ok(()) => self.store.heartbeat_interval(),
                Err(error) => {
                    tracing::warn!(event = "heartbeat_failed", %error, "cannot send a heartbeat");
                    RETRY
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// # Errors
    /// This instance could not decrypt what another one encrypts.
    async fn verify_keys_of_others(&self, now: Time) -> anyhow::Result<()> {
        for other in self.store.keys_of_instances(now).await? {
            let newest = other.key_ids.first();
            let is_unknown = |key: &&String| !self.keyring.has_key(key);
            if newest.is_some_and(|key| is_unknown(&key)) {
                self.keyring.reread()?;
            }
            if let Some(key) = newest.filter(is_unknown) {
                bail!(
                    "keys.file: instance {} encrypts with the key {key}, which this key ring does not have; give all \
                     instances the same key ring",
                    other.instance
                );
            }
        }
        Ok(())
    }

    async fn warn_of_other_rings(&self, now: Time) -> Result<(), StoreError> {
        let key = self.keyring.newest_key_id();
        for other in self.store.keys_of_instances(now).await? {
            if !other.key_ids.contains(&key) {
                tracing::warn!(
                    event = "key_ring_differs", instance = %other.instance, key,
                    "another instance does not have this instance's newest key, which is not used before; give it the \
                     same key ring"
                );
            }
        }
        Ok(())
    }
}

fn log_released(released: ReleasedLeases) {
    let ReleasedLeases { instances, notices, refreshes } = released;
    if instances + notices + refreshes > 0 {
        tracing::warn!(
            event = "leases_released",
            instances,
            notices,
            refreshes,
            "released the work that dead instances left unfinished"
        );
    }
}

/// How this machine's clock compares with the database's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClockState {
    Agrees,
    Differs,
    /// By so much that no email is sent.
    Prevents,
}

/// Sends heartbeats, and reports when they tell something new.
pub(super) struct Heart {
    app: App,
    reported: ClockState,
}

impl Heart {
    pub(super) fn new(app: &App) -> Self {
        Self { app: app.clone(), reported: ClockState::Agrees }
    }

    /// # Errors
    /// Only errors of the store.
    pub(super) async fn beat(&mut self) -> Result<(), StoreError> {
        let clock = &self.app.clock;
        let (sent_at, now) = (clock.monotonic(), clock.now());
        let Some(seen) = self.app.store.heartbeat(now).await? else { return Ok(()) };
        if seen.was_presumed_dead {
            tracing::warn!(
                event = "instance_was_presumed_dead",
                "the other instances have taken over this instance's work; it joins them again"
            );
        }
        let elapsed = clock.monotonic().saturating_sub(sent_at);
        let clock_difference = seen
            .server_time
            .filter(|_| clock.is_system())
            .map(|server| clock_difference(now, server, elapsed));
        let is_replaceable = self.app.store.is_shared();
        let heartbeat = Heartbeat {
            sent_at,
            live: seen.live,
            clock_difference,
            is_replaceable,
            was_presumed_dead: seen.was_presumed_dead,
        };
        self.app.instances.note(heartbeat);
        metrics::set_instances(seen.live);
        self.report_clock(clock_difference);
        Ok(())
    }

    fn report_clock(&mut self, difference: Option<TimeDelta>) {
        let Some(difference) = difference else { return };
        metrics::set_clock_difference(difference);
        let state = if self.app.instances.may_send() == Err(Obstacle::ClocksDiffer) {
            ClockState::Prevents
        } else if difference.abs() > REPORTED_DIFFERENCE {
            ClockState::Differs
        } else {
            ClockState::Agrees
        };
        let seconds = difference.num_seconds();
        match state {
            _ if state == self.reported => {}
            ClockState::Agrees => tracing::info!(event = "clocks_agree", "the clocks agree again"),
            ClockState::Differs => tracing::warn!(
                event = "clocks_differ",
                seconds,
                "the database's clock differs from this machine's; correct the wrong one"
            ),
            ClockState::Prevents => tracing::error!(
                event = "clocks_differ",
                seconds,
                "sending no email: the database's clock differs by minutes from this machine's; correct the wrong one"
            ),
        }
        self.reported = state;
    }
}

/// How far the server's clock is ahead, if the server read it at some time within `elapsed` after `sent`.
fn clock_difference(sent: Time, server: Time, elapsed: Duration) -> TimeDelta {
    let elapsed = TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX);
    let ahead = server - sent;
    if ahead > elapsed { ahead - elapsed } else { ahead.min(TimeDelta::zero()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_a_heartbeat_takes_is_no_difference_of_the_clocks() {
        let sent = Time::UNIX_EPOCH + TimeDelta::hours(1);
        for (server_ahead, elapsed, expected) in
            [(0, 0, 0), (2, 3, 0), (3, 3, 0), (10, 3, 7), (-1, 3, -1), (-600, 0, -600)]
        {
            let server = sent + TimeDelta::seconds(server_ahead);
            let difference = clock_difference(sent, server, Duration::from_secs(elapsed));
            assert_eq!(difference.num_seconds(), expected, "{server_ahead} after {elapsed}");
        }
    }
}
