//! Holds by the operator.

use crate::handovers::change_during_attempt;
use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::{HoldId, HoldScope, Status, Time};
use reconnectd::sim::{SmtpFault, SmtpStage};
use reconnectd::store::{NewHold, Release};

const QUARTER: TimeDelta = TimeDelta::minutes(15);

async fn hold(h: &Harness, scope: HoldScope, until: Option<Time>) -> HoldId {
    let new = NewHold { scope, until, reason: "maintenance".into() };
    h.app.store.add_hold(&new, h.clock.now()).await.unwrap().expect("a member").id
}

fn source(id: &str) -> HoldScope {
    HoldScope { source: Some(id.into()), ..HoldScope::default() }
}

async fn release(h: &Harness, id: &HoldId) -> Release {
    h.app.store.release_hold(id, h.clock.now()).await.unwrap()
}

/// The state, the reason, the step, and the attempts of each notice.
async fn notices(h: &Harness, member: &str) -> Vec<String> {
    let row = |notice: &reconnectd::store::ListedNotice| {
        let reconnectd::domain::Notice { state, step, attempts, .. } = &notice.notice;
        format!("{} {} {step} {attempts}", state.as_str(), notice.reason.as_str())
    };
    h.notices(member).await.iter().map(row).collect()
}

#[tokio::test]
async fn a_hold_on_a_source_holds_only_what_is_about_it_until_it_is_released() {
    let h = Harness::watching(&["alice", "bob"]).await;
    let id = hold(&h, source("EPIC"), None).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "kaiser-north", "EXPIRED");
    h.pass().await;
    assert_eq!(h.recipients(), ["bob@example.org"]);
    assert_eq!(notices(&h, "alice").await, ["held held_by_operator 0 0"]);
    h.pass_after(TimeDelta::days(20)).await;
    assert_eq!(h.app.store.holds().await.unwrap()[0].notices, 1);
    assert_eq!(notices(&h, "alice").await, ["held held_by_operator 0 0"], "no step was used up");
    assert_eq!(release(&h, &id).await, Release::Released(1));
    assert_eq!(release(&h, &id).await, Release::HadEnded);
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, ["sent accepted 0 1"]);
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(notices(&h, "alice").await.len(), 2, "reminders count from the email");
}

#[tokio::test]
async fn a_hold_covers_what_is_queued_and_ends_at_its_time() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Connect, 421, "4.3.2 busy").times(1));
    h.pass().await;
    hold(&h, HoldScope::default(), Some(h.clock.now() + TimeDelta::hours(2))).await;
    assert_eq!(notices(&h, "alice").await, ["held held_by_operator 0 1"]);
    h.pass_after(TimeDelta::hours(1)).await;
    assert!(h.mails().is_empty());
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn an_email_covers_what_is_not_held() {
    let h = Harness::watching(&["alice"]).await;
    let id = hold(&h, source("epic"), None).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass().await;
    assert_eq!(notices(&h, "alice").await.len(), 2);
    assert_eq!(h.mails().len(), 1);
    let page = h.look(&h.link()).await;
    assert!(!page.html.contains("Epic"), "the held connection is not on the page");
    release(&h, &id).await;
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_notice_about_two_connections_loses_the_one_that_is_held_before_it_is_sent() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Connect, 421, "4.3.2 busy").times(1));
    h.pass().await;
    let id = hold(&h, source("epic"), None).await;
    assert_eq!(notices(&h, "alice").await, ["queued mail_server_busy 0 1"], "a part of it is not held");
    h.pass_after(TimeDelta::hours(1)).await;
    h.pass_after(QUARTER).await;
    let mut states = notices(&h, "alice").await;
    states.sort();
    assert_eq!(states, ["held held_by_operator 0 0", "sent accepted 0 2"]);
    release(&h, &id).await;
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn what_recovers_during_a_hold_never_causes_an_email() {
    let h = Harness::watching(&["alice"]).await;
    let id = hold(&h, source("epic"), None).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    assert_eq!(notices(&h, "alice").await, ["cancelled recovered 0 0"]);
    assert_eq!(release(&h, &id).await, Release::Released(0));
    h.pass_after(QUARTER).await;
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_hold_stops_a_link_that_a_member_requested() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let id = hold(&h, HoldScope { member_id: Some("alice".into()), ..HoldScope::default() }, None).await;
    h.clock.advance(TimeDelta::hours(1));
    h.press(&format!("{link}/resend")).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    release(&h, &id).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_link_that_a_member_requested_is_about_what_no_hold_covers() {
    let broken = [("epic", "EXPIRED"), ("kaiser-north", "EXPIRED")];
    let (h, link) = Harness::mailed(Setup::default(), &broken).await;
    hold(&h, source("epic"), None).await;
    h.clock.advance(TimeDelta::hours(1));
    h.press(&format!("{link}/resend")).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    let forms = h.look(&h.link()).await.forms();
    let buttons: Vec<_> = forms.iter().filter(|form| form.starts_with("redeem")).collect();
    assert_eq!(buttons, ["redeem kaiser-north"]);
}

#[tokio::test]
async fn an_email_under_way_does_not_name_what_a_new_hold_covers() {
    let prepared = async || {
        let named = Setup::default().set("NOTICES__DISCLOSURE", "name");
        let h = Harness::watching_with(named, &["alice"]).await;
        h.set("alice", "epic", "EXPIRED");
        h.set("alice", "kaiser-north", "EXPIRED");
        h.sweep().await;
        while h.app.planner.plan_page().await.unwrap() {}
        h
    };
    let (h, _) = change_during_attempt(prepared, async |h| hold(h, source("epic"), None).await).await;
    let text = h.mails()[0].text().unwrap();
    assert!(text.contains("Kaiser North") && !text.contains("Epic"), "{text}");
}

#[tokio::test]
async fn a_hold_that_begins_during_an_attempt_holds_its_email() {
    let queued = async || Harness::queued(&["alice"]).await;
    let (h, id) = change_during_attempt(queued, async |h| hold(h, HoldScope::default(), None).await).await;
    assert_eq!(notices(&h, "alice").await, ["held held_by_operator 0 0"]);
    release(&h, &id).await;
    h.pass().await;
    assert_eq!(notices(&h, "alice").await, ["sent accepted 0 1"]);
}

#[tokio::test]
async fn a_hold_can_be_about_a_status_and_two_holds_end_one_after_another() {
    let h = Harness::watching(&["alice", "bob"]).await;
    let by_status = hold(&h, HoldScope { status: Some(Status::Expired), ..HoldScope::default() }, None).await;
    let by_source = hold(&h, source("epic"), None).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "kaiser-north", "DISCONNECTED");
    h.pass().await;
    assert_eq!(h.recipients(), ["bob@example.org"]);
    assert_eq!(release(&h, &by_status).await, Release::Released(0), "the other one covers it");
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 1);
    assert_eq!(release(&h, &by_source).await, Release::Released(1));
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_hold_needs_an_enrolled_member_and_a_release_a_known_hold() {
    let h = Harness::watching(&["alice"]).await;
    let scope = HoldScope { member_id: Some("nobody".into()), ..HoldScope::default() };
    let new = NewHold { scope, until: None, reason: "x".into() };
    assert!(h.app.store.add_hold(&new, h.clock.now()).await.unwrap().is_none());
    assert!(h.app.store.holds().await.unwrap().is_empty());
    assert_eq!(release(&h, &"unknown".into()).await, Release::Unknown);
}

#[tokio::test]
async fn a_hold_on_everything_covers_invitations_and_emails_about_recoveries() {
    let told = Setup::default().set("NOTICES__RECOVERED__ENABLED", true);
    let (h, _) = Harness::mailed(told, &[("epic", "EXPIRED")]).await;
    let operator = &h.app.operator;
    let source = operator.connection_or_source(&"alice".into(), &"somewhere".into()).await.unwrap();
    let invite = async || {
        operator.send_invitation(&"alice".into(), &source).await.unwrap();
    };
    invite().await;
    hold(&h, HoldScope { member_id: Some("alice".into()), ..HoldScope::default() }, None).await;
    assert_eq!(notices(&h, "alice").await[1], "queued invitation 0 0", "it is not about a connection");
    let id = hold(&h, HoldScope::default(), None).await;
    assert_eq!(notices(&h, "alice").await[1], "held held_by_operator 0 0");
    invite().await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    assert_eq!(notices(&h, "alice").await[1..], ["held held_by_operator 0 0"; 3]);
    assert_eq!(h.mails().len(), 1);
    let held = &h.app.store.holds().await.unwrap()[0];
    assert_eq!((held.id.clone(), held.notices, held.would_email), (id.clone(), 3, 3));
    assert_eq!(release(&h, &id).await, Release::Released(3));
    h.pass_after(QUARTER).await;
    assert_eq!(notices(&h, "alice").await[1..], ["sent accepted 0 1"; 3]);
    assert_eq!(h.mails().len(), 4);
}

#[tokio::test]
async fn of_two_holds_on_everything_the_last_one_to_end_releases() {
    let h = Harness::watching(&["alice"]).await;
    let source = h.app.operator.connection_or_source(&"alice".into(), &"somewhere".into()).await.unwrap();
    h.app.operator.send_invitation(&"alice".into(), &source).await.unwrap();
    let (first, second) =
        (hold(&h, HoldScope::default(), None).await, hold(&h, HoldScope::default(), None).await);
    let counts: Vec<_> =
        h.app.store.holds().await.unwrap().iter().map(|h| (h.notices, h.would_email)).collect();
    assert_eq!(counts, [(1, 0), (1, 0)], "the other one covers it");
    assert_eq!(release(&h, &first).await, Release::Released(0));
    assert_eq!(release(&h, &second).await, Release::Released(1));
}

#[tokio::test]
async fn a_pause_cancels_what_is_held_and_the_resume_sends_it_once_the_hold_is_over() {
    let h = Harness::watching(&["alice"]).await;
    let id = hold(&h, source("epic"), None).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.app.store.pause_members(&["alice".into()], h.clock.now()).await.unwrap();
    assert_eq!(notices(&h, "alice").await, ["cancelled paused 0 0"]);
    assert_eq!(release(&h, &id).await, Release::Released(0));
    h.app.store.resume_members(&["alice".into()], h.clock.now()).await.unwrap();
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
}
