//! Which members receive which notices, and when.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::sim::ReceivedEmail;

/// Makes a pass at the same hour of each of `days` days, beginning now, and names the days that brought a mail.
/// `each` happens before the day's pass.
async fn days_with_mail(h: &Harness, days: u32, mut each: impl FnMut(u32)) -> Vec<u32> {
    let mut mailed = Vec::new();
    for day in 0..days {
        each(day);
        let before = h.mails().len();
        h.pass().await;
        mailed.extend((before..h.mails().len()).map(|_| day));
        h.clock.advance(TimeDelta::days(1));
    }
    mailed
}

fn with_reminders() -> Setup {
    Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d,10d")
}

#[tokio::test]
async fn two_connections_that_expire_together_share_one_email_and_have_a_button_each() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.lapse_states("alice").await, ["epic open", "kaiser-north open"]);
    let link = h.link();
    let page = h.look(&link).await;
    let forms = ["redeem epic", "snooze epic", "redeem kaiser-north", "snooze kaiser-north"];
    assert_eq!(page.forms(), forms);

    let nameless = h.press(&link).await;
    assert_eq!((nameless.status, nameless.location.as_deref()), (200, None), "which one is not said");
    assert_eq!(nameless.forms(), forms, "and nothing was spent");
    let foreign = h.person().press(&link, &[("connection", "labcorp")]).await.unwrap();
    assert_eq!((foreign.status, foreign.location), (200, None), "labcorp is not on this page");

    let first = h.person().press(&link, &[("connection", "epic")]).await.unwrap();
    h.allow(&first).await;
    let page = h.look(&link).await;
    assert_eq!((page.status, page.html.matches("data-state=\"available\"").count()), (200, 1));
    assert_eq!(h.person().press(&link, &[("connection", "epic")]).await.unwrap().status, 410);
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered", "kaiser-north open"]);

    let second = h.person().press(&link, &[("connection", "kaiser-north")]).await.unwrap();
    h.allow(&second).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    let both = ["epic closed recovered", "kaiser-north closed recovered"];
    assert_eq!(h.lapse_states("alice").await, both);
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_sent_notice_lists_the_connections_that_its_email_included() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.sweep().await;
    assert!(h.app.planner.plan_page().await.unwrap());
    let listed = async || {
        let notice = h.notices("alice").await.remove(0).notice;
        notice.items.into_iter().map(|item| item.connection_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, ["epic", "kaiser-north"]);
    h.set("alice", "kaiser-north", "CONNECTED");
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!((h.notice_states("alice").await, listed().await), (vec!["sent"], vec!["epic".to_owned()]));
    h.set("alice", "epic", "CONNECTED");
    h.pass().await;
    assert_eq!(listed().await, ["epic"], "it was in the email");
}

#[tokio::test]
async fn a_second_lapse_waits_until_a_day_after_the_last_email() {
    let h = Harness::watching_with(Setup::default().set("NOTICES__MIN_GAP", "24h"), &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("alice", "kaiser-north", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open", "kaiser-north open"]);
    assert_eq!(h.recipients(), ["alice@example.org", "bob@example.org"], "the gap is each member's own");
    h.pass_after(TimeDelta::minutes(22 * 60 + 59)).await;
    assert_eq!(h.mails().len(), 2);
    h.pass_after(TimeDelta::minutes(1)).await;
    assert_eq!(h.recipients()[2..], ["alice@example.org"]);
    assert!(h.look(&h.link()).await.html.contains("Kaiser North"));
}

#[tokio::test]
async fn reminders_follow_the_first_email_as_configured_and_end() {
    let h = Harness::watching_with(with_reminders(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    assert_eq!(days_with_mail(&h, 25, |_| {}).await, [0, 3, 10]);
    let steps: Vec<_> = h.notices("alice").await.iter().map(|notice| notice.notice.step).collect();
    assert_eq!(steps, [0, 1, 2]);
    let mut links: Vec<_> = h.mails().iter().map(|mail| crate::harness::link_in(mail)).collect();
    links.dedup();
    assert_eq!(links.len(), 3, "each mail has a link of its own");
}

#[tokio::test]
async fn an_email_about_two_connections_says_that_it_is_a_reminder_only_if_it_is_one_about_both() {
    let h = Harness::watching_with(with_reminders(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    assert_eq!(days_with_mail(&h, 15, |_| {}).await, [0, 3, 10]);
    let kinds: Vec<_> = h.mails().iter().map(|mail| kind_of_reminder(mail)).collect();
    assert_eq!(kinds, ["none", "reminder", "last reminder"]);

    let h = Harness::watching_with(with_reminders(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    let mailed = days_with_mail(&h, 4, |day| {
        if day == 3 {
            h.set("alice", "kaiser-north", "EXPIRED");
        }
    });
    assert_eq!(mailed.await, [0, 3]);
    assert_eq!(kind_of_reminder(&h.mails()[1]), "none", "it is the first about one of them");
}

fn kind_of_reminder(mail: &ReceivedEmail) -> &'static str {
    match mail.subject().unwrap().split_once(": ") {
        Some(("Last reminder", _)) => "last reminder",
        Some(("Reminder", _)) => "reminder",
        _ => "none",
    }
}

#[tokio::test]
async fn recovery_ends_the_reminders() {
    let h = Harness::watching_with(with_reminders(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    let mailed = days_with_mail(&h, 15, |day| {
        if day == 2 {
            h.set("alice", "epic", "CONNECTED");
        }
    });
    assert_eq!(mailed.await, [0]);
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_flapping_connection_continues_its_reminders() {
    let h = Harness::watching_with(with_reminders(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    let mailed = days_with_mail(&h, 20, |day| match day {
        1 | 5 => h.set("alice", "epic", "CONNECTED"),
        2 | 6 => h.set("alice", "epic", "EXPIRED"),
        _ => {}
    });
    assert_eq!(mailed.await, [0, 3, 10]);
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "it is one lapse");
}

#[tokio::test]
async fn a_break_after_the_flap_window_is_a_lapse_of_its_own() {
    let h = Harness::watching_with(with_reminders(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    let mailed = days_with_mail(&h, 15, |day| match day {
        1 => h.set("alice", "epic", "CONNECTED"),
        8 => h.set("alice", "epic", "EXPIRED"),
        _ => {}
    });
    assert_eq!(mailed.await, [0, 8, 11]);
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered", "epic open"]);
}

#[tokio::test]
async fn a_disabled_status_causes_no_email() {
    let setup =
        Setup::default().set("NOTICES__EXPIRED__ENABLED", false).set("NOTICES__DISCONNECTED__ENABLED", false);
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "DISCONNECTED");
    assert_eq!(days_with_mail(&h, 5, |_| {}).await, [] as [u32; 0]);
    for member in ["alice", "bob"] {
        assert_eq!(h.lapse_states(member).await, ["epic open"]);
        assert_eq!(h.notice_states(member).await, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_disconnected_connection_causes_one_email_and_no_reminder() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "DISCONNECTED");
    assert_eq!(days_with_mail(&h, 15, |_| {}).await, [0]);
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "DISCONNECTED"]);
}

#[tokio::test]
async fn an_open_lapse_causes_an_email_when_its_status_becomes_repairable() {
    let setup = Setup::default().set("NOTICES__DISCONNECTED__ENABLED", false);
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "DISCONNECTED");
    h.pass().await;
    assert!(h.mails().is_empty());
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn statuses_that_do_not_need_the_member_are_recorded_and_cause_no_email() {
    let h = Harness::watching(&["alice"]).await;
    let mut path = vec!["CONNECTED"];
    for status in ["ERROR", "ACCESS_ENDED", "SOMETHING_NEW", "DELETED", "CONNECTED"] {
        h.set("alice", "epic", status);
        h.pass_after(TimeDelta::minutes(15)).await;
        path.push(status);
        assert_eq!(h.path("alice", "epic").await, path);
        assert_eq!(h.lapse_states("alice").await, [] as [&str; 0], "{status}");
    }
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn an_invitation_to_a_source_that_is_connected_before_it_is_sent_causes_no_email() {
    let (h, _) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let alice = "alice".into();
    let source = h.app.operator.connection_or_source(&alice, &"epic".into()).await.unwrap();
    h.app.operator.send_invitation(&alice, &source).await.unwrap();
    h.set("alice", "epic", "CONNECTED");
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(h.notice_states("alice").await, ["sent", "cancelled"]);
    assert_eq!(h.mails().len(), 1);
}
