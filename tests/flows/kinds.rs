//! Connections that are not repaired by a sign-in at the source.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::sim::{FaultKind, Operation, PageResponse};

#[tokio::test]
async fn without_an_app_url_connections_that_only_an_app_can_repair_cause_no_email() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "basicins", "EXPIRED");
    h.pass().await;
    assert_eq!(h.lapse_states("alice").await, ["basicins open"]);
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_connection_that_an_app_repairs_leads_to_the_app_and_to_no_oauth_url() {
    let app_url = "https://app.example.net/connections";
    let h = Harness::watching_with(Setup::default().set("NOTICES__APP_URL", app_url), &["alice"]).await;
    h.set("alice", "basicins", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let page = h.look(&link).await;
    assert!(page.status == 200 && page.html.contains("app.example.net"), "{}", page.html);
    let pressed = h.press(&link).await;
    assert_eq!((pressed.status, pressed.location), (200, None));
    assert_eq!(h.asked("alice", Operation::GetOauthUrl), 0);
    h.set("alice", "basicins", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.lapse_states("alice").await, ["basicins closed recovered"]);
}

#[tokio::test]
async fn a_direct_connection_is_reconnected_by_the_gateway_when_its_member_wants_it() {
    for (status, operation) in
        [("DISCONNECTED", Operation::ActivateDirectConnection), ("EXPIRED", Operation::CreateConnection)]
    {
        let setup = Setup::default().set("NOTICES__DISCONNECTED__DIRECT", true);
        let h = Harness::watching_with(setup, &["alice"]).await;
        h.set("alice", "labcorp", status);
        h.pass().await;
        let link = h.link();
        h.clock.advance(TimeDelta::minutes(1));
        let press = async || match status {
            "DISCONNECTED" => confirm(&h, &link).await,
            _ => h.press(&link).await,
        };
        h.fault(operation, FaultKind::Http { status: 503, retry_after: None });
        assert_eq!(press().await.status, 503, "{status}");
        h.end_faults();
        assert_eq!(press().await.status, 200, "{status}: the button is as good as before");
        assert_eq!(h.press(&link).await.status, 410, "{status}");
        h.pass_after(TimeDelta::seconds(30)).await;
        assert_eq!(h.lapse_states("alice").await, ["labcorp closed recovered"], "{status}");
        assert_eq!(h.asked("alice", operation), 2, "{status}");
        assert_eq!(h.asked("alice", Operation::GetOauthUrl), 0, "{status}");
    }
}

/// Presses the button of a disconnected direct connection, reads the page that asks again, and confirms.
async fn confirm(h: &Harness, link: &str) -> PageResponse {
    let asked = h.press(link).await;
    assert_eq!((asked.status, asked.states()), (200, vec!["confirm"]));
    let (connection, token) = (asked.field("connection").unwrap(), asked.field("confirmation").unwrap());
    let fields = [("connection", &*connection), ("confirmation", &*token)];
    let browser = h.browser();
    let hurried = browser.press_on(&asked, link, &fields).await;
    assert_eq!(hurried.states(), ["ready", "available"], "a scanner that submits every form does not wait");
    browser.press(link, &fields).await
}

#[tokio::test]
async fn a_press_alone_does_not_turn_on_a_direct_connection_that_its_member_turned_off() {
    let setup = Setup::default().set("NOTICES__DISCONNECTED__DIRECT", true);
    let (h, link) = Harness::mailed(setup, &[("labcorp", "DISCONNECTED")]).await;
    for fields in [&[][..], &[("connection", "labcorp")], &[("confirmation", "1.forged")]] {
        let page = h.person().press(&link, fields).await.unwrap();
        assert_eq!((page.status, page.states()), (200, vec!["confirm"]), "{fields:?}");
    }
    assert_eq!(h.asked("alice", Operation::ActivateDirectConnection), 0);
    assert_eq!(h.look(&link).await.states(), ["ready", "available"], "the link is not used up");
    assert_eq!(confirm(&h, &link).await.states(), ["confirm"], "a person takes longer to open an email");
    h.clock.advance(TimeDelta::minutes(1));
    assert_eq!(confirm(&h, &link).await.states(), ["signed_in"]);
    assert_eq!(h.asked("alice", Operation::ActivateDirectConnection), 1);
}

#[tokio::test]
async fn a_direct_connection_that_was_disconnected_causes_no_email_by_default() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.set("alice", "labcorp", "DISCONNECTED");
    h.set("bob", "labcorp", "EXPIRED");
    h.pass().await;
    assert_eq!(h.recipients(), ["bob@example.org"]);
    assert_eq!(h.lapse_states("alice").await, ["labcorp open"]);
    assert!(h.notice_states("alice").await.is_empty());
}

#[tokio::test]
async fn a_dismissed_connection_causes_no_email_until_it_was_connected_again() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "DISCONNECTED");
    h.pass().await;
    let link = h.link();
    let page = h.look(&link).await;
    assert_eq!(page.forms(), ["redeem epic", "dismiss epic"]);
    let fields = [("connection", "epic")];
    assert_eq!(h.person().press(&format!("{link}/dismiss"), &fields).await.unwrap().status, 200);
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
    for status in ["DISCONNECTED", "EXPIRED", "DISCONNECTED"] {
        h.set("alice", "epic", status);
        h.pass_after(TimeDelta::days(10)).await;
    }
    assert_eq!(h.mails().len(), 1);
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::days(10)).await;
    h.set("alice", "epic", "DISCONNECTED");
    h.pass_after(TimeDelta::days(10)).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn an_expired_connection_cannot_be_dismissed() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    assert_eq!(h.look(&link).await.forms(), ["redeem epic", "snooze epic"]);
    h.person().press(&format!("{link}/dismiss"), &[("connection", "epic")]).await.unwrap();
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
}
