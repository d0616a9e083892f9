//! A claim takes a batch of notices.

use crate::{Fixture, now};
use chrono::TimeDelta;
use futures_util::future::join_all;
use reconnectd::domain::NoticeReason;
use reconnectd::store::{AttemptOutcome, AttemptResult, Claim, ClaimLimits};
use std::collections::BTreeSet;

const LEASE: TimeDelta = TimeDelta::minutes(1);

/// Queues notices for alice, each with its domain and with the time at which it is due, in minutes from now.
async fn queue(f: &Fixture, notices: &[(&str, &str, i64)]) {
    f.import(&["alice"]).await;
    for (id, domain, due_in) in notices {
        let due = (now() + TimeDelta::minutes(*due_in)).timestamp_millis();
        f.run(&format!(
            "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, domain)
             VALUES ('{id}', 'alice', 0, 'queued', 'first_notice', 0, {due}, '{domain}')"
        ))
        .await;
    }
}

async fn claim(f: &Fixture, limits: &ClaimLimits) -> Vec<Claim> {
    f.store.claim_notices(now(), now() + LEASE, limits).await.unwrap()
}

fn ids(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.notice.id.as_str()).collect()
}

pub(crate) async fn batches_of_racing_workers_are_disjoint(f: &Fixture) {
    let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
    let notices: Vec<_> = names.iter().map(|name| (name.as_str(), "a.example", -1)).collect();
    queue(f, &notices).await;
    let other = f.reopen().await;
    let limits = ClaimLimits::slots(5);
    let racers = (0..16).map(|n| {
        let store = if n % 2 == 0 { &f.store } else { &other };
        store.claim_notices(now(), now() + LEASE, &limits)
    });
    let batches: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
    assert!(batches.iter().all(|batch| batch.len() <= 5));
    let claimed: Vec<&str> = batches.iter().flat_map(|batch| ids(batch)).collect();
    let distinct: BTreeSet<&str> = claimed.iter().copied().collect();
    assert_eq!((claimed.len(), distinct.len()), (40, 40));
}

pub(crate) async fn a_batch_takes_what_is_due_first(f: &Fixture) {
    let notices = [
        ("late", "a.example", -1),
        ("first", "b.example", -9),
        ("rest", "c.example", 0),
        ("second", "d.example", -5),
    ];
    queue(f, &notices).await;
    let claims = claim(f, &ClaimLimits::slots(3)).await;
    assert_eq!(ids(&claims), ["first", "second", "late"]);
}

pub(crate) async fn a_batch_leaves_room_for_other_domains(f: &Fixture) {
    let slow = |id| (id, "slow.example", -9);
    let mut notices: Vec<_> = ["s1", "s2", "s3", "s4", "s5", "s6"].map(slow).into();
    notices.extend([("f1", "fast.example", -1), ("f2", "fast.example", -1)]);
    queue(f, &notices).await;
    let limits = ClaimLimits { last_at: 2, full_at: 4, ..ClaimLimits::slots(5) };
    let first = claim(f, &limits).await;
    let domains: Vec<&str> = first.iter().map(|claim| claim.domain.as_str()).collect();
    let (slow, fast) = ("slow.example", "fast.example");
    assert_eq!(domains, [slow, slow, fast, fast, slow]);
    let under_way = [(slow.to_owned(), 4)].into();
    let full = ClaimLimits { under_way, slots: 3, ..limits.clone() };
    assert!(claim(f, &full).await.is_empty(), "the domain is full");
    assert_eq!(claim(f, &limits).await.len(), 3);
}

pub(crate) async fn a_batch_counts_the_earlier_attempts_of_each_notice(f: &Fixture) {
    queue(f, &[("a", "a.example", -2), ("b", "b.example", -1)]).await;
    let outcomes = [AttemptOutcome::Retry, AttemptOutcome::Deferred];
    for _ in 0..2 {
        for (claim, outcome) in claim(f, &ClaimLimits::slots(2)).await.iter().zip(outcomes) {
            let result = AttemptResult {
                outcome,
                reason: NoticeReason::TransientFailure,
                detail: None,
                retry_at: None,
                included: Vec::new(),
                left_out: Vec::new(),
            };
            assert!(f.store.end_attempt(claim, &result, now()).await.unwrap());
        }
    }
    let claims = claim(f, &ClaimLimits::slots(2)).await;
    let attempts: Vec<u32> = claims.iter().map(|claim| claim.attempt).collect();
    assert_eq!(attempts, [3, 3]);
    let mut starts = f.rows().await.numbers("attempts", "attempt").await.unwrap();
    starts.sort_unstable();
    assert_eq!(starts, [1, 1, 2, 3, 3], "consecutive deferrals share a row");
}

pub(crate) async fn notices_that_are_not_due_are_not_claimed(f: &Fixture) {
    queue(f, &[("tomorrow", "a.example", 1440)]).await;
    assert!(claim(f, &ClaimLimits::slots(4)).await.is_empty());
    assert_eq!(f.rows().await.texts("notices", "state").await.unwrap(), ["queued"]);
}
