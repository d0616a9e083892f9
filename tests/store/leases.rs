//! Claims and leases: one holder at a time, and none forever.

use crate::{Fixture, now};
use chrono::TimeDelta;
use futures_util::future::join_all;
use reconnectd::{
    domain::NoticeReason,
    store::{AttemptOutcome, AttemptResult, StoreError},
};

const RACERS: usize = 16;
const LEASE: TimeDelta = TimeDelta::minutes(1);

pub(crate) async fn one_of_sixteen_racing_refreshes_gets_the_lease(f: &Fixture) {
    f.import(&["alice"]).await;
    let alice = "alice".into();
    let racers = (0..RACERS).map(|_| f.store.lease_refresh(&alice, now(), now() + LEASE));
    let leases = join_all(racers).await;
    let won = leases.into_iter().filter_map(|lease| lease.unwrap()).count();
    assert_eq!(won, 1);
}

pub(crate) async fn a_refresh_lease_can_be_taken_over_once_it_has_expired(f: &Fixture) {
    f.import(&["alice"]).await;
    let alice = "alice".into();
    assert!(f.store.lease_refresh(&alice, now(), now() + LEASE).await.unwrap().is_some());
    let almost = now() + LEASE - TimeDelta::milliseconds(1);
    assert!(f.store.lease_refresh(&alice, almost, almost + LEASE).await.unwrap().is_none());
    let expired = now() + LEASE;
    let second = f.store.lease_refresh(&alice, expired, expired + LEASE).await.unwrap();
    assert!(second.is_some());
}

pub(crate) async fn a_released_lease_can_be_taken_at_once(f: &Fixture) {
    f.import(&["alice"]).await;
    let alice = "alice".into();
    let first = f.store.lease_refresh(&alice, now(), now() + LEASE).await.unwrap().unwrap();
    f.store.release_refresh_lease(&alice, &first).await.unwrap();
    let second = f.store.lease_refresh(&alice, now(), now() + LEASE).await.unwrap();
    assert!(second.is_some());
    f.store.release_refresh_lease(&alice, &first).await.unwrap();
    let third = f.store.lease_refresh(&alice, now(), now() + LEASE).await.unwrap();
    assert!(third.is_none(), "a former holder releases nothing");
}

/// Queues notices `n1`, `n2`, … for alice.
async fn queue(f: &Fixture, count: usize) {
    f.import(&["alice"]).await;
    let mut sql = f.sql().await;
    for n in 1..=count {
        sqlx::query(
            "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before)
             VALUES ('n' || $1, 'alice', 0, 'queued', 'first_notice', 0, 0)",
        )
        .bind(n as i64)
        .execute(&mut sql)
        .await
        .unwrap();
    }
}

pub(crate) async fn a_notice_is_claimed_once_by_sixteen_racing_workers(f: &Fixture) {
    queue(f, 3).await;
    let racers = (0..RACERS).map(|_| f.store.claim_notice(now(), now() + LEASE, &[]));
    let claims = join_all(racers).await;
    assert_eq!(claims.into_iter().filter_map(|claim| claim.unwrap()).count(), 3);
    let states = f.rows().await.texts("notices", "state").await.unwrap();
    assert_eq!(states, ["sending"; 3]);
}

pub(crate) async fn an_expired_claim_is_rescued_and_the_late_result_is_dropped(f: &Fixture) {
    queue(f, 1).await;
    let late = f.store.claim_notice(now(), now() + LEASE, &[]).await.unwrap().unwrap();
    assert_eq!(f.store.rescue_expired_leases(now(), &[]).await.unwrap(), 0, "the lease is still running");
    let expired = now() + LEASE;
    assert_eq!(f.store.rescue_expired_leases(expired, &[]).await.unwrap(), 1);
    let second = f.store.claim_notice(expired, expired + LEASE, &[]).await.unwrap();
    assert!(second.is_some());
    let sent = AttemptResult {
        outcome: AttemptOutcome::Sent,
        reason: NoticeReason::FirstNotice,
        detail: None,
        retry_at: None,
        included: Vec::new(),
    };
    assert!(!f.store.end_attempt(&late, &sent, expired).await.unwrap());
    assert_eq!(f.rows().await.texts("notices", "state").await.unwrap(), ["sending"]);
}

pub(crate) async fn a_second_daemon_is_kept_out_until_the_first_ends(f: &Fixture) {
    let other = f.reopen().await;
    let first = f.store.lock().unwrap();
    assert!(matches!(other.lock(), Err(StoreError::Locked { .. })));
    drop(first);
    other.lock().unwrap();
}
