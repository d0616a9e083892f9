//! What a link is good for.

use crate::harness::{Harness, Setup, link_in};
use chrono::TimeDelta;
use futures_util::future::join_all;
use reconnectd::sim::{Operation, Person, Trouble};

/// Alice has a mail about epic.
async fn mailed(setup: Setup) -> (Harness, String) {
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    (h, link)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_who_press_at_once_one_gets_through() {
    let (h, link) = mailed(Setup::default()).await;
    // All have fetched a URL before the first of them spends the link.
    h.fault(Operation::GetOauthUrl, Trouble::Delay { ms: 500 });
    let presses = (0..16).map(|_| {
        let (person, link) = (Person::new().unwrap(), link.clone());
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
    let (h, link) = mailed(Setup::default().set("LINKS__MAX_REDEMPTIONS", 2)).await;
    let statuses = [h.press(&link).await.status, h.press(&link).await.status, h.press(&link).await.status];
    assert_eq!(statuses, [303, 303, 410]);
}

#[tokio::test]
async fn while_the_gateway_is_down_the_page_says_when_to_try_again_and_the_link_stays_good() {
    let (h, link) = mailed(Setup::default()).await;
    h.fault(Operation::GetOauthUrl, Trouble::Http { status: 503, retry_after: Some("120".into()) });
    let answer = reqwest::Client::new().post(&link).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "120");
    let page = answer.text().await.unwrap();
    assert!(page.contains("your link stays good") && page.contains("2 minutes"), "{page}");
    h.end_faults();

    h.fault(Operation::GetOauthUrl, Trouble::NullData);
    let answer = reqwest::Client::new().post(&link).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    h.end_faults();

    h.reconnect(&link).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_link_that_has_expired_says_so_and_can_mail_a_new_one() {
    let (h, old) = mailed(Setup::default().set("LINKS__TTL", "1h")).await;
    h.clock.advance(TimeDelta::minutes(59));
    assert_eq!(h.look(&old).await.status, 200);
    h.clock.advance(TimeDelta::minutes(1));
    for view in [h.look(&old).await, h.press(&old).await] {
        assert_eq!((view.status, view.location), (410, None));
        assert!(view.html.contains("has expired") && view.html.contains("/resend"), "{}", view.html);
    }
    for _ in 0..3 {
        let view = h.person.press(&format!("{old}/resend"), &[]).await.unwrap();
        assert_eq!(view.status, 200);
        assert!(view.html.contains("look at your mail"), "{}", view.html);
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
    h.person.press(&format!("{new}/resend"), &[]).await.unwrap();
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.mails().len(), 2, "nothing is left to mail a link for");
}

#[tokio::test]
async fn a_link_that_nobody_made_is_not_known_and_tells_nothing() {
    let (h, link) = mailed(Setup::default()).await;
    let made_up = format!("{}{}", &link[..link.len() - 43], "A".repeat(43));
    for unknown in [made_up, format!("{link}A"), link[..link.len() - 1].to_owned()] {
        for view in [h.look(&unknown).await, h.press(&unknown).await] {
            assert_eq!((view.status, view.location), (404, None), "{unknown}");
            assert!(!view.html.contains("Epic"), "{}", view.html);
        }
        let resend = h.person.press(&format!("{unknown}/resend"), &[]).await.unwrap();
        let known = h.person.press(&format!("{link}/resend"), &[]).await.unwrap();
        assert_eq!(resend.status, known.status, "whether a link is known is not told");
    }
    h.pass().await;
    assert_eq!(h.mails().len(), 1, "the last mail is too young for another");
}

#[tokio::test]
async fn the_link_of_an_older_mail_works_beside_the_newest() {
    let setup = Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d");
    let (h, first) = mailed(setup).await;
    h.pass_after(TimeDelta::days(3)).await;
    let mails = h.mails();
    let links: Vec<_> = mails.iter().map(|mail| link_in(mail)).collect();
    assert_eq!(links.len(), 2);
    h.reconnect(&first).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    for link in links {
        let view = h.look(&link).await;
        assert!(view.status == 200 && view.html.contains("you are connected"), "{}", view.html);
    }
}

#[tokio::test]
async fn pages_are_kept_by_nobody_and_framed_by_nobody() {
    let (_h, link) = mailed(Setup::default()).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for request in [client.get(&link), client.post(&link)] {
        let answer = request.send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    }
}
