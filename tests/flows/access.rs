//! How a member's credential becomes an access token, and what happens when it does not.

use crate::harness::{Harness, Setup};
use crate::running::until;
use chrono::TimeDelta;
use futures_util::future::join_all;
use reconnectd::{
    credentials::CallError,
    domain::{Cause, CredentialState, MemberId},
    sim::{Fault, FaultKind, Operation},
};

const LIST: Operation = Operation::GetMemberConnections;
const REFRESH: Operation = Operation::Refresh;

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_and_used_next() {
    let h = Harness::watching(&["alice"]).await;
    h.sim.world().configure(|settings| settings.rotate = true);
    let mut tokens = vec![h.sim.world().refresh_token("alice").unwrap()];
    for times in 2..=5 {
        assert!(h.pass_after(TimeDelta::hours(2)).await.complete());
        assert_eq!(h.asked("alice", REFRESH), times);
        tokens.push(h.sim.world().refresh_token("alice").unwrap());
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 5, "each was spent by its use");
    assert_eq!(h.credential("alice").await, "ok");
}

#[tokio::test]
async fn an_access_token_is_kept_while_it_is_valid_and_refreshed_before_it_expires() {
    let h = Harness::watching(&["alice"]).await;
    assert_eq!(h.asked("alice", REFRESH), 1);
    h.pass_after(TimeDelta::minutes(57)).await;
    assert_eq!(h.asked("alice", REFRESH), 1);
    let restarted = h.another_app(&[]).await;
    restarted.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    assert_eq!(h.asked("alice", REFRESH), 1, "a restart needs no new one");
    let lists = h.asked("alice", LIST);
    assert!(h.pass_after(TimeDelta::minutes(2)).await.complete());
    assert_eq!(h.asked("alice", REFRESH), 2);
    assert_eq!(h.asked("alice", LIST), lists + 1, "the old one was never refused");
}

#[tokio::test]
async fn however_many_ask_for_a_member_at_once_their_token_is_renewed_once() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.sim.world().configure(|settings| settings.rotate = true);
    h.clock.advance(TimeDelta::hours(2));
    h.fault(REFRESH, FaultKind::Delay { ms: 150 });
    let (alice, bob) = ("alice".into(), "bob".into());
    let members = (0..40).map(|n| if n % 2 == 0 { &alice } else { &bob });
    let asks = members.map(|member| h.app.poller.poll(member, Cause::Sweep));
    for answer in join_all(asks).await {
        answer.expect("an answer");
    }
    assert_eq!((h.asked("alice", REFRESH), h.asked("bob", REFRESH)), (2, 2));
}

#[tokio::test]
async fn two_processes_that_need_a_token_for_one_member_renew_it_once() {
    let h = Harness::watching(&["alice"]).await;
    h.sim.world().configure(|settings| settings.rotate = true);
    h.clock.advance(TimeDelta::hours(2));
    h.fault(REFRESH, FaultKind::Delay { ms: 150 });
    let other = h.another_app(&[]).await;
    let alice = "alice".into();
    let polls = (0..10).flat_map(|_| [&h.app.poller, &other.poller]).map(|o| o.poll(&alice, Cause::Sweep));
    for answer in join_all(polls).await {
        answer.expect("an answer");
    }
    assert_eq!(h.asked("alice", REFRESH), 2);
    h.end_faults();
    assert!(h.pass_after(TimeDelta::hours(2)).await.complete(), "and what rotated was kept");
}

#[tokio::test]
async fn a_poll_that_is_dropped_as_soon_as_the_gateway_has_rotated_the_token_loses_none() {
    let h = Harness::watching(&["alice"]).await;
    h.sim.world().configure(|settings| settings.rotate = true);
    h.clock.advance(TimeDelta::hours(2));
    let alice = MemberId::from("alice");
    let stored = async || h.app.store.credentials(&alice).await.unwrap().unwrap().refresh;
    let spent = (h.sim.world().refresh_token("alice").unwrap(), stored().await);
    let rotation = async {
        while h.sim.world().refresh_token("alice").unwrap() == spent.0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = rotation => {}
        polled = h.app.poller.poll(&alice, Cause::Sweep) => panic!("it ended before: {:?}", polled.err()),
    }
    until("the new token", async || stored().await != spent.1).await;
    assert!(h.pass_after(TimeDelta::hours(2)).await.complete());
    assert_eq!(h.credential("alice").await, "ok");
}

#[tokio::test]
async fn a_refused_access_token_is_refreshed_once_and_the_request_repeated() {
    for login_issue in [false, true] {
        let h = Harness::watching(&["alice"]).await;
        h.sim.world().configure(|settings| settings.login_issue = login_issue);
        h.set("alice", "epic", "EXPIRED");
        h.sim.world().add_fault(Fault::new(FaultKind::RejectedToken).on(LIST).times(1));
        assert!(h.pass().await.complete());
        assert_eq!(h.asked("alice", REFRESH), 2);
        assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
        assert_eq!(h.credential("alice").await, "ok");
    }
}

#[tokio::test]
async fn a_revoked_credential_is_no_broken_connection_and_a_retry_finds_it_valid_again() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.sim.world().configure(|settings| settings.rotate = true);
    h.sim.world().revoke("alice").unwrap();
    h.set("alice", "epic", "EXPIRED");
    let report = h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!((report.progress.members, report.progress.unclear), (2, 1));
    assert_eq!(h.credential("alice").await, "rejected");
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED"]);
    assert_eq!(h.lapse_states("alice").await, [] as [&str; 0]);
    assert_eq!(h.asked("alice", REFRESH), 2);

    let report = h.pass_after(TimeDelta::minutes(14)).await;
    assert_eq!((report.progress.members, report.progress.skipped), (1, 1), "alice is left alone for a while");
    assert!(!report.complete(), "half of the members are not watched");
    assert_eq!(h.asked("alice", REFRESH), 2);
    let report = h.pass_after(TimeDelta::minutes(9)).await;
    assert_eq!((report.progress.members, report.progress.unclear), (2, 1));
    assert_eq!(h.asked("alice", REFRESH), 3);
    h.pass_after(TimeDelta::minutes(29)).await;
    assert_eq!(h.asked("alice", REFRESH), 3, "ever more rarely");

    h.sim.world().restore("alice").unwrap();
    h.enrol(&["alice"]).await;
    assert!(!h.pass().await.complete(), "the same token again changes nothing");
    assert!(h.retry(&["alice"]).await.complete());
    assert!(h.pass().await.complete());
    assert_eq!(h.credential("alice").await, "ok");
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_renewed_consent_is_found_without_the_operator() {
    let h = Harness::watching(&["alice"]).await;
    h.sim.world().revoke("alice").unwrap();
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(h.credential("alice").await, "rejected");
    h.sim.world().restore("alice").unwrap();
    assert!(h.pass_after(TimeDelta::minutes(23)).await.complete());
    assert_eq!(h.credential("alice").await, "ok");
}

#[tokio::test]
async fn a_failed_refresh_says_nothing_about_the_credential() {
    let h = Harness::watching(&["alice"]).await;
    for trouble in [
        FaultKind::Http { status: 500, retry_after: None },
        FaultKind::Http { status: 401, retry_after: None },
        FaultKind::GraphqlError { code: "exception".into() },
        FaultKind::NullData,
        FaultKind::Reset,
        FaultKind::CutBody,
        FaultKind::NotJson,
    ] {
        h.fault(REFRESH, trouble.clone());
        let asked = h.asked("alice", REFRESH);
        assert_eq!(h.pass_after(TimeDelta::hours(2)).await.progress.unclear, 1, "{trouble:?}");
        assert_eq!(h.asked("alice", REFRESH), asked + 1, "{trouble:?}: a refresh is never sent twice");
        assert_eq!(h.credential("alice").await, "ok", "{trouble:?}");
        h.end_faults();
    }
    assert!(h.pass().await.complete());
}

#[tokio::test]
async fn a_member_without_a_credential_causes_an_error_that_says_so() {
    let h = Harness::watching(&["alice"]).await;
    h.enrol_without_credential("bob").await;
    let error = h.app.poller.poll(&"bob".into(), Cause::Operator).await.unwrap_err();
    assert!(matches!(error, CallError::NoToken { state: CredentialState::Missing, .. }), "{error}");
    assert_eq!(h.credential("bob").await, "missing");
}

#[tokio::test]
async fn tokens_come_from_a_broker_of_the_operators_just_as_well() {
    let setup = Setup::default().set("GATEWAY__AUTH__MODE", "broker");
    let h = setup.set("GATEWAY__AUTH__BROKER_URL", "http://127.0.0.1:1/").start().await;
    let url = h.sim.broker_url();
    let app = h.another_app(&[("GATEWAY__AUTH__BROKER_URL", &url)]).await;
    h.enrol_without_credential("alice").await;
    let report = app.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap().sweep;
    assert_eq!((report.progress.members, report.progress.unclear), (1, 0));
    assert_eq!((h.asked("alice", Operation::Broker), h.asked("alice", REFRESH)), (1, 0));
}
