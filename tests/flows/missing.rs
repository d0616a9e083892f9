//! Rows that the gateway's list leaves out, and ids whose case changes.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    domain::{Cause, MemberId},
    notify::deliver::Delivered,
    sim::{Change, FaultKind, Operation},
    store::AttemptOutcome,
};
use tokio_util::sync::CancellationToken;

const QUARTER: TimeDelta = TimeDelta::minutes(15);

fn twice() -> Setup {
    Setup::default().set("SWEEP__CONFIRM_SWEEPS", 2)
}

fn absent() -> Change {
    Change { absent: true, ..Change::default() }
}

fn leave_out(h: &Harness, connection: &str) {
    h.sim.world().change("alice", connection, absent()).unwrap();
}

/// Alice's connections have expired, twice confirmed; a notice about them is queued.
async fn queued(connections: &[&str]) -> Harness {
    let h = Harness::watching_with(twice(), &["alice"]).await;
    for connection in connections {
        h.set("alice", connection, "EXPIRED");
    }
    h.pass_after(QUARTER).await;
    h.clock.advance(QUARTER);
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    assert!(h.app.planner.plan_page().await.unwrap());
    h
}

async fn deliver(h: &Harness) -> Delivered {
    h.app.deliverer.deliver_one().await.unwrap()
}

/// The same, delivered. Gives the link.
async fn mailed() -> (Harness, String) {
    let h = queued(&["epic"]).await;
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
    let link = h.link();
    (h, link)
}

#[tokio::test]
async fn a_missing_row_changes_nothing_until_a_second_response_confirms_it() {
    let (h, link) = mailed().await;
    leave_out(&h, "epic");
    h.pass_after(QUARTER).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    h.pass_after(QUARTER).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED", "DELETED"]);
    assert_eq!(h.lapse_states("alice").await, ["epic closed removed"]);
    assert_eq!(h.look(&link).await.states(), ["removed"]);
}

#[tokio::test]
async fn a_missing_row_has_to_be_missing_for_as_long_as_a_break_has_to_last() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_AFTER", "1h"), &["alice"]).await;
    leave_out(&h, "epic");
    for minutes in [0, 15, 44] {
        h.pass_after(TimeDelta::minutes(minutes)).await;
        assert_eq!(h.path("alice", "epic").await, ["CONNECTED"]);
    }
    h.pass_after(TimeDelta::minutes(1)).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "DELETED"]);
}

#[tokio::test]
async fn a_row_that_returns_was_never_deleted() {
    let h = Harness::watching_with(twice(), &["alice"]).await;
    for _ in 0..2 {
        leave_out(&h, "epic");
        h.pass_after(QUARTER).await;
        h.set("alice", "epic", "CONNECTED");
        h.pass_after(QUARTER).await;
    }
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED"]);
    h.clock.advance(TimeDelta::hours(2));
    assert!(!h.app.rechecker.recheck_one().await.unwrap(), "nor is it looked for any more");
}

#[tokio::test]
async fn a_missing_row_is_polled_again_without_a_sweep() {
    let h = Harness::watching_with(twice(), &["alice"]).await;
    leave_out(&h, "epic");
    h.pass().await;
    h.clock.advance(TimeDelta::minutes(30));
    assert!(h.app.rechecker.recheck_one().await.unwrap());
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "DELETED"]);
    h.clock.advance(TimeDelta::hours(2));
    assert!(!h.app.rechecker.recheck_one().await.unwrap());
}

#[tokio::test]
async fn the_page_of_a_missing_connection_asks_to_try_again_later_and_its_link_stays_valid() {
    let (h, link) = mailed().await;
    leave_out(&h, "epic");
    h.pass_after(QUARTER).await;
    let before = h.asked("alice", Operation::GetOauthUrl);
    for page in [h.look(&link).await, h.press(&link).await] {
        assert_eq!((page.status, page.location.clone()), (503, None));
        assert_eq!(page.states(), ["missing"]);
    }
    assert_eq!(h.asked("alice", Operation::GetOauthUrl), before, "nobody is sent to what may be gone");
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    h.reconnect(&link).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_second_look_that_finds_the_row_missing_defers_the_notice() {
    let h = queued(&["epic"]).await;
    leave_out(&h, "epic");
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
    let notice = h.notices("alice").await.remove(0);
    assert_eq!((notice.notice.state.as_str(), notice.reason.as_str()), ("queued", "connection_missing"));
    assert!(h.mails().is_empty());
    h.set("alice", "epic", "EXPIRED");
    h.clock.advance(TimeDelta::minutes(2));
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
}

#[tokio::test]
async fn a_notice_about_a_deleted_row_is_cancelled() {
    let h = queued(&["epic"]).await;
    leave_out(&h, "epic");
    deliver(&h).await;
    h.clock.advance(TimeDelta::minutes(2));
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    assert_eq!(h.notice_states("alice").await, ["cancelled"]);
    assert_eq!(deliver(&h).await, Delivered::Nothing);
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_missing_connection_is_left_out_of_the_email_and_gets_its_own_when_it_returns() {
    let h = queued(&["epic", "kaiser-north"]).await;
    leave_out(&h, "epic");
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
    let page = h.look(&h.link()).await;
    assert!(page.html.contains("Kaiser North") && !page.html.contains("Epic"), "{}", page.html);
    while h.app.planner.plan_page().await.unwrap() {}
    assert_eq!(h.notice_states("alice").await, ["sent"], "nothing is planned about what is missing");
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.notice_states("alice").await, ["sent", "sent"]);
    assert!(h.look(&h.link()).await.html.contains("Epic"));
}

#[tokio::test]
async fn on_a_page_with_several_only_the_missing_one_cannot_be_pressed() {
    let h = queued(&["epic", "kaiser-north"]).await;
    deliver(&h).await;
    let link = h.link();
    leave_out(&h, "epic");
    h.pass_after(QUARTER).await;
    let page = h.look(&link).await;
    assert_eq!(page.states(), ["ready", "missing", "available"], "{}", page.html);
    let pressed = h.person().press(&link, &[("connection", "epic")]).await.unwrap();
    assert_eq!((pressed.status, pressed.location), (200, None));
    assert_eq!(h.person().press(&link, &[("connection", "kaiser-north")]).await.unwrap().status, 303);
}

#[tokio::test]
async fn a_list_that_turned_empty_for_one_member_is_believed_by_an_operator_alone() {
    let h = queued(&["epic"]).await;
    h.fault(Operation::GetMemberConnections, FaultKind::EmptyList);
    let before = h.contents().await;
    let alice = MemberId::from("alice");
    for cause in [Cause::Recheck, Cause::SecondLook] {
        let (_, applied) = h.app.poller.poll(&alice, cause).await.unwrap();
        assert!(applied.turned_empty && applied.transitions.is_empty());
    }
    assert_eq!(h.contents().await, before, "nothing is applied, not even a digest");
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
    let notice = h.notices("alice").await.remove(0);
    assert_eq!(notice.reason, "second_look_unclear");
    for _ in 0..2 {
        h.app.poller.poll(&alice, Cause::Operator).await.unwrap();
    }
    assert_eq!(h.path("alice", "epic").await.last().unwrap(), "DELETED");
    let (_, applied) = h.app.poller.poll(&alice, Cause::Recheck).await.unwrap();
    assert!(!applied.turned_empty, "an empty list is nothing new then");
    h.end_faults();
}

#[tokio::test]
async fn an_id_that_changes_its_case_stays_one_connection_and_is_requested_in_its_latest_spelling() {
    let (h, link) = mailed().await;
    let capital =
        Change { name: Some("Epic".into()), category: Some("OAUTH".into()), ..Change::status("EXPIRED") };
    h.sim.world().change_together("alice", [("epic", absent()), ("EPIC", capital)]).unwrap();
    h.pass_after(QUARTER).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
    assert_eq!(h.path("alice", "EPIC").await, [] as [&str; 0]);
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    let pressed = h.person().press(&link, &[("connection", "Epic")]).await.unwrap();
    assert_eq!(pressed.status, 303);
    assert!(
        pressed.location.as_ref().unwrap().contains("connection=EPIC"),
        "the gateway knows this spelling"
    );
    h.allow(&pressed).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn an_operator_can_spell_an_id_in_any_case() {
    let h = queued(&["epic"]).await;
    let capital = Change { category: Some("OAUTH".into()), ..Change::status("EXPIRED") };
    h.sim.world().change_together("alice", [("epic", absent()), ("EPIC", capital)]).unwrap();
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
    let operator = &h.app.operator;
    let alice = MemberId::from("alice");
    let found = operator.connection(&alice, &"ePiC".into()).await.unwrap();
    assert_eq!(found.id.as_str(), "EPIC", "requests use the latest spelling");
    let cut = operator.disconnect(&alice, found).await.unwrap();
    assert_eq!(cut.status.unwrap().as_str(), "DISCONNECTED");
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
}

#[tokio::test]
async fn two_rows_that_differ_only_in_case_and_contradict_each_other_say_nothing() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "EPIC", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED"]);
    assert_eq!(h.lapse_states("alice").await, [] as [&str; 0]);
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.mails().len(), 1);
}
