//! The storm brake.

use crate::harness::{Harness, Setup, link_in, unsubscribe_link_in};
use chrono::TimeDelta;
use reconnectd::domain::{HoldId, HoldScope, StormPolicy};
use reconnectd::notify::deliver::Delivered;
use reconnectd::sim::ReceivedEmail;
use reconnectd::store::{HoldRecord, NewHold, Release, Takeover};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const QUARTER: TimeDelta = TimeDelta::minutes(15);
const MINUTE: TimeDelta = TimeDelta::minutes(1);
const MEMBERS: u32 = 40;

fn setup() -> Setup {
    Setup::default()
        .set("STORM__MIN_MEMBERS", 10)
        .set("STORM__FLEET_SHARE", 1)
        .set("STORM__DRIP_PER_MINUTE", 2)
        .members(MEMBERS)
}

fn members(numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|n| format!("m{n}")).collect()
}

async fn watching(setup: Setup) -> Harness {
    let all = members(1..=MEMBERS);
    Harness::watching_with(setup, &all.iter().map(String::as_str).collect::<Vec<_>>()).await
}

fn set(h: &Harness, numbers: std::ops::RangeInclusive<u32>, status: &str) {
    members(numbers).iter().for_each(|member| h.set(member, "epic", status));
}

async fn holds(h: &Harness) -> Vec<HoldRecord> {
    h.app.store.holds().await.unwrap()
}

/// The kind, the state, the source, and the notices held of each hold.
async fn shown(h: &Harness) -> Vec<String> {
    let show = |hold: &HoldRecord| {
        let source = hold.scope.source.as_ref().map_or("all", |source| source.as_str());
        format!("{} {} {source} {}", hold.kind.as_str(), hold.state.as_str(), hold.notices)
    };
    holds(h).await.iter().map(show).collect()
}

#[tokio::test]
async fn a_storm_is_held_before_its_first_email_and_what_is_left_goes_out_little_by_little() {
    let h = watching(setup()).await;
    set(&h, 1..=30, "EXPIRED");
    h.set("m40", "kaiser-north", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.recipients(), ["m40@example.org"], "another source's lapse is emailed");
    assert_eq!(shown(&h).await, ["storm holding epic 30"]);
    let storm = holds(&h).await.remove(0);
    assert_eq!((storm.lapsed, storm.connections), (30, 40));
    assert_eq!(h.log.text().matches("event=\"storm_started\"").count(), 1);

    set(&h, 1..=25, "CONNECTED");
    for _ in 0..3 {
        h.pass_after(QUARTER).await;
    }
    assert_eq!(shown(&h).await, ["storm holding epic 5"], "within the window");
    assert_eq!(h.mails().len(), 1);
    h.pass_after(QUARTER).await;
    assert_eq!(shown(&h).await, ["storm dripping epic 3"]);
    for expected in [5, 6] {
        assert!(h.mails().len() < expected);
        h.pass_after(MINUTE).await;
        assert_eq!(h.mails().len(), expected);
    }
    h.pass_after(MINUTE).await;
    assert_eq!(shown(&h).await, ["storm ended epic 0"]);
    assert_eq!(h.mails().len(), 6);
    assert_eq!(h.log.text().matches("event=\"storm_started\"").count(), 1);
}

#[tokio::test]
async fn a_storm_that_builds_up_over_several_sweeps_holds_what_is_queued() {
    let setup = setup().set("NOTICES__EXPIRED__FIRST_AFTER", "50m");
    let h = watching(setup).await;
    for first in [1, 6, 11] {
        set(&h, first..=first + 4, "EXPIRED");
        h.pass_after(QUARTER).await;
    }
    h.pass_after(QUARTER).await;
    assert!(h.mails().is_empty());
    assert_eq!(holds(&h).await.len(), 1);
    h.pass_after(QUARTER).await;
    assert!(h.mails().is_empty());
    assert_eq!(holds(&h).await[0].lapsed, 15);
}

#[tokio::test]
async fn what_is_confirmed_between_two_sweeps_counts_before_the_next_sweep() {
    let setup = setup().set("SWEEP__CONFIRM_SWEEPS", 2).set("NOTICES__EXPIRED__FIRST_AFTER", "0s");
    let h = watching(setup).await;
    set(&h, 1..=30, "EXPIRED");
    h.pass().await;
    assert!(holds(&h).await.is_empty(), "all are suspected");
    h.clock.advance(TimeDelta::minutes(30));
    while h.app.rechecker.recheck_one().await.unwrap() {}
    assert_eq!(shown(&h).await, ["storm holding epic 0"]);
    assert_eq!(h.log.text().matches("event=\"storm_started\"").count(), 1);
    while h.app.planner.plan_page().await.unwrap() {}
    assert_eq!(shown(&h).await, ["storm holding epic 30"]);
    assert_eq!(h.app.deliverer.deliver_one().await.unwrap(), Delivered::Nothing);
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn connections_that_are_broken_when_first_seen_count_and_a_release_sends_them() {
    let h = setup().start().await;
    set(&h, 1..=MEMBERS, "EXPIRED");
    let all = members(1..=MEMBERS);
    h.enrol(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    h.pass().await;
    assert!(h.mails().is_empty());
    // All connections of the source are all connections.
    let storms = holds(&h).await;
    assert_eq!(storms.iter().map(|storm| storm.notices).collect::<Vec<_>>(), [u64::from(MEMBERS); 2]);
    for storm in storms {
        h.app.store.release_hold(&storm.id, h.clock.now()).await.unwrap();
    }
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(h.mails().len(), MEMBERS as usize);
}

#[tokio::test]
async fn a_storm_that_flares_up_again_is_held_and_reported_again() {
    let h = watching(setup()).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(shown(&h).await, ["storm dripping epic 18"]);
    assert_eq!(h.mails().len(), 2);
    set(&h, 21..=40, "EXPIRED");
    h.pass_after(QUARTER).await;
    let mails = h.mails().len();
    assert_eq!(shown(&h).await[0].split(' ').nth(1), Some("holding"));
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), mails);
    assert_eq!(h.log.text().matches("event=\"storm_started\"").count(), 2);
}

#[tokio::test]
async fn many_lapses_of_all_sources_together_are_a_storm_of_the_fleet() {
    let h = watching(setup().set("STORM__SHARE", 1).set("STORM__FLEET_SHARE", "0.1")).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    assert!(h.mails().is_empty());
    assert_eq!(shown(&h).await, ["storm holding all 20"]);
}

#[tokio::test]
async fn two_instances_start_a_storm_once_and_drip_at_the_pace_of_one() {
    let h = watching(setup().set("STORM__MIN_MEMBERS", 0)).await;
    set(&h, 1..=20, "EXPIRED");
    h.sweep().await;
    let policy = StormPolicy { min_members: 10, share: 0.2, fleet_share: 1.0, window: TimeDelta::hours(1) };
    let (store, now) = (&h.app.store, h.clock.now());
    let (first, second) = tokio::join!(store.brake(&policy, now), store.brake(&policy, now));
    assert_eq!(first.unwrap().started.len() + second.unwrap().started.len(), 1);
    h.app.planner.plan_page().await.unwrap();
    assert_eq!(shown(&h).await, ["storm holding epic 20"]);
    h.clock.advance(TimeDelta::hours(2));
    let now = h.clock.now();
    store.brake(&policy, now).await.unwrap();
    let (first, second) = tokio::join!(store.drip(2, now), store.drip(2, now));
    assert_eq!(first.unwrap() + second.unwrap(), 2);
    assert_eq!(shown(&h).await, ["storm dripping epic 18"]);
}

fn mail_to(h: &Harness, member: &str) -> Arc<ReceivedEmail> {
    let is_to = |mail: &Arc<ReceivedEmail>| mail.to[0].starts_with(member);
    h.mails().into_iter().rfind(is_to).expect("an email")
}

#[tokio::test]
async fn a_link_s_page_tells_of_a_source_in_trouble_while_a_storm_is_held() {
    let h = watching(setup()).await;
    h.set("m39", "epic", "EXPIRED");
    h.set("m40", "epic", "EXPIRED");
    h.set("m40", "kaiser-north", "EXPIRED");
    h.pass_after(QUARTER).await;
    let (one, two) = (link_in(&mail_to(&h, "m39@")), link_in(&mail_to(&h, "m40@")));
    let stop = unsubscribe_link_in(&mail_to(&h, "m39@"));
    assert_eq!(h.look(&one).await.states(), ["ready", "available"]);
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;

    let page = h.look(&one).await;
    assert_eq!((page.status, page.states()), (200, vec!["in_trouble", "available"]));
    assert_eq!(page.forms(), ["redeem epic"]);
    assert!(page.html.contains("write to you"));
    let page = h.look(&two).await;
    assert_eq!(page.states(), ["ready", "available", "available"]);
    assert_eq!(page.forms(), ["redeem epic", "redeem kaiser-north", "snooze kaiser-north"]);

    h.browser().press(&stop, &[]).await;
    let page = h.look(&one).await;
    assert_eq!(page.states(), ["in_trouble", "available"]);
    assert!(!page.html.contains("write to you"), "an unsubscribed member gets no email");
    assert_eq!(h.press(&one).await.status, 303, "the button works");

    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(h.look(&two).await.forms().len(), 4, "the storm has calmed down");
}

#[tokio::test]
async fn an_operator_s_hold_is_no_trouble_of_the_source_and_promises_no_day() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let hold = |until| NewHold { scope: HoldScope::default(), until, reason: "a test".into() };
    let until = h.clock.now() + TimeDelta::days(9);
    let add = async |until| h.app.store.add_hold(&hold(until), h.clock.now()).await.unwrap().unwrap().id;
    let first = add(Some(until)).await;
    let page = h.look(&link).await;
    assert_eq!(
        (page.states(), page.forms()),
        (vec!["ready", "available"], vec!["redeem epic".to_owned(), "snooze epic".to_owned()])
    );
    let page = h.press(&format!("{link}/snooze")).await;
    assert!(page.html.contains("March 11<"), "{}", page.html);
    add(None).await;
    assert_eq!(h.look(&link).await.states(), ["ready", "available"], "nobody knows when");
    h.app.store.release_hold(&first, h.clock.now()).await.unwrap();
}

#[tokio::test]
async fn a_storm_survives_a_restart_of_the_daemon() {
    let h = watching(setup()).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    let restarted = h.another_app(&[]).await;
    restarted.run_once(&CancellationToken::new()).await.unwrap();
    assert!(h.mails().is_empty());
    assert_eq!(shown(&h).await, ["storm holding epic 20"]);
}

#[tokio::test]
async fn without_a_brake_everything_is_sent() {
    let h = watching(setup().set("STORM__MIN_MEMBERS", 0)).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 20);
}

fn alerts(h: &Harness) -> usize {
    h.log.text().matches("event=\"storm_started\"").count()
}

async fn take(h: &Harness, id: &HoldId) -> Takeover {
    h.app.store.take_over_hold(id, None, "we ask the source", h.clock.now()).await.unwrap()
}

async fn reasons(h: &Harness, member: &str) -> Vec<String> {
    let row = |notice: &reconnectd::store::ListedNotice| {
        format!("{} {}", notice.notice.state.as_str(), notice.reason.as_str())
    };
    h.notices(member).await.iter().map(row).collect()
}

#[tokio::test]
async fn connections_that_break_again_together_are_a_storm_though_their_lapses_are_old() {
    let h = watching(setup()).await;
    for first in [1, 10] {
        set(&h, first..=first + 8, "EXPIRED");
        h.pass_after(TimeDelta::hours(2)).await;
    }
    set(&h, 1..=18, "CONNECTED");
    h.pass_after(QUARTER).await;
    assert_eq!((h.mails().len(), holds(&h).await.len()), (18, 0), "two times nine are no storm");
    // The next reminder of each would be due at once.
    h.clock.advance(TimeDelta::days(4));
    set(&h, 1..=18, "EXPIRED");
    h.pass().await;
    assert_eq!(shown(&h).await, ["storm holding epic 18"]);
    assert_eq!((h.mails().len(), h.lapse_states("m1").await), (18, vec!["epic open".to_owned()]));
}

#[tokio::test]
async fn a_lapse_that_resumes_in_a_sweep_is_planned_when_the_sweep_has_ended() {
    let h = watching(Setup::default().members(MEMBERS)).await;
    h.set("m1", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    h.set("m1", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    h.clock.advance(TimeDelta::days(4));
    h.set("m1", "epic", "EXPIRED");
    h.set("m2", "epic", "EXPIRED");
    h.sweep().await;
    let newest = "SELECT max(started_at) FROM sweeps";
    let mut rows = h.rows().await;
    rows.run(&format!("UPDATE sweeps SET finished_at = NULL WHERE started_at = ({newest})")).await.unwrap();
    assert!(!h.app.planner.plan_page().await.unwrap(), "the sweep is under way");
    rows.run("UPDATE sweeps SET finished_at = started_at WHERE finished_at IS NULL").await.unwrap();
    assert!(h.app.planner.plan_page().await.unwrap());
    assert_eq!((h.notices("m1").await.len(), h.notices("m2").await.len()), (2, 1));
}

#[tokio::test]
async fn a_release_says_before_how_many_emails_it_sends_and_the_brake_does_not_hold_them_again() {
    let h = watching(setup()).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    let storm = holds(&h).await.remove(0);
    assert_eq!((storm.notices, storm.would_email), (20, 20));
    let other = HoldScope { member_id: Some("m1".into()), ..HoldScope::default() };
    let other = NewHold { scope: other, until: None, reason: "asked for it".into() };
    h.app.store.add_hold(&other, h.clock.now()).await.unwrap();
    let counts = |hold: &HoldRecord| (hold.notices, hold.would_email);
    assert_eq!(holds(&h).await.iter().map(counts).collect::<Vec<_>>(), [(1, 0), (20, 19)]);
    let released = h.app.store.release_hold(&storm.id, h.clock.now()).await.unwrap();
    assert_eq!(released, Release::Released(19));
    // The lapses are still recent.
    h.sweep_after(MINUTE).await;
    h.pass_after(MINUTE).await;
    assert_eq!((h.mails().len(), alerts(&h)), (19, 1));
    set(&h, 21..=39, "EXPIRED");
    h.pass_after(MINUTE).await;
    assert_eq!((h.mails().len(), alerts(&h)), (19, 2), "another storm");
}

#[tokio::test]
async fn an_operator_takes_over_a_storm_and_nothing_is_sent_until_the_release() {
    let h = watching(setup()).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    let storm = holds(&h).await.remove(0);
    assert_eq!(reasons(&h, "m1").await, ["held held_by_storm"]);
    let Takeover::Taken(hold) = take(&h, &storm.id).await else { panic!("it is a storm's") };
    assert_eq!((hold.scope, hold.notices, hold.would_email), (storm.scope, 20, 20));
    assert_eq!(shown(&h).await, ["operator holding epic 20", "storm ended epic 0"]);
    assert_eq!(reasons(&h, "m1").await, ["held held_by_operator"]);
    for _ in 0..6 {
        h.pass_after(QUARTER).await;
    }
    assert_eq!(shown(&h).await, ["operator holding epic 20", "storm ended epic 0"], "the window is over");
    assert_eq!((h.mails().len(), alerts(&h)), (0, 1));
    assert_eq!(reasons(&h, "m1").await, ["held held_by_operator"]);
    assert!(matches!(take(&h, &storm.id).await, Takeover::HadEnded));
    assert!(matches!(take(&h, &hold.id).await, Takeover::IsOperators));
    assert!(matches!(take(&h, &"unknown".into()).await, Takeover::Unknown));
    h.app.store.release_hold(&hold.id, h.clock.now()).await.unwrap();
    h.pass_after(MINUTE).await;
    assert_eq!(h.mails().len(), 20);
}

#[tokio::test]
async fn an_operator_takes_over_a_storm_that_drips_and_what_has_not_gone_out_stays() {
    let h = watching(setup()).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!((shown(&h).await, h.mails().len()), (vec!["storm dripping epic 18".to_owned()], 2));
    let storm = holds(&h).await.remove(0);
    assert!(matches!(take(&h, &storm.id).await, Takeover::Taken(hold) if hold.notices == 18));
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn what_a_storm_has_counted_does_not_start_it_again_when_it_calms_down() {
    let h = watching(setup()).await;
    set(&h, 1..=28, "EXPIRED");
    h.pass_after(QUARTER).await;
    // Enough for a storm, and fewer than half as many.
    set(&h, 31..=40, "EXPIRED");
    h.pass_after(TimeDelta::minutes(50)).await;
    for _ in 0..3 {
        h.pass_after(QUARTER).await;
        assert_eq!(shown(&h).await[0].split(' ').nth(1), Some("dripping"));
    }
    assert_eq!((h.mails().len(), alerts(&h)), (6, 1));
}

#[tokio::test]
async fn a_storm_that_calms_down_before_the_first_email_is_due_drips_from_then_on() {
    let h = watching(setup().set("NOTICES__EXPIRED__FIRST_AFTER", "3h")).await;
    set(&h, 1..=20, "EXPIRED");
    h.pass_after(QUARTER).await;
    let half_a_minute = TimeDelta::seconds(30);
    h.pass_after(TimeDelta::hours(3) - half_a_minute).await;
    assert_eq!((shown(&h).await, h.mails().len()), (vec!["storm dripping epic 20".to_owned()], 0));
    // The planner decides again about what is held for m20.
    h.set("m20", "kaiser-north", "EXPIRED");
    for expected in [2, 2, 4] {
        h.pass_after(half_a_minute).await;
        assert_eq!(h.mails().len(), expected);
    }
}
