//! Instances: what the dead ones held is released, and one that was presumed dead takes nothing before it is known again.

use crate::{Fixture, leases::queue, now};
use chrono::TimeDelta;
use reconnectd::{
    domain::{InstanceId, NoticeReason},
    store::{
        AttemptOutcome, AttemptResult, Claim, ClaimLimits, InstanceCommand, InstanceLock, Registration, Store,
    },
};

const LEASE: TimeDelta = TimeDelta::hours(1);

pub(crate) async fn the_leases_of_a_dead_instance_are_released_and_no_others(f: &Fixture) {
    queue(f, 2).await;
    let dead = join(&f.store, "dead").await;
    assert_eq!(claim(&f.store).await.len(), 2);
    assert!(f.store.lease_refresh(&"alice".into(), now(), now() + LEASE).await.unwrap().is_some());
    let other = f.reopen().await;
    let nothing = other.release_leases_of_dead(now()).await.unwrap();
    assert_eq!((nothing.instances, nothing.notices, nothing.refreshes), (0, 0, 0), "it is alive");
    drop(dead);
    let _alive = bury_and_join(f, &other, "dead").await;
    let released = other.release_leases_of_dead(now()).await.unwrap();
    assert_eq!((released.instances, released.notices, released.refreshes), (1, 2, 1));
    assert_eq!(claim(&other).await.len(), 2);
    assert!(other.lease_refresh(&"alice".into(), now(), now() + LEASE).await.unwrap().is_some());
    let nothing = other.release_leases_of_dead(now()).await.unwrap();
    assert_eq!((nothing.instances, nothing.notices, nothing.refreshes), (0, 0, 0), "its own");
}

pub(crate) async fn only_daemons_that_are_alive_are_reported(f: &Fixture) {
    let daemon = join(&f.store, "daemon").await;
    let reported = async || {
        let live = f.store.live_daemons(now()).await.unwrap();
        live.into_iter().map(|instance| instance.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(reported().await, ["daemon"]);
    set_seen(f, "daemon", 0).await;
    assert!(reported().await.is_empty(), "not seen for long");
    assert!(f.store.heartbeat(now()).await.unwrap().is_some());
    assert_eq!(reported().await, ["daemon"]);
    f.store.heartbeat(now() - TimeDelta::days(1)).await.unwrap();
    assert_eq!(reported().await.is_empty(), f.is_file(), "a server has a clock of its own");
    f.store.unregister().await.unwrap();
    assert!(reported().await.is_empty(), "it left");
    drop(daemon);
    let lock = f.store.lock().unwrap();
    let once = registration("command", InstanceCommand::Once);
    f.store.register(&lock, once, now()).await.unwrap();
    assert!(reported().await.is_empty(), "a command");
    assert_eq!(f.store.heartbeat(now()).await.unwrap().map(|seen| seen.live), Some(1));
}

/// On a file only: a server has its own clock.
pub(crate) async fn the_starts_of_daemons_are_recorded_for_a_year_and_those_of_commands_are_not(f: &Fixture) {
    let start = async |id, command, at| {
        let lock = f.store.lock().unwrap();
        let registration = Registration { started_at: at, ..registration(id, command) };
        f.store.register(&lock, registration, at).await.unwrap();
    };
    let starts = async || f.rows().await.texts("instance_starts", "instance_id").await.unwrap();
    start("first", InstanceCommand::Run, now()).await;
    start("command", InstanceCommand::Once, now()).await;
    start("second", InstanceCommand::Run, now() + TimeDelta::days(365)).await;
    assert_eq!(starts().await, ["first", "second"]);
    start("third", InstanceCommand::Run, now() + TimeDelta::days(500)).await;
    assert_eq!(starts().await, ["second", "third"]);
}

/// On a server only: nobody else can take over a file.
pub(crate) async fn an_instance_that_was_presumed_dead_takes_no_lease_before_its_next_heartbeat(f: &Fixture) {
    queue(f, 2).await;
    let _stopped = join(&f.store, "stopped").await;
    let other = f.reopen().await;
    let _other = join(&other, "other").await;
    let late = f.store.claim_notices(now(), now() + LEASE, &ClaimLimits::slots(1)).await.unwrap().remove(0);
    set_seen(f, "stopped", 0).await;
    let released = other.release_leases_of_dead(now()).await.unwrap();
    assert_eq!((released.instances, released.notices), (1, 1));
    let sent = AttemptResult {
        outcome: AttemptOutcome::Sent,
        reason: NoticeReason::Accepted,
        detail: None,
        retry_at: None,
        included: Vec::new(),
        left_out: Vec::new(),
    };
    assert!(!f.store.end_attempt(&late, &sent, now()).await.unwrap(), "its lease is gone");
    assert!(claim(&f.store).await.is_empty());
    assert!(f.store.lease_refresh(&"alice".into(), now(), now() + LEASE).await.unwrap().is_none());

    let seen = f.store.heartbeat(now()).await.unwrap().unwrap();
    assert_eq!((seen.was_presumed_dead, seen.live), (true, 2));
    assert_eq!(claim(&f.store).await.len(), 2);
    assert!(f.store.lease_refresh(&"alice".into(), now(), now() + LEASE).await.unwrap().is_some());
    let nothing = other.release_leases_of_dead(now()).await.unwrap();
    assert_eq!((nothing.notices, nothing.refreshes), (0, 0), "it is alive again");
}

/// On a server only: a file has one instance.
pub(crate) async fn an_instance_that_ends_releases_its_own_leases_only(f: &Fixture) {
    queue(f, 2).await;
    let _one = join(&f.store, "one").await;
    let other = f.reopen().await;
    let _other = join(&other, "other").await;
    for store in [&f.store, &other] {
        assert_eq!(store.claim_notices(now(), now() + LEASE, &ClaimLimits::slots(1)).await.unwrap().len(), 1);
    }
    assert_eq!(f.store.release_leases(now()).await.unwrap(), 1);
    assert_eq!(f.rows().await.texts("notices", "state").await.unwrap(), ["queued", "sending"]);
}

pub(crate) async fn a_daemon_on_a_file_releases_what_an_earlier_one_was_sending(f: &Fixture) {
    queue(f, 2).await;
    let earlier = join(&f.store, "earlier").await;
    assert_eq!(claim(&f.store).await.len(), 2);
    drop(earlier);
    let later = f.reopen().await;
    let _later = join(&later, "later").await;
    assert_eq!(later.release_leases(now()).await.unwrap(), 2);
}

pub(crate) async fn claim(store: &Store) -> Vec<Claim> {
    store.claim_notices(now(), now() + LEASE, &ClaimLimits::slots(9)).await.unwrap()
}

pub(crate) fn registration(id: &str, command: InstanceCommand) -> Registration {
    Registration {
        id: InstanceId::new(id),
        command,
        key_ids: vec!["key".into()],
        sealing_key: "key".into(),
        started_at: now(),
    }
}

pub(crate) async fn join(store: &Store, id: &str) -> InstanceLock {
    let lock = store.lock().unwrap();
    store.register(&lock, registration(id, InstanceCommand::Run), now()).await.unwrap();
    lock
}

/// Makes an instance look dead on a server. On a file, its lock is gone.
async fn bury_and_join(f: &Fixture, other: &Store, id: &str) -> InstanceLock {
    set_seen(f, id, 0).await;
    join(other, "alive").await
}

pub(crate) async fn set_seen(f: &Fixture, id: &str, at: i64) {
    assert_eq!(f.rows().await.set_where("instances", ("instance_id", id), "seen_at", at).await.unwrap(), 1);
}
