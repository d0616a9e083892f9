//! A pass over many members.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::sim::{Operation, Trouble};
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

/// More than one page of members, so that there is something that need not be asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_was_called_off_goes_on_where_its_last_page_ended() {
    let (h, mut members) = with_numbered(1500).await;
    let stop = CancellationToken::new();
    let mut progress = h.app.sweeper.progress();
    let calling_off = async {
        progress.wait_for(|progress| progress.members > 1100).await.unwrap();
        stop.cancel();
    };
    let (report, ()) = tokio::join!(h.app.sweeper.pass(&stop), calling_off);
    let report = report.unwrap();
    assert!(report.called_off && !report.complete());
    assert_eq!(report.progress.members, 1000, "of a page that was cut off nothing is counted");
    assert!(h.app.store.last_sweep().await.unwrap().unwrap().finished_at.is_none());

    let restarted = h.another_app(&[]).await;
    let report = restarted.sweeper.pass(&CancellationToken::new()).await.unwrap();
    assert!(report.complete());
    assert_eq!(report.progress.members, 1500);
    assert_eq!(report.progress.transitions, 1500 - u64::from(seen_in_cut_off_page(&h, &mut members)));
    for member in &members[..1000] {
        assert_eq!(h.asked(member, LIST), 1, "{member} was not asked again");
    }
    for member in &members[1000..] {
        assert!((1..=2).contains(&h.asked(member, LIST)), "{member} was not left out");
        assert_eq!(h.asked(member, Operation::Refresh), 1, "{member}");
    }
    let last = h.app.store.last_sweep().await.unwrap().unwrap();
    assert!(last.complete && last.finished_at.is_some());
}

/// How many of the second page had answered before the pass was called off. Sorts `members` as a sweep does.
fn seen_in_cut_off_page(h: &Harness, members: &mut [String]) -> u32 {
    members.sort();
    members[1000..].iter().map(|member| h.asked(member, LIST) - 1).sum()
}

#[tokio::test]
async fn when_most_answers_are_unclear_the_pass_ends_early_and_nothing_is_concluded() {
    let (h, members) = with_numbered(60).await;
    assert!(h.pass().await.complete());
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    h.fault(LIST, Trouble::GraphqlError { code: "exception".into() });
    let report = h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(report.stopped, Some("most_answers_unclear"));
    assert!(!report.complete());
    assert_eq!((report.progress.members, report.progress.unclear), (20, 20));
    let last = h.app.store.last_sweep().await.unwrap().unwrap();
    assert_eq!(last.stopped.as_deref(), Some("most_answers_unclear"));
    assert!(last.finished_at.is_some() && !last.complete);
    assert_eq!(h.app.store.fleet(true).await.unwrap().connections["CONNECTED"], 60);
    assert!(h.mails().is_empty());
    h.end_faults();
    let report = h.pass_after(TimeDelta::minutes(15)).await;
    assert!(report.complete());
    assert_eq!((report.progress.members, report.progress.transitions), (60, 60), "the next begins anew");
}

#[tokio::test]
async fn a_gateway_that_asks_for_long_patience_gets_it() {
    let (h, _) = with_numbered(5).await;
    h.fault(LIST, Trouble::Http { status: 429, retry_after: Some("3600".into()) });
    let report = h.pass().await;
    assert_eq!(report.stopped, Some("gateway_asks_for_patience"));
    h.end_faults();
    assert!(h.pass().await.complete());
}

#[tokio::test]
async fn members_without_a_credential_and_members_who_are_paused_are_not_asked_about() {
    let h = Harness::watching(&["alice"]).await;
    h.enrol_without_credential("bob").await;
    h.enrol(&["carol"]).await;
    sqlx::query("UPDATE members SET paused_at = 1 WHERE member_id = 'carol'")
        .execute(&mut h.sql().await)
        .await
        .unwrap();
    let report = h.pass().await;
    assert!(report.complete());
    assert_eq!(report.progress.members, 1);
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
    h.fault(LIST, Trouble::Delay { ms: 20 });
    assert!(h.pass().await.complete());
    let peak = h.sim.world().peak_in_flight();
    assert!((2..=7).contains(&peak), "{peak}");
}
