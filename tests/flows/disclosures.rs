//! What an address received, and which pages were opened with its links.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::EmailAddress;
use reconnectd::sim::{SmtpAction, SmtpFault, SmtpStage};
use reconnectd::store::{DisclosedEmail, DisclosedTo, Disclosures};

const DAY: TimeDelta = TimeDelta::days(1);

impl Harness {
    async fn disclosed_to(&self, address: &str) -> Disclosures {
        let hash = address.parse::<EmailAddress>().unwrap().address_hash();
        self.app.store.disclosures(DisclosedTo::Address(hash)).await.unwrap()
    }

    async fn disclosed_about(&self, member: &str) -> Disclosures {
        self.app.store.disclosures(DisclosedTo::Member(&member.into())).await.unwrap()
    }
}

fn shown(email: &DisclosedEmail) -> String {
    let members: Vec<_> = email.members.iter().map(|member| member.as_str()).collect();
    let connections: Vec<_> = email.connections.iter().map(|connection| connection.as_str()).collect();
    let opened = email.links.iter().filter(|link| link.opened_at.is_some()).count();
    format!(
        "{} {} {} [{}] [{}] {} links, {opened} opened",
        email.kind.as_str(),
        email.disclosure.as_deref().unwrap_or("?"),
        if email.is_sent { "sent" } else { "unknown" },
        members.join(" "),
        connections.join(" "),
        email.links.len()
    )
}

#[tokio::test]
async fn each_email_to_an_address_is_listed_with_its_pages_after_the_member_has_another_address() {
    let setup = Setup::default().set("NOTICES__DISCLOSURE", "kind").set("NOTICES__EXPIRED__REMINDERS", "3d");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.enrol_at(member, "parent@example.org").await;
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    let links = h.mails()[0].links();
    let page = links.iter().find(|link| link.contains("/r/")).unwrap();
    h.clock.advance(TimeDelta::hours(1));
    let browser = h.browser();
    let opened = browser.arrive(page).await;
    h.clock.advance(TimeDelta::seconds(4));
    h.allow(&browser.press_on(&opened, page, &[]).await).await;
    h.app.request_counter.drain_queue().await.unwrap();
    h.pass_after(TimeDelta::minutes(5)).await;
    h.enrol_at("alice", "alice@example.org").await;
    h.enrol_at("bob", "bob@example.org").await;
    h.pass_after(DAY * 4).await;
    let old = h.disclosed_to("Parent@EXAMPLE.org").await;
    assert_eq!(
        old.emails.iter().map(shown).collect::<Vec<_>>(),
        ["reconnect kind sent [alice bob] [epic] 2 links, 1 opened"]
    );
    let pressed = old.emails[0].links.iter().filter(|link| link.redeemed_at.is_some()).count();
    assert_eq!(pressed, 1);
    let about = [h.disclosed_about("alice").await, h.disclosed_about("bob").await];
    let counts = about.each_ref().map(|disclosures| disclosures.emails.len());
    assert_eq!(
        counts.iter().sum::<usize>(),
        3,
        "the first to both, and the reminder to the one still broken"
    );
    for disclosures in about {
        assert_eq!(disclosures.emails[0].links.len(), 1, "only the member's own page");
    }
    assert!(h.disclosed_to("nobody@example.org").await.emails.is_empty());
}

#[tokio::test]
async fn an_email_that_may_have_arrived_is_listed_and_one_that_was_refused_is_not() {
    let h = Harness::watching(&["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop).to("alice@example.org").times(1));
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Later").to("bob@example.org").times(1));
    h.pass().await;
    let shown_to =
        async |address: &str| h.disclosed_to(address).await.emails.iter().map(shown).collect::<Vec<_>>();
    assert_eq!(
        shown_to("alice@example.org").await,
        ["reconnect generic unknown [alice] [epic] 1 links, 0 opened"]
    );
    assert!(shown_to("bob@example.org").await.is_empty());
    h.pass_after(DAY).await;
    for address in ["alice@example.org", "bob@example.org"] {
        let shown = shown_to(address).await;
        assert!(shown.len() == 1 && shown[0].contains("generic sent"), "{shown:?}");
    }
}
