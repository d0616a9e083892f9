//! The whole story, as everyone who has a part in it sees it.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::CredentialRules;

#[tokio::test]
async fn an_expired_connection_causes_an_email_is_reconnected_and_recovers() {
    let h = Harness::watching_with(Setup::default(), &["alice", "bob"]).await;
    assert!(h.mails().is_empty());

    h.set("alice", "epic", "EXPIRED");
    assert!(h.pass_after(TimeDelta::minutes(15)).await.complete());
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.notice_states("alice").await, ["sent"]);
    let mails = h.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["alice@example.org"]);
    let link = h.link();

    let before = h.contents().await;
    for _ in 0..3 {
        let page = h.look(&link).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.forms(), ["redeem epic", "snooze epic"]);
        assert!(page.html.contains("Epic MyChart") && !page.html.contains("alice"));
        assert_eq!(reqwest::Client::new().head(&link).send().await.unwrap().status(), 200);
    }
    assert_eq!(h.contents().await, before, "looking at the page changes nothing");

    let pressed = h.press(&link).await;
    assert_eq!(pressed.status, 303);
    let url = pressed.location.clone().unwrap();
    assert!(url.starts_with(&format!("{}/oauth/authorize?", h.sim.base_url())), "{url}");
    assert!(pressed.html.is_empty(), "the URL is in the header and nowhere else");
    let used = h.look(&link).await;
    assert_eq!(used.status, 410);
    assert_eq!(used.states()[0], "used");

    h.allow(&pressed).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "only the gateway's answer proves recovery");
    h.clock.advance(TimeDelta::seconds(29));
    assert!(!h.app.rechecker.recheck_one().await.unwrap(), "the first recheck is due after 30 s");
    h.clock.advance(TimeDelta::seconds(1));
    assert!(h.app.rechecker.recheck_one().await.unwrap());
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED", "CONNECTED"]);

    let after = h.press(&link).await;
    assert_eq!((after.status, after.location.clone()), (200, None));
    assert_eq!(after.states(), ["recovered"]);
    assert!(!after.has_button(), "{}", after.html);

    for _ in 0..3 {
        h.pass_after(TimeDelta::days(4)).await;
    }
    assert_eq!(h.mails().len(), 1, "no reminder of what has recovered");
    assert_eq!(h.path("bob", "epic").await, ["CONNECTED"], "bob had no part in it");
    let fleet = h.app.store.stats(&CredentialRules::stored_tokens(), h.clock.now()).await.unwrap();
    assert_eq!((fleet.lapses_open, fleet.connections["CONNECTED"]), (0, 6));
}

#[tokio::test]
async fn a_member_who_presses_deny_at_the_source_stays_lapsed_and_can_have_a_new_link() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let url = h.press(&link).await.location.unwrap();
    h.sim.world().sign_in(&url, false).unwrap();
    for minutes in [1, 2, 10, 30] {
        h.pass_after(TimeDelta::minutes(minutes)).await;
    }
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.person().press(&format!("{link}/resend"), &[]).await.unwrap().status, 200);
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    assert_ne!(h.link(), link);
    h.reconnect(&h.link()).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}
