//! A pass over many members.

use crate::harness::{Harness, Setup};
use crate::postgres;
use chrono::TimeDelta;
use reconnectd::sim::{FaultKind, Operation};
use reconnectd::{domain::CredentialRules, store::SweepProgress};
use tokio_util::sync::CancellationToken;

const LIST: Operation = Operation::GetMemberConnections;

fn numbered(n: u32) -> Vec<String> {
    (1..=n).map(|n| format!("m{n}")).collect()
}

async fn with_numbered(n: u32) -> (Harness, Vec<String>) {
    let h = Setup::default().members(n).start().await;
    let members = numbered(n);
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    (h, members)
}

/// More than one batch of members, so that there is something that need not be polled again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_sweep_resumes_where_it_stopped_and_reports_the_counts_of_the_whole() {
    let (h, members) = with_numbered(1500).await;
    let stop = CancellationToken::new();
    let mut progress = h.app.sweeper.progress();
    let interrupting = async {
        progress.wait_for(|progress| progress.members > 1100).await.unwrap();
        stop.cancel();
    };
    let (report, ()) = tokio::join!(h.app.sweeper.sweep(&stop), interrupting);
    let report = report.unwrap();
    assert!(report.cancelled && !report.complete());
    assert!((1100..1500).contains(&report.progress.members), "{:?}", report.progress);
    assert!(h.app.store.last_sweep().await.unwrap().unwrap().finished_at.is_none());

    let restarted = h.another_app(&[]).await;
    let report = restarted.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    assert!(report.complete());
    assert_eq!((report.progress.members, report.progress.transitions), (1500, 1500));
    for member in &members {
        assert_eq!((h.asked(member, LIST), h.asked(member, Operation::Refresh)), (1, 1), "{member}");
    }
    let last = h.app.store.last_sweep().await.unwrap().unwrap();
    assert!(last.complete && last.finished_at.is_some());
}

#[tokio::test]
async fn when_most_polls_fail_the_sweep_stops_early_and_nothing_is_concluded() {
    let (h, members) = with_numbered(200).await;
    assert!(h.pass().await.complete());
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    h.fault(LIST, FaultKind::GraphqlError { code: "exception".into() });
    let report = h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(report.ended_early_because, Some("most_polls_failed"));
    assert!(!report.complete() && !report.is_healthy());
    // Those under way are heard out.
    assert!((50..=50 + 64).contains(&report.progress.members), "{:?}", report.progress);
    assert_eq!(report.progress.unclear, report.progress.members);
    let last = h.app.store.last_sweep().await.unwrap().unwrap();
    assert_eq!(last.ended_early_because.as_deref(), Some("most_polls_failed"));
    assert!(last.finished_at.is_some() && !last.complete);
    assert_eq!(
        h.app.store.stats(&CredentialRules::stored_tokens(), h.clock.now()).await.unwrap().connections["CONNECTED"],
        200
    );
    assert!(h.mails().is_empty());
    h.end_faults();
    let report = h.pass_after(TimeDelta::minutes(15)).await;
    assert!(report.complete());
    assert_eq!((report.progress.members, report.progress.transitions), (200, 200), "the next wraps around");
}

#[tokio::test]
async fn a_gateway_that_asks_everyone_to_wait_stops_the_sweep_and_blames_nobody() {
    let (h, members) = with_numbered(5).await;
    h.fault(LIST, FaultKind::Http { status: 429, retry_after: Some("3600".into()) });
    let report = h.pass().await;
    assert_eq!(report.ended_early_because, Some("gateway_throttled"));
    let asked: u64 = members.iter().map(|member| u64::from(h.asked(member, LIST))).sum();
    let SweepProgress { members, unclear, .. } = report.progress;
    assert_eq!((members, unclear), (asked, asked), "those who were asked about");
    assert!(h.app.sweeper.is_throttled());
    h.end_faults();
    let report = h.pass_after(TimeDelta::minutes(61)).await;
    assert!(report.complete());
    assert_eq!(report.progress.members, 5, "nobody waits on their own");
}

#[tokio::test]
async fn members_without_a_credential_and_members_who_are_paused_are_not_asked_about() {
    let h = Harness::watching(&["alice"]).await;
    h.enrol_without_credential("bob").await;
    h.enrol(&["carol"]).await;
    h.rows().await.set_where("members", ("member_id", "carol"), "paused_at", 1).await.unwrap();
    let report = h.pass().await;
    assert_eq!((report.progress.members, report.progress.skipped), (1, 1), "who is paused is not missed");
    for member in ["bob", "carol"] {
        assert_eq!((h.asked(member, LIST), h.asked(member, Operation::Refresh)), (0, 0), "{member}");
    }
    h.enrol(&["bob"]).await;
    assert_eq!(h.pass().await.progress.members, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_the_configured_number_of_requests_is_under_way() {
    let h = Setup::default().members(60).set("GATEWAY__MAX_IN_FLIGHT", 7).start().await;
    let members = numbered(60);
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    h.fault(LIST, FaultKind::Delay { ms: 20 });
    assert!(h.pass().await.complete());
    let peak = h.sim.world().peak_in_flight();
    assert!((2..=7).contains(&peak), "{peak}");
}

#[tokio::test]
async fn a_digest_of_an_earlier_version_is_replaced_without_a_transition() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let (history, emails) = (h.path("alice", "epic").await, h.mails().len());
    let digests = h.rows().await.blobs("members", "response_digest").await.unwrap();
    h.rows().await.set("members", "response_digest", &[7; 32][..]).await.unwrap();
    let report = h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!((report.progress.transitions, report.progress.unclear), (0, 0));
    assert_eq!(h.path("alice", "epic").await, history);
    assert_eq!(h.mails().len(), emails);
    assert_eq!(h.rows().await.blobs("members", "response_digest").await.unwrap(), digests);
}

#[tokio::test]
async fn a_sweep_whose_responses_the_database_refuses_fails_and_continues_when_it_takes_them() {
    let Some(url) = postgres::new_database_with_tables().await else { return };
    let name = postgres::name_of(&url);
    let role = format!("role_{name}");
    for statement in [
        "CREATE ROLE {} LOGIN PASSWORD 'hush' IN ROLE with_password",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {}",
        "GRANT ALL ON SCHEMA public TO {}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}",
    ] {
        postgres::run_in(&name, &statement.replace("{}", &role));
    }
    let setup = Setup::default().on(&postgres::as_user(&url, &role, "hush"));
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    postgres::run_in(&name, &format!("REVOKE INSERT ON transitions FROM {role}"));
    let failed = h.app.sweeper.sweep(&CancellationToken::new()).await;
    assert!(failed.is_err(), "{failed:?}");
    postgres::run_in(&name, &format!("GRANT INSERT ON transitions TO {role}"));
    assert!(h.sweep().await.complete());
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
    assert_eq!(h.rows().await.count("sweeps").await.unwrap(), 2, "the same sweep");
}
