//! Why a member got an email, or did not.

use crate::harness::{Harness, Setup, unsubscribe_link_in};
use chrono::TimeDelta;
use reconnectd::domain::{HoldScope, MemberId};
use reconnectd::explain::{Explained, Explanation};
use reconnectd::sim::{Fault, FaultKind, Operation, SmtpFault, SmtpStage};
use reconnectd::store::NewHold;

const QUARTER: TimeDelta = TimeDelta::minutes(15);
const DAY: TimeDelta = TimeDelta::days(1);
const EPIC: &[(&str, &str)] = &[("epic", "EXPIRED")];
const ALL: u32 = 1_000;

impl Harness {
    async fn why(&self, member: &str) -> Vec<Explained> {
        match self.app.explainer().why(&member.into(), None, ALL).await.unwrap() {
            Explanation::Found { decisions, is_cut: false } => decisions,
            other => panic!("{other:?}"),
        }
    }

    /// The kind and the code of each decision, with a count that is not 1.
    async fn codes(&self, member: &str) -> Vec<String> {
        let code = |explained: Explained| match explained.count {
            1 => format!("{} {}", explained.what, explained.reason),
            count => format!("{} {} {count}", explained.what, explained.reason),
        };
        let first_seen = |code: &String| code != "transition first_seen";
        self.why(member).await.into_iter().map(code).filter(first_seen).collect()
    }

    async fn next_email(&self, member: &str) -> String {
        self.app.explainer().next_email(&member.into(), None).await.unwrap()
    }

    async fn pause_one(&self, member: &str) {
        self.app.store.pause_members(&[MemberId::from(member)], self.clock.now()).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_recovers_within_the_patience_causes_no_email_and_why_says_so() {
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.next_email("alice").await, "the first email about epic, not before 2026-03-02T15:15:00Z");
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    assert!(h.mails().is_empty());
    let codes = [
        "transition confirmed",
        "lapse confirmed",
        "notice first_after",
        "transition recovered",
        "lapse recovered",
        "notice recovered",
    ];
    assert_eq!(h.codes("alice").await, codes);
    let why = h.why("alice").await;
    let end = why.iter().find(|decision| decision.what == "lapse" && decision.reason == "recovered").unwrap();
    assert_eq!(end.text, "The connection recovered by itself within the patience; no email was sent.");
    assert_eq!(h.next_email("alice").await, "no email: no connection needs the member");
    let funnel = h.app.store.funnel(h.clock.now() - TimeDelta::days(30)).await.unwrap();
    assert_eq!((funnel.lapsed, funnel.noticed, funnel.recovered_unnoticed), (1, 0, 1));
}

#[tokio::test]
async fn an_email_that_waits_for_the_morning_says_until_when() {
    let h =
        Harness::watching_with(Setup::default().set("NOTICES__QUIET_HOURS", "08:00-21:00"), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let why = h.why("alice").await;
    let last = why.last().unwrap();
    assert_eq!((last.what, last.reason.as_str(), last.notice_id.is_some()), ("notice", "quiet_hours", true));
    assert!(h.next_email("alice").await.starts_with("the first email about epic, not before 2026-03-02T21:"));
}

#[tokio::test]
async fn a_gate_that_stops_a_queued_email_is_counted_once_with_the_planner_s_decision() {
    let setup = Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d").set("LINKS__TTL", "30d");
    let (h, link) = Harness::mailed(setup, EPIC).await;
    h.sweep_after(TimeDelta::days(3)).await;
    assert!(h.app.planner.plan_page().await.unwrap());
    h.press(&format!("{link}/snooze")).await;
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(h.codes("alice").await.last().unwrap(), "notice snoozed");
    h.pass().await;
    let why = h.why("alice").await;
    let last = why.last().unwrap();
    assert_eq!((last.what, last.reason.as_str(), last.count), ("notice", "snoozed", 2));
    assert_eq!(last.notice_id.as_ref(), Some(&h.notices("alice").await.remove(1).notice.id));
    let next = h.next_email("alice").await;
    assert!(next.starts_with("reminder 1 about epic, not before 2026-03-12T09:00:"), "{next}");
}

#[tokio::test]
async fn a_held_email_names_the_hold_and_not_the_operator_s_words() {
    for hours in [Some(2), None] {
        let h = Harness::queued(&["alice"]).await;
        h.clock.advance(QUARTER);
        let until = hours.map(|hours| h.clock.now() + TimeDelta::hours(hours));
        let hold = NewHold { scope: HoldScope::default(), until, reason: "a secret plan".into() };
        h.app.store.add_hold(&hold, h.clock.now()).await.unwrap().unwrap();
        h.pass().await;
        let codes = h.codes("alice").await;
        assert!(codes.contains(&"hold held_by_operator".to_owned()), "{codes:?}");
        assert_eq!(codes.last().unwrap(), "notice held_by_operator");
        let why = h.why("alice").await;
        assert!(why.iter().all(|decision| !decision.text.contains("secret")));
        let next = h.next_email("alice").await;
        let expected = match hours {
            Some(_) => "the first email about epic, not before 2026-03-02T11:15:00Z",
            None => "the first email about epic when the hold ends: a hold of the operator covers it",
        };
        assert_eq!(next, expected);
    }
}

#[tokio::test]
async fn an_email_that_a_mail_server_deferred_is_the_next_with_the_reason() {
    let h = Harness::queued(&["alice"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Mail, 452, "4.3.1 Insufficient system storage"));
    h.pass().await;
    let next = h.next_email("alice").await;
    assert!(
        next.starts_with("the first email about epic, ") && next.ends_with(" (mail_server_busy)"),
        "{next}"
    );
}

#[tokio::test]
async fn an_invitation_that_is_held_twice_is_one_decision_with_a_count() {
    let h = Harness::watching(&["alice"]).await;
    let source = h.app.operator.connection_or_source(&"alice".into(), &"somewhere".into()).await.unwrap();
    h.app.operator.send_invitation(&"alice".into(), &source).await.unwrap();
    for _ in 0..2 {
        let hold = NewHold { scope: HoldScope::default(), until: None, reason: "a test".into() };
        let hold = h.app.store.add_hold(&hold, h.clock.now()).await.unwrap().unwrap();
        h.app.store.release_hold(&hold.id, h.clock.now()).await.unwrap();
    }
    assert_eq!(h.codes("alice").await, ["notice held_by_operator 2"]);
}

#[tokio::test]
async fn what_the_member_chose_on_the_page_is_a_decision() {
    let setup = Setup::default().set("NOTICES__DISCONNECTED__REMINDERS", "3d").set("LINKS__TTL", "30d");
    let (h, link) = Harness::mailed(setup, &[("epic", "DISCONNECTED")]).await;
    for press in ["snooze", "undo", "dismiss", "undo", "dismiss"] {
        h.press(&format!("{link}/{press}")).await;
    }
    h.pass().await;
    let choices = ["snoozed", "snooze_undone", "dismissed", "dismissal_undone", "dismissed"];
    let why = h.why("alice").await;
    let chosen: Vec<_> = why
        .iter()
        .filter(|decision| decision.what == "lapse" && decision.reason != "confirmed")
        .map(|decision| decision.reason.as_str())
        .collect();
    assert_eq!(chosen, choices);
    assert_eq!(h.next_email("alice").await, "no email: no connection needs the member");
}

#[tokio::test]
async fn what_cancels_an_unsent_email_is_a_decision_about_each_of_its_members() {
    let h = Harness::watching(&["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.enrol_at(member, "parent@example.org").await;
        h.set(member, "epic", "EXPIRED");
    }
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    h.clock.advance(QUARTER);
    h.pause_one("alice").await;
    assert_eq!(h.codes("alice").await[2..], ["notice first_notice", "hold paused", "notice paused"]);
    assert_eq!(h.next_email("alice").await, "no email: the member is paused");
    let address = "parent@example.org".parse::<reconnectd::domain::EmailAddress>().unwrap().address_hash();
    let operator = reconnectd::domain::Suppression::Operator;
    h.app.store.suppress(address, operator, h.clock.now()).await.unwrap();
    assert_eq!(
        h.codes("bob").await[2..],
        ["notice first_notice", "suppression operator", "notice suppressed"]
    );
    assert_eq!(h.next_email("bob").await, "no email: the address is suppressed");
    h.app.store.remove_member(&"bob".into(), h.clock.now()).await.unwrap();
    let codes = h.codes("bob").await;
    assert!(codes.contains(&"hold member_removed".to_owned()) && codes.contains(&"lapse removed".to_owned()));
    assert_eq!(h.next_email("bob").await, "no email: the member was removed");
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn who_drops_out_of_a_shared_email_at_the_last_moment_has_a_decision() {
    let family = ["alice", "bob", "carol"];
    let h = Harness::watching(&family).await;
    for member in family {
        h.enrol_at(member, "parent@example.org").await;
        h.set(member, "epic", "EXPIRED");
    }
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    h.set("bob", "epic", "CONNECTED");
    h.sim
        .world()
        .add_fault(Fault::new(FaultKind::NullData).on(Operation::GetMemberConnections).member("carol"));
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.codes("bob").await[4..], ["notice first_notice", "notice recovered"]);
    assert_eq!(h.codes("carol").await[2..], ["notice first_notice", "notice second_look_unclear"]);
    h.end_faults();
}

#[tokio::test]
async fn an_announced_recovery_is_a_decision_and_so_is_one_that_is_not_announced() {
    let setup = Setup::default().set("NOTICES__RECOVERED__ENABLED", true);
    let (h, _) = Harness::mailed(setup, EPIC).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    assert_eq!(
        h.codes("alice").await.iter().filter(|code| code.contains("recovery_notice")).count(),
        1,
        "{:?}",
        h.codes("alice").await
    );
    h.set("alice", "kaiser-north", "EXPIRED");
    h.sweep_after(DAY).await;
    h.set("alice", "kaiser-north", "CONNECTED");
    h.pass_after(QUARTER).await;
    assert!(
        h.codes("alice").await.contains(&"notice never_notified".to_owned()),
        "{:?}",
        h.codes("alice").await
    );
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn an_email_and_the_use_of_its_link_are_told_and_the_next_reminder_is_named() {
    let (h, link) = Harness::mailed(Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d"), EPIC).await;
    let sent_at = h.clock.now();
    h.clock.advance(DAY);
    assert_eq!(h.next_email("alice").await, "reminder 1 about epic, not before 2026-03-05T09:00:00Z");
    let live = h.app.store.live_lapses(&"alice".into()).await.unwrap();
    assert_eq!((live[0].emails, live[0].last_email_at), (1, Some(sent_at)));
    let browser = h.browser();
    let page = browser.arrive(&link).await;
    h.clock.advance(TimeDelta::seconds(4));
    let pressed = browser.press_on(&page, &link, &[]).await;
    h.allow(&pressed).await;
    h.app.request_counter.drain_queue().await.unwrap();
    h.pass_after(QUARTER).await;
    let codes = h.codes("alice").await;
    for code in ["delivery accepted", "link opened", "link redeemed", "lapse recovered"] {
        assert!(codes.contains(&code.to_owned()), "{code}: {codes:?}");
    }
    let stop = unsubscribe_link_in(&h.mails()[0]);
    h.browser().press(&stop, &[]).await;
    assert!(h.codes("alice").await.contains(&"suppression unsubscribed".to_owned()));
    for decision in h.why("alice").await {
        assert!(!decision.text.contains('@') && !decision.text.contains("http"), "{}", decision.text);
    }
}

#[tokio::test]
async fn a_lapse_waits_for_the_sweep_that_found_it_and_why_says_so() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.sweep().await;
    assert!(!h.codes("alice").await.contains(&"lapse waiting_for_sweep".to_owned()));
    let sql = "UPDATE sweeps SET finished_at = NULL WHERE sequence = (SELECT max(sequence) FROM sweeps)";
    h.rows().await.run(sql).await.unwrap();
    assert_eq!(h.codes("alice").await.last().unwrap(), "lapse waiting_for_sweep");
    assert_eq!(h.next_email("alice").await, "no email before the sweep under way has ended");
}

#[tokio::test]
async fn only_the_newest_decisions_of_a_long_history_are_read() {
    let h = Harness::watching(&["alice"]).await;
    let all = h.why("alice").await;
    let explainer = h.app.explainer();
    let Explanation::Found { decisions, is_cut } = explainer.why(&"alice".into(), None, 2).await.unwrap()
    else {
        panic!("alice has a history");
    };
    assert!(is_cut && all.len() > 2);
    let length = u32::try_from(all.len()).unwrap();
    let whole = explainer.why(&"alice".into(), None, length).await.unwrap();
    assert!(matches!(whole, Explanation::Found { is_cut: false, .. }), "there are no older ones");
    let ends_alike = decisions.iter().zip(&all[all.len() - 2..]).all(|(cut, all)| cut.text == all.text);
    assert!(decisions.len() == 2 && ends_alike);
}

#[tokio::test]
async fn a_connection_has_a_history_of_its_own() {
    let (h, _) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED"), ("kaiser-north", "EXPIRED")]).await;
    let explainer = h.app.explainer();
    let Explanation::Found { decisions, .. } =
        explainer.why(&"alice".into(), Some(&"EPIC".into()), ALL).await.unwrap()
    else {
        panic!("alice has this connection");
    };
    assert!(decisions.iter().any(|decision| decision.what == "delivery"));
    let other =
        |decision: &Explained| decision.connection_id.as_ref().is_some_and(|of| of.as_str() != "epic");
    assert!(!decisions.iter().any(other));
    let unknown = explainer.why(&"alice".into(), Some(&"nowhere".into()), ALL).await.unwrap();
    assert!(matches!(unknown, Explanation::NoSuchConnection));
    let nobody = explainer.why(&"nobody".into(), None, ALL).await.unwrap();
    assert!(matches!(nobody, Explanation::NoSuchMember));
}
