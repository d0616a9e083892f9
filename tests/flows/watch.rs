//! No member falls out of sight because of others: who fails, how, and where in the order of the sweep.

use crate::harness::{Harness, Setup};
use crate::running::until;
use chrono::TimeDelta;
use reconnectd::domain::CredentialRules;
use reconnectd::sim::{Fault, FaultKind, Operation};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

const LIST: Operation = Operation::GetMemberConnections;
const REFRESH: Operation = Operation::Refresh;
const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// A fleet of which everyone is known to be CONNECTED.
async fn fleet(setup: Setup, n: u32) -> (Harness, Vec<String>) {
    let h = setup.members(n).start().await;
    let members: Vec<String> = (1..=n).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(h.sweep().await.complete());
    (h, members)
}

/// What befalls a member's calls; `revoke` refuses the credential itself.
fn troubles() -> Vec<(&'static str, Option<(Operation, FaultKind)>)> {
    let http = |status, after: Option<&str>| FaultKind::Http { status, retry_after: after.map(Into::into) };
    vec![
        ("fails", Some((LIST, http(500, None)))),
        ("is throttled", Some((LIST, http(429, Some("120"))))),
        ("is forbidden", Some((LIST, FaultKind::GraphqlError { code: "forbidden".into() }))),
        ("is unreadable", Some((LIST, FaultKind::WrongType))),
        ("is cut", Some((LIST, FaultKind::CutBody))),
        ("is slow", Some((LIST, FaultKind::Delay { ms: 300 }))),
        ("cannot refresh", Some((REFRESH, http(503, None)))),
        ("is revoked", None),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_healthy_member_is_polled_within_two_cycles_whoever_fails_and_how() {
    const FLEET: usize = 60;
    let places = [("the first of", 0..1), ("the first of", 0..20), ("the last of", FLEET - 20..FLEET)];
    for (how, trouble) in troubles() {
        for (place, who) in places.clone() {
            let sentence = format!("{place} {} {how}", who.len());
            let (h, members) = fleet(Setup::default().set("GATEWAY__MAX_IN_FLIGHT", 8), FLEET as u32).await;
            for member in &members[who.clone()] {
                match &trouble {
                    Some((operation, trouble)) => {
                        h.sim.world().add_fault(Fault::new(trouble.clone()).on(*operation).member(member));
                    }
                    None => h.sim.world().revoke(member).unwrap(),
                }
            }
            for member in &members {
                h.set(member, "epic", "EXPIRED");
            }
            // The second tick comes after whatever everyone was asked to wait.
            h.clock.advance(TimeDelta::hours(2));
            let reports = [h.sweep().await, h.sweep_after(QUARTER).await];
            for (n, member) in members.iter().enumerate() {
                if !who.contains(&n) {
                    let path = h.path(member, "epic").await;
                    assert_eq!(path, ["CONNECTED", "EXPIRED"], "{sentence}: {member}, {reports:?}");
                }
            }
            let slow = how == "is slow";
            assert_eq!(reports[0].complete(), slow, "{sentence}: {reports:?}");
            h.sim.world().clear_faults();
        }
    }
}

#[tokio::test]
async fn one_member_who_is_throttled_waits_alone() {
    let (h, members) = fleet(Setup::default(), 30).await;
    let trouble = FaultKind::Http { status: 429, retry_after: Some("1800".into()) };
    h.sim.world().add_fault(Fault::new(trouble).on(LIST).member(&members[0]));
    let report = h.sweep_after(QUARTER).await;
    assert_eq!((report.ended_early_because, report.progress.members, report.progress.unclear), (None, 30, 1));
    let asked = h.asked(&members[0], LIST);
    let report = h.sweep_after(QUARTER).await;
    assert_eq!((report.progress.members, report.progress.skipped), (29, 1), "the wait is that member's own");
    assert_eq!(h.asked(&members[0], LIST), asked);
    h.end_faults();
    assert!(h.sweep_after(TimeDelta::minutes(16)).await.complete());
}

#[tokio::test]
async fn a_quota_serves_everyone_in_turn() {
    let (h, members) = fleet(Setup::default().set("GATEWAY__MAX_IN_FLIGHT", 4), 75).await;
    h.sim.world().configure(|settings| (settings.list_quota, settings.quota_window) = (50, 3600));
    h.clock.advance(TimeDelta::hours(2));
    let before: Vec<u32> = members.iter().map(|member| h.asked(member, LIST)).collect();
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    for _ in 0..2 {
        let report = h.sweep_after(TimeDelta::minutes(61)).await;
        assert_eq!(report.ended_early_because, Some("gateway_throttled"));
        assert!((50..=64).contains(&report.progress.members), "{:?}", report.progress);
        assert!(h.app.sweeper.is_throttled());
    }
    for (n, member) in members.iter().enumerate() {
        assert_eq!(h.path(member, "epic").await, ["CONNECTED", "EXPIRED"], "{member}, number {n}");
    }
    let asked: u32 = members.iter().map(|member| h.asked(member, LIST)).sum();
    assert!(asked - before.iter().sum::<u32>() <= 130, "nobody is asked while everyone waits");
}

#[tokio::test]
async fn after_a_sweep_whose_members_were_skipped_or_throttled_the_next_one_begins_with_the_others() {
    let h = Setup::default().members(6).set("GATEWAY__MAX_IN_FLIGHT", 1).start().await;
    for n in 1..=6 {
        h.enrol_without_credential(&format!("m{n}")).await;
    }
    let rows = h.rows().await.rows("members", ["poll_key", "member_id"]).await.unwrap();
    let in_order: BTreeMap<i64, _> =
        rows.iter().map(|[key, id]| (key.parse().unwrap(), id.as_str())).collect();
    let members: Vec<_> = in_order.into_values().collect();
    // The second one has no credential. The gateway throttles three members, which ends the sweep, and then one more.
    h.enrol(&members[..1]).await;
    h.enrol(&members[2..]).await;
    let throttled = FaultKind::Http { status: 429, retry_after: Some("1800".into()) };
    h.sim.world().add_fault(Fault::new(throttled).on(LIST).times(4));
    assert_eq!(h.sweep().await.ended_early_because, Some("gateway_throttled"));
    let asked: Vec<_> = members.iter().map(|member| h.asked(member, LIST)).collect();
    assert_eq!(asked, [1, 0, 1, 1, 0, 0]);
    h.sweep_after(TimeDelta::minutes(61)).await;
    let mut unclear = h.rows().await.texts("unclear_members", "member_id").await.unwrap();
    unclear.retain(|id| id != members[1]);
    assert_eq!(unclear, [members[4]], "{members:?}");
}

#[tokio::test]
async fn a_tick_is_skipped_while_the_gateway_asks_everyone_to_wait() {
    let (h, members) = fleet(Setup::default().set("SWEEP__SCHEDULE", "0 */15 * * * *"), 9).await;
    let trouble = FaultKind::Http { status: 429, retry_after: Some("1800".into()) };
    h.fault(LIST, trouble);
    h.clock.advance(QUARTER);
    let daemon = h.run_daemon(&[]).await;
    let last = async || h.app.store.last_sweep().await.unwrap().unwrap();
    let first = h.clock.now();
    let has_ended = async || last().await.started_at == first && last().await.finished_at.is_some();
    until("a throttled sweep to end", has_ended).await;
    let asked = || members.iter().map(|member| h.asked(member, LIST)).sum::<u32>();
    let before = asked();
    h.clock.advance(QUARTER);
    until("the next tick", async || h.log.text().contains("event=\"tick_skipped\"")).await;
    assert_eq!((last().await.started_at, asked()), (first, before), "nobody is asked");
    h.end_faults();
    h.clock.advance(QUARTER);
    until("the tick after the wait", async || last().await.started_at == h.clock.now()).await;
    until("a response of everyone", async || asked() >= before + 9).await;
    daemon.stop().await;
}

#[tokio::test]
async fn many_lists_that_turn_empty_at_once_are_an_outage_and_a_few_are_believed() {
    let (h, members) = fleet(Setup::default(), 40).await;
    for member in &members[..12] {
        h.sim.world().add_fault(Fault::new(FaultKind::EmptyList).on(LIST).member(member));
    }
    for _ in 0..3 {
        let report = h.sweep_after(QUARTER).await;
        assert_eq!((report.ended_early_because, report.progress.unclear), (Some("many_lists_empty"), 12));
    }
    for member in &members {
        assert_eq!(h.path(member, "epic").await, ["CONNECTED"], "{member}");
    }
    h.end_faults();
    assert!(h.sweep_after(QUARTER).await.complete());

    for member in &members[..9] {
        h.sim.world().add_fault(Fault::new(FaultKind::EmptyList).on(LIST).member(member));
    }
    let report = h.sweep_after(QUARTER).await;
    assert!(report.complete(), "{report:?}");
    assert_eq!((report.progress.members, report.progress.transitions), (40, 9));
    for (n, member) in members.iter().enumerate() {
        let expected: &[&str] = if n < 9 { &["CONNECTED", "DELETED"] } else { &["CONNECTED"] };
        assert_eq!(h.path(member, "epic").await, expected, "{member}");
    }
}

#[tokio::test]
async fn a_token_for_another_subject_is_never_used() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.set("alice", "oncology", "EXPIRED");
    let other = FaultKind::OtherSubject { member: "alice".into() };
    h.sim.world().add_fault(Fault::new(other).on(REFRESH).member("bob"));
    for _ in 0..2 {
        let report = h.pass_after(TimeDelta::hours(2)).await;
        assert_eq!((report.ended_early_because, report.progress.unclear), (None, 1));
    }
    assert_eq!(h.path("bob", "oncology").await, [] as [&str; 0]);
    let id = "bob".into();
    let bob = h
        .app
        .store
        .list_members(Some(&id), None, 1, &CredentialRules::stored_tokens(), None)
        .await
        .unwrap()
        .remove(0);
    assert_eq!((bob.credential.as_str(), bob.unclear_reason.as_deref()), ("ok", Some("other_subject")));
    assert!(h.mails().iter().all(|mail| mail.to == ["alice@example.org"]));
    h.end_faults();
    assert!(h.pass_after(QUARTER).await.complete());
}

#[tokio::test]
async fn an_outage_costs_one_cycle_and_no_region_of_the_fleet() {
    let (h, members) = fleet(Setup::default().set("GATEWAY__MAX_IN_FLIGHT", 2), 150).await;
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    h.fault(LIST, FaultKind::Http { status: 502, retry_after: None });
    let report = h.sweep_after(QUARTER).await;
    assert_eq!(report.ended_early_because, Some("most_polls_failed"));
    assert!(report.progress.members < 60, "{:?}", report.progress);
    h.end_faults();
    let report = h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    assert!(report.complete());
    assert_eq!((report.progress.members, report.progress.transitions), (150, 150));
}

#[tokio::test]
async fn a_quota_that_nearly_suffices_does_not_always_end_before_the_same_members() {
    let (h, members) = fleet(Setup::default().set("GATEWAY__MAX_IN_FLIGHT", 4), 20).await;
    h.sim.world().configure(|settings| (settings.list_quota, settings.quota_window) = (17, 3600));
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    for _ in 0..2 {
        let report = h.sweep_after(TimeDelta::minutes(61)).await;
        assert_eq!((report.ended_early_because, report.progress.unclear), (None, 3));
    }
    for member in &members {
        assert_eq!(h.path(member, "epic").await, ["CONNECTED", "EXPIRED"], "{member}");
    }
}
