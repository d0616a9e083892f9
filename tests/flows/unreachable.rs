//! Members with an open lapse whom nobody tells anymore.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::{CredentialRules, EmailAddress, MemberId, Suppression, Time};
use reconnectd::sim::{SmtpFault, SmtpStage};
use reconnectd::store::ListedMember;
use std::collections::BTreeMap;

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

    /// The numbers of `status`: those who have been silent for longer than this count, too.
    async fn unreachable_by_reason(&self, silence: TimeDelta) -> BTreeMap<String, u64> {
        let (rules, since) = (CredentialRules::stored_tokens(), self.clock.now() - silence);
        self.app.store.stats(&rules, since).await.unwrap().unreachable
    }

    async fn unreachable_since(&self, member: &str) -> Option<Time> {
        let (only, rules) = (MemberId::from(member), CredentialRules::stored_tokens());
        let listed = self.app.store.list_members(Some(&only), None, 1, &rules, None).await.unwrap().remove(0);
        listed.unreachable.map(|(_, since)| since)
    }

    async fn suppress(&self, member: &str) {
        let hash = self.address(member).address_hash();
        self.app.store.suppress(hash, Suppression::Unsubscribed, self.clock.now()).await.unwrap();
    }

    fn address(&self, member: &str) -> EmailAddress {
        format!("{member}@example.org").parse().unwrap()
    }
}

#[tokio::test]
async fn a_member_who_unsubscribed_is_unreachable_while_a_connection_is_broken() {
    let (h, _) = Harness::mailed(Setup::default(), EPIC).await;
    assert!(h.unreachable().await.is_empty());
    h.suppress("alice").await;
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

#[tokio::test]
async fn each_unreachable_member_counts_once_and_silence_alone_is_a_reason_of_its_own() {
    let h = Harness::watching(&["alice", "bob", "carol"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    assert!(h.unreachable_by_reason(TimeDelta::zero()).await.is_empty());
    h.suppress("alice").await;
    for member in ["bob", "carol"] {
        h.sim.world().revoke(member).unwrap();
    }
    h.pass_after(DAY).await;
    h.pass_after(DAY).await;
    let mut expected = BTreeMap::from(
        [("credential_rejected", 1), ("suppressed", 1)].map(|(reason, n)| (reason.to_owned(), n)),
    );
    assert_eq!(h.unreachable_by_reason(DAY * 3).await, expected);
    expected.insert("no_response".to_owned(), 1);
    assert_eq!(h.unreachable_by_reason(DAY).await, expected);
}

#[tokio::test]
async fn a_member_who_stays_unreachable_is_so_since_the_first_time() {
    let h = Harness::watching(&["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
        h.suppress(member).await;
    }
    h.pass().await;
    let since = h.unreachable_since("alice").await;
    assert!(since.is_some() && h.unreachable_since("bob").await == since);
    h.set("alice", "kaiser-north", "EXPIRED");
    h.enrol_at("bob", "other@example.org").await;
    h.pass_after(DAY).await;
    assert_eq!((h.unreachable_since("alice").await, h.unreachable_since("bob").await), (since, None));
}
