//! Claims and leases: one holder at a time, and none forever.

use crate::{Fixture, now, row};
use chrono::TimeDelta;
use futures_util::future::join_all;
use std::sync::Arc;

use reconnectd::{
    domain::{
        Edit, EmailAddress, Fingerprint, GateVerdict, NoticeReason, Sealed, Time, TokenHash, UsedCredential,
    },
    store::{
        AttemptOutcome, AttemptResult, Claim, ClaimLimits, DELIVERY_LEASE, Handover, HandoverContents,
        HandoverDecision, HandoverRecipient, RefreshedTokens, StoreError,
    },
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

pub(crate) async fn a_refresh_that_lost_its_lease_leaves_its_successor_alone(f: &Fixture) {
    f.import(&["alice"]).await;
    let alice = "alice".into();
    let lease = async |at| f.store.lease_refresh(&alice, at, at + LEASE).await.unwrap();
    let first = lease(now()).await.unwrap();
    let expired = now() + LEASE;
    assert!(lease(expired).await.is_some(), "the successor's");
    let used = UsedCredential::Subject("alice".into());
    let tokens = Arc::new(RefreshedTokens { used, rotated: None, access: None, subject: None });
    f.store.store_tokens(&alice, &first, &tokens, expired).await.unwrap();
    assert!(lease(expired).await.is_none(), "storing the tokens released it");
    f.store.extend_refresh_lease(&alice, &first, expired + LEASE * 2).await.unwrap();
    let third = lease(expired + LEASE).await.expect("the former holder extended it");
    f.store.extend_refresh_lease(&alice, &third, expired + LEASE * 3).await.unwrap();
    assert!(lease(expired + LEASE * 2).await.is_none(), "its holder extended it");
}

pub(crate) async fn tokens_of_a_subject_that_the_member_no_longer_has_are_not_stored(f: &Fixture) {
    f.import(&["alice", "bob", "carol"]).await;
    let stored = async || f.rows().await.texts("token_subjects", "member_id").await.unwrap();
    let refresh = async |id: &str, meanwhile: &str| {
        let member = id.into();
        let lease = f.store.lease_refresh(&member, now(), now() + LEASE).await.unwrap().unwrap();
        match meanwhile {
            "removal" => assert!(f.store.remove_member(&member, now()).await.unwrap()),
            "import" => {
                let mut moved = row(1, id);
                moved.edit.subject = Edit::Set("another".into());
                f.store.import_all(&[moved], now()).await.unwrap();
            }
            _ => {}
        }
        let used = UsedCredential::Subject(id.into());
        let subject = Some(Fingerprint { key_id: "key".into(), hash: vec![1] });
        let tokens = Arc::new(RefreshedTokens { used, rotated: None, access: None, subject });
        f.store.store_tokens(&member, &lease, &tokens, now()).await.unwrap();
    };
    refresh("alice", "removal").await;
    refresh("bob", "import").await;
    assert_eq!(stored().await, Vec::<String>::new());
    refresh("carol", "nothing").await;
    assert_eq!(stored().await, ["carol"]);
    assert!(f.store.lease_refresh(&"alice".into(), now(), now() + LEASE).await.unwrap().is_none());
}

pub(crate) async fn tokens_are_stored_if_a_rotation_of_the_keys_has_sealed_the_used_one_again(f: &Fixture) {
    f.import(&["alice"]).await;
    // Sealed again from what has the SHA-256 of `old`.
    f.run(
        "INSERT INTO credentials (member_id, key_id, sealed, updated_at, resealed_from) VALUES ('alice', 'new', unhex('00'), 0,
             unhex('cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4'))",
    )
    .await;
    for (used, stored) in [("older", "new"), ("old", "rotated")] {
        let sealed = |key: &str, bytes: &str| Sealed { key_id: key.into(), bytes: bytes.into() };
        let lease = f.store.lease_refresh(&"alice".into(), now(), now() + LEASE).await.unwrap().unwrap();
        let used = UsedCredential::RefreshToken(sealed("key", used));
        let rotated = Some(sealed("rotated", "next"));
        let tokens = Arc::new(RefreshedTokens { used, rotated, access: None, subject: None });
        f.store.store_tokens(&"alice".into(), &lease, &tokens, now()).await.unwrap();
        f.store.release_refresh_lease(&"alice".into(), &lease).await.unwrap();
        assert_eq!(f.rows().await.texts("credentials", "key_id").await.unwrap(), [stored]);
    }
}

pub(crate) async fn tokens_that_a_former_key_sealed_are_not_stored(f: &Fixture) {
    f.import(&["alice"]).await;
    f.run(
        "INSERT INTO former_keys (key_id, position, retired_at, sealed_with, sealed)
         VALUES ('former', 1, 0, 'new', unhex('00'))",
    )
    .await;
    let alice = "alice".into();
    let refresh = async |key: &str| {
        let lease = f.store.lease_refresh(&alice, now(), now() + LEASE).await.unwrap().unwrap();
        let used = UsedCredential::Subject("alice".into());
        let rotated = Some(Sealed { key_id: key.into(), bytes: vec![1] });
        let subject = Some(Fingerprint { key_id: key.into(), hash: vec![1] });
        let tokens = Arc::new(RefreshedTokens { used, rotated, access: None, subject });
        let stored = f.store.store_tokens(&alice, &lease, &tokens, now()).await;
        f.store.release_refresh_lease(&alice, &lease).await.unwrap();
        stored
    };
    let stored = async || f.rows().await.texts("token_subjects", "key_id").await.unwrap();
    assert!(matches!(refresh("former").await, Err(StoreError::KeyRetired { key }) if key == "former"));
    assert_eq!(stored().await, Vec::<String>::new(), "nothing is half done");
    refresh("new").await.unwrap();
    assert_eq!(stored().await, ["new"]);
}

/// Queues notices `n1`, `n2`, … for alice.
pub(crate) async fn queue(f: &Fixture, count: usize) {
    f.import(&["alice"]).await;
    for n in 1..=count {
        f.run(&format!(
            "INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before)
             VALUES ('n{n}', 'alice', 0, 'queued', 'first_notice', 0, 0)"
        ))
        .await;
    }
}

pub(crate) async fn a_notice_is_claimed_once_by_sixteen_racing_workers(f: &Fixture) {
    queue(f, 4).await;
    let later = now() + LEASE;
    let fourth = ("notice_id", "n4");
    f.rows().await.set_where("notices", fourth, "not_before", later.timestamp_millis()).await.unwrap();
    let limits = ClaimLimits::slots(1);
    let racers = (0..RACERS).map(|_| f.store.claim_notices(now(), now() + LEASE, &limits));
    let claims = join_all(racers).await;
    assert_eq!(claims.into_iter().map(|claims| claims.unwrap().len()).sum::<usize>(), 3);
    let states = f.rows().await.texts("notices", "state").await.unwrap();
    assert_eq!(states, ["queued", "sending", "sending", "sending"], "the fourth is not due");
}

fn result(outcome: AttemptOutcome) -> AttemptResult {
    let reason = NoticeReason::FirstNotice;
    AttemptResult {
        outcome,
        reason,
        detail: None,
        retry_at: None,
        included: Vec::new(),
        left_out: Vec::new(),
    }
}

async fn hand_over(f: &Fixture, claim: &Claim, at: Time) -> HandoverDecision {
    let handover = Handover {
        notice: &claim.notice.id,
        attempt: claim.attempt,
        recipients: &[HandoverRecipient {
            member: claim.notice.member_id.clone(),
            link: TokenHash([1; 32]),
            items: Vec::new(),
            verified: Vec::new(),
        }],
        address: "alice@example.org".parse::<EmailAddress>().unwrap().address_hash(),
        unsubscribe: TokenHash([1; 32]),
        disclosure: "generic",
        contents: HandoverContents::Recovery,
        expires_at: at,
        now: at,
    };
    f.store.prepare_handover(&handover, |_| GateVerdict::pass(Vec::new())).await.unwrap()
}

pub(crate) async fn an_expired_claim_is_rescued_and_the_late_result_is_dropped(f: &Fixture) {
    queue(f, 1).await;
    let limits = ClaimLimits::slots(1);
    let late = f.store.claim_notices(now(), now() + LEASE, &limits).await.unwrap().remove(0);
    assert_eq!(f.store.rescue_expired_leases(now(), &[]).await.unwrap(), 0, "the lease is still running");
    let expired = now() + LEASE;
    assert_eq!(f.store.rescue_expired_leases(expired, &[]).await.unwrap(), 1);
    let sent = result(AttemptOutcome::Sent);
    let end_late = async || f.store.end_attempt(&late, &sent, expired).await.unwrap();
    let send_late = async || hand_over(f, &late, expired).await != HandoverDecision::NotNeeded;
    assert!(!send_late().await && !end_late().await, "before another attempt has begun");
    let second = f.store.claim_notices(expired, expired + LEASE, &limits).await.unwrap();
    assert_eq!(second.len(), 1);
    assert!(!send_late().await && !end_late().await, "during another attempt");
    assert_eq!(f.rows().await.texts("notices", "state").await.unwrap(), ["sending"]);
}

pub(crate) async fn a_handover_extends_the_lease_for_as_long_as_it_may_take(f: &Fixture) {
    queue(f, 1).await;
    let limits = ClaimLimits::slots(1);
    let claim = f.store.claim_notices(now(), now() + LEASE, &limits).await.unwrap().remove(0);
    let late = now() + LEASE - TimeDelta::seconds(1);
    assert_ne!(hand_over(f, &claim, late).await, HandoverDecision::NotNeeded);
    let end = late + DELIVERY_LEASE;
    for (at, rescued) in [(now() + LEASE, 0), (end - TimeDelta::seconds(1), 0), (end, 1)] {
        assert_eq!(f.store.rescue_expired_leases(at, &[]).await.unwrap(), rescued);
    }
}

pub(crate) async fn a_result_that_was_stored_without_an_answer_can_be_stored_again(f: &Fixture) {
    queue(f, 1).await;
    let claim = f.store.claim_notices(now(), now() + LEASE, &ClaimLimits::slots(1)).await.unwrap().remove(0);
    let sent = result(AttemptOutcome::Sent);
    for _ in 0..2 {
        assert!(f.store.end_attempt(&claim, &sent, now()).await.unwrap());
    }
    let other = result(AttemptOutcome::Retry);
    assert!(!f.store.end_attempt(&claim, &other, now()).await.unwrap(), "another result");
}

pub(crate) async fn a_second_daemon_is_kept_out_until_the_first_ends(f: &Fixture) {
    let other = f.reopen().await;
    let first = f.store.lock().unwrap();
    assert!(matches!(other.lock(), Err(StoreError::Locked { .. })));
    drop(first);
    other.lock().unwrap();
}
