//! Lapses that resume after their cadence has ended.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::notify::deliver::Delivered;
use reconnectd::sim::{SmtpFault, SmtpStage};

const QUARTER: TimeDelta = TimeDelta::minutes(15);

fn setup(reminders: &str) -> Setup {
    Setup::default().set("NOTICES__EXPIRED__REMINDERS", reminders).set("SWEEP__FLAP_WINDOW", "7d")
}

/// The connection recovers, and breaks again within the flap window.
async fn break_again(h: &Harness, status: &str) {
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::hours(1)).await;
    h.set("alice", "epic", status);
    h.pass_after(TimeDelta::hours(1)).await;
    h.pass_after(QUARTER).await;
}

async fn steps(h: &Harness) -> Vec<u32> {
    h.notices("alice").await.iter().map(|notice| notice.notice.step).collect()
}

#[tokio::test]
async fn a_lapse_that_resumes_after_its_last_reminder_gets_one_more_email_with_a_link_that_works() {
    let (h, _) = Harness::mailed(setup("3d"), &[("epic", "EXPIRED")]).await;
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(steps(&h).await, [0, 1]);
    let old = h.link();
    break_again(&h, "EXPIRED").await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "the lapse is resumed");
    assert_eq!((steps(&h).await, h.mails().len()), (vec![0, 1, 2], 3));
    assert_eq!(h.look(&old).await.status, 410);
    assert_eq!(h.look(&h.link()).await.status, 200);
    for _ in 0..3 {
        break_again(&h, "EXPIRED").await;
        assert_eq!(h.mails().len(), 3, "once per lapse");
    }
}

#[tokio::test]
async fn a_disconnected_connection_that_resumes_gets_one_more_email_too() {
    let (h, _) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    for _ in 0..3 {
        break_again(&h, "DISCONNECTED").await;
        assert_eq!(steps(&h).await, [0, 1]);
    }
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_lapse_whose_cadence_continues_gets_its_next_reminder_on_time() {
    let (h, _) = Harness::mailed(setup("3d"), &[("epic", "EXPIRED")]).await;
    break_again(&h, "EXPIRED").await;
    assert_eq!(h.mails().len(), 1);
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(steps(&h).await, [0, 1]);
}

#[tokio::test]
async fn the_extra_email_keeps_the_gap_to_the_one_before() {
    let setup = setup("3d").set("NOTICES__MIN_GAP", "24h");
    let (h, _) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    h.pass_after(TimeDelta::days(3)).await;
    break_again(&h, "EXPIRED").await;
    assert_eq!(h.mails().len(), 2);
    h.pass_after(TimeDelta::hours(22)).await;
    assert_eq!(h.mails().len(), 3);
}

#[tokio::test]
async fn a_lapse_that_was_never_resumed_gets_nothing_after_its_cadence() {
    let (h, _) = Harness::mailed(setup("3d"), &[("epic", "EXPIRED")]).await;
    for _ in 0..10 {
        h.pass_after(TimeDelta::days(3)).await;
    }
    assert_eq!(steps(&h).await, [0, 1]);
}

#[tokio::test]
async fn a_reminder_that_a_new_policy_turns_into_the_extra_email_is_the_only_one() {
    let (h, _) = Harness::mailed(setup("3d"), &[("epic", "EXPIRED")]).await;
    break_again(&h, "EXPIRED").await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1));
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!((steps(&h).await, h.mails().len()), (vec![0, 1], 1), "the reminder was tried");
    let without_reminders = h.another_app(&[("NOTICES__EXPIRED__REMINDERS", "")]).await;
    h.clock.advance(TimeDelta::hours(1));
    without_reminders.deliverer.deliver_one().await.unwrap();
    assert_eq!(h.mails().len(), 2);
    for _ in 0..2 {
        break_again(&h, "EXPIRED").await;
        while without_reminders.planner.plan_page().await.unwrap() {}
        while matches!(without_reminders.deliverer.deliver_one().await.unwrap(), Delivered::One(_)) {}
        assert_eq!(h.mails().len(), 2, "once per lapse");
    }
}
