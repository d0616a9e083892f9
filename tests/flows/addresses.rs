//! A member's address changes: what was emailed to the old one stops working.

use crate::handovers::change_during_attempt;
use crate::harness::{Harness, Setup, unsubscribe_link_in};
use chrono::TimeDelta;
use reconnectd::{
    domain::{EmailAddress, Suppression},
    sim::{Operation, SmtpFault, SmtpStage},
};

const EPIC: &[(&str, &str)] = &[("epic", "EXPIRED")];

async fn is_suppressed(h: &Harness, address: &str) -> bool {
    let hash = address.parse::<EmailAddress>().unwrap().address_hash();
    !h.app.store.suppressions(Some(hash), None, 10).await.unwrap().is_empty()
}

#[tokio::test]
async fn a_link_ends_with_the_address_and_names_no_source() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    h.enrol_at("alice", "alice@new.example").await;
    let asked = h.asked("alice", Operation::GetOauthUrl);
    for page in [h.look(&link).await, h.press(&link).await] {
        assert_eq!((page.status, page.states()), (410, vec!["replaced"]));
        assert_eq!(page.forms(), ["resend"]);
        assert!(page.location.is_none() && !page.html.contains("Epic"), "{}", page.html);
    }
    let dismiss = h.person().press(&format!("{link}/dismiss"), &[("connection", "epic")]).await.unwrap();
    assert_eq!(dismiss.states(), ["replaced"]);
    assert_eq!(h.asked("alice", Operation::GetOauthUrl), asked);
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
}

#[tokio::test]
async fn a_resume_cookie_ends_with_the_address() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    let browser = h.browser();
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    h.enrol_at("alice", "alice@new.example").await;
    let page = browser.press(&link, &[]).await;
    assert_eq!((page.status, page.location.as_deref(), page.states()), (410, None, vec!["replaced"]));
}

#[tokio::test]
async fn a_replaced_link_can_send_a_new_one_to_the_address_on_file() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    h.enrol_at("alice", "alice@new.example").await;
    h.clock.advance(TimeDelta::hours(1));
    h.press(&format!("{link}/resend")).await;
    h.pass().await;
    assert_eq!(h.recipients(), ["alice@example.org", "alice@new.example"]);
    assert_eq!(h.look(&h.link()).await.states()[0], "ready");
    assert_eq!(h.look(&link).await.states(), ["replaced"], "the old one stays replaced");
}

#[tokio::test]
async fn an_email_that_an_address_rejected_is_sent_to_the_next_address_and_not_to_the_same_one_again() {
    let h = Harness::queued(&["alice"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 unknown").times(1));
    h.pass().await;
    for (address, states) in
        [("alice@example.org", &["abandoned"][..]), ("alice@new.example", &["abandoned", "sent"])]
    {
        h.enrol_at("alice", address).await;
        h.pass_after(TimeDelta::hours(1)).await;
        assert_eq!(h.notice_states("alice").await, states, "{address}");
    }
    assert_eq!(h.recipients(), ["alice@new.example"]);
}

#[tokio::test]
async fn an_unsubscribe_link_stops_the_address_that_it_was_emailed_to() {
    let setup = Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d");
    let (h, _) = Harness::mailed(setup, EPIC).await;
    let stop = unsubscribe_link_in(&h.mails()[0]);
    h.enrol_at("alice", "alice@new.example").await;
    assert_eq!(h.press(&stop).await.states(), ["unsubscribed"]);
    assert!(is_suppressed(&h, "alice@example.org").await);
    assert!(!is_suppressed(&h, "alice@new.example").await);
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(h.recipients(), ["alice@example.org", "alice@new.example"]);
}

#[tokio::test]
async fn a_replaced_link_does_not_resubscribe_the_new_address() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    h.enrol_at("alice", "alice@new.example").await;
    let new: EmailAddress = "alice@new.example".parse().unwrap();
    h.app.store.suppress(new.address_hash(), Suppression::Unsubscribed, h.clock.now()).await.unwrap();
    h.clock.advance(TimeDelta::hours(1));
    h.press(&format!("{link}/resubscribe")).await;
    assert!(is_suppressed(&h, "alice@new.example").await);
}

#[tokio::test]
async fn an_unsubscribe_link_ends_after_a_year() {
    let (h, _) = Harness::mailed(Setup::default(), EPIC).await;
    let stop = unsubscribe_link_in(&h.mails()[0]);
    h.clock.advance(TimeDelta::days(364));
    assert_eq!(h.look(&stop).await.status, 200);
    h.clock.advance(TimeDelta::days(2));
    assert_eq!((h.look(&stop).await.status, h.press(&stop).await.status), (404, 404));
    assert!(!is_suppressed(&h, "alice@example.org").await);
}

#[tokio::test]
async fn an_email_under_way_goes_to_the_address_that_the_member_has_got_meanwhile() {
    let queued = async || Harness::queued(&["alice"]).await;
    let (h, ()) = change_during_attempt(queued, async |h| h.enrol_at("alice", "ada@example.org").await).await;
    assert_eq!(h.attempts("alice").await, ["deferred"]);
    h.pass().await;
    assert_eq!(h.recipients(), ["ada@example.org"]);
    assert_eq!(h.attempts("alice").await, ["deferred", "sent"]);
}
