//! The mail that says that a connection works again.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    domain::Suppression,
    sim::{Change, FaultKind, Operation, SmtpFault, SmtpStage},
};

fn told() -> Setup {
    Setup::default().set("NOTICES__RECOVERED__ENABLED", true).set("NOTICES__EXPIRED__REMINDERS", "3d,10d")
}

/// Alice has a mail about epic, and will be told of its recovery.
async fn mailed(setup: Setup) -> Harness {
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    h
}

/// The subjects of all emails, without the operator's name.
fn subjects(h: &Harness) -> Vec<String> {
    let subjects = h.mails().iter().map(|mail| mail.subject().unwrap()).collect::<Vec<_>>();
    subjects.into_iter().map(|subject| subject.replace("Example Health ", "")).collect()
}

const BROKEN: &str = "One of your connections stopped updating";
const WORKS: &str = "One of your connections is working again";

async fn kinds(h: &Harness) -> Vec<String> {
    let notices = h.notices("alice").await;
    let words = |notice: &reconnectd::store::ListedNotice| {
        let all = &notice.notice;
        format!("{} {} {} {}", all.kind.as_str(), all.step, all.state.as_str(), notice.reason)
    };
    notices.iter().map(words).collect()
}

#[tokio::test]
async fn a_notified_member_gets_one_email_about_the_recovery() {
    let h = mailed(told()).await;
    h.reconnect(&h.link()).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(subjects(&h), [BROKEN, WORKS], "at the first look that sees it, whatever the gap");
    assert_eq!(kinds(&h).await, ["reconnect 0 sent accepted", "recovered 0 sent accepted"]);
    let mail = h.mails().pop().unwrap();
    assert_eq!(mail.to, ["alice@example.org"]);
    let text = mail.text().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!format!("{text}{}", mail.html().unwrap()).contains("/r/"), "there is nothing to press");
    assert_eq!(mail.links().len(), 1, "but it can be stopped");
    assert!(mail.header("List-Unsubscribe").unwrap().contains(&mail.links()[0]));
    for _ in 0..5 {
        h.pass_after(TimeDelta::days(3)).await;
    }
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_recovery_is_planned_once() {
    let h = mailed(told()).await;
    h.set("alice", "epic", "CONNECTED");
    h.sweep_after(TimeDelta::minutes(15)).await;
    assert!(h.app.planner.plan_page().await.unwrap());
    assert!(!h.app.planner.plan_page().await.unwrap(), "nothing is left to plan");
    assert_eq!(kinds(&h).await.len(), 2);
}

#[tokio::test]
async fn recoveries_are_announced_only_when_enabled() {
    let h = mailed(Setup::default()).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(subjects(&h), [BROKEN]);
    let later = h.another_app(&[("NOTICES__RECOVERED__ENABLED", "true")]).await;
    assert!(!later.planner.plan_page().await.unwrap(), "nor later, when they come to want it");
}

#[tokio::test]
async fn a_member_who_was_not_notified_gets_no_email_about_the_recovery() {
    let h = Harness::watching_with(told(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1));
    h.pass().await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert!(h.mails().is_empty());
    assert_eq!(kinds(&h).await, ["reconnect 0 cancelled recovered"]);
}

#[tokio::test]
async fn simultaneous_recoveries_share_an_email_and_others_have_their_own() {
    let h = Harness::watching_with(told(), &["alice"]).await;
    for source in ["epic", "kaiser-north", "cerner"] {
        h.set("alice", source, "EXPIRED");
    }
    h.pass().await;
    for source in ["epic", "kaiser-north"] {
        h.set("alice", source, "CONNECTED");
    }
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(subjects(&h)[1..], ["2 of your connections are working again"]);
    assert!(h.mails()[1].text().unwrap().starts_with("2 of "));
    h.set("alice", "cerner", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(subjects(&h)[2..], [WORKS]);
    h.pass_after(TimeDelta::days(5)).await;
    assert_eq!(h.mails().len(), 3);
}

#[tokio::test]
async fn a_connection_that_breaks_again_causes_an_email_in_time() {
    let setup = told().set("NOTICES__MIN_GAP", "24h").set("SWEEP__FLAP_WINDOW", "1m");
    let h = mailed(setup).await;
    h.clock.advance(TimeDelta::hours(23));
    h.set("alice", "epic", "CONNECTED");
    h.pass().await;
    assert_eq!(subjects(&h), [BROKEN, WORKS]);
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(
        subjects(&h),
        [BROKEN, WORKS, BROKEN],
        "the gap is counted from the last one that asked for something"
    );
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(subjects(&h)[3..], [WORKS], "and each such mail deserves its answer");
}

#[tokio::test]
async fn a_flapping_connection_is_not_announced_each_time_and_keeps_its_reminders() {
    let h = mailed(told()).await;
    for _ in 0..5 {
        h.set("alice", "epic", "CONNECTED");
        h.pass_after(TimeDelta::minutes(15)).await;
        h.set("alice", "epic", "EXPIRED");
        h.pass_after(TimeDelta::minutes(15)).await;
    }
    assert_eq!(subjects(&h), [BROKEN, WORKS]);
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(h.mails().len(), 3);
    assert_eq!(h.notices("alice").await.last().unwrap().notice.step, 1, "the first reminder");
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(subjects(&h)[3..], [WORKS]);
}

#[tokio::test]
async fn the_second_look_cancels_a_recovery_email_that_is_no_longer_true() {
    let h = mailed(told()).await;
    h.set("alice", "epic", "CONNECTED");
    h.clock.advance(TimeDelta::minutes(15));
    h.app.poller.poll(&"alice".into(), reconnectd::domain::Cause::Sweep).await.unwrap();
    assert!(h.app.planner.plan_page().await.unwrap());
    assert_eq!(kinds(&h).await[1], "recovered 0 queued recovery_notice");
    h.set("alice", "epic", "EXPIRED");
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(kinds(&h).await[1], "recovered 0 cancelled no_longer_needed");
    assert_eq!(subjects(&h), [BROKEN]);
}

#[tokio::test]
async fn a_recovery_email_waits_while_the_second_look_is_unclear() {
    let h = mailed(told()).await;
    h.set("alice", "epic", "CONNECTED");
    h.clock.advance(TimeDelta::minutes(15));
    h.app.poller.poll(&"alice".into(), reconnectd::domain::Cause::Sweep).await.unwrap();
    h.app.planner.plan_page().await.unwrap();
    h.fault(Operation::GetMemberConnections, FaultKind::NotJson);
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(h.attempts("alice").await, ["deferred"]);
    h.end_faults();
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(subjects(&h), [BROKEN, WORKS]);
}

#[tokio::test]
async fn an_end_without_recovery_is_not_announced() {
    let h = mailed(told()).await;
    h.set("alice", "epic", "DELETED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed removed"]);
    assert_eq!(subjects(&h), [BROKEN]);

    let h = mailed(told()).await;
    h.set("alice", "epic", "DISCONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    let dismiss = format!("{}/dismiss", h.link());
    h.person().press(&dismiss, &[("connection", "epic")]).await.unwrap();
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(subjects(&h), [BROKEN], "it was on purpose, and so is what comes after");
}

#[tokio::test]
async fn a_person_mismatch_is_not_announced_as_a_recovery() {
    let h = mailed(told()).await;
    let errors = Some(vec!["PERSON_MATCHING_ERROR".to_owned()]);
    let change = Change { sync_errors: errors, ..Change::status("CONNECTED") };
    h.sim.world().change("alice", "epic", change).unwrap();
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    assert_eq!(subjects(&h), [BROKEN]);
}

#[tokio::test]
async fn a_suppressed_member_gets_no_recovery_email_now_or_later() {
    let h = mailed(told()).await;
    let hash = "alice@example.org".parse::<reconnectd::domain::EmailAddress>().unwrap().address_hash();
    h.app.store.suppress(hash, Suppression::Unsubscribed, h.clock.now()).await.unwrap();
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    h.app.store.unsuppress(hash, h.clock.now()).await.unwrap();
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(subjects(&h), [BROKEN]);
}

#[tokio::test]
async fn a_new_link_can_be_requested_right_after_another_connections_recovery() {
    let h = Harness::watching_with(told(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass().await;
    let link = h.link();
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(subjects(&h)[1..], [WORKS]);
    h.person().press(&format!("{link}/resend"), &[]).await.unwrap();
    h.pass().await;
    assert_eq!(h.mails().len(), 3);
    let page = h.look(&h.link()).await;
    assert!(page.html.contains("Kaiser North") && !page.html.contains("Epic"), "{}", page.html);
}

#[tokio::test]
async fn an_email_about_the_recovery_does_not_answer_the_request_for_a_new_link() {
    let h = mailed(told()).await;
    let link = h.link();
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(subjects(&h), [BROKEN, WORKS]);
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.press(&format!("{link}/resend")).await.states(), ["resend_requested"]);
}

#[tokio::test]
async fn a_recovery_email_whose_reply_is_lost_is_not_repeated_forever() {
    let h = mailed(told()).await;
    h.set("alice", "epic", "CONNECTED");
    h.mail_fault(SmtpFault::new(SmtpStage::End, reconnectd::sim::SmtpAction::StoreAndDrop));
    for _ in 0..20 {
        h.pass_after(TimeDelta::hours(14)).await;
    }
    assert_eq!(h.mails().len(), 1 + 4);
    assert_eq!(kinds(&h).await[1], "recovered 0 abandoned never_confirmed");
}

#[tokio::test]
async fn a_recovery_that_is_in_doubt_just_before_its_email_is_not_announced() {
    let foreign = vec!["PERSON_MATCHING_ERROR".to_owned()];
    for doubt in [
        Change { sync_errors: Some(foreign), ..Change::status("CONNECTED") },
        Change { absent: true, ..Change::default() },
    ] {
        let h = mailed(told()).await;
        h.set("alice", "epic", "CONNECTED");
        h.sweep_after(TimeDelta::minutes(15)).await;
        while h.app.planner.plan_page().await.unwrap() {}
        assert_eq!(h.notice_states("alice").await, ["sent", "queued"]);
        h.sim.world().change("alice", "epic", doubt).unwrap();
        h.app.deliverer.deliver_one().await.unwrap();
        assert_eq!(h.notice_states("alice").await, ["sent", "cancelled"]);
        assert_eq!(h.mails().len(), 1);
    }
}
