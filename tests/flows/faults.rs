//! Whatever is wrong with an answer, nothing is concluded from it.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::sim::{Fault, FaultKind, Operation};

/// All that can befall a list, each for a member of its own.
fn troubles() -> Vec<(&'static str, FaultKind)> {
    let http = |status| FaultKind::Http { status, retry_after: None };
    let error = |code: &str| FaultKind::GraphqlError { code: code.into() };
    let beside = |partial| FaultKind::DataBesideErrors { code: "exception".into(), partial };
    vec![
        ("an error that may pass", error("throttled")),
        ("an error for good", error("forbidden")),
        ("an error that nobody knows", error("strange")),
        ("a whole list beside an error", beside(false)),
        ("half a list beside an error", beside(true)),
        ("null", FaultKind::NullData),
        ("a body cut in half", FaultKind::CutBody),
        ("a number where the list belongs", FaultKind::WrongType),
        ("a page under HTTP 200", FaultKind::NotJson),
        ("HTTP 500", http(500)),
        ("HTTP 503", http(503)),
        ("HTTP 404", http(404)),
        ("HTTP 429", FaultKind::Http { status: 429, retry_after: Some("0".into()) }),
        ("a connection that is reset", FaultKind::Reset),
        ("an answer that comes too late", FaultKind::Delay { ms: 60_000 }),
        ("a token that is not accepted, nor its successor", FaultKind::RejectedToken),
        ("17 MiB", FaultKind::HugeBody { bytes: 17 << 20 }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incomplete_response_concludes_nothing_and_the_next_clear_one_continues() {
    let troubles = troubles();
    let befallen: Vec<String> = (1..=troubles.len()).map(|n| format!("m{n}")).collect();
    let all: Vec<&str> = befallen.iter().map(String::as_str).chain(["alice"]).collect();
    let setup = Setup::default().members(troubles.len() as u32).set("GATEWAY__TIMEOUT", "3s");
    let h = Harness::watching_with(setup, &all).await;
    for (member, (_, trouble)) in befallen.iter().zip(&troubles) {
        h.set(member, "epic", "EXPIRED");
        let fault = Fault::new(trouble.clone()).on(Operation::GetMemberConnections).member(member);
        h.sim.world().add_fault(fault);
    }
    h.set("alice", "epic", "EXPIRED");

    let report = h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(report.progress.members, all.len() as u64);
    assert_eq!(report.progress.unclear, troubles.len() as u64);
    assert!(!report.complete());
    assert!(!h.app.store.last_sweep().await.unwrap().unwrap().complete);
    for (member, (what, _)) in befallen.iter().zip(&troubles) {
        assert_eq!(h.path(member, "epic").await, ["CONNECTED"], "{what}");
        assert_eq!(h.lapse_states(member).await, [] as [&str; 0], "{what}");
        assert_eq!(h.notice_states(member).await, [] as [&str; 0], "{what}");
        assert_eq!(h.credential(member).await, "ok", "{what}");
    }
    assert_eq!(h.mails().len(), 1, "alice is mailed: one member's trouble is nobody else's");

    h.end_faults();
    assert!(h.pass_after(TimeDelta::minutes(15)).await.complete());
    for (member, (what, _)) in befallen.iter().zip(&troubles) {
        assert_eq!(h.path(member, "epic").await, ["CONNECTED", "EXPIRED"], "{what}");
        assert_eq!(h.notice_states(member).await, ["sent"], "{what}");
    }
}

#[tokio::test]
async fn an_unclear_answer_ends_no_lapse() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("alice", "epic", "CONNECTED");
    let trouble = FaultKind::DataBesideErrors { code: "transient".into(), partial: false };
    h.fault(Operation::GetMemberConnections, trouble);
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    h.end_faults();
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_transient_fault_is_retried_within_the_pass() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    let trouble = FaultKind::Http { status: 503, retry_after: None };
    let fault = Fault::new(trouble).on(Operation::GetMemberConnections).times(1);
    h.sim.world().add_fault(fault);
    assert!(h.pass().await.complete());
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
}

#[tokio::test]
async fn a_row_that_vanished_was_deleted_and_not_repaired() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.fault(Operation::GetMemberConnections, FaultKind::EmptyList);
    assert!(h.pass_after(TimeDelta::minutes(15)).await.complete(), "an empty list is an answer");
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED", "DELETED"]);
    assert_eq!(h.lapse_states("alice").await, ["epic closed removed"]);
    assert_eq!(h.look(&h.link()).await.states(), ["removed"]);
}
