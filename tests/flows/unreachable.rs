//! Members with an open lapse whom nobody tells anymore.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::{CredentialRules, EmailAddress, MemberId, Suppression};
use reconnectd::sim::{SmtpFault, SmtpStage};
use reconnectd::store::ListedMember;

const DAY: TimeDelta = TimeDelta::days(1);
const EPIC: &[(&str, &str)] = &[("epic", "EXPIRED")];

impl Harness {
    /// Those whom `members list --unreachable` names, with the reason.
    async fn unreachable(&self) -> Vec<String> {
        let (rules, since) = (CredentialRules::stored_tokens(), self.clock.now() - DAY * 365);
        let listed = self.app.store.list_members(None, None, 100, &rules, Some(since)).await.unwrap();
        let show = |listed: ListedMember| {
            let reason = listed.unreachable.as_ref().map_or("", |(reason, _)| reason);
            format!("{} {reason}", listed.id())
        };
        listed.into_iter().map(show).collect()
    }

    fn address(&self, member: &str) -> EmailAddress {
        format!("{member}@example.org").parse().unwrap()
    }
}

#[tokio::test]
async fn a_member_who_unsubscribed_is_unreachable_while_a_connection_is_broken() {
    let (h, _) = Harness::mailed(Setup::default(), EPIC).await;
    assert!(h.unreachable().await.is_empty());
    let hash = h.address("alice").address_hash();
    h.app.store.suppress(hash, Suppression::Unsubscribed, h.clock.now()).await.unwrap();
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice suppressed"]);
    h.enrol_at("alice", "other@example.org").await;
    h.pass_after(DAY).await;
    assert!(h.unreachable().await.is_empty(), "the new address receives email");
}

#[tokio::test]
async fn after_the_last_reminder_a_member_is_unreachable_until_the_connection_works() {
    let (h, _) = Harness::mailed(Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d"), EPIC).await;
    assert!(h.unreachable().await.is_empty(), "a reminder follows");
    h.pass_after(DAY * 4).await;
    assert_eq!(h.mails().len(), 2);
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice cadence_ended"]);
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(DAY).await;
    assert!(h.unreachable().await.is_empty());
}

#[tokio::test]
async fn another_connection_that_breaks_makes_a_member_reachable() {
    let (h, _) = Harness::mailed(Setup::default().set("NOTICES__EXPIRED__REMINDERS", ""), EPIC).await;
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice cadence_ended"]);
    h.set("alice", "kaiser-north", "EXPIRED");
    h.sweep_after(DAY).await;
    while h.app.planner.plan_page().await.unwrap() {}
    assert!(h.unreachable().await.is_empty(), "an email about the other one comes");
}

#[tokio::test]
async fn a_member_with_another_address_leaves_the_list_after_the_last_reminder() {
    let (h, _) = Harness::mailed(Setup::default().set("NOTICES__EXPIRED__REMINDERS", ""), EPIC).await;
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice cadence_ended"]);
    h.enrol_at("alice", "other@example.org").await;
    h.pass_after(DAY).await;
    assert!(h.unreachable().await.is_empty());
}

#[tokio::test]
async fn a_member_whose_credential_is_refused_is_unreachable_until_it_works() {
    let (h, _) = Harness::mailed(Setup::default(), EPIC).await;
    h.sim.world().revoke("alice").unwrap();
    h.pass_after(DAY).await;
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice credential_rejected"]);
    h.sim.world().restore("alice").unwrap();
    assert!(h.retry(&["alice"]).await.complete());
    h.pass_after(DAY).await;
    assert!(h.unreachable().await.is_empty());
}

#[tokio::test]
async fn a_member_whose_email_was_given_up_is_unreachable() {
    let h = Harness::watching(&["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    // The server accepts other email, so the refusal is about this one.
    h.mail_fault(SmtpFault::reply(SmtpStage::End, 554, "5.6.0 Refused").to("alice@example.org"));
    h.pass().await;
    while h.notice_states("alice").await != ["abandoned"] {
        h.pass_after(TimeDelta::hours(1)).await;
    }
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice delivery_abandoned"]);
}

#[tokio::test]
async fn a_dismissal_ends_it_and_so_does_a_pause_for_its_time() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice cadence_ended"]);
    let alice = [MemberId::from("alice")];
    h.app.store.pause_members(&alice, h.clock.now()).await.unwrap();
    assert!(h.unreachable().await.is_empty(), "the operator wants it so");
    h.app.store.resume_members(&alice, h.clock.now()).await.unwrap();
    h.pass_after(DAY).await;
    assert_eq!(h.unreachable().await, ["alice cadence_ended"]);
    h.browser().press(&format!("{link}/dismiss"), &[]).await;
    assert!(h.unreachable().await.is_empty());
}
