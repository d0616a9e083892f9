//! Refused credentials: the fault of members or of the gateway, and the members out of sight meanwhile.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    credentials::CallError,
    domain::{Cause, CredentialRules, MemberId, RefreshToken},
    sim::{Fault, FaultKind, Operation},
    store::ListedMember,
};

const REFRESH: Operation = Operation::Refresh;
const LIST: Operation = Operation::GetMemberConnections;
const QUARTER: TimeDelta = TimeDelta::minutes(15);

async fn fleet(n: u32) -> (Harness, Vec<String>) {
    let h = Setup::default().members(n).start().await;
    let members: Vec<String> = (1..=n).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    (h, members)
}

fn refused() -> FaultKind {
    FaultKind::GraphqlError { code: "login".into() }
}

async fn listed(h: &Harness, member: &str) -> ListedMember {
    let id = MemberId::from(member);
    h.app
        .store
        .list_members(Some(&id), None, 1, &CredentialRules::stored_tokens(), None)
        .await
        .unwrap()
        .remove(0)
}

#[tokio::test]
async fn refusals_for_everybody_reject_nobody_and_do_not_look_healthy() {
    let (h, members) = fleet(40).await;
    assert!(h.pass().await.complete());
    h.set("m7", "epic", "EXPIRED");
    h.fault(REFRESH, refused());
    for _ in 0..4 {
        let report = h.pass_after(TimeDelta::hours(2)).await;
        assert_eq!(report.ended_early_because, Some("most_refreshes_refused"));
        assert!(!report.complete() && !report.is_healthy());
        assert!(report.progress.unclear >= 10, "{:?}", report.progress);
    }
    for member in &members {
        assert_eq!(h.credential(member).await, "ok", "{member}");
    }
    let fleet = h
        .app
        .store
        .stats(&CredentialRules::stored_tokens(), h.clock.now() - TimeDelta::hours(24))
        .await
        .unwrap();
    assert!(!fleet.last_sweep.unwrap().complete);
    assert!(fleet.unclear["credential_refused"] >= 10, "{:?}", fleet.unclear);

    h.end_faults();
    let report = h.pass_after(QUARTER).await;
    assert!(report.complete(), "everyone is polled at once: nobody had to wait");
    assert_eq!(report.progress.members, 40);
    assert_eq!(h.mails().len(), 1);
    assert!(
        h.app.store.stats(&CredentialRules::stored_tokens(), h.clock.now()).await.unwrap().unclear.is_empty()
    );
}

#[tokio::test]
async fn a_few_refused_credentials_are_the_members_own_and_a_recovery_has_the_others_retried_soon() {
    let (h, members) = fleet(30).await;
    h.pass().await;
    for member in &members[..9] {
        h.sim.world().revoke(member).unwrap();
    }
    let report = h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!((report.ended_early_because, report.progress.unclear), (None, 9));
    for _ in 0..6 {
        h.pass_after(TimeDelta::hours(6)).await;
    }
    for (n, member) in members.iter().enumerate() {
        assert_eq!(h.credential(member).await, if n < 9 { "rejected" } else { "ok" }, "{member}");
    }
    for member in &members[..9] {
        h.sim.world().restore(member).unwrap();
    }
    let report = h.pass_after(QUARTER).await;
    assert_eq!(report.progress.skipped, 9, "their backoff is far from over");
    let report = h.retry(&[&members[0]]).await;
    assert_eq!((report.progress.members, report.progress.unclear), (1, 0));
    let report = h.pass_after(QUARTER).await;
    assert!(report.complete(), "one recovery brings all of them back: {:?}", report.progress);
}

#[tokio::test]
async fn a_member_refused_with_a_valid_token_is_unclear_and_keeps_the_credential() {
    let h = Harness::watching(&["alice", "bob"]).await;
    let trouble = FaultKind::GraphqlError { code: "forbidden".into() };
    h.sim.world().add_fault(Fault::new(trouble).on(LIST).member("alice"));
    h.set("bob", "epic", "EXPIRED");
    let refreshes = h.asked("alice", REFRESH);
    let report = h.pass_after(QUARTER).await;
    assert_eq!((report.ended_early_because, report.progress.members, report.progress.unclear), (None, 2, 1));
    assert_eq!(h.asked("alice", REFRESH), refreshes, "another token would not help");
    let alice = listed(&h, "alice").await;
    assert_eq!((alice.credential.as_str(), alice.unclear_reason.as_deref()), ("ok", Some("forbidden")));
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_member_s_last_answer_is_as_old_as_the_last_sweep_that_had_one() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.enrol_without_credential("carol").await;
    let fine = h.pass_after(QUARTER).await;
    assert_eq!(fine.progress.skipped, 1);
    let answered = Some(h.clock.now());
    let trouble = FaultKind::GraphqlError { code: "exception".into() };
    h.sim.world().add_fault(Fault::new(trouble).on(LIST).member("alice"));
    h.pass_after(QUARTER).await;
    h.pass_after(QUARTER).await;
    let now = Some(h.clock.now());
    let seen = |listed: ListedMember| (listed.last_answer_at, listed.unclear_reason);
    assert_eq!(seen(listed(&h, "alice").await), (answered, Some("gateway_error".to_owned())));
    assert_eq!(seen(listed(&h, "bob").await), (now, None));
    assert_eq!(seen(listed(&h, "carol").await), (None, Some("credential_missing".to_owned())));

    let unreachable = async || h.app.store.unreachable_members(h.clock.now() - TimeDelta::hours(24)).await;
    assert_eq!(unreachable().await.unwrap(), 0);
    h.clock.advance(TimeDelta::hours(23));
    h.pass_after(TimeDelta::minutes(59)).await;
    assert_eq!(unreachable().await.unwrap(), 2, "alice, and carol, for whom there never was an answer");
    h.clock.advance(TimeDelta::hours(25));
    assert_eq!(unreachable().await.unwrap(), 3, "without sweeps, everyone");
    h.end_faults();
    h.enrol(&["carol"]).await;
    h.pass().await;
    assert_eq!(unreachable().await.unwrap(), 0);
}

#[tokio::test]
async fn importing_the_same_refresh_token_again_keeps_the_rotated_one() {
    let h = Harness::watching(&["alice"]).await;
    let first = h.sim.world().refresh_token("alice").unwrap();
    h.sim.world().configure(|settings| settings.rotate = true);
    assert!(h.pass_after(TimeDelta::hours(2)).await.complete());
    assert_ne!(h.sim.world().refresh_token("alice").unwrap(), first, "it was spent");
    for _ in 0..2 {
        let counts = h.import_token("alice", &first).await;
        assert_eq!((counts.members, counts.known_tokens), (1, 1));
        assert!(h.pass_after(TimeDelta::hours(2)).await.complete(), "nobody is locked out");
    }
    let fresh = h.sim.world().refresh_token("alice").unwrap();
    let counts = h.import_token("alice", &fresh).await;
    assert_eq!((counts.members, counts.known_tokens), (1, 0), "another token replaces it");
    assert!(h.pass_after(TimeDelta::hours(2)).await.complete());
}

#[tokio::test]
async fn a_token_that_is_imported_while_the_old_one_is_being_refused_is_not_rejected() {
    let h = Harness::watching(&["alice"]).await;
    h.sim.world().revoke("alice").unwrap();
    h.clock.advance(TimeDelta::hours(2));
    let alice = MemberId::from("alice");
    let refusal = async || match h.app.poller.poll(&alice, Cause::Sweep).await.unwrap_err() {
        CallError::NoToken { refusal: Some(refusal), .. } => refusal,
        other => panic!("{other}"),
    };
    let old = refusal().await;
    h.import_token("alice", "rt-alice~anew").await;
    h.app.tokens.reject(&alice, &old).await.unwrap();
    assert_eq!(h.credential("alice").await, "ok");
    let new = refusal().await;
    h.app.tokens.reject(&alice, &new).await.unwrap();
    assert_eq!(h.credential("alice").await, "rejected");
}

#[tokio::test]
async fn a_lease_that_expired_neither_releases_nor_extends_its_successor_s() {
    let h = Harness::watching(&["alice"]).await;
    let (store, alice) = (&h.app.store, MemberId::from("alice"));
    let lease = async || {
        let now = h.clock.now();
        store.lease_refresh(&alice, now, now + TimeDelta::seconds(30)).await.unwrap()
    };
    let first = lease().await.unwrap();
    assert!(lease().await.is_none(), "one at a time");
    h.clock.advance(TimeDelta::seconds(31));
    let second = lease().await.unwrap();
    store.release_refresh_lease(&alice, &first).await.unwrap();
    store.extend_refresh_lease(&alice, &first, h.clock.now() + TimeDelta::hours(1)).await.unwrap();
    assert!(lease().await.is_none(), "the first holder cannot release the second's lease");
    h.clock.advance(TimeDelta::seconds(31));
    let third = lease().await.expect("nor extend it");
    store.release_refresh_lease(&alice, &second).await.unwrap();
    store.release_refresh_lease(&alice, &third).await.unwrap();
    assert!(lease().await.is_some());
}

#[tokio::test]
async fn a_member_with_another_subject_starts_anew_with_tokens() {
    let setup = Setup::default().set("GATEWAY__AUTH__MODE", "broker");
    let h = setup.set("GATEWAY__AUTH__BROKER_URL", "http://127.0.0.1:1/").start().await;
    let url = h.sim.broker_url();
    let app = h.another_app(&[("GATEWAY__AUTH__BROKER_URL", &url)]).await;
    let stop = tokio_util::sync::CancellationToken::new();
    h.enrol_without_credential("alice").await;
    assert!(app.run_once(&stop).await.unwrap().sweep.complete());
    assert_eq!(h.asked("alice", Operation::Broker), 1);
    h.enrol_without_credential("alice").await;
    app.run_once(&stop).await.unwrap();
    assert_eq!(h.asked("alice", Operation::Broker), 1, "the same member again changes nothing");
    h.enrol_as("alice", "someone-else").await;
    let credentials = app.store.credentials(&"alice".into()).await.unwrap().unwrap();
    assert!(
        credentials.access.is_none() && credentials.failure.is_none() && credentials.token_subject.is_none()
    );
    app.run_once(&stop).await.unwrap();
    assert_eq!(h.asked("alice", Operation::Broker), 2, "the old subject's token is not used");
}

#[tokio::test]
async fn a_refusal_and_a_response_are_forgotten_when_the_member_has_another_subject() {
    let h = Harness::watching(&["alice"]).await;
    h.sim.world().revoke("alice").unwrap();
    h.pass_after(TimeDelta::hours(2)).await;
    for (subject, is_kept) in [("alice", true), ("someone-else", false)] {
        h.enrol_as("alice", subject).await;
        let credentials = h.app.store.credentials(&"alice".into()).await.unwrap().unwrap();
        let digests = h.rows().await.blobs("members", "response_digest").await.unwrap();
        assert_eq!((credentials.failure.is_some(), digests.len() == 1), (is_kept, is_kept), "{subject}");
    }
}

#[tokio::test]
async fn a_credential_under_a_lost_key_is_locked_and_skipped() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.rows().await.set_where("credentials", ("member_id", "bob"), "key_id", "lost").await.unwrap();
    let report = h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!((report.progress.members, report.progress.unclear, report.progress.skipped), (1, 0, 1));
    assert_eq!(h.credential("bob").await, "locked");
    assert_eq!(
        h.app.store.stats(&CredentialRules::stored_tokens(), h.clock.now()).await.unwrap().credentials["locked"],
        1
    );
    let token = RefreshToken::new("rt-bob");
    assert!(h.app.keyring.new_credential(&"bob".into(), &token).unwrap().sealed.key_id != "lost");
    h.import_token("bob", "rt-bob~").await;
    h.enrol(&["bob"]).await;
    assert!(h.pass_after(QUARTER).await.complete());
    assert_eq!(h.credential("bob").await, "ok");
}
