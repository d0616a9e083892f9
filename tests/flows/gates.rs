//! Patience, quiet hours, the gap, and the cap: when an email is planned, and just before it is sent.

use crate::harness::{Harness, Setup};
use chrono::{TimeDelta, Timelike};
use reconnectd::{
    notify::deliver::Delivered,
    sim::{SmtpFault, SmtpStage},
    store::{AttemptOutcome, ClaimLimits},
};

const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// Passes every quarter of an hour, until the time has passed.
async fn passes(h: &Harness, time: TimeDelta) {
    let end = h.clock.now() + time;
    while h.clock.now() < end {
        h.pass_after(QUARTER).await;
    }
}

/// The state, the reason, and the attempts of each notice.
async fn notices(h: &Harness, member: &str) -> Vec<String> {
    let notices = h.notices(member).await;
    notices
        .iter()
        .map(|notice| {
            format!("{} {} {}", notice.notice.state.as_str(), notice.reason.as_str(), notice.notice.attempts)
        })
        .collect()
}

#[tokio::test]
async fn a_connection_that_recovers_in_time_never_causes_an_email() {
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    passes(&h, TimeDelta::hours(5)).await;
    h.set("alice", "epic", "CONNECTED");
    assert!(h.mails().is_empty());
    passes(&h, TimeDelta::hours(2)).await;
    assert_eq!(h.recipients(), ["bob@example.org"]);
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn patience_counts_from_the_latest_break() {
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    passes(&h, TimeDelta::hours(4)).await;
    h.set("alice", "epic", "CONNECTED");
    passes(&h, TimeDelta::hours(1)).await;
    h.set("alice", "epic", "EXPIRED");
    passes(&h, TimeDelta::hours(6)).await;
    assert!(h.mails().is_empty());
    passes(&h, QUARTER).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_notice_that_becomes_due_at_night_goes_out_in_the_hour_after_it() {
    let setup = Setup::default()
        .set("NOTICES__QUIET_HOURS", "21:00-08:00")
        .set("NOTICES__TIME_ZONE", "Asia/Kathmandu");
    let h = Harness::watching_with(setup, &["alice", "bob", "carol"]).await;
    // 20:45 in Kathmandu.
    h.clock.advance(TimeDelta::hours(6));
    passes(&h, QUARTER).await;
    for member in ["alice", "bob", "carol"] {
        h.set(member, "epic", "EXPIRED");
    }
    passes(&h, TimeDelta::hours(11)).await;
    assert!(h.mails().is_empty());
    passes(&h, TimeDelta::hours(1)).await;
    assert_eq!(h.mails().len(), 3);
}

#[tokio::test]
async fn a_night_that_began_after_planning_costs_no_attempt_and_no_step() {
    let setup = Setup::default().set("NOTICES__QUIET_HOURS", "21:00-08:00");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.clock.advance(TimeDelta::hours(11));
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Connect, 421, "4.3.2 busy").times(1));
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, ["queued mail_server_busy 1"]);
    h.clock.advance(TimeDelta::hours(2));
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, ["queued quiet_hours 1"]);
    let waiting = h.notices("alice").await.remove(0).not_before;
    assert_eq!(waiting.hour(), 8);
    passes(&h, TimeDelta::hours(11)).await;
    assert_eq!((h.mails().len(), notices(&h, "alice").await), (1, vec!["sent accepted 2".to_owned()]));
    assert_eq!(h.notices("alice").await[0].notice.step, 0);
}

#[tokio::test]
async fn members_who_share_an_address_share_its_gap() {
    let setup = Setup::default().set("NOTICES__MIN_GAP", "24h");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.enrol_at("bob", "Alice@example.org").await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("bob", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    assert_eq!(notices(&h, "alice").await, ["sent accepted 1"]);
    assert_eq!(notices(&h, "bob").await, ["queued min_gap 0"]);
    passes(&h, TimeDelta::hours(23)).await;
    assert_eq!(h.mails().len(), 1);
    passes(&h, TimeDelta::hours(2)).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn an_address_gets_no_more_emails_in_thirty_days_than_its_cap() {
    let setup = Setup::default().set("NOTICES__MAX_PER_MONTH", "2");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.enrol_at("bob", "alice@example.org").await;
    for (member, source) in [("alice", "epic"), ("bob", "epic"), ("alice", "kaiser-north")] {
        h.set(member, source, "EXPIRED");
        h.pass_after(TimeDelta::days(1)).await;
    }
    assert_eq!(h.mails().len(), 2);
    h.pass_after(TimeDelta::days(27)).await;
    assert_eq!(h.mails().len(), 2);
    h.pass_after(TimeDelta::days(1)).await;
    assert_eq!(h.mails().len(), 3);
}

#[tokio::test]
async fn a_link_that_a_member_requests_comes_at_night_and_counts_for_no_limit() {
    let setup = Setup::default()
        .set("NOTICES__QUIET_HOURS", "21:00-08:00")
        .set("NOTICES__MAX_PER_MONTH", "2")
        .set("NOTICES__MIN_GAP", "1h");
    let (h, link) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    h.clock.advance(TimeDelta::hours(14));
    h.press(&format!("{link}/resend")).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    h.clock.advance(TimeDelta::hours(10));
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass().await;
    assert_eq!(h.mails().len(), 3);
}

#[tokio::test]
async fn an_email_that_is_tried_again_counts_for_the_gap_only_from_its_next_handover_on() {
    let h = Harness::watching_with(Setup::default().set("NOTICES__MIN_GAP", "24h"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1));
    h.pass().await;
    assert_eq!(h.attempts("alice").await, ["retry"]);
    h.clock.advance(QUARTER);
    h.set("alice", "kaiser-north", "EXPIRED");
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    let (now, limits) = (h.clock.now(), ClaimLimits::slots(1));
    let claims = h.app.store.claim_notices(now, now + QUARTER, &limits).await.unwrap();
    assert_eq!((claims.len(), claims[0].attempt), (1, 2), "not handed over yet");
    let delivered = h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(delivered, Delivered::One(AttemptOutcome::Sent), "the other one");
    assert_eq!(h.app.store.release_leases(h.clock.now()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_email_waits_for_its_own_connections_whatever_else_may_be_sent() {
    let setup = Setup::default().set("NOTICES__DISCONNECTED__FIRST_AFTER", "6h");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Connect, 421, "4.3.2 busy").times(1));
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, ["queued mail_server_busy 1"]);
    h.clock.advance(QUARTER);
    h.set("alice", "epic", "DISCONNECTED");
    h.set("alice", "kaiser-north", "EXPIRED");
    let delivered = h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(delivered, Delivered::One(AttemptOutcome::Deferred));
    assert_eq!(notices(&h, "alice").await, ["queued first_after 1"]);
    assert!(h.mails().is_empty());
}
