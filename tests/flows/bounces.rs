//! Bounces and complaints suppress addresses: what a mail server's rejection says, and what follows from it and from reports.

use crate::harness::{Harness, Setup, unsubscribe_link_in};
use chrono::TimeDelta;
use reconnectd::{
    domain::{
        EmailAddress,
        Suppression::{self, Complaint, HardBounce, Operator, Unsubscribed},
    },
    explain::Explanation,
    sim::{SmtpFault, SmtpStage},
};
use serde_json::json;

const DAY: TimeDelta = TimeDelta::days(1);

fn setup() -> Setup {
    Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d,10d").set("BOUNCES__PASSWORD", "sesame-0pen")
}

fn suppressed(rows: &[(&str, Suppression)]) -> Vec<(String, Suppression)> {
    rows.iter().map(|(members, reason)| ((*members).to_owned(), *reason)).collect()
}

fn address(id: &str) -> EmailAddress {
    format!("{id}@example.org").parse().unwrap()
}

impl Harness {
    async fn expire(&self, members: &[&str]) {
        for member in members {
            self.set(member, "epic", "EXPIRED");
        }
        self.pass().await;
    }

    async fn complain(&self, id: &str) {
        let report = json!({ "email": format!("{id}@example.org"), "kind": "complaint" });
        assert_eq!(self.report("bounces", report.to_string()).await, 200);
    }

    async fn reasons(&self, member: &str) -> Vec<String> {
        match self.app.explainer().why(&member.into(), None, 1_000).await.unwrap() {
            Explanation::Found { decisions, .. } => decisions
                .into_iter()
                .map(|decision| format!("{} {}", decision.what, decision.reason))
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_permanent_rejection_of_the_address_suppresses_it_and_why_says_so() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    h.mail_fault(
        SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 <alice@example.org>: unknown").to("alice@example.org"),
    );
    h.expire(&["alice", "bob"]).await;
    assert_eq!(h.suppressions().await, suppressed(&[("alice", HardBounce)]));
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    assert_eq!(h.attempts("alice").await, ["abandoned"]);
    for _ in 0..4 {
        h.pass_after(DAY * 3).await;
    }
    assert_eq!(h.notice_states("alice").await, ["abandoned"], "nothing else is planned");
    let reasons = h.reasons("alice").await;
    for reason in ["suppression hard_bounce", "delivery permanent_failure", "notice suppressed"] {
        assert!(reasons.iter().any(|known| known == reason), "{reason} is not in {reasons:?}");
    }
    assert_eq!(h.recipients(), ["bob@example.org"; 3]);
    let logged = h.log.text();
    assert!(logged.contains("address_suppressed") && !logged.contains("alice@"), "{logged}");
    h.end_faults();
}

#[tokio::test]
async fn a_changed_address_starts_clean_and_gets_the_email_that_bounced() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 unknown").to("alice@example.org"));
    h.expire(&["alice"]).await;
    h.enrol_at("alice", "ada.new@example.org").await;
    assert!(!h.app.store.is_suppressed(&"alice".into()).await.unwrap());
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.recipients(), ["ada.new@example.org"]);
    assert_eq!(h.notices("alice").await[1].notice.step, 0, "the first step");
    h.enrol_at("alice", "alice@example.org").await;
    assert!(h.app.store.is_suppressed(&"alice".into()).await.unwrap(), "the old address is as bad as before");
    h.end_faults();
}

#[tokio::test]
async fn only_a_rejection_of_the_address_itself_suppresses_it() {
    for (stage, code, text, expected) in [
        (SmtpStage::Rcpt, 553, "5.1.3 bad syntax", true),
        (SmtpStage::Rcpt, 556, "5.1.10 null MX", true),
        (SmtpStage::Rcpt, 550, "5.2.1 mailbox disabled", true),
        (SmtpStage::Rcpt, 550, "no such user", true),
        (SmtpStage::Rcpt, 552, "5.2.2 mailbox full", false),
        (SmtpStage::Rcpt, 550, "5.7.1 rejected by policy", false),
        (SmtpStage::Rcpt, 550, "blocked: your host is listed", false),
        (SmtpStage::Rcpt, 550, "quota exceeded", false),
        (SmtpStage::Rcpt, 450, "4.1.1 unknown for now", false),
        (SmtpStage::Rcpt, 530, "5.7.0 authentication required", false),
        (SmtpStage::Mail, 550, "5.1.1 sender unknown", false),
        (SmtpStage::Data, 550, "5.1.1 user unknown", false),
        (SmtpStage::End, 550, "5.1.1 user unknown", false),
    ] {
        let h = Harness::watching_with(setup(), &["alice"]).await;
        h.mail_fault(SmtpFault::reply(stage, code, text));
        h.expire(&["alice"]).await;
        let rows: &[_] = if expected { &[("alice", HardBounce)] } else { &[] };
        assert_eq!(h.suppressions().await, suppressed(rows), "{code} {text}");
        h.end_faults();
    }
}

#[tokio::test]
async fn a_server_that_rejects_everybody_without_a_code_for_the_address_suppresses_few() {
    let ids: Vec<String> = (1..=12).map(|number| format!("m{number}")).collect();
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    let h = Harness::watching_with(setup().members(12).set("EMAIL__CONNECTIONS", 1), &members).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "no"));
    h.expire(&members).await;
    assert_eq!(h.suppressions().await.len(), 3);
    h.end_faults();
}

#[tokio::test]
async fn an_operator_s_retry_lets_the_mail_server_decide_again_but_does_not_undo_a_complaint() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 unknown"));
    h.expire(&["alice", "bob"]).await;
    h.complain("bob").await;
    assert_eq!(h.suppressions().await.len(), 3);
    h.app.store.retry_all_notices(h.clock.now()).await.unwrap();
    assert_eq!(h.suppressions().await, suppressed(&[("bob", Complaint)]));
    h.pass().await;
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    assert_eq!(h.notices("bob").await[0].reason, "suppressed");
    let mut rows = h.suppressions().await;
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(rows, suppressed(&[("alice", HardBounce), ("bob", Complaint)]), "it rejects alice again");
    h.end_faults();
    let notice = h.notices("alice").await.remove(0).notice.id;
    assert!(h.app.store.retry_notice(&notice, h.clock.now()).await.unwrap());
    h.pass().await;
    assert_eq!((h.recipients(), h.suppressions().await.len()), (vec!["alice@example.org".to_owned()], 1));
}

#[tokio::test]
async fn members_who_share_a_rejected_address_get_no_more_email() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    for child in ["alice", "bob"] {
        h.enrol_at(child, "parent@example.org").await;
    }
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 unknown").times(1));
    h.expire(&["alice", "bob"]).await;
    assert_eq!(h.suppressions().await, suppressed(&[("alice bob", HardBounce)]));
    h.set("bob", "kaiser-north", "EXPIRED");
    h.pass_after(DAY * 4).await;
    assert!(h.mails().is_empty());
    assert!(h.reasons("bob").await.contains(&"suppression hard_bounce".to_owned()));
    h.end_faults();
}

#[tokio::test]
async fn a_complaint_cancels_what_waits_and_is_counted() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    h.expire(&["alice", "bob"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(2));
    h.pass_after(DAY * 3).await;
    assert_eq!(h.notice_states("alice").await, ["sent", "queued"]);
    h.complain("alice").await;
    let notice = h.notices("alice").await.remove(1);
    assert_eq!((notice.notice.state.as_str(), notice.reason.as_str()), ("cancelled", "suppressed"));
    let reasons = h.reasons("alice").await;
    assert!(reasons.contains(&"suppression complaint".to_owned()), "{reasons:?}");
    h.pass_after(DAY).await;
    let mut recipients = h.recipients();
    recipients.sort();
    assert_eq!(recipients, ["alice@example.org", "bob@example.org", "bob@example.org"]);
    h.end_faults();
}

#[tokio::test]
async fn no_reason_replaces_another_and_only_the_operator_ends_a_complaint() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    h.expire(&["alice"]).await;
    let unsubscribe = unsubscribe_link_in(&h.mails()[0]);
    h.press(&unsubscribe).await;
    h.clock.advance(TimeDelta::minutes(1));
    h.complain("alice").await;
    h.clock.advance(TimeDelta::minutes(1));
    let bounce = json!({ "email": "alice@example.org", "kind": "bounce", "permanent": true });
    h.report("bounces", bounce.to_string()).await;
    h.clock.advance(TimeDelta::minutes(1));
    let (hash, now) = (address("alice").address_hash(), h.clock.now());
    assert!(h.app.store.suppress(hash, Operator, now).await.unwrap());
    let all = [("alice", Unsubscribed), ("alice", Complaint), ("alice", HardBounce), ("alice", Operator)];
    assert_eq!(h.suppressions().await, suppressed(&all));

    let page = h.person().press(&format!("{unsubscribe}/resubscribe"), &[]).await.unwrap();
    assert_eq!((page.states(), page.has_button()), (vec!["unsubscribed"], false));
    assert_eq!(h.suppressions().await, suppressed(&all[1..]), "the member's own is gone");
    h.pass_after(DAY * 4).await;
    assert_eq!(h.mails().len(), 1);

    assert!(h.app.store.unsuppress(hash, h.clock.now()).await.unwrap());
    assert!(h.suppressions().await.is_empty());
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
}
