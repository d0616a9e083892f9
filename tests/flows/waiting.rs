//! A notice that a gate defers is a row from then on, with its step, its reason, and its time.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::{HoldScope, NoticeState};
use reconnectd::server::components::App;
use reconnectd::store::{InstanceCommand, NewHold};

/// The state, the step, the reason, and the time from now of each notice, the latest last.
async fn notices(h: &Harness, member: &str) -> Vec<(&'static str, u32, String, i64)> {
    let now = h.clock.now();
    let notices = h.notices(member).await.into_iter();
    notices
        .map(|listed| {
            let wait = (listed.not_before - now).num_minutes();
            (listed.notice.state.as_str(), listed.notice.step, listed.reason, wait)
        })
        .collect()
}

/// A daemon with another policy.
async fn restarted(h: &Harness, setting: (&str, &str)) -> App {
    let daemon = h.another_app(&[setting]).await;
    drop(daemon.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    // A daemon that has given up its lock sends nothing for long.
    h.another_app(&[setting]).await
}

fn row(state: &'static str, step: u32, reason: &str, minutes: i64) -> (&'static str, u32, String, i64) {
    (state, step, reason.to_owned(), minutes)
}

#[tokio::test]
async fn patience_is_a_row_from_the_opening_of_the_lapse() {
    let h =
        Harness::watching_with(Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, [row("queued", 0, "first_after", 360)]);
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(notices(&h, "alice").await, [row("queued", 0, "first_after", 240)]);
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::hours(2)).await;
    let listed = h.notices("alice").await.remove(0);
    assert_eq!((listed.notice.state, listed.reason.as_str()), (NoticeState::Cancelled, "recovered"));
}

#[tokio::test]
async fn the_same_row_waits_for_each_gate_in_turn_and_is_sent() {
    let setup = Setup::default()
        .set("NOTICES__EXPIRED__FIRST_AFTER", "15h")
        .set("NOTICES__QUIET_HOURS", "21:00-08:00");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let first = h.notices("alice").await.remove(0);
    // The test begins in the morning. 15 hours later it is night.
    assert_eq!(first.reason, "quiet_hours");
    h.clock.advance(first.not_before - h.clock.now());
    h.pass().await;
    let sent = h.notices("alice").await;
    assert_eq!(
        (sent.len(), &sent[0].notice.id, sent[0].notice.state),
        (1, &first.notice.id, NoticeState::Sent)
    );
}

#[tokio::test]
async fn a_reminder_is_a_row_from_its_day_on_and_not_before() {
    let h = Harness::watching_with(Setup::default().set("NOTICES__MIN_GAP", "24h"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.pass_after(TimeDelta::days(2) + TimeDelta::hours(12)).await;
    assert_eq!(h.notices("alice").await.len(), 1);
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass().await;
    assert_eq!(h.mails().len(), 2, "the other lapse");
    h.pass_after(TimeDelta::hours(12)).await;
    assert_eq!(notices(&h, "alice").await[2..], [row("queued", 1, "min_gap", 720)]);
    h.pass_after(TimeDelta::hours(12)).await;
    assert_eq!((h.mails().len(), h.notices("alice").await[2].notice.state), (3, NoticeState::Sent));
}

#[tokio::test]
async fn a_lapse_that_opens_while_another_waits_joins_its_row_when_both_are_due_together() {
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass_after(TimeDelta::minutes(5)).await;
    let listed = h.notices("alice").await;
    assert_eq!((listed.len(), listed[0].notice.items.len()), (1, 2));
    h.set("alice", "labcorp", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.notices("alice").await.len(), 2, "a later one has its own row");
    h.pass_after(TimeDelta::hours(5)).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_hold_holds_a_row_that_waits_for_patience_and_gives_it_back_with_its_time() {
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let new = NewHold { scope: HoldScope::default(), until: None, reason: "test".to_owned() };
    let hold = h.app.store.add_hold(&new, h.clock.now()).await.unwrap().unwrap();
    assert_eq!(hold.notices, 1);
    assert_eq!(notices(&h, "alice").await, [row("held", 0, "held_by_operator", 360)]);
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(notices(&h, "alice").await, [row("held", 0, "held_by_operator", 300)]);
    h.app.store.release_hold(&hold.id, h.clock.now()).await.unwrap();
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, [row("queued", 0, "first_after", 300)]);
    h.pass_after(TimeDelta::hours(5)).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_lapse_that_opens_under_a_hold_is_a_held_row() {
    let h =
        Harness::watching_with(Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h"), &["alice"]).await;
    let new = NewHold { scope: HoldScope::default(), until: None, reason: "test".to_owned() };
    h.app.store.add_hold(&new, h.clock.now()).await.unwrap().unwrap();
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, [row("held", 0, "held_by_operator", 360)]);
}

#[tokio::test]
async fn another_policy_changes_the_rows_that_wait() {
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let changed = restarted(&h, ("NOTICES__EXPIRED__FIRST_AFTER", "2h")).await;
    while changed.planner.plan_page().await.unwrap() {}
    assert_eq!(notices(&h, "alice").await, [row("queued", 0, "first_after", 120)]);
    let disabled = restarted(&h, ("NOTICES__EXPIRED__ENABLED", "false")).await;
    while disabled.planner.plan_page().await.unwrap() {}
    let cancelled = h.notices("alice").await.remove(0);
    assert_eq!(cancelled.reason, "status_disabled");
    assert_eq!(cancelled.notice.items.len(), 1, "it says what it was about");
    assert_eq!(h.notice_states("alice").await, ["cancelled"]);
}

#[tokio::test]
async fn reminders_that_are_shortened_lengthened_or_removed_apply_to_open_lapses() {
    for (reminders, days, steps) in [("1d", 1, vec![0, 1]), ("5d", 4, vec![0]), ("", 30, vec![0])] {
        let h = Harness::watching(&["alice"]).await;
        h.set("alice", "epic", "EXPIRED");
        h.pass().await;
        let changed = restarted(&h, ("NOTICES__EXPIRED__REMINDERS", reminders)).await;
        h.clock.advance(TimeDelta::days(days));
        changed.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap();
        let sent: Vec<_> = h.notices("alice").await.iter().map(|listed| listed.notice.step).collect();
        assert_eq!(sent, steps, "{reminders}");
    }
}

#[tokio::test]
async fn an_open_lapse_stays_open_when_more_observations_are_asked_for() {
    let h =
        Harness::watching_with(Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let changed = restarted(&h, ("SWEEP__CONFIRM_SWEEPS", "5")).await;
    h.clock.advance(TimeDelta::hours(6));
    changed.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.mails().len(), 1);
}
