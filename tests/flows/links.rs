//! What a link is good for.

use crate::harness::{Harness, Setup, link_in};
use chrono::TimeDelta;
use futures_util::{StreamExt, future::join_all, stream};
use reconnectd::domain::AccessToken;
use reconnectd::sim::{FaultKind, Operation};

/// What is broken.
const EPIC: &[(&str, &str)] = &[("epic", "EXPIRED")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_sixteen_simultaneous_presses_succeeds() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    // The first press is still in flight when the others arrive.
    h.fault(Operation::GetOauthUrl, FaultKind::Delay { ms: 500 });
    let presses = (0..16).map(|_| {
        let (person, link) = (h.person(), link.clone());
        tokio::spawn(async move { person.press(&link, &[]).await.unwrap() })
    });
    let views: Vec<_> = join_all(presses).await.into_iter().map(Result::unwrap).collect();
    let mut statuses: Vec<_> = views.iter().map(|view| view.status).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (303, &[410; 15][..]));
    assert_eq!(views.iter().filter(|view| view.location.is_some()).count(), 1);
}

#[tokio::test]
async fn an_operator_can_allow_a_few_redemptions() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__MAX_REDEMPTIONS", 2), EPIC).await;
    let statuses = [h.press(&link).await.status, h.press(&link).await.status, h.press(&link).await.status];
    assert_eq!(statuses, [303, 303, 410]);
}

#[tokio::test]
async fn behind_a_scanner_that_presses_the_button_a_member_gets_through_when_the_operator_allows_a_few() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__MAX_REDEMPTIONS", 3), EPIC).await;
    let (scanner, member) = (h.browser_named("scanner/1"), h.browser());
    scanner.arrive(&link).await;
    h.clock.advance(TimeDelta::milliseconds(700));
    assert_eq!(scanner.press(&link, &[("connection", "epic")]).await.status, 303);
    h.clock.advance(TimeDelta::minutes(5));
    assert_eq!(member.arrive(&link).await.forms(), ["redeem epic", "snooze epic"]);
    let pressed = member.press(&link, &[("connection", "epic")]).await;
    h.sim.world().sign_in(pressed.location.as_deref().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn behind_a_scanner_that_presses_whatever_it_finds_a_member_gets_through_too() {
    let h = Harness::watching_with(Setup::default().set("LINKS__MAX_REDEMPTIONS", 3), &["alice"]).await;
    h.set("alice", "epic", "DISCONNECTED");
    h.pass().await;
    let link = h.link();
    let (scanner, member) = (h.browser_named("scanner/1"), h.browser());
    scanner.arrive(&link).await;
    for form in ["", "/snooze", "/dismiss", "/undo", "/dismiss", "/resend"] {
        scanner.press(&format!("{link}{form}"), &[("connection", "epic")]).await;
    }
    h.clock.advance(TimeDelta::minutes(5));
    assert_eq!(member.arrive(&link).await.forms(), ["redeem epic", "undo epic"]);
    let pressed = member.press(&link, &[("connection", "epic")]).await;
    h.sim.world().sign_in(pressed.location.as_deref().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_member_whose_link_a_scanner_used_can_request_a_new_one() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    let (scanner, member) = (h.browser_named("scanner/1"), h.browser());
    scanner.arrive(&link).await;
    assert_eq!(scanner.press(&link, &[("connection", "epic")]).await.status, 303);
    h.clock.advance(TimeDelta::minutes(6));
    assert_eq!(member.arrive(&link).await.states(), ["used", "resume_elsewhere"]);
    let vain = member.press(&link, &[("connection", "epic")]).await;
    assert_eq!((vain.status, vain.states(), vain.forms()), (410, vec!["used"], vec!["resend".to_owned()]));
    assert_eq!(member.press(&format!("{link}/resend"), &[]).await.status, 200);
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    let pressed = member.press(&h.link(), &[]).await;
    h.sim.world().sign_in(pressed.location.as_deref().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn one_link_allows_three_resends_and_the_page_promises_no_more() {
    let (h, mailed_link) =
        Harness::mailed(Setup::default().set("NOTICES__EXPIRED__REMINDERS", ""), EPIC).await;
    let by_hand = h.invitation("alice", "somewhere").await;
    for link in [mailed_link, by_hand] {
        let before = h.mails().len();
        let mut pages = Vec::new();
        for _ in 0..6 {
            h.clock.advance(TimeDelta::hours(13));
            let page = h.person().press(&format!("{link}/resend"), &[]).await.unwrap();
            pages.push(page.states()[0].to_owned());
            h.pass().await;
        }
        assert_eq!(h.mails().len() - before, 3);
        assert_eq!(pages, [["resend_requested"; 3], ["resend_unavailable"; 3]].concat());
    }
    h.clock.advance(TimeDelta::hours(13));
    h.person().press(&format!("{}/resend", h.link()), &[]).await.unwrap();
    let before = h.mails().len();
    h.pass().await;
    assert_eq!(h.mails().len() - before, 1, "the newest one's own link brings one still");
}

#[tokio::test]
async fn a_member_can_request_three_emails_a_day_beside_those_that_the_daemon_plans() {
    let (h, link) = Harness::mailed(Setup::default().set("NOTICES__EXPIRED__REMINDERS", ""), EPIC).await;
    for other in ["kaiser-north", "cerner"] {
        h.set("alice", other, "EXPIRED");
        h.pass_after(TimeDelta::minutes(15)).await;
    }
    assert_eq!(h.mails().len(), 3, "planned");
    let request = async |link: &str| {
        h.clock.advance(TimeDelta::hours(1));
        let state = h.press(&format!("{link}/resend")).await.states()[0].to_owned();
        h.pass().await;
        state
    };
    for _ in 0..3 {
        assert_eq!(request(&link).await, "resend_requested");
    }
    let newest = h.link();
    assert_eq!(request(&newest).await, "resend_unavailable");
    h.clock.advance(TimeDelta::hours(21));
    assert_eq!(request(&newest).await, "resend_requested", "a day after the first");
}

#[tokio::test]
async fn while_the_gateway_is_down_the_page_says_when_to_try_again_and_the_link_stays_valid() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    h.fault(Operation::GetOauthUrl, FaultKind::Http { status: 503, retry_after: Some("120".into()) });
    let page = h.press(&link).await;
    assert_eq!((page.status, page.states()), (503, vec!["gateway_down"]));
    assert_eq!(page.headers["retry-after"], "120");
    assert!(page.html.contains(" 2 "), "two minutes: {}", page.html);
    h.end_faults();

    h.fault(Operation::GetOauthUrl, FaultKind::NullData);
    let page = h.press(&link).await;
    assert_eq!(page.status, 503);
    assert!(page.headers.contains_key("retry-after"));
    h.end_faults();

    h.reconnect(&link).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_press_does_not_wait_for_the_gateways_shared_wait() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    h.fault(Operation::GetOauthUrl, FaultKind::Http { status: 429, retry_after: Some("86400".into()) });
    let page = h.press(&link).await;
    assert_eq!((page.status, &page.headers["retry-after"]), (503, &"300".parse().unwrap()));
    for token in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let token = AccessToken::new(token);
        h.app.gateway.oauth_url(&token, &"epic".into()).await.unwrap_err();
    }
    h.end_faults();
    assert!(h.app.gateway.shared_wait().is_some());
    h.reconnect(&link).await;
    assert!(h.app.gateway.shared_wait().is_some(), "the others wait still");
}

#[tokio::test]
async fn an_expired_link_says_so_and_can_email_a_new_one() {
    let (h, old) = Harness::mailed(Setup::default().set("LINKS__TTL", "1h"), EPIC).await;
    h.clock.advance(TimeDelta::minutes(59));
    assert_eq!(h.look(&old).await.status, 200);
    h.clock.advance(TimeDelta::minutes(1));
    for view in [h.look(&old).await, h.press(&old).await] {
        assert_eq!((view.status, view.location.clone()), (410, None));
        assert_eq!((view.states(), view.forms()), (vec!["expired"], vec!["resend".to_owned()]));
    }
    for state in ["resend_requested", "email_on_its_way", "email_on_its_way"] {
        let view = h.person().press(&format!("{old}/resend"), &[]).await.unwrap();
        assert_eq!((view.status, view.states()), (200, vec![state]));
    }
    h.pass().await;
    assert_eq!(h.mails().len(), 2, "asked for three times, mailed once");
    let new = h.link();
    assert_ne!(new, old);
    assert_eq!(h.mails()[1].to, ["alice@example.org"]);
    assert_eq!(h.press(&old).await.status, 410, "the old one stays dead");
    h.reconnect(&new).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    let view = h.person().press(&format!("{new}/resend"), &[]).await.unwrap();
    assert_eq!((view.status, view.states()), (200, vec!["recovered"]), "no email is promised");
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.mails().len(), 2, "nothing is left to mail a link for");
}

#[tokio::test]
async fn an_unknown_link_reveals_nothing() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    let made_up = format!("{}{}", &link[..link.len() - 43], "A".repeat(43));
    for unknown in [made_up, format!("{link}A"), link[..link.len() - 1].to_owned()] {
        for view in [h.look(&unknown).await, h.press(&unknown).await] {
            assert_eq!((view.status, view.location), (404, None), "{unknown}");
            assert!(!view.html.contains("Epic"), "{}", view.html);
        }
        let resend = h.person().press(&format!("{unknown}/resend"), &[]).await.unwrap();
        assert_eq!((resend.status, resend.states()), (404, vec!["link_not_found"]));
    }
}

#[tokio::test]
async fn the_link_of_an_older_email_works_beside_the_newest() {
    let setup = Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d");
    let (h, first) = Harness::mailed(setup, EPIC).await;
    h.pass_after(TimeDelta::days(3)).await;
    let mails = h.mails();
    let links: Vec<_> = mails.iter().map(|mail| link_in(mail)).collect();
    assert_eq!(links.len(), 2);
    h.reconnect(&first).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    for link in links {
        let view = h.look(&link).await;
        assert_eq!((view.status, view.states()), (200, vec!["recovered"]));
    }
}

#[tokio::test]
async fn pages_are_neither_cached_nor_framed() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    for response in [h.look(&link).await, h.press(&link).await] {
        let headers = &response.headers;
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_presses_of_one_link_cause_few_gateway_calls() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__REQUESTS_PER_MINUTE", 0), EPIC).await;
    let asked = h.asked("alice", Operation::GetOauthUrl);
    let presses = (0..100).map(|_| {
        let (person, link) = (h.person(), link.clone());
        async move { person.press(&link, &[]).await.unwrap().status }
    });
    let statuses: Vec<u16> = stream::iter(presses).buffer_unordered(20).collect().await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1);
    assert_eq!(h.asked("alice", Operation::GetOauthUrl), asked + 1);
}

#[tokio::test]
async fn a_browser_that_resumes_again_and_again_uses_up_the_links_budget() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__REQUESTS_PER_MINUTE", 0), EPIC).await;
    let browser = h.browser();
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(browser.press(&link, &[]).await.status);
    }
    assert_eq!(statuses, [[303; 10].as_slice(), &[429, 429]].concat());
    h.clock.advance(TimeDelta::minutes(1));
    assert_eq!(browser.press(&link, &[]).await.status, 303);
}

#[tokio::test]
async fn a_form_of_another_site_or_without_the_page_s_key_changes_nothing() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let other_link = h.invitation("alice", "somewhere").await;
    h.clock.advance(TimeDelta::hours(1));
    let key = h.look(&link).await.field("form_key").unwrap();
    let foreign = h.look(&other_link).await.field("form_key").unwrap();
    h.person().read().await;
    let (before, asked) = (h.contents().await, h.asked("alice", Operation::GetOauthUrl));
    let client = reqwest::Client::new();
    for action in ["", "/resend", "/resubscribe", "/dismiss", "/snooze", "/undo"] {
        let bare = || client.post(format!("{link}{action}?form_key={key}"));
        let with = |key: &str| bare().form(&[("connection", "epic"), ("form_key", key)]);
        for (name, request) in [
            ("no form", bare()),
            ("no key", bare().form(&[("connection", "epic")])),
            ("an empty key", with("")),
            ("a guessed key", with(&"A".repeat(43))),
            ("the key of another link", with(&foreign)),
            ("another site", with(&key).header("sec-fetch-site", "cross-site")),
        ] {
            let page = request.send().await.unwrap();
            assert_eq!(page.status(), 200, "{name} {action}");
            let html = page.text().await.unwrap();
            assert!(html.contains("data-state=\"ready\""), "{name} {action}: {html}");
        }
    }
    assert_eq!(h.contents().await, before);
    assert_eq!(h.asked("alice", Operation::GetOauthUrl), asked);
    let pressed = h.person().post(&link, &[("form_key", &key)]).await.unwrap();
    assert_eq!(pressed.status, 303, "the key is good for the only button");
}

#[tokio::test]
async fn a_press_within_a_second_shows_the_page_again_and_the_next_press_works() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    let browser = h.browser();
    let page = browser.arrive(&link).await;
    let again = browser.press_on(&page, &link, &[]).await;
    assert_eq!((again.status, again.states()), (200, vec!["ready", "available"]));
    browser.read().await;
    assert_eq!(browser.press_on(&again, &link, &[]).await.status, 303);
}

#[tokio::test]
async fn a_page_can_be_pressed_as_long_as_its_link_works() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__TTL", "7d"), EPIC).await;
    let page = h.look(&link).await;
    h.clock.advance(TimeDelta::days(6) + TimeDelta::hours(23));
    assert_eq!(h.browser().press_on(&page, &link, &[]).await.status, 303);
}

#[tokio::test]
async fn an_invitation_names_its_source_or_else_the_source_s_kind() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "DISCONNECTED");
    h.sweep().await;
    let link = h.invitation("alice", "epic").await;
    assert!(h.look(&link).await.html.contains("Epic MyChart"));
    h.rows().await.set("invitations", "name", "").await.unwrap();
    let html = h.look(&link).await.html;
    assert!(html.to_lowercase().contains("<bdi>your care provider</bdi>"), "{html}");
}
